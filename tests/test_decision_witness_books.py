"""What the witness writes down of a host: inspections, sweeps that prove its quarantine, how its actions end."""

from __future__ import annotations

import pytest

from orchestrator.decision.commands import EnterService, Issue
from orchestrator.decision.events import Cancelled, Event, Finished, Lost
from tests.forged_histories import RECONNECT, UNPROVEN, UNSWEPT, clean, ready, seen, swept
from tests.storyline import Tell

CUT_OFF = (Issue("lis-1/isolate/9", "lis-1", "isolate"), Finished("lis-1/isolate/9", "ok"))
AGAIN = Issue("lis-1/reconnect/2", "lis-1", "reconnect")


def test_an_inspection_begun_before_the_host_was_cut_off_says_nothing_about_it(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    begun, ended = Issue("lis-1/inspect/9", "lis-1", "inspect"), Finished("lis-1/inspect/9", "ok")
    swept_since = swept(story, 1)
    both = [clean(story, one, of="lis-1/inspect/9") for one in ("analyst-1", "analyst-2")]
    assert seen(story, begun, *CUT_OFF, ended, swept_since, *both, AGAIN) == [UNPROVEN]
    assert seen(story, *CUT_OFF, begun, ended, swept_since, *both, AGAIN) == []


def test_a_verdict_on_an_earlier_inspection_counts_for_nothing(tell: Tell) -> None:
    story = ready(tell)
    assert seen(story, clean(story, of="lis-1/inspect/0"), RECONNECT) == [UNPROVEN]


def test_only_a_sweep_begun_after_the_host_was_cut_off_proves_its_silence(tell: Tell) -> None:
    story = ready(tell)
    proven = clean(story)
    assert seen(story, *CUT_OFF, proven, RECONNECT) == [UNSWEPT]
    assert seen(story, *CUT_OFF, swept(story, -1), proven, RECONNECT) == [UNSWEPT]
    assert seen(story, *CUT_OFF, swept(story, 1), proven, RECONNECT) == []


def test_a_host_that_answered_must_be_cut_off_again_unless_it_was_asked_before(tell: Tell) -> None:
    story = ready(tell)
    proven = clean(story)
    assert seen(story, *CUT_OFF, swept(story, -1, "lis-1"), swept(story, 2), proven, RECONNECT) == []
    assert seen(story, *CUT_OFF, swept(story, 1, "lis-1"), swept(story, 2), proven, RECONNECT) == [UNSWEPT]


def test_three_sweeps_without_the_control_target_prove_no_silence_any_more(tell: Tell) -> None:
    story = ready(tell)
    blind = swept(story, 1, control=False)
    assert seen(story, blind, blind, clean(story), RECONNECT) == []
    assert seen(story, blind, blind, blind, clean(story), RECONNECT) == [UNSWEPT]
    assert seen(story, blind, blind, swept(story, 1), blind, clean(story), RECONNECT) == []


def test_a_host_answers_on_its_way_out_and_when_it_is_out(tell: Tell) -> None:
    story = ready(tell)
    answers, done = swept(story, 1, "lis-1"), Finished("lis-1/reconnect/1", "ok")
    assert seen(story, clean(story), RECONNECT, answers, done, answers, EnterService("lis-1")) == []


@pytest.mark.parametrize("ended", [Finished("lis-1/reconnect/1", "failed"), Lost("lis-1/reconnect/1")])
def test_after_a_reconnect_that_ended_otherwise_silence_is_proven_again(tell: Tell, ended: Event) -> None:
    story = ready(tell)
    assert seen(story, clean(story), RECONNECT, ended, AGAIN) == [UNSWEPT]
    assert seen(story, clean(story), RECONNECT, ended, swept(story, 1), AGAIN) == []


def test_a_reconnect_that_was_stopped_before_it_took_effect_may_start_again(tell: Tell) -> None:
    story = ready(tell)
    assert seen(story, clean(story), RECONNECT, Cancelled("lis-1/reconnect/1"), AGAIN) == []
