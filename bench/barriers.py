"""What a rival forbids beside the core's own rules, put in the core's place while one restart is played.

Never part of the product, and taken out again whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import networkx as nx

from orchestrator.decision import blockers, capacity
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Woke
from orchestrator.decision.stages import GONE, IN_SERVICE
from orchestrator.decision.state import State
from orchestrator.simulation.world import Entry, World

Key = tuple[int, ...]

_take = capacity.take


class Barrier:
    """What a rival forbids beside the core's own rules: nothing, as it stands here."""

    step = ""  # the step it stands before

    def __init__(self, state: State) -> None:
        self.state = state

    def take(self, state: State, now_us: int) -> tuple[int, int] | None:
        """Who goes next."""
        return _take(state, now_us)

    def shut(self, host: int) -> bool:
        """Whether the host may not take the step yet."""
        return False

    def opened(self) -> Sequence[int]:
        """The hosts that may since this was last asked."""
        return ()


class StrictWaves(Barrier):
    """Nothing of a wave is restored before all its ancestors' gates have passed."""

    step = "restore"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.closed = set(range(len(state.estate.waves)))

    def shut(self, host: int) -> bool:
        """Whether the host's wave is not open."""
        return self.state.wave_of[host] in self.closed

    def opened(self) -> Sequence[int]:
        """The hosts of the waves that opened."""
        waves, ancestors = self.state.waves, self.state.ancestors
        now = [wave for wave in self.closed if all(waves[one].passed_us for one in ancestors[wave])]
        self.closed.difference_update(now)
        return [host for wave in now for host in self.state.estate.waves[wave].hosts]


class ClassByClass(Barrier):
    """Restores ahead; reconnects nothing before all of the earlier classes and generations is in service.

    A class is a wave with all its hosts, in the plan's order; a generation is a depth of needs.
    """

    step = "reconnect"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.keys = list(zip(state.wave_of, depths(state.estate), strict=True))
        self.left = {lot: self._sorted(lot) for lot in {self.lot(key) for key in self.keys}}
        self.front: dict[int, Key] = dict.fromkeys(self.left, (-1, -1))

    def lot(self, key: Key) -> int:
        """Which queue of generations the key stands in: there is one."""
        return 0

    def _sorted(self, lot: int) -> list[int]:
        hosts = [host for host, key in enumerate(self.keys) if self.lot(key) == lot and self.state.wave_of[host] >= 0]
        return sorted(hosts, key=self.keys.__getitem__, reverse=True)

    def shut(self, host: int) -> bool:
        """Whether something stands before the host's class and generation."""
        key = self.keys[host]
        return key > self.front[self.lot(key)]

    def opened(self) -> Sequence[int]:
        """The hosts of what was reached."""
        found: list[int] = []
        stage = self.state.stage
        for lot, left in self.left.items():
            while left and (stage[left[-1]] is IN_SERVICE or stage[left[-1]] in GONE):
                left.pop()
            front = self.keys[left[-1]] if left else (1 << 30, 0)
            if front > self.front[lot]:
                self.front[lot] = front
                found += [host for host in reversed(left) if self.keys[host] <= front]
        return found


class Generations(ClassByClass):
    """The same where classes do not wait for each other beyond their gates."""

    def lot(self, key: Key) -> int:
        """Each class has its own generations."""
        return key[0]


class Ruled(World):
    """A world whose core obeys a barrier, too."""

    def __init__(self, barrier: Barrier, *about: Any) -> None:
        self.barrier = barrier
        super().__init__(*about)

    def decide(self, event: Event) -> list[Entry]:
        """What the core makes of it, and of what the barrier lets go then."""
        entries = super().decide(event)
        while opened := self.barrier.opened():
            self.state.dirty.update(dict.fromkeys(opened))
            entries += super().decide(Woke())
        return entries


@contextmanager
def in_force(barrier: Barrier) -> Iterator[None]:
    """Puts the barrier before its step while the block runs."""
    own, waves = blockers._BLOCKERS.copy(), blockers.wave_blockers

    def before_release(state: State, host: int, now_us: int) -> Iterator[blockers.Blocker]:
        if barrier.shut(host):
            yield "barrier", ""
        yield from waves(state, host, now_us)

    def before_restore(state: State, host: int, now_us: int) -> Iterator[blockers.Blocker]:
        if barrier.shut(host):
            yield "barrier", ""
        yield from own["restore"](state, host, now_us)

    try:
        capacity.take = barrier.take
        if barrier.step == "reconnect":
            blockers.wave_blockers = before_release
        elif barrier.step:
            blockers._BLOCKERS["restore"] = before_restore
        yield
    finally:
        capacity.take = _take
        blockers.wave_blockers = waves
        blockers._BLOCKERS.update(own)


def depths(estate: Estate) -> list[int]:
    """For each host how many layers of needs lie under it.

    Services that need each other, make one unit or share a host are one layer: then no host waits for its own.
    """
    count = len(estate.services)
    needs: list[set[int]] = [set() for _ in range(count)]
    for host, services in enumerate(estate.services_of):
        group = estate.group(host)
        wanted = {need for found in group.needs for need in found} | set(group.unit_needs)
        for service in services:
            needs[service] |= wanted | set(services)
    for members in estate.unit_members.values():
        for service in members:
            needs[service] |= set(members)
    layer = _layers(needs)
    return [
        max(
            [layer[service] for service in services]
            or [1 + layer[need] for found in estate.group(host).needs for need in found]
            or [0]
        )
        for host, services in enumerate(estate.services_of)
    ]


def _layers(needs: list[set[int]]) -> list[int]:
    """The longest path under each service, knots counted once."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(needs)))
    graph.add_edges_from((service, need) for service, found in enumerate(needs) for need in found if need != service)
    knots = nx.condensation(graph)
    depth: dict[int, int] = {}
    for knot in reversed(list(nx.topological_sort(knots))):
        depth[knot] = max((depth[under] + 1 for under in knots.successors(knot)), default=0)
    return [depth[knots.graph["mapping"][service]] for service in range(len(needs))]
