"""One round of torture: a hospital of fourteen hosts, its core born again after every death, and the audit at its end.

Never forgives: whatever a core says that was not provoked, and whatever the audit finds, is a finding.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.decision import codec
from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Cancelled, Event, Finished
from orchestrator.errors import RelanceError
from orchestrator.interfaces.auditing import UNREADABLE, Audit, audit
from orchestrator.journal.sqlite import Journal
from orchestrator.practice.fleet_log import entries
from orchestrator.practice.ledger import released_early, started_twice
from orchestrator.practice.rehearsal import write_estate
from orchestrator.trust import keys
from tests.estates import small_estate
from tests.live_hospital import quick
from tests.torture import core

PLAYBOOKS = Path(__file__).parents[2] / "plans" / "playbooks"
PATIENCE_S = 120.0
NEVER = bool  # holds for nothing: only the core's end is waited for
DISK_MB = 48
_CLONE_NEWNS = 0x20000
_PR_SET_CHILD_SUBREAPER = 36

Finding = tuple[str, str]  # which book it belongs to (started_twice, missing, violations), and a sentence


def become_parent_of_all() -> bool:
    """Orphans of dead cores are ours to wait for; whether small disks can be mounted, for us alone."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    private = ["mount", "--make-rprivate", "/"]
    return (
        os.geteuid() == 0
        and libc.unshare(_CLONE_NEWNS) == 0
        and subprocess.run(private, capture_output=True, check=False).returncode == 0
    )


def lay_down(root: Path, own_disk: bool) -> None:
    """A new round: its estate, its secrets, and with `own_disk` a small disk of its own for the state folder."""
    if root.exists():
        shutil.rmtree(root)
    for folder in ("hosts", "gates", "disk"):
        (root / folder).mkdir(mode=0o700, parents=True)
    if own_disk:
        options = f"size={DISK_MB}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "relance-torture", str(root / "disk")], check=True)
    content = small_estate(timing=quick(sweep_s=1, waits_s=(1,), unreachable_s=(1,)))
    checks = tuple(one.model_copy(update={"interval_s": 1}) for one in content.checks)
    write_estate(content.model_copy(update={"checks": checks}), PLAYBOOKS, root / "estate")
    secrets = root / "disk" / "state" / "secrets"
    secrets.mkdir(mode=0o700, parents=True)
    secrets.parent.chmod(0o700)
    keys.generate(secrets / "ssh_key")
    (secrets / "management_hosts").touch(0o600)


class Round:
    """The processes of one round and what was done to them (`tally`, kept beside the state it befell)."""

    def __init__(self, root: Path, own_disk: bool) -> None:
        self.root = root
        self.own_disk = own_disk
        self.state = root / "disk" / "state"
        self.findings: list[Finding] = []
        self.provoked = ""  # why this very core may end with 7
        self.pid = 0
        self._ends: dict[int, int] = {}
        self._tally = root / "disk" / "tally.json"
        for pid in self.processes():  # of a torture that was killed
            os.kill(pid, signal.SIGCONT)
        if not self._tally.exists():
            self._all_gone()
            lay_down(root, own_disk)
            self._tally.write_text('{"by_kind": {}, "points": {}}')
        self.tally: dict[str, dict[str, int]] = json.loads(self._tally.read_bytes())

    def count(self, book: str, name: str) -> None:
        """One more of it; what is counted outlives us."""
        self.tally[book][name] = self.tally[book].get(name, 0) + 1
        part = self.root / "tally.part"
        part.write_text(json.dumps(self.tally))
        shutil.move(part, self._tally)

    def start(self) -> None:
        """A core is born."""
        self.provoked = ""
        for name in ("live", "end"):
            (self.root / name).unlink(missing_ok=True)
        self.pid = core.born(self.root)

    def find(self, sentence: str) -> None:
        """Something that must not be."""
        self.findings.append(("violations", sentence))

    def ended(self, pid: int = 0) -> int | None:
        """How a child ended (the core unless told): exit code, or signal as a negative number; None if it lives."""
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if os.WIFSTOPPED(found[1]):  # a tracer left it so
                    os.kill(found[0], signal.SIGCONT)
                else:
                    self._ends[found[0]] = os.waitstatus_to_exitcode(found[1])
        return self._ends.get(pid or self.pid)

    def wait_for(self, pid: int) -> None:
        """Until a child that was killed has ended."""
        while self.ended(pid) is None:
            time.sleep(0.005)

    def is_up(self) -> bool:
        """Whether the engine has started."""
        return (self.root / "live").exists()

    def until(self, holds: Callable[[], object], limit_s: float = PATIENCE_S) -> bool:
        """Waits until something holds or the core has ended; false once patience is over."""
        until_s = time.monotonic() + limit_s
        while not holds() and self.ended() is None:
            if time.monotonic() > until_s:
                return False
            time.sleep(0.005)
        return True

    def live(self) -> bool:
        """Has a core that is up, born again if it died; false once the round is over or cannot go on."""
        for _ in range(20):
            if not self.pid:
                self.start()
            if not self.until(self.is_up):
                self.find("A core neither started nor ended.")
                return False
            code = self.ended()
            if code is None:
                return True
            if not self._expected(code):
                return False
            self.start()
        self.find("A core ended at each of twenty starts.")
        return False

    def _expected(self, code: int) -> bool:
        """Whether the round goes on after a core that ended so."""
        said: dict[str, str] = {}
        if (self.root / f"end.{self.pid}").exists():
            said = json.loads((self.root / f"end.{self.pid}").read_bytes())
        own_fault = "fault of its own" in said.get("sentence", "")  # no disk is to blame for that
        closed = code == 7 and said.get("code") == "unusable" and bool(self.provoked) and not own_fault
        if code == 0 or code == -signal.SIGKILL or closed:
            return code != 0
        self.find(f"A core ended with {code} ({self.provoked or 'not provoked'}): {said.get('sentence', '')}")
        return False

    def processes(self, *words: str) -> list[int]:
        """The processes of this round whose command line holds these words."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                said = (entry / "cmdline").read_text().split("\0")
                if any(Path(one).is_relative_to(self.root) for one in said) and {*words} <= {*said}:
                    found.append(int(entry.name))
        return sorted(found)

    def finish(self) -> Audit | None:
        """Lets the round end by itself, then audits it; None where it does not come to an end."""
        while self.live():
            if not self.until(NEVER):
                self.find(f"Not over {PATIENCE_S:.0f} s after the last strike.")
                os.kill(self.pid, signal.SIGKILL)
                self.until(NEVER)
                break
        self._all_gone()
        try:
            found = audit(self.state)
        except RelanceError as error:
            self.find(error.sentence)
            return None
        self.findings += judged(self.root, found)
        return found

    def _all_gone(self) -> None:
        """Waits for what goes on without a core; it ends with its work."""
        until_s = time.monotonic() + PATIENCE_S
        while self.processes() and time.monotonic() < until_s:
            self.ended()
            time.sleep(0.02)

    def put_away(self) -> None:
        """Keeps nothing of a round that was as it should be; a disk of its own goes in any case."""
        if self.findings:
            if self.ended() is None:
                os.kill(self.pid, signal.SIGKILL)
            self._all_gone()
            shutil.copytree(self.root / "disk", self.root / "kept")
            return
        if self.own_disk:
            subprocess.run(["umount", "--lazy", self.root / "disk"], check=True)
        shutil.rmtree(self.root)


def judged(root: Path, found: Audit) -> list[Finding]:
    """The findings of a round that is over: its journal against itself, and against what hosts and gates wrote."""
    # The people of these rounds hold no keys: the genesis they gave is a record and no signed text.
    findings = [one for one in found["violations"] if one != UNREADABLE]
    issued, told = _journal(root / "disk" / "state")
    if len(issued) != len(told) or found["open"] or found["issued"] != len(issued):
        findings.append(f"{len(issued)} issued, {len(told)} ended, {found['open']} still open.")
    if not (root / "end").exists():
        findings.append("It never came to its end.")
    elif json.loads((root / "end").read_bytes())["state"] != found["state"]:
        findings.append("Replayed, the journal gives another state.")
    books = {"violations": findings, "started_twice": twice(root), "missing": missing(root, issued, told)}
    return [(book, sentence) for book, sentences in books.items() for sentence in sentences]


def twice(root: Path) -> list[str]:
    """What was started a second time, or beside other work: at hosts, at gates, and inspections."""
    found = []
    for log in sorted((root / "hosts").glob("*.log")):
        found += started_twice(log.stem, entries(log))
    for log in (*(root / "gates").glob("*.log"), root / "inspections.log"):
        starts = Counter(entry.action for entry in entries(log))
        found += [f"{action} began {count} times." for action, count in starts.items() if count > 1]
    return found


def missing(root: Path, issued: dict[str, int], told: Iterable[Event]) -> list[str]:
    """What ended well and never began, began and is said never to have, began unasked, or was opened too early."""
    at_hosts = {
        entry.action for log in (root / "hosts").glob("*.log") for entry in entries(log) if entry.word == "begin"
    }
    at_gates = {entry.action for log in (root / "gates").glob("*.log") for entry in entries(log)}
    looked = {entry.action for entry in entries(root / "inspections.log")}
    found = [
        f"{action} began and was never issued." for action in sorted((at_hosts | at_gates | looked) - issued.keys())
    ]
    for one in told:
        action = getattr(one, "action", "")
        step = action.split("/")[1]
        ended_well = isinstance(one, Finished) and one.outcome == "ok" and step in ("preserve", "restore", "inspect")
        if ended_well and action not in at_hosts | looked:
            found.append(f"{action} ended well and never began.")
        if isinstance(one, Cancelled) and action in at_hosts:
            found.append(f"{action} is cancelled, and it began.")
    for log in (root / "gates").glob("*.log"):
        found += released_early(entries(log), issued)
    return found


def _journal(state_dir: Path) -> tuple[dict[str, int], list[Event]]:
    """When each action was issued, and how actions ended."""
    issued: dict[str, int] = {}
    told: list[Any] = []
    with Journal.open(state_dir / "journal.sqlite", read_only=True) as journal:
        for record in journal.records():
            if record.kind in ("issue", "finished", "lost", "cancelled"):
                entry = codec.decode(record.kind, record.body)
                if isinstance(entry, Issue):
                    issued[entry.action] = record.at_us
                else:
                    told.append(entry)
    return issued, told
