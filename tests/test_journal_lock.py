"""One process holds the state folder, and whoever slips past the lock is stopped by the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.journal.sqlite import Journal
from tests.damage import LATER_US, add, journal_of, python, read_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


def test_a_second_core_is_told_who_holds_the_state_and_since_when(path: Path) -> None:
    journal_of(path, 3).close()
    code = """
import sys
from pathlib import Path
from orchestrator.journal.sqlite import Journal
with Journal.open(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
    with python(code, str(path)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Unusable, match=rf"held by process {holder.pid} since 20..-..-.. ..:..:.. UTC") as refused:
            Journal.open(path)
        assert refused.value.facts["pid"] == holder.pid
        assert len(read_all(path)) == 3
        holder.communicate("")
    with Journal.open(path) as journal:
        add(journal, 1)


def test_a_holder_who_has_not_signed_the_lock_yet_still_holds_it(path: Path) -> None:
    with journal_of(path, 1):
        (path.parent / "lock").write_text("")
        with pytest.raises(Unusable, match="held by another process"):
            Journal.open(path)


def test_a_writer_that_slipped_past_the_lock_is_fenced_by_the_numbers(path: Path) -> None:
    with journal_of(path, 4) as journal:
        (path.parent / "lock").unlink()  # as a person does who takes the file for the lock
        with Journal.open(path) as intruder:
            add(intruder, 2)
        with pytest.raises(Unusable, match="Another process wrote record 5"):
            journal.begin()
    assert [record.seq for record in read_all(path)] == [1, 2, 3, 4, 5, 6]


def test_a_writer_without_our_manners_cannot_take_a_number_twice(path: Path) -> None:
    with journal_of(path, 4) as journal:
        journal.begin()
        journal.append(LATER_US, "k", {})
        journal._db.execute("INSERT INTO journal VALUES (5, 1, 'k', NULL, x'00', x'00')")
        with pytest.raises(Unusable, match="Another process wrote"):
            journal.commit()
        with pytest.raises(Unusable, match="Another process wrote"):
            journal.begin()
    assert len(read_all(path)) == 4
