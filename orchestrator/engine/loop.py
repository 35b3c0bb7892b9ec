"""Runs the one loop: events in, decided and journaled in one transaction, then commands handed out.

Never decides, never lets an effect happen before its record is on disk, and never swallows a failed commit: the
engine then stops closed, and the journal is the truth to start again from.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from orchestrator.clock import Clock
from orchestrator.decision import codec
from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.decide import Entry, decide
from orchestrator.decision.events import Epoch, Event, Jumped, Woke
from orchestrator.decision.invariants import InvariantBroken
from orchestrator.decision.state import State
from orchestrator.errors import RelanceError, Unusable
from orchestrator.journal import record
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.disk import refused_by_disk
from orchestrator.journal.record import Head, Record
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.model import Content

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
        self.backup = "Nothing is backed up by itself."
        self.dropbox = ""
        self._state = state
        self._hands = hands
        self._clock = clock
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self._events: list[tuple[Event, Future[list[Entry]] | None]] = []
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._time_us = self._elapsed_us = 0
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
        """Admits an event; the records that followed, on disk. Raises what the core raised, or NotCanonical."""
        record.encode(Record(0, 0, *codec.encode(event)))  # once the core took it, it must fit into a record
        reply: Future[list[Entry]] = Future()
        self._call(lambda: self._events.append((event, reply)))
        return self._answer(reply)

    def read(self, fn: Callable[[State, int], T]) -> T:
        """Runs `fn(state, now_us)` between turns and gives back what it gave; it must be quick and keep nothing.

        It runs in the caller's thread while the engine waits: what goes wrong in it is the caller's alone.
        """
        with self._between_turns():
            return fn(self._state, self._now_us())

    def offer(self, content: Content) -> None:
        """Gives the core content that an order may put in force; nothing is changed by it."""
        with self._between_turns():
            self._state.contents[content.digest] = content

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

    @contextmanager
    def _between_turns(self) -> Iterator[None]:
        lent: Future[None] = Future()
        given_back = threading.Event()

        def lend() -> None:
            lent.set_result(None)
            given_back.wait()

        try:
            self._call(lend)
            self._answer(lent)
            yield
        finally:
            given_back.set()

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
        # What is neither foreseen nor the disk's leaves its traceback on standard error, and this sentence.
        failure: RelanceError | None = Unusable(
            "The engine ended by a fault of its own, printed above. Nothing committed was lost: start it again."
        )
        try:
            self._begin()
            while not self._stopping.is_set():
                self._turn()
            failure = None
        except RelanceError as error:
            failure = error
        except OSError as error:
            failure = refused_by_disk(error, Path(error.filename or self.state_dir))
        finally:
            self.failure = failure
            self._ready.set()
            if hasattr(self, "_journal"):
                self._journal.close()

    def _begin(self) -> None:
        self._journal, first = self._prepare()
        self._events = [(event, None) for event in first]
        # While nobody ran the wall clock alone tells what passed; what it was set back meanwhile is found as a jump.
        self._time_us = max(self._state.at_us, self._clock.now_us() - self._state.jump_us)
        self._elapsed_us = self._clock.elapsed_us()
        self._ready.set()

    def _turn(self) -> None:
        """One round: calls and events in, one transaction, commands out."""
        self._take_calls()
        self._heed_clock()
        now_us = self._now_us()
        events = [*((event, None) for event in self._hands.poll(self._state, now_us)), *self._events]
        self._events = []
        timers = self._state.timers
        if timers and timers[0][0] <= now_us:
            events.append((Woke(), None))
        for start in range(0, len(events), BATCH_MAX):
            self._commit(events[start : start + BATCH_MAX], now_us)

    def _take_calls(self) -> None:
        """Runs what other threads have asked by now; waits a tick when nothing is there."""
        try:
            self._calls.get(timeout=TICK_S)()
        except queue.Empty:
            return
        for _ in range(self._calls.qsize()):  # not what comes meanwhile: many who ask must not stop the work
            self._calls.get_nowait()()

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
        """Core time: what elapsed, and what a wall clock ahead of it by less than five minutes adds.

        It never goes back and never stands still, so that waits, soaks and sweeps go on; it follows no jump.
        """
        elapsed_us = self._clock.elapsed_us()
        self._time_us += elapsed_us - self._elapsed_us
        self._elapsed_us = elapsed_us
        ahead_us = self._ahead_us()
        self._time_us += ahead_us if 0 < ahead_us < JUMP_US else 0
        return self._time_us

    def _ahead_us(self) -> int:
        """How far the wall clock is ahead of core time, the jumps aside that are on record."""
        return self._clock.now_us() - self._state.jump_us - self._time_us

    def _heed_clock(self) -> None:
        """A clock that jumped is a record; once a person confirmed it, time continues from it, as a record too."""
        now_us, ahead_us = self._now_us(), self._ahead_us()
        if abs(ahead_us) >= JUMP_US:
            self._commit([(Jumped(ahead_us), None)], now_us)
        elif self._state.clock_confirmed:
            self._commit([(Epoch(self._state.jump_us), None)], now_us)
            self._time_us = self._state.at_us


def _fulfil(reply: Future[T], fn: Callable[[], T]) -> None:
    """Runs a call of another thread; its failure belongs to that thread."""
    try:
        reply.set_result(fn())
    except RelanceError as error:
        reply.set_exception(error)
