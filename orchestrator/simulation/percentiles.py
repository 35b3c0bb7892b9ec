"""Sums many futures up: percentiles per function, site and activity, on what they rest, and what cannot be beaten.

Never smooths: a percentile is one of the futures. What no future brings back within the horizon counts as the horizon.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from orchestrator.decision.state import State
from orchestrator.inventory.model import Activity, Function
from orchestrator.simulation.forecast import DAY_US, HORIZON_DAYS, MEASURED_MIN, Future, Present, waves_of

SECOND = 1_000_000
HORIZON_S = HORIZON_DAYS * DAY_US // SECOND
PERCENTS = (10, 50, 90)


@dataclass(frozen=True, slots=True)
class Basis:
    """On what a forecast rests: `prior`, `mixed` or `measured`; the least often measured class; classes that lack."""

    word: str
    measured: int
    lacking: tuple[str, ...]


def after_s(present: Present, at_us: int) -> int:
    """Seconds from the as-of time; 0 for what is back already, the horizon for what never was."""
    return max(0, (at_us - present.now_us) // SECOND) if at_us else HORIZON_S


def percentile(values: Sequence[int], percent: int) -> int:
    """The nearest rank, of at least one value."""
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def spread(values: Sequence[int]) -> dict[str, int]:
    """p10, p50 and p90 in seconds."""
    return {f"p{percent}_s": percentile(values, percent) for percent in PERCENTS}


def times_s(present: Present, futures: Iterable[Future], function: str, site: str = "") -> list[int]:
    """When a function was back in each future, seconds; at a site, or all of it."""
    return [after_s(present, future.functions[function].get(site, 0)) for future in futures]


def basis_of(present: Present, function: Function | None = None) -> Basis:
    """Whether each class of host that the function, or without one everything, waits for was restored often enough to
    speak of its duration."""
    classes = _classes(present.state, function)
    many = {name: present.measures.many(name, "restore") for name in classes}
    there = Counter(host.klass for host in present.state.estate.content.inventory.hosts)
    lacking = tuple(sorted(name for name in classes if many[name] < min(MEASURED_MIN, there[name])))
    word = "measured" if not lacking else "mixed" if any(many.values()) else "prior"
    return Basis(word, min(many.values(), default=0), lacking)


def _classes(state: State, function: Function | None) -> set[str]:
    """The classes of the hosts in the waves of the function and before them whose gates have still to pass."""
    estate = state.estate
    own = waves_of(estate, function) if function else frozenset(range(len(estate.waves)))
    waves = own.union(*(state.ancestors[number] for number in own))
    open_waves = {number for number in waves if not state.waves[number].passed_us}
    hosts = estate.content.inventory.hosts
    return {hosts[host].klass for host, wave in enumerate(state.wave_of) if wave in open_waves}


def activity_s(present: Present, futures: Sequence[Future], activity: Activity, site: str) -> list[int]:
    """When all that an activity needs at a site is back there, in each future, seconds."""
    return [
        max(after_s(present, _at_site(future, function, site)) for function in activity.functions) for future in futures
    ]


def _at_site(future: Future, function: str, site: str) -> int:
    """When the function was back at the site; one without posts there, when it was back at all."""
    times = future.functions[function]
    return times.get(site) or times.get("", 0)


def won_s(before: Sequence[int], after: Sequence[int]) -> int:
    """Seconds won (lost: negative), the median over pairs of futures with the same luck."""
    return int(median(one - other for one, other in zip(before, after, strict=True)))


def burn_up(present: Present, futures: Sequence[Future], points: int = 60) -> list[tuple[int, int, int, int]]:
    """Hosts in service over time: seconds, then p10, p50 and p90 of their number."""
    futures = [future for future in futures if future.whole]
    ends = [after_s(present, future.hosts_us[-1]) for future in futures if future.hosts_us]
    last_s = percentile(ends, 90) if ends else 0
    curve = []
    for point in range(points + 1):
        at_s = last_s * point // points
        counts = [bisect_right(future.hosts_us, present.now_us + at_s * SECOND) for future in futures]
        curve.append((at_s, percentile(counts, 10), percentile(counts, 50), percentile(counts, 90)))
    return curve
