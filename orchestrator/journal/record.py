"""One record's bytes, its leaf hash, and the Merkle tree over all of them (RFC 6962, section 2.1).

Never reads or writes a file, and never says what a record means.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.errors import Refused

RECORD_BYTES_MAX = 1 << 22  # what canonical.decode reads; anything larger belongs in a blob
EMPTY_ROOT = sha256(b"").digest()

EPOCH = "epoch"  # the one kind of record whose time may lie before that of the record before it
WENT_BACK = "its time lies before that of the record before it, and it is no epoch"

_JSON = json.JSONDecoder()


@dataclass(slots=True)
class Record:
    """One thing that happened: its place, its time, its kind and what is to be said about it."""

    seq: int
    at_us: int
    kind: str
    body: dict[str, Json]


@dataclass(slots=True, frozen=True)
class Head:
    """A journal's length and the root over exactly that many records: what a signer saw."""

    size: int
    root: bytes

    def __str__(self) -> str:
        """The form that is printed, and typed again later."""
        return f"{self.size}:{self.root.hex()}"

    def as_json(self) -> dict[str, Json]:
        """The form orders and statements carry."""
        return {"size": self.size, "root": self.root.hex()}


def encode(record: Record) -> bytes:
    """Canonical bytes of a record: what is stored, hashed and exported. Refuses what is over 4 MiB."""
    value = {"seq": record.seq, "at_us": record.at_us, "kind": record.kind, "body": record.body}
    text = canonical.encode(value)
    if len(text) > RECORD_BYTES_MAX:
        raise Refused(
            f"A record of {len(text)} bytes is over the limit of {RECORD_BYTES_MAX}; store it as a blob and name it.",
            rule="journal.record-size",
            kind=record.kind,
        )
    return text


def decode(text: bytes) -> Record:
    """The record of bytes from outside, read strictly: only what `encode` would give back is accepted."""
    value = canonical.decode(text, size_max=RECORD_BYTES_MAX)
    if canonical.encode(value) != text:
        raise canonical.NotCanonical("The record is not written in canonical form.")
    try:
        return _record(value)
    except ValueError as error:
        raise canonical.NotCanonical(f"This is not a record: {error}.") from error


def decode_verified(text: bytes) -> Record:
    """The record of bytes whose leaf hash was just verified; ValueError if they hold none.

    The strict checks of `canonical` ran when these very bytes were encoded and the hash says that not one bit changed
    since, so the C parser alone is enough; it is four times cheaper, which is what keeps a restart short.
    """
    line = text.decode("utf-8")
    value, end = _JSON.raw_decode(line)
    if end != len(line):
        raise ValueError("text follows the record")
    return _record(value)


def goes_back(record: Record, before_us: int) -> bool:
    """Whether its time lies before `before_us`, that of the record before it, and it is no epoch."""
    return record.at_us < before_us and record.kind != EPOCH


def leaf_hash(text: bytes) -> bytes:
    """RFC 6962 leaf hash of a record's bytes."""
    return sha256(b"\x00" + text).digest()


class Frontier:
    """The right edge of the tree: enough to append a leaf and to tell the root, in O(log size) memory."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # roots of the perfect subtrees, largest first: one per set bit of `size`

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        peaks = self._peaks
        size = self.size
        self.size = size + 1
        while size & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            node = sha256(b"\x01" + peak + node).digest()
        return node

    def copy(self) -> Frontier:
        """A frontier that goes its own way from here."""
        twin = Frontier()
        twin.size = self.size
        twin._peaks = self._peaks.copy()
        return twin


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes in order."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def _record(value: object) -> Record:
    if type(value) is not dict or len(value) != 4:
        raise ValueError("a record has exactly seq, at_us, kind and body")
    try:
        record = Record(value["seq"], value["at_us"], value["kind"], value["body"])
    except KeyError as error:
        raise ValueError(f"it has no {error.args[0]}") from error
    # `type` and not isinstance: a bool is an int, and the cheaper test runs once per record of a replay
    if type(record.seq) is not int or type(record.at_us) is not int:
        raise ValueError("seq and at_us are integers")
    if type(record.kind) is not str or type(record.body) is not dict:
        raise ValueError("kind is text and body is an object")
    return record
