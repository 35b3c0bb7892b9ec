"""Runs a drill in the lab: real services broken, restored from real backups, proven by the probes, released.

Never judges by itself whether a host may go: it watches, from a workstation's place, that nobody answers too early,
and compares at the end what the data come to with what they came to before.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.clock import SystemClock
from orchestrator.errors import UsageError
from orchestrator.plans.files import usable
from orchestrator.plans.model import Login
from orchestrator.practice import drill, fleet_launch, lab
from orchestrator.practice.drill_report import Report, report
from orchestrator.practice.fleet_file import write_whole
from orchestrator.practice.fleet_gate import isolated_by
from orchestrator.practice.fleet_log import entries
from orchestrator.practice.lab_ground import WAS, Lab

LOOK_S = 1.0
WARD, ARCHIVE, PORT = "pc-rad-01", "pacs", 11112


class LabDrill(drill.Drill):
    """A drill whose hosts are the lab's."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        super().__init__(root, say)
        self.way = (str(root / lab.FLEET / "enter" / "control"),)
        self._lab = Lab(root / lab.FLEET, SystemClock().now_us)
        self._ward = Ward(self._lab)

    def _prepare(self) -> None:
        struck_us = SystemClock().now_us()
        struck = lab.strike(self.root)
        before = f"; {len(self._lab.hosts) - struck} were before" if struck < len(self._lab.hosts) else ""
        self.say(f"{struck} hosts of the lab are encrypted{before}, and their services killed.")
        told = {"seed": self._plan["seed"], "t0_us": struck_us, "lazy": False, "waived": []}
        told |= {
            "late": "",
            "dormant": [],
            "disputed": [],
            "revoked": "",
            "lots": [],
        }  # in the lab the services are the story
        drill.write_people(self.root, usable(self.root / lab.ESTATE), told, Login(user="root"))
        self._plan["started_us"] = struck_us

    def _hosts(self) -> fleet_launch.Ready:
        return fleet_launch.launch(self.root / lab.FLEET, limit_s=90, module=lab.MODULE)

    def _watch(self, show: Callable[[dict[str, Any]], None]) -> None:
        with self._ward:
            super()._watch(show)

    def _told(self) -> Report:
        was, now = json.loads((self._lab.root / WAS).read_bytes()), lab.come_to(self._lab)
        with self._lab.network.inside("control"):
            found = report(
                self.root, self._plan, self._cpu_us(),
                lambda host: "up" if now[host] == was[host] else f"holding other data than before: {now[host][:200]}",
            )  # fmt: skip
        found.findings += self._ward.findings
        seen = found.document["from_a_workstation"] = self._ward.document()
        same = sum(now[host] == was[host] for host in was)
        self.say(f"The data of {same} of {len(was)} hosts come to what they came to before the attack.")
        self.say("From {} the image archive was silent {silent_before} times before its release, and answered "
                 "{answered_after} times after it.".format(WARD, **seen))  # fmt: skip
        return found


class Ward:
    """Dials the image archive from a workstation's place, again and again, beside what the switch was told."""

    def __init__(self, lab_: Lab) -> None:
        self._lab = lab_
        self._archive = next(host for host in lab_.hosts.values() if host.role == ARCHIVE)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="ward", daemon=True)
        self.silent = self.answered = 0
        self.findings: list[str] = []

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        if not self.answered:
            self.findings.append(f"{self._archive.spec.id} never answered {WARD}, not even after its release.")

    def document(self) -> dict[str, int]:
        """How often the archive was silent before its release, and answered after it."""
        return {"silent_before": self.silent, "answered_after": self.answered}

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            released = self._is_released()
            answers = self._answers()
            if answers and not (released or self._is_released()):
                self.findings.append(f"{self._archive.spec.id} answered {WARD} before it was released.")
            self.answered += answers
            self.silent += not answers and not released

    def _is_released(self) -> bool:
        host = self._archive.spec
        return host.id not in isolated_by(entries(self._lab.folders.gate_log(host.site)), [host.id])

    def _answers(self) -> bool:
        with suppress(OSError):
            self._lab.network.dial(WARD, self._archive.spec.address, PORT, 0.5).close()
            return True
        return False


def main(options: argparse.Namespace, source: Path) -> int:
    """The command `relance drill --lab`: in the lab of `--state`, which is made where none stands; its exit code."""
    if options.resume:
        return drill.play(LabDrill, drill.resumed(options.resume), options)
    root = Path(getattr(options, "state", None) or lab.FOLDER).absolute()
    if options.anew and (root / lab.FLEET).exists():
        lab.down(root)
    if (root / drill.PLAN).exists():
        raise UsageError(
            f"A drill has been begun in {root}; go on with --resume {root}, or begin --anew.", path=str(root)
        )
    if not (root / lab.FLEET).exists():
        lab.up(root, drill.say)
    hosts = len(Lab(root / lab.FLEET, SystemClock().now_us).hosts)
    plan = {"hosts": hosts, "seed": options.seed, "faults": [], "source": "", "started_us": 0, "cpu_us": {}}
    write_whole(root / drill.PLAN, json.dumps(plan).encode())
    return drill.play(LabDrill, root, options)
