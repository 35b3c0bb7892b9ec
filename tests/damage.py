"""Journals to try things on, and what befalls disks: small ones, read-only ones, flipped bits, dying processes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.journal.record import Record
from orchestrator.journal.sqlite import Journal

ROOT = Path(__file__).resolve().parent.parent


def body_of(number: int) -> dict[str, Json]:
    """A body as a restore's end leaves it; every third has no action."""
    body: dict[str, Json] = {"v": 1, "host": f"lab-srv-{number:04}", "sentence": "Restauré à 3 h du matin."}
    return body if number % 3 == 0 else {**body, "action": f"lab-srv-{number:04}/restore/1"}


def journal_of(path: Path, count: int, batch: int = 10) -> Journal:
    """A new journal of `count` records, open for writing."""
    journal = Journal.create(path)
    add(journal, count, batch)
    return journal


LATER_US = 1_800_000_000_000_000  # after every record that `add` makes


def add(journal: Journal, count: int, batch: int = 10) -> None:
    """Commit `count` more records, `batch` in a transaction."""
    first = journal.head.size
    for start in range(first, first + count, batch):
        journal.begin()
        for number in range(start, min(start + batch, first + count)):
            journal.append(1_700_000_000_000_000 + number, "finished" if number % 2 else "issued", body_of(number))
        journal.commit()


def read_all(path: Path) -> list[Record]:
    """Every record, read without the lock; verified against the noted head too."""
    with Journal.open(path, read_only=True) as journal:
        assert journal.head.size >= 0
        return list(journal.records())


def change(path: Path, statement: str, *values: object) -> None:
    """Change the file behind the journal's back, as a failing disk or a curious person would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement, values)


def flip(path: Path, byte: int, bit: int = 0) -> None:
    """Flip one bit of a file."""
    with path.open("r+b") as file:
        file.seek(byte)
        value = file.read(1)[0]
        file.seek(byte)
        file.write(bytes([value ^ (1 << bit)]))


@contextmanager
def mounted(folder: Path, size_kb: int) -> Iterator[Path | None]:
    """A disk of its own in memory, None where this user may not mount one."""
    folder.mkdir()
    options = f"size={size_kb}k,mode=0700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "relance-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """Turn a mounted disk read-only (`ro`) or back (`rw`)."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A real second process running `code`, talked to over pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
