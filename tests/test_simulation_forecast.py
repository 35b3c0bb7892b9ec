"""Futures of one present: all of them end, all of them leave it as it is, and luck is shared between questions."""

from __future__ import annotations

import gc
import pickle

import pytest

from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened, Ordered
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.plans.waves import derive
from orchestrator.simulation.durations import Durations
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.forecast import (
    WHOLE_EVERY,
    Forecaster,
    Present,
    _frozen,
    _leave_out,
    _thawed,
    _uncollected,
    back_us,
    copied,
    futures,
    rehearsed,
    waves_of,
)
from orchestrator.simulation.measures import Measures
from orchestrator.simulation.people import Wish, signers
from orchestrator.simulation.percentiles import percentile, times_s
from tests.estates import (
    FUNCTIONS,
    function,
    server,
    small_estate,
    with_functions,
    with_hosts,
    with_tier0_tasks,
    workstation,
)
from tests.forecast_ground import HOUR_S, PLANNED, SECOND, START_US, all_passed, lived, lived_s, present

SCATTERED = Durations(sigma=0.4)
SOME = Faults(fails=0.05, lost=0.02, suspect=0.05, infected=0.02, false_claim=0.1)


def waited_for(world: Present, runs: int = 6) -> list[dict[str, int]]:
    """For each future of a present, seconds until each function, and `everything` where it was played to its end."""
    found = []
    for future in futures(Forecaster(world), runs, lambda _: None):
        told = {name: times_s(world, [future], name)[0] for name in future.functions}
        found.append(told | ({"everything": future.everything_us} if future.whole else {}))
        assert all("" in sites for sites in future.functions.values()), "a function never comes back in a future"
        assert not future.whole or future.everything_us >= world.now_us, "not everything comes back in a future"
    return found


def test_a_forecast_from_the_plan_brings_everything_back_in_every_future() -> None:
    found = waited_for(present())
    assert all(0 < one["laboratory"] <= one["radiology"] <= one["medical-records"] for one in found)


def test_before_the_roster_is_signed_people_sign_it_first() -> None:
    opened = present().state
    decide(opened, Opened(1, "test", "test", opened.estate.content.digest), START_US)
    assert waited_for(Present(opened, Measures(), START_US)) == waited_for(present())


@pytest.mark.parametrize("part", range(1, 10))
def test_from_the_middle_of_a_restart_every_future_ends(part: int) -> None:
    content = with_tier0_tasks(small_estate())
    end_s = lived(all_passed, content, SCATTERED, faults=SOME).spent_s
    waited_for(lived_s(end_s * part // 10, content, SCATTERED, faults=SOME).present)


@pytest.mark.parametrize("seed", range(3))
def test_invented_hospitals_are_forecast_from_their_middle_too(seed: int) -> None:
    content = invented(seed, 50)
    end_s = lived(all_passed, content, SCATTERED, faults=SOME).spent_s
    waited_for(lived_s(end_s // 3, content, SCATTERED, faults=SOME).present)


def test_a_hospital_that_is_back_is_forecast_to_be_back() -> None:
    world = lived(lambda world: all_passed(world) and set(world.state.stage) == {Stage.IN_SERVICE}).present
    assert [one["laboratory"] for one in waited_for(world)] == [0] * 6
    assert Forecaster(world).future(1).everything_us == world.now_us


def test_a_forecast_leaves_the_live_state_as_it_is() -> None:
    world = lived_s(9 * HOUR_S, durations=SCATTERED).present
    before, estate = world.state.digest(), world.state.estate
    forecaster = Forecaster(world)
    forecaster.future(1)
    forecaster.future(2)
    forecaster.rehearsal()
    assert world.state.digest() == before
    assert world.state.estate is estate


def test_the_same_question_twice_gives_the_same_answer_in_whatever_order() -> None:
    world = lived_s(9 * HOUR_S, durations=SCATTERED).present
    first = [Forecaster(world).future(number) for number in (1, 2, 3)]
    forecaster = Forecaster(world)
    assert [forecaster.future(number) for number in (3, 2, 1)] == first[::-1]
    assert first[0].functions != first[1].functions


def test_every_tenth_future_is_played_to_the_last_host() -> None:
    world = present()
    told: list[int] = []
    played = list(futures(Forecaster(world), WHOLE_EVERY + 1, told.append))
    assert told == list(range(1, WHOLE_EVERY + 2))
    assert [future.whole for future in played] == [True, *[False] * (WHOLE_EVERY - 1), True]
    hosts = sum(wave >= 0 for wave in world.state.wave_of)
    assert len(played[0].hosts_us) == hosts
    assert played[0].everything_us >= played[0].hosts_us[-1] >= played[0].functions["laboratory"][""]
    assert played[1].hosts_us == []


@pytest.mark.parametrize("seed", [3, 5])
def test_hosts_that_no_function_waits_for_move_no_function_by_two_percent(seed: int) -> None:
    content = invented(seed, 80)
    forecaster = Forecaster(Present(State(Estate(content, derive(content))), Measures(), START_US))
    without = [forecaster.future(number) for number in range(2, 32) if number % WHOLE_EVERY != 1]
    assert forecaster._without != forecaster._frozen
    forecaster._without = forecaster._frozen
    with_all = [forecaster.future(number) for number in range(2, 32) if number % WHOLE_EVERY != 1]
    for name in with_all[0].functions:
        ratios = [
            (one.functions[name][""] - START_US) / (other.functions[name][""] - START_US)
            for one, other in zip(without, with_all, strict=True)
        ]
        assert sum(ratios) / len(ratios) == pytest.approx(1, abs=0.02)


def test_what_a_function_waits_for_what_serves_and_what_has_begun_is_never_left_out() -> None:
    content = invented(3, 80)
    state = State(Estate(content, derive(content)))
    estate = state.estate
    waves = {one.id: waves_of(estate, one) for one in content.inventory.functions}
    aside = copied(state)
    _leave_out(aside, waves)
    out = [host for host, stage in enumerate(aside.stage) if stage is Stage.EXCLUDED]
    assert len(out) > 5
    assert not any(estate.services_of[host] for host in out)
    behind = frozenset().union(*waves.values())
    assert not any(state.wave_of[host] in behind for host in out)
    begun, leaving, cut_off = out[:3]
    state.stage[begun] = Stage.PRESERVING
    state.leaving.add(leaving)
    state.lanes[1][cut_off] = "action"
    _leave_out(state, waves)
    assert [state.stage[host] for host in out[:3]] == [Stage.PRESERVING, Stage.BLOCKED, Stage.BLOCKED]


def test_the_band_of_a_restart_that_goes_as_planned_holds_the_rehearsal() -> None:
    world = present()
    forecaster = Forecaster(world)
    played = list(futures(forecaster, 60, lambda _: None))
    rehearsal = forecaster.rehearsal()
    for name in FUNCTIONS:
        times = times_s(world, played, name)
        assert percentile(times, 10) <= rehearsal.functions_s[name] <= percentile(times, 90)


def test_what_the_rehearsal_says_is_what_happens_where_all_goes_as_planned() -> None:
    content = small_estate()
    said = Forecaster(present(content)).rehearsal().functions_s
    world = lived(all_passed, content, PLANNED)
    for one in content.inventory.functions:
        came_us = back_us(world.state, one.id, waves_of(world.state.estate, one))[""]
        assert abs(said[one.id] - (came_us - START_US) // SECOND) <= 2, one.id


def test_the_nearer_the_end_the_narrower_the_band() -> None:
    def band(world: Present) -> int:
        times = times_s(world, list(futures(Forecaster(world), 30, lambda _: None)), "medical-records")
        return percentile(times, 90) - percentile(times, 10)

    end_s = lived(all_passed).spent_s
    assert band(lived_s(end_s * 9 // 10).present) < band(present())


def test_a_plan_is_rehearsed_from_a_time_of_the_day_with_the_first_days_restores_by_site() -> None:
    content = small_estate()
    plan = derive(content)
    morning = rehearsed(content, plan, 7 * HOUR_S)
    assert list(morning.functions_s) == list(FUNCTIONS)
    assert morning.first_day.keys() == {"north", "south"}
    assert "lis-1" in morning.first_day["north"]
    assert sorted(one for hosts in morning.first_day.values() for one in hosts) == sorted(
        host.id for host in content.inventory.hosts
    )


def test_what_is_restored_on_the_second_day_is_no_first_days_work() -> None:
    slow = [
        klass.model_copy(update={"duration_s": klass.duration_s.model_copy(update={"restore": 30 * HOUR_S})})
        for klass in small_estate().classes
    ]
    content = small_estate().model_copy(update={"classes": tuple(slow)})
    first_day = rehearsed(content, derive(content), 7 * HOUR_S).first_day
    assert "ad-1" in first_day["north"]
    assert "lis-1" not in first_day["north"]


def test_content_that_changes_in_mid_restart_is_forecast_as_it_is_now() -> None:
    plain = small_estate()
    grown = with_hosts(plain, workstation("lab-ws-9", "south", "laboratory"), server("pacs-9", "south", "pacs"))
    grown = grown.model_copy(update={"digest": "1" * 64})
    world = lived_s(4 * HOUR_S)
    world.state.contents[grown.digest] = grown
    wish = Wish("content.change", "content", {"digest": grown.digest, "blocked": []})
    for person in signers(world.state, wish, list(world.state.roster)):
        until_us = world.now_us + HOUR_S * SECOND
        world.tell(Ordered("c" * 32, wish.kind, wish.subject, wish.args, person, until_us, 1 << 40, "b"))
    assert "pacs-9" in world.state.estate.host_number
    waited_for(world.present)
    assert len(Forecaster(world.present).future(1).hosts_us) == len(grown.inventory.hosts)


def test_a_frozen_a_thawed_and_a_copied_state_are_the_same_state() -> None:
    state = lived_s(9 * HOUR_S, durations=SCATTERED).state
    before, estate = state.digest(), state.estate
    thawed, copy = _thawed(_frozen(state), estate), copied(state)
    assert thawed.digest() == copy.digest() == state.digest() == before
    assert state.estate is copy.estate is thawed.estate is estate
    copy.stage[0] = copy.stage[-1]
    copy.roster.clear()
    assert state.digest() == before


def test_a_state_that_cannot_be_frozen_keeps_its_estate() -> None:
    state = lived_s(HOUR_S).state
    estate = state.estate
    state.marker = lambda: None  # type: ignore[assignment]
    with pytest.raises((pickle.PicklingError, AttributeError)):
        _frozen(state)
    assert state.estate is estate


def test_a_function_is_back_once_its_gates_have_passed_and_at_a_site_once_its_posts_work() -> None:
    world = lived_s(HOUR_S)
    radiology = next(one for one in world.state.estate.content.inventory.functions if one.id == "radiology")
    waves = waves_of(world.state.estate, radiology)
    assert back_us(world.state, "radiology", waves) == {}
    done = lived(all_passed).state
    found = back_us(done, "radiology", waves)
    assert found.keys() == {"", "north", "south"}
    assert found[""] == max(done.waves[wave].passed_us for wave in waves)
    assert min(found.values()) == found[""]
    done.stage[done.estate.host_number["rad-ws-2"]] = Stage.RELEASED
    assert back_us(done, "radiology", waves).keys() == {"", "north"}, "the only post of south does not work"


def test_a_function_without_a_wave_of_its_own_is_back_with_the_services_it_uses() -> None:
    content = with_functions(small_estate(), function("archive", "lis"))
    future = Forecaster(present(content)).future(2)
    assert future.functions["archive"][""] == future.functions["laboratory"][""]


@pytest.mark.parametrize("before", [True, False])
def test_nothing_is_collected_within_a_future_and_afterwards_collection_is_as_it_was(before: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with _uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is before
    finally:
        (gc.enable if was else gc.disable)()
