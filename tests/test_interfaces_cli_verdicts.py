"""An analyst says what was seen, reads what it means, signs it, and files it here or from another machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.trust.signature import verify
from orchestrator.trust.statement import VERDICT_NAMESPACE, Statement
from tests.command_line import Terminal, terminal
from tests.estates import person

LOOKED = (
    "--method",
    "hunt with the set in force",
    "--tool",
    "hunt 1.0",
    "--examined",
    "accounts",
    "--examined",
    "jobs",
)


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with terminal(tmp_path, capsys) as found:
        found.here.quarantined("foundations")
        yield found


def test_two_analysts_find_a_host_clean_and_it_goes_out(here: Terminal) -> None:
    first = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED)
    assert first.document["kind"] == "verdict.clean"
    assert "You sign a VERDICT as analyst-1: CLEAN" in first.err
    assert "It means: No reason was found to keep the hosts named out" in first.err
    assert here.signs("analyst-2", "verdict", "sign", "CLEAN", "backup-1", *LOOKED).code == 0
    assert "backup-1" not in here.here.seats()


def test_one_person_is_never_two(here: Terminal) -> None:
    here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED)
    again = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED)
    assert (again.code, again.document["error"]["rule"]) == (3, "verdict.two-persons")


def test_a_lot_is_signed_at_once(here: Terminal) -> None:
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-2", "ad-1", *LOOKED, "--not-examined", "firmware")
    assert said.document["subject"] == "ad-1, ad-2"
    assert "Not examined: firmware." in said.err


def test_clean_without_anything_examined_is_not_signed(here: Terminal) -> None:
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-1", "--method", "a feeling")
    assert (said.code, said.document["error"]["rule"]) == (3, "statement.examined")
    assert "You sign" not in said.err


def test_infected_by_one_is_enough(here: Terminal) -> None:
    assert here.signs("analyst-1", "verdict", "sign", "INFECTED", "ad-1", "--method", "the marker is there").code == 0
    here.here.settle()
    assert "ad-1" not in here.here.seats()


def test_a_host_without_an_inspection_has_nothing_to_judge(here: Terminal) -> None:
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "lab-ws-1", *LOOKED)
    assert (said.code, said.document["error"]["rule"]) == (3, "verdict.inspection")


def test_a_statement_signed_into_files_is_filed_later_by_anyone(here: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "backup-1"
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED, "--out", str(out))
    files = [Path(name) for name in said.document["files"]]
    text = files[0].read_bytes()
    verify(files[1].read_text(), VERDICT_NAMESPACE, text, person("analyst-1", "analyst").key)
    assert Statement.from_bytes(text).verdict == "CLEAN"
    assert here.types.json("queue").document["hosts"][0]["seats_open"] == 2, "nothing was filed yet"
    filed = here.types.json("verdict", "file", *map(str, files))
    assert filed.document["subject"] == "backup-1"


def test_files_that_cannot_be_written_or_read_are_sentences(here: Terminal, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere" / "x")
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED, "--out", nowhere)
    assert (said.code, said.document["error"]["rule"]) == (2, "usage.file")
    assert here.types("verdict", "file", nowhere, nowhere).code == 2


def test_a_statement_that_was_changed_is_refused(here: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "ad-1"
    here.signs("analyst-1", "verdict", "sign", "SUSPECT", "ad-1", *LOOKED, "--out", str(out))
    statement, signature = out.with_name("ad-1.json"), out.with_name("ad-1.sig")
    statement.write_bytes(statement.read_bytes().replace(b"SUSPECT", b"CLEAN"))
    said = here.types.json("verdict", "file", str(statement), str(signature))
    assert (said.code, said.document["error"]["rule"]) == (3, "statement.means")
