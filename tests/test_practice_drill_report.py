"""The report of a drill believes the journal only where the hosts' and gates' own logs agree."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.canonical import Json
from orchestrator.decision import codec
from orchestrator.decision.events import Opened, Ordered, Reading
from orchestrator.engine.contents import keep
from orchestrator.engine.process import lay_out
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.practice.drill_report import Report, report
from orchestrator.practice.fleet_file import load
from tests.drill_ground import ground

SECOND = 1_000_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A prepared drill whose journal is opened and where nothing was restored yet."""
    with ground(tmp_path_factory.mktemp("report")) as root:
        lay_out(root / "state")
        content = usable(root / "estate").digest
        keep(root / "estate", root / "state", content)
        _journal(root, Opened(1, "test", "incident", content), Reading("service:lis", "FAIL"))
        yield root


def _journal(root: Path, *entries: Any) -> None:
    path = root / "state" / "journal.sqlite"
    with Journal.open(path) if path.exists() else Journal.create(path) as journal:
        journal.begin()
        for entry in entries:
            journal.append(_plan(root)["started_us"] + 5 * SECOND, *codec.encode(entry))
        journal.commit()


def _plan(root: Path) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((root / "drill.json").read_bytes())
    return plan


def told(root: Path) -> Report:
    return report(root, _plan(root), 3_700_000)


@pytest.fixture(scope="module")
def first(root: Path) -> Report:
    """The report before anybody touched a gate."""
    return told(root)


def gate(root: Path, command: str) -> None:
    """A command typed by hand at the north site's gate."""
    fleet = load(root / "fleet")
    gate = next(site.gate for site in fleet.sites if site.id == "north")
    user = json.loads((root / "people.json").read_bytes())["gates"]["north"]["user"]
    words = ["ssh", "-F", "none", "-i", str(root / "state/secrets/ssh_key"), "-p", str(fleet.ssh_port)]
    words += [
        "-o",
        f"UserKnownHostsFile={root / 'fleet/known_hosts'}",
        "-o",
        "BatchMode=yes",
        f"{user}@{gate}",
        command,
    ]
    subprocess.run(words, check=True, capture_output=True, timeout=30)


def test_a_host_that_is_not_back_is_named_and_the_drill_is_not_good(first: Report) -> None:
    assert not first.good
    assert "lis-1 is blocked." in first.findings
    assert (first.document["hosts"], first.document["in_service"], first.document["failed"]) == (12, 0, 0)


def test_times_count_from_the_first_start_and_what_did_not_happen_has_none(first: Report) -> None:
    document = first.document
    assert document["wall_s"] == 5
    assert document["cpu_s"] == 3
    assert {wave["passed_s"] for wave in document["waves"]} == {None}
    assert document["functions"]["laboratory"] == {"back_s": None}
    assert document["waves"][0]["name"] == "foundations"
    assert len(document["root"]) == 64


def test_the_document_is_json_of_whole_numbers(first: Report) -> None:
    text = json.dumps(first.document)
    assert json.loads(text, parse_float=lambda number: pytest.fail(f"{number} is not whole")) == first.document


def test_hosts_that_the_journal_keeps_cut_off_and_that_answer_are_found_out_twice(root: Path, first: Report) -> None:
    assert "pacs-1 is blocked in the journal, but its gate is open." in first.findings, "nothing was isolated yet"
    assert "pacs-1 answers from production." in first.findings
    gate(root, "relance-gate isolate-site north/isolate/1 north")
    after = told(root).document["violations"]
    assert not [sentence for sentence in after if sentence.startswith("pacs-1")]
    assert [sentence for sentence in after if sentence.startswith("dc-2")], "the other site is still open"


def test_a_gate_opened_without_a_reconnect_of_the_journal_is_released_early(root: Path) -> None:
    gate(root, "relance-gate isolate-site north/isolate/1 north")
    gate(root, "relance-gate reconnect hv-1/reconnect/1 hv-1")
    found = told(root)
    assert found.document["released_early"] == 1
    assert any("hv-1/reconnect/1, which was never issued" in sentence for sentence in found.findings)
    assert told(root).document == found.document, "reading a drill changes nothing in it"


def test_a_drill_whose_content_changed_under_way_is_reported_over_the_content_in_force(
    root: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / "estate", tmp_path / "estate")
    services = tmp_path / "estate" / "inventory" / "services.json"
    services.write_text(f" {services.read_text()}")
    digest = usable(tmp_path / "estate").digest
    keep(tmp_path / "estate", root / "state", digest)
    people: list[Json] = [{"id": one, "roles": [one], "key": one} for one in ("operator", "crisis")]
    change: dict[str, Json] = {"digest": digest, "blocked": [], "changes": []}
    _journal(
        root,
        *(_signed("1", "genesis", one, {"persons": people}) for one in ("operator", "crisis")),
        *(_signed("2", "content.change", one, change) for one in ("operator", "crisis")),
    )
    assert told(root).document["records"] == 6


def _signed(order: str, kind: str, person: str, args: dict[str, Json]) -> Ordered:
    return Ordered(order, kind, "content", args, person, 1 << 52, 1 << 40, "")
