"""Who goes next: one ready queue per pool signature, the most urgent first, pools never beyond their size.

Never looks for work: `decide` enqueues a host whose requirements are met; a full pool parks the queues that wait on
it until a slot comes back, so nothing is rescanned.
"""

from __future__ import annotations

import heapq

from orchestrator.decision.state import UNQUEUED, State

MINUTE_US = 60_000_000
Signature = tuple[int, ...]


def signature(state: State, host: int, step: int) -> Signature:
    """The pools an action takes; a workstation's reconnect also takes its site's pace, counted as -1 - site."""
    group = state.estate.group(host)
    pools = group.pools[step]
    if step == 3 and not state.estate.is_server[host]:
        return (-1 - group.site, *pools)
    return pools


def enqueue(state: State, host: int, step: int) -> None:
    """Puts a host whose `step` may start into its queue; a second time with the same urgency does nothing."""
    urgency = state.urgency[host]
    obligation = state.obligations.get(host)
    if obligation is not None:
        urgency += -len(state.urgency) if obligation.holds else len(state.urgency)
    mark = (urgency, step)
    if state.queued[host] == mark:
        return
    state.queued[host] = mark
    pools = signature(state, host, step)
    heapq.heappush(state.ready.setdefault(pools, []), (urgency, host, step))
    state.live_signatures[pools] = None


def take(state: State, now_us: int) -> tuple[int, int] | None:
    """The most urgent ready host whose pools all have room, with its step, removed from its queue."""
    best: tuple[int, int, int] | None = None
    chosen: Signature = ()
    for pools in list(state.live_signatures):
        heap = state.ready[pools]
        while heap and state.queued[heap[0][1]] != (heap[0][0], heap[0][2]):
            heapq.heappop(heap)  # it has been queued anew since
        if best is not None and heap and heap[0] > best:
            continue  # whether its pools have room is asked when its turn comes
        if not heap or _parked(state, pools, now_us):
            del state.live_signatures[pools]
        else:
            best, chosen = heap[0], pools
    if best is None:
        return None
    heap = state.ready[chosen]
    _, host, step = heapq.heappop(heap)
    if not heap:
        del state.live_signatures[chosen]
    state.queued[host] = UNQUEUED
    return host, step


def _parked(state: State, pools: Signature, now_us: int) -> bool:
    for pool in pools:
        if pool < 0:
            recent = state.recent[-1 - pool]
            if recent.maxlen == len(recent) and recent[0] + MINUTE_US > now_us:
                state.wake_at(recent[0] + MINUTE_US, "pace", -1 - pool)
                return True
        elif state.in_use[pool] >= state.estate.pools[pool].size:
            state.waiting_on[pool][pools] = None
            return True
    return False


def _park(state: State, pool: int) -> None:
    """The pool is full: the queues that take from it wait until a slot comes back."""
    for pools in [one for one in state.live_signatures if pool in one]:
        del state.live_signatures[pools]
        state.waiting_on[pool][pools] = None


def wake_pace(state: State, site: int) -> None:
    """A workstation's minute at this site is over: its queues are looked at again."""
    for pools in state.ready:
        if pools and pools[0] == -1 - site:
            state.live_signatures[pools] = None


def occupy(state: State, pools: Signature, now_us: int) -> Signature:
    """Takes a slot of each pool and returns what must be given back: all but the pace, which stands first."""
    for pool in pools:
        if pool < 0:
            state.recent[-1 - pool].append(now_us)
        else:
            state.in_use[pool] += 1
            if state.in_use[pool] >= state.estate.pools[pool].size:
                _park(state, pool)
    return pools[1:] if pools and pools[0] < 0 else pools


def release(state: State, pools: Signature) -> None:
    """Gives the slots back and lets the queues that waited for them be looked at."""
    for pool in pools:
        state.in_use[pool] -= 1
        state.live_signatures.update(state.waiting_on[pool])
        state.waiting_on[pool].clear()
