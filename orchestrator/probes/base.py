"""What a probe is asked and what it answers.

Never decides what an answer means for a gate. PASS: the peer did what was asked; FAIL: it was asked and did not
(refused, silent, wrong); UNKNOWN: the question could not be put from here.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from orchestrator.canonical import Json
from orchestrator.clock import SystemClock

_CLOCK = SystemClock()
# These say something about this machine or its wires, not about the peer.
_OURS = frozenset(
    {errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EADDRINUSE}
)
# So speaks a machine that is off, a cable that is out, a network that knows nobody of that address.
_SILENCE = frozenset({errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EHOSTDOWN})

Seen = Mapping[str, Json]


class Stop:
    """Ends a question under way: `set` calls, from any thread, what `then` registered, and at once what comes later."""

    def __init__(self) -> None:
        self.is_set = False
        self._endings: list[Callable[[], object]] = []

    def then(self, end: Callable[[], object]) -> None:
        """`end` ends one wait; it may be called when that wait is long over."""
        self._endings.append(end)
        if self.is_set:
            end()

    def set(self) -> None:
        """The question is not wanted any more."""
        self.is_set = True
        for end in tuple(self._endings):
            end()


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the owner of a service signed: its `id`, and the identifier of the test `patient` that may be written."""

    id: str
    patient: str


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to ask, from which of our addresses (empty: any), within `timeout_s` in all, and the probe's parameters
    with every reference to a secret replaced by the secret. `host`: the id of the host at that address, if any.
    """

    address: str
    port: int
    source: str = ""
    timeout_s: float = 10.0
    params: Mapping[str, str | int | bool] = field(default_factory=dict)
    host: str = ""
    agreement: Agreement | None = None
    stop: Stop = field(default_factory=Stop, compare=False, repr=False)

    @property
    def where(self) -> str:
        """Address and port, as sentences name them."""
        return f"{self.address}:{self.port}"

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text."""
        return str(self.params.get(name, default))

    def number(self, name: str, default: int = 0) -> int:
        """A parameter as a whole number."""
        return int(self.params.get(name, default))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it, as a sentence for a person and facts for a program. `heard`: whether the peer said anything
    at all, were it by taking the connection; a machine that is switched off is not heard.
    """

    outcome: Literal["PASS", "FAIL", "UNKNOWN"]
    sentence: str
    facts: dict[str, Json] = field(default_factory=dict)
    heard: bool = True


class Probe(Protocol):
    """Asks one question. Returns within about `timeout_s` whatever the peer does; never raises for its behaviour."""

    def ask(self, question: Question) -> Answer:
        """Put the question and wait for the answer."""
        ...


class Deadline:
    """The moment by which a question must be over."""

    def __init__(self, timeout_s: float) -> None:
        self._end_us = _CLOCK.elapsed_us() + timeout_s * 1e6

    def left_s(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left_s = (self._end_us - _CLOCK.elapsed_us()) / 1e6
        if left_s <= 0:
            raise TimeoutError
        return left_s


def speak_from(peer: socket.socket, source: str) -> None:
    """Have a TCP socket dial from this address of ours. Raises OSError.

    Its port is left to the dial: only then may many targets share one. A port taken here would be its own until a
    minute after the end, and there are 28,000: a second sweep of 10,000 looked for free ones for a minute.
    """
    peer.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
    peer.bind((source, 0))


def connect(question: Question, deadline: Deadline) -> socket.socket:
    """A TCP connection from the question's source. Raises OSError."""
    peer = socket.socket()
    try:
        speak_from(peer, question.source)
        peer.settimeout(deadline.left_s())
        peer.connect((question.address, question.port))
    except OSError as error:
        peer.close()
        if isinstance(error, TimeoutError):  # told apart from a peer that took the connection and fell silent
            raise TimeoutError(errno.ETIMEDOUT, "no connection came about") from error
        raise
    return peer


def unanswered(question: Question, error: OSError) -> Answer:
    """The answer when the connection failed or fell silent."""
    where = question.where
    heard = error.errno not in _SILENCE
    if isinstance(error, TimeoutError):
        return Answer("FAIL", f"{where} did not answer within {question.timeout_s:g} s.", {"error": "timeout"}, heard)
    words = error.strerror or str(error)
    if error.errno in _OURS:
        return Answer("UNKNOWN", f"{where} could not be asked from here: {words}.", {"error": words}, heard=False)
    return Answer("FAIL", f"{where} does not answer: {words}.", {"error": words}, heard)


def unasked(sentence: str) -> Answer:
    """UNKNOWN: the question was not put, for the reason the sentence gives."""
    return Answer("UNKNOWN", sentence, heard=False)


def passed(sentence: str, facts: dict[str, Json] | None = None) -> Answer:
    """PASS, with facts."""
    return Answer("PASS", sentence, facts or {})


def failed(sentence: str, facts: dict[str, Json] | None = None) -> Answer:
    """FAIL of a peer that was heard, with facts."""
    return Answer("FAIL", sentence, facts or {})


def now_us() -> int:
    """The wall clock, microseconds UTC: what a peer's clock, its last row and its certificate are measured by."""
    return _CLOCK.now_us()
