"""Drills to test on: a shallow estate of twelve hosts, the drill as a process of its own, and the folder it leaves.

Never used by the product.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestrator.practice import drill, fleet_launch
from orchestrator.practice.signing import Line, NotAnswering
from tests.small_estate import SmallEstate

RELANCE = (sys.executable, "-m", "orchestrator.interfaces.cli")


def shallow_estate(folder: Path) -> Path:
    """The small estate without needs before a restore and without rest waves: its hosts come back side by side."""
    estate = SmallEstate(folder)
    classes = "plans/classes.yaml"
    estate.edit(classes, "    needs: {restore: [hypervisor]}\n", "")
    estate.edit(classes, "restore: [hypervisor], inspect: [edr], ", "")
    estate.edit(classes, "inspect: [edr], ", "")
    estate.edit(classes, "repository:backup", "media", 2)
    services = "inventory/services.yaml"
    estate.edit(services, "    needs: {restore: [hypervisor]}\n", "")
    estate.edit(services, "restore: [hypervisor], ", "")
    restart = "plans/restart.yaml"
    estate.edit(restart, "pinned: [laboratory, radiology, medical-records]", "pinned: []")
    estate.edit(restart, "[lab-n-1]", "[lab-n-1, lab-n-2]")
    return estate.path


def prepared(folder: Path, *, hosts: int = 12, seed: int = 4, faults: str = "none") -> Path:
    """A drill's folder whose fleet runs and is struck; nobody restarts it yet."""
    root = folder / "drill"
    drill.begin(shallow_estate(folder), root, drill.Options.of(hosts, seed, faults))
    drill.prepare(root, json.loads((root / drill.PLAN).read_bytes()), lambda sentence: None)
    pins = (root / "fleet" / "known_hosts").read_bytes()
    (root / "state" / "secrets" / "management_hosts").write_bytes(pins)
    return root


@contextmanager
def ground(folder: Path, **options: Any) -> Iterator[Path]:
    """The same, and its fleet is stopped whatever happens."""
    root = prepared(folder, **options)
    try:
        yield root
    finally:
        fleet_launch.stop(root / "fleet")


class DrillProcess:
    """`relance drill` as a person starts it; started again with --resume as often as a test likes."""

    def __init__(self, root: Path, *words: str, estate: Path | None = None, env: dict[str, str] | None = None) -> None:
        self.root = root
        self._env = {**os.environ, **(env or {})}
        where = ("--estate", str(estate)) if estate else ()
        self.process = self._start(*where, "--format", "json", "drill", "--state", str(root), *words)

    def _start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*RELANCE, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._env,
        )

    def resume(self) -> None:
        """Goes on with the drill."""
        self.process = self._start("--format", "json", "drill", "--resume", str(self.root))

    def pid(self, part: str) -> int:
        """The process that plays a part; 0 before it was started."""
        if part == "drill":
            return self.process.pid
        with suppress(OSError, ValueError):
            return int((self.root / f"{part}.pid").read_text())
        return 0

    def under_way(self) -> bool:
        """Whether this very process started its engine, which answers, and its people."""
        if self.process.poll() is not None:
            return True
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if not {str(self.pid("engine")), str(self.pid("people"))} <= set(children):
            return False
        with suppress(NotAnswering):
            return bool(Line(self.root / "state").get("status"))
        return False

    def kill(self, part: str) -> None:
        """As a power cut would."""
        os.kill(self.pid(part), signal.SIGKILL)

    def end(self) -> tuple[int, str, str]:
        """Waits; exit code and what was said."""
        out, err = self.process.communicate(timeout=600)
        return self.process.returncode, out, err

    def stop(self) -> None:
        """Ends whatever still runs of it."""
        for part in ("drill", "people", "engine"):
            pid = self.pid(part)
            words = Path(f"/proc/{pid}/cmdline")
            with suppress(OSError):
                if pid and str(self.root) in words.read_text():
                    os.kill(pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.communicate(timeout=30)
        fleet_launch.stop(self.root / "fleet")


def wait_until(holds: Callable[[], object], limit_s: float = 60) -> None:
    """Waits until something holds."""
    until_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until_s, "It never came to hold."
        time.sleep(0.02)
