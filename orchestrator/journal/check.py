"""Checks what Relance exported, with Python's own library alone; each export carries a copy of this file.

    python3 check.py SIZE:ROOT                 the folder it lies in: against a head that somebody printed earlier
    python3 check.py SIZE:ROOT PROOF.json      one record, against such a head

Never needs Relance, and never says whether a signature is good: `ssh-keygen -Y verify` does, see README.txt.
The tree is that of RFC 9162 (2.1): a leaf is SHA-256(0x00, record), a node SHA-256(0x01, left, right).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any


def leaf(record: bytes) -> bytes:
    """The hash of one record's bytes."""
    return sha256(b"\x00" + record).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def roots(records: list[bytes]) -> Iterator[str]:
    """The root over the first 0, 1, 2, ... records."""
    peaks: list[tuple[int, bytes]] = []  # perfect subtrees, the largest first
    yield sha256(b"").hexdigest()
    for record in records:
        peaks.append((1, leaf(record)))
        while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
            (size, right), (_, left) = peaks.pop(), peaks.pop()
            peaks.append((2 * size, node(left, right)))
        root = peaks[-1][1]
        for _, peak in peaks[-2::-1]:
            root = node(peak, root)
        yield root.hex()


def proven(text: str, head: str) -> int:
    """The number of the record that this proof puts under this printed head; ValueError where it does not."""
    proof = json.loads(text)
    size, _, root = head.partition(":")
    record = proof["record"].encode("utf-8")
    seq = json.loads(record)["seq"]
    index, last, reached = seq - 1, int(size) - 1, leaf(record)
    if type(seq) is not int or not 0 <= index <= last:
        raise ValueError(f"record {seq} is none of {size}.")
    for step in proof["path"]:
        if last == 0:
            raise ValueError("the path goes on beyond the root.")
        if index & 1 or index == last:
            reached = node(bytes.fromhex(step), reached)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            reached = node(reached, bytes.fromhex(step))
        index, last = index >> 1, last >> 1
    if last or reached.hex() != root:
        raise ValueError(f"it does not lead to the head {head}.")
    return seq


def wrong_with(folder: Path, head: str) -> list[str]:
    """What is wrong with the export in this folder, against the printed head; empty where nothing is."""
    *records, end = (folder / "journal.jsonl").read_bytes().removesuffix(b"\n").split(b"\n")
    known = list(roots(records))
    wrong = [] if known[-1:] == [json.loads(end)["head"]["root"]] else ["journal.jsonl does not end with its own head."]
    if not _holds(known, *_parts(head)):
        wrong.append(f"The journal does not continue {head}: a record was rewritten, dropped, moved or added.")
    for number, record in enumerate(records, 1):
        wrong += [f"Record {number}: {one}" for one in _wrong_record(folder, known, number, json.loads(record))]
    return wrong


def _wrong_record(folder: Path, known: list[str], number: int, record: Any) -> Iterator[str]:
    if record["seq"] != number:
        yield f"it says that it is record {record['seq']}."
    kind = {"ordered": "order", "judged": "verdict"}.get(record["kind"])
    if kind is None:
        return
    name = folder / kind / f"{number:08}_{record['body']['person']}.json"
    signature = name.with_name(name.name + ".sig")
    if not name.exists() or not signature.exists():
        yield f"{name.name} or its signature is missing."
        return
    text = name.read_text("utf-8")
    kept = {"document": text, "person": record["body"]["person"], "signature": signature.read_text("utf-8")}
    form = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    if sha256(form.encode("utf-8")).hexdigest() != record["body"]["blob"]:
        yield f"{name.name} is not what was recorded."
    document = json.loads(text)
    seen = document.get("predicate", document)["head"]
    if seen["size"] >= number or not _holds(known, seen["size"], seen["root"]):
        yield f"{name.name} was signed over another journal than this."
    said = {**document, "order": document.get("id"), "head_size": seen["size"], **document.get("predicate", {})}
    said |= {"person": kept["person"], "blob": record["body"]["blob"], "v": record["body"]["v"]}
    if any(said[key] != value for key, value in record["body"].items()):
        yield f"{name.name} says something else than what was recorded."


def _holds(known: list[str], size: int, root: str) -> bool:
    return 0 <= size < len(known) and known[size] == root


def _parts(head: str) -> tuple[int, str]:
    size, _, root = head.partition(":")
    return int(size), root


def main(words: list[str]) -> int:
    """Check a folder or a proof, and say so."""
    head, *proofs = words
    wrong: list[str] = []
    for proof in proofs:
        print(f"{proof}: record {proven(Path(proof).read_text('utf-8'), head)} stands in the journal of {head}.")
    if not proofs:
        wrong = wrong_with(Path(__file__).parent, head)
        print("\n".join(wrong) or f"Complete, unchanged, and a continuation of {head}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
