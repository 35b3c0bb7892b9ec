"""Keeps the journal in one SQLite file: one writer, durable commits, every record verified whenever it is read.

Never decides what is recorded and never repairs: what does not verify is Unusable and names the record.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from orchestrator.canonical import Json
from orchestrator.errors import Refused, Unusable
from orchestrator.journal import witness
from orchestrator.journal.disk import refused_by_disk, refused_by_sqlite, sync_folder
from orchestrator.journal.lock import Lock
from orchestrator.journal.record import WENT_BACK, Frontier, Head, Record, decode_verified, encode, goes_back, leaf_hash

APPLICATION = 0x52_4C_4E_43  # "RLNC", so that `file` and a stray SQLite database cannot be confused
FORMAT = 1
MARK_EVERY = 256  # a frontier is kept at every so many records: an older root costs at most this many hashes

# hash before bytes: bytes may spill to overflow pages, the small columns then stay on the leaf page
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, kind TEXT NOT NULL, action TEXT,
  hash BLOB NOT NULL, bytes BLOB NOT NULL
) STRICT;
CREATE INDEX journal_at ON journal (at_us);
CREATE INDEX journal_kind ON journal (kind);
CREATE INDEX journal_action ON journal (action) WHERE action IS NOT NULL;
"""
_INSERT = "INSERT INTO journal (seq, at_us, kind, action, hash, bytes) VALUES (?, ?, ?, ?, ?, ?)"
_COLUMNS = "SELECT seq, at_us, kind, action, hash, bytes FROM journal"
_SELECT = f"{_COLUMNS} WHERE seq BETWEEN ? AND ? ORDER BY seq"

# The driver cannot decode a column, or even SQLite's own message, that quotes flipped text.
_REFUSALS = (sqlite3.Error, UnicodeDecodeError)

_Row = tuple[int, int, str, str | None, bytes, bytes]


class Journal:
    """An open journal. One thread uses it; readers beside the live writer open their own with `read_only`."""

    def __init__(self, path: Path, *, read_only: bool, still: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._frontier = Frontier()  # over what was read so far, and over what the open transaction appends
        self._last_us = 0  # the time of the last record in the frontier, the open transaction aside
        self._marks: list[Frontier] = []
        self._head: Head | None = None
        self._before: Frontier | None = None  # the frontier to fall back to; None outside a transaction
        self._pending: list[_Row] = []
        self._failed: Unusable | None = None
        with ExitStack() as undo:
            if not read_only:
                undo.callback(Lock(path.parent).release)
            self._noted = witness.read(path.parent)  # before the journal is looked at: a live writer only adds
            with self._asking():
                self._db = _connect(path, _mode(path, read_only, still))
                undo.callback(self._db.close)
                _check_format(self._db, path)
                if not read_only:
                    _prepare_for_writing(self._db, path)
            last = self._last()
            if self._noted and self._noted.size > last:
                raise witness.cut_short(path, last, self._noted)
            if not read_only:
                self._witness = witness.Witness(path.parent)
                undo.callback(self._witness.close)
            self._undo = undo.pop_all()

    @classmethod
    def create(cls, path: Path) -> Journal:
        """Make an empty journal (0600) and its folder (0700), and open it for writing; Unusable if one was there."""
        _private_folder(path.parent)
        lock = Lock(path.parent)
        try:
            _lay_down(path)
        finally:
            lock.release()
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, read_only: bool = False, *, still: bool = False) -> Journal:
        """Open a journal, holding the folder's lock unless `read_only`; Unusable says who holds it.

        `still` promises that nobody writes it meanwhile (a finished copy): nothing is then left beside the file.
        """
        if not os.path.isfile(path):
            raise Unusable(f"There is no journal at {path}, or this user may not look there.", path=str(path))
        if not read_only:
            _private_folder(path.parent)
        return cls(path, read_only=read_only, still=still)

    def begin(self) -> None:
        """Start a transaction; Unusable if another process has written since our last commit."""
        if self._before is not None:
            raise RuntimeError("begin() inside a transaction")
        if self._read_only:
            raise RuntimeError("begin() on a journal opened read-only")
        if self._failed is not None:
            raise self._failed
        head = self.head
        with self._asking():
            self._db.execute("BEGIN IMMEDIATE")
        last = self._last()
        if last != head.size:
            self._db.execute("ROLLBACK")
            raise Unusable(
                f"Another process wrote record {head.size + 1} to the journal {self._path}; this one stops "
                "and overwrites nothing.",
                path=str(self._path),
                record=head.size + 1,
                last_record=last,
            )
        self._before = self._frontier.copy()

    def append(self, at_us: int, kind: str, body: dict[str, Json], action: str | None = None) -> Record:
        """Add the next record to the open transaction. `action` is set in the body, where the column finds it."""
        if self._before is None:
            raise RuntimeError("append() outside a transaction")
        if action is not None:
            body = {**body, "action": action}
        frontier = self._frontier
        record = Record(frontier.size + 1, at_us, kind, body)
        if goes_back(record, self._pending[-1][1] if self._pending else self._last_us):
            raise Refused(f"A record cannot be added: {WENT_BACK}.", rule="journal.time", kind=kind)
        text = encode(record)
        leaf = leaf_hash(text)
        self._pending.append((record.seq, at_us, kind, _action_of(body), leaf, text))
        self._grow(frontier, leaf)
        return record

    def commit(self) -> Head:
        """Make the transaction durable. On Unusable nothing of it is kept, and all before it is."""
        if self._before is None:
            raise RuntimeError("commit() outside a transaction")
        try:
            self._db.executemany(_INSERT, self._pending)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            refused = refused_by_sqlite(error, self._path, after=self._before.size)
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:
                self._failed = refused  # after a failed sync only a fresh open can tell what the disk holds
            self.rollback()
            raise refused from error
        self._before = None
        self._last_us = self._pending[-1][1] if self._pending else self._last_us
        self._pending.clear()
        self._head = Head(self._frontier.size, self._frontier.root())
        self._witness.note(self._head)
        return self._head

    def rollback(self) -> None:
        """Forget the open transaction."""
        if self._before is None:
            raise RuntimeError("rollback() outside a transaction")
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself; begin() compares with the file anyway
            self._db.execute("ROLLBACK")
        self._pending.clear()
        self._frontier = self._before
        self._before = None
        del self._marks[self._frontier.size // MARK_EVERY :]

    @property
    def head(self) -> Head:
        """What is committed: how many records and their root. Reads and verifies what was not read yet."""
        if self._head is None or (self._read_only and self._last() > self._head.size):
            deque(self.records(self._frontier.size + 1), maxlen=0)
            self._head = Head(self._frontier.size, self._frontier.root())
            noted, self._noted = self._noted, None
            if noted and self.root_at(noted.size) != noted.root:
                self._head = None
                raise witness.other_past(self._path, noted)
        return self._head

    def records(self, start: int = 1) -> Iterator[Record]:
        """The committed records from `start` on, each verified; Unusable names the first that is missing or damaged."""
        expected = start
        last = self._last()
        frontier = self._frontier
        try:
            for row in self._db.execute(_SELECT, (start, last)):
                record = self._verified(row, expected)
                if expected == frontier.size + 1:
                    if goes_back(record, self._last_us):
                        raise self._damaged(expected, WENT_BACK)
                    self._grow(frontier, row[4])
                    self._last_us = record.at_us
                expected += 1
                yield record
        except _REFUSALS as error:
            raise refused_by_sqlite(error, self._path, after=expected - 1) from error
        if expected <= last:
            raise self._damaged(expected, "it is missing")

    def records_of(self, kind: str) -> Iterator[Record]:
        """The committed records of one kind, each verified by itself; one that is missing is not missed."""
        with self._asking():
            for row in self._db.execute(f"{_COLUMNS} WHERE kind = ? ORDER BY seq", (kind,)):
                yield self._verified(row, row[0])

    def root_at(self, size: int) -> bytes:
        """The root over the first `size` committed records; Refused beyond the head."""
        head = self.head
        if not 0 <= size <= head.size:
            raise Refused(
                f"The journal has {head.size} records; there is no root over {size}.", rule="journal.head", size=size
            )
        if size == head.size:
            return head.root
        marked = size // MARK_EVERY
        frontier = self._marks[marked - 1].copy() if marked else Frontier()
        query = "SELECT bytes FROM journal WHERE seq BETWEEN ? AND ? ORDER BY seq"
        with self._asking():
            for (text,) in self._db.execute(query, (frontier.size + 1, size)):
                frontier.append(leaf_hash(text))
        if frontier.size != size:
            raise self._damaged(frontier.size + 1, "it or a later one is missing")
        return frontier.root()

    def holds(self, head: Head) -> bool:
        """Whether `head` is a prefix of this journal: true of any head that was ever committed here."""
        return 0 <= head.size <= self.head.size and self.root_at(head.size) == head.root

    def check_file(self) -> None:
        """Have SQLite walk the whole file: also finds indexes that disagree with the table, which reading does not."""
        with self._asking():
            (verdict,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise refused_by_sqlite(sqlite3.DatabaseError(verdict), self._path)

    def copy_to(self, target: Path) -> Head:
        """Copy what is committed at this moment into a new file, whoever writes meanwhile; its head."""
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with self._asking():
            self._db.execute("BEGIN")  # one snapshot for the head and for the copy
        try:
            head = self.head
            with self._asking(), closing(_connect(target, "mode=rw")) as copy:
                self._db.backup(copy)
        finally:
            self._db.execute("ROLLBACK")
        return head

    def close(self) -> None:
        """Close the file and let go of the lock; an open transaction is forgotten."""
        self._undo.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _last(self) -> int:
        with self._asking():
            (last,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()
        return int(last)

    def _grow(self, frontier: Frontier, leaf: bytes) -> None:
        frontier.append(leaf)
        if not frontier.size % MARK_EVERY:
            self._marks.append(frontier.copy())

    def _verified(self, row: _Row, expected: int) -> Record:
        seq, at_us, kind, action, digest, text = row
        if seq != expected:
            raise self._damaged(expected, "it is missing")
        try:
            if leaf_hash(text) != digest:
                raise self._damaged(seq, "its bytes do not match its hash")
            record = decode_verified(text)
        except (ValueError, TypeError) as error:
            raise self._damaged(seq, str(error)) from error
        if record.seq != seq or record.at_us != at_us or record.kind != kind or _action_of(record.body) != action:
            raise self._damaged(seq, "a column disagrees with its bytes")
        return record

    def _damaged(self, seq: int, what: str) -> Unusable:
        return Unusable(
            f"Record {seq} of the journal {self._path} is damaged: {what}. "
            "Keep the file as it is, copy it away, and go on from the last backup.",
            path=str(self._path),
            record=seq,
            cause=what,
        )

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except _REFUSALS as error:
            raise refused_by_sqlite(error, self._path) from error


def _action_of(body: dict[str, Json]) -> str | None:
    action = body.get("action")
    return action if type(action) is str else None


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # isolation_level None: transactions are ours to begin and end, the driver adds none
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=2)


def _mode(path: Path, read_only: bool, still: bool) -> str:
    if not read_only:
        return "mode=rw"
    # A reader of a WAL file needs its index beside it. Where none can be made and no log is left, the file is complete.
    log = path.with_name(f"{path.name}-wal")
    if still or not (os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size)):
        return "mode=ro&immutable=1"
    return "mode=ro"


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise Unusable(f"{path} is not a journal of Relance.", path=str(path))
    if version != FORMAT:
        raise Unusable(
            f"The journal {path} has format {version}; this version of Relance reads {FORMAT}.", path=str(path)
        )


def _prepare_for_writing(db: sqlite3.Connection, path: Path) -> None:
    if not os.access(path, os.W_OK):  # SQLite opens it all the same, and would say so at the first commit only
        raise refused_by_disk(PermissionError(errno.EACCES, "read-only"), path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode & 0o777
    except OSError as error:
        raise refused_by_disk(error, folder) from error
    if mode & 0o077:
        raise Unusable(
            f"Other users can look into the state folder {folder} (mode {mode:04o}); run: chmod 700 {folder}",
            path=str(folder),
        )


def _lay_down(path: Path) -> None:
    # A log left beside a lost journal would be played into the new one; a noted head would call it cut short.
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(witness.NAME)):
        if name.exists():
            raise Unusable(f"{name} is there already: a state folder holds one incident. Use another.", path=str(name))
    fresh = path.with_name(f"{path.name}.new")
    try:
        for stale in path.parent.glob(f"{fresh.name}*"):
            stale.unlink()
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with closing(_connect(fresh, "mode=rw")) as db:
            db.executescript(_SCHEMA)
        fresh.rename(path)  # only now is it a journal: dying before leaves nothing that looks like one
        sync_folder(path.parent)
    except OSError as error:
        raise refused_by_disk(error, path) from error
    except sqlite3.Error as error:
        raise refused_by_sqlite(error, path) from error
