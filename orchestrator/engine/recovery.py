"""Takes a journal over after any end: replays it, then settles every action that was under way.

Never guesses: what a run folder, a mark or a gate cannot tell becomes `lost`, and that is for the core to answer.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from orchestrator.decision.apply import apply
from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Cancelled, Event, Lost
from orchestrator.decision.state import State
from orchestrator.engine.contents import read
from orchestrator.engine.dispatch import Dispatcher
from orchestrator.errors import Unusable
from orchestrator.journal.record import Record
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal

LOG = logging.getLogger("relance.engine")


def applied_to(state: State, state_dir: Path) -> Callable[[Record], None]:
    """The function that applies a journal record to `state`; replay never decides."""

    def apply_record(record: Record) -> None:
        apply(state, read(record, state, state_dir), record.at_us)

    return apply_record


def recover(journal: Journal, state: State, dispatcher: Dispatcher, state_dir: Path) -> list[Event]:
    """Replays, gives open actions back to the dispatcher, and returns the events that settle the rest at once.

    A run folder whose record never reached the disk was never handed out: it is deleted.
    """
    runs = state_dir / "runs"
    replay(journal, applied_to(state, state_dir))
    told = frozenset(name for name, how in state.ended.items() if how != "lost")
    known = {action.dispatched for action in state.open.values() if action.dispatched}
    _delete_unrecorded(runs, journal.head.size)
    missing = {seq for seq in sorted(known) if not _adopted(dispatcher, runs / str(seq), told)}
    return [event for name in list(state.open) for event in _settled(state, dispatcher, name, missing)]


def _adopted(dispatcher: Dispatcher, run_dir: Path, told: frozenset[str]) -> bool:
    """Whether the run goes on from its folder; one without a readable request cannot tell anything."""
    try:
        dispatcher.adopt(run_dir, told=told)
    except Unusable as error:
        LOG.warning("%s Its actions count as lost.", error.sentence)
        return False
    return True


def _settled(state: State, dispatcher: Dispatcher, name: str, missing: set[int]) -> list[Event]:
    """The event that ends an open action now, if one does; else it is under way again."""
    action = state.open[name]
    if action.step == "inspect" or (action.cancel_asked and not action.dispatched):
        # An inspection only reads, and its thread died with the process; the other was never handed out.
        return [Cancelled(name)]
    if action.dispatched in missing:
        return [Lost(name)]
    if not action.dispatched:
        target = name.partition("/")[0]
        dispatcher.issue(Issue(name, target, action.step, action.strategy, action.supersedes), state, state.at_us)
    elif action.cancel_asked:
        dispatcher.cancel_dispatched(name)
    return []


def _delete_unrecorded(runs: Path, size: int) -> None:
    for folder in runs.iterdir():
        if folder.name.isdecimal() and int(folder.name) > size:
            shutil.rmtree(folder)
