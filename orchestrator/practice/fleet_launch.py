"""Starts a practice fleet as a process of its own that outlives its starter, waits for it, and stops it.

Never runs a fleet in this process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Unusable


@dataclass(frozen=True, slots=True)
class Ready:
    """A fleet that answers: its process and the user logins take."""

    pid: int
    user: str


def launch(root: Path, *, limit_s: float = 60, module: str = "fleet") -> Ready:
    """Starts the fleet of `root` unless it runs, and waits until it answers; raises Unusable with its last words."""
    running = ready(root)
    if running:
        return running
    with (root / "fleet.out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"orchestrator.practice.{module}", str(root)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        found = ready(root)
        if found and found.pid == process.pid:
            return found
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    words = (root / "fleet.out").read_text(errors="replace").strip()[-500:]
    raise Unusable(f"The practice fleet did not start: {words or 'it said nothing'}.", folder=str(root))


def ready(root: Path) -> Ready | None:
    """The fleet that answers for `root` now, if one does."""
    try:
        said = json.loads((root / "ready.json").read_bytes())
    except (OSError, ValueError):
        return None
    return Ready(said["pid"], said["user"]) if _lives(said["pid"]) else None


def stop(root: Path, *, limit_s: float = 30) -> None:
    """Asks the fleet of `root` to end and waits for that; raises Unusable if it does not."""
    running = ready(root)
    if not running:
        return
    os.kill(running.pid, signal.SIGTERM)
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        if not _lives(running.pid):
            return
        time.sleep(0.02)
    raise Unusable(f"The practice fleet (process {running.pid}) does not end.", pid=running.pid)


def _lives(pid: int) -> bool:
    """Whether the process is a fleet: a kill leaves `ready.json` behind, and its number may be used again."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return b"orchestrator.practice." in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
