"""The process of one run: drives Ansible for a batch and writes one line per action, whatever happens.

    python -m orchestrator.workers.runner RUN_FOLDER             run what request.json asks, once
    python -m orchestrator.workers.runner --settle RUN_FOLDER    its runner died: find out how each action ended

Never decides what follows from an outcome, and never writes `ok` without the playbook's marker or the host's mark.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.clock import SystemClock
from orchestrator.errors import Unusable
from orchestrator.workers import ansible_files, invocation, processes
from orchestrator.workers.base import Invocation, NeverBegun, Outcome, Request, Result

_CLOCK = SystemClock()
_BUSY = "Another run still works on this host; nothing was begun."
_SENTENCE_MAX = 300
# An isolate waits for the reconnect it pre-empts, so that the gate ends as the later order says.
_LOCK_WAIT_S = {"host": 2.0, "network": 15.0}

# What ssh says when the command was never sent. All else may have been cut in the middle.
_NEVER_SENT = ("ssh: connect to host", "banner exchange", "kex_exchange_identification")
_PREFIX = "Task failed: Failed to connect to the host via ssh: "


class Batch:
    """The actions of one run and their lines. Its `on_event` is the handler ansible-runner calls."""

    def __init__(self, run_dir: Path, asked: Invocation) -> None:
        self.run_dir = run_dir
        self.asked = asked
        self.results = invocation.Results(run_dir)
        self.locks = invocation.HostLocks(run_dir.parent)
        self.broken: OSError | None = None
        self.driven: set[str] = set()
        self._by_target = {request.target: request for request in asked.requests}

    def take_locks(self) -> tuple[Request, ...]:
        """The requests whose host we hold; the others get their line now."""
        held = []
        begun_us = _CLOCK.elapsed_us()
        for request in self.open():
            left_s = _LOCK_WAIT_S[request.lane] - (_CLOCK.elapsed_us() - begun_us) / 1e6
            if self.locks.take(request.target, request.lane, wait_s=left_s):
                held.append(request)
            else:
                self.write(Outcome(request.action, "failed", _BUSY, {"busy": True}))
        return tuple(held)

    def released(self, requests: tuple[Request, ...]) -> tuple[Request, ...]:
        """The requests that may go on; a reconnect that the release check refuses gets its line now."""
        asked = [request for request in requests if request.step == "reconnect"]
        if not asked:
            return requests
        from orchestrator.workers import release_gate  # late: it costs CPU that other runs never need

        refused = release_gate.refusals(self.run_dir, asked)
        for action, sentence in refused.items():
            self.write(Outcome(action, "failed", sentence, {"released": False}))
        return tuple(request for request in requests if request.action not in refused)

    def open(self) -> list[Request]:
        """The requests that have no line yet."""
        return [request for request in self.asked.requests if request.action not in self.results.written]

    def write(self, outcome: Outcome) -> None:
        """Put the line on disk, then give the host back. A disk that refuses ends the run (`broken`)."""
        try:
            self.results.append(outcome)
        except OSError as error:  # ansible-runner would swallow it and call the run a success
            self.broken = error
            return
        request = next(request for request in self.asked.requests if request.action == outcome.action)
        self.locks.give_back(request.target, request.lane)

    def on_event(self, event: dict[str, Any]) -> bool:
        """Append the line of a marker task or of a host that could not be reached; keep no event file."""
        data = event.get("event_data", {})
        request = self._by_target.get(data.get("host", ""))
        outcome = None
        if request is not None:
            self.driven.add(request.action)
        if request is not None and event.get("event") == "runner_on_ok" and data.get("task") == ansible_files.MARKER:
            outcome = from_marker(request, data["res"].get("msg"))
        elif request is not None and event.get("event") == "runner_on_unreachable":
            outcome = from_unreachable(request, str(data["res"].get("msg", "")))
        if outcome is not None:
            self.write(outcome)
        if self.broken is not None:
            processes.end_all(self.asked.invocation, spare=(os.getpid(),))
        return False


def from_marker(request: Request, message: object) -> Outcome:
    """The outcome a marker task tells; a marker of another action or without sense is a failure that says so."""
    marker = cast("dict[str, Json]", message) if isinstance(message, dict) else {}
    result = marker.get("outcome")
    if marker.get("action") != request.action or result not in ("ok", "failed", "cancelled"):
        return Outcome(request.action, "failed", "The playbook's marker does not speak of this action.")
    facts = last_object(str(marker.get("facts") or ""))
    sentence = "" if result == "ok" else last_line(str(marker.get("sentence") or "")) or f"It ended as {result}."
    return Outcome(request.action, cast("Result", result), sentence, facts)


def from_unreachable(request: Request, message: str) -> Outcome | None:
    """The outcome of a connection that failed; None if the command may have begun (its mark will tell)."""
    said = last_line(message.removeprefix(_PREFIX))
    if "host key is known for" in message:
        sentence = f"No host key is pinned for {request.endpoint[0]} in secrets/management_hosts; it was not spoken to."
        return Outcome(request.action, "failed", sentence, {"host_key": "missing"})
    if "verification failed" in message or "IDENTIFICATION HAS CHANGED" in message:
        sentence = f"{request.endpoint[0]} shows another host key than the pinned one; it was not spoken to."
        return Outcome(request.action, "failed", sentence, {"host_key": "mismatch"})
    if "Permission denied" in message:
        return Outcome(request.action, "failed", f"{request.endpoint[0]} refuses our key.", {"auth": "refused"})
    if request.lane == "network" or any(words in message for words in _NEVER_SENT):
        return Outcome(request.action, "unreachable", f"{request.endpoint[0]} cannot be reached: {said}")
    return None


def last_line(text: str) -> str:
    """The last line that says something, cut to a sentence's length."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_SENTENCE_MAX] if lines else ""


def last_object(text: str) -> dict[str, Json]:
    """The JSON object on the last line of a command's output, else nothing."""
    lines = text.strip().splitlines() or [""]
    try:
        value = canonical.decode(lines[-1].encode())
    except canonical.NotCanonical:
        return {}
    return value if isinstance(value, dict) else {}


def run(run_dir: Path) -> int:
    """Run the batch. 0: every action has its line; 1: the lines could not be written."""
    asked = invocation.read(run_dir)
    with invocation.held(run_dir):
        invocation.start(run_dir)
        batch = Batch(run_dir, asked)
        requests = batch.released(batch.take_locks())
        in_time = not requests or _play(batch, requests)
        if not in_time:
            _never_reached(batch)
        return _close(batch, asked.limit_s if in_time else 0, _no_marker(asked, in_time))


def settle_run(run_dir: Path) -> int:
    """Give every action of a run whose runner died its line, by asking the host's mark or the gate."""
    asked = invocation.read(run_dir)
    with invocation.held(run_dir):
        processes.end_all(asked.invocation, spare=(os.getpid(),))
        return _close(Batch(run_dir, asked), asked.limit_s, NeverBegun())


def _never_reached(batch: Batch) -> None:
    """The hosts beyond the forks whose turn had not come when the run was ended: no try is lost."""
    for request in batch.open():
        if request.action not in batch.driven:
            sentence = f"Its turn had not come when the time limit of {batch.asked.limit_s} s ended the run."
            batch.write(Outcome(request.action, "cancelled", sentence))


def _no_marker(asked: Invocation, in_time: bool) -> NeverBegun:
    if in_time:
        return NeverBegun("failed", f"{asked.playbook} ended without saying how it went; see the run folder's stdout.")
    return NeverBegun("failed", f"Nothing had begun when the time limit of {asked.limit_s} s ended the run.")


def _close(batch: Batch, limit_s: float, never_begun: NeverBegun) -> int:
    """Settle what has no line; a host that still works is waited for up to `limit_s`."""
    if batch.broken is None and batch.open():
        from orchestrator.workers.settling import settle  # late: it costs 170 ms of CPU, and most runs never need it

        settle(batch.asked, batch.open(), batch.write, limit_s=limit_s, never_begun=never_begun)
    if batch.broken is not None or batch.open():
        return 1
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    invocation.finish(batch.run_dir, int(1e6 * sum(one.ru_utime + one.ru_stime for one in used)))
    return 0


def _play(batch: Batch, requests: tuple[Request, ...]) -> bool:
    """Run the playbook on these requests; false if it had to be ended at its time limit."""
    folder = ansible_files.lay_out(batch.run_dir, batch.asked, requests)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        processes.end_all(batch.asked.invocation, spare=(os.getpid(),))

    timer = threading.Timer(batch.asked.limit_s, expire)
    timer.daemon = True
    timer.start()
    try:
        _drive(folder, batch.asked, batch.on_event)
    finally:
        timer.cancel()
        processes.end_all(batch.asked.invocation, spare=(os.getpid(),))
    return not expired.is_set()


def _drive(folder: Path, asked: Invocation, on_event: Callable[[dict[str, Any]], bool]) -> None:
    """The one call of ansible-runner, in a folder of its own."""
    from ansible_runner.interface import run as run_playbook  # late: settling does not need it

    run_playbook(
        private_data_dir=str(folder),
        playbook=str(Path(asked.playbooks) / asked.playbook),
        inventory=str(folder / "hosts.json"),
        envvars=ansible_files.environment(asked.invocation, folder),
        settings={"pexpect_timeout": 1},
        ident="run",
        quiet=True,
        fact_cache_type="memory",
        event_handler=on_event,
        # With a cancel callback of ours it leaves the signal handlers of this process alone.
        cancel_callback=lambda: False,
    )


def main(arguments: list[str]) -> int:
    """The command line."""
    run_dir = Path(arguments[-1]).resolve()
    words = ansible_files.environment(invocation.read(run_dir).invocation)
    if os.environ.get(processes.VARIABLE) != words[processes.VARIABLE] or set(os.environ) - set(words):
        # Started by hand: begin again from the scrubbed environment, so that whoever looks for us finds us.
        os.execve(sys.executable, [sys.executable, "-m", "orchestrator.workers.runner", *arguments], words)  # noqa: S606
    processes.become_subreaper()
    return settle_run(run_dir) if "--settle" in arguments else run(run_dir)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Unusable as refusal:
        sys.stderr.write(refusal.sentence + "\n")
        sys.exit(refusal.exit_code)
