"""Proves that the simulator can see: makes one mistake after another in the core and plays seeds until each is caught.

`python -m tests.seeing [--seeds N] [WORDS...]` takes the mistakes whose names hold the words, or all. One
line each on stderr, then one JSON line; exit 1 if any is missed. Never changes a file: mistakes live in the process
that makes them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.simulation.faults import ALL
from orchestrator.simulation.scenario import Outcome, Setting, played, setting_of
from tests.deliberate_faults import MISTAKES, made

SEEDS_MAX = 500
REFERENCE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Seen:
    """How a mistake was caught: by which seed and promise, with what sentence; seed -1: it was not."""

    mistake: str
    seed: int
    invariant: str
    sentence: str
    cpu_s: float


class Settings:
    """The disasters of the seeds, invented once, before anything is wrong with the core."""

    def __init__(self, known: Content, seeds: int) -> None:
        self._known = known
        self._seeds = seeds
        self._made: list[Setting] = []

    def __iter__(self) -> Iterator[Setting]:
        for seed in range(self._seeds):
            if seed == len(self._made):
                self._made.append(setting_of(seed, ALL, None, self._known))
            yield self._made[seed]


def sought(name: str, settings: Settings) -> Seen:
    """Plays seeds with the mistake until one ends badly."""
    began_s = time.process_time()
    for setting in settings:
        with made(MISTAKES[name]):
            outcome = played(setting)
        if (outcome.violation or outcome.not_live) and _is_clean(setting):
            invariant, sentence = said(outcome)
            return Seen(name, setting.seed, invariant, sentence, round(time.process_time() - began_s, 1))
    return Seen(name, -1, "", "", round(time.process_time() - began_s, 1))


def _is_clean(setting: Setting) -> bool:
    """Whether the disaster ends well without the mistake: else it proves nothing."""
    outcome = played(setting)
    return not outcome.violation and not outcome.not_live


def said(outcome: Outcome) -> tuple[str, str]:
    """The promise that was broken, and the first sentence about it."""
    if outcome.violation:
        return outcome.violation.invariant, outcome.violation.sentence
    return "liveness", outcome.not_live[0]


def main(words: list[str]) -> int:
    """Seeks the mistakes of these names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX)
    options = parser.parse_args(words)
    names = [one for one in MISTAKES if not options.words or any(word in one for word in options.words)]
    settings = Settings(usable(REFERENCE), options.seeds)
    found = []
    for name in names:
        seen = sought(name, settings)
        found.append(seen)
        how = f"seed {seen.seed}, {seen.invariant}: {seen.sentence}" if seen.seed >= 0 else "MISSED"
        print(f"{name}: {how} ({seen.cpu_s} s)", file=sys.stderr, flush=True)
    missed = [one.mistake for one in found if one.seed < 0]
    print(json.dumps({"mistakes": len(found), "missed": missed, "caught": [asdict(one) for one in found]}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
