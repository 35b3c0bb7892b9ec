"""Folding leaves polls out, and nothing that anybody would notice: gates pass when they would have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.decision.commands import PassGate
from orchestrator.decision.state import State
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.simulation import staff
from orchestrator.simulation.estates import invented
from orchestrator.simulation.folding import delays, folded
from orchestrator.simulation.people import Wish, wishes
from tests.estates import PRACTICE_TIMING, small_estate, with_tier0_tasks
from tests.forecast_ground import SECOND, START_US, Lived, all_passed, begun

ESTATES = {
    "small": small_estate(),
    "no soak": small_estate(timing=PRACTICE_TIMING.model_copy(update={"soak_s": 0})),
    "one pass": small_estate(timing=PRACTICE_TIMING.model_copy(update={"passes": 1, "in_service_passes": 1})),
    "many passes": small_estate(timing=PRACTICE_TIMING.model_copy(update={"passes": 9, "in_service_passes": 5})),
    "tasks": with_tier0_tasks(small_estate()),
    "invented": invented(2, 60),
}


def gates_s(world: Lived) -> dict[str, int]:
    while not all_passed(world):
        assert world.turn()
    return {
        one.name: (wave.passed_us - START_US) // SECOND
        for one, wave in zip(world.state.estate.waves, world.state.waves, strict=True)
    }


def unfolded_and_folded(content: Content) -> tuple[Lived, Lived]:
    plan = derive(content)
    return begun(content), begun(content, estate=folded(content, plan), folded=delays(content, plan))


@pytest.mark.parametrize("content", ESTATES.values(), ids=ESTATES)
def test_the_same_gates_pass_at_the_same_times_within_a_poll(content: Content) -> None:
    plain, short = (gates_s(world) for world in unfolded_and_folded(content))
    poll_s = max(check.interval_s for check in content.checks)
    assert plain.keys() == short.keys()
    assert {name: at_s - short[name] for name, at_s in plain.items() if abs(at_s - short[name]) > poll_s} == {}


def test_gates_pass_in_the_same_order_with_fewer_events_on_the_way() -> None:
    plain, short = unfolded_and_folded(ESTATES["many passes"])
    assert gates_s(plain).keys() == gates_s(short).keys()
    told = [[entry.wave for _, entry in world.records if isinstance(entry, PassGate)] for world in (plain, short)]
    assert told[0] == told[1]
    assert short.steps * 2 < plain.steps


def test_the_first_and_the_last_of_the_polls_a_gate_asks_for_are_left_and_of_a_hosts_the_last() -> None:
    content = small_estate(timing=PRACTICE_TIMING.model_copy(update={"passes": 4, "in_service_passes": 3}))
    found = delays(content, derive(content))
    assert found["service:lis"] == (2 * SECOND, 6 * SECOND)
    assert found["interface:lis-to-ehr"] == (2 * SECOND, 6 * SECOND)
    assert found["class:server"] == (6 * SECOND, 0)


def test_a_service_that_read_pass_long_before_its_wave_was_launched_still_passes_its_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = ESTATES["small"]
    plan = derive(content)
    world = begun(content, estate=folded(content, plan), folded=delays(content, plan))

    def unlaunched(state: State, t0_us: int) -> Iterator[Wish]:
        late = state.readings and world.spent_s < 100_000
        return (wish for wish in wishes(state, t0_us) if not (late and wish.kind == "wave.launch"))

    monkeypatch.setattr(staff, "wishes", unlaunched)
    while not world.state.readings:
        assert world.turn()
    for wave in world.state.waves:
        wave.launchers = type(wave.launchers)()
    found = gates_s(world)
    assert min(found.values()) > 100_000


def test_readings_of_a_folded_estate_never_grow_stale() -> None:
    content = ESTATES["small"]
    estate = folded(content, derive(content))
    assert min(estate.interval_us.values()) > 10 * 365 * 86_400 * SECOND
    assert {wave.gate.passes for wave in estate.plan.waves} == {2}
    assert content.restart.timing.passes == 3, "the estate it was made from is as it was"
