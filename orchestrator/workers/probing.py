"""Asks many probe questions at once, and sweeps the hosts of a site from outside: who answers?

Never judges an answer and never blocks its caller, except in `sweep`, which lasts at most its timeout per round.
"""

from __future__ import annotations

import errno
import os
import resource
import selectors
import socket
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path

from orchestrator.checks.model import AT_ONCE, references
from orchestrator.clock import SystemClock
from orchestrator.errors import Unusable
from orchestrator.probes.base import Answer, Probe, Question, speak_from, unasked
from orchestrator.workers.threads import Threads

_CLOCK = SystemClock()
_THREADS = 16
_FLIGHT_MAX = 2048
_SPARE_FILES = 128
_SECRET_MAX = 1 << 16
_WITHOUT_END = 1 << 30

Target = tuple[str, int]


class _Found(Mapping[str, Probe]):
    """The probes that are installed, by name; each is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._points = {point.name: point for point in entry_points(group="relance.probes")}
        self._loaded: dict[str, Probe] = {}

    def __getitem__(self, name: str) -> Probe:
        if name not in self._loaded:
            self._loaded[name] = self._points[name].load()()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


_FOUND = _Found()


def own_probes() -> Mapping[str, Probe]:
    """The probes of this version, by the name content uses."""
    return _FOUND


class Prober:
    """Puts questions to a bounded pool of threads, no more to one node at once than it bears; `poll` has the answers.

    `secrets`: the folder in which `file:` references of questions are looked up; None: they cannot be asked.
    """

    def __init__(
        self, probes: Mapping[str, Probe] | None = None, threads: int = _THREADS, secrets: Path | None = None
    ) -> None:
        self._probes = probes if probes is not None else own_probes()
        self._pool: Threads[Answer] = Threads(threads, "probe")
        self._waiting: dict[str, tuple[Future[Answer] | None, str, Question]] = {}
        # By probe and node, where one is asked a few things at once only: what is under way, and what waits its turn.
        self._asking: Counter[tuple[str, str]] = Counter()
        self._held: dict[tuple[str, str], deque[str]] = {}
        self.secrets = secrets

    def submit(self, name: str, probe: str, question: Question) -> bool:
        """Ask `question` with the probe of that name, unless `name` is still being asked (then False)."""
        if name in self._waiting:
            return False
        node = (probe, question.where)
        full = self._asking[node] >= AT_ONCE.get(probe, _WITHOUT_END)
        self._waiting[name] = (None if full else self._begin(probe, question), probe, question)
        if full:
            self._held.setdefault(node, deque()).append(name)
        return True

    def _begin(self, probe: str, question: Question) -> Future[Answer]:
        if probe in AT_ONCE:
            self._asking[probe, question.where] += 1
        return self._pool.submit(lambda: self._ask(probe, question))

    def poll(self) -> list[tuple[str, Answer]]:
        """The answers that came since the last call; whoever waited for their nodes is asked next."""
        found = []
        for name, (future, probe, question) in list(self._waiting.items()):
            if future is not None and future.done():
                del self._waiting[name]
                found.append((name, _answer(future)))
                self._ended((probe, question.where))
        return found

    def _ended(self, node: tuple[str, str]) -> None:
        if node[0] not in AT_ONCE:
            return
        self._asking[node] -= 1
        if self._held.get(node):
            name = self._held[node].popleft()
            _, probe, question = self._waiting[name]
            self._waiting[name] = (self._begin(probe, question), probe, question)

    def cancel(self, name: str) -> None:
        """Wait no longer for what `name` asks; its answer, UNKNOWN, still comes by `poll`."""
        if name in self._waiting:
            self._waiting[name][2].stop.set()

    def close(self) -> None:
        """Ask nothing more; what is being asked is ended, and nobody hears its answer."""
        self._pool.close()
        for _, _, question in self._waiting.values():
            question.stop.set()

    def _ask(self, probe: str, question: Question) -> Answer:
        if probe not in self._probes:
            return unasked(f"This version has no probe named {probe!r}.")
        if question.stop.is_set:
            return unasked(f"{question.where} was not asked.")
        named = references(probe, question.params)
        try:
            secret = {name: revealed(reference, self.secrets) for name, reference in named.items()}
        except Unusable as error:
            return unasked(error.sentence)
        answer = self._probes[probe].ask(replace(question, params={**question.params, **secret}))
        return _without(answer, [text for text in secret.values() if text])


def revealed(reference: str, folder: Path | None) -> str:
    """The text behind a `file:` or `env:` reference, without the line's end. Raises Unusable."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise Unusable(f"The environment has no {name}, which a check refers to.")
        return os.environ[name]
    if folder is None:
        raise Unusable(f"There is no folder of secrets to find {name} in, which a check refers to.")
    path = folder / name
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_SECRET_MAX)
    except OSError as error:
        raise Unusable(f"{path} cannot be read, which a check refers to: {error.strerror}.") from error
    if mode & 0o077:
        raise Unusable(f"{path} can be reached by others; it is not used until its mode is 0600.")
    return text.decode("utf-8", "replace").rstrip("\r\n")


def _without(answer: Answer, secrets: list[str]) -> Answer:
    """The answer as it may be kept: a peer, or a library, may have repeated what it was told."""
    if not any(secret in f"{answer.sentence}{answer.facts}" for secret in secrets):
        return answer
    return Answer("UNKNOWN", "The answer repeats a secret and is not shown.", {"error": "secret"}, answer.heard)


def _answer(future: Future[Answer]) -> Answer:
    error = future.exception()
    if error is not None:  # the probe's own fault
        return Answer("UNKNOWN", f"The probe failed: {type(error).__name__}: {error}.", heard=False)
    return future.result()


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep saw. It proves silence only if `control` answered. `unasked` could not be dialled from here."""

    control: bool
    answered: frozenset[Target]
    unasked: frozenset[Target]


def sweep(source: str, targets: Iterable[Target], control: Target, *, timeout_s: float = 2.0) -> Swept:
    """Dial every target by TCP from `source`; a connection or a refusal is an answer, silence is none.

    Non-blocking: at most 2,048 dials are in flight (fewer if the process may open fewer files).
    """
    flight = _Flight(source, timeout_s)
    flight.dial({*targets, control})
    return Swept(control in flight.answered, frozenset(flight.answered - {control}), frozenset(flight.unasked))


class _Flight:
    """The dials under way. Each slot is given again as soon as its target answered or its time was over."""

    def __init__(self, source: str, timeout_s: float) -> None:
        self.answered: set[Target] = set()
        self.unasked: set[Target] = set()
        self._source = source
        self._timeout_us = timeout_s * 1e6
        self._selector = selectors.DefaultSelector()
        self._open: deque[tuple[float, socket.socket, Target]] = deque()

    def dial(self, targets: set[Target]) -> None:
        """Dial them all and wait for the last."""
        waiting = sorted(targets, reverse=True)
        with self._selector:
            while waiting or self._open:
                while waiting and len(self._selector.get_map()) < _flight_max():
                    self._begin(waiting.pop())
                self._wait()

    def _begin(self, target: Target) -> None:
        peer = socket.socket()
        peer.setblocking(False)
        try:
            speak_from(peer, self._source)
            code = peer.connect_ex(target)
        except OSError as error:
            code = error.errno or errno.EINVAL
        if code == errno.EINPROGRESS:
            self._selector.register(peer, selectors.EVENT_WRITE, target)
            self._open.append((_CLOCK.elapsed_us() + self._timeout_us, peer, target))
        else:
            self._note(target, code)
            peer.close()

    def _wait(self) -> None:
        """Take what answered, then drop what is overdue; the oldest dial stands first."""
        left_s = (self._open[0][0] - _CLOCK.elapsed_us()) / 1e6 if self._open else 0
        for key, _ in self._selector.select(max(0.0, left_s)):
            peer = key.fileobj
            if isinstance(peer, socket.socket):
                self._note(key.data, peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                self._drop(peer)
        while self._open and (self._open[0][1].fileno() < 0 or self._open[0][0] <= _CLOCK.elapsed_us()):
            self._drop(self._open.popleft()[1])

    def _drop(self, peer: socket.socket) -> None:
        if peer.fileno() >= 0:
            self._selector.unregister(peer)
            peer.close()

    def _note(self, target: Target, code: int) -> None:
        if code in (0, errno.ECONNREFUSED, errno.ECONNRESET):
            self.answered.add(target)
        elif code not in (errno.ETIMEDOUT, errno.EHOSTUNREACH):
            self.unasked.add(target)


def _flight_max() -> int:
    files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(8, min(_FLIGHT_MAX, files_max - _SPARE_FILES))
