"""Counts: which verdicts count, whether a unit can come out, whether a launcher is someone else than the signers.

Never counts keys, only persons; never counts a verdict that has expired, was superseded or was signed by a revoked
person.
"""

from __future__ import annotations

from orchestrator.decision import epoch
from orchestrator.decision.stages import INSPECTED, OUT, RECONNECTING
from orchestrator.decision.state import QUARANTINED, State

CLEAN, SUSPECT, INFECTED = "CLEAN", "SUSPECT", "INFECTED"
GRACE_S = 60  # how far the clock of who signs a verdict may be ahead of ours


def counting(state: State, host: int, now_us: int, *, expired_too: bool = False) -> set[str]:
    """The persons whose CLEAN verdict counts for the host's latest inspection."""
    verdicts = state.verdicts[host]
    if not verdicts:
        return set()
    at_us = 0 if expired_too else now_us
    return {
        verdict.person
        for verdict in verdicts
        if verdict.expires_us > at_us
        and verdict.verdict == CLEAN
        and verdict.indicator_set == state.indicator_set
        and verdict.person not in state.revoked
    }


def ends_us(state: State, signed_us: int, now_us: int) -> int:
    """When a verdict filed now ends; 0 if it has expired or is meant to hold longer than the plan allows."""
    return epoch.heard(state, signed_us, now_us, state.estate.timing.verdict_valid_s + GRACE_S)


def required(state: State, host: int, counted: set[str]) -> int:
    """How many persons must say CLEAN: one where a verdict that counts is on the host's whole lot."""
    whole_lot = host in state.by_lot and not state.by_lot[host].isdisjoint(counted)
    return 1 if whole_lot else state.estate.group(host).klass.verdicts_required


def verdicts_missing(state: State, host: int, now_us: int) -> int:
    """How many more persons must say CLEAN; an exception stands in for one, but never for the first."""
    if state.infected_us[host] or not state.verdicts[host]:
        return state.estate.group(host).klass.verdicts_required
    counted = counting(state, host, now_us)
    missing = required(state, host, counted) - len(counted)
    if missing <= 0:
        return 0
    excepted = missing == 1 and state.exceptions.get(host, 0) > now_us
    return 0 if excepted and counting(state, host, now_us, expired_too=True) else missing


def vouched(state: State, host: int) -> bool:
    """Whether more than its own word speaks for a host: it was wiped, or looked at offline or from outside since."""
    return state.strategy[host] != "declared" or host in state.seen_apart


def is_clean(state: State, host: int, now_us: int) -> bool:
    """Invariant 1 as it stands now: inspected, quarantined, and enough distinct persons say CLEAN."""
    return (
        state.stage[host] in (INSPECTED, RECONNECTING)
        and state.connection[host] == QUARANTINED
        and verdicts_missing(state, host, now_us) == 0
    )


def separated(state: State, host: int, now_us: int) -> bool:
    """Whether at least one launcher of the host's wave is none of the signers of its counting verdicts."""
    signers = counting(state, host, now_us, expired_too=host in state.exceptions)
    return not signers.issuperset(launchers(state, state.wave_of[host]))


def launchers(state: State, wave: int) -> list[str]:
    """Who launched the wave, without those who were revoked since."""
    launched = state.waves[wave].launchers
    return [person for person in launched if person not in state.revoked] if state.revoked else [*launched]


def out_of(state: State, service: int) -> int:
    """Hosts of the service that are out or on their way out and not known infected."""
    stage = state.stage
    return sum(
        (stage[host] is RECONNECTING or stage[host] in OUT) and not state.infected_us[host]
        for host in state.estate.players[service]
    )


def lacking_without(state: State, host: int) -> list[str]:
    """The services that cannot reach their quorum once this host is gone."""
    return [
        state.estate.services[service]
        for service in state.estate.services_of[host]
        if service not in state.dropped
        and sum(other != host for other in state.candidates(service)) < state.quorum[service]
    ]


def seats_wanted(state: State, host: int) -> bool:
    """Whether verdicts on this host are asked for: inspected in quarantine and in the horizon, or owing while out."""
    if host in state.obligations:
        return state.stage[host] in OUT and bool(state.inspection[host])
    wave = state.wave_of[host]
    return (
        state.stage[host] is INSPECTED
        and state.connection[host] == QUARANTINED
        and wave >= 0
        and state.waves[wave].horizon
    )
