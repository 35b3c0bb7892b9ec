"""Asks a Kerberos server for a ticket without a credential: that it asks for one shows that it knows the account.

Never sends a password or anything made from one, and never keeps a ticket.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us, passed
from orchestrator.probes.der import SEQUENCE, fields, inside, integer, tlv, values
from orchestrator.probes.line import Line, conversed, exactly

# RFC 4120: AS-REQ, AS-REP, KRB-ERROR; the error codes of 7.5.9 that tell something.
_ASKED, _GIVEN, _REFUSED = 0x6A, 0x6B, 0x7E
_PREAUTHENTICATE = 25
_WORDS = {
    6: "does not know {user}",
    18: "holds {user} locked or disabled",
    23: "holds the password of {user} expired",
    68: "serves another realm than {realm}",
}
_STRING, _TIME, _BITS = 0x1B, 0x18, 0x03
_PRINCIPAL, _SERVICE = 1, 2
_ETYPES = (18, 17, 23)
_OFFSET_MAX_MS = 300_000
_REPLY_MAX = 1 << 16


class KerberosProbe:
    """Parameters: `realm`, `user` (an account that must exist, `krbtgt` needs no login), `offset_max_ms` (300000)."""

    def ask(self, question: Question) -> Answer:
        """PASS when the server of that realm asks to be shown that we are that user, by a clock near ours."""
        return conversed(
            question, "The Kerberos server", lambda line: _told(question, line), judge, bytes_max=_REPLY_MAX
        )


def _told(question: Question, line: Line) -> Seen:
    request = _request(question.text("realm").encode(), question.text("user").encode())
    line.sendall(len(request).to_bytes(4) + request)
    size = int.from_bytes(exactly(line, 4))
    reply = exactly(line, size) if size < _REPLY_MAX else b""
    return {"reply": reply.hex(), "now_us": now_us()}


def _request(realm: bytes, user: bytes) -> bytes:
    """AS-REQ for a ticket-granting ticket, without pre-authentication (RFC 4120, 5.4.1)."""

    def name(kind: int, *parts: bytes) -> bytes:
        strings = tlv(SEQUENCE, *(tlv(_STRING, part) for part in parts))
        return tlv(SEQUENCE, tlv(0xA0, integer(kind)), tlv(0xA1, strings))

    body = tlv(
        SEQUENCE,
        tlv(0xA0, tlv(_BITS, bytes(5))),
        tlv(0xA1, name(_PRINCIPAL, *user.split(b"/"))),
        tlv(0xA2, tlv(_STRING, realm)),
        tlv(0xA3, name(_SERVICE, b"krbtgt", realm)),
        tlv(0xA5, tlv(_TIME, b"20370913024805Z")),
        tlv(0xA7, integer(int.from_bytes(os.urandom(4)) >> 1)),
        tlv(0xA8, tlv(SEQUENCE, *(integer(one) for one in _ETYPES))),
    )
    return tlv(_ASKED, tlv(SEQUENCE, tlv(0xA1, integer(5)), tlv(0xA2, integer(10)), tlv(0xA4, body)))


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `reply` in hex, `now_us`."""
    where = f"The Kerberos server at {question.where}"
    user, realm = question.text("user"), question.text("realm")
    try:
        tag, value = next(values(bytes.fromhex(str(seen["reply"]))), (0, b""))
        told = fields(inside(value)) if tag in (_GIVEN, _REFUSED) else {}
        if tag == _GIVEN and 0xA3 in told:
            return _judge_realm(question, where, inside(told[0xA3]), {"preauthentication": False})
        code = int.from_bytes(inside(told[0xA6]))
        spoken_for, time = inside(told[0xA9]), inside(told[0xA4]).decode()
        offset_ms = _offset_ms(time, seen)
    except (ValueError, KeyError):
        return failed(f"{where} answers with something that is not Kerberos.", {"error": "gibberish"})
    facts: dict[str, Json] = {"code": code, "offset_ms": offset_ms}
    if code != _PREAUTHENTICATE:
        words = _WORDS.get(code, f"refuses with error {code}").format(user=user, realm=realm)
        return failed(f"{where} {words}.", facts)
    if abs(offset_ms) > question.number("offset_max_ms", _OFFSET_MAX_MS):
        return failed(f"{where} has a clock {offset_ms / 1000:+.0f} s from this machine's; nobody can log in.", facts)
    return _judge_realm(question, where, spoken_for, facts)


def _judge_realm(question: Question, where: str, realm: bytes, facts: dict[str, Json]) -> Answer:
    if realm.decode("utf-8", "replace") != question.text("realm"):
        return failed(f"{where} answers for another realm than {question.text('realm')}.", facts)
    return passed(f"{where} knows {question.text('user')} of {question.text('realm')}.", facts)


def _offset_ms(time: str, seen: Seen) -> int:
    told = datetime.strptime(time, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return int(told.timestamp() * 1000) - int(str(seen["now_us"])) // 1000
