"""Types commands for tests: in this process where the words matter, as a process of its own where that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.interfaces.cli import main
from orchestrator.interfaces.serving import serve
from orchestrator.plans.model import Content
from tests.live_hospital import Hospital, hospital


@dataclass(slots=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class Keyboard:
    """A person at a terminal, with the global options typed for them."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *always: str) -> None:
        self._capsys = capsys
        self._always = always

    def __call__(self, *words: str) -> Said:
        """Runs one command in this process."""
        self._capsys.readouterr()
        code = main([*self._always, *words])
        printed = self._capsys.readouterr()
        return Said(code, printed.out, printed.err)

    def json(self, *words: str) -> Said:
        """The same with `--format json`."""
        return self("--format", "json", *words)


class Terminal:
    """A hospital on air and somebody typing."""

    def __init__(self, here: Hospital, types: Keyboard) -> None:
        self.here = here
        self.types = types

    def signs(self, who: str, *words: str) -> Said:
        """A command that signs, in JSON."""
        return self.types.json(*words, *self.here.signer(who))


@contextmanager
def terminal(folder: Path, capsys: pytest.CaptureFixture[str], content: Content | None = None) -> Iterator[Terminal]:
    """A hospital with its incident opened, answering at its socket."""
    with hospital(folder / "state", content) as here, serve(here.engine, folder / "state", 0):
        here.open_incident()
        yield Terminal(here, Keyboard(capsys, "--state", str(folder / "state")))


def typed(*words: str, cwd: Path, **environment: str) -> Said:
    """Runs a command as a process of its own."""
    command = [sys.executable, "-m", "orchestrator.interfaces.cli", *words]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)
