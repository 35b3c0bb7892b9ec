"""Measures the journal against plain SQLite: CPU per appended record and CPU to read 200,000 of them back.

Prints one JSON line and asserts nothing. The rivals do no more than keep and return the same bytes: one table, the
same batches, the same durability, no hash, no tree, no index, no check.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.journal.record import Record, encode
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal

START_US = 1_767_225_600_000_000
STEPS = ("preserve", "restore", "inspect", "reconnect")
Entry = tuple[int, str, dict[str, Json]]


def entries(count: int) -> list[Entry]:
    """What a restart journals: of five records an issue, its result, and three readings; some 250 bytes each."""
    return [entry(number) for number in range(count)]


def entry(number: int) -> Entry:
    """The `number`th of them: 1,700 hosts, one step after the other."""
    work = number // 5
    host = f"lab-ws-{work % 1700:04}"
    step = STEPS[work // 1700 % len(STEPS)]
    body: dict[str, Json] = {"v": 1, "host": host}
    if number % 5 > 1:
        sentence = "The service answered in time."
        return START_US + number, "reading", {**body, "check": f"{host}/l2", "outcome": "PASS", "sentence": sentence}
    body["action"] = f"{host}/{step}/{work // 1700 // len(STEPS) + 1}"
    if number % 5 == 0:
        return START_US + number, "issued", {**body, "pools": ["restore-lab", "bench-3"], "strategy": "restore"}
    facts: dict[str, Json] = {"restore_point_us": START_US - number, "image_digest": f"{number:064x}"}
    return START_US + number, "finished", {**body, "outcome": "ok", "sentence": "Restored.", "facts": facts}


def append_journal(path: Path, made: list[Entry], batch: int) -> float:
    """CPU seconds of appending and committing them all."""
    with Journal.create(path) as journal:
        start = time.process_time()
        for first in range(0, len(made), batch):
            journal.begin()
            for at_us, kind, body in made[first : first + batch]:
                journal.append(at_us, kind, body)
            journal.commit()
        return time.process_time() - start


def append_rival(path: Path, texts: list[bytes], batch: int) -> float:
    """CPU seconds of plain inserts of the same bytes in the same batches."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE plain (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
        start = time.process_time()
        for first in range(0, len(texts), batch):
            db.execute("BEGIN IMMEDIATE")
            for seq, text in enumerate(texts[first : first + batch], first + 1):
                db.execute("INSERT INTO plain VALUES (?, ?)", (seq, text))
            db.execute("COMMIT")
        return time.process_time() - start


def encode_alone(made: list[Entry]) -> float:
    """CPU seconds of canonical encoding, which is no part of keeping."""
    start = time.process_time()
    for seq, (at_us, kind, body) in enumerate(made, 1):
        encode(Record(seq, at_us, kind, body))
    return time.process_time() - start


def read_journal(path: Path) -> float:
    """CPU seconds of reading, verifying and decoding every record."""
    with Journal.open(path) as journal:
        start = time.process_time()
        replay(journal, lambda record: None)
        return time.process_time() - start


def read_rival(path: Path) -> float:
    """CPU seconds of a plain SELECT and json.loads."""
    with closing(sqlite3.connect(path)) as db:
        start = time.process_time()
        for (text,) in db.execute("SELECT bytes FROM plain ORDER BY seq"):
            json.loads(text)
        return time.process_time() - start


def measure(folder: Path, count: int, batch: int, rounds: int) -> dict[str, object]:
    """The best of a few rounds of each, taken in turn so that a busy machine hits all alike."""
    made = entries(count)
    texts = [encode(Record(seq, *given)) for seq, given in enumerate(made, 1)]
    best: dict[str, float] = {}
    for number in range(rounds):
        ours, rival = folder / str(number) / "journal.sqlite", folder / f"plain-{number}.sqlite"
        figures = {
            "append": append_journal(ours, made, batch),
            "append_rival": append_rival(rival, texts, batch),
            "encode": encode_alone(made),
            "read": read_journal(ours),
            "read_rival": read_rival(rival),
        }
        best = {name: min(value, best.get(name, value)) for name, value in figures.items()}
    us = {name: round(value / count * 1e6, 2) for name, value in best.items()}
    return {
        "bench": "journal",
        "records": count,
        "batch": batch,
        "bytes_per_record": sum(map(len, texts)) // count,
        "append_us": us["append"],
        "append_of_which_encoding_us": us["encode"],
        "append_rival_us": us["append_rival"],
        "read_cpu_s": round(best["read"], 3),
        "read_rival_cpu_s": round(best["read_rival"], 3),
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=200_000)
    options.add_argument("--batch", type=int, default=50)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--folder", type=Path, help="where to write; the disk's speed does not count, only CPU")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        print(json.dumps(measure(Path(folder), given.records, given.batch, given.rounds)))


if __name__ == "__main__":
    main()
