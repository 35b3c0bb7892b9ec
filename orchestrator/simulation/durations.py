"""How long work takes in an invented world: lognormal per class and step, with the plan's figure as the median.

Never measures anything: `forecast` gives other medians and spreads, from what a journal has measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log
from statistics import NormalDist

from orchestrator.decision.estate import Estate
from orchestrator.plans.model import HostClass

SECOND = 1_000_000
DAY_US = 86_400 * SECOND
_NORMAL = NormalDist()
WORK = ("preserve", "restore", "inspect", "reconnect", "isolate", "verdict")
WORK_NUMBER = {work: number for number, work in enumerate(WORK)}


@dataclass(frozen=True, slots=True)
class Durations:
    """Medians by (class, work) in seconds where they differ from the plan's, and the spread of the logarithm by work.

    `work` is a step or `verdict` (what one analyst needs for one). Tasks are spread like verdicts. `heavy` makes both
    tails heavier than lognormal (0: not), `drift` is by how much all work slows down a day from `begun_us` on.
    """

    medians_s: Mapping[tuple[str, str], float] = field(default_factory=dict)
    sigmas: Mapping[str, float] = field(default_factory=dict)
    sigma: float = 0.3
    heavy: float = 0.0
    drift: float = 0.0
    begun_us: int = 0

    def tables(self, estate: Estate) -> list[tuple[tuple[float, float], ...]]:
        """For each group of hosts and each work: median in microseconds, and sigma."""
        return [
            tuple(
                (self.median_s(group.klass.id, work, planned_s(group.klass, work)) * SECOND, self.spread(work))
                for work in WORK
            )
            for group in estate.groups
        ]

    def median_s(self, klass: str, work: str, planned: float) -> float:
        """The median of one work on hosts of one class, where the plan says `planned`."""
        return self.medians_s.get((klass, work), planned)

    def drawn_us(self, of: tuple[float, float], normal: float, now_us: int) -> int:
        """The duration of one piece of work of this median (microseconds) and sigma that begins now."""
        if self.heavy:
            normal *= 1 + self.heavy * normal * normal
        slower = 1 + self.drift * (now_us - self.begun_us) / DAY_US if self.drift else 1.0
        return drawn_us(of[0] * slower, of[1], normal)

    def spread(self, work: str) -> float:
        """The standard deviation of the logarithm."""
        return self.sigmas.get(work, self.sigma)


def planned_s(klass: HostClass, work: str) -> float:
    """What the plan says that one work on hosts of a class takes."""
    return float(klass.reading_s if work == "verdict" else getattr(klass.duration_s, work))


def drawn_us(median_us: float, sigma: float, normal: float) -> int:
    """A lognormal duration."""
    return int(median_us * exp(sigma * normal)) + 1


def remaining_us(of: tuple[float, float], elapsed_us: int, luck: float) -> int:
    """What is left of a lognormal duration of this median (microseconds) and sigma that has lasted so long already.

    `luck` in [0, 1) picks from the rest of the distribution, conditioned on having come this far.
    """
    median_us, sigma = of
    if not sigma:
        return max(1, int(median_us) - elapsed_us)
    gone = _NORMAL.cdf(log(elapsed_us / median_us) / sigma) if elapsed_us > 0 else 0.0
    place = min(gone + (1 - gone) * luck, 1 - 1e-9)
    return max(1, drawn_us(median_us, sigma, _NORMAL.inv_cdf(max(place, 1e-9))) - elapsed_us)
