"""One lab for all tests here: it is brought up, destroyed and brought back by the first, lied in by the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.practice import lab
from orchestrator.practice.lab_ground import Lab
from orchestrator.practice.lab_host import LabHost
from orchestrator.practice.lab_net import CONTROL


@dataclass(frozen=True)
class Hospital:
    """The lab's folder, and who stands in it."""

    root: Path
    lab: Lab

    def host(self, role: str) -> LabHost:
        return next(host for host in self.lab.hosts.values() if host.role == role)

    def relance(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line from where the engine stands."""
        control = self.root / lab.FLEET / "enter" / "control"
        where = ("--estate", str(self.root / lab.ESTATE), "--state", str(self.root / lab.STATE), "--format", "json")
        return subprocess.run(
            [str(control), sys.executable, "-m", "orchestrator.interfaces.cli", *where, *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def checks(self, *of: str) -> subprocess.CompletedProcess[str]:
        """Checks asked by hand, as a person in the lab would."""
        return self.relance("checks", "run", *of, "--source", CONTROL[1], "--known-hosts", str(self.root / lab.KNOWN))

    def answers(self, role: str) -> dict[str, dict[str, Any]]:
        """What the host of a service answers now to the questions its gate asks, by check."""
        told = self.checks("--host", self.host(role).spec.id)
        assert told.returncode in (0, 1), told.stderr
        return {one["check"]: one for one in json.loads(told.stdout)["answers"]}


@pytest.fixture(scope="session")
def hospital() -> Iterator[Hospital]:
    why = lab.lacking()
    if why:
        pytest.skip(why)
    root = Path(f"/tmp/relance-lab-{os.getpid()}")  # the database's own user must reach it
    lab.up(root, lambda sentence: None)
    try:
        yield Hospital(root, Lab(root / lab.FLEET, SystemClock().now_us))
    finally:
        lab.down(root)
        assert not root.exists()
