"""Asks a name server one question over UDP, over TCP when the answer is cut short, and compares what it says.

Never asks another server and never follows a referral: what counts is what this one knows.
"""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, passed
from orchestrator.probes.line import Line, conversed, exactly, gibberish

_DATAGRAM_MAX = 4096


class DnsProbe:
    """Parameters: `name`, `type` (A), `answer` (one of the answers must be this text: an address; for SRV
    `priority weight port target.`), `serial_min` (the zone's serial is at least this; type SOA),
    `tcp` (true: ask over TCP at once).
    """

    def ask(self, question: Question) -> Answer:
        """PASS when the server itself gives the answer wanted, or any if none is named."""
        if not question.params.get("tcp"):
            answer = conversed(
                question,
                "The name server",
                lambda line: _told(question, line, stream=False),
                judge,
                datagrams=True,
                bytes_max=_DATAGRAM_MAX,
            )
            if answer.facts.get("error") != "truncated":
                return answer
        return conversed(
            question, "The name server", lambda line: _told(question, line, stream=True), judge, bytes_max=1 << 17
        )


def _told(question: Question, line: Line, *, stream: bool) -> Seen:
    """RFC 1035: one query, one message back; over TCP each carries its length."""
    query = dns.message.make_query(question.text("name"), question.text("type", "A"))
    wire = query.to_wire()
    line.sendall(len(wire).to_bytes(2) + wire if stream else wire)
    try:
        while True:
            raw = exactly(line, int.from_bytes(exactly(line, 2))) if stream else line.recv(_DATAGRAM_MAX)
            reply = dns.message.from_wire(raw, ignore_trailing=True)
            if query.is_response(reply):  # somebody else's datagram is no answer
                break
    except dns.exception.DNSException as error:
        raise gibberish(question, "DNS", type(error).__name__) from error
    return {
        "rcode": dns.rcode.to_text(reply.rcode()),
        "truncated": bool(reply.flags & dns.flags.TC),
        "authoritative": bool(reply.flags & dns.flags.AA),
        "answers": [
            f"{dns.rdatatype.to_text(found.rdtype)} {one.to_text()}" for found in reply.answer for one in found
        ],
    }


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `rcode`, `truncated`, `authoritative`, `answers` as `TYPE text`."""
    name, kind = question.text("name"), question.text("type", "A")
    where = f"The name server at {question.where}"
    if seen["truncated"]:
        return failed(f"{where} gives only part of the answer for {name} {kind}.", {"error": "truncated"})
    if seen["rcode"] != "NOERROR":
        return failed(f"{where} answers {seen['rcode']} when asked for {name} {kind}.", {"rcode": seen["rcode"]})
    given = seen["answers"]
    texts = (
        [str(one).partition(" ")[2] for one in given if str(one).startswith(f"{kind} ")]
        if isinstance(given, list)
        else []
    )
    facts: dict[str, Json] = {"answers": [*texts], "authoritative": seen["authoritative"]}
    if not texts:
        return failed(f"{where} knows no {kind} of {name}.", facts)
    wanted = question.text("answer")
    if wanted and wanted.lower() not in (text.lower() for text in texts):
        return failed(f"{where} says {name} {kind} is {', '.join(texts[:5])}, not {wanted}.", facts)
    serial_min = question.number("serial_min")
    if serial_min and kind == "SOA":
        serial = int(texts[0].split()[2])
        if serial < serial_min:
            return failed(
                f"{where} has {name} at serial {serial}, older than {serial_min}.", facts | {"serial": serial}
            )
    return passed(f"{where} answers for {name} {kind}.", facts)
