"""Seats: one for each required person, claimed for a time, reopened only when it is worth it."""

from __future__ import annotations

from orchestrator.decision.seats import claims_open, seats_open
from tests.storyline import Story, Tell, hospital, plain_class

LAB = "laboratory/slice"


def waiting(tell: Tell) -> Story:
    """The lone server waits for its verdicts; its wave is held."""
    story = tell().begun().inspected("lis-1").order("wave.hold", LAB, "operator-1").whatever()
    return story.sweep().whatever()


def seats(story: Story) -> int:
    """The open seats of the lone server now."""
    return seats_open(story.state, 0, story.now_us)


def test_there_is_a_seat_for_each_required_person_once_the_quarantine_is_proven(tell: Tell) -> None:
    story = tell().opened().launched().finish("north/isolate/1").whatever().inspected("lis-1")
    assert seats(story) == 0
    assert seats(story.sweep().whatever()) == 2


def test_claims_and_verdicts_fill_seats_once(tell: Tell) -> None:
    story = waiting(tell).order("claim", "lis-1", "analyst-1").nothing()
    assert seats(story) == 1
    story.verdicts("lis-1", "analyst-1").nothing()
    assert seats(story) == 1
    story.order("claim", "lis-1", "analyst-2").nothing()
    assert seats(story) == 0
    assert seats(story.later(60)) == 1, "a claim ends by itself"


def test_a_jump_of_the_clock_ends_no_claim(tell: Tell) -> None:
    story = waiting(tell).order("claim", "lis-1", "analyst-1").nothing().jump(7200).nothing()
    assert claims_open(story.state, 0, story.now_us).keys() == {"analyst-1"}
    story.clock_confirmed().nothing()
    assert claims_open(story.state, 0, story.now_us).keys() == {"analyst-1"}
    assert claims_open(story.state, 0, story.later(3600).now_us) == {}


def test_the_seat_of_an_analyst_who_was_revoked_is_open_again(tell: Tell) -> None:
    story = waiting(tell).order("claim", "lis-1", "analyst-1").order("claim", "lis-1", "analyst-2").nothing()
    story.order("roster.revoke", "analyst-1", "operator-1", "it-director").nothing()
    assert seats(story) == 1
    story.verdicts("lis-1", "analyst-3").nothing()


def test_the_expired_seat_of_a_host_that_is_out_opens_again_until_its_debt_is_closed(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", cleanliness="offline"),))).begun().in_service("lis-1")
    story.finish("lis-1/inspect/2").nothing().verdicts("lis-1", "analyst-1", valid_s=100).at(200).nothing()
    assert seats(story) == 2
    story.verdicts("lis-1", "analyst-2", "analyst-3").nothing()
    assert not story.state.obligations


def test_the_seat_of_an_expired_verdict_reopens_only_when_all_else_is_met(tell: Tell) -> None:
    story = waiting(tell).verdicts("lis-1", "analyst-1", "analyst-2", valid_s=60).nothing().later(60)
    assert seats(story) == 0, "its wave is held: reading again now would be in vain"
    story.order("wave.resume", LAB, "operator-1").nothing()
    assert seats(story) == 2
    story.verdicts("lis-1", "analyst-3").nothing().verdicts("lis-1", "analyst-1").expect("issue lis-1/reconnect/1")
    assert seats(story) == 0
