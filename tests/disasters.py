"""Plays the disasters of many seeds, as `relance simulate` does, and says what was found in a line each.

Never judges: `scenario` does.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.scenario import played, setting_of

REFERENCE = Path(__file__).parents[1]


@cache
def _known() -> Content:
    return usable(REFERENCE)


@contextmanager
def unwatched() -> Iterator[None]:
    """Nobody counts the lines that run: that doubles the time, and other tests reach them all.

    Nor is garbage collected meanwhile, which takes a tenth of the time.
    """
    tracing = sys.gettrace()
    sys.settrace(None)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.settrace(tracing)


def found(seeds: Iterable[int], faults: Faults) -> list[str]:
    """What each seed that ended badly has found; `relance simulate --seeds N --story` tells it."""
    lines = []
    for seed in seeds:
        with unwatched():
            outcome = played(setting_of(seed, faults, None, _known()))
        if outcome.violation:
            lines.append(f"seed {seed}: {outcome.violation}")
        elif outcome.not_live:
            lines.append(f"seed {seed}: never in service: {outcome.not_live}")
    return lines
