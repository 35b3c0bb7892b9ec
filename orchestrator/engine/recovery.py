"""Takes a journal over after any end: replays it, then settles every action that was under way.

Never guesses: what a run folder, a mark or a gate cannot tell becomes `lost`, and that is for the core to answer.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from orchestrator.decision import codec
from orchestrator.decision.apply import apply
from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Cancelled, Event, Lost
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import Dispatcher
from orchestrator.journal.record import Record
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal


def applied_to(state: State) -> Callable[[Record], None]:
    """The function that applies a journal record to `state`; replay never decides."""

    def apply_record(record: Record) -> None:
        apply(state, codec.decode(record.kind, record.body), record.at_us)

    return apply_record


def recover(journal: Journal, state: State, dispatcher: Dispatcher, runs: Path) -> list[Event]:
    """Replays, gives open actions back to the dispatcher, and returns the events that settle the rest at once.

    A run folder whose record never reached the disk was never handed out: it is deleted.
    """
    replay(journal, applied_to(state))
    told = frozenset(name for name, how in state.ended.items() if how != "lost")
    known = {action.dispatched for action in state.open.values() if action.dispatched}
    _delete_unrecorded(runs, journal.head.size)
    events: list[Event] = []
    missing = set()
    for seq in sorted(known):
        run_dir = runs / str(seq)
        if (run_dir / "request.json").exists():
            dispatcher.adopt(run_dir, told=told)
        else:
            missing.add(seq)
    for name, action in list(state.open.items()):
        if action.step == "inspect":
            # It only reads, and its thread died with the process: it never took effect.
            events.append(Cancelled(name))
        elif not action.dispatched:
            target = name.partition("/")[0]
            dispatcher.issue(Issue(name, target, action.step, action.strategy, action.supersedes), state, state.at_us)
        elif action.dispatched in missing:
            events.append(Lost(name))
        elif action.cancel_asked:
            dispatcher.cancel_dispatched(name)
    return events


def _delete_unrecorded(runs: Path, size: int) -> None:
    for folder in runs.iterdir():
        if folder.name.isdigit() and int(folder.name) > size:
            shutil.rmtree(folder)
