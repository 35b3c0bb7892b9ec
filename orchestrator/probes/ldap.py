"""Asks a directory what it says of itself, or logs in and reads one entry; on the catalogue's port the same.

Never sends a password in the clear, never writes, and asks for at most one entry.
"""

from __future__ import annotations

from datetime import UTC, datetime

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us, passed, unasked
from orchestrator.probes.der import ENUM, INTEGER, OCTETS, SEQUENCE, fields, inside, integer, message, tlv, values
from orchestrator.probes.line import Ended, Line, TlsLine, conversed, gibberish
from orchestrator.probes.tls import secured

# RFC 4511: the tags of its operations.
_BIND, _BOUND, _SEARCH, _ENTRY, _DONE, _EXTENDED, _EXTENDED_DONE = 0x60, 0x61, 0x63, 0x64, 0x65, 0x77, 0x78
_START_TLS = b"1.3.6.1.4.1.1466.20037"
_SUCCESS, _BAD_LOGIN = 0, 49
_OFFSET_MAX_MS = 300_000
_WANTED = ("namingContexts", "currentTime", "isSynchronized", "isGlobalCatalogReady")
_BASE, _SUBTREE = 0, 2


class LdapProbe:
    """Parameters: `ask` (`root`: what the server says of itself, `bind`: log in and read), `synchronized` and `catalog`
    (true: it must say that it is, that its catalogue is ready), `naming` (a naming context it must hold),
    `offset_max_ms` (300000, of its clock), `user` and `password`, `base` (what is read; empty on the catalogue's port:
    anything), `tls`, `starttls` (with `tls`: on the plain port), `ca`, `name`, `certificate`, `unverified`, `days_min`.
    """

    def ask(self, question: Question) -> Answer:
        """PASS when the directory is as asked. A password needs `tls`."""
        if question.text("ask", "root") == "bind" and not question.params.get("tls"):
            return unasked(f"{question.where} was not asked: without `tls` the password would go in the clear.")
        if question.text("ask", "root") == "bind" and not (question.text("user") and question.text("password")):
            # A directory takes a name without a password for nobody and says that all is well (RFC 4513, 5.1.2).
            return unasked(f"{question.where} was not asked: `bind` needs `user` and `password`.")
        return conversed(question, "The directory", lambda line: _told(question, line), judge)


def _told(question: Question, line: Line) -> Seen:
    peer: Line | TlsLine = line
    try:
        if question.params.get("tls"):
            if question.params.get("starttls"):
                line.talk.enter("agree on TLS")
                _expect(question, line, tlv(_EXTENDED, tlv(0x80, _START_TLS)), _EXTENDED_DONE, "begin TLS")
            peer, _ = secured(line, question)
        with peer:
            if question.text("ask", "root") == "bind":
                peer.talk.enter("let us log in")
                login = (
                    integer(3),
                    tlv(OCTETS, question.text("user").encode()),
                    tlv(0x80, question.text("password").encode()),
                )
                code, _ = _exchange(peer, tlv(_BIND, *login), _BOUND)
                if code != _SUCCESS:
                    return {"bound": code}
                peer.talk.enter("answer the query")
                base = question.text("base")
                code, entries = _exchange(peer, _search(base, _BASE if base else _SUBTREE, ("1.1",)), _DONE)
                return {"bound": _SUCCESS, "code": code, "entries": len(entries)}
            code, entries = _exchange(peer, _search("", _BASE, _WANTED), _DONE)
            return {"code": code, "root": entries[0] if entries else None, "now_us": now_us()}
    except ValueError as error:
        raise gibberish(question, "LDAP", str(error)) from error


def _search(base: str, scope: int, attributes: tuple[str, ...]) -> bytes:
    return tlv(
        _SEARCH,
        tlv(OCTETS, base.encode()),
        integer(scope, ENUM),
        integer(0, ENUM),
        integer(1),
        integer(0),
        tlv(0x01, b"\0"),
        tlv(0x87, b"objectClass"),
        tlv(SEQUENCE, *(tlv(OCTETS, one.encode()) for one in attributes)),
    )


def _expect(question: Question, line: Line, operation: bytes, done: int, what: str) -> None:
    code, _ = _exchange(line, operation, done)
    if code != _SUCCESS:
        raise Ended(failed(f"The directory at {question.where} does not {what}: result {code}.", {"code": code}))


def _exchange(peer: Line | TlsLine, operation: bytes, done: int) -> tuple[int, list[Json]]:
    """Send one operation; the result code of its end, and an entry before it. Raises ValueError, OSError.

    Nothing is read behind the first entry: a server may overlook that one was asked for (Samba does).
    """
    peer.sendall(tlv(SEQUENCE, integer(1), operation))
    while True:
        parts = list(values(inside(message(peer))))
        if len(parts) < 2 or parts[0][0] != INTEGER:
            raise ValueError("a message without a number")
        tag, body = parts[1]
        if tag == done:
            return int.from_bytes(fields(body).get(ENUM, b"\xff")), []
        if tag == _ENTRY:
            return _SUCCESS, [_attributes(body)]


def _attributes(entry: bytes) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for _, attribute in values(fields(entry).get(SEQUENCE, b"")):
        name, *sets = (value for _, value in values(attribute))
        found[name.decode("utf-8", "replace")] = [
            value.decode("utf-8", "replace") for one in sets for _, value in values(one)
        ]
    return found


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: of a login `bound`, `code`, `entries`; else `code`, `root` (values by attribute) and `now_us`."""
    where = f"The directory at {question.where}"
    if "bound" in seen:
        return _judge_login(question, where, seen)
    root = seen["root"]
    if seen["code"] != _SUCCESS or not isinstance(root, dict):
        return failed(f"{where} says nothing of itself: result {seen['code']}.", {"code": seen["code"]})
    told = {name.lower(): [str(one) for one in given] for name, given in root.items() if isinstance(given, list)}
    facts: dict[str, Json] = {"naming_contexts": [*told.get("namingcontexts", [])]}
    for asked, attribute, words in (
        ("synchronized", "issynchronized", "is synchronised"),
        ("catalog", "isglobalcatalogready", "has its catalogue ready"),
    ):
        if question.params.get(asked) and told.get(attribute) != ["TRUE"]:
            return failed(f"{where} does not say that it {words}.", facts)
    naming = question.text("naming")
    if naming and naming.lower() not in (one.lower() for one in told.get("namingcontexts", [])):
        return failed(f"{where} does not hold {naming}.", facts)
    if "currenttime" in told:
        return _judge_clock(question, where, told["currenttime"][0], seen, facts)
    return passed(f"{where} says of itself what it should.", facts)


def _judge_login(question: Question, where: str, seen: Seen) -> Answer:
    facts = dict(seen)
    if seen["bound"] != _SUCCESS:
        why = "the login is not accepted" if seen["bound"] == _BAD_LOGIN else f"result {seen['bound']}"
        return failed(f"{where} does not let us log in: {why}.", facts)
    if seen["code"] != _SUCCESS or not seen["entries"]:
        what = question.text("base") or "anything"
        return failed(f"{where} lets us log in and does not find {what}: result {seen['code']}.", facts)
    return passed(f"{where} lets us log in and read.", facts)


def _judge_clock(question: Question, where: str, told: str, seen: Seen, facts: dict[str, Json]) -> Answer:
    try:
        time = datetime.strptime(told[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return failed(f"{where} tells no time that can be read.", facts)
    offset_ms = int(time.timestamp() * 1000) - int(str(seen["now_us"])) // 1000
    facts["offset_ms"] = offset_ms
    if abs(offset_ms) > question.number("offset_max_ms", _OFFSET_MAX_MS):
        return failed(f"{where} has a clock {offset_ms / 1000:+.0f} s from this machine's.", facts)
    return passed(f"{where} says of itself what it should.", facts)
