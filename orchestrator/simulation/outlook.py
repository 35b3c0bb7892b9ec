"""What is believed of durations and odds before one future is played: the plan's figures, moved by what was measured.

Never a point: each future draws its own medians, so that not knowing them widens the band as it should.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt

from orchestrator.decision.estate import Estate
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.plans.model import HostClass
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import WORK, Durations, planned_s
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.measures import INFECTED, SECOND, SUSPECT, Measures

# Before anything is measured: medians are known within a factor of about two, alike for all classes or class by class.
SHARED_SIGMA, CLASS_SIGMA, SPREAD, SPREAD_WEIGHT, WITHIN_WEIGHT = 0.2, 0.4, 0.45, 8.0, 2.0
FAILING, SUSPECTED, FOUND_INFECTED, ODDS_WEIGHT = 0.03, 0.04, 0.01, 40.0
# What no measure foretells: an inventory that grows, tired people, work that slows down from day to day.
# Set for a quarter of the way in (bench/calibration.py), where hardly a host is in service; it goes as they come.
UNFORESEEN, UNFORESEEN_SIGMA, DRIFT_A_DAY = 0.2, 0.25, 0.1
LEFT_THEN = 0.95
SHARED, OWN, MORE, SLOWER = 200, 201, 202, 203


@dataclass(frozen=True, slots=True)
class Belief:
    """The logarithm of a median (of seconds): its mean and standard deviation, and how many were measured."""

    mean: float
    sigma: float
    measured: int


class Outlook:
    """Beliefs about one estate of whose hosts so large a share is `left` to come. `drawn` gives the durations of one
    future, `waits` how long polls take.

    Within a future all batches of a class are alike: how far one batch lies from the next is drawn with the median.
    """

    def __init__(self, estate: Estate, measures: Measures, left: float = 1.0) -> None:
        self.beliefs: dict[tuple[str, str], Belief] = {}
        self._unforeseen = min(1.0, left / LEFT_THEN)
        self._overall = {work: _spread(measures, work) for work in WORK}
        self.sigmas = {work: min(self._overall[work], _spread_within(measures, work)) for work in WORK}
        self._serving = measures.serving
        classes = {group.klass.id: group.klass for group in estate.groups}
        shift, shift_sigma = self._shared(measures, classes)
        for name, klass in classes.items():
            for work in WORK:
                self.beliefs[name, work] = self._joined(measures, name, work, log(planned_s(klass, work)) + shift)
        self._shared_sigma = shift_sigma
        self.faults = Faults(
            fails=measures.failing(FAILING, ODDS_WEIGHT),
            suspect=measures.share(SUSPECT, SUSPECTED, ODDS_WEIGHT),
            infected=measures.share(INFECTED, FOUND_INFECTED, ODDS_WEIGHT),
        )

    def _shared(self, measures: Measures, classes: dict[str, HostClass]) -> tuple[float, float]:
        """How far what was measured lies off the plan on the whole, and how well that is known."""
        precision, moved = 1 / SHARED_SIGMA**2, 0.0
        for (name, work), tally in measures.work.items():
            if name in classes and tally.count:
                off = tally.total / tally.count - log(planned_s(classes[name], work))
                weight = 1 / (CLASS_SIGMA**2 + self._overall[work] ** 2 / tally.count)
                precision, moved = precision + weight, moved + weight * off
        return moved / precision, 1 / sqrt(precision)

    def _joined(self, measures: Measures, name: str, work: str, prior: float) -> Belief:
        """Normal prior, normal measurements of a logarithm (conjugate: Gelman et al., Bayesian Data Analysis, 2.5)."""
        tally = measures.work.get((name, work))
        if tally is None or not tally.count:
            return Belief(prior, CLASS_SIGMA, 0)
        before, seen = 1 / CLASS_SIGMA**2, tally.count / self._overall[work] ** 2
        mean = (prior * before + tally.total / tally.count * seen) / (before + seen)
        between = self._overall[work] ** 2 - self.sigmas[work] ** 2
        return Belief(mean, sqrt(1 / (before + seen) + between), tally.count)

    def median_s(self, klass: str, work: str) -> float:
        """The believed median of one work on hosts of one class."""
        return exp(self.beliefs[klass, work].mean)

    def drawn(self, chance: Chance, now_us: int) -> Durations:
        """The medians of one future that begins now. Classes share part of what is not known."""
        shared = chance.normal(SHARED)
        more = self._unforeseen * (UNFORESEEN + UNFORESEEN_SIGMA * chance.normal(MORE))
        medians = {}
        for number, (key, belief) in enumerate(sorted(self.beliefs.items())):
            loose = self._shared_sigma * shared if belief.measured < SPREAD_WEIGHT else 0.0
            medians[key] = exp(belief.mean + belief.sigma * chance.normal(OWN, number) + loose + more)
        drift = self._unforeseen * DRIFT_A_DAY * chance.share(SLOWER)
        return Durations(medians, self.sigmas, drift=drift, begun_us=now_us)

    def waits(self, planned: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """How long polls take, as `delays` plans them, moved by what hosts took from their release into service.

        Probers ask all the time: a period is seldom whole when a host is released, and a service has answered since its
        hosts do. (A quarter stays, for what fails is asked again after it.)
        """
        moved = self._slower_into_service(planned)
        hosts = {subject: int(first_us * moved) for subject, (first_us, _) in planned.items() if _is_class(subject)}
        over_us = min(hosts.values(), default=0)
        first = {subject: max(one // 4, int(one * moved) - over_us) for subject, (one, _) in planned.items()}
        return {subject: ((first | hosts)[subject], more_us) for subject, (_, more_us) in planned.items()}

    def _slower_into_service(self, planned: Mapping[str, tuple[int, int]]) -> float:
        """How many times longer than planned hosts took, joined with the expectation of once."""
        count, off = SPREAD_WEIGHT, 0.0
        for name, tally in self._serving.items():
            first_us = planned.get(f"class:{name}", (0, 0))[0]
            if first_us:
                count, off = count + tally.count, off + tally.total - tally.count * log(first_us / SECOND)
        return exp(off / count)


def _is_class(subject: str) -> bool:
    return subject.startswith("class:")


def left_to_come(state: State) -> float:
    """The share of the hosts that stand in a wave which is not yet in service."""
    stages = [stage for stage, wave in zip(state.stage, state.wave_of, strict=True) if wave >= 0]
    return sum(stage is not Stage.IN_SERVICE for stage in stages) / max(1, len(stages))


def _spread(measures: Measures, work: str) -> float:
    """The spread of the logarithm within classes, pooled over them and with what was expected before."""
    weight, squares = SPREAD_WEIGHT, SPREAD_WEIGHT * SPREAD**2
    for (_, one), tally in measures.work.items():
        if one == work and tally.count > 1:
            squares += tally.squares - tally.total**2 / tally.count
            weight += tally.count - 1
    return sqrt(squares / weight)


def _spread_within(measures: Measures, work: str) -> float:
    """The same within batches: what was run together ends at nearly the same time. Without batches it is the same."""
    tallies = [tally for (_, one), tally in measures.work.items() if one == work]
    if all(len(tally.batches) < 2 for tally in tallies):
        return _spread(measures, work)
    squares = WITHIN_WEIGHT * SPREAD**2 + sum(tally.within for tally in tallies)
    return sqrt(squares / (WITHIN_WEIGHT + sum(tally.count - len(tally.batches) for tally in tallies)))
