"""Replay: the same records in the same order, and a sentence where they cannot be followed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.errors import Refused, Unusable
from orchestrator.journal.export import verify_export
from orchestrator.journal.record import Record, decode, encode, leaf_hash, root_of
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal
from tests.damage import ROOT, add, journal_of

RECORDED = ROOT / "tests" / "journals" / "first-hour.jsonl"
RECORDED_ROOT = "64a962053bf9083abe6f2b3c7e406f69222a9f93ad2c80d8841f2189a40b0139"


def test_replay_applies_every_record_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.sqlite"
    journal_of(path, 37).close()
    seen: list[Record] = []
    with Journal.open(path) as journal:
        assert replay(journal, seen.append) == 37
        assert seen == list(journal.records())
        add(journal, 1)
        assert journal.head.size == 38


def test_an_empty_journal_replays_to_nothing(tmp_path: Path) -> None:
    with closing(Journal.create(tmp_path / "state" / "journal.sqlite")) as journal:
        assert replay(journal, lambda record: pytest.fail(f"applied {record}")) == 0


def test_a_record_that_cannot_be_applied_stops_the_replay_and_is_named(tmp_path: Path) -> None:
    applied: list[int] = []

    def apply(record: Record) -> None:
        if record.seq == 7:
            raise Refused("The host lab-srv-0006 is not under restore.", rule="stages")
        applied.append(record.seq)

    with closing(journal_of(tmp_path / "state" / "journal.sqlite", 20)) as journal:
        with pytest.raises(Unusable, match=r"Record 7 \(issued\) is genuine but cannot be applied") as stopped:
            replay(journal, apply)
        assert applied == [1, 2, 3, 4, 5, 6]
        assert stopped.value.facts["record"] == 7
        assert "lab-srv-0006 is not under restore" in stopped.value.sentence


def test_replay_never_applies_a_record_behind_a_damaged_one(tmp_path: Path) -> None:
    applied: list[int] = []
    with closing(journal_of(tmp_path / "state" / "journal.sqlite", 20)) as journal:
        journal._db.execute("UPDATE journal SET kind = 'other' WHERE seq = 5")
        with pytest.raises(Unusable, match="Record 5 "):
            replay(journal, lambda record: applied.append(record.seq))
    assert applied == [1, 2, 3, 4]


def test_a_journal_recorded_long_ago_still_has_its_bytes_and_its_root(tmp_path: Path) -> None:
    assert verify_export(RECORDED).root.hex() == RECORDED_ROOT
    lines = RECORDED.read_bytes().splitlines()[:-1]
    records = [decode(line) for line in lines]
    with closing(Journal.create(tmp_path / "state" / "journal.sqlite")) as journal:
        journal.begin()
        for record in records:
            journal.append(record.at_us, record.kind, record.body)
        assert journal.commit().root.hex() == RECORDED_ROOT
        again: list[Record] = []
        replay(journal, again.append)
    assert [encode(record) for record in again] == lines
    assert root_of(map(leaf_hash, lines)).hex() == RECORDED_ROOT
