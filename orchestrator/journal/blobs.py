"""Stores what is too large for a record (evidence, content) under its SHA-256.

Never overwrites with anything else, never returns bytes that are not those put, and never makes a file that anybody
could run: a fetched sample lies there compressed, 0600.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from orchestrator.errors import Refused, Unusable
from orchestrator.journal.disk import refused_by_disk, sync_folder

BLOB_BYTES_MAX = 1 << 26
PACKED = ".z"
RECOUNT_EVERY = 1000
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder (0700) of files (0600) named by their digest; what is put `packed` is compressed.

    `bytes_max` bounds all that lies there; None: what is put here (orders, verdicts, content) is always kept.
    """

    def __init__(self, folder: Path, *, packed: bool = False, bytes_max: Callable[[], int] | None = None) -> None:
        self._folder = folder
        self._packed = packed
        self._bytes_max = bytes_max
        self._counting = threading.Lock()
        self._stored_bytes = self._until_recount = 0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise refused_by_disk(error, folder) from error

    def put(self, content: bytes) -> str:
        """Store `content` durably and return its digest: from then on a record may name it."""
        if len(content) > BLOB_BYTES_MAX:
            raise Refused(f"{len(content)} bytes are more than the {BLOB_BYTES_MAX} kept as one.", rule="journal.size")
        digest = sha256(content).hexdigest()
        path = self._folder / (digest + PACKED if self._packed else digest)
        stored = zlib.compress(content, 1) if self._packed else content
        try:
            if not _holds(path, stored):  # a damaged file under this name is healed
                self._make_room(len(stored))
                self._write(path, stored)
            sync_folder(self._folder)  # also when it was there: whoever put it may not have come this far
        except OSError as error:
            raise refused_by_disk(error, path) from error
        return digest

    def get(self, digest: str) -> bytes:
        """The content put under `digest`, verified; Unusable if it is missing or damaged."""
        if not _DIGEST.fullmatch(digest):
            raise Refused(f"{digest!r} is not a SHA-256 digest.", rule="journal.digest")
        path = self._folder / digest
        try:
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                path = self._folder / (digest + PACKED)
                content = _unpacked(path.read_bytes())
        except FileNotFoundError as error:
            raise Unusable(
                f"The stored file {self._folder / digest} is missing; take it from a backup.", digest=digest
            ) from error
        except OSError as error:
            raise refused_by_disk(error, path) from error
        if sha256(content).hexdigest() != digest:
            raise Unusable(f"The stored file {path} is damaged; take it from a backup.", digest=digest)
        return content

    def stored_bytes(self) -> int:
        """How much lies in the folder, whoever put it."""
        try:
            return sum(one.stat().st_size for one in os.scandir(self._folder) if one.name[0] != ".")
        except OSError as error:
            raise refused_by_disk(error, self._folder) from error

    def _make_room(self, more_bytes: int) -> None:
        """Counts what is to be added; others put as well, so it is counted anew now and then, and before a refusal."""
        if self._bytes_max is None:
            return
        bytes_max = self._bytes_max()
        with self._counting:
            if not self._until_recount or self._stored_bytes + more_bytes > bytes_max:
                self._stored_bytes, self._until_recount = self.stored_bytes(), RECOUNT_EVERY
            if self._stored_bytes + more_bytes > bytes_max:
                raise Refused(
                    f"The evidence store {self._folder} is full: it holds {self._stored_bytes} of {bytes_max} bytes, "
                    f"and {more_bytes} more do not fit. What is kept stays; nothing was added. Raise "
                    "`inspection: evidence_bytes_max` in plans/restart.yaml.",
                    rule="evidence.full",
                    stored_bytes=self._stored_bytes,
                    bytes_max=bytes_max,
                )
            self._stored_bytes += more_bytes
            self._until_recount -= 1

    def _write(self, path: Path, content: bytes) -> None:
        fd, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)  # mkstemp makes it 0600
        try:
            with open(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(fd)
            os.rename(name, path)
        except OSError:
            with suppress(OSError):
                os.unlink(name)
            raise


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _unpacked(stored: bytes) -> bytes:
    """What was compressed, never more than is ever put; nothing where the bytes are damaged: no digest is that."""
    try:
        return zlib.decompressobj().decompress(stored, BLOB_BYTES_MAX)
    except zlib.error:
        return b""
