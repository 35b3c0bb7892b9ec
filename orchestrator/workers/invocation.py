"""The folder of one run: what was asked, whether it has started, what came out, and who holds it.

Never starts a process. Every file is on disk before the function that wrote it returns.

    request.json   what was asked             start     made once; a second maker is refused
    lock           held for life by the runner    results.jsonl   one line per action
    cancelled/     one empty file per action cancelled        done      made when every action has its line; CPU used
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from orchestrator import canonical
from orchestrator.clock import SystemClock
from orchestrator.errors import Refused, Unusable
from orchestrator.journal.disk import sync_folder
from orchestrator.workers.base import Invocation, Lane, Outcome

Condition = Literal["not_started", "running", "finished", "dead"]
_CLOCK = SystemClock()


def write(run_dir: Path, invocation: Invocation) -> None:
    """Make the folder and its request. Raises Unusable if the folder is there already or the disk refuses."""
    try:
        run_dir.mkdir(mode=0o700, parents=True)
        (run_dir / "cancelled").mkdir(mode=0o700)
        _write_new(run_dir / "request.json", canonical.encode(invocation.as_json()))
        sync_folder(run_dir.parent)
    except OSError as error:
        raise Unusable(f"The run folder {run_dir.name} cannot be written: {error.strerror}.") from error


def read(run_dir: Path) -> Invocation:
    """What was asked. Raises Unusable if the request is missing or not ours.

    The invocation's name gets the folder's inode: two incidents on one machine count their runs from 1, and neither
    may ever end the other's processes.
    """
    try:
        fields = canonical.decode((run_dir / "request.json").read_bytes())
        if not isinstance(fields, dict):
            raise TypeError("not an object")
        asked = Invocation.from_json(fields)
        return replace(asked, invocation=f"{asked.invocation}-{run_dir.stat().st_ino:x}")
    except (OSError, KeyError, TypeError, Refused, canonical.NotCanonical) as error:
        raise Unusable(f"The run folder {run_dir.name} holds no readable request: {error}.") from error


def condition(run_dir: Path) -> Condition:
    """Where the run stands, judged by its files and by whether its lock is held."""
    if (run_dir / "done").exists():
        return "finished"
    if _held(run_dir / "lock"):
        return "running"
    if (run_dir / "done").exists():  # it ended between the two looks
        return "finished"
    return "dead" if (run_dir / "start").exists() else "not_started"


def results(run_dir: Path, offset: int = 0) -> tuple[list[Outcome], int]:
    """The outcomes written after byte `offset`, and the offset to go on from. A torn last line is not read.

    A line that a disk has damaged is passed over: its action then has none, and is settled like any other.
    """
    try:
        with (run_dir / "results.jsonl").open("rb") as file:
            file.seek(offset)
            text = file.read()
    except FileNotFoundError:
        return [], offset
    whole = text[: text.rfind(b"\n") + 1]
    return list(_outcomes(whole)), offset + len(whole)


def _outcomes(text: bytes) -> Iterator[Outcome]:
    for line in text.splitlines():
        with suppress(ValueError, LookupError, TypeError):
            yield Outcome.from_json(json.loads(line))


def cancel(run_dir: Path, action: str) -> None:
    """Ask the run to skip this action if it has not begun."""
    cancel_file(run_dir, action).touch(mode=0o600)


def cancel_file(run_dir: Path, action: str) -> Path:
    """The file whose presence makes the playbook skip this action."""
    return run_dir / "cancelled" / action.replace("/", "@")


@contextmanager
def held(run_dir: Path, *, wait_s: float = 2.0) -> Iterator[None]:
    """Hold the run's lock. Raises Unusable if another process keeps it longer than `wait_s`."""
    handle = _open(run_dir / "lock")
    try:
        if not _lock(handle, wait_s):
            raise Unusable(f"Another runner holds {run_dir.name}.")
        yield
    finally:
        os.close(handle)


def start(run_dir: Path) -> None:
    """Say that the run has started, once. Raises Unusable the second time."""
    try:
        _write_new(run_dir / "start", str(os.getpid()).encode())
    except FileExistsError as error:
        raise Unusable(f"The run {run_dir.name} was started before; it is never started twice.") from error


def finish(run_dir: Path, cpu_us: int) -> None:
    """Say that every action has its line, and what CPU (microseconds) that took; who began it may be gone by now."""
    (run_dir / "done.part").unlink(missing_ok=True)
    _write_new(run_dir / "done.part", str(cpu_us).encode())
    os.rename(run_dir / "done.part", run_dir / "done")
    sync_folder(run_dir)


class Results:
    """The writer of `results.jsonl`: one line per action, on disk when `append` returns. Raises OSError."""

    def __init__(self, run_dir: Path) -> None:
        path = run_dir / "results.jsonl"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lines, size = results(run_dir)
        self.written = {line.action for line in lines}
        # A line torn by a crash is cut off, else the next one would be glued to it.
        os.ftruncate(self._file, size)
        os.lseek(self._file, size, os.SEEK_SET)

    def append(self, outcome: Outcome) -> bool:
        """Write the line unless this action already has one; says whether it was written."""
        if outcome.action in self.written:
            return False
        text = canonical.encode(outcome.as_json()) + b"\n"
        if os.write(self._file, text) != len(text):
            raise OSError(errno.ENOSPC, "the line was written in part only")
        os.fsync(self._file)
        self.written.add(outcome.action)
        return True


class HostLocks:
    """One flock per host and lane under `<runs>/hosts/`, given back host by host."""

    def __init__(self, runs_dir: Path) -> None:
        self._folder = runs_dir / "hosts"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._handles: dict[tuple[str, Lane], int] = {}

    def take(self, host: str, lane: Lane, *, wait_s: float = 0.0) -> bool:
        """Hold the host's lane; false if another run still holds it after `wait_s`."""
        handle = _open(self._folder / (f"{host}.lock" if lane == "host" else f"{host}@network.lock"))
        if not _lock(handle, wait_s):
            os.close(handle)
            return False
        self._handles[host, lane] = handle
        return True

    def give_back(self, host: str, lane: Lane) -> None:
        """Let the next run have the host's lane."""
        handle = self._handles.pop((host, lane), None)
        if handle is not None:
            os.close(handle)


def _write_new(path: Path, text: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, text)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(handle: int, wait_s: float) -> bool:
    """Take the exclusive lock, trying for `wait_s`."""
    deadline_us = _CLOCK.elapsed_us() + wait_s * 1e6
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _CLOCK.elapsed_us() >= deadline_us:
                return False
            _CLOCK.sleep_s(0.02)
        else:
            return True


def _held(path: Path) -> bool:
    """Whether somebody holds the lock; a runner that meets our short look tries again."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
