"""Checks the invariants a command touches, in the very transaction that issues it; always on.

Never repairs and never explains: a broken invariant means the core is wrong, and nothing more may happen. The full,
naive form over a whole history is `witness`, written apart from this one.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.decision.commands import Command, Issue, PassGate
from orchestrator.decision.estate import STEP_NUMBER
from orchestrator.decision.events import Cancelled, Event, Finished, Judged, Lost, Swept
from orchestrator.decision.stages import GONE, OUT, Stage
from orchestrator.decision.state import CONNECTED, LANE, QUARANTINED, State
from orchestrator.errors import RelanceError

SECOND, MINUTE_US = 1_000_000, 60_000_000
_LEAVING = (Stage.RECONNECTING, *OUT)


class InvariantBroken(RelanceError):
    """The core was about to do what it must never do; the process stops with nothing handed out."""

    code = "invariant"
    exit_code = 7


def check(state: State, command: Command, now_us: int) -> None:
    """Raises InvariantBroken if applying `command` now would break an invariant (docs/INVARIANTS.md)."""
    if isinstance(command, Issue):
        _issue(state, command, now_us)
    elif isinstance(command, PassGate):
        _gate(state, command, now_us)


def _require(holds: bool, number: int, subject: str, sentence: str) -> None:
    if not holds:
        raise InvariantBroken(f"{subject}: {sentence}", rule=f"invariant.{number}", subject=subject)


def _issue(state: State, command: Issue, now_us: int) -> None:
    target, action = command.target, command.action
    _require(action not in state.open and action not in state.ended, 5, action, "an action id starts at most once")
    host = state.estate.host_number.get(target, -1)
    if host < 0:
        site = state.estate.site_number.get(target, -1)
        _require(site >= 0, 11, target, "only hosts and sites of the estate are acted on")
        _require(not state.site_lane[site], 5, target, "one action per site and lane")
        return
    _require(not state.lanes[LANE[command.step]][host], 5, target, "one action per host and lane")
    if command.step == "isolate":
        reached = state.stage[host] not in OUT or state.freezes.get(f"reach:{target}") == "recall"
        _require(reached, 4, target, "it is recalled, and nobody it spoke with is frozen")
        return
    for pool in state.estate.group(host).pools[STEP_NUMBER[command.step]]:
        slot = state.estate.pools[pool]
        _require(state.in_use[pool] < slot.size, 6, slot.pool, "a pool never exceeds its size")
    if command.step == "restore":
        _require(
            state.evidence_kept(host) or command.strategy == "replace",
            10,
            target,
            "no wipe without preservation or waiver",
        )
    elif command.step == "reconnect":
        _reconnect(state, host, now_us)


def _reconnect(state: State, host: int, now_us: int) -> None:
    name, group = state.estate.hosts[host], state.estate.group(host)
    wave = state.waves[state.wave_of[host]]
    _require(state.wave_of[host] >= 0, 3, name, "it stands in no wave")
    cut_off = state.stage[host] is Stage.INSPECTED and state.connection[host] == QUARANTINED
    _require(cut_off and state.isolated_us[host] > 0, 1, name, "reconnected from no proven quarantine")
    fresh, said = _signers(state, host, now_us + group.klass.limit_s.reconnect * SECOND)
    _require(_enough(state, host, now_us), 1, name, "reconnected without a proof of clean that outlives it")
    apart = state.strategy[host] != "declared" or host in state.seen_apart
    _require(apart, 1, name, "it was not wiped, and nobody but itself says that it is clean")
    launchers = set(wave.launchers) - state.revoked
    others = launchers - (said if host in state.exceptions else fresh)
    _require(not launchers or bool(others), 3, name, "everyone who launched its wave signed for it")
    for need in group.unit_needs:
        players = [one for one in state.estate.players[need] if not state.infected_us[one]]
        coming = sum(state.stage[one] in _LEAVING or _enough(state, one, now_us) for one in players)
        enough = state.up[need] or need in state.dropped or coming >= state.quorum[need]
        _require(enough, 2, name, f"its unit lacks {state.estate.services[need]}")
    for need in state.estate.group(host).needs[3]:
        _require(state.up[need] or need in state.dropped, 2, name, f"needs {state.estate.services[need]} in service")
    _require(bool(launchers), 3, name, "its wave is not launched")
    _require(all(cause.startswith("relapse:") for cause in wave.holds), 3, name, "its wave is held")
    passed = all(state.waves[ancestor].passed_us for ancestor in state.ancestors[state.wave_of[host]])
    _require(passed, 3, name, "an ancestor's gate has not passed")
    site = state.estate.sites[state.estate.site_of[host]]
    frozen = state.freezes and state.freezes.keys() & {"all", f"site:{site}", f"host:{name}"}
    _require(not frozen and not state.clock_doubted, 4, name, "reconnects are frozen")
    reached = any(host in hosts for hosts in state.reach.values())
    _require(not reached, 4, name, "it spoke with a host that is recalled")
    _require("breach_closed" in state.facts, 4, name, "the breach is not closed")


def _signers(state: State, host: int, until_us: int) -> tuple[set[str], set[str]]:
    """Who says CLEAN under the set in force and was not revoked: with a verdict that still holds then, and at all."""
    clean = [one for one in state.verdicts[host] if one.verdict == "CLEAN" and one.person not in state.revoked]
    clean = [one for one in clean if one.indicator_set == state.indicator_set]
    return {one.person for one in clean if one.expires_us > until_us}, {one.person for one in clean}


def _enough(state: State, host: int, now_us: int) -> bool:
    """Whether enough persons say CLEAN until its reconnect is over; an exception stands in for one of them."""
    klass = state.estate.group(host).klass
    until_us = now_us + klass.limit_s.reconnect * SECOND
    fresh, said = _signers(state, host, until_us)
    excepted = bool(said) and state.exceptions.get(host, 0) > until_us
    wanted = 1 if fresh & state.by_lot.get(host, set()) else klass.verdicts_required
    return not state.infected_us[host] and len(fresh) + excepted >= wanted


def _gate(state: State, command: PassGate, now_us: int) -> None:
    wave, name = state.estate.wave_number[command.wave], command.wave
    gate = state.estate.waves[wave]
    services = [service for service, _ in gate.services if service not in state.dropped]
    links = [link for link in gate.interfaces if state.dropped.isdisjoint(state.estate.ends_of[link])]
    wanted = {*links, *(f"service:{state.estate.services[service]}" for service in services)}
    _require(wanted <= set(command.subjects), 3, name, "it passes without a reading of all it judges")
    _require(all(state.up[service] for service in services), 3, name, "it passes while a service is not in service")
    for subject in command.subjects:
        observed = state.readings.get(subject)
        good = observed is not None and observed.outcome == "PASS" and observed.passes >= gate.passes
        _require(good, 3, name, f"{subject} does not read PASS {gate.passes} times in a row")
        old_us = now_us - observed.at_us if observed else 0
        _require(old_us <= 2 * state.estate.interval_us.get(subject, MINUTE_US), 3, name, f"{subject} is stale")
    for posts, (_, need) in zip(state.posts[wave], gate.posts, strict=True):
        works = sum(state.stage[one] is Stage.IN_SERVICE and not state.infected_us[one] for one in posts)
        alive = sum(state.stage[one] not in GONE for one in posts) or len(posts[:1])
        _require(works >= min(need, -(-2 * alive // 3)), 3, name, f"it passes with {works} posts of a site")
    own = [state.estate.tasks[key] for key in gate.tasks if not state.estate.tasks[key].subject]  # readings judge those
    tasks = [task.key for task in own if task.service not in state.dropped]
    done = all(key in state.tasks and state.tasks[key].status == "confirmed" for key in tasks)
    _require(done, 3, name, "it passes before its tasks are done")
    soaked = 0 < state.waves[wave].soak_us <= now_us - gate.soak_us
    _require(soaked, 3, name, "the soak is not over")


def settled(state: State, event: Event) -> None:
    """Invariants 9 and 4, once all that follows from the event was decided, for the hosts the event was about."""
    _require(not state.alarmed, 4, str(state.alarmed), "a host answered though it was cut off, and nothing froze")
    names: Iterable[str] = ()
    if isinstance(event, Judged):
        names = event.inspections
    elif isinstance(event, Finished | Lost | Cancelled):
        names = (event.action.partition("/")[0],)
    elif isinstance(event, Swept):
        names = event.answered
    for name in names:
        host = state.estate.host_number.get(name, -1)
        if host >= 0 and state.infected_us[host] and (state.stage[host] in OUT or state.connection[host] == CONNECTED):
            cutting = host in state.isolate_wanted or f"{name}/isolate/" in state.lanes[1][host]
            with_site = state.stage[host] not in OUT and not state.site_isolated_us[state.estate.site_of[host]]
            _require(cutting or with_site or host in state.asks, 9, name, "INFECTED, connected, and nobody was asked")
            reached = state.stage[host] not in OUT or state.freezes.get(f"reach:{name}") == "recall"
            _require(reached, 4, name, "INFECTED, out, and nobody it spoke with is frozen")
