"""The worker for everything Ansible does: starts one runner process per invocation and reads what it writes.

Never imports Ansible, never holds a lock of a run, and never kills a batch to cancel one of its actions: a cancelled
action is skipped where its playbook would begin it, and one that has begun goes on to its own end. Only a run at gates
of which nobody wants anything any more is ended at once, so that an isolation never waits for a hung reconnect.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.clock import SystemClock
from orchestrator.workers import invocation, processes
from orchestrator.workers.ansible_files import environment
from orchestrator.workers.base import Invocation, Outcome, Request

_CLOCK = SystemClock()
_SETTLE_AGAIN_US = 5_000_000


@dataclass(slots=True)
class _Run:
    """One run folder being read. `process` is None for a runner that an earlier engine started."""

    run_dir: Path
    invocation: str
    waiting: set[str]
    at_gates: bool
    process: subprocess.Popen[bytes] | None = None
    cancelled: set[str] = field(default_factory=set)
    ending: threading.Thread | None = None
    offset: int = 0
    settle_at_us: int = field(default=0)


class AnsibleWorker:
    """Implements `Worker` for run folders written by `invocation.write`."""

    def __init__(self) -> None:
        self._runs: dict[Path, _Run] = {}

    def submit(self, run_dir: Path, requests: Sequence[Request]) -> None:
        """Start the runner of a folder that was just written."""
        run = _run(run_dir, invocation.read(run_dir))
        run.process = _start(run)
        self._runs[run_dir] = run

    def adopt(self, run_dir: Path) -> None:
        """Take over a folder found at start, whatever its condition.

        Not started: it is handed out. Running: its lines are read as they come. Finished: they are read. Dead: a
        settling runner ends what it left behind and asks marks and gates. Lines written before are told again.
        """
        run = _run(run_dir, invocation.read(run_dir))
        if invocation.condition(run_dir) == "not_started":
            run.process = _start(run)
        self._runs[run_dir] = run

    def cancel(self, action: str) -> None:
        """Skip the action if it has not begun; its outcome is then `cancelled`."""
        for run in self._runs.values():
            if action in run.waiting:
                invocation.cancel(run.run_dir, action)
                run.cancelled.add(action)

    def stop(self, run_dir: Path) -> None:
        """Have a whole run ended, within 2 s. Its actions are settled by `poll`."""
        run = self._runs[run_dir]
        run.ending = threading.Thread(target=processes.end_all, args=(run.invocation,), name="stop", daemon=True)
        run.ending.start()

    def poll(self) -> list[Outcome]:
        """New outcomes of all runs. A runner that died without all its lines is followed by a settling one."""
        found: list[Outcome] = []
        for run in list(self._runs.values()):
            found += self._read(run)
            if not run.waiting:
                self._release(run)
            elif run.at_gates and run.waiting <= run.cancelled and run.ending is None:
                self.stop(run.run_dir)
            elif _ended(run):
                # What the runner wrote between our reading and its end comes first.
                found += self._read(run)
                self._settle(run)
        return found

    def live(self) -> list[Path]:
        """The runs that still owe an outcome, or whose runner has not ended."""
        return list(self._runs)

    def _read(self, run: _Run) -> list[Outcome]:
        outcomes, run.offset = invocation.results(run.run_dir, run.offset)
        fresh = [outcome for outcome in outcomes if outcome.action in run.waiting]
        run.waiting -= {outcome.action for outcome in fresh}
        return fresh

    def _release(self, run: _Run) -> None:
        """Forget a run whose lines were all read, once its runner has ended."""
        if run.process is None or run.process.poll() is not None:
            del self._runs[run.run_dir]

    def _settle(self, run: _Run) -> None:
        now_us = _CLOCK.elapsed_us()
        if run.waiting and now_us >= run.settle_at_us:
            run.settle_at_us = now_us + _SETTLE_AGAIN_US
            run.process = _start(run, "--settle")


def _run(run_dir: Path, asked: Invocation) -> _Run:
    actions = {request.action for request in asked.requests}
    return _Run(run_dir, asked.invocation, actions, all(request.lane == "network" for request in asked.requests))


def _ended(run: _Run) -> bool:
    if run.ending is not None and run.ending.is_alive():
        return False  # whoever settles carries the run's name too, and would be ended with it
    if run.process is not None:
        return run.process.poll() is not None
    return invocation.condition(run.run_dir) != "running"


def _start(run: _Run, *options: str) -> subprocess.Popen[bytes]:
    """Start a runner in a session of its own, so that the engine's end or a Ctrl-C does not reach it."""
    with (run.run_dir / "runner.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator.workers.runner", *options, str(run.run_dir)],
            env=environment(run.invocation),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
