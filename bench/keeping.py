"""Rules that leave a slot empty for a more urgent host, put into the core's place: hold-back, and looking ahead.

Never part of the product: both are measured here, and stay out while they win less than 5 % on every function.
"""

from __future__ import annotations

import heapq

from bench.barriers import Barrier
from orchestrator.decision import capacity
from orchestrator.decision.blockers import blockers, next_step
from orchestrator.decision.requirements import HOST_STEPS, RESTORE
from orchestrator.decision.stages import GONE, OUT, Stage
from orchestrator.decision.state import State

POOL_MIN = 5
SECOND = 1_000_000
MOVING_ON = frozenset(("need", "under-way", "evidence", "isolation", "not-before", "quarantine"))
BEGUN = (Stage.PRESERVING, Stage.RESTORING, Stage.INSPECTING, Stage.RECONNECTING)  # by step


class Keeping(Barrier):
    """Passes over a host whose slot is kept for another."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        estate = state.estate
        self.rank = [estate.plan.ranks.get(host, 1 << 30) for host in estate.hosts]
        self.users: dict[int, list[tuple[int, int]]] = {}  # of each pool, the most urgent first
        for host in sorted(range(len(estate.hosts)), key=state.urgency.__getitem__):
            if state.wave_of[host] >= 0:
                for step, pools in enumerate(estate.group(host).pools):
                    for pool in pools:
                        self.users.setdefault(pool, []).append((host, step))

    def take(self, state: State, now_us: int) -> tuple[int, int] | None:
        """As `capacity.take`, passing over what must leave slots to others."""
        held: list[capacity.Place] = []
        found = None
        while found is None and (place := capacity.first(state, now_us)) is not None:
            if any(self.kept(pool, place[1], place[2], now_us) for pool in place[3] if pool >= 0):
                held.append(place)
                capacity.wake(state, place[3])
            else:
                found = capacity.start(state, place)
        for place in held:
            heapq.heappush(state.live, place)
        return found

    def kept(self, pool: int, host: int, step: int, now_us: int) -> bool:
        """Whether the pool's next slot is for others than this host."""
        raise NotImplementedError

    def free(self, pool: int) -> int:
        """Slots of the pool that nobody holds."""
        return self.state.estate.pools[pool].size - self.state.in_use[pool]


class HoldBack(Keeping):
    """A pool of five and more keeps ceil(10 %) from lower classes while a host of a higher one still needs it.

    That host is ready, under way, or waits only for hosts; one that waits for people or parts holds nothing.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.holder: dict[int, tuple[int, int]] = {}  # of each pool the last that was found

    def kept(self, pool: int, host: int, step: int, now_us: int) -> bool:
        """Whether the tenth is all that is left, and somebody holds it."""
        size = self.state.estate.pools[pool].size
        if size < POOL_MIN or self.free(pool) > -(-size // 10):
            return False
        known = self.holder.get(pool)
        if known is not None and self.rank[known[0]] < self.rank[host] and self._holds(*known, now_us):
            return True
        for user in self.users[pool]:
            if self.rank[user[0]] >= self.rank[host]:
                return False
            if self._holds(*user, now_us):
                self.holder[pool] = user
                return True
        return False

    def _holds(self, host: int, step: int, now_us: int) -> bool:
        """Whether the host will need the pool for this step soon, and only hosts stand before it."""
        state = self.state
        stage = state.stage[host]
        if stage in GONE or stage in OUT or stage >= BEGUN[step] or host in state.leaving or host in state.asks:
            return False
        if step == 0 and state.evidence_kept(host):
            return False
        now = next_step(state, host)
        if not now:
            return step > 0 and stage is BEGUN[step - 1]
        if any(code not in MOVING_ON for code, _ in blockers(state, host, now, now_us)):
            return False
        return step - HOST_STEPS.index(now) <= 1


class LookAhead(Keeping):
    """Leaves a restore's slot to a more urgent host that will be ready before this one would be done.

    More urgent: of a higher class, or with a tail that is longer by more than this restore takes.
    """

    def kept(self, pool: int, host: int, step: int, now_us: int) -> bool:
        """Whether as many such hosts are under way as slots are free."""
        if step != RESTORE:
            return False
        state, tails = self.state, self.state.estate.plan.tail_s
        names, free = state.estate.hosts, self.free(pool)
        length_s = state.estate.group(host).klass.duration_s.restore
        for other, other_step in self.users[pool]:
            if state.urgency[other] >= state.urgency[host]:
                return False
            longer_s = tails[names[other]] - tails[names[host]]
            if other_step != RESTORE or (self.rank[other] >= self.rank[host] and longer_s < length_s):
                continue
            soon_s = self._ready_in_s(other, now_us)
            free -= soon_s is not None and soon_s < length_s
            if free <= 0:
                return True
        return False

    def _ready_in_s(self, host: int, now_us: int) -> int | None:
        """As planned, if only its own preservation or tasks that are open stand before its restore."""
        state = self.state
        group = state.estate.group(host)
        if host in state.asks or host in state.leaving:
            return None
        if state.stage[host] is Stage.PRESERVING:
            if not all(state.up[need] for need in group.needs[RESTORE]):
                return None
            begun_us = state.open[state.lanes[0][host]].at_us
            left_s = max(0, group.klass.duration_s.preserve - (now_us - begun_us) // SECOND)
            return left_s + sum(task.duration_s for task in group.tasks[RESTORE])
        if next_step(state, host) != "restore":
            return None
        left_s = 0
        for code, key in blockers(state, host, "restore", now_us):
            task, known = state.tasks.get(key), state.estate.tasks.get(key)
            if code != "task" or task is None or known is None:
                return None
            left_s = max(left_s, known.spec.duration_s - (now_us - task.opened_us) // SECOND)
        return left_s if left_s > 0 else None
