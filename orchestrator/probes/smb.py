"""Asks a file server which dialect of SMB it would speak, and what time it is there.

Never logs in and never offers SMB 1.
"""

from __future__ import annotations

import os
import struct

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us, passed
from orchestrator.probes.line import Line, conversed, exactly

# MS-SMB2 2.2.1 (header), 2.2.3 (request), 2.2.4 (response).
_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302)
_HEADER = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, bytes(16))
_SIGNING_REQUIRED = 2
_EPOCH_US = 11_644_473_600_000_000  # from 1601 to 1970
_OFFSET_MAX_MS = 300_000
_REPLY_MAX = 1 << 16


class SmbProbe:
    """Parameters: `signing` (true: the server must require signed messages), `offset_max_ms` (300000, of its clock)."""

    def ask(self, question: Question) -> Answer:
        """PASS when the server agrees on SMB 2 or 3 and its clock is near ours."""
        return conversed(question, "The file server", _told, judge, bytes_max=_REPLY_MAX)


def _told(line: Line) -> Seen:
    head = struct.pack("<HHHHI16sQ", 36, len(_DIALECTS), 1, 0, 0, os.urandom(16), 0)
    message = _HEADER + head + struct.pack(f"<{len(_DIALECTS)}H", *_DIALECTS)
    line.sendall(len(message).to_bytes(4) + message)
    size = int.from_bytes(exactly(line, 4))
    return {"reply": exactly(line, size).hex() if size < _REPLY_MAX else "", "now_us": now_us()}


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `reply` in hex, `now_us`."""
    where = f"The file server at {question.where}"
    reply = bytes.fromhex(str(seen["reply"]))
    if reply[:4] == b"\xffSMB":
        return failed(f"{where} speaks only SMB 1.", {"error": "dialect"})
    if reply[:4] != b"\xfeSMB" or len(reply) < 128:
        return failed(f"{where} answers with something that is not SMB.", {"error": "gibberish"})
    (status,) = struct.unpack_from("<I", reply, 8)
    if status:
        return failed(f"{where} refuses to agree on a dialect: status {status:#010x}.", {"status": status})
    security, dialect = struct.unpack_from("<HH", reply, 66)
    (time,) = struct.unpack_from("<Q", reply, 104)
    offset_ms = (time // 10 - _EPOCH_US - int(str(seen["now_us"]))) // 1000
    signing = bool(security & _SIGNING_REQUIRED)
    facts: dict[str, Json] = {"dialect": f"{dialect:#06x}", "signing_required": signing, "offset_ms": offset_ms}
    if dialect not in _DIALECTS:
        return failed(f"{where} chose a dialect that was not offered: {dialect:#06x}.", facts)
    if question.params.get("signing") and not signing:
        return failed(f"{where} does not require signed messages.", facts)
    if abs(offset_ms) > question.number("offset_max_ms", _OFFSET_MAX_MS):
        return failed(f"{where} has a clock {offset_ms / 1000:+.0f} s from this machine's.", facts)
    return passed(f"{where} agrees on SMB {dialect >> 8}.{dialect >> 4 & 15}.", facts)
