"""Measures how near the lower bound is to the best schedule there is: OR-Tools CP-SAT on small random hospitals.

The rival is the solver, which proves the best time; `ratio` is that time over the bound (1.0 is the very best). Needs
the optional extra `schedule`. Prints one JSON line and asserts nothing but that no bound is ever beaten.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import statistics
import time

from orchestrator.errors import ContentError
from orchestrator.plans.bound import solve
from orchestrator.plans.bound_problem import Given, build
from orchestrator.plans.waves import derive
from tests.exact_schedules import by_solver
from tests.random_hospitals import hospital, with_shifts

KINDS = {"gates": (True, False), "free": (False, False), "shifts": (True, True)}


def ratios(estates: int, gates: bool, shifts: bool, seconds: float) -> tuple[list[float], float, float]:
    """The ratio for each function of so many estates of 8 to 15 hosts, and the CPU seconds of bound and solver."""
    found, ours_s, rival_s, seed = [], 0.0, 0.0, 0
    while estates:
        seed += 1
        chance = random.Random(seed)
        content = hospital(chance, chance.randint(8, 15))
        content = with_shifts(content, chance) if shifts else content
        try:
            plan = derive(content)
        except ContentError:
            continue
        estates -= 1
        begun_s = time.process_time()
        problem = build(content, plan, Given(gates=gates, start_s=19 * 3600 - seed % 60 if shifts else None))
        bounds = solve(problem)
        ours_s += time.process_time() - begun_s
        for number, milestone in enumerate(problem.milestones):
            if milestone.name.startswith("function "):
                begun_s = time.process_time()
                best_s, _ = by_solver(problem, number, seconds)
                rival_s += time.process_time() - begun_s
                if bounds[number].bound_s > best_s:
                    raise SystemExit(f"Seed {seed}: {milestone.name} is back after {best_s} s, before its bound.")
                found.append(best_s / max(1, bounds[number].bound_s))
    return found, ours_s, rival_s


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--estates", type=int, default=50)
    options.add_argument("--seconds", type=float, default=10, help="the solver's limit for one function")
    given = options.parse_args()
    if importlib.util.find_spec("ortools") is None:
        raise SystemExit("OR-Tools is missing: pip install 'relance[schedule]'.")
    figures: dict[str, object] = {"bench": "bounds", "estates": given.estates}
    for kind, (gates, shifts) in KINDS.items():
        found, ours_s, rival_s = ratios(given.estates, gates, shifts, given.seconds)
        figures[kind] = {
            "functions": len(found),
            "median_ratio": round(statistics.median(found), 3),
            "worst_ratio": round(max(found), 3),
            "exact": sum(ratio == 1 for ratio in found),
            "cpu_s": round(ours_s, 2),
            "rival_cpu_s": round(rival_s, 2),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
