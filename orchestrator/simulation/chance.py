"""Draws every chance of an invented world from one seed and from what the draw is about.

Never keeps a stream: the same question gets the same answer whatever was asked before. So a story stays the same when
a trouble is taken out of it, and two plans are compared on the same luck (common random numbers).
"""

from __future__ import annotations

from bisect import bisect
from statistics import NormalDist

_GRAIN = 1 << 32
_NORMAL = tuple(NormalDist().inv_cdf((number + 0.5) / 8192) for number in range(8192))
_ODD = 0x9E3779B97F4A7C15


class Chance:
    """The luck of one seed. Keys are integers only: what Python makes of their hash is the same in every process."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def share(self, *key: int) -> float:
        """A number in [0, 1) for this question."""
        return (hash((self.seed, *key)) * _ODD >> 16 & _GRAIN - 1) / _GRAIN

    def normal(self, *key: int) -> float:
        """A standard normal number, in 8,192 steps."""
        return _NORMAL[hash((self.seed, *key)) * _ODD >> 20 & 8191]

    def pick(self, weights: tuple[float, ...], *key: int) -> int:
        """The place of what is drawn, by cumulated weights that end at or below 1; their number where none is."""
        return bisect(weights, self.share(*key))
