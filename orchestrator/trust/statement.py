"""The two documents people sign, an order and a verdict, and what they say in words before they are signed.

Never signs, never knows who may: it decides only whether a document is well formed, and accepts exactly one byte
text for each meaning.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from orchestrator.canonical import INTEGER_MAX, Json, NotCanonical, decode, encode
from orchestrator.errors import Refused

ORDER_NAMESPACE = "relance-order@v1"
VERDICT_NAMESPACE = "relance-verdict@v1"
ORDER_BYTES_MAX = 1 << 16
STATEMENT_BYTES_MAX = 1 << 21
SUBJECTS_MAX = 4000
ITEMS_MAX = 200
TEXT_CHARS_MAX = 2000

ORDER_VERSION = 1
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:relance:verdict:v1"

ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
KIND = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
SUBJECT = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*._:/@+-]{0,199}")
HEX32 = re.compile(r"[0-9a-f]{32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
ATTEMPT = re.compile(r"[0-9]{1,9}")

VerdictWord = Literal["CLEAN", "SUSPECT", "INFECTED"]
VERDICTS: dict[str, str] = {
    "CLEAN": "no reason was found to keep out",
    "SUSPECT": "something must be looked at again on",
    "INFECTED": "an intruder's traces were found on",
}
# What each verdict claims and no more, written into what is signed: it protects its signer, and nobody words it anew.
MEANS: dict[str, str] = {
    "CLEAN": "No reason was found to keep the hosts named out, in what was examined, with this indicator set. "
    "It is no promise that they are clean, and says nothing about what was not examined.",
    "SUSPECT": "Something on the hosts named must be looked at again before they can be judged.",
    "INFECTED": "An intruder's traces were found on the hosts named.",
}


class BadStatement(Refused):
    """The document is not one that can be signed or admitted; `rule` says why."""

    code = "bad_statement"


@dataclass(frozen=True, slots=True)
class Head:
    """What the signer saw of the journal: the number of records and their Merkle root (hex)."""

    size: int
    root: str

    def __post_init__(self) -> None:
        _whole("head.size", self.size, 0)
        _match("head.root", self.root, SHA256)


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for. `id` is random (32 hex digits) and admitted once; `expires_us` is UTC microseconds."""

    incident: str
    id: str
    kind: str
    subject: str
    args: dict[str, Json]
    expires_us: int
    head: Head

    def __post_init__(self) -> None:
        _match("incident", self.incident, ID)
        _match("id", self.id, HEX32)
        _match("kind", self.kind, KIND)
        _match("subject", self.subject, SUBJECT)
        _whole("expires_us", self.expires_us, 1)
        for name, value in _object("args", self.args).items():
            _match("args", name, KIND)
            _readable(f"args {name}", value)

    def to_bytes(self) -> bytes:
        """The text to sign; raises BadStatement when it would be too large or has no canonical form."""
        return _text({"version": ORDER_VERSION, **asdict(self)}, ORDER_BYTES_MAX)

    @staticmethod
    def from_bytes(text: bytes) -> Order:
        """The order of exactly this text; raises BadStatement, each `rule` its own reason."""
        body = _parse(text, ORDER_BYTES_MAX)
        _keys("order", body, {"version", "incident", "id", "kind", "subject", "args", "expires_us", "head"})
        version = body.pop("version")
        if version != ORDER_VERSION or version is True:
            raise BadStatement(f"Order version {version!r:.60} is not known.", rule="statement.version")
        return Order(**{**body, "head": _head(body["head"])})


@dataclass(frozen=True, slots=True)
class Subject:
    """One host of a verdict: the inspection judged (an action id), and the SHA-256 of its evidence and of the image
    the host was restored from (empty where there was none)."""

    host: str
    inspection: str
    evidence: str
    image: str = ""

    def __post_init__(self) -> None:
        _match("host", self.host, ID)
        _match("evidence", self.evidence, SHA256)
        if self.image != "":
            _match("image", self.image, SHA256)
        host, _, attempt = _line("inspection", self.inspection).rpartition("/inspect/")
        if host != self.host or not ATTEMPT.fullmatch(attempt):
            sentence = f"{self.inspection!r:.200} is not an inspection of {self.host}."
            raise BadStatement(sentence, rule="statement.inspection")

    def as_subject(self) -> dict[str, Json]:
        """The in-toto resource descriptor: the digest is of the evidence, for that is what was judged."""
        return {"name": self.host, "digest": {"sha256": self.evidence}, "annotations": {"image": self.image}}


@dataclass(frozen=True, slots=True)
class Statement:
    """An analyst's verdict on one host, or on a lot; an in-toto Statement v1. Hosts stand once each, sorted."""

    verdict: VerdictWord
    person: str
    subjects: tuple[Subject, ...]
    indicator_set: str
    tools: tuple[str, ...]
    method: str
    examined: tuple[str, ...]
    not_examined: tuple[str, ...]
    head: Head
    expires_us: int
    incident: str

    def __post_init__(self) -> None:
        if not isinstance(self.verdict, str) or self.verdict not in VERDICTS:
            raise BadStatement(f"{self.verdict!r:.60} is not a verdict.", rule="statement.verdict")
        _match("person", self.person, ID)
        _match("incident", self.incident, ID)
        _match("indicator_set", self.indicator_set, SHA256)
        _whole("expires_us", self.expires_us, 1)
        _line("method", self.method)
        for where in ("tools", "examined", "not_examined"):
            _lines(where, getattr(self, where))
        if self.verdict == "CLEAN" and not self.examined:
            raise BadStatement("A CLEAN verdict must say what was examined.", rule="statement.examined")
        hosts = [subject.host for subject in self.subjects]
        if not 0 < len(hosts) <= SUBJECTS_MAX or hosts != sorted(set(hosts)):
            sentence = f"A verdict names 1 to {SUBJECTS_MAX} hosts, each once, in sorted order."
            raise BadStatement(sentence, rule="statement.subjects")

    def to_bytes(self) -> bytes:
        """The text to sign; raises BadStatement when it would be too large."""
        predicate = {key: value for key, value in asdict(self).items() if key != "subjects"}
        predicate["inspections"] = {subject.host: subject.inspection for subject in self.subjects}
        predicate["means"] = MEANS[self.verdict]
        body = {
            "_type": STATEMENT_TYPE,
            "predicateType": PREDICATE_TYPE,
            "subject": [subject.as_subject() for subject in self.subjects],
            "predicate": predicate,
        }
        return _text(body, STATEMENT_BYTES_MAX)

    @staticmethod
    def from_bytes(text: bytes) -> Statement:
        """The verdict of exactly this text; raises BadStatement, each `rule` its own reason."""
        body = _parse(text, STATEMENT_BYTES_MAX)
        _keys("statement", body, {"_type", "subject", "predicateType", "predicate"})
        if (body["_type"], body["predicateType"]) != (STATEMENT_TYPE, PREDICATE_TYPE):
            raise BadStatement("This is not a verdict statement of a version known here.", rule="statement.version")
        predicate = _object("predicate", body["predicate"])
        fields = (set(Statement.__slots__) - {"subjects"}) | {"inspections", "means"}
        _keys("predicate", predicate, fields)
        means = predicate.pop("means")
        inspections = _object("inspections", predicate.pop("inspections"))
        subjects = tuple(_subject(subject, inspections) for subject in _list("subject", body["subject"]))
        if len(inspections) != len(subjects):
            raise BadStatement("Inspections and subjects name different hosts.", rule="statement.inspections")
        for where in ("tools", "examined", "not_examined"):
            predicate[where] = tuple(_list(where, predicate[where]))
        statement = Statement(**{**predicate, "subjects": subjects, "head": _head(predicate["head"])})
        if means != MEANS[statement.verdict]:
            sentence = f"The statement says of {statement.verdict} something else than what a verdict means here."
            raise BadStatement(sentence, rule="statement.means")
        return statement


def in_words(document: Order | Statement) -> str:
    """What signing this means, for the person who signs, one thing a line."""
    lines = _order_words(document) if isinstance(document, Order) else _verdict_words(document)
    lines += [
        f"Incident: {document.incident}, as its journal stood after record {document.head.size}",
        f"  (root {document.head.root}).",
        f"Counts until {_time(document.expires_us)}.",
    ]
    strange = sorted({character for line in lines for character in line if _strange(character)})
    lines += [f"Look closely: this text holds {_named(character)}." for character in strange]
    return "\n".join(lines)


def _order_words(order: Order) -> list[str]:
    lines = [f"You sign an ORDER: {order.kind}, subject {order.subject}."]
    lines += [f"  {name}: {_value(_dated(name, order.args[name]))}" for name in sorted(order.args)]
    return [*lines, f"Order {order.id}."]


def _verdict_words(statement: Statement) -> list[str]:
    count = len(statement.subjects)
    hosts = "1 host" if count == 1 else f"a lot of {count} hosts"
    lines = [f"You sign a VERDICT as {statement.person}: {statement.verdict}, {VERDICTS[statement.verdict]} {hosts}:"]
    for subject in statement.subjects:
        image = f", image {subject.image}" if subject.image else ""
        lines.append(f"  {subject.host} (inspection {subject.inspection}, evidence {subject.evidence}{image})")
    lines.append(f"Indicator set {statement.indicator_set}; method: {statement.method}.")
    for title, items in (
        ("Tools", statement.tools),
        ("Examined", statement.examined),
        ("Not examined", statement.not_examined),
    ):
        lines.append(f"{title}: {'; '.join(items) or 'nothing named'}.")
    return [*lines, f"It means: {MEANS[statement.verdict]}"]


def _dated(name: str, value: Json) -> Json:
    """The same value with the times in it as dates: whoever signs does not count microseconds."""
    if isinstance(value, dict):
        return {key: _dated(key, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_dated(name, one) for one in value]
    if name.endswith("_us") and isinstance(value, int) and not isinstance(value, bool):
        return _time(value)
    return value


def _time(at_us: int) -> str:
    """A time to the microsecond, where it has any: two times never read alike."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return f"{at:%Y-%m-%d %H:%M:%S}{f'.{at.microsecond:06}' if at.microsecond else ''} UTC"


def _value(value: Json) -> str:
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "".join(f"\n    {one}" for one in value)
    if isinstance(value, dict) and value and all(isinstance(one, str) for one in value.values()):
        return "".join(f"\n    {name}: {one}" for name, one in value.items())
    return value if isinstance(value, str) else encode(value).decode("utf-8")


def _subject(value: Json, inspections: dict[str, Any]) -> Subject:
    subject = _object("subject", value)
    _keys("subject", subject, {"name", "digest", "annotations"})
    digest, notes = _object("digest", subject["digest"]), _object("annotations", subject["annotations"])
    _keys("digest", digest, {"sha256"})
    _keys("annotations", notes, {"image"})
    host = _match("host", subject["name"], ID)
    return Subject(host, inspections.get(host, ""), digest["sha256"], notes["image"])


def _head(value: Json) -> Head:
    body = _object("head", value)
    _keys("head", body, {"size", "root"})
    return Head(**body)


def _text(body: object, size_max: int) -> bytes:
    try:
        text = encode(body)
    except NotCanonical as error:
        raise BadStatement(error.sentence, rule=error.rule) from error
    if len(text) > size_max:
        sentence = f"The document has {len(text)} bytes; at most {size_max} can be signed."
        raise BadStatement(sentence, rule="statement.size")
    return text


def _parse(text: bytes, size_max: int) -> dict[str, Any]:
    try:
        value = decode(text, size_max=size_max)
    except NotCanonical as error:
        raise BadStatement(error.sentence, rule=error.rule) from error
    if encode(value) != text:
        sentence = "The document is not in canonical form: keys sorted, no spaces (RFC 8785)."
        raise BadStatement(sentence, rule="statement.form")
    return _object("document", value)


def _object(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadStatement(f"The {where} is not a JSON object.", rule="statement.type", where=where)
    return cast("dict[str, Any]", value)


def _list(where: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise BadStatement(f"The {where} is not a JSON list.", rule="statement.type", where=where)
    return value


def _keys(where: str, body: dict[str, Any], wanted: set[str]) -> None:
    odd = sorted(wanted ^ body.keys())
    if odd:
        verb = "lacks" if odd[0] in wanted else "has an unknown"
        raise BadStatement(f"The {where} {verb} {odd[0]!r:.60}.", rule="statement.keys", where=where, keys=odd)


def _whole(where: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= INTEGER_MAX:
        sentence = f"The {where} is not a whole number from {least} to 2**53 - 1."
        raise BadStatement(sentence, rule="statement.integer", where=where)


def _match(where: str, value: object, pattern: re.Pattern[str]) -> str:
    text = _line(where, value)
    odd = next((character for character in text if not character.isascii()), "")
    if odd:
        sentence = f"The {where} {text!r:.200} holds {_named(odd)}; only ASCII stands in ids."
        raise BadStatement(sentence, rule="statement.look-alike", where=where)
    if not pattern.fullmatch(text):
        raise BadStatement(f"The {where} {text!r:.200} is not well formed.", rule="statement.id", where=where)
    return text


def _line(where: str, value: object) -> str:
    """One line of text a person can read back: NFC, nothing invisible, bounded."""
    if not isinstance(value, str):
        raise BadStatement(f"The {where} is not text.", rule="statement.type", where=where)
    if len(value) > TEXT_CHARS_MAX:
        sentence = f"The {where} has {len(value)} characters; at most {TEXT_CHARS_MAX} are taken."
        raise BadStatement(sentence, rule="statement.long", where=where)
    if not value.isprintable():
        odd = next(character for character in value if not character.isprintable())
        sentence = f"The {where} holds {_named(odd)}, which does not show on a line."
        raise BadStatement(sentence, rule="statement.text", where=where)
    if not unicodedata.is_normalized("NFC", value):
        raise BadStatement(f"The {where} is not in Unicode normal form C.", rule="statement.nfc", where=where)
    return value


def _lines(where: str, items: object) -> None:
    if not isinstance(items, tuple) or len(items) > ITEMS_MAX:
        raise BadStatement(f"The {where} are more than {ITEMS_MAX} lines.", rule="statement.items", where=where)
    for item in items:
        _line(where, item)


def _readable(where: str, value: object) -> None:
    """Every string in an order's arguments is one a person can read back."""
    if isinstance(value, str):
        _line(where, value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _line(where, name)
            _readable(where, item)
    elif isinstance(value, list | tuple):
        for item in value:
            _readable(where, item)


def _strange(character: str) -> bool:
    return character.isalpha() and not unicodedata.name(character, "LATIN").startswith("LATIN")


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
