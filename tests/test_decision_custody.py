"""Whoever has what was preserved of a host is known from the first holder on, and no hand is left out."""

from __future__ import annotations

import pytest

from orchestrator.canonical import Json
from orchestrator.decision.custody import Hand
from orchestrator.decision.events import Epoch, Jumped
from tests.storyline import Story, Tell, hospital, plain_class

FIRST = "lis-1/preserve/1"


@pytest.fixture
def kept(tell: Tell) -> Story:
    """What a host held is preserved; its store holds it."""
    story = tell(hospital(classes=(plain_class("server", preservation="required"),))).begun()
    return story.finish(FIRST).expect("issue lis-1/restore/1 restore")


def hand(story: Story, who: str = "forensic-lead", **args: Json) -> Story:
    return story.order("evidence.custody", FIRST, who, **{"from": "store", "to": "police", "seal": "", **args})


def test_what_was_preserved_goes_from_hand_to_hand_under_its_seal(kept: Story) -> None:
    first_us = kept.now_us
    hand(kept.at(60), to="police", seal="A-7").nothing()
    hand(kept.at(90), "operator-1", **{"from": "police", "to": "police", "seal": "A-8"}).nothing()
    one = kept.state.custody[FIRST]
    assert (one.digest, one.medium) == (f"digest of {FIRST}", "disk")
    assert [(each.holder, each.seal, each.person) for each in one.hands] == [
        ("store", "", ""),
        ("police", "A-7", "forensic-lead"),
        ("police", "A-8", "operator-1"),
    ]
    assert first_us == one.hands[0].at_us < one.hands[1].at_us < one.hands[2].at_us


@pytest.mark.parametrize(
    ("rule", "args"),
    [
        ("custody.chain", {"from": "police", "to": "CERT"}),
        ("custody.chain", {"to": "store"}),
        ("custody.form", {"to": ""}),
        ("custody.form", {"to": " police"}),
        ("custody.form", {"to": 7}),
        ("custody.form", {"seal": None}),
        ("custody.form", {"seal": "x" * 201}),
    ],
)
def test_a_hand_over_that_leaves_a_hand_out_or_says_nothing_is_refused(
    kept: Story, rule: str, args: dict[str, Json]
) -> None:
    kept.refuses(rule, lambda: hand(kept, **args))
    assert len(kept.state.custody[FIRST].hands) == 1


def test_nobody_hands_over_what_was_never_preserved(tell: Tell) -> None:
    story = tell().begun()
    assert "relance custody" in story.refuses("custody.evidence", lambda: hand(story)).sentence


def test_what_was_kept_before_a_host_was_out_stays_in_its_holders_hands(kept: Story) -> None:
    """The host is wiped again later: what it held then is preserved anew, beside the first."""
    story = kept.lose("lis-1/restore/1").whatever()
    assert [*story.state.custody] == [FIRST]
    assert story.state.custody[FIRST].hands == [Hand("store", "", "", story.state.custody[FIRST].hands[0].at_us)]


def test_a_confirmed_clock_moves_when_evidence_changed_hands(kept: Story) -> None:
    before_us = kept.state.custody[FIRST].hands[0].at_us
    jump_us = -3_600_000_000
    kept.send(Jumped(jump_us)).whatever()
    kept.order("clock.confirm", "clock", "operator-1").whatever()
    kept.send(Epoch(jump_us)).whatever()
    assert kept.state.custody[FIRST].hands[0].at_us == before_us + jump_us
