"""Runs the one loop: events in, decided and journaled in one transaction, then commands handed out.

Never decides, never lets an effect happen before its record is on disk, and never swallows a failed commit: the
engine then stops closed, and the journal is the truth to start again from.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol, TypeVar

from orchestrator.clock import Clock
from orchestrator.decision import codec
from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.decide import Entry, decide
from orchestrator.decision.events import Event, Jumped, Woke
from orchestrator.decision.invariants import InvariantBroken
from orchestrator.decision.state import State
from orchestrator.errors import RelanceError, Unusable
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.record import Head
from orchestrator.journal.sqlite import Journal

T = TypeVar("T")
LOG = logging.getLogger("relance.engine")
TICK_S = 0.05
JUMP_US = 300_000_000
BATCH_MAX = 500


class Hands(Protocol):
    """What carries commands out and brings back what happened. Called in the engine's thread only."""

    def issue(self, command: Issue, state: State) -> None:
        """Take an action whose record is on disk."""
        ...

    def cancel(self, command: Cancel) -> None:
        """Stop an action that has not begun."""
        ...

    def poll(self, state: State, now_us: int) -> list[Event]:
        """What happened since the last call; also the moment to look for work that is due."""
        ...

    def dispatched(self, seq: int, state: State) -> None:
        """Called inside the transaction that journals a dispatch: write the run folder `seq` now."""
        ...

    def committed(self) -> None:
        """The transaction is on disk: start what was dispatched."""
        ...


class Engine:
    """Owns state and journal in one thread. `submit` and `read` may be called from any other thread."""

    def __init__(self, state_dir: Path, state: State, hands: Hands, clock: Clock) -> None:
        self.state_dir = state_dir
        self.blobs = Blobs(state_dir / "evidence")
        self.failure: RelanceError | None = None
        self._state = state
        self._hands = hands
        self._clock = clock
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self._events: list[tuple[Event, Future[list[Entry]] | None]] = []
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._offset_us = 0
        self._journal: Journal
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def incident(self) -> str:
        """The incident this state folder is about."""
        return self._state.incident

    def start(self, prepare: Callable[[], tuple[Journal, list[Event]]]) -> None:
        """Starts turning. `prepare` runs in the engine's thread: it opens the journal, replays and recovers, and
        gives the events to begin with. Raises what it raised.
        """
        self._prepare = prepare
        self._thread.start()
        self._ready.wait()
        if self.failure is not None:
            raise self.failure

    def stop(self, timeout_s: float = 30.0) -> None:
        """Takes no more work; what was handed out goes on by itself."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def wait(self, timeout_s: float) -> bool:
        """Waits; whether the engine has ended (see `failure`)."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def submit(self, event: Event) -> list[Entry]:
        """Admits an event; the records that followed, on disk. Raises what the core raised."""
        reply: Future[list[Entry]] = Future()
        self._call(lambda: self._events.append((event, reply)))
        return self._answer(reply)

    def read(self, fn: Callable[[State, int], T]) -> T:
        """Runs `fn(state, now_us)` between turns and gives back what it gave; it must be quick and keep nothing."""
        reply: Future[T] = Future()
        self._call(lambda: _fulfil(reply, lambda: fn(self._state, self._now_us())))
        return self._answer(reply)

    def head(self) -> Head:
        """The journal's committed head."""
        reply: Future[Head] = Future()
        self._call(lambda: _fulfil(reply, lambda: self._journal.head))
        return self._answer(reply)

    def known_head(self, size: int, root: bytes) -> bool:
        """Whether `(size, root)` is a prefix of this journal."""
        reply: Future[bool] = Future()
        self._call(lambda: _fulfil(reply, lambda: self._journal.holds(Head(size, root))))
        return self._answer(reply)

    def _call(self, fn: Callable[[], None]) -> None:
        if not self._thread.is_alive():
            raise self.failure or Unusable("The engine has stopped.")
        self._calls.put(fn)

    def _answer(self, reply: Future[T]) -> T:
        while True:
            try:
                return reply.result(timeout=1.0)
            except TimeoutError:
                if not self._thread.is_alive():
                    raise (self.failure or Unusable("The engine has stopped.")) from None

    def _run(self) -> None:
        try:
            self._journal, first = self._prepare()
            self._events = [(event, None) for event in first]
            self._offset_us = self._clock.now_us() - self._clock.elapsed_us()
            self._ready.set()
            while not self._stopping.is_set():
                self._turn()
        except RelanceError as error:
            self.failure = error
        finally:
            self._ready.set()
            if hasattr(self, "_journal"):
                self._journal.close()

    def _turn(self) -> None:
        """One round: calls and events in, one transaction, commands out."""
        self._take_calls()
        now_us = self._now_us()
        events = [*self._jump(now_us), *((event, None) for event in self._hands.poll(self._state, now_us))]
        events += self._events
        self._events = []
        timers = self._state.timers
        if timers and timers[0][0] <= now_us:
            events.append((Woke(), None))
        for start in range(0, len(events), BATCH_MAX):
            self._commit(events[start : start + BATCH_MAX], now_us)

    def _take_calls(self) -> None:
        """Runs what other threads asked; waits a tick when nothing is there."""
        try:
            self._calls.get(timeout=TICK_S)()
            while True:
                self._calls.get_nowait()()
        except queue.Empty:
            return

    def _commit(self, events: Sequence[tuple[Event, Future[list[Entry]] | None]], now_us: int) -> None:
        replies: list[tuple[Future[list[Entry]], list[Entry]]] = []
        decided: list[Entry] = []
        self._journal.begin()
        for event, reply in events:
            try:
                entries = decide(self._state, event, now_us)
            except InvariantBroken:
                self._journal.rollback()
                raise
            except RelanceError as error:
                if reply is None:
                    # A worker told something impossible: nothing changed, and a person should know.
                    LOG.warning("%s refused: %s", type(event).__name__, error.sentence)
                else:
                    reply.set_exception(error)
                continue
            for entry in entries:
                kind, body = codec.encode(entry)
                record = self._journal.append(self._state.at_us, kind, body)
                if kind == "dispatched":
                    self._hands.dispatched(record.seq, self._state)
            decided += entries
            if reply is not None:
                replies.append((reply, entries))
        if decided:
            self._journal.commit()
        else:
            self._journal.rollback()
        self._hand_out(decided)
        for reply, entries in replies:
            reply.set_result(entries)

    def _hand_out(self, decided: Sequence[Entry]) -> None:
        self._hands.committed()
        for entry in decided:
            if isinstance(entry, Issue):
                self._hands.issue(entry, self._state)
            elif isinstance(entry, Cancel):
                self._hands.cancel(entry)

    def _now_us(self) -> int:
        return max(self._clock.now_us(), self._state.at_us)

    def _jump(self, now_us: int) -> list[tuple[Event, Future[list[Entry]] | None]]:
        """A wall clock that moved against elapsed time by more than five minutes is an event of its own."""
        offset_us = self._clock.now_us() - self._clock.elapsed_us()
        delta_us = offset_us - self._offset_us
        if abs(delta_us) < JUMP_US:
            return []
        self._offset_us = offset_us
        return [(Jumped(delta_us), None)]


def _fulfil(reply: Future[T], fn: Callable[[], T]) -> None:
    """Runs a call of another thread; its failure belongs to that thread."""
    try:
        reply.set_result(fn())
    except RelanceError as error:
        reply.set_exception(error)
