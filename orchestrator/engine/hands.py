"""The engine's hands in a live process: actions through the dispatcher, questions through the watch, evidence matched.

Never decides; all of them live in the engine's thread.
"""

from __future__ import annotations

from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.events import Event
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import Dispatcher
from orchestrator.engine.rematch import Rematching
from orchestrator.engine.watch import Watch


class LiveHands:
    """Implements `loop.Hands`."""

    def __init__(self, dispatcher: Dispatcher, watch: Watch, rematching: Rematching) -> None:
        self.dispatcher = dispatcher
        self.watch = watch
        self.rematching = rematching

    def issue(self, command: Issue, state: State) -> None:
        """Takes an action whose record is on disk."""
        self.dispatcher.issue(command, state, state.at_us)

    def cancel(self, command: Cancel) -> None:
        """Stops an action that has not begun."""
        self.dispatcher.cancel(command)

    def poll(self, state: State, now_us: int) -> list[Event]:
        """Results, due batches, readings, sweeps and what evidence was matched."""
        return [*self.dispatcher.poll(now_us), *self.watch.poll(state, now_us), *self.rematching.poll(state)]

    def dispatched(self, seq: int, state: State) -> None:
        """Writes the run folder of the dispatch that is being journaled."""
        self.dispatcher.dispatched(seq, state)

    def committed(self) -> None:
        """Starts what was dispatched."""
        self.dispatcher.committed()

    def close(self) -> None:
        """Asks and inspects nothing more; runners go on by themselves."""
        self.watch.close()
        self.rematching.close()
        self.dispatcher.close()
