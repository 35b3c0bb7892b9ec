"""Puts the API of a live process on a Unix socket in its state folder and on a loopback port.

Never listens anywhere else, and never takes a socket from a living process: the state folder's lock was taken before.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from orchestrator.client import NOTE, PATH_BYTES_MAX, SOCKET, fallback_folder
from orchestrator.clock import SystemClock
from orchestrator.errors import Unusable, UsageError
from orchestrator.interfaces.api import build
from orchestrator.interfaces.live import Live

START_S_MAX = 10.0
BACKLOG = 64


@dataclass(slots=True, frozen=True)
class Listening:
    """Where the API answers."""

    socket: Path
    url: str


@contextmanager
def serve(live: Live, state_dir: Path, port: int) -> Iterator[Listening]:
    """Answers until the block ends. `port` 0 takes any free one. Raises UsageError where the port is taken."""
    beside = _socket_path(state_dir)
    with contextlib.ExitStack() as undo:
        web = undo.enter_context(_loopback(port))
        local = undo.enter_context(_unix(beside))
        undo.callback(_forget, state_dir, beside)
        server = _start([local, web], live)
        undo.callback(server.end)
        yield Listening(beside, f"http://127.0.0.1:{web.getsockname()[1]}")


class _Server(threading.Thread):
    def __init__(self, live: Live, sockets: list[socket.socket]) -> None:
        super().__init__(name="api", daemon=True)
        # No signal handlers are taken outside the main thread; an orderly end is asked for by `end`.
        self._server = uvicorn.Server(
            uvicorn.Config(
                build(live),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=3,
                backlog=BACKLOG,
            )
        )
        self._sockets = sockets

    def run(self) -> None:
        self._server.run(sockets=self._sockets)

    @property
    def started(self) -> bool:
        return self._server.started

    def end(self) -> None:
        self._server.should_exit = True
        self.join(START_S_MAX)


def _start(sockets: list[socket.socket], live: Live) -> _Server:
    clock = SystemClock()
    server = _Server(live, sockets)
    server.start()
    until_us = clock.elapsed_us() + int(START_S_MAX * 1e6)
    while not server.started:
        if not server.is_alive() or clock.elapsed_us() > until_us:
            raise Unusable("The API did not start.")
        clock.sleep_s(0.01)
    return server


def _loopback(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"Port {port} cannot be taken on loopback: {error}. Choose one with --port.", rule="run.port"
        ) from error
    return listener


def _unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)
    except OSError as error:
        listener.close()
        raise Unusable(f"The socket {path} cannot be made: {error.strerror}.", path=str(path)) from error
    return listener


def _socket_path(state_dir: Path) -> Path:
    """In the state folder; where that path is too long for the kernel, in a private folder noted beside it."""
    path = state_dir.absolute() / SOCKET
    note = state_dir / NOTE
    note.unlink(missing_ok=True)
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        return path
    folder = fallback_folder(state_dir)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise Unusable(f"The folder {folder} for the socket cannot be made: {error.strerror}.") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Unusable(f"{folder} is not a private folder of this user; remove it.", path=str(folder))
    note.write_text(f"{folder / SOCKET}\n", encoding="utf-8")
    return folder / SOCKET


def _forget(state_dir: Path, path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        if path.parent != state_dir.absolute():
            (state_dir / NOTE).unlink(missing_ok=True)
            path.parent.rmdir()
