"""Talks to one peer over a connection that is bounded in time, by phase and in all, and in bytes.

Never judges what a peer said, and never lets it go on: a peer that is dead, slow, half-open or talkative ends in an
answer that tells which.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Deadline, Question, Seen, connect, failed, unanswered, unasked

BYTES_MAX = 1 << 20
_PHASE = 0.6  # the share of a question's time that one phase may use up

_T = TypeVar("_T")


class Ended(Exception):
    """The conversation ended early, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.sentence)
        self.answer = answer


class _Talkative(OSError):
    """The peer said more than a conversation may hold."""


class _Closed(OSError):
    """The peer closed the connection before it had said what was asked."""


class Talk:
    """The bounds of one conversation, and how far it came: the phase it is in and what was heard in that phase."""

    def __init__(self, question: Question, peer: str, bytes_max: int) -> None:
        self.question = question
        self._peer = f"{peer} at {question.where}"
        self._trouble: OSError | None = None
        self._bytes_max = self._bytes_left = bytes_max
        self._deadline = Deadline(question.timeout_s)
        self.enter("")

    def enter(self, phase: str) -> None:
        """What follows is `phase` (as in "while it ..."), which has a bound of its own."""
        self._phase = phase
        self._heard = False
        self._phase_end = Deadline(self.question.timeout_s * _PHASE)

    def left_s(self) -> float:
        """Seconds left for this phase. Raises TimeoutError."""
        return min(self._deadline.left_s(), self._phase_end.left_s())

    @property
    def is_over(self) -> bool:
        """Whether something has ended the talk on the line."""
        return self._trouble is not None

    def took(self, count: int) -> None:
        """So many bytes came. Raises OSError beyond the bound."""
        self._heard = True
        self._bytes_left -= count
        if self._bytes_left < 0:
            self._trouble = _Talkative()
            raise self._trouble

    def bounded(self, line: socket.socket, receive: Callable[[], _T]) -> _T:
        """Do one thing with the line within the phase, and remember what ended it. A library that tries again after
        the end is refused: the end was the peer's answer.
        """
        if self._trouble is not None:
            raise OSError("the conversation is over") from self._trouble
        try:
            line.settimeout(self.left_s())
            return receive()
        except OSError as error:
            self._trouble = error
            raise

    def closed(self) -> None:
        """The peer closed; whatever a library makes of that, this is what happened."""
        self._trouble = _Closed()

    def answer(self, error: Exception) -> Answer:
        """What to say of a conversation that `error` ended: what happened on the line, if that is what it came from."""
        trouble = self._trouble or error
        if self.question.stop.is_set:
            return unasked(f"{self._peer} was not waited for any longer.")
        if not self._phase and isinstance(trouble, OSError):
            if isinstance(trouble, TimeoutError) and not self._heard:
                trouble = TimeoutError(errno.ETIMEDOUT, "nothing came")
            return unanswered(self.question, trouble)
        facts: dict[str, Json] = {"phase": self._phase}
        if isinstance(trouble, _Talkative):
            words = f"said more than {self._bytes_max} bytes"
            return failed(f"{self._peer} {words} while it should {self._phase}.", facts | {"error": "talkative"})
        if isinstance(trouble, TimeoutError):
            did, known = ("did not come to an end", "unfinished") if self._heard else ("said nothing", "silent")
            return failed(
                f"{self._peer} took the connection and {did} in time when it should {self._phase}.",
                facts | {"error": known},
            )
        if isinstance(trouble, _Closed | ConnectionResetError | BrokenPipeError | ssl.SSLEOFError | EOFError):
            sentence = f"{self._peer} took the connection and closed it when it should {self._phase}."
            return failed(sentence, facts | {"error": "closed"})
        return failed(f"{self._peer} did not {self._phase}: {said(trouble)}.", facts | {"error": "refused"})


def said(error: Exception) -> str:
    """An error of a library in words without its full stop, on one line, at most 200 characters."""
    words = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
    return words[:200].rstrip(".")


class Line(socket.socket):
    """A connection of a talk; each read and write is bounded by it. Libraries may be given it as a socket."""

    talk: Talk

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = self.talk.bounded(self, lambda: super(Line, self).recv(size, flags))
        self.talk.took(len(data)) if data else self.talk.closed()
        return data

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
        count = self.talk.bounded(self, lambda: super(Line, self).recv_into(buffer, nbytes, flags))
        self.talk.took(count) if count else self.talk.closed()
        return count

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        self.talk.bounded(self, lambda: super(Line, self).sendall(data, flags))

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        return self.talk.bounded(self, lambda: super(Line, self).send(data, flags))

    def close(self) -> None:
        """At once, whatever a library still holds of it."""
        if self.fileno() >= 0:
            os.close(self.detach())


class TlsLine(ssl.SSLSocket):
    """The same behind TLS."""

    talk: Talk

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        data = self.talk.bounded(self, lambda: super(TlsLine, self).recv(buflen, flags))
        self.talk.took(len(data)) if data else self.talk.closed()
        return data

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int | None = None, flags: int = 0) -> int:  # type: ignore[override]
        count = self.talk.bounded(self, lambda: super(TlsLine, self).recv_into(buffer, nbytes, flags))
        self.talk.took(count) if count else self.talk.closed()
        return count

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        self.talk.bounded(self, lambda: super(TlsLine, self).sendall(data, flags))

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        return self.talk.bounded(self, lambda: super(TlsLine, self).send(data, flags))

    def close(self) -> None:
        """At once, whatever a library still holds of it."""
        if self.fileno() >= 0:
            os.close(self.detach())


def exactly(line: socket.socket, size: int) -> bytes:
    """The next `size` bytes. Raises OSError."""
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            raise _Closed
        data += more
    return data


def gibberish(question: Question, protocol: str, how: str = "") -> Ended:
    """The end of a conversation with a peer that speaks something else."""
    detail = f": {how}" if how else ""
    return Ended(
        failed(f"{question.where} answers with something that is not {protocol}{detail}.", {"error": "gibberish"})
    )


def conversed(
    question: Question,
    peer: str,
    ask: Callable[[Line], Seen],
    judge: Callable[[Question, Seen], Answer],
    *,
    errors: tuple[type[Exception], ...] = (),
    datagrams: bool = False,
    bytes_max: int = BYTES_MAX,
) -> Answer:
    """Connect to the peer (named `peer` in sentences), have `ask` talk to it, and judge what it saw.

    `errors`: what a library raises when the peer does not do as it should.
    """
    talk = Talk(question, peer, bytes_max)
    caught: tuple[type[Exception], ...] = (OSError, EOFError, *errors)
    try:
        with _opened(talk, datagrams=datagrams) as line:
            question.stop.then(lambda: shut(line))
            seen = ask(line)
    except Ended as end:
        return talk.answer(end) if question.stop.is_set else end.answer
    except caught as error:
        return talk.answer(error)
    return judge(question, seen)


def _opened(talk: Talk, *, datagrams: bool) -> Line:
    question = talk.question
    if datagrams:
        plain = socket.socket(type=socket.SOCK_DGRAM)
        try:
            plain.bind((question.source, 0))
            plain.connect((question.address, question.port))  # hears this peer alone, and its refusals
        except OSError:
            plain.close()
            raise
    else:
        plain = connect(question, Deadline(question.timeout_s * _PHASE))
    line = Line(plain.family, plain.type, plain.proto, plain.detach())
    line.talk = talk
    if not datagrams:
        talk.enter("answer")
    return line


def shut(line: socket.socket) -> None:
    with suppress(OSError):  # it may be over already
        socket.socket.shutdown(line, socket.SHUT_RDWR)  # not as TLS does it, which goes on in the clear
