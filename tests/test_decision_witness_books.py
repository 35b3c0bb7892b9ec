"""What the witness writes down of a host: inspections, sweeps that prove its quarantine, how its actions end."""

from __future__ import annotations

import pytest

from orchestrator.decision.commands import Condemn, EnterService, Issue
from orchestrator.decision.events import Cancelled, Event, Finished, Lost, Started
from tests.estates import server, service, with_hosts, workstation
from tests.forged_histories import ALARM, RECONNECT, UNPROVEN, UNSWEPT, clean, heard, order, ready, seen, swept
from tests.storyline import SECOND, Tell, hospital

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


def test_what_was_said_of_a_host_that_is_wiped_for_its_restore_point_or_by_order_counts_for_nothing(tell: Tell) -> None:
    story = ready(tell)
    for wiped in (Condemn("lis-1", "too young"), order("host.retry", "lis-1", "operator-1", strategy="reimage")):
        assert seen(story, wiped, clean(story), RECONNECT) == [UNPROVEN]
    assert seen(story, order("host.retry", "lis-1", "operator-1"), clean(story), RECONNECT) == []


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
    assert seen(story, *CUT_OFF, swept(story, 1, "lis-1"), swept(story, 2), proven, RECONNECT) == [UNSWEPT, UNPROVEN]


def test_three_sweeps_without_the_control_target_prove_no_silence_any_more(tell: Tell) -> None:
    story = ready(tell)
    blind = swept(story, 1, control=False)
    assert seen(story, blind, blind, clean(story), RECONNECT) == []
    assert seen(story, blind, blind, blind, clean(story), RECONNECT) == [UNSWEPT]
    assert seen(story, blind, blind, swept(story, 1), blind, clean(story), RECONNECT) == []


def test_after_a_start_only_a_new_sweep_proves_silence(tell: Tell) -> None:
    story = ready(tell)
    assert seen(story, clean(story), Started("1"), RECONNECT) == [UNSWEPT]
    assert seen(story, clean(story), Started("1"), swept(story, 1), RECONNECT) == []


def test_a_host_answers_on_its_way_out_and_when_it_is_out(tell: Tell) -> None:
    story = ready(tell)
    answers, done = swept(story, 1, "lis-1"), Finished("lis-1/reconnect/1", "ok")
    assert seen(story, clean(story), RECONNECT, answers, done, answers, EnterService("lis-1")) == []


def test_what_was_said_of_a_host_before_it_answered_counts_for_nothing_once_it_is_cut_off_again(tell: Tell) -> None:
    story = ready(tell)
    assert seen(story, clean(story), swept(story, 1, "lis-1"), *CUT_OFF, swept(story, 2), RECONNECT) == [UNPROVEN]


def test_an_inspection_of_a_host_that_was_connected_meanwhile_says_nothing_about_it(tell: Tell) -> None:
    story = ready(tell)
    answered = swept(story, -0.5, "lis-1")
    begun, ended = Issue("lis-1/inspect/9", "lis-1", "inspect"), Finished("lis-1/inspect/9", "ok")
    both = [clean(story, one, of="lis-1/inspect/9") for one in ("analyst-1", "analyst-2")]
    for told in (
        (answered, begun, *CUT_OFF, ended),
        (begun, answered, *CUT_OFF, ended),
        (answered, begun, ended, *CUT_OFF),
    ):
        assert seen(story, *told, swept(story, 1), *both, RECONNECT) == [UNPROVEN]
    assert seen(story, answered, *CUT_OFF, begun, ended, swept(story, 1), *both, RECONNECT) == []


BADLY = [
    Finished("lis-1/reconnect/1", "failed"),
    Finished("lis-1/reconnect/1", "unreachable"),
    Lost("lis-1/reconnect/1"),
]


@pytest.mark.parametrize("ended", BADLY)
def test_after_a_reconnect_that_ended_otherwise_the_host_is_cut_off_and_its_silence_proven_again(
    tell: Tell, ended: Event
) -> None:
    story = ready(tell)
    assert seen(story, clean(story), RECONNECT, ended, AGAIN) == [UNSWEPT]
    assert seen(story, clean(story), RECONNECT, ended, swept(story, 1), AGAIN) == [UNSWEPT]
    assert seen(story, clean(story), RECONNECT, ended, *CUT_OFF, swept(story, 1), AGAIN) == []


@pytest.mark.parametrize("ended", BADLY)
def test_9_an_infected_host_whose_reconnect_ended_badly_counts_as_connected(tell: Tell, ended: Event) -> None:
    story = ready(tell)
    infected = clean(story, "analyst-3", verdict="INFECTED")
    told = [clean(story), RECONNECT, infected, ended]
    assert seen(story, *told) == [ALARM]
    assert seen(story, *told, Issue("lis-1/isolate/9", "lis-1", "isolate")) == []


def test_a_reconnect_that_was_stopped_before_it_took_effect_may_start_again(tell: Tell) -> None:
    story = ready(tell)
    assert seen(story, clean(story), RECONNECT, Cancelled("lis-1/reconnect/1"), AGAIN) == []


def test_what_is_signed_after_a_jump_ends_when_its_signer_meant(tell: Tell) -> None:
    """The signer's clock is ten minutes fast and nobody has confirmed it yet."""
    story = tell().begun().jump(600).whatever()
    books, now_us, hour_us = heard(story).books, story.now_us, 3600 * SECOND
    assert books.end_us(now_us + 600 * SECOND + hour_us, now_us, 12 * 3600) == now_us + hour_us


def test_the_place_of_a_post_that_is_gone_may_be_taken_by_one_that_a_change_of_content_brings(tell: Tell) -> None:
    hosts = (server("lis-1", "north", "lis"), workstation("lab-ws-1", "north", "laboratory"))
    content = hospital(*hosts, services=(service("lis", "laboratory"),))
    story = tell(content).begun().excluded("lab-ws-1")
    assert heard(story).books.replaceable == set()
    more = with_hosts(content, workstation("lab-ws-2", "north", "laboratory"))
    story.propose(more, "operator-1", "crisis-1").whatever()
    assert heard(story).books.replaceable == {"lab-ws-1"}
