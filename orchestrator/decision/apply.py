"""The only writer of the state: gives each record to the one function that knows what it changes.

Never judges whether a record may happen (`admit` and `decide` did), so replaying a journal is applying its records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.decision import commands as c
from orchestrator.decision import course, effects, epoch, findings, gates, life
from orchestrator.decision import events as e
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State


def apply(state: State, entry: e.Event | c.Command, at_us: int) -> None:
    """Applies one record at its time (microseconds UTC)."""
    state.seq += 1
    state.at_us = at_us
    APPLY[type(entry)](state, entry, at_us)
    if state.horizon_agenda:
        gates.refresh_horizon(state)


def _opened(state: State, event: e.Opened, at_us: int) -> None:
    state.incident = event.incident


def _nothing(state: State, event: e.Woke | e.Forecasted | e.EvidenceRead, at_us: int) -> None:
    """A timer changes nothing by itself, nor does what somebody foresees."""


def _jumped(state: State, event: e.Jumped, at_us: int) -> None:
    state.jump_us += event.delta_us
    state.clock_doubted, state.clock_confirmed = True, False
    state.reconnects_stale = True
    state.touch("clock", "jumped")  # who saw it before the jump did not confirm this one


def _start_soak(state: State, command: c.StartSoak, at_us: int) -> None:
    wave = state.estate.wave_number[command.wave]
    state.waves[wave].soak_us = at_us
    state.dirty_gates[wave] = None


def _break_soak(state: State, command: c.BreakSoak, at_us: int) -> None:
    state.waves[state.estate.wave_number[command.wave]].soak_us = 0


def _pass_gate(state: State, command: c.PassGate, at_us: int) -> None:
    wave = state.estate.wave_number[command.wave]
    state.waves[wave].passed_us = at_us
    state.horizon_agenda[wave] = None
    number, good = state.estate.service_number, state.good
    if not all(good[number[service]] for service in state.estate.plan.waves[wave].services):
        state.relapse_stale = True
    for other in state.followers[wave]:
        state.look_again(state.members(other), (Stage.INSPECTED,))
    state.touch(command.wave, "pass_gate")


def _hold(state: State, command: c.Hold, at_us: int) -> None:
    state.waves[state.estate.wave_number[command.wave]].holds[command.cause] = at_us
    state.reconnects_stale = True
    state.touch(command.wave, "hold")


def _unhold(state: State, command: c.Unhold, at_us: int) -> None:
    wave = state.estate.wave_number[command.wave]
    state.waves[wave].holds.pop(command.cause, None)
    state.look_again(state.members(wave), (Stage.INSPECTED,))


def _open_task(state: State, command: c.OpenTask, at_us: int) -> None:
    effects.open_task(state, command.task, at_us)


def _confirm_task(state: State, command: c.ConfirmTask, at_us: int) -> None:
    effects.confirm_task(state, command.task, at_us)


APPLY: dict[type, Callable[[State, Any, int], None]] = {
    e.Opened: _opened,
    e.Started: findings.started,
    e.Woke: _nothing,
    e.Forecasted: _nothing,
    e.EvidenceRead: _nothing,
    e.Ordered: effects.ordered,
    e.Judged: findings.judged,
    e.Rematched: findings.rematched,
    e.Finished: life.finished,
    e.Lost: life.lost,
    e.Cancelled: life.cancelled,
    e.Late: life.late,
    e.Dispatched: life.dispatched,
    e.Reading: findings.reading,
    e.Swept: findings.swept,
    e.Jumped: _jumped,
    e.Epoch: epoch.passed,
    c.Issue: life.issue,
    c.Cancel: life.cancel,
    c.EnterService: course.enter_service,
    c.ChangeStrategy: course.change_strategy,
    c.Condemn: course.condemn,
    c.Exclude: course.exclude,
    c.GiveUp: course.give_up,
    c.Ask: course.ask,
    c.Owe: course.owe,
    c.Freeze: course.freeze,
    c.Thaw: course.thaw,
    c.StartSoak: _start_soak,
    c.BreakSoak: _break_soak,
    c.PassGate: _pass_gate,
    c.Hold: _hold,
    c.Unhold: _unhold,
    c.OpenTask: _open_task,
    c.ConfirmTask: _confirm_task,
}
