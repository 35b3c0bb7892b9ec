"""Remembers beside the journal the head last committed, so that a tail cut off does not pass unnoticed.

SQLite drops a write-ahead log that is missing, cut or flipped without a word: the records only in it would be gone
and the journal before them still be valid. Never in the way of an emergency: without a readable note nothing is
claimed. It is written after each commit and not synced, so it is never ahead of the journal.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from orchestrator.errors import Unusable
from orchestrator.journal.disk import refused_by_disk
from orchestrator.journal.record import Head

NAME = "journal.head"
_LINE_BYTES = 16 + 1 + 64 + 1


class Witness:
    """The file that holds the last committed head, kept open by the writer."""

    def __init__(self, folder: Path) -> None:
        try:
            self._fd = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise refused_by_disk(error, folder / NAME) from error

    def note(self, head: Head) -> None:
        """Remember `head`, which is committed."""
        # The records are on disk already: failing here would turn a commit that holds into one that seems lost.
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, _line(head), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def write(folder: Path, head: Head) -> None:
    """Leave a note of `head` in a finished copy."""
    witness = Witness(folder)
    witness.note(head)
    witness.close()


def read(folder: Path) -> Head | None:
    """The head last noted, None when there is no note or it cannot be read (a power cut may leave anything)."""
    try:
        line = (folder / NAME).read_bytes()
        if len(line) == _LINE_BYTES:
            return Head(int(line[:16]), bytes.fromhex(line[17:81].decode("ascii")))
    except (OSError, ValueError):
        return None
    return None


def cut_short(path: Path, size: int, noted: Head) -> Unusable:
    """What is said of a journal that lacks records once committed."""
    return Unusable(
        f"The journal {path} ends with record {size}, yet record {noted.size} was committed: {path.name}-wal beside it "
        "was removed, cut or damaged, or records were deleted. Put that file back, or go on from the last backup.",
        path=str(path),
        last_record=size,
        committed=noted.size,
    )


def other_past(path: Path, noted: Head) -> Unusable:
    """What is said of a journal whose records are not those once committed."""
    return Unusable(
        f"The journal {path} was changed: the root of its first {noted.size} records is not the one committed. "
        "Keep it as it is, copy it away, and go on from the last backup.",
        path=str(path),
        size=noted.size,
        committed_root=noted.root.hex(),
    )


def _line(head: Head) -> bytes:
    return f"{head.size:016d} {head.root.hex()}\n".encode("ascii")
