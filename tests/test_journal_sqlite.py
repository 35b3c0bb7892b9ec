"""The journal on disk: what was committed stays, in order, whole, and readable beside the writer."""

from __future__ import annotations

import itertools
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import Refused, Unusable
from orchestrator.journal.record import EMPTY_ROOT, EPOCH, Head, Record, encode, leaf_hash, root_of
from orchestrator.journal.sqlite import MARK_EVERY, Journal
from tests.damage import LATER_US, add, body_of, change, journal_of, python, read_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


def test_what_was_committed_is_there_after_reopening_with_the_same_head(path: Path) -> None:
    with journal_of(path, 25) as journal:
        written, head = list(journal.records()), journal.head
    assert [record.seq for record in written] == list(range(1, 26))
    with Journal.open(path) as journal:
        assert list(journal.records()) == written
        assert journal.head == head == Head(25, root_of(leaf_hash(encode(record)) for record in written))


def test_an_empty_journal_has_a_head_and_no_records(path: Path) -> None:
    with Journal.create(path) as journal:
        assert journal.head == Head(0, EMPTY_ROOT)
        assert list(journal.records()) == []
        journal.begin()
        assert journal.commit() == Head(0, EMPTY_ROOT)


def test_a_transaction_taken_back_leaves_nothing_and_its_numbers_are_used_again(path: Path) -> None:
    with journal_of(path, 5) as journal:
        before = journal.head
        journal.begin()
        journal.append(LATER_US, "issued", body_of(1))
        assert journal.head == before
        assert len(list(journal.records())) == 5
        journal.rollback()
        assert journal.head == before
        add(journal, 1)
        assert journal.head.size == 6
    assert len(read_all(path)) == 6


def test_an_appended_record_carries_its_number_and_its_action(path: Path) -> None:
    with Journal.create(path) as journal:
        journal.begin()
        record = journal.append(5, "issued", {"v": 1}, action="pacs/restore/1")
        assert record == Record(1, 5, "issued", {"v": 1, "action": "pacs/restore/1"})
        journal.append(6, "reading", {"v": 1, "action": ["no", "text"]})
        journal.commit()
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT seq, at_us, kind, action FROM journal").fetchall()
    assert rows == [(1, 5, "issued", "pacs/restore/1"), (2, 6, "reading", None)]


def test_a_record_that_has_no_bytes_changes_nothing(path: Path) -> None:
    with Journal.create(path) as journal:
        journal.begin()
        with pytest.raises(Refused):
            journal.append(1, "evidence", {"text": "x" * (1 << 22)})
        journal.append(2, "issued", body_of(2))
        journal.commit()
        assert [record.at_us for record in journal.records()] == [2]


def test_only_an_epoch_sets_time_back_and_nothing_else_is_added_before_the_last_record(path: Path) -> None:
    def refused(journal: Journal, at_us: int) -> None:
        with pytest.raises(Refused, match="its time lies before that of the record before it") as said:
            journal.append(at_us, "reading", {})
        assert said.value.rule == "journal.time"

    with Journal.create(path) as journal:
        journal.begin()
        journal.append(100, "reading", {})
        refused(journal, 99)
        journal.commit()
        journal.begin()
        refused(journal, 99)
        journal.append(40, EPOCH, {})
        refused(journal, 39)
        journal.append(40, "reading", {})
        journal.commit()
    with Journal.open(path) as journal:
        journal.begin()
        refused(journal, 39)
        journal.append(40, "reading", {})
        journal.commit()
    assert [record.at_us for record in read_all(path)] == [100, 40, 40, 40]


def test_a_record_that_lies_before_its_predecessor_is_damage_unless_it_is_an_epoch(path: Path) -> None:
    journal_of(path, 20).close()
    early = Record(8, 1_600_000_000_000_000, "reading", {})
    text = encode(early)
    columns = "at_us = ?, kind = ?, action = NULL, hash = ?, bytes = ?"
    values = (early.at_us, early.kind, leaf_hash(text), text)
    change(path, f"UPDATE journal SET {columns} WHERE seq = 8", *values)
    with pytest.raises(Unusable, match=r"Record 8 .* its time lies before that of the record before it"):
        read_all(path)
    with Journal.open(path) as journal:
        assert len(list(journal.records(8))) == 13, "what was not read is not judged by"


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=5))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_commits_and_rollbacks_keeps_exactly_the_committed(
    tmp_path: Path, batches: list[tuple[int, bool]]
) -> None:
    state = tmp_path / "state"
    shutil.rmtree(state, ignore_errors=True)
    kept: list[Record] = []
    with Journal.create(state / "journal.sqlite") as journal:
        for count, keep in batches:
            journal.begin()
            batch = [journal.append(len(kept) + number, "k", body_of(number)) for number in range(count)]
            if keep:
                journal.commit()
                kept += batch
            else:
                journal.rollback()
            assert journal.head.size == len(kept)
        leaves = [leaf_hash(encode(record)) for record in kept]
        for size in {0, 1, MARK_EVERY - 1, MARK_EVERY, MARK_EVERY + 1, len(kept) // 2, len(kept)}:
            if size <= len(kept):
                assert journal.root_at(size) == root_of(leaves[:size])
    assert read_all(state / "journal.sqlite") == kept


def test_every_head_ever_committed_is_a_prefix_and_nothing_else_is(path: Path) -> None:
    heads = []
    with Journal.create(path) as journal:
        for _ in range(6):
            add(journal, 100, batch=50)
            heads.append(journal.head)
    with Journal.open(path, read_only=True) as journal:
        assert all(journal.holds(head) for head in heads)
        assert not journal.holds(Head(300, heads[3].root))
        assert not journal.holds(Head(601, heads[5].root))
        assert not journal.holds(Head(-1, heads[5].root))
        with pytest.raises(Refused, match="has 600 records"):
            journal.root_at(601)


def test_reading_from_the_middle_gives_the_rest(path: Path) -> None:
    with journal_of(path, 30):
        pass
    with Journal.open(path, read_only=True) as journal:
        assert [record.seq for record in journal.records(28)] == [28, 29, 30]
        assert list(journal.records(31)) == []
        assert journal.head.size == 30


def test_a_half_read_journal_still_knows_its_head(path: Path) -> None:
    with journal_of(path, 30) as journal:
        head = journal.head
    with Journal.open(path) as journal:
        reader = journal.records()
        next(reader)
        add(journal, 5)
        assert [record.seq for record in reader] == list(range(2, 31))
        assert journal.root_at(30) == head.root
        assert journal.head.size == 35


def test_transactions_out_of_turn_are_a_mistake_of_the_caller(path: Path) -> None:
    with Journal.create(path) as journal:
        for out_of_turn in (lambda: journal.append(1, "k", {}), journal.commit, journal.rollback):
            with pytest.raises(RuntimeError, match="outside a transaction"):
                out_of_turn()
        journal.begin()
        with pytest.raises(RuntimeError, match="inside a transaction"):
            journal.begin()


# Who may


def test_only_the_owner_may_look_into_the_state_folder(path: Path) -> None:
    with journal_of(path, 3):
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}
    assert {"journal.sqlite", "journal.sqlite-wal", "journal.head", "lock"} <= set(modes)


def test_a_folder_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    with pytest.raises(Unusable, match=f"chmod 700 {state}"):
        Journal.create(state / "journal.sqlite")


def test_a_reader_beside_the_live_writer_sees_each_commit_and_nothing_open(path: Path) -> None:
    with journal_of(path, 10) as journal, Journal.open(path, read_only=True) as reader:
        assert reader.head == journal.head
        journal.begin()
        journal.append(LATER_US, "k", {})
        assert reader.head.size == len(list(reader.records())) == 10
        journal.commit()
        assert reader.head == journal.head
        assert [record.seq for record in reader.records(11)] == [11]
        with pytest.raises(RuntimeError, match="read-only"):
            reader.begin()


# What befalls the file


def test_a_missing_journal_is_said_and_nothing_is_made(path: Path) -> None:
    with pytest.raises(Unusable, match="There is no journal at"):
        Journal.open(path)
    assert not path.parent.exists()


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal", "journal.head"])
def test_a_new_incident_never_starts_on_what_is_left_of_another(path: Path, name: str) -> None:
    path.parent.mkdir(mode=0o700)
    (path.parent / name).write_bytes(b"")
    with pytest.raises(Unusable, match="holds one incident"):
        Journal.create(path)


def test_a_creation_that_was_killed_can_be_started_again(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    (path.parent / "journal.sqlite.new").write_bytes(b"half")
    (path.parent / "journal.sqlite.new-journal").write_bytes(b"half")
    with journal_of(path, 1):
        assert not list(path.parent.glob("*.new*"))


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be read" * 30])
def test_a_file_that_is_no_journal_is_named(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    for read_only in (True, False):
        with pytest.raises(Unusable, match=r"journal\.sqlite is not a journal of Relance"):
            Journal.open(path, read_only)


def test_a_journal_of_a_later_format_is_left_to_the_version_that_knows_it(path: Path) -> None:
    journal_of(path, 1).close()
    change(path, "PRAGMA user_version = 2")
    with pytest.raises(Unusable, match="has format 2; this version of Relance reads 1"):
        Journal.open(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at_us", 1_700_000_000_000_008),
        ("kind", "finishee"),
        ("action", "lab-srv-0007/restore/2"),
        ("action", None),
        ("hash", bytes(32)),
        ("hash", b""),
        ("bytes", b"{}"),
    ],
)
def test_a_changed_column_names_its_record(path: Path, column: str, value: object) -> None:
    journal_of(path, 20).close()
    change(path, f"UPDATE journal SET {column} = ? WHERE seq = 8", value)
    with Journal.open(path) as journal:
        with pytest.raises(Unusable, match=r"Record 8 .* is damaged") as said:
            list(journal.records())
        assert said.value.facts["record"] == 8
        assert len(list(journal.records(9))) == 12
        with pytest.raises(Unusable, match=r"Record 8 .* is damaged"):
            journal.begin()


@pytest.mark.parametrize("bit", [0, 5, 300, 700])
def test_a_flipped_bit_in_a_records_bytes_names_it(path: Path, bit: int) -> None:
    with journal_of(path, 20) as journal:
        text = bytearray(encode(list(journal.records())[7]))
    text[bit // 8] ^= 1 << bit % 8
    change(path, "UPDATE journal SET bytes = ? WHERE seq = 8", bytes(text))
    with pytest.raises(Unusable, match=r"Record 8 .* its bytes do not match its hash"):
        read_all(path)


@pytest.mark.parametrize("seq", [1, 8])
def test_a_missing_record_is_named(path: Path, seq: int) -> None:
    journal_of(path, 20).close()
    change(path, "DELETE FROM journal WHERE seq = ?", seq)
    with pytest.raises(Unusable, match=rf"Record {seq} .* it is missing"):
        read_all(path)


def test_a_record_that_vanishes_after_it_was_read_is_missed_by_the_root(path: Path) -> None:
    with journal_of(path, 20) as journal:
        change(path, "DELETE FROM journal WHERE seq = 8")
        with pytest.raises(Unusable, match="it or a later one is missing"):
            journal.root_at(10)


WRITER = """
import sys
from pathlib import Path
from orchestrator.journal.sqlite import Journal
with Journal.open(Path(sys.argv[1])) as journal:
    batch = journal.head.size
    while True:
        batch += 1
        count = batch * 7 % 40 + 1
        journal.begin()
        for number in range(count):
            journal.append(batch, "k", {"batch": batch, "number": number, "of": count, "pad": "x" * 200})
        print(journal.commit().size, flush=True)
"""


def test_twenty_kills_in_the_middle_of_transactions_lose_no_commit_and_leave_no_half(path: Path) -> None:
    Journal.create(path).close()
    chance = random.Random(11)
    for _ in range(20):
        with python(WRITER, str(path)) as writer:
            assert writer.stdout is not None
            acknowledged = int(writer.stdout.readline())
            time.sleep(chance.uniform(0, 0.03))
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().splitlines(keepends=True)[:-1])])
        with Journal.open(path) as journal:
            assert journal.head.size >= acknowledged
            last = list(journal.records())[-1]
            assert last.body["number"] == int(str(last.body["of"])) - 1
    records = read_all(path)
    for record, following in itertools.pairwise(records):
        whole = record.body["number"] == int(str(record.body["of"])) - 1
        assert (following.body["batch"] == record.body["batch"]) != whole


def test_a_reader_works_beside_a_writer_in_another_process(path: Path) -> None:
    Journal.create(path).close()
    with python(WRITER, str(path)) as writer:
        assert writer.stdout is not None
        heads = []
        with Journal.open(path, read_only=True) as reader:
            for _ in range(10):
                acknowledged = int(writer.stdout.readline())
                heads.append(reader.head)
                assert heads[-1].size >= acknowledged
            assert all(reader.holds(head) for head in heads)
        writer.kill()
        writer.stdout.read()
    assert len(read_all(path)) >= heads[-1].size
