"""The real runner over small hands: only Ansible and the SSH of a settling look are replaced, and points are named.

Never started by hand: the tortured engine starts it where it would start `orchestrator.workers.runner`.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import Unusable
from orchestrator.practice.fleet_log import entries, record_of
from orchestrator.workers import ansible_files, invocation, processes, release_gate, runner
from orchestrator.workers.base import Invocation, Request
from tests.torture import points

if TYPE_CHECKING:
    from orchestrator.workers.connection import Peer, Reply

HAND = Path(__file__).with_name("hand.py")
PLACES: dict[str, points.Place] = {
    "run-lock": (invocation, "_lock"),
    "run-start": (invocation, "start"),
    "host-lock": (invocation.HostLocks, "take"),
    "lay-out": (ansible_files, "lay_out"),
    "drive": (runner, "_drive"),
    "result-line": (invocation.Results, "append"),
    "give-back": (invocation.HostLocks, "give_back"),
    "end-all": (processes, "end_all"),
    "close": (runner, "_close"),
    "finish": (invocation, "finish"),
    "done-name": (os, "rename"),
    "runner-fsync": (os, "fsync"),
}
SETTLING = ("settle", "look")
_close = runner._close


def root_of(run_dir: Path) -> Path:
    """The folder of the round a run belongs to: `ROOT/disk/state/runs/N`."""
    return run_dir.resolve().parents[3]


def drive(folder: Path, asked: Invocation, on_event: Callable[[dict[str, Any]], bool]) -> None:
    """Has the hands do it, in a session of their own as Ansible's workers are, and tells each end as Ansible would."""
    words = [sys.executable, "-I", "-S", str(HAND), "session", str(root_of(folder.parent)), str(folder / "hosts.json")]
    environment = ansible_files.environment(asked.invocation, folder)
    targets = {request.action: request.target for request in asked.requests}
    with subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as session:
        for line in session.stdout or ():
            said = json.loads(line)
            data = {"host": targets[said["action"]], "task": ansible_files.MARKER, "res": {"msg": said}}
            on_event({"event": "runner_on_ok", "event_data": data})


class Looks:
    """What a settling look is answered, from the logs of hosts and gates."""

    def __init__(self, root: Path, asked: tuple[Request, ...]) -> None:
        self._root = root
        self._host_of = {request.management: request.host for request in asked if request.lane == "host"}
        self._site_of = {request.host: request.site for request in asked}

    def ask(self, peer: Peer, key: object, command: str, limits: object) -> Reply:
        """As `connection.ask`."""
        from orchestrator.practice.fleet_gate import isolated_by
        from orchestrator.workers.connection import Reply

        if command.startswith("relance-gate show "):
            host = command.split()[2]
            log = self._root / "gates" / f"{self._site_of[host]}.log"
            state = "isolated" if host in isolated_by(entries(log), {host}) else "open"
            found: dict[str, object] = {"host": host, "state": state}
        else:
            found = self._mark(self._host_of[peer.address])
        return Reply(0, json.dumps(found).encode(), "", cut=False)

    def _mark(self, host: str) -> dict[str, object]:
        lock = os.open(self._root / "hosts" / f"{host}.running", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            running = False
        except BlockingIOError:
            running = True
        finally:
            os.close(lock)
        mark = record_of(self._root / "hosts" / f"{host}.log")
        said = {"action": mark.action, "state": mark.state, "outcome": mark.outcome}
        return {**said, "running": running, "facts": mark.facts}


def close(batch: runner.Batch, *words: Any) -> int:
    """As `runner._close`; what settles is made ready when it is needed, for it takes long to load."""
    if batch.open():
        from orchestrator.workers import settling

        replaced: Any = settling
        replaced.ask = Looks(root_of(batch.run_dir), batch.asked.requests).ask
        replaced._AGAIN_S = 0.2
        points.wrap(root_of(batch.run_dir), {"settle": (settling, "settle"), "look": (settling, "_look")})
    return _close(batch, *words)


def main(arguments: list[str]) -> int:
    """As `runner.main`."""
    replaced: Any = runner
    replaced._drive, replaced._close = drive, close
    unsigned: Any = release_gate
    unsigned.refusals = lambda run_dir, requests: {}  # people sign nothing here, so no papers could be right
    points.wrap(root_of(Path(arguments[-1])), PLACES)
    return runner.main(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Unusable as refusal:
        sys.stderr.write(refusal.sentence + "\n")
        sys.exit(refusal.exit_code)
