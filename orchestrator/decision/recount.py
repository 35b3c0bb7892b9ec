"""Counts again what the state keeps counted, the slow way, and says where the two differ.

Never repairs: a difference means that some record was applied wrongly, or that somebody ready was forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orchestrator.decision.blockers import blockers, next_step
from orchestrator.decision.capacity import MINUTE_US
from orchestrator.decision.estate import STEP_NUMBER
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import LANE, State

_MOVING = {
    Stage.PRESERVING: "preserve",
    Stage.RESTORING: "restore",
    Stage.INSPECTING: "inspect",
    Stage.RECONNECTING: "reconnect",
}


def recount(state: State) -> list[str]:
    """Each difference between a naive recount of the state and what it keeps, as a sentence; empty when all agrees."""
    return [*_pools(state), *_services(state), *_lanes(state), *_rooms(state), *_horizons(state)]


def _pools(state: State) -> Iterator[str]:
    groups, used = state.estate.groups, Counter[int]()
    for action in state.open.values():
        if action.host >= 0 and action.step != "isolate":
            used.update(groups[state.estate.group_of[action.host]].pools[STEP_NUMBER[action.step]])
    for number, slot in enumerate(state.estate.pools):
        if used[number] != state.in_use[number]:
            yield f"Pool {slot.pool} counts {state.in_use[number]} in use; open actions take {used[number]}."


def _services(state: State) -> Iterator[str]:
    for number, service in enumerate(state.estate.content.inventory.services):
        read = state.readings.get(f"service:{service.id}")
        passes = read is not None and read.outcome == "PASS"
        if service.kind == "outside":
            up = f"outside:{service.id}" in state.facts and (read is None or passes)
            good = up
        else:
            playing = [host.id for host in state.estate.content.inventory.hosts if service.id in host.services]
            numbers = [state.estate.host_number[one] for one in playing]
            serving = [one for one in numbers if state.stage[one] is Stage.IN_SERVICE and not state.infected_us[one]]
            up = len(serving) >= state.quorum[number]
            good = up and passes
        if (up, good) != (state.up[number], state.good[number]):
            yield f"Service {service.id} is {up, good} (in service, reads PASS); the state says otherwise."


def _lanes(state: State) -> Iterator[str]:
    lanes: list[dict[int, str]] = [{}, {}]
    sites: dict[int, str] = {}
    for name, action in state.open.items():
        if action.host < 0:
            sites[action.site] = name
            continue
        if action.host in lanes[LANE[action.step]]:
            yield f"{state.estate.hosts[action.host]} has two actions under way in one lane."
        lanes[LANE[action.step]][action.host] = name
    for host, name in enumerate(state.estate.hosts):
        for lane in (0, 1):
            if state.lanes[lane][host] != lanes[lane].get(host, ""):
                yield f"{name} has {state.lanes[lane][host]!r} in lane {lane}; open is {lanes[lane].get(host, '')!r}."
        step = _MOVING.get(state.stage[host])
        under_way = lanes[LANE[step]].get(host, "") if step else ""
        if step and f"{name}/{step}/" not in under_way:
            yield f"{name} is {state.stage[host].name.lower()} and no {step} is under way."
    for site, name in enumerate(state.estate.sites):
        if state.site_lane[site] != sites.get(site, ""):
            yield f"Site {name} has {state.site_lane[site]!r} under way; open is {sites.get(site, '')!r}."


def _rooms(state: State) -> Iterator[str]:
    for site, name in enumerate(state.estate.sites):
        used = sum(Stage.RESTORING <= state.stage[host] <= Stage.INSPECTED for host in state.estate.hosts_of_site[site])
        if used != state.quarantine_used[site]:
            yield f"The quarantine of {name} holds {used} hosts; the state counts {state.quarantine_used[site]}."


def _horizons(state: State) -> Iterator[str]:
    if state.horizon_agenda:
        yield "The horizon waits to be drawn again after a record was applied."
        return
    for number, wave in enumerate(state.estate.waves):
        seen = all(_open_or_passed(state, ancestor) for ancestor in _before(state, number))
        if seen != state.waves[number].horizon:
            yield f"Wave {wave.name} is {'inside' if seen else 'outside'} the horizon; the state says otherwise."


def _before(state: State, wave: int) -> set[int]:
    """All ancestors of a wave, walked anew along the edges in force."""
    return state.after[wave].union(*(_before(state, edge) for edge in state.after[wave]))


def _open_or_passed(state: State, wave: int) -> bool:
    known = state.waves[wave]
    services = [number for number, _ in state.estate.waves[wave].services if number not in state.dropped]
    return bool(known.passed_us) or (bool(known.launchers) and all(state.up[number] for number in services))


def forgotten(state: State) -> list[str]:
    """Hosts that nothing keeps from their next step, with room in its pools, and that nevertheless stand still."""
    found = []
    for host, name in enumerate(state.estate.hosts):
        step = next_step(state, host)
        if step and _has_room(state, host, step) and next(blockers(state, host, step, state.at_us), None) is None:
            found.append(f"{name} could go on to {step} and nobody starts it.")
    return found


def _has_room(state: State, host: int, step: str) -> bool:
    group, site = state.estate.group(host), state.estate.site_of[host]
    if step == "reconnect" and not state.estate.is_server[host]:
        recent = [at_us for at_us in state.recent[site] if at_us + MINUTE_US > state.at_us]
        if len(recent) >= state.estate.timing.workstations_per_minute:
            return False
    return all(state.in_use[pool] < state.estate.pools[pool].size for pool in group.pools[STEP_NUMBER[step]])
