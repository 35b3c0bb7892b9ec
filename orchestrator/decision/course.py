"""What the core's own commands about a host do to the state: its strategy, its end, its questions, its debts.

Never decides: `decide` did. Only `apply` calls these functions.
"""

from __future__ import annotations

from orchestrator.decision.commands import (
    Ask,
    ChangeStrategy,
    Condemn,
    EnterService,
    Exclude,
    Freeze,
    GiveUp,
    Owe,
    Thaw,
)
from orchestrator.decision.gates import substitute_post
from orchestrator.decision.parts import Obligation
from orchestrator.decision.stages import OUT, Stage, Turn
from orchestrator.decision.state import State


def enter_service(state: State, command: EnterService, at_us: int) -> None:
    """The host works: it counts for its services, and at its gate if it is a post."""
    host = state.estate.host_number[command.host]
    state.ever_passed_us[host] = state.in_service_us[host] = at_us
    state.move(host, Turn.HOST_CHECK_PASSED)


def change_strategy(state: State, command: ChangeStrategy, at_us: int) -> None:
    """The next strategy starts with all its tries."""
    host = state.estate.host_number[command.host]
    state.strategy[host] = command.strategy
    state.tasks.pop(f"{command.host}/replace", None)
    state.tries[host] = [0] * len(state.tries[host])
    state.late_points[host] = 0
    state.not_before_us[0][host] = 0
    state.infected_us[host] = 0
    state.dirty[host] = None
    choose_anew(state, host)
    state.touch(command.host, "change_strategy")


def condemn(state: State, command: Condemn, at_us: int) -> None:
    """What was restored is thrown away; the same strategy gets one try with an older point."""
    host = state.estate.host_number[command.host]
    state.late_points[host] += 1
    state.void_proof(host)
    state.move(host, Turn.CONDEMNED)
    state.touch(command.host, "condemn")


def give_up(state: State, command: GiveUp, at_us: int) -> None:
    """The host failed for good, until a person retries it; another takes over what it was chosen for."""
    host = state.estate.host_number[command.host]
    state.rematch.discard(host)
    state.move(host, Turn.GIVEN_UP)
    state.waves[state.wave_of[host]].failures += 1
    hand_over(state, host)
    state.touch(command.host, "give_up")


def exclude(state: State, command: Exclude, at_us: int) -> None:
    """The host is left out; one that the plan did not leave off has failed its wave for good."""
    host = state.estate.host_number[command.host]
    if state.wave_of[host] >= 0 and state.stage[host] is not Stage.FAILED and state.strategy[host] != "leave_off":
        state.waves[state.wave_of[host]].failures += 1
    state.leaving.discard(host)
    state.asks.pop(host, None)
    state.void_proof(host)
    state.move(host, Turn.EXCLUDED)
    hand_over(state, host)
    state.touch(command.host, "exclude")


def hand_over(state: State, host: int) -> None:
    """A slice post's place goes to the next post, a quorum member's urgency to the next candidate of each service."""
    if host not in state.chosen:
        return
    state.chosen.discard(host)
    wave = state.wave_of[host]
    for number, posts in enumerate(state.posts[wave]):
        heir = substitute_post(state, host) if host in posts else -1
        if heir >= 0:
            posts.remove(host)
            _join(state, heir, wave, number)
            _inherit(state, heir, host)
    for service in state.estate.services_of[host]:
        candidates = state.candidates(service)
        free = [other for other in candidates if other not in state.chosen]
        if free and len(candidates) - len(free) < state.quorum[service]:
            _inherit(state, min(free, key=lambda other: state.urgency[other]), host)


def choose_anew(state: State, host: int) -> None:
    """A chosen host begins anew: beside it, the candidate that is nearest to playing each of its services is urgent."""
    for service in state.estate.services_of[host] if host in state.chosen else ():
        waiting = [
            other for other in state.candidates(service) if other not in state.chosen and state.stage[other] not in OUT
        ]
        if waiting and not state.up[service]:
            _inherit(state, min(waiting, key=lambda other: (-state.stage[other], state.urgency[other])), host)


def _inherit(state: State, heir: int, host: int) -> None:
    state.chosen.add(heir)
    state.urgency[heir] = min(state.urgency[heir], state.urgency[host])
    state.dirty[heir] = None


def _join(state: State, heir: int, wave: int, number: int) -> None:
    """The heir leaves its own wave, gate included, and stands in the place it takes over."""
    before = state.wave_of[heir]
    state.posts[before] = [[post for post in posts if post != heir] for posts in state.posts[before]]
    state.dirty_gates[before] = None
    state.posts[wave][number].append(heir)
    state.joined[wave].append(heir)
    state.wave_of[heir] = wave
    state.dirty_gates[wave] = None
    state.posts_seen.clear()


def ask(state: State, command: Ask, at_us: int) -> None:
    """A question for a person stands at the host."""
    state.asks.setdefault(state.estate.host_number[command.host], {})[command.lane] = command.why
    state.touch(command.host, "ask")


def owe(state: State, command: Owe, at_us: int) -> None:
    """The host that is out owes a new inspection where it stands."""
    host = state.estate.host_number[command.host]
    state.recheck.pop(host, None)
    state.exceptions.pop(host, None)
    state.obligations[host] = Obligation(command.cause, command.deadline_us, command.holds)
    state.void_proof(host)
    state.relapse_stale = state.relapse_stale or command.holds
    state.wake_at(command.deadline_us, "host", host)
    state.dirty[host] = None


def freeze(state: State, command: Freeze, at_us: int) -> None:
    """No reconnects in this scope; a reach that is frozen already grows, a stronger freeze stays."""
    kind, _, name = command.scope.partition(":")
    if kind == "reach":
        host = state.estate.host_number[name]
        spoke_with = frozenset(state.estate.host_number[one] for one in command.hosts)
        state.reach[host] = state.reach.get(host, frozenset()) | spoke_with
        state.freezes[command.scope] = "recall"
    else:
        del state.alarmed[state.estate.site_number[name]]
        if state.freezes.get(command.scope) != "all-work":
            state.freezes[command.scope] = "alarm"
    state.reconnects_stale = True
    state.touch(command.scope, "freeze")


def thaw(state: State, command: Thaw, at_us: int) -> None:
    """What was frozen looks again."""
    name = command.scope.partition(":")[2]
    state.look_again(state.reach[state.estate.host_number[name]], (Stage.INSPECTED,))
    unfreeze(state, command.scope)
    state.touch(command.scope, "thaw")


def unfreeze(state: State, scope: str) -> None:
    """The freeze of this scope stands no more."""
    state.freezes.pop(scope, None)
    kind, _, name = scope.partition(":")
    if kind == "reach":
        state.reach.pop(state.estate.host_number.get(name, -1), None)
