"""Audit, verify and backup as commands: what they print, what they exit with, beside a live process and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.decision import codec
from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Opened
from orchestrator.engine.contents import keep
from orchestrator.engine.process import lay_out
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from tests.command_line import Keyboard
from tests.live_hospital import hospital
from tests.release_ground import anchor_of, bundle_of, journal_of
from tests.small_estate import SMALL


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    lay_out(folder)
    digest = usable(SMALL).digest
    keep(SMALL, folder, digest)
    with Journal.create(folder / "journal.sqlite") as journal:
        journal.begin()
        journal.append(1, *codec.encode(Opened(1, "test", "night", digest)))
        journal.commit()
    return folder


@pytest.fixture
def types(capsys: pytest.CaptureFixture[str], state_dir: Path) -> Keyboard:
    return Keyboard(capsys, "--state", str(state_dir))


def test_a_proven_journal_is_exit_0_in_words_and_as_a_document(types: Keyboard) -> None:
    said = types("audit")
    assert said.code == 0
    assert "Every hash, the root and the replay verify." in said.out
    assert "0 issued = 0 finished + 0 lost + 0 cancelled + 0 open" in said.out
    assert types.json("audit").document["violations"] == []


def test_a_broken_promise_is_exit_1_and_in_words(types: Keyboard, state_dir: Path) -> None:
    with Journal.open(state_dir / "journal.sqlite") as journal:
        journal.begin()
        journal.append(2, *codec.encode(Issue("lis-1/restore/1", "lis-1", "restore", "restore")))
        journal.commit()
    said = types("audit")
    assert said.code == 1
    assert "VIOLATION: record 2, invariant 10, lis-1" in said.out


def test_an_exported_journal_verifies_anywhere_and_a_changed_one_does_not(types: Keyboard, tmp_path: Path) -> None:
    path = tmp_path / "cert" / "journal.jsonl"
    audited = types.json("audit", "--export", str(path.parent)).document
    assert types.json("verify", str(path)).document == {"size": audited["records"], "root": audited["root"]}
    assert "complete and unchanged" in types("verify", str(path)).out
    path.write_bytes(path.read_bytes().replace(b"night", b"light"))
    said = types.json("verify", str(path))
    assert said.code == 7
    assert said.document["error"]["facts"]["line"] == 2
    assert types("verify", str(tmp_path / "nowhere")).code == 7


def test_a_printed_head_is_continued_or_exit_1_and_in_words(types: Keyboard) -> None:
    head = types.json("audit").document["head"]
    assert f"Head, to print and keep: {head}" in types("audit").out
    assert types("audit", "--since", head).code == 0
    said = types("audit", "--since", head.replace(":", "7:"))
    assert said.code == 1
    assert "VIOLATION: The journal has 1 records and had 17: its end was cut off." in said.out
    said = types("audit", "--since", f"1:{'ab' * 32}")
    assert said.code == 1
    assert "does not continue the head 1:abab" in said.out
    assert types("audit", "--since", "yesterday").code == 2


def test_one_record_is_proven_under_a_printed_head(types: Keyboard, tmp_path: Path) -> None:
    head = types.json("audit").document["head"]
    proof = str(tmp_path / "proof.json")
    assert types("audit", "--since", head, "--proof", "1", "--out", proof).code == 0
    assert f"Record 1 stands in the journal of {head}." in types("verify", proof, "--head", head).out
    assert types("verify", proof, "--head", f"1:{'ab' * 32}").code == 7
    assert types("audit", "--proof", "2", "--out", proof).code == 3
    assert types("audit", "--proof", "1").code == 2
    assert types("audit", "--proof", "1", "--out", str(tmp_path / "no" / "proof")).code == 7


def test_a_backup_is_a_state_folder_that_can_be_audited(types: Keyboard, tmp_path: Path) -> None:
    said = types.json("backup", str(tmp_path / "copy"))
    assert said.code == 0
    assert said.document["size"] == 1
    assert types("--state", str(tmp_path / "copy"), "audit").code == 0
    assert types("backup", str(tmp_path / "copy")).code == 7, "a backup goes into a new folder"


def test_the_packaged_reference_keeps_no_state(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RELANCE_ESTATE", raising=False)
    said = Keyboard(capsys)("audit")
    assert said.code == 2
    assert "--state" in said.err


def test_an_estate_keeps_its_state_beside_its_content(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = Keyboard(capsys)("--estate", str(tmp_path), "audit")
    assert said.code == 7
    assert str(tmp_path / ".relance") in said.err


def test_a_reconnects_bundle_is_judged_rule_by_rule_and_refused_with_exit_3(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with hospital(tmp_path / "state") as here:
        here.hands.hangs.add("reconnect")
        here.open_incident()
        here.quarantined("foundations")
        here.judge_everyone()
        bundle = bundle_of(here, "ad-1/reconnect/1")
        types, path = Keyboard(capsys), tmp_path / "bundle.json"
        path.write_text(json.dumps(bundle))
        words = ("verify", str(path), "--journal", str(journal_of(here)), "--anchor")
        said = types(*words, anchor_of(bundle))
        assert said.code == 0
        assert "holds    verdicts: ad-1/inspect/1: CLEAN by analyst-1, analyst-2; 2 needed." in said.out
        assert said.out.endswith("Accepted.\n")
        said = types.json(*words, "0" * 64)
        assert said.code == 3
        assert not said.document["accepted"]
        assert [line["rule"] for line in said.document["rules"] if not line["holds"]] == ["roster"]
        here.order("freeze", "all", "operator-1")
        assert types(*words, anchor_of(bundle)).code == 0, "as of the bundle's head"
        said = types(*words, anchor_of(bundle), "--now")
        assert said.code == 3
        assert "REFUSED  freeze: Frozen: all." in said.out
    assert types(*words[:2], "--anchor", "0" * 64).code == 2
    path.write_text("no bundle")
    assert types(*words, "0" * 64).code == 2
    path.write_text("{}")
    assert types(*words, "0" * 64).code == 3
