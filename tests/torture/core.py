"""One tortured core: the real engine over a round's state folder, and people beside it who answer what it asks.

Never returns: it ends as `relance run` would, with 7 and a sentence, or with 0 once every host is in service. People
sign nothing here: their orders are submitted as an admitted signature would be.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator.canonical import Json
from orchestrator.decision.events import Event
from orchestrator.decision.stages import OUT, Stage
from orchestrator.decision.state import State
from orchestrator.engine import dispatch, loop, process, recovery, watch
from orchestrator.engine.dispatch import Dispatcher
from orchestrator.engine.process import Beginning, open_engine
from orchestrator.errors import RelanceError
from orchestrator.inventory.model import Host
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.sqlite import Journal
from orchestrator.journal.witness import Witness
from orchestrator.plans.files import usable
from orchestrator.practice.fleet_gate import isolated_by
from orchestrator.practice.fleet_log import entries
from orchestrator.probes.base import Answer, Question
from orchestrator.workers import ansible, invocation, probing, ssh
from orchestrator.workers.ansible import AnsibleWorker
from orchestrator.workers.base import Request
from orchestrator.workers.connection import Reply
from orchestrator.workers.probing import Swept, Target
from tests.estates import ROLES
from tests.random_people import People
from tests.torture import points
from tests.torture.hand import note

ROUND_S = 0.05
CHANCE = random.SystemRandom()
_PR_SET_PDEATHSIG = 1

# Reached while an incident is opened; while a process takes one over; and while it goes on.
OPENING: dict[str, points.Place] = {"keep": (process, "keep"), "create": (Journal, "create")}
STARTING: dict[str, points.Place] = {
    "replay": (recovery, "replay"),
    "delete-unrecorded": (recovery, "_delete_unrecorded"),
    "remove-folder": (shutil, "rmtree"),
    "settled": (recovery, "_settled"),
    "adopt": (Dispatcher, "adopt"),
    "adopt-run": (AnsibleWorker, "adopt"),
    "condition": (invocation, "condition"),
}
LIVING: dict[str, points.Place] = {
    "journal-begin": (Journal, "begin"),
    "decide": (loop, "decide"),
    "journal-append": (Journal, "append"),
    "journal-commit": (Journal, "commit"),
    "note-head": (Witness, "note"),
    "issue": (Dispatcher, "issue"),
    "cancel": (Dispatcher, "cancel"),
    "cancel-file": (invocation, "cancel"),
    "dispatched": (Dispatcher, "dispatched"),
    "write-request": (invocation, "write"),
    "request-file": (invocation, "_write_new"),
    "committed": (Dispatcher, "committed"),
    "submit": (AnsibleWorker, "submit"),
    "start-runner": (ansible, "_start"),
    "read-results": (invocation, "results"),
    "event-of": (dispatch, "event_of"),
    "settle-dead": (AnsibleWorker, "_settle"),
    "keep-evidence": (Blobs, "put"),
    "core-fsync": (os, "fsync"),
}


class Network:
    """Who answers from the production side: the hosts whose gate is open. Stands where sockets stand."""

    def __init__(self, root: Path, hosts: tuple[Host, ...]) -> None:
        self._root = root
        self._hosts = {host.address: host for host in hosts}

    def _open(self, address: str) -> bool:
        host = self._hosts[address]
        return host.id not in isolated_by(entries(self._root / "gates" / f"{host.site}.log"), {host.id})

    def ask(self, question: Question) -> Answer:
        """As a probe."""
        is_open = self._open(question.address)
        return Answer("PASS", "") if is_open else Answer("FAIL", "It is cut off.", heard=False)

    def sweep(self, source: str, targets: set[Target], control: Target, *, timeout_s: float) -> Swept:
        """As `probing.sweep`; the control target always answers."""
        return Swept(True, frozenset(target for target in targets if self._open(target[0])), frozenset())

    def look(self, request: Request, key: object, sweep: ssh.Sweep, *more: object) -> tuple[ssh.Look, Reply]:
        """As `ssh.look`; each inspection is written down when it begins, and the host has not one file."""
        note(str(self._root / "inspections.log"), "begin", request.action, "-")
        time.sleep(0.02)
        return ssh.Look(request, sweep, "--"), Reply(0, b"-- end\n", "", False)


class Staff(People):
    """The people of the random incidents, before a live core: what they say is kept and submitted afterwards."""

    def __init__(self) -> None:
        self.orders = time.time_ns()
        self.said: list[Event] = []

    def look(self, state: State, now_us: int) -> list[Event]:
        """What they say to the core as it is now."""
        self.state, self.now_us, self.said = state, now_us, []
        if not state.incident:
            return []
        if not state.roster:
            persons: list[Json] = [{"id": one, "roles": [role], "key": one} for one, role in ROLES.items()]
            genesis: Mapping[str, Json] = {"persons": persons, "indicator_set": "0" * 64}
            self.order("genesis", "roster", dict(genesis), "operator-1", "it-director")
        else:
            self.lift()
            self.interrupt()
            self.answer_hosts()
            self.do_tasks()
            self.sign()
        return self.said

    def interrupt(self) -> None:
        """Now and then everything is frozen for a moment, or a host isolated that is being reconnected."""
        if CHANCE.random() < 0.006:
            self.order("freeze", "all", {"all_work": True}, self.staff.operator)
        for host, stage in enumerate(self.state.stage):
            if stage is Stage.RECONNECTING and CHANCE.random() < 0.02:
                name = self.estate.hosts[host]
                self.order("host.isolate", name, self.stops(host), self.staff.operator, self.staff.analysts[0])

    def feed(self, event: Event) -> bool:
        """Said, and heard later."""
        self.said.append(event)
        return True

    def signer_us(self) -> int:
        """Nobody's clock is wrong here."""
        return self.now_us


class Runners(subprocess.Popen[bytes]):
    """Starts our runner where the engine starts its own."""

    def __init__(self, words: list[str], **options: Any) -> None:
        ours = {"orchestrator.workers.runner": "tests.torture.runner"}
        super().__init__([ours.get(word, word) for word in words], **options)


def over(state: State, now_us: int) -> bool:
    """Whether everything is in service and every gate has passed."""
    return (
        bool(state.waves)
        and all(wave.passed_us for wave in state.waves)
        and not state.open
        and all(stage in OUT for host, stage in enumerate(state.stage) if state.wave_of[host] >= 0)
    )


def prepare(root: Path) -> Beginning:
    """Replaces what an action touches, shortens what is only waited for, and names the points."""
    content = usable(root / "estate")
    network = Network(root, content.inventory.hosts)
    ansible._SETTLE_AGAIN_US = 500_000
    dispatch.GATHER_US, dispatch.GATHER_BUSY_US, dispatch.ISOLATE_BUSY_US = 100_000, 300_000, 200_000
    probes: Any = {"http": network}
    probing.own_probes = lambda: probes
    starts = SimpleNamespace(Popen=Runners, DEVNULL=subprocess.DEVNULL)
    places: Any = {(watch, "sweep"): network.sweep, (ssh, "look"): network.look, (ansible, "subprocess"): starts}
    for (module, name), ours in places.items():
        setattr(module, name, ours)
    points.wrap(root, {**OPENING, **STARTING, **LIVING})
    return Beginning(root / "estate", content)


def run(root: Path) -> int:
    """Until it is over, or the engine ends; `end` then says how: the state's digest, or the error."""
    try:
        live = open_engine(root / "disk" / "state", prepare(root))
    except RelanceError as error:
        return _ended(root, error)
    (root / "live").write_text(str(os.getpid()))
    staff = Staff()
    while not live.engine.wait(0):
        with suppress(RelanceError):  # the engine has ended: its failure is told below
            for event in live.engine.read(staff.look):
                _say(live.engine.submit, event)
            if live.engine.read(over):
                live.close()
                (root / "end").write_text(json.dumps({"state": live.engine._state.digest()}))
                return 0
        time.sleep(ROUND_S)
    return _ended(root, live.engine.failure)


def _say(submit: Any, event: Event) -> None:
    """A refusal is an answer: people look again in the next round."""
    with suppress(RelanceError):
        submit(event)


def _ended(root: Path, error: RelanceError | None) -> int:
    said = {"code": error.code, "sentence": error.sentence} if error else {"code": "none", "sentence": ""}
    (root / f"end.{os.getpid()}").write_text(json.dumps(said))
    return error.exit_code if error else 1


def born(root: Path) -> int:
    """Forks a core; its pid. It dies with whoever forked it."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        log = os.open(root / "core.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = run(root)
    finally:
        if code == 70:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
