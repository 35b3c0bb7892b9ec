"""Asks a web service for one page and compares status and text; whoever speaks HTTP asks through here.

Never follows a redirect, reads at most 64 kB of a page and never longer than the question's time, and nothing behind
the page: a service may keep the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from types import MappingProxyType

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, passed
from orchestrator.probes.line import Line, TlsLine, conversed, gibberish
from orchestrator.probes.tls import secured

_BODY_MAX = 1 << 16
_NONE: Mapping[str, str] = MappingProxyType({})


class HttpProbe:
    """Parameters: `path` (/), `status` (200), `contains`, `host` (Host header), `tls`, and with it `ca`, `name`,
    `certificate`, `unverified`, `days_min` (days the certificate must still hold). Sends no credential.
    """

    def ask(self, question: Question) -> Answer:
        """PASS when status and text are as asked, from a peer whose certificate counts."""

        def told(line: Line) -> Seen:
            peer, certificate = opened(line, question)
            with peer:
                return {**fetched(peer, question, question.text("path", "/")), "certificate": certificate}

        return conversed(question, "The web service", told, judge)


def opened(line: Line, question: Question) -> tuple[Line | TlsLine, dict[str, Json]]:
    """The line, behind TLS if `tls` is asked for, and what is known of the certificate."""
    return secured(line, question) if question.params.get("tls") else (line, {})


def fetched(
    peer: Line | TlsLine,
    question: Question,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] = _NONE,
    body: bytes = b"",
    keep: bool = False,
) -> dict[str, Json]:
    """`status` and `body` (text) of one request (HTTP/1.1, RFC 9112). Raises OSError, EOFError, Ended."""
    lines = {"Host": question.text("host", question.address), "User-Agent": "relance", **headers}
    if body:
        lines["Content-Length"] = str(len(body))
    lines["Connection"] = "keep-alive" if keep else "close"
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    peer.sendall(f"{head}\r\n".encode() + body)
    response = HTTPResponse(peer, method=method)
    try:
        response.begin()
        text = response.read(_BODY_MAX)
    except ConnectionError:  # closed without a word, which the library takes for a bad one too
        raise
    except (HTTPException, ValueError) as error:
        raise gibberish(question, "HTTP") from error
    if response.length and len(text) < _BODY_MAX:
        raise EOFError
    return {
        "status": response.status,
        "body": text.decode("utf-8", "replace"),
        "location": response.getheader("Location"),
    }


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `status`, `body`, `certificate` (what `secured` knows of it; empty without TLS)."""
    where = f"http at {question.where}{question.text('path', '/')}"
    certificate = seen["certificate"]
    assert isinstance(certificate, dict)
    facts: dict[str, Json] = {"status": seen["status"], **certificate}
    wanted = question.number("status", 200)
    if seen["status"] != wanted:
        return failed(f"{where} answers {seen['status']} instead of {wanted}.", facts)
    words = question.text("contains")
    if words not in str(seen["body"]):
        return failed(f"{where} does not say {words!r}.", facts)
    unchecked = "" if certificate.get("certificate_checked", True) else "; its certificate was not checked"
    return passed(f"{where} answers as it should{unchecked}.", facts)
