"""What cannot happen is refused, and what changes nothing leaves no record."""

from __future__ import annotations

import pytest

from orchestrator.canonical import Json
from orchestrator.decision.events import EvidenceRead, Finished, Forecasted, Reading, Swept
from orchestrator.decision.stages import IllegalEvent
from tests.storyline import START_US, Tell, hospital, plain_class


@pytest.mark.parametrize(
    "event",
    [
        Reading("service:atlantis", "PASS"),
        Reading("host:atlantis", "PASS"),
        Reading("interface:atlantis", "PASS"),
        Reading("weather", "PASS"),
        Reading("service:lis", "maybe"),
        Swept("atlantis", START_US, True, []),
        Finished("lis-1/restore/1", "ok"),
        Forecasted(0, {"laboratory": [1, 2, 3]}),
        Forecasted(20, {"atlantis": [1, 2, 3]}),
        Forecasted(20, {"laboratory": [1, 2]}),
        Forecasted(20, {"laboratory": [3, 2, 1]}),
        Forecasted(20, {"laboratory": [-1, 2, 3]}),
        EvidenceRead("", ["a" * 64]),
        EvidenceRead("an\nalyst", ["a" * 64]),
        EvidenceRead("a" * 101, ["a" * 64]),
        EvidenceRead("analyst", []),
        EvidenceRead("analyst", ["a" * 64, "/home/patient"]),
    ],
)
def test_what_cannot_happen_is_refused_and_changes_nothing(
    tell: Tell, event: Reading | Swept | Finished | Forecasted | EvidenceRead
) -> None:
    story = tell().signed()
    before = story.state.digest()
    with pytest.raises(IllegalEvent):
        story.send(event)
    assert story.state.digest() == before


def test_a_reading_that_says_what_is_known_leaves_no_record_until_a_gate_counts_it(tell: Tell) -> None:
    story = tell().opened().isolated()
    assert story.read("service:lis", "FAIL").recorded
    assert not story.read("service:lis", "FAIL").recorded
    story.launched()
    assert story.read("service:lis", "FAIL").recorded


def test_a_sweep_that_proves_nothing_new_leaves_no_record(tell: Tell) -> None:
    story = tell().opened().isolated()
    assert not story.sweep().recorded
    assert story.sweep(control=False).recorded, "a missed sweep counts"
    assert story.sweep().recorded, "and so does the one that ends the count"


def test_a_success_without_what_later_steps_build_on_is_a_failure(tell: Tell) -> None:
    story = tell().begun()
    story.send(Finished("lis-1/restore/1", "ok", "", {"restore_point_us": 1}))
    assert story.records[-1][2]["outcome"] == "failed"
    assert "does not name the host key" in str(story.records[-1][2]["sentence"])
    story.nothing()


def test_a_forecast_is_kept_and_nothing_follows_from_it(tell: Tell) -> None:
    story = tell().opened()
    assert story.send(Forecasted(20, {"laboratory": [60, 90, 200]})).recorded
    assert story.records[-1][1:] == ("forecasted", {"v": 1, "runs": 20, "functions": {"laboratory": [60, 90, 200]}})


@pytest.mark.parametrize(
    ("facts", "lacks"),
    [
        ({"medium": "disk 7", "holder": "CERT"}, "the digest of what it preserved"),
        ({"digest": "d", "holder": "CERT"}, "its medium or seal"),
        ({"digest": "d", "medium": " ", "seal": "", "holder": "CERT"}, "its medium or seal"),
        ({"digest": "d", "seal": "A-7"}, "who holds it"),
        ({"digest": "d", "seal": "A-7", "holder": "x" * 201}, "who holds it"),
        ({"digest": 7, "holder": "a\nb"}, "the digest of what it preserved and its medium or seal and who holds it"),
    ],
)
def test_evidence_nobody_could_find_again_is_not_preserved(tell: Tell, facts: dict[str, Json], lacks: str) -> None:
    story = tell(hospital(classes=(plain_class("server", preservation="required"),))).begun()
    story.send(Finished("lis-1/preserve/1", "ok", "", facts)).nothing()
    assert story.records[-1][2]["sentence"] == f"It ended well and does not name {lacks}."
    assert not story.state.evidence_kept(0)
    assert not story.state.custody


def test_a_seal_is_as_good_as_a_medium(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", preservation="required"),))).begun()
    story.send(Finished("lis-1/preserve/1", "ok", "", {"digest": "d", "seal": "A-7", "holder": "CERT"}))
    story.expect("issue lis-1/restore/1 restore")


def test_who_was_shown_evidence_is_a_record_and_changes_nothing(tell: Tell) -> None:
    story = tell().opened()
    before = story.state.digest()
    assert story.send(EvidenceRead("analyst", ["a" * 64])).recorded
    assert story.records[-1][1:] == ("evidence_read", {"v": 1, "by": "analyst", "evidence": ["a" * 64]})
    assert len(before) == len(story.state.digest())
