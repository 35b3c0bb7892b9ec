"""What a probe is asked and what it answers.

Never decides what an answer means for a gate. PASS: the peer did what was asked; FAIL: it was asked and did not
(refused, silent, wrong); UNKNOWN: the question could not be put from here.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from orchestrator.canonical import Json
from orchestrator.clock import SystemClock

_CLOCK = SystemClock()
# These say something about this machine or its wires, not about the peer.
_OURS = frozenset({errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE, errno.ENFILE, errno.EACCES})
# So speaks a machine that is off, a cable that is out, a network that knows nobody of that address.
_SILENCE = frozenset({errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EHOSTDOWN})


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to ask, from which of our addresses (empty: any), within `timeout_s` in all, and the probe's parameters."""

    address: str
    port: int
    source: str = ""
    timeout_s: float = 10.0
    params: Mapping[str, str | int | bool] = field(default_factory=dict)


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


def connect(question: Question, deadline: Deadline) -> socket.socket:
    """A TCP connection from the question's source. Raises OSError."""
    source = (question.source, 0) if question.source else None
    try:
        return socket.create_connection((question.address, question.port), deadline.left_s(), source)
    except TimeoutError as error:  # told apart from a peer that took the connection and fell silent
        raise TimeoutError(errno.ETIMEDOUT, "no connection came about") from error


def unanswered(question: Question, error: OSError) -> Answer:
    """The answer when the connection failed or fell silent."""
    where = f"{question.address}:{question.port}"
    heard = error.errno not in _SILENCE
    if isinstance(error, TimeoutError):
        return Answer("FAIL", f"{where} did not answer within {question.timeout_s:g} s.", {"error": "timeout"}, heard)
    words = error.strerror or str(error)
    if error.errno in _OURS:
        return Answer("UNKNOWN", f"{where} could not be asked from here: {words}.", {"error": words}, heard=False)
    return Answer("FAIL", f"{where} does not answer: {words}.", {"error": words}, heard)
