"""Writes the journal as text, one record a line, and checks such a text without any database.

Never leaves a half-written export under its final name. The last line is the head: a cut is noticed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestrator import canonical
from orchestrator.errors import RelanceError, Unusable
from orchestrator.journal.disk import refused_by_disk, sync_folder
from orchestrator.journal.record import RECORD_BYTES_MAX, Frontier, Head, decode, encode, leaf_hash
from orchestrator.journal.sqlite import Journal


def export(journal: Journal, target: Path) -> Head:
    """Write every committed record and then the head to `target` (0600), replacing what was there."""
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)  # of an export that was killed
        fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            frontier = Frontier()
            for record in journal.records():
                text = encode(record)
                frontier.append(leaf_hash(text))
                file.write(text + b"\n")
            head = Head(frontier.size, frontier.root())
            file.write(canonical.encode({"head": head.as_json()}) + b"\n")
            file.flush()
            os.fsync(fd)
        if not journal.holds(head):
            raise Unusable(f"The export {target} does not match the journal it was made from.", path=str(target))
        part.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise refused_by_disk(error, target) from error
    finally:
        with suppress(OSError):  # gone once renamed
            part.unlink()
    return head


def verify_export(path: Path) -> Head:
    """The head of a complete and unchanged export; Unusable names the first line that is not."""
    frontier = Frontier()
    lines = _lines(path)
    try:
        for line in lines:
            if line.startswith(b'{"head":'):
                head = Head(frontier.size, frontier.root())
                _check_end(path, line, next(lines, None), head)
                return head
            _check(path, line, frontier.size + 1)
            frontier.append(leaf_hash(line))
    except OSError as error:
        raise refused_by_disk(error, path) from error
    raise _bad(path, frontier.size + 1, "the export ends here, without its head")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(RECORD_BYTES_MAX + 2):  # bounded: the file may be anything
            yield line[:-1] if line.endswith(b"\n") else line


def _check(path: Path, line: bytes, seq: int) -> None:
    try:
        record = decode(line)
    except RelanceError as error:
        raise _bad(path, seq, error.sentence) from error
    if record.seq != seq:
        raise _bad(path, seq, f"record {record.seq} stands where record {seq} belongs")


def _check_end(path: Path, line: bytes, after: bytes | None, found: Head) -> None:
    if line != canonical.encode({"head": found.as_json()}):
        raise _bad(path, found.size + 1, "the head does not match the records before it")
    if after is not None:
        raise _bad(path, found.size + 2, "text follows the head")


def _bad(path: Path, line: int, what: str) -> Unusable:
    return Unusable(f"Line {line} of {path} does not verify: {what}", path=str(path), line=line)
