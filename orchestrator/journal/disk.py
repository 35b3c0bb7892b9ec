"""Says in a sentence what the disk or SQLite refused, and makes a folder's entries durable.

Never retries and never hides a refusal: what a record rests on either is on disk or is Unusable.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

from orchestrator.errors import Unusable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def sync_folder(folder: Path) -> None:
    """Make the folder's entries (a new name, a rename) survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def refused_by_disk(error: OSError, path: Path) -> Unusable:
    """The Unusable for an operating system error at `path`."""
    facts: dict[str, Any] = {"path": str(path), "cause": os.strerror(error.errno or 0)}
    if error.errno in _FULL:
        return _full(path, facts)
    if error.errno in _READ_ONLY:
        return _read_only(path, facts)
    return Unusable(f"{path} cannot be used: {facts['cause']}.", **facts)


def refused_by_sqlite(error: sqlite3.Error | UnicodeDecodeError, path: Path, *, after: int | None = None) -> Unusable:
    """The Unusable for an SQLite error on the journal at `path`; `after` is the last record known to be good.

    An error without a code comes from the driver, which could not make sense of what SQLite read: damage.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    facts: dict[str, Any] = {"path": str(path), "cause": str(error)}
    if after is not None:
        facts["last_good_record"] = after
    if code == sqlite3.SQLITE_FULL:
        return _full(path, facts)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _read_only(path, facts)
    return Unusable(_SENTENCES.get(code, _OTHER).format(path=path, place=_place(after), cause=error), **facts)


def _place(after: int | None) -> str:
    if after is None:
        return ""
    return f" after record {after}" if after else " before its first record"


def _full(path: Path, facts: dict[str, Any]) -> Unusable:
    return Unusable(
        f"There is no room left to write {path}: free some space and start again. Nothing committed was lost.", **facts
    )


def _read_only(path: Path, facts: dict[str, Any]) -> Unusable:
    return Unusable(
        f"{path} cannot be written: the file, its folder or its disk is read-only for this user. "
        "Nothing committed was lost.",
        **facts,
    )


_DAMAGED = (
    "The journal {path} is damaged{place} ({cause}). Keep it as it is, copy it away, and go on from the last backup."
)
_OTHER = "The journal {path} cannot be used: {cause}."
_SENTENCES = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "{path} is not a journal of Relance: no SQLite file, or its first page is damaged.",
    sqlite3.SQLITE_BUSY: "The journal {path} is being written by another program, which must be stopped first.",
    sqlite3.SQLITE_CONSTRAINT: "Another process wrote to the journal {path}; this one stops and overwrites nothing.",
    sqlite3.SQLITE_IOERR: "The disk failed under {path}{place} ({cause}). What was committed before is kept.",
    sqlite3.SQLITE_CANTOPEN: "The journal {path} cannot be opened: check that it exists and that this user may read "
    "it and write beside it (copy the whole folder away from a read-only disk).",
}
