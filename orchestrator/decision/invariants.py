"""Checks the invariants a command touches, in the very transaction that issues it; always on.

Never repairs and never explains: a broken invariant means the core is wrong, and nothing more may happen. The full,
naive form over a whole history is `witness`, written apart from this one.
"""

from __future__ import annotations

from orchestrator.decision import quorum
from orchestrator.decision.commands import Command, Issue, PassGate
from orchestrator.decision.estate import STEP_NUMBER
from orchestrator.decision.state import LANE, State
from orchestrator.errors import RelanceError


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
        return
    for pool in state.estate.group(host).pools[STEP_NUMBER[command.step]]:
        slot = state.estate.pools[pool]
        _require(state.in_use[pool] < slot.size, 6, slot.pool, "a pool never exceeds its size")
    if command.step == "restore":
        _require(state.evidence_kept(host), 10, target, "no wipe without preservation or waiver")
    elif command.step == "reconnect":
        _reconnect(state, host, now_us)


def _reconnect(state: State, host: int, now_us: int) -> None:
    name = state.estate.hosts[host]
    wave = state.waves[state.wave_of[host]]
    _require(state.wave_of[host] >= 0, 3, name, "it stands in no wave")
    _require(quorum.is_clean(state, host, now_us), 1, name, "reconnected without standing proof of clean")
    for need in state.estate.group(host).needs[3]:
        _require(state.up[need] or need in state.dropped, 2, name, f"needs {state.estate.services[need]} in service")
    _require(bool(wave.launchers), 3, name, "its wave is not launched")
    _require(all(cause.startswith("relapse:") for cause in wave.holds), 3, name, "its wave is held")
    passed = all(state.waves[ancestor].passed_us for ancestor in state.ancestors[state.wave_of[host]])
    _require(passed, 3, name, "an ancestor's gate has not passed")
    site = state.estate.sites[state.estate.site_of[host]]
    frozen = state.freezes and state.freezes.keys() & {"all", f"site:{site}", f"host:{name}"}
    _require(not frozen and not state.clock_doubted, 4, name, "reconnects are frozen")
    _require("breach_closed" in state.facts, 4, name, "the breach is not closed")


def _gate(state: State, command: PassGate, now_us: int) -> None:
    wave = state.estate.wave_number[command.wave]
    gate = state.estate.waves[wave]
    for subject in command.subjects:
        observed = state.readings.get(subject)
        good = observed is not None and observed.outcome == "PASS" and observed.passes >= gate.passes
        _require(good, 3, command.wave, f"{subject} does not read PASS {gate.passes} times in a row")
    soaked = 0 < state.waves[wave].soak_us <= now_us - gate.soak_us
    _require(soaked, 3, command.wave, "the soak is not over")
