"""Who goes next: one ready queue per pool signature, the most urgent first, pools never beyond their size.

Never looks for work: `decide` enqueues a host whose requirements are met. Each queue stands with its first host among
those to look at (`State.live`) or with a pool that is full; a slot that comes back wakes one queue, so nothing is
rescanned.
"""

from __future__ import annotations

import heapq

from orchestrator.decision.state import UNQUEUED, State

MINUTE_US = 60_000_000
Signature = tuple[int, ...]
Place = tuple[int, int, int, Signature]  # urgency, host, step of a queue's first, and the queue


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
    queue = state.ready.setdefault(pools, [])
    heapq.heappush(queue, (urgency, host, step))
    if queue[0] == (urgency, host, step):
        heapq.heappush(state.live, (*queue[0], pools))


def take(state: State, now_us: int) -> tuple[int, int] | None:
    """The most urgent ready host whose pools all have room, with its step, removed from its queue."""
    place = first(state, now_us)
    return None if place is None else start(state, place)


def first(state: State, now_us: int) -> Place | None:
    """The place of the most urgent ready host whose pools all have room; its queue is looked at no more."""
    while state.live:
        place = heapq.heappop(state.live)
        pools = place[3]
        if not _stands(state, place):
            continue
        full = _full(state, pools, now_us)
        if full is None:
            return place
        heapq.heappush(state.waiting_on.setdefault(full, []), place)
        wake(state, pools)
    return None


def start(state: State, place: Place) -> tuple[int, int]:
    """Takes a host out of its queue; the next one stands for it, and who waits for the same pools is looked at."""
    _, host, step, pools = place
    queue = state.ready[pools]
    heapq.heappop(queue)
    state.queued[host] = UNQUEUED
    _show(state, pools)
    return host, step


def _stands(state: State, place: Place) -> bool:
    """Whether the host is the first of its queue and waits for that step; else the queue's first takes its place."""
    queue = state.ready[place[3]]
    if not queue or queue[0] != place[:3]:
        wake(state, place[3])  # a more urgent one came, or it stood there twice: the first stands elsewhere
        return False
    if state.queued[place[1]] == (place[0], place[2]):
        return True
    heapq.heappop(queue)  # it has been queued anew since
    _show(state, place[3])
    return False


def _show(state: State, pools: Signature) -> None:
    """The first of a queue is looked at; where there is none, who waits for the same pools."""
    if state.ready[pools]:
        heapq.heappush(state.live, (*state.ready[pools][0], pools))
    wake(state, pools)


def _full(state: State, pools: Signature, now_us: int) -> int | None:
    """The first of the pools that has no room; a workstation's minute is timed."""
    for pool in pools:
        if pool < 0:
            recent = state.recent[-1 - pool]
            if recent.maxlen == len(recent) and recent[0] + MINUTE_US > now_us:
                state.wake_at(recent[0] + MINUTE_US, "pace", -1 - pool)
                return pool
        elif state.in_use[pool] >= state.estate.pools[pool].size:
            return pool
    return None


def wake(state: State, pools: Signature) -> None:
    """Of each pool with room, the most urgent queue that waits for it is looked at."""
    for pool in pools:
        waiting = state.waiting_on.get(pool)
        if waiting and pool >= 0 and state.in_use[pool] < state.estate.pools[pool].size:
            heapq.heappush(state.live, heapq.heappop(waiting))


def wake_pace(state: State, site: int) -> None:
    """A workstation's minute at this site is over: its queues are looked at again."""
    for place in state.waiting_on.pop(-1 - site, ()):
        heapq.heappush(state.live, place)


def occupy(state: State, pools: Signature, now_us: int) -> Signature:
    """Takes a slot of each pool and returns what must be given back: all but the pace, which stands first."""
    for pool in pools:
        if pool < 0:
            state.recent[-1 - pool].append(now_us)
        else:
            state.in_use[pool] += 1
    return pools[1:] if pools and pools[0] < 0 else pools


def release(state: State, pools: Signature) -> None:
    """Gives the slots back and lets a queue that waited for each be looked at."""
    for pool in pools:
        state.in_use[pool] -= 1
    wake(state, pools)
