"""Whatever the disk does to the journal ends in a sentence, with nothing lost that was committed."""

from __future__ import annotations

import os
import random
import re
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.journal.record import Record, encode
from orchestrator.journal.sqlite import Journal
from tests.damage import add, body_of, flip, journal_of, mounted, python, read_all, remount


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", 512) as folder:
        if folder is None:
            pytest.skip("only root may mount a small disk; the file size limit below stands in for it")
        yield folder


def test_a_truncated_file_says_so_wherever_it_is_cut(path: Path) -> None:
    journal_of(path, 400, batch=200).close()
    whole = path.read_bytes()
    for size in [100, 4096, *range(4096 * 2, len(whole), 4096 * 5 + 117)]:
        path.write_bytes(whole[:size])
        for read_only in (True, False):
            with pytest.raises(Unusable) as said, Journal.open(path, read_only) as journal:
                list(journal.records())
            assert str(path) in said.value.sentence
    path.write_bytes(whole)
    assert len(read_all(path)) == 400


def test_a_torn_page_names_the_last_good_record(path: Path) -> None:
    journal_of(path, 400, batch=200).close()
    whole = path.read_bytes()
    page = whole.index(encode(Record(200, 1_700_000_000_000_199, "finished", body_of(199)))) // 4096
    path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
    with Journal.open(path, read_only=True) as journal, pytest.raises(Unusable, match=r"damaged after record 1\d\d"):
        list(journal.records())


def test_any_single_flipped_bit_is_either_said_or_changes_no_record(path: Path) -> None:
    journal_of(path, 60).close()
    written, whole = read_all(path), path.read_bytes()
    chance = random.Random(7)
    positions = list(range(100)) + [chance.randrange(len(whole)) for _ in range(300)]
    said: list[str] = []
    for position in positions:
        path.write_bytes(whole)
        flip(path, position, chance.randrange(8))
        try:
            assert read_all(path) == written
        except Unusable as refused:
            said.append(refused.sentence)
    assert len(said) > 100
    assert all(str(path) in sentence for sentence in said)


def test_an_index_that_disagrees_with_the_table_is_found_by_the_walk_of_the_file(path: Path) -> None:
    journal_of(path, 60).close()
    with Journal.open(path, read_only=True) as journal:
        journal.check_file()
    action, whole = b"lab-srv-0049/restore/1", path.read_bytes()
    entry = next(  # the table has the action beside the kind and within the record, the index alone
        found.start()
        for found in re.finditer(action, whole)
        if whole[found.start() - 8 : found.start()] != b"finished" and whole[found.start() - 1 : found.start()] != b'"'
    )
    flip(path, entry + 10)
    with Journal.open(path, read_only=True) as journal:
        assert len(list(journal.records())) == 60
        with pytest.raises(Unusable, match="is damaged"):
            journal.check_file()


def test_a_full_disk_keeps_all_that_was_committed_and_goes_on_once_there_is_room(small_disk: Path) -> None:
    path = small_disk / "state" / "journal.sqlite"
    with journal_of(path, 20) as journal:
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 150_000)
        with pytest.raises(Unusable, match=r"no room left to write .* Nothing committed was lost"):
            add(journal, 10_000, batch=50)
        kept = journal.head
        assert kept.size >= 20
        assert read_all(path) == list(journal.records())
        filler.unlink()
        add(journal, 10)
        assert journal.holds(kept)
    assert len(read_all(path)) == kept.size + 10


@pytest.mark.parametrize("room_bytes", [0, 4096, 3 * 4096, 6 * 4096])
def test_a_journal_cannot_be_started_on_a_full_disk_and_can_be_once_there_is_room(
    small_disk: Path, room_bytes: int
) -> None:
    path = small_disk / "state" / "journal.sqlite"
    path.parent.mkdir(mode=0o700)
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - room_bytes))
    with pytest.raises(Unusable, match="no room left"):
        Journal.create(path).close()
    filler.unlink()
    if not path.exists():
        Journal.create(path).close()
    with Journal.open(path) as journal:
        add(journal, 1)


def test_a_disk_that_fails_in_a_commit_stops_this_writer_and_loses_nothing(path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with journal_of(path, 20) as journal:
        log_bytes = path.with_name("journal.sqlite-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes + 10_000, limits[1]))
        try:
            with pytest.raises(Unusable, match=r"The disk failed under .* after record 20"):
                add(journal, 1000, batch=1000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert journal.head.size == 20
        with pytest.raises(Unusable, match="The disk failed"):
            journal.begin()
    with Journal.open(path) as journal:
        assert len(list(journal.records())) == 20
        add(journal, 5)


def test_a_read_only_disk_refuses_the_writer_at_once_and_serves_the_reader(small_disk: Path) -> None:
    path = small_disk / "state" / "journal.sqlite"
    journal_of(path, 20).close()
    remount(small_disk, "ro")
    with pytest.raises(Unusable, match="read-only"):
        Journal.open(path)
    assert len(read_all(path)) == 20
    with pytest.raises(Unusable, match="read-only"):
        Journal.create(small_disk / "other" / "journal.sqlite")
    remount(small_disk, "rw")
    with Journal.open(path) as journal:
        add(journal, 1)


OTHER_USER = """
import os, sys
from pathlib import Path
from orchestrator.errors import Unusable
from orchestrator.journal.sqlite import Journal
path = Path(sys.argv[1])
if os.geteuid() == 0:
    for owned in (path.parent, *path.parent.iterdir()):
        os.chown(owned, 65534, 65534)
    os.setuid(65534)
try:
    Journal.open(path)
except Unusable as refused:
    print(refused.sentence)
with Journal.open(path, read_only=True) as journal:
    print(journal.head.size)
"""


@pytest.mark.parametrize(("what", "mode"), [("file", 0o400), ("folder", 0o500)])
def test_a_read_only_file_or_folder_refuses_the_writer_at_once_and_serves_the_reader(what: str, mode: int) -> None:
    # Root may write anything, so another user tries, in a process of its own and a folder it can reach.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        journal_of(path, 20).close()
        (path if what == "file" else path.parent).chmod(mode)
        with python(OTHER_USER, str(path)) as other:
            said, _ = other.communicate("")
        path.parent.chmod(0o700)
    assert "read-only" in said.splitlines()[0]
    assert said.splitlines()[1] == "20"
