"""The words for what must not be found: an indicator set, its kinds, and the CSV and YARA files it is made from.

Never matches anything (`evidence` does) and never takes a kind that no inspection collects: such a set would look as
if it had been searched for.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

from orchestrator import canonical
from orchestrator.canonical import Json, NotCanonical
from orchestrator.errors import Refused

KINDS = {
    "sha256": "SHA-256 of a file",
    "name": "a file's name",
    "glob": "a pattern of file names, of whole paths where it holds a /",
    "persistence": "the name of a service, timer, scheduled job or start-up file",
    "domain": "a domain name, and every name below it",
    "address": "an IPv4 or IPv6 address",
}
COLLECTED = f"this version collects {', '.join(KINDS)} and YARA rules"
INDICATORS_MAX = 1_000_000
SET_BYTES_MAX = 60_000_000
_VALUE_MAX = 1000
_NOTE_MAX = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One thing to look for; `origin` says who asks for it (a STIX id, a line of a file)."""

    kind: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Uncollected:
    """Something a source asks for and no inspection of this version collects, or that could not be read."""

    origin: str
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


@dataclass(slots=True)
class IndicatorSet:
    """What an inspection is matched against: value -> origin for each kind, YARA rules by file name, what was left out.

    Its digest is that of its bytes: two sets with the same digest look for the same things.
    """

    values: dict[str, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    rules: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.values.values())) + len(self.rules)

    @property
    def digest(self) -> str:
        """The name of this set, in orders and verdicts."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The set as it is stored."""
        # Pairs, not objects: values are no ASCII keys.
        pairs = {kind: [[value, found[value]] for value in sorted(found)] for kind, found in self.values.items()}
        rules = [[name, self.rules[name]] for name in sorted(self.rules)]
        return canonical.encode({"version": 1, "values": pairs, "rules": rules, "left_out": sorted(self.left_out)})

    @classmethod
    def from_bytes(cls, text: bytes) -> IndicatorSet:
        """Reads a stored set. Raises Refused for bytes that are none."""
        try:
            document = cast("dict[str, Json]", canonical.decode(text, size_max=SET_BYTES_MAX))
            pairs = cast("Mapping[str, list[tuple[str, str]]]", document["values"])
            found = cls({kind: dict(pairs[kind]) for kind in KINDS}, dict(cast("list[list[str]]", document["rules"])))
            found.left_out = cast("list[str]", document["left_out"])
        except (NotCanonical, KeyError, TypeError, ValueError) as error:
            raise Refused(f"This is no indicator set: {error}.", rule="indicators.format") from error
        return found

    def add(self, found: Iterable[Indicator | Uncollected]) -> list[Uncollected]:
        """Takes what fits; what does not is returned. Raises Refused beyond a million."""
        refused = []
        for one in found:
            fitted = one if isinstance(one, Uncollected) else _fitted(one)
            if isinstance(fitted, Uncollected):
                refused.append(fitted)
            else:
                self.values[fitted.kind].setdefault(fitted.value, fitted.origin)
        if len(self) > INDICATORS_MAX:
            raise Refused(f"A set holds at most {INDICATORS_MAX} indicators.", rule="indicators.size")
        return refused


def _fitted(one: Indicator) -> Indicator | Uncollected:
    """The indicator as it is compared, or why it cannot be."""
    kind, value = one.kind.strip().lower(), one.value.strip()
    if kind not in KINDS:
        return Uncollected(one.origin, f"`{kind[:40]}` is a kind no inspection collects; {COLLECTED}")
    if not 0 < len(value) <= _VALUE_MAX or "\0" in value:
        return Uncollected(one.origin, f"a {kind} has 1 to {_VALUE_MAX} characters")
    if kind in ("sha256", "domain"):
        value = value.lower().rstrip(".")
    if kind == "name" and "/" in value:
        return Uncollected(one.origin, f"{value[:80]} is a path; the kind glob takes paths")
    if kind == "glob" and not value.strip("*?/."):
        return Uncollected(one.origin, f"{value[:80]} fits every file")
    wrong = _wrong(kind, value)
    if wrong:
        return Uncollected(one.origin, wrong)
    if kind == "address":
        value = str(ip_address(value))
    return Indicator(kind, value, one.origin[:_NOTE_MAX])


def _wrong(kind: str, value: str) -> str:
    """Why the value is none of its kind; empty where it is."""
    if kind == "sha256" and not _SHA256.fullmatch(value):
        return f"{value[:80]} is no SHA-256"
    if kind == "domain" and not _DOMAIN.fullmatch(value):
        return f"{value[:80]} is no domain name"
    if kind == "address":
        try:
            ip_address(value)
        except ValueError:
            return f"{value[:80]} is no single address"
    return ""


def read_csv(text: str, name: str) -> Iterator[Indicator | Uncollected]:
    """Lines `kind,value,note` below a header. Raises Refused where there is none."""
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if header[:2] != ["kind", "value"]:
            raise Refused(f"{name} does not begin with the header kind,value,note.", rule="indicators.csv", file=name)
        for row in rows:
            origin = f"{name} line {rows.line_num}"
            if len(row) >= 2:
                yield Indicator(row[0], row[1], f"{origin}: {row[2]}" if len(row) > 2 and row[2] else origin)
            elif any(row):
                yield Uncollected(origin, "it has no value")
    except csv.Error as error:
        raise Refused(f"{name} line {rows.line_num} is no CSV: {error}.", rule="indicators.csv", file=name) from error
