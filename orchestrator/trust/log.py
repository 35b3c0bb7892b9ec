"""Reads a journal's records in their order and computes the root after each, for the release check alone.

Shares nothing with the package that writes journals, and never says what a record means.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

CITED = ("pass_gate", "enter_service", "ordered")


def texts(journal: Path) -> Iterator[bytes]:
    """The records' bytes, of a state folder's journal or of an export."""
    with journal.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            file.seek(0)
            yield from (line.removesuffix(b"\n") for line in file if not line.startswith(b'{"head":'))
            return
    with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as db:
        yield from (text for (text,) in db.execute("SELECT bytes FROM journal ORDER BY seq"))


class Log:
    """The journal as far as it was read: the last record, and the root after each."""

    def __init__(self) -> None:
        self.size = self.at_us = 0
        self.kind, self.body = "", dict[str, Any]()
        self.peaks: list[tuple[int, bytes]] = []
        self.roots = [sha256(b"").digest()]
        self.cited: dict[int, tuple[str, dict[str, Any]]] = {}

    def take(self, text: bytes) -> None:
        """One record in its place."""
        record = json.loads(text)
        self.size += 1
        self.peaks.append((1, sha256(b"\0" + text).digest()))
        while len(self.peaks) > 1 and self.peaks[-1][0] == self.peaks[-2][0]:
            (size, right), (_, left) = self.peaks.pop(), self.peaks.pop()
            self.peaks.append((2 * size, sha256(b"\1" + left + right).digest()))
        root = self.peaks[-1][1]
        for _, peak in self.peaks[-2::-1]:
            root = sha256(b"\1" + peak + root).digest()
        self.roots.append(root)
        self.kind, self.body = record["kind"], record["body"]
        if record["seq"] != self.size or (record["at_us"] < self.at_us and self.kind != "epoch"):
            raise ValueError("a record stands where it does not belong")
        self.at_us = record["at_us"]
        if self.kind in CITED:
            self.cited[self.size] = (self.kind, self.body)

    def had(self, size: int, root: str) -> bool:
        """Whether this head is a part of it."""
        return 0 <= size <= self.size and self.roots[size].hex() == root
