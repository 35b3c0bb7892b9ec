"""The note of the last head: records that were committed never go missing without a word."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.journal import witness
from orchestrator.journal.record import Record, encode, leaf_hash
from orchestrator.journal.sqlite import Journal
from tests.damage import add, body_of, change, flip, journal_of, read_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


def test_bytes_that_were_changed_with_their_hash_are_still_found_out(path: Path) -> None:
    journal_of(path, 20).close()
    text = encode(Record(8, 1_700_000_000_000_007, "finished", {**body_of(7), "host": "other"}))
    change(path, "UPDATE journal SET bytes = ?, hash = ? WHERE seq = 8", text, leaf_hash(text))
    with pytest.raises(Unusable, match="the root of its first 20 records is not the one committed"):
        read_all(path)
    change(path, "UPDATE journal SET bytes = x'5b5d', hash = ? WHERE seq = 8", leaf_hash(b"[]"))
    with pytest.raises(Unusable, match=r"Record 8 .* a record has exactly"):
        read_all(path)


def test_records_deleted_from_the_end_are_missed(path: Path) -> None:
    journal_of(path, 20).close()
    change(path, "DELETE FROM journal WHERE seq > 17")
    for read_only in (True, False):
        with pytest.raises(Unusable, match="ends with record 17, yet record 20 was committed"):
            Journal.open(path, read_only)


def killed_state(path: Path) -> Path:
    """A state folder as a killed process leaves it: the newest records only in the write-ahead log."""
    after = path.parent.parent / "after"
    with journal_of(path, 20):
        shutil.copytree(path.parent, after, ignore=shutil.ignore_patterns("*-shm"))
    return after / path.name


def test_the_log_a_killed_process_leaves_is_played_in(path: Path) -> None:
    assert len(read_all(killed_state(path))) == 20


@pytest.mark.parametrize("damage", ["removed", "emptied", "cut", "flipped"])
def test_a_damaged_write_ahead_log_never_loses_a_committed_record_silently(path: Path, damage: str) -> None:
    left = killed_state(path)
    log = left.with_name("journal.sqlite-wal")
    size = log.stat().st_size
    if damage == "removed":
        log.unlink()
    elif damage == "flipped":
        flip(log, size - 3000)
    else:
        os.truncate(log, 0 if damage == "emptied" else size - 100)
    with pytest.raises(Unusable, match=r"record 20 was committed|is not a journal|cannot be used"):
        Journal.open(left)


def test_without_a_readable_note_of_the_head_the_journal_still_opens(path: Path) -> None:
    journal_of(path, 20).close()
    for note in (b"", b"x" * 82, b"\x00" * 82, b"0000000000000020 " + b"g" * 65):
        (path.parent / witness.NAME).write_bytes(note)
        assert len(read_all(path)) == 20
    (path.parent / witness.NAME).unlink()
    with Journal.open(path) as journal:
        add(journal, 1)
        assert witness.read(path.parent) == journal.head
