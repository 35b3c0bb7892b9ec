"""An analyst has one screen per host: what differs, was found, was not looked at; never what a colleague said."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.checks.indicators import Indicator, IndicatorSet
from orchestrator.evidence import manifest
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import Difference
from orchestrator.interfaces.documents import Desk
from orchestrator.interfaces.rematching import evidence_of
from orchestrator.journal.sqlite import Journal
from tests.command_line import Terminal, terminal
from tests.test_evidence_manifest import line

HOUR_US = 3600 * 1_000_000


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Inspections keep evidence: every host has a new file and a timer, and its memory was not read."""
    (tmp_path / "state").mkdir(mode=0o700)
    blobs = evidence_of(tmp_path / "state")
    wanted = IndicatorSet()
    wanted.add([Indicator("name", "new", "cert-1"), Indicator("persistence", "evil", "cert-2")])
    monkeypatch.setattr("tests.live_hospital.INDICATORS", blobs.put(wanted.to_bytes()))

    own = blobs.put(manifest.to_bytes(frozenset((line(b"etc/passwd"),))))

    def inspected(action: str) -> str:
        differs = Difference((line(b"opt/new"),), (line(b"etc/passwd"),), ())
        return blobs.put(
            Evidence(
                action,
                action.partition("/")[0],
                golden=own,
                differs=differs,
                lists={"timers": ("evil.timer",)},
                restore_point_us=HOUR_US,
                t0_us=3 * HOUR_US,
                not_examined=("memory",),
            ).to_bytes()
        )

    monkeypatch.setattr("tests.live_hospital.evidence_of", inspected)
    with terminal(tmp_path, capsys) as found:
        found.here.order("freeze", "all", "operator-1")
        found.here.quarantined("foundations")
        yield found


def lose(here: Terminal, digest: str) -> None:
    """A stored file is gone from the disk."""
    next((here.here.engine.state_dir / "evidence").rglob(f"*{digest[2:]}*")).unlink()


def test_one_screen_holds_all_a_host_is_judged_by(here: Terminal) -> None:
    said = here.types("queue", "ad-2")
    assert said.code == 0, said.err
    for word in (
        "of the queue. Seats open: 2; claimed by nobody.",
        "ad-2: inspected, quarantined",
        "Who can lift it",
        "warning indicator persistence evil",
        "notice indicator name new",
        "unknown opt/new",
        "changed etc/passwd",
        "taken by the host itself",
        "Restore point: 2.0 h before T0.",
        "not examined: memory",
    ):
        assert word in said.out, f"{word!r} is missing in\n{said.out}"
    assert said.out.index("warning indicator") < said.out.index("notice indicator"), "what says most comes first"


def test_the_screen_is_one_document_too(here: Terminal) -> None:
    found = here.types.json("queue", "ad-2").document
    assert TypeAdapter(Desk).validate_python(found, strict=True) == found
    assert [one["level"] for one in found["hits"]] == ["warning", "notice"]
    assert found["seat"]["host"] == "ad-2"
    assert found["inspection"]["not_examined"] == ["memory"]


def test_the_second_reader_does_not_see_what_the_first_said(here: Terminal) -> None:
    before = here.types.json("queue", "ad-2").document
    here.here.judge("CLEAN", "analyst-1", "ad-2")
    said, after = here.types("queue", "ad-2").out, here.types.json("queue", "ad-2").document
    assert after["seat"]["seats_open"] == 1
    assert "analyst-1" not in said + json.dumps(after)
    assert after["hits"] == before["hits"]


def test_what_was_said_of_earlier_inspections_is_shown_to_who_reads_the_next(here: Terminal) -> None:
    here.here.judge("CLEAN", "analyst-1", "ad-2")
    here.here.judge("SUSPECT", "analyst-2", "ad-2")
    here.here.judge("CLEAN", "analyst-3", "ad-2")
    said, document = here.types("queue", "ad-2").out, here.types.json("queue", "ad-2").document
    assert document["why"]["inspection"] == "ad-2/inspect/2"
    told = [(one["inspection"], one["verdict"], one["person"]) for one in document["earlier"]]
    assert told == [("ad-2/inspect/1", "CLEAN", "analyst-1"), ("ad-2/inspect/1", "SUSPECT", "analyst-2")]
    assert "Earlier: SUSPECT on ad-2/inspect/1 by analyst-2, " in said
    assert "analyst-3" not in said + json.dumps(document), "the latest inspection is read blind"


def test_whoever_claimed_a_seat_is_shown_to_others(here: Terminal) -> None:
    here.signs("analyst-1", "claim", "ad-2")
    assert "Seats open: 1; claimed by analyst-1." in here.types("queue", "ad-2").out


def test_a_host_without_an_inspection_has_nothing_on_its_desk(here: Terminal) -> None:
    said = here.types("queue", "lab-ws-1")
    assert said.code == 0
    assert "No verdict on this host is wanted now." in said.out
    assert "No inspection: there is nothing to judge yet." in said.out
    assert here.types("queue", "nobody-9").code == 2


def test_who_looked_at_the_evidence_is_kept(here: Terminal) -> None:
    here.types("queue", "ad-2")
    kept = here.types.json("why", "ad-2").document["evidence"]
    with Journal.open(here.here.engine.state_dir / "journal.sqlite", read_only=True) as journal:
        (record,) = journal.records_of("evidence_read")
    assert record.body == {"v": 1, "by": getpass.getuser(), "evidence": [kept]}


def test_what_cannot_be_matched_hides_nothing_else(here: Terminal) -> None:
    own = here.types.json("queue", "ad-2").document["inspection"]["golden"]
    lose(here, own)
    said = here.types("queue", "ad-2")
    assert said.code == 0
    assert f"not matched: The stored file {here.here.engine.state_dir}" in said.out
    assert "unknown opt/new" in said.out


def test_a_set_that_is_not_kept_is_named_as_not_matched(here: Terminal) -> None:
    real = here.here.engine.read(lambda state, _: state.indicator_set)
    lose(here, real)
    found = here.types.json("queue", "ad-2").document
    assert found["hits"] == []
    assert any(real[:16] in one for one in found["unmatched"])
