"""Measures the decision core: steps a second on an estate of 1,700 hosts, with the incremental invariants on.

A step is one `decide` with the `apply` of all it appends. The faultless restart is played once to record its events;
only deciding on them again is timed, so that inventing the world costs nothing. The rival does no more than look up
each host's next stage in a flat list. Prints one JSON line and asserts nothing; `--profile` shows where time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
import sys
import time
from pathlib import Path

from orchestrator.decision.codec import kind_of
from orchestrator.decision.commands import Issue
from orchestrator.decision.decide import decide
from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event
from orchestrator.decision.stages import TABLE, Stage, Turn
from orchestrator.decision.state import State
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive

ROOT = Path(__file__).parents[1]
LIFE = (
    *(Turn.PRESERVE_ISSUED, Turn.PRESERVE_OK, Turn.RESTORE_ISSUED, Turn.RESTORE_OK, Turn.INSPECT_ISSUED),
    *(Turn.INSPECT_OK, Turn.RECONNECT_ISSUED, Turn.RECONNECT_OK, Turn.HOST_CHECK_PASSED),
)
Told = list[tuple[Event, int]]


class Recorded(DryRun):
    """A faultless run that keeps what it told the core, and when."""

    told: Told

    def _step(self, event: Event) -> None:
        self.told.append((event, self.now_us))
        super()._step(event)


def record(content: Content) -> tuple[Told, Estate]:
    """The events of one faultless restart, and the estate it is played on."""
    run = Recorded(content, derive(content))
    run.told = []
    stuck = run.run()
    if stuck:
        raise SystemExit(f"The restart does not finish: {stuck[:3]}")
    return run.told, run.state.estate


def play(told: Told, estate: Estate) -> tuple[float, State]:
    """CPU seconds of deciding on all of it from an empty state."""
    state = State(estate)
    gc.collect()
    gc.freeze()  # as the live process does once its estate is loaded
    start = time.process_time()
    for event, at_us in told:
        decide(state, event, at_us)
    spent = time.process_time() - start
    gc.unfreeze()
    return spent, state


def rival(hosts: int, steps: int) -> float:
    """CPU seconds of as many bare look-ups of the next stage."""
    turns = len(Turn)
    flat = [TABLE.get((stage, turn), stage) for stage in Stage for turn in Turn]
    stages = [Stage.BLOCKED] * hosts
    work = [(number % hosts, LIFE[number // hosts % len(LIFE)]) for number in range(steps)]
    start = time.process_time()
    for host, turn in work:
        stages[host] = flat[stages[host] * turns + turn]
    return time.process_time() - start


def measure(content: Content, rounds: int) -> dict[str, object]:
    """The best of a few rounds, ours and the rival's in turn."""
    told, estate = record(content)
    hosts = len(estate.hosts)
    best = rival_best = float("inf")
    for _ in range(rounds):
        spent, state = play(told, estate)
        best, rival_best = min(best, spent), min(rival_best, rival(hosts, len(told)))
    actions = sum(sum(attempts) for attempts in state.attempts)
    return {
        "bench": "core",
        "hosts": hosts,
        "steps": len(told),
        "records": state.seq,
        "actions": actions,
        "steps_per_s": round(len(told) / best),
        "records_per_s": round(state.seq / best),
        "step_us": round(best / len(told) * 1e6, 2),
        "rival_steps_per_s": round(len(told) / rival_best),
        "rival_step_us": round(rival_best / len(told) * 1e6, 3),
    }


def by_kind(content: Content) -> None:
    """Where the time goes: per kind of event on stderr, then the profile."""
    told, estate = record(content)
    spent: dict[str, tuple[int, float]] = {}
    state = State(estate)
    for event, at_us in told:
        start = time.perf_counter()
        entries = decide(state, event, at_us)
        used = time.perf_counter() - start
        kind = f"{kind_of(type(event))}{' +issue' if any(isinstance(one, Issue) for one in entries) else ''}"
        count, total = spent.get(kind, (0, 0.0))
        spent[kind] = count + 1, total + used
    for kind, (count, total) in sorted(spent.items(), key=lambda item: -item[1][1]):
        print(f"{kind:24} {count:7} x {total / count * 1e6:8.1f} us = {total:6.3f} s", file=sys.stderr)
    profile = cProfile.Profile()
    profile.runcall(play, told, estate)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--estate", type=Path, default=ROOT)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--profile", action="store_true")
    given = options.parse_args()
    content = usable(given.estate)
    if given.profile:
        by_kind(content)
    print(json.dumps(measure(content, given.rounds)))


if __name__ == "__main__":
    main()
