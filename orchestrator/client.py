"""Talks to the live process of a state folder over its Unix socket.

Never starts one: where nothing answers, the person is told so.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.errors import Unusable, UsageError
from orchestrator.problems import error_of

NOBODY = "usage.live"
SOCKET = "socket"
NOTE = "socket.path"
PATH_BYTES_MAX = 100
TIMEOUT_S = 60.0
ANSWER_BYTES_MAX = 1 << 26


class Client:
    """One state folder's live process."""

    def __init__(self, state_dir: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._state_dir = state_dir
        self._timeout_s = timeout_s

    def get(self, *path: str, **query: str) -> Any:
        """The document at `path`. Raises the error the process answered with, or UsageError where none runs."""
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items() if value)
        return self._ask("GET", path, f"?{asked}" if asked else "", None)

    def post(self, path: str, **body: Any) -> Any:
        """What came of a document. Raises the error the process answered with."""
        return self._ask("POST", (path,), "", json.dumps(body).encode())

    def _ask(self, method: str, path: tuple[str, ...], query: str, body: bytes | None) -> Any:
        target = "/" + "/".join(quote(part, safe="") for part in path) + query
        where = socket_of(self._state_dir)
        connection = _Connection(where, self._timeout_s)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            status, text = response.status, response.read(ANSWER_BYTES_MAX)
        except (FileNotFoundError, ConnectionRefusedError, PermissionError) as error:
            raise _nobody(self._state_dir, where) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unusable(f"The live process at {where} did not answer: {error or 'it hung up'}.") from error
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise Unusable(f"The live process at {where} answered with no JSON (status {status}).") from error
        if status != 200:
            raise error_of(status, answer)
        return answer


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def socket_of(state_dir: Path) -> Path:
    """Where the socket of a state folder is: in it, or where its note says."""
    try:
        return Path((state_dir / NOTE).read_text(encoding="utf-8").strip())
    except OSError:
        path = state_dir.absolute() / SOCKET
        return path if len(os.fsencode(path)) <= PATH_BYTES_MAX else fallback_folder(state_dir) / SOCKET


def fallback_folder(state_dir: Path) -> Path:
    """The private folder for the socket of a state folder whose own path is too long."""
    name = hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]
    run = Path(os.environ.get("XDG_RUNTIME_DIR", "/run"))
    base = run if os.access(run, os.W_OK) else Path(tempfile.gettempdir())
    return base / f"relance-{name}"


def _nobody(state_dir: Path, where: Path) -> UsageError:
    return UsageError(
        f"No live process answers for the state folder {state_dir}. Start one with `relance run`.",
        rule=NOBODY,
        state=str(state_dir),
        socket=str(where),
    )
