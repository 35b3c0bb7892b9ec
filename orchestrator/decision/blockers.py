"""What still stands between a host and its next step: the unmet requirements, each as a code and its subject.

Never acts and never formats: `decide` asks whether there is none, `explain` puts each into words, `invariants`
judges the same rules independently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from orchestrator.decision import quorum
from orchestrator.decision.estate import STEP_NUMBER
from orchestrator.decision.requirements import INSPECT, RECONNECT, RESTORE
from orchestrator.decision.stages import BLOCKED, IN_SERVICE, INSPECTED, PRESERVED, RELEASED, RESTORED
from orchestrator.decision.state import QUARANTINED, State

Blocker = tuple[str, str]


def blockers(state: State, host: int, step: str, now_us: int) -> Iterator[Blocker]:
    """The unmet requirements of `step` for `host`, cheapest to judge first; pools are not among them."""
    return _BLOCKERS[step](state, host, now_us)


def next_step(state: State, host: int) -> str:
    """The step the host's life asks for from where it stands; empty if it waits for verdicts or for nothing."""
    stage = state.stage[host]
    if stage is BLOCKED or stage is PRESERVED:
        return "restore" if state.evidence_kept(host) else "preserve"
    if stage is RESTORED:
        return "inspect"
    if stage is INSPECTED:
        return "reconnect"
    if host in state.obligations and stage in (RELEASED, IN_SERVICE) and not state.inspection[host]:
        return "" if state.infected_us[host] else "inspect"  # no look clears it where it stands: it is recalled
    return ""


def _common(state: State, host: int, lane: int, now_us: int) -> Sequence[Blocker]:
    under_way, not_before_us = state.lanes[lane][host], state.not_before_us[lane][host]
    leaving, asks = host in state.leaving, state.asks.get(host)
    if not (under_way or leaving or asks) and not_before_us <= now_us:
        return ()  # most often
    asked = (asks or {}).get(("host", "network")[lane], "")
    found = (
        ("under-way", under_way),
        ("leaving", state.estate.hosts[host] if leaving else ""),
        ("not-before", str(not_before_us) if not_before_us > now_us else ""),
        ("asks", asked),
    )
    return [(code, subject) for code, subject in found if subject]


def _preserve(state: State, host: int, now_us: int) -> Iterator[Blocker]:
    yield from _common(state, host, 0, now_us)
    if not state.isolated_us[host]:
        yield "isolation", state.estate.sites[state.estate.site_of[host]]
    if state.freezes:
        yield from _all_work(state, host)


def _restore(state: State, host: int, now_us: int) -> Iterator[Blocker]:
    yield from _common(state, host, 0, now_us)
    if state.wave_of[host] < 0:
        yield "left-off", state.estate.hosts[host]
    if not state.isolated_us[host]:
        yield "isolation", state.estate.sites[state.estate.site_of[host]]
    if not state.evidence_kept(host):
        yield "evidence", state.estate.hosts[host]
    if state.strategy[host] == "restore" and not state.t0_us():
        yield "fact", "t0"
    if state.strategy[host] == "replace" and not _replaced(state, host):
        yield "task", f"{state.estate.hosts[host]}/replace"
    yield from _needs(state, host, RESTORE)
    if state.estate.tasks_before[host][RESTORE]:
        yield from _tasks(state, host, RESTORE, now_us)
    if not _quarantine_has_room(state, host):
        yield "quarantine-full", state.estate.sites[state.estate.site_of[host]]
    if state.freezes:
        yield from _all_work(state, host)


def _inspect(state: State, host: int, now_us: int) -> Iterator[Blocker]:
    yield from _common(state, host, 0, now_us)
    wave = state.wave_of[host]
    if wave < 0:
        yield "left-off", state.estate.hosts[host]
    elif host not in state.obligations and not state.waves[wave].horizon:
        yield "horizon", state.estate.waves[wave].name
    if not state.isolated_us[host] and host not in state.obligations:
        yield "isolation", state.estate.sites[state.estate.site_of[host]]
    if host in state.obligations:
        yield from _unmet(state, state.estate.group(host).online, state.good)
    else:
        yield from _needs(state, host, INSPECT)
    if state.freezes:
        yield from _all_work(state, host)


def _reconnect(state: State, host: int, now_us: int) -> Iterator[Blocker]:
    yield from but_unit(state, host, now_us)
    if unit_wants(state, host, now_us) is False:
        yield "unit", ",".join(state.estate.services[service] for service in state.estate.services_of[host])


def but_unit(state: State, host: int, now_us: int) -> Iterator[Blocker]:
    """The unmet requirements of a reconnect that do not come from the host's own unit."""
    yield from _common(state, host, 1, now_us)
    if state.connection[host] != QUARANTINED:
        site = state.estate.content.inventory.sites[state.estate.site_of[host]]
        yield ("quarantine", state.estate.hosts[host]) if site.prober else ("no-prober", site.id)
    if state.restore_point_us[host] and not state.t0_us():
        yield "fact", "t0"
    if not quorum.vouched(state, host):
        yield "own-word", state.estate.hosts[host]
    # A verdict must outlive the time the reconnect may take.
    missing = quorum.verdicts_missing(
        state, host, now_us + state.estate.group(host).klass.limit_s.reconnect * 1_000_000
    )
    if missing:
        yield "verdicts", str(missing)
    yield from wave_blockers(state, host, now_us)
    yield from freeze_blockers(state, host)
    yield from _needs(state, host, RECONNECT)
    if state.estate.tasks_before[host][RECONNECT]:
        yield from _tasks(state, host, RECONNECT, now_us)


def wave_blockers(state: State, host: int, now_us: int) -> Iterator[Blocker]:
    """What the host's wave still lacks: launch, a launcher who is not a signer, no hold, ancestors' gates."""
    wave = state.wave_of[host]
    if wave < 0:
        yield "left-off", state.estate.hosts[host]
        return
    name = state.estate.waves[wave].name
    if not quorum.launchers(state, wave):
        yield "launch", name
    elif not quorum.separated(state, host, now_us):
        yield "separation", name
    for cause in state.waves[wave].holds:
        if not _exempt(state, host, cause):
            yield "hold", f"{name}: {cause}"
    for ancestor in state.ancestors[wave]:
        if not state.waves[ancestor].passed_us:
            yield "gate", state.estate.waves[ancestor].name


def freeze_blockers(state: State, host: int) -> Iterator[Blocker]:
    """What stops every reconnect, or this one: an open breach, a clock nobody confirmed, a freeze."""
    if "breach_closed" not in state.facts:
        yield "fact", "breach_closed"
    if state.clock_doubted:
        yield "clock", str(state.jump_us)
    if not state.freezes:
        return
    site = state.estate.sites[state.estate.site_of[host]]
    for scope in ("all", f"site:{site}", f"host:{state.estate.hosts[host]}"):
        if scope in state.freezes:
            yield "alarm" if state.freezes[scope] == "alarm" else "freeze", scope
    for recalled, hosts in state.reach.items():
        if host in hosts:
            yield "reach", state.estate.hosts[recalled]


def _all_work(state: State, host: int) -> Iterator[Blocker]:
    site = state.estate.sites[state.estate.site_of[host]]
    for scope in ("all", f"site:{site}", f"host:{state.estate.hosts[host]}"):
        if state.freezes.get(scope) == "all-work":
            yield "freeze", scope


def _exempt(state: State, host: int, cause: str) -> bool:
    """A relapse never holds the hosts of the relapsed service, nor those of what it needs: they are its cure."""
    kind, _, name = cause.partition(":")
    if kind != "relapse":
        return False
    cure = state.estate.closure[state.estate.service_number[name]]
    return any(service in cure for service in state.estate.services_of[host])


def _needs(state: State, host: int, step: int) -> Iterator[Blocker]:
    needs = state.estate.groups[state.estate.group_of[host]].needs[step]
    return _unmet(state, needs, state.up if step == RECONNECT else state.good)


def _unmet(state: State, needs: Iterable[int], met: list[bool]) -> Iterator[Blocker]:
    for service in needs:
        if not met[service] and service not in state.dropped:
            yield "need", state.estate.services[service]


def _tasks(state: State, host: int, step: int, now_us: int) -> Iterator[Blocker]:
    for key in state.estate.tasks_before[host][step]:
        if not task_stands(state, key, now_us):
            yield "task", key


def tasks_before(state: State, host: int, step: str) -> tuple[str, ...]:
    """The tasks that stand before this step of the host; a new machine is put in place by people, too."""
    keys = state.estate.tasks_before[host][STEP_NUMBER[step]]
    if step == "restore" and state.strategy[host] == "replace":
        return (*keys, f"{state.estate.hosts[host]}/replace")
    return keys


def task_stands(state: State, key: str, now_us: int) -> bool:
    """Whether the task is confirmed and has not expired."""
    task = state.tasks.get(key)
    if task is None or task.status != "confirmed":
        return False
    known = state.estate.tasks.get(key)
    expires_s = known.spec.expires_s if known else None
    return expires_s is None or task.confirmed_us + expires_s * 1_000_000 > now_us


def _replaced(state: State, host: int) -> bool:
    task = state.tasks.get(f"{state.estate.hosts[host]}/replace")
    return task is not None and task.status == "confirmed"


def _quarantine_has_room(state: State, host: int) -> bool:
    """Beyond the declared size of a site's quarantine only hosts of the horizon start a restore."""
    site = state.estate.site_of[host]
    limit = state.estate.quarantine_max[site]
    wave = state.wave_of[host]
    return limit is None or state.quarantine_used[site] < limit or (wave >= 0 and state.waves[wave].horizon)


def unit_wants(state: State, host: int, now_us: int) -> bool | None:
    """Whether the host's unit lets it out now; None where it has no needs inside a unit.

    A unit comes out when every member service has k hosts that are out or could follow in this same turn; then only
    as many as each service still lacks go, and the others follow once all its services are in service.
    """
    group = state.estate.group(host)
    if not group.unit_needs:
        return None
    services = {*group.unit_needs, *(service for service in group.services if state.estate.unit[service])}
    services -= state.dropped
    if all(state.up[service] for service in services):
        return True
    for service in services:
        lacking = max(0, state.quorum[service] - quorum.out_of(state, service))
        followers = (other for other in state.estate.players[service] if could_follow(state, other, now_us))
        if len(list(islice(followers, lacking))) < lacking:
            return False
    return any(quorum.out_of(state, service) < state.quorum[service] for service in group.services)


def could_follow(state: State, host: int, now_us: int) -> bool:
    """Whether only its unit's needs keep this host in quarantine."""
    return state.stage[host] is INSPECTED and next(but_unit(state, host, now_us), None) is None


_BLOCKERS = {"preserve": _preserve, "restore": _restore, "inspect": _inspect, "reconnect": _reconnect}
