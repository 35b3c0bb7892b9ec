"""No schedule beats a bound: not the best over every order, not the one OR-Tools proves best, not the core's own."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from orchestrator.errors import ContentError
from orchestrator.plans.bound import Problem, solve
from orchestrator.plans.bound_problem import Given, build, function_bounds
from orchestrator.plans.model import Content, Plan
from orchestrator.plans.waves import derive
from tests.exact_schedules import TooManyOrders, by_every_order, by_solver
from tests.random_hospitals import hospital, with_shifts
from tests.timed_hospital import TimedHospital


def planned(chance: random.Random, fewest: int, most: int) -> tuple[Content, Plan]:
    """The next random hospital that has a plan."""
    while True:
        content = hospital(chance, chance.randint(fewest, most))
        try:
            return content, derive(content)
        except ContentError:
            continue


def functions(problem: Problem) -> list[int]:
    """The milestones that bring a function back."""
    return [number for number, one in enumerate(problem.milestones) if one.name.startswith("function ")]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), gates=st.booleans(), shifts=st.booleans())
def test_no_order_of_work_has_a_tiny_hospital_back_before_its_bound(seed: int, gates: bool, shifts: bool) -> None:
    chance = random.Random(seed)
    content, plan = planned(chance, 3, 4)
    start_s = 19 * 3600 - chance.randint(0, 60) if shifts else None
    problem = build(with_shifts(content, chance) if shifts else content, plan, Given(gates=gates, start_s=start_s))
    bounds = solve(problem)
    for function in functions(problem):
        try:
            best_s = by_every_order(problem, function)
        except TooManyOrders:
            reject()  # another hospital is drawn in its place
        assert bounds[function].bound_s <= best_s


@pytest.mark.parametrize("gates", [True, False])
def test_most_bounds_of_tiny_hospitals_are_the_very_best_time(gates: bool) -> None:
    chance = random.Random(7)
    ratios = []
    for content, plan in (planned(chance, 3, 4) for _ in range(5)):
        problem = build(content, plan, Given(gates=gates))
        bounds = solve(problem)
        ratios += [by_every_order(problem, one) / max(1, bounds[one].bound_s) for one in functions(problem)]
    assert sorted(ratios)[len(ratios) // 2] == 1
    assert max(ratios) < 1.3


@pytest.mark.parametrize("shifts", [False, True])
@pytest.mark.parametrize("gates", [True, False])
def test_no_schedule_a_solver_finds_beats_the_bound_of_a_small_hospital(gates: bool, shifts: bool) -> None:
    pytest.importorskip(
        "ortools", reason="OR-Tools is not installed (optional extra `schedule`); the proof by every order always runs"
    )
    chance = random.Random(11)
    ratios = []
    for content, plan in (planned(chance, 8, 15) for _ in range(4)):
        start_s = 19 * 3600 - chance.randint(0, 60) if shifts else None
        problem = build(with_shifts(content, chance) if shifts else content, plan, Given(gates=gates, start_s=start_s))
        bounds = solve(problem)
        for function in functions(problem):
            best_s, _ = by_solver(problem, function, seconds=2)
            assert bounds[function].bound_s <= best_s
            ratios.append(best_s / max(1, bounds[function].bound_s))
    assert sorted(ratios)[len(ratios) // 2] < 1.2


def test_the_core_itself_never_has_a_function_back_before_its_bound() -> None:
    chance = random.Random(3)
    seen = 0
    for content, plan in (planned(chance, 4, 15) for _ in range(30)):
        back_s = TimedHospital(content, plan, chance).run(limit_s=1000)
        for given_ in (Given(), Given(gates=False)):
            bounds = function_bounds(content, plan, given_)
            assert all(bounds[function].bound_s <= second for function, second in back_s.items())
        seen += len(back_s)
    assert seen > 25
