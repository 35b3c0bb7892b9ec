"""Decides when a limited resource can at the earliest have done a given lot of work, heads and tails respected.

Never knows what the work is for. The parts may be cut into pieces and spread over the units of the resource in any
way, so every real schedule takes at least as long.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

DAY_S = 86_400


class Part(NamedTuple):
    """`times` times `length_s` seconds of one unit: each not before `head_s`, and `tail_s` must still follow it."""

    head_s: float
    length_s: float
    tail_s: float
    times: int

    def followed_by(self, more_s: float) -> Part:
        """The same part with so much more after it."""
        return Part(self.head_s, self.length_s, self.tail_s + more_s, self.times)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many units there are: `most` at any time, and if `turns` are given, (from_s, units) through a day.

    `turns` begin at 0 with the begin of the problem and repeat every day.
    """

    name: str
    most: int
    turns: tuple[tuple[int, int], ...] = ()

    def alone(self) -> Capacity:
        """What one piece of work can have of it: a single unit, whenever any is there."""
        return Capacity(self.name, 1, tuple((from_s, min(units, 1)) for from_s, units in self.turns))

    def end_s(self, now_s: float, work_s: float) -> float:
        """When `work_s` unit seconds are done, begun at `now_s`, with all units at work."""
        if not self.turns:
            return now_s + work_s / self.most
        daily_s = sum(length_s * units for length_s, units in self._spans())
        work_s += self.done_s(now_s)
        days, left_s = divmod(work_s, daily_s)
        if left_s == 0:
            days, left_s = days - 1, daily_s
        end_s = days * DAY_S
        for length_s, units in self._spans():
            if left_s <= length_s * units:
                return float(end_s + left_s / units)
            left_s -= length_s * units
            end_s += length_s
        return float(end_s)

    def done_s(self, until_s: float) -> float:
        """The unit seconds there are from the begin until then."""
        if not self.turns:
            return until_s * self.most
        days, left_s = divmod(until_s, DAY_S)
        done_s = days * sum(length_s * units for length_s, units in self._spans())
        for length_s, units in self._spans():
            done_s += min(left_s, length_s) * units
            left_s -= min(left_s, length_s)
        return done_s

    def _spans(self) -> list[tuple[int, int]]:
        return [(end - begin, units) for (begin, units), (end, _) in pairwise((*self.turns, (DAY_S, 0)))]


def earliest_end(parts: list[Part], capacity: Capacity, known_s: float) -> float:
    """When all parts and their tails can have ended, or `known_s` if that is no earlier. O(n log n)."""
    count = sum(part.times for part in parts)
    work_s = sum(part.length_s * part.times for part in parts)
    if not capacity.turns:
        most_s = max(part.head_s for part in parts) + max(part.tail_s for part in parts)
        per_unit_s = -(-count // capacity.most) * max(part.length_s for part in parts)
        if count <= capacity.most or most_s + max(work_s / capacity.most, per_unit_s) <= known_s:
            return known_s
    nested = (_nested(parts, capacity.most, field) for field in (0, 1, 2))
    return max(known_s, _jackson(parts, capacity), *nested)


def _jackson(parts: list[Part], capacity: Capacity) -> float:
    """The longest tail first, whatever has begun, all units on one: no schedule is shorter (Carlier 1982)."""
    waiting = sorted(parts)
    heap: list[tuple[float, float]] = []
    now_s = end_s = 0.0
    place = 0
    while heap or place < len(waiting):
        if not heap:
            now_s = max(now_s, waiting[place].head_s)
        while place < len(waiting) and waiting[place].head_s <= now_s:
            part = waiting[place]
            heapq.heappush(heap, (-part.tail_s, part.length_s * part.times))
            place += 1
        tail_s, work_s = heapq.heappop(heap)
        done_s = capacity.end_s(now_s, work_s) if work_s else now_s
        if place < len(waiting) and waiting[place].head_s < done_s:
            until_s = waiting[place].head_s
            heapq.heappush(heap, (tail_s, work_s - (capacity.done_s(until_s) - capacity.done_s(now_s))))
            now_s = until_s
        else:
            now_s, end_s = done_s, max(end_s, done_s - tail_s)
    return end_s


def _nested(parts: list[Part], units: int, field: int) -> float:
    """For the parts of the largest heads, lengths or tails, one set in the next: two bounds that count whole parts.

    Each unit begins with one of the heads and ends with one of the tails (Carlier 1987); and some unit takes at least
    its share of the number of parts.
    """
    heads, tails = _Least(units), _Least(units)
    work_s = end_s = 0.0
    number, shortest_s = 0, float("inf")
    for part in sorted(parts, key=itemgetter(field), reverse=True):
        heads.add(part.head_s, part.times)
        tails.add(part.tail_s, part.times)
        work_s += part.length_s * part.times
        shortest_s = min(shortest_s, part.length_s)
        number += part.times
        if number > units:
            shared_s = (heads.sum + work_s + tails.sum) / units
            end_s = max(end_s, shared_s, heads.least + -(-number // units) * shortest_s + tails.least)
    return end_s


class _Least:
    """The least few of the values added so far, their sum, and the very least."""

    def __init__(self, few: int) -> None:
        self._few, self._kept = few, list[float]()
        self.sum, self.least = 0.0, float("inf")

    def add(self, value: float, count: int) -> None:
        """The same value `times` times."""
        self.least = min(self.least, value)
        for _ in range(min(count, self._few)):
            if len(self._kept) < self._few:
                heapq.heappush(self._kept, -value)
                self.sum += value
            elif value < -self._kept[0]:
                self.sum += value + heapq.heappushpop(self._kept, -value)
            else:
                break
