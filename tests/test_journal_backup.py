"""The backup: a whole, verified state folder on another disk, taken while the work goes on."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.journal import witness
from orchestrator.journal.backup import Backup, backup
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.sqlite import Journal
from tests.damage import add, flip, journal_of, mounted, python, read_all, remount


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a run with 30 records, evidence, one invocation and a secret."""
    folder = tmp_path / "state"
    journal_of(folder / "journal.sqlite", 30).close()
    Blobs(folder / "evidence").put(b"manifest of lab-srv-0001")
    (folder / "runs" / "7").mkdir(parents=True, mode=0o700)
    for name, text in {"request.json": "{}", "lock": "", "start": "", "results.jsonl": '{"action":"a"}\n{"act'}.items():
        (folder / "runs" / "7" / name).write_text(text)
    (folder / "secrets").mkdir(mode=0o700)
    (folder / "secrets" / "bmc").write_text("planted-value")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "usb" / "0300"
    assert not list((tmp_path / "usb").glob("*.part"))


def test_a_backup_holds_everything_but_the_lock_and_the_secrets_and_says_so(state: Path, target: Path) -> None:
    done = backup(state, target)
    left_out = ("lock", "secrets/", "journal.sqlite-")  # the log's records are in the copy of the file itself
    expected = {name: content for name, content in files_of(state).items() if not name.startswith(left_out)}
    copied = files_of(target)
    assert copied.keys() == expected.keys()
    assert copied["runs/7/results.jsonl"] == b'{"action":"a"}\n{"act'
    assert all(copied[name] == expected[name] for name in expected if not name.startswith("journal"))
    assert done == Backup(target, witness.read(state) or pytest.fail("no head"), 5, ("lock", "secrets"))
    assert done.sentence == f"Backed up 30 records and 5 other files to {target}; not in it: lock, secrets."
    assert not any(b"planted-value" in content for content in copied.values())


def test_a_backup_is_a_state_folder_that_can_be_gone_on_with(state: Path, target: Path) -> None:
    head = backup(state, target).head
    assert target.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o077 for file in target.rglob("*")} == {0}
    with Journal.open(target / "journal.sqlite") as journal:
        assert journal.head == head
        add(journal, 3)
    assert len(read_all(state / "journal.sqlite")) == 30
    assert len(read_all(target / "journal.sqlite")) == 33


def test_a_backup_cut_short_afterwards_is_noticed_by_its_own_note_of_the_head(state: Path, target: Path) -> None:
    backup(state, target)
    with Journal.open(target / "journal.sqlite") as journal:
        journal._db.execute("DELETE FROM journal WHERE seq > 28")
    with pytest.raises(Unusable, match="ends with record 28, yet record 30 was committed"):
        Journal.open(target / "journal.sqlite")


def test_a_backup_in_the_middle_of_the_work_is_one_moment_of_it(state: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.sqlite import Journal
from tests.damage import LATER_US
state = Path(sys.argv[1])
blobs = Blobs(state / "evidence")
with Journal.open(state / "journal.sqlite") as journal:
    while True:
        journal.begin()
        for number in range(10):
            blob = blobs.put(b"%d %d" % (journal.head.size, number))
            journal.append(LATER_US, "inspected", {"blob": blob, "n": number})
        print(journal.commit().size, flush=True)
"""
    with python(code, str(state)) as work:
        assert work.stdout is not None
        work.stdout.readline()
        backups = [backup(state, tmp_path / "usb" / str(number)) for number in range(4)]
        work.kill()
        work.stdout.read()
    with Journal.open(state / "journal.sqlite", read_only=True) as journal:
        assert all(journal.holds(done.head) for done in backups)
    sizes = [done.head.size for done in backups]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0] > 30
    for done in backups:
        evidence = Blobs(done.path / "evidence")
        records = read_all(done.path / "journal.sqlite")
        assert len(records) == done.head.size
        assert records[-1].body["n"] == 9
        assert all(evidence.get(str(record.body["blob"])) for record in records[30:])


def test_the_live_process_can_back_itself_up_from_another_thread_and_goes_on(state: Path, tmp_path: Path) -> None:
    with Journal.open(state / "journal.sqlite") as journal:
        add(journal, 5)
        journal.begin()
        journal.append(1_700_000_000_000_035, "note", {})
        done: list[Backup] = []
        other = threading.Thread(target=lambda: done.append(backup(state, tmp_path / "usb")))
        other.start()
        other.join()
        assert done[0].head == journal.head
        journal.commit()
        with pytest.raises(Unusable, match="is held by process"):
            Journal.open(state / "journal.sqlite")
        add(journal, 5)
    assert len(read_all(state / "journal.sqlite")) == 41


def test_sockets_and_links_are_left_out_and_named(state: Path, target: Path) -> None:
    (state / "runs" / "elsewhere").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(state, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/socket")
        listener.listen()
        os.close(here)
        os.mkfifo(state / "runs" / "7" / "pipe")
        assert set(backup(state, target).left_out) == {"lock", "secrets", "socket", "runs/elsewhere", "runs/7/pipe"}
    assert not (target / "runs" / "elsewhere").exists()


def test_a_backup_never_goes_over_something_or_into_itself(state: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(Unusable, match="exists already"):
        backup(state, tmp_path / "old")
    with pytest.raises(Unusable, match="is inside the state folder"):
        backup(state, state / "backups" / "1")
    assert not (state / "backups").exists()


def test_what_a_killed_backup_left_is_cleared_by_the_next(state: Path, target: Path) -> None:
    left = target.with_name("0300.part")
    left.mkdir(parents=True)
    (left / "journal.sqlite").write_bytes(b"half")
    (left / "stale").write_bytes(b"half")
    backup(state, target)
    assert not (target / "stale").exists()


@pytest.mark.parametrize("what", ["missing", "flipped", "cut"])
def test_a_damaged_journal_is_never_passed_off_as_a_backup(state: Path, target: Path, what: str) -> None:
    path = state / "journal.sqlite"
    if what == "missing":
        path.unlink()
    elif what == "flipped":
        flip(path, path.read_bytes().index(b'"host":"lab-srv-0013"') + 10)
    else:
        os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(Unusable, match=str(path)):
        backup(state, target)
    assert not target.exists()


def test_a_full_or_read_only_disk_leaves_no_backup_and_says_why(state: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 256) as disk:
        if disk is None:
            pytest.skip("only root may mount a small disk")
        backup(state, disk / "fits")
        (state / "evidence" / "image").write_bytes(os.urandom(300_000))
        with pytest.raises(Unusable, match=r"no room left to write .*/disk/"):
            backup(state, disk / "does-not")
        assert [file.name for file in disk.iterdir()] == ["fits"]
        remount(disk, "ro")
        with pytest.raises(Unusable, match=r"/disk/.*read-only"):
            backup(state, disk / "other")
        assert len(read_all(disk / "fits" / "journal.sqlite")) == 30


def test_a_disk_too_small_for_the_journal_is_said(state: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 16) as disk:
        if disk is None:
            pytest.skip("only root may mount a small disk")
        with pytest.raises(Unusable, match="no room left"):
            backup(state, disk / "does-not")
        assert list(disk.iterdir()) == []


def test_a_temporary_file_that_vanishes_while_being_copied_is_no_failure(state: Path, target: Path) -> None:
    going = threading.Event()

    def churn() -> None:
        while not going.is_set():
            temporary = state / "evidence" / ".new-image"
            temporary.write_bytes(b"x" * 1000)
            temporary.rename(state / "evidence" / "image")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for number in range(5):
            backup(state, target.with_name(str(number)))
    finally:
        going.set()
        thread.join()
