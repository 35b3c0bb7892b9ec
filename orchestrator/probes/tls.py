"""Puts TLS over a line and settles whether the peer is who it should be, before anything is said to it.

Never falls back to an unchecked certificate: who wants that says so in content, and the answer says it again.
"""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us
from orchestrator.probes.line import Ended, Line, TlsLine, said, shut

_DAY_US = 86_400 * 1_000_000


def secured(line: Line, question: Question) -> tuple[TlsLine, dict[str, Json]]:
    """The line behind TLS, and what is known of the peer's certificate.

    Parameters: `ca` (certificates in PEM: chain, name and dates must be right), `name` (whom the certificate must
    name; `{host}` stands for the host's id; empty: the address), `certificate` (or: its SHA-256 in hex alone counts),
    `unverified` (true: nothing counts). Raises OSError, and Ended where the certificate is not as it should be.
    """
    where = question.where
    pin = question.text("certificate").lower()
    name = question.text("name", question.address).replace("{host}", question.host)
    verified = not pin and not question.params.get("unverified")
    context = _context(question, verified=verified)
    line.talk.enter("agree on TLS")
    tls = context.wrap_socket(line, server_hostname=name if verified else None, do_handshake_on_connect=False)
    assert isinstance(tls, TlsLine)
    tls.talk = line.talk
    question.stop.then(lambda: shut(tls))
    try:
        _agree(tls, question)
        shown = hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
        if pin and pin != shown:
            raise Ended(failed(f"{where} shows another certificate than the one pinned.", {"certificate": shown}))
    except (OSError, Ended):
        tls.close()
        raise
    facts: dict[str, Json] = {"certificate": shown, "certificate_checked": verified or bool(pin)}
    if verified:
        until = str((tls.getpeercert() or {})["notAfter"])
        ends = judge_certificate(
            question, {"until_us": ssl.cert_time_to_seconds(until) * 1_000_000, "now_us": now_us()}
        )
        if ends is not None:
            tls.close()
            raise Ended(ends)
    line.talk.enter("answer")
    return tls, facts


def _agree(tls: TlsLine, question: Question) -> None:
    try:
        tls.talk.bounded(tls, tls.do_handshake)
    except ssl.SSLCertVerificationError as error:
        sentence = f"{question.where} shows a certificate that does not count: {str(error.verify_message).rstrip('.')}."
        raise Ended(failed(sentence, {"error": "certificate"})) from error
    except ssl.SSLEOFError:
        raise
    except ssl.SSLError as error:
        sentence = f"{question.where} speaks no TLS with us: {error.reason or said(error)}."
        raise Ended(failed(sentence, {"error": "tls"})) from error


def judge_certificate(question: Question, certificate: Seen) -> Answer | None:
    """FAIL when a checked certificate runs out sooner than `days_min` days from now; else nothing.

    `certificate`: `until_us`, its end, and `now_us`.
    """
    until_us, at_us = (int(str(certificate[name])) for name in ("until_us", "now_us"))
    if (until_us - at_us) // _DAY_US >= question.number("days_min"):
        return None
    day = datetime.fromtimestamp(until_us // 1_000_000, UTC).date()
    return failed(f"{question.where} shows a certificate that ends on {day}.", {"certificate_until": day.isoformat()})


def _context(question: Question, *, verified: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = TlsLine
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        context.load_verify_locations(cadata=question.text("ca"))
    except (ssl.SSLError, ValueError) as error:
        unusable = f"{question.where} was not asked: the authority's certificate (`ca`) cannot be read: {said(error)}."
        raise Ended(Answer("UNKNOWN", unusable, heard=False)) from error
    return context
