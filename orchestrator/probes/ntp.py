"""Asks a time server for the time and measures how far its clock is from this machine's.

Never sets a clock, and never trusts an answer that is not to this very question.
"""

from __future__ import annotations

import os

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us, passed
from orchestrator.probes.line import Line, conversed

_REQUEST = b"\x23" + bytes(39)  # RFC 4330: no warning, version 4, client; then what a client leaves at zero
_EPOCH_S = 2_208_988_800  # from 1900 to 1970
_OFFSET_MAX_MS = 1000
_SERVER = 4
_UNSYNCHRONISED = 3
_STRATA = range(1, 16)


class NtpProbe:
    """Parameters: `offset_max_ms` (1000), how far the server's clock may be from this machine's."""

    def ask(self, question: Question) -> Answer:
        """PASS when the server is synchronised and its clock is near ours."""
        return conversed(question, "The time server", _told, judge, datagrams=True, bytes_max=4096)


def _told(line: Line) -> Seen:
    cookie = os.urandom(8)  # stands where a client's time would: who does not see the question cannot answer it
    sent_us = now_us()
    line.sendall(_REQUEST + cookie)
    reply = line.recv(1024)
    return {"cookie": cookie.hex(), "sent_us": sent_us, "came_us": now_us(), "reply": reply.hex()}


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `cookie` and `reply` in hex, `sent_us` and `came_us` by this machine's clock. RFC 4330, section 5."""
    where = f"The time server at {question.where}"
    reply = bytes.fromhex(str(seen["reply"]))
    if len(reply) < 48 or reply[0] & 7 != _SERVER or reply[24:32].hex() != seen["cookie"]:
        return failed(f"{where} answers with something that is not an answer to our question.", {"error": "gibberish"})
    stratum = reply[1]
    if reply[0] >> 6 == _UNSYNCHRONISED or stratum not in _STRATA:
        return failed(f"{where} says itself that its clock is not synchronised.", {"stratum": stratum})
    received_us, answered_us = (_unix_us(reply[at : at + 8]) for at in (32, 40))
    sent_us, came_us = (int(str(seen[name])) for name in ("sent_us", "came_us"))
    offset_ms = (received_us - sent_us + answered_us - came_us) // 2000
    facts: dict[str, Json] = {"stratum": stratum, "offset_ms": offset_ms}
    allowed_ms = question.number("offset_max_ms", _OFFSET_MAX_MS)
    if abs(offset_ms) > allowed_ms:
        sentence = (
            f"{where} is {offset_ms / 1000:+.1f} s from this machine's clock; {allowed_ms / 1000:g} s are allowed."
        )
        return failed(sentence, facts)
    return passed(f"{where} is synchronised and within {allowed_ms / 1000:g} s of this machine's clock.", facts)


def _unix_us(stamp: bytes) -> int:
    """A 64-bit NTP time as microseconds since 1970; its first 32 bits start anew in 2036."""
    seconds, fraction = int.from_bytes(stamp[:4]), int.from_bytes(stamp[4:])
    era = 0 if seconds >= 1 << 31 else 1 << 32
    return (seconds + era - _EPOCH_S) * 1_000_000 + (fraction * 1_000_000 >> 32)
