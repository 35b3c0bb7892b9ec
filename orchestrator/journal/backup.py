"""Copies the state folder while the process lives, verifies the copy's journal, and only then gives it its name.

Never copies the lock, the socket or secrets, and never leaves a half copy under the name of a backup.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Unusable
from orchestrator.journal import witness
from orchestrator.journal.disk import refused_by_disk, sync_folder
from orchestrator.journal.record import Head
from orchestrator.journal.sqlite import Journal

JOURNAL = "journal.sqlite"
LEFT_OUT = ("lock", "secrets", "socket")
# Copied through SQLite alone: closing any other handle on these files in this process would drop SQLite's locks.
_BY_ITSELF = {JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm", f"{JOURNAL}.new", witness.NAME}


@dataclass(slots=True, frozen=True)
class Backup:
    """A finished backup: where it is, the head its journal ends with, and what of the folder is not in it."""

    path: Path
    head: Head
    files: int
    left_out: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What a person is told."""
        return (
            f"Backed up {self.head.size} records and {self.files} other files to {self.path}; "
            f"not in it: {', '.join(self.left_out) or 'nothing'}."
        )


def backup(state_dir: Path, target: Path) -> Backup:
    """Copy `state_dir` to the new folder `target`; Unusable if it cannot be copied whole, and nothing is left."""
    if target.exists() or target.is_symlink():
        raise Unusable(f"{target} exists already; a backup goes into a new folder.", path=str(target))
    if target.resolve().is_relative_to(state_dir.resolve()):
        raise Unusable(f"{target} is inside the state folder; back up to another disk.", path=str(target))
    part = target.with_name(f"{target.name}.part")
    try:
        if part.exists():  # of a backup that was killed
            shutil.rmtree(part)
        part.mkdir(mode=0o700, parents=True)
        done = _fill(state_dir, part, target)
        part.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise refused_by_disk(error, Path(error.filename or part)) from error
    finally:
        with suppress(OSError):  # what counts was said already; the name .part says what is left
            shutil.rmtree(part)
    return done


def _fill(state_dir: Path, part: Path, target: Path) -> Backup:
    # The journal first: files are stored before the record that names them, so all it names are there afterwards.
    head = _copy_journal(state_dir / JOURNAL, part / JOURNAL)
    files = 0
    left_out = [name for name in LEFT_OUT if os.path.lexists(state_dir / name)]
    for found in _entries(state_dir):
        if found.is_symlink() or not (found.is_dir() or found.is_file()):
            left_out.append(found.path[len(str(state_dir)) + 1 :])
        else:
            files += _copy(Path(found.path), part / Path(found.path).relative_to(state_dir))
    for folder, _, _ in os.walk(part):
        sync_folder(Path(folder))
    return Backup(target, head, files, tuple(left_out))


def _copy_journal(source: Path, target: Path) -> Head:
    with Journal.open(source, read_only=True) as journal:
        head = journal.copy_to(target)
    with Journal.open(target, read_only=True, still=True) as copy:
        if copy.head != head:  # reading the head verified every record of the copy
            raise Unusable(f"The copy of {source} does not have its root; the target disk may be failing.")
        copy.check_file()
    _sync(target)
    witness.write(target.parent, head)
    _sync(target.parent / witness.NAME)
    return head


def _entries(folder: Path, top: bool = True) -> Iterator[os.DirEntry[str]]:
    """Everything to copy, a folder before what is in it; what vanishes meanwhile was temporary."""
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            if top and (entry.name in LEFT_OUT or entry.name in _BY_ITSELF):
                continue
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), top=False)


def _copy(source: Path, target: Path) -> int:
    """Copy a folder's entry, or a file's bytes and its owner's rights; the number of files copied."""
    if source.is_dir():
        target.mkdir(mode=0o700)
        return 0
    try:
        original = source.open("rb")
    except FileNotFoundError:  # it was temporary
        return 0
    with original:
        mode = os.fstat(original.fileno()).st_mode & 0o700
        fd = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
        with open(fd, "wb") as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
            copy.flush()
            os.fsync(fd)
    return 1


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
