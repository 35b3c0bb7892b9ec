"""Proves that one record stands in a journal under a head, in a few hashes (RFC 9162, section 2.1.3).

Never trusts a head: whoever checks a proof brings the one they printed. The check itself is `check`, which needs
nothing of ours.
"""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.errors import Refused, Unusable, UsageError
from orchestrator.journal import check
from orchestrator.journal.disk import refused_by_disk
from orchestrator.journal.record import Head, decode, encode, leaf_hash, root_of
from orchestrator.journal.sqlite import Journal

_HEAD = re.compile(r"[0-9]{1,15}:[0-9a-f]{64}", re.ASCII)


def head_of(text: str) -> Head:
    """The head in its printed form SIZE:ROOT. Raises UsageError."""
    size, _, root = text.partition(":")
    if _HEAD.fullmatch(text):
        return Head(int(size), bytes.fromhex(root))
    raise UsageError(f"{text[:100]!r} is no head: the number of records, a colon, 64 hex digits.", rule="usage.head")


def continues(journal: Journal, earlier: Head) -> str:
    """Empty where the journal goes on from `earlier`; else what is wrong, in a sentence."""
    size = journal.head.size
    if earlier.size > size:
        return f"The journal has {size} records and had {earlier.size}: its end was cut off."
    if not journal.holds(earlier):
        return (
            f"The journal does not continue the head {earlier.size}:{earlier.root.hex()}: "
            f"one of its first {earlier.size} records was rewritten, dropped, moved or added since."
        )
    return ""


def prove(journal: Journal, seq: int, head: Head) -> dict[str, Json]:
    """The proof that record `seq` stands under `head`, which must be a prefix of the journal. Raises Refused."""
    wrong = continues(journal, head)
    if wrong:
        raise Refused(wrong, rule="journal.head", size=head.size)
    if not 1 <= seq <= head.size:
        raise Refused(f"There is no record {seq} under a head of {head.size} records.", rule="journal.seq", seq=seq)
    texts: list[bytes] = []
    leaves: list[bytes] = []
    for record in journal.records():
        if record.seq > head.size:
            break
        text = encode(record)
        leaves.append(leaf_hash(text))
        if record.seq == seq:
            texts.append(text)
    path = _path(leaves, seq - 1)
    return {"head": str(head), "path": [one.hex() for one in path], "record": texts[0].decode("utf-8")}


def _path(leaves: list[bytes], index: int) -> list[bytes]:
    """PATH(index, leaves) of RFC 9162: the hashes beside the way from the leaf to the root, from the leaf on."""
    path: list[bytes] = []
    first, last = 0, len(leaves)
    while last - first > 1:
        middle = first + (1 << (last - first - 1).bit_length() - 1)
        if index < middle:
            path.append(root_of(leaves[middle:last]))
            last = middle
        else:
            path.append(root_of(leaves[first:middle]))
            first = middle
    return path[::-1]


def verify_proof(path: Path, head: Head) -> int:
    """The number of the record that the proof in this file puts under `head`; Unusable where it does not."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise refused_by_disk(error, path) from error
    try:
        seq = check.proven(text.decode("utf-8"), str(head))
        decode(_record_in(text))
    except (ValueError, LookupError, TypeError, AttributeError, Refused) as error:
        raise Unusable(f"{path} proves nothing: {error}", path=str(path)) from error
    return seq


def _record_in(text: bytes) -> bytes:
    value = canonical.decode(text)
    return str(value["record"]).encode("utf-8") if isinstance(value, dict) else b""
