"""Asks an HL7 v2 interface over MLLP: whether it answers a query, or whether a test order gives a result.

Never sends a message that writes without its owner's agreement, and never repeats what a reply says of a patient.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us, passed, unasked
from orchestrator.probes.line import Line, conversed, gibberish

_BEGIN, _END = b"\x0b", b"\x1c\r"
_READS = ("NMQ^", "QBP^", "QRY^")
_ACCEPTED = ("AA", "CA")
_BYTES_MAX = 1 << 16


class Hl7Probe:
    """Parameters: `ask` (`ack`; `order` writes), `receiver` (application^facility, `LIS`), `version` (2.5), `event`
    (`NMQ^N01`; a query that changes nothing), `segments` (what follows the header, one a line), `found` (true: the
    query finds something), `code` (what the test order asks for). Every message is marked as a test (MSH-11 = T).
    """

    def ask(self, question: Question) -> Answer:
        """PASS when our message is accepted by its number and, for an order, its own result comes back."""
        if question.text("ask", "ack") == "order":
            if question.agreement is None:
                return unasked(
                    f"A test order writes; nobody signed an agreement for {question.where}, so none was sent."
                )
        elif not question.text("event", "NMQ^N01").startswith(_READS):
            return unasked(f"{question.text('event')} may write; only queries ({', '.join(_READS)}...) are sent.")
        return conversed(question, "The HL7 interface", lambda line: _told(question, line), judge, bytes_max=_BYTES_MAX)


def _told(question: Question, line: Line) -> Seen:
    number, stamp = os.urandom(8).hex(), datetime.fromtimestamp(now_us() // 1_000_000, UTC).strftime("%Y%m%d%H%M%S")
    application, _, facility = question.text("receiver", "LIS").partition("^")
    head = f"RELANCE|RELANCE|{application}|{facility}|{stamp}||"
    tail = f"|T|{question.text('version', '2.5')}"
    if question.agreement is None:
        body, event = question.text("segments").split("\n"), question.text("event", "NMQ^N01")
    else:
        order = f"{number}|||{question.text('code')}|||{stamp}"
        body = [f"PID|1||{question.agreement.patient}", f"ORC|NW|{number}", f"OBR|1|{order}"]
        event = "ORM^O01"
    _send(line, "\r".join([f"MSH|^~\\&|{head}{event}|{number}{tail}", *(one for one in body if one)]) + "\r")
    line.talk.enter("acknowledge the message")
    left = bytearray()
    seen: dict[str, Json] = {"number": number, "reply": _message(question, line, left)}
    if question.agreement is not None and _accepted(seen):
        line.talk.enter("send the result")
        result = _message(question, line, left)
        _send(line, f"MSH|^~\\&|{head}ACK|{os.urandom(8).hex()}{tail}\rMSA|AA|{_field(result, 'MSH', 10)}\r")
        seen |= {"result": result, "patient": question.agreement.patient}
    return seen


def _send(line: Line, message: str) -> None:
    line.sendall(_BEGIN + message.encode() + _END)


def _message(question: Question, line: Line, left: bytearray) -> str:
    """The next message; `left` is what was read beyond the one before. Raises OSError."""
    while (end := left.find(_END)) < 0:
        if left and not left.startswith(_BEGIN):
            raise gibberish(question, "HL7 over MLLP")
        more = line.recv(4096)
        if not more:
            raise EOFError
        left += more
    message = bytes(left[1:end]).decode("utf-8", "replace")
    begun = left.startswith(_BEGIN + b"MSH")
    del left[: end + len(_END)]
    if not begun:
        raise gibberish(question, "HL7 over MLLP")
    return message


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `number` of our message, `reply`, and for an order `result` and `patient`. HL7 2.5, chapters 2 and 4."""
    where, reply = f"The HL7 interface at {question.where}", str(seen["reply"])
    code = _field(reply, "MSA", 1)
    facts: dict[str, Json] = {"acknowledged": code}
    if not code:
        return failed(f"{where} answers without acknowledging anything (no MSA-1).", facts)
    if _field(reply, "MSA", 2) != seen["number"]:
        return failed(f"{where} acknowledges another message than ours (MSA-2).", facts)
    if not _accepted(seen):
        return failed(f"{where} does not accept the message: {code[:2]}.", facts)
    queried = _field(reply, "QAK", 2)
    if queried in ("AE", "AR") or (question.params.get("found") and queried != "OK"):
        return failed(f"{where} accepts the query and finds nothing: {queried[:2] or 'no QAK-2'}.", facts)
    if question.text("ask", "ack") == "ack":
        return passed(f"{where} accepts a test message by its number.", facts)
    return _judge_result(where, seen, facts)


def _judge_result(where: str, seen: Seen, facts: dict[str, Json]) -> Answer:
    result = str(seen.get("result", ""))
    if not _field(result, "MSH", 9).startswith("ORU"):
        return failed(f"{where} accepted the order and sent something that is no result.", facts)
    if seen["number"] not in (_field(result, "OBR", 2), _field(result, "ORC", 2)):
        return failed(f"{where} accepted the order and sent the result of another order.", facts)
    if _field(result, "PID", 3).partition("^")[0] != str(seen["patient"]).partition("^")[0]:
        return failed(f"{where} sent the result of our order for another patient.", facts)
    if not _field(result, "OBX", 5):
        return failed(f"{where} sent a result of our order without a value.", facts)
    return passed(f"{where} accepted a test order and sent its result.", facts)


def _accepted(seen: Seen) -> bool:
    return _field(str(seen["reply"]), "MSA", 1) in _ACCEPTED


def _field(message: str, segment: str, number: int) -> str:
    """One field of the first segment of that name, empty where there is none; MSH-1 is the separator itself."""
    separator = message[3:4] or "|"
    for line in message.replace("\n", "\r").split("\r"):
        fields = line.split(separator)
        if fields[0] == segment:
            at = number - 1 if segment == "MSH" else number
            return fields[at] if at < len(fields) else ""
    return ""
