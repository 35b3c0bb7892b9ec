"""Asks a web service for one page and compares status and text.

Never follows a redirect, never sends a credential, reads at most 64 kB of a page and never longer than the question's
time, and nothing behind the page: a service may keep the connection.
"""

from __future__ import annotations

import hashlib
import io
import socket
import ssl
from http.client import HTTPException, HTTPResponse
from typing import cast

from orchestrator.probes.base import Answer, Deadline, Question, connect, unanswered

_BODY_MAX = 1 << 16


class HttpProbe:
    """Parameters: `path` (/), `status` (200), `contains`, `host` (Host header), `tls`, `certificate` (SHA-256 in hex).

    After a disaster no authority may be up to check a certificate with, so a certificate is checked by its digest
    or not at all; the facts say which.
    """

    def ask(self, question: Question) -> Answer:
        """PASS when status and text are as asked."""
        deadline = Deadline(question.timeout_s)
        try:
            with connect(question, deadline) as plain:
                return self._asked(question, plain, deadline)
        except ssl.SSLError as error:
            return Answer("FAIL", f"{question.address}:{question.port} speaks no TLS with us: {error.reason}.")
        except OSError as error:
            return unanswered(question, error)

    def _asked(self, question: Question, plain: socket.socket, deadline: Deadline) -> Answer:
        if not question.params.get("tls"):
            return _exchange(question, plain, deadline)
        plain.settimeout(deadline.left_s())
        with _context().wrap_socket(plain, server_hostname=None) as peer:
            shown = hashlib.sha256(peer.getpeercert(binary_form=True) or b"").hexdigest()
            wanted = question.params.get("certificate")
            if wanted and wanted != shown:
                sentence = f"{question.address}:{question.port} shows another certificate than the one pinned."
                return Answer("FAIL", sentence, {"certificate": shown})
            answer = _exchange(question, peer, deadline)
            facts = answer.facts | {"certificate": shown, "certificate_checked": bool(wanted)}
            return Answer(answer.outcome, answer.sentence, facts)


class _Bounded(io.RawIOBase):
    """A connection in the shape HTTPResponse reads from; no read lasts beyond the deadline (TimeoutError)."""

    def __init__(self, peer: socket.socket, deadline: Deadline) -> None:
        self._peer = peer
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._peer.settimeout(self._deadline.left_s())
        return self._peer.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def _exchange(question: Question, peer: socket.socket, deadline: Deadline) -> Answer:
    """Send the request and judge what comes back. Raises OSError where the connection fails or falls silent."""
    params = question.params
    request = (
        f"GET {params.get('path', '/')} HTTP/1.0\r\nHost: {params.get('host', question.address)}\r\n"
        "User-Agent: relance\r\nConnection: close\r\n\r\n"
    )
    peer.settimeout(deadline.left_s())
    peer.sendall(request.encode())
    return _compare(question, HTTPResponse(cast("socket.socket", _Bounded(peer, deadline))))


def _compare(question: Question, response: HTTPResponse) -> Answer:
    where = f"http at {question.address}:{question.port}{question.params.get('path', '/')}"
    try:
        response.begin()
        body = response.read(_BODY_MAX)
    except (HTTPException, ValueError):
        return Answer("FAIL", f"{where} answers with something that is not HTTP.")
    wanted = question.params.get("status", 200)
    facts = {"status": response.status}
    if response.status != wanted:
        return Answer("FAIL", f"{where} answers {response.status} instead of {wanted}.", {**facts})
    words = str(question.params.get("contains", ""))
    if words.encode() not in body:
        return Answer("FAIL", f"{where} does not say {words!r}.", {**facts})
    return Answer("PASS", f"{where} answers as it should.", {**facts})


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
