"""What is believed of durations and odds before one future is played: the plan's figures, moved by what was measured.

Never a point: each future draws its own medians, so that not knowing them widens the band as it should.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

from orchestrator.decision.estate import Estate
from orchestrator.plans.model import HostClass
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import WORK, Durations, planned_s
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.measures import INFECTED, SUSPECT, Measures

# Before anything is measured: medians are known within a factor of about two, alike for all classes or class by class.
SHARED_SIGMA, CLASS_SIGMA, SPREAD, SPREAD_WEIGHT = 0.2, 0.4, 0.45, 8.0
FAILING, SUSPECTED, FOUND_INFECTED, ODDS_WEIGHT = 0.03, 0.04, 0.01, 40.0
# What no measure foretells: an inventory that grows, tired people, work that slows down from day to day.
UNFORESEEN, UNFORESEEN_SIGMA, DRIFT_A_DAY = 0.2, 0.25, 0.1
SHARED, OWN, MORE, SLOWER = 200, 201, 202, 203


@dataclass(frozen=True, slots=True)
class Belief:
    """The logarithm of a median (of seconds): its mean and standard deviation, and how many were measured."""

    mean: float
    sigma: float
    measured: int


class Outlook:
    """Beliefs about one estate. `drawn` gives the durations of one future."""

    def __init__(self, estate: Estate, measures: Measures) -> None:
        self.beliefs: dict[tuple[str, str], Belief] = {}
        self.sigmas = {work: _spread(measures, work) for work in WORK}
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
                weight = 1 / (CLASS_SIGMA**2 + self.sigmas[work] ** 2 / tally.count)
                precision, moved = precision + weight, moved + weight * off
        return moved / precision, 1 / sqrt(precision)

    def _joined(self, measures: Measures, name: str, work: str, prior: float) -> Belief:
        """Normal prior, normal measurements of a logarithm (conjugate: Gelman et al., Bayesian Data Analysis, 2.5)."""
        tally = measures.work.get((name, work))
        if tally is None or not tally.count:
            return Belief(prior, CLASS_SIGMA, 0)
        before, seen = 1 / CLASS_SIGMA**2, tally.count / self.sigmas[work] ** 2
        mean = (prior * before + tally.total / tally.count * seen) / (before + seen)
        return Belief(mean, 1 / sqrt(before + seen), tally.count)

    def median_s(self, klass: str, work: str) -> float:
        """The believed median of one work on hosts of one class."""
        return exp(self.beliefs[klass, work].mean)

    def drawn(self, chance: Chance, now_us: int) -> Durations:
        """The medians of one future that begins now. Classes share part of what is not known."""
        shared, more = chance.normal(SHARED), UNFORESEEN + UNFORESEEN_SIGMA * chance.normal(MORE)
        medians = {}
        for number, (key, belief) in enumerate(sorted(self.beliefs.items())):
            loose = self._shared_sigma * shared if belief.measured < SPREAD_WEIGHT else 0.0
            medians[key] = exp(belief.mean + belief.sigma * chance.normal(OWN, number) + loose + more)
        return Durations(medians, self.sigmas, drift=DRIFT_A_DAY * chance.share(SLOWER), begun_us=now_us)


def _spread(measures: Measures, work: str) -> float:
    """The spread of the logarithm within classes, pooled over them and with what was expected before."""
    weight, squares = SPREAD_WEIGHT, SPREAD_WEIGHT * SPREAD**2
    for (_, one), tally in measures.work.items():
        if one == work and tally.count > 1:
            squares += tally.squares - tally.total**2 / tally.count
            weight += tally.count - 1
    return sqrt(squares / weight)
