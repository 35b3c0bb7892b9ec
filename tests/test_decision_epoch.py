"""A clock that jumped changes nothing; once a person confirmed it, every time moves and nothing is nearer."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache, partial
from typing import Any

import pytest

from orchestrator.decision import state as state_module
from orchestrator.decision.apply import apply
from orchestrator.decision.codec import kind_of
from orchestrator.decision.epoch import OF_THE_WORLD, TIMES, passed
from orchestrator.decision.events import Epoch, Judged, Ordered
from orchestrator.decision.quorum import verdicts_missing
from orchestrator.decision.seats import claims_open
from orchestrator.decision.stages import IllegalEvent
from orchestrator.decision.state import State
from orchestrator.interfaces.views_people import waiting_orders
from orchestrator.journal.record import EPOCH
from tests.disasters import unwatched
from tests.random_incidents import Incident
from tests.storyline import LATEST, SECOND, START_US, Story, Tell

LAB = "laboratory/slice"
DAY = 86_400
JUMPS = (3 * DAY, -3 * DAY)
A_TIME_US = 1_000_000_000 * SECOND  # no other number of a state is as large
CLOCK_OF_THE_CORE = {"at_us", "jump_us"}


def numbers(value: object, path: str) -> Iterator[tuple[str, int]]:
    """Every whole number inside a value, with the way to it."""
    if isinstance(value, int):
        yield path, int(value)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from numbers(one, f"{path}.{key}")
    elif isinstance(value, list | tuple | deque):
        for place, one in enumerate(value):
            yield from numbers(one, f"{path}.{place}")
    elif is_dataclass(value):
        for field in fields(value):
            yield from numbers(getattr(value, field.name), f"{path}.{field.name}")


def times(state: State) -> dict[str, int]:
    """Every number of a state that can only be a time, by the way to it."""
    kept = {name: value for name, value in vars(state).items() if name not in ("estate", "contents", "posts_seen")}
    return {path: number for path, number in numbers(kept, "") if number > A_TIME_US}


@cache
def _past(seed: int) -> Incident:
    incident = Incident(seed)
    with unwatched():
        incident.trouble(400)
    return incident


def played(seed: int) -> Incident:
    """An incident in the middle of its troubles."""
    incident = Incident(seed)
    incident.state.contents.update(_past(seed).state.contents)
    for entry, at_us in _past(seed).records:
        apply(incident.state, entry, at_us)
    return incident


@pytest.mark.parametrize("days", [3, -3])
def test_after_an_epoch_every_time_of_an_incident_is_as_far_away_as_before(days: int) -> None:
    """Whatever can only be a time is moved, known to this module or not; what is of the world stays."""
    seen, delta_us = set[str](), days * DAY * SECOND
    for seed in range(8):
        state = played(seed).state
        before = times(state)
        passed(state, Epoch(delta_us), state.at_us + delta_us)
        after = times(state)
        moved = {path for path in before if after[path] == before[path] + delta_us}
        still = {path for path in before if after[path] == before[path]}
        assert after.keys() == before.keys() == moved | still
        assert {path.split(".")[1] for path in still} <= OF_THE_WORLD | CLOCK_OF_THE_CORE
        seen |= {path.split(".")[1] for path in moved}
    assert seen >= {"isolated_us", "verdicts", "tasks", "timers", "waves", "readings"}, "or this proves little"


def test_a_field_of_a_time_moves_by_its_name_unless_it_is_of_the_world() -> None:
    """Whoever adds a time to the state names it so, or adds it to the list; 0 says that something never was."""
    state = State(Incident(1).estate)
    known = {name for name in vars(state) if name.endswith("_us")}
    moving = known - OF_THE_WORLD - CLOCK_OF_THE_CORE
    for name in moving:
        setattr(state, name, [7, 0])
    passed(state, Epoch(100), 0)
    assert all(getattr(state, name) == [107, 0] for name in moving)
    assert state.restore_point_us == [0] * len(state.stage)
    assert vars(state).keys() >= OF_THE_WORLD
    shapes: list[Any] = [one for _, one in inspect.getmembers(state_module, is_dataclass)]
    for shape in shapes:
        named = [field.name for field in fields(shape) if field.name.endswith("_us") or field.name in TIMES]
        one = shape(**dict.fromkeys((field.name for field in fields(shape)), 7))
        state.asks = {0: one}
        passed(state, Epoch(100), 0)
        assert [field.name for field in fields(shape) if getattr(one, field.name) == 107] == named


def test_the_journal_and_the_core_mean_the_same_record_by_an_epoch() -> None:
    assert kind_of(Epoch) == EPOCH


def test_time_continues_from_the_true_clock_even_where_that_is_earlier(tell: Tell) -> None:
    story = tell().begun().jump(-3 * DAY).nothing()
    before_us = story.state.at_us
    story.clock_confirmed().whatever()
    assert story.state.at_us == before_us - 3 * DAY * SECOND
    assert (story.state.jump_us, story.state.clock_doubted, story.state.clock_confirmed) == (0, False, False)
    story.order("freeze", "all", "operator-1").nothing()
    assert story.state.at_us < before_us


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_soak_lasts_as_long_as_ever_whatever_the_clock_does_meanwhile(tell: Tell, seconds: int) -> None:
    story = tell().begun().in_service("lis-1").read("service:lis").expect(f"start soak {LAB}")
    soak_s = story.state.estate.waves[story.wave(LAB)].soak_us // SECOND
    story.jump(seconds).nothing().clock_confirmed().nothing().later(soak_s - 10)
    story.read("service:lis", times=8).nothing()
    story.later(3).read("service:lis").expect(f"pass gate {LAB}")


@pytest.mark.parametrize("seconds", JUMPS)
def test_an_operator_confirms_the_clock_whether_his_own_jumped_too_or_not(tell: Tell, seconds: int) -> None:
    for signer_s in (0, seconds):
        story = tell().begun().jump(seconds).nothing()
        expires_us = story.now_us + (signer_s + 8 * 3600) * SECOND
        story.send(Ordered("a" * 32, "clock.confirm", "clock", {}, "operator-1", expires_us, LATEST, "blob")).nothing()
        story.send(Epoch(seconds * SECOND)).whatever()
        assert not story.state.clock_doubted


@pytest.mark.parametrize("seconds", JUMPS)
def test_an_order_has_expired_only_where_both_clocks_say_so_and_is_listed_until_then(tell: Tell, seconds: int) -> None:
    story = tell().begun().jump(seconds).nothing()
    late_us = story.now_us + min(0, seconds) * SECOND

    def revoke(expires_us: int) -> Story:
        return story.send(Ordered("a" * 32, "roster.revoke", "crisis-1", {}, "operator-1", expires_us, LATEST, "blob"))

    story.refuses("orders.expiry", partial(revoke, late_us))
    revoke(late_us + SECOND).nothing()
    assert len(waiting_orders(story.state, story.now_us)) == 1
    assert waiting_orders(story.state, story.now_us + SECOND) == []


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_verdict_given_while_the_clock_is_in_doubt_holds_no_longer_than_its_signer_meant(
    tell: Tell, seconds: int
) -> None:
    valid_s = 3600
    for signer_s in (0, seconds):
        story = tell().begun().inspected("lis-1").jump(seconds).nothing()
        expires_us = story.now_us + (signer_s + valid_s) * SECOND
        for person in ("analyst-1", "analyst-2"):
            judged = {"lis-1": story.state.inspection[0]}
            story.send(Judged("CLEAN", judged, person, story.state.indicator_set, expires_us, "blob")).nothing()
        assert {one.expires_us for one in story.state.verdicts[0]} == {story.now_us + valid_s * SECOND}
        story.later(valid_s).clock_confirmed().nothing()
        assert verdicts_missing(story.state, 0, story.now_us) == 2


def test_a_verdict_meant_to_hold_longer_than_the_plan_allows_is_refused_by_either_clock(tell: Tell) -> None:
    for seconds in JUMPS:
        story = tell().begun().inspected("lis-1").jump(seconds).nothing()
        plan_s = story.state.estate.timing.verdict_valid_s
        for valid_s in (plan_s + max(0, seconds) + 61, min(0, seconds)):
            story.refuses("verdict.expiry", partial(story.verdicts, "lis-1", "analyst-1", valid_s=valid_s))


def test_an_exception_signed_by_a_clock_that_jumped_ends_when_it_was_meant_to(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").jump(3 * DAY).nothing()
    until_us = story.now_us + (3 * DAY + 600) * SECOND
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).nothing()
    assert story.state.exceptions == {0: story.now_us + 600 * SECOND}
    long_us = until_us + 12 * 3600 * SECOND
    too_long = partial(story.order, "host.exception", "lis-1", "operator-1", until_us=long_us)
    story.refuses("exception.length", too_long)


def test_claims_exceptions_and_the_pace_of_releases_move_with_the_clock(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever().order("claim", "lis-1", "analyst-1").nothing()
    story.jump(-3 * DAY).nothing().clock_confirmed().nothing()
    (until_us,) = claims_open(story.state, 0, story.now_us).values()
    assert until_us == story.now_us + story.state.estate.timing.claim_s * SECOND


def test_an_isolation_and_a_sweep_keep_their_order_and_a_sweep_from_before_the_epoch_proves_nothing(
    tell: Tell,
) -> None:
    story = tell().opened()
    begun_us = story.now_us
    story.later(1).finish("north/isolate/1").whatever().jump(-3 * DAY).nothing().clock_confirmed().nothing()
    with pytest.raises(IllegalEvent, match="its sweep begins later than now"):
        story.send_sweep("north", begun_us)
    story.sweep().whatever()
    assert story.state.connection[0] == state_module.QUARANTINED


def test_an_epoch_nobody_confirmed_or_of_another_length_is_refused(tell: Tell) -> None:
    story = tell().begun().jump(3600).nothing()
    with pytest.raises(IllegalEvent, match="Nobody confirmed"):
        story.send(Epoch(3600 * SECOND))
    story.order("clock.confirm", "clock", "operator-1").nothing()
    with pytest.raises(IllegalEvent, match="Nobody confirmed"):
        story.send(Epoch(3601 * SECOND))
    story.send(Epoch(3600 * SECOND)).nothing()
    with pytest.raises(IllegalEvent, match="Nobody confirmed"):
        story.send(Epoch(0))


def test_a_jump_after_the_confirmation_was_confirmed_by_nobody(tell: Tell) -> None:
    story = tell().begun().jump(3600).nothing()
    saw = story.state.seq
    story.order("clock.confirm", "clock", "operator-1").nothing().jump(3600).nothing()
    with pytest.raises(IllegalEvent, match="Nobody confirmed"):
        story.send(Epoch(7200 * SECOND))
    story.refuses("orders.head", partial(story.order, "clock.confirm", "clock", "operator-1", head=saw))
    story.clock_confirmed().nothing()


def test_a_clock_that_did_not_jump_or_lost_its_battery_is_not_confirmed(tell: Tell) -> None:
    story = tell().begun()
    story.refuses("clock.doubt", partial(story.order, "clock.confirm", "clock", "operator-1"))
    story.jump(60 - START_US // SECOND).nothing()
    story.refuses("clock.doubt", partial(story.order, "clock.confirm", "the clock", "operator-1"))
    story.refuses("clock.wrong", partial(story.order, "clock.confirm", "clock", "operator-1"))


def test_workstations_keep_their_pace_and_recalls_their_quarter_of_an_hour_over_an_epoch() -> None:
    state = State(Incident(1).estate)
    state.recent[0].append(START_US)
    state.recalls.append(START_US)
    passed(state, Epoch(-5 * SECOND), START_US - 5 * SECOND)
    assert list(state.recent[0]) == list(state.recalls) == [START_US - 5 * SECOND]
    assert state.recent[0].maxlen == state.estate.timing.workstations_per_minute
    assert state.recalls.maxlen == state_module.RECALLS_MAX
