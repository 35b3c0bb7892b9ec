"""Holds the state folder for one process, for life, and tells a second one who holds it.

Never breaks a lock: the kernel gives it back when the holder dies, however it dies.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from orchestrator import canonical
from orchestrator.clock import SystemClock
from orchestrator.errors import Unusable
from orchestrator.journal.disk import refused_by_disk


class Lock:
    """`<folder>/lock`, held by flock(2); the file itself means nothing and may stay behind."""

    def __init__(self, folder: Path) -> None:
        """Take the lock, or raise Unusable naming the holder."""
        path = folder / "lock"
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise refused_by_disk(error, path) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign()
        except BlockingIOError as error:
            held = _held(folder, os.pread(self._fd, 200, 0))
            os.close(self._fd)
            raise held from error
        except OSError as error:
            os.close(self._fd)
            raise refused_by_disk(error, path) from error

    def _sign(self) -> None:
        note = canonical.encode({"pid": os.getpid(), "since_us": SystemClock().now_us()})
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, note + b"\n", 0)

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._fd)


def _held(folder: Path, note: bytes) -> Unusable:
    try:
        holder = json.loads(note)
        pid, since_us = int(holder["pid"]), int(holder["since_us"])
    except (ValueError, TypeError, KeyError):  # the holder is between taking the lock and signing it
        return Unusable(f"The state folder {folder} is held by another process. Wait for it, or stop it.")
    since = datetime.fromtimestamp(since_us // 1_000_000, UTC)
    return Unusable(
        f"The state folder {folder} is held by process {pid} since {since:%Y-%m-%d %H:%M:%S} UTC. "
        "Stop that process first, or use another state folder.",
        pid=pid,
        since_us=since_us,
        path=str(folder),
    )
