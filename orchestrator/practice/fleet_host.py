"""What the management path of one practice host does: marks, preservation, restore, rotation; and its faults.

Never refuses a restore and never makes one idempotent: the host's log tells afterwards what was really done.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from orchestrator.errors import RelanceError
from orchestrator.practice import fleet_disk as disk
from orchestrator.practice.fleet_file import Fault, FleetFile, FleetHost, Folders, Kind, Where, write_whole
from orchestrator.practice.fleet_log import Entry, HostRecord, append, facts_word, record_of
from orchestrator.practice.ransomware import plant, plant_dormant

SLOW_FACTOR = 10
DAY_US = 86_400_000_000
STRATEGIES = ("restore", "reimage", "replace")


class ToolError(RelanceError):
    """A management or gate command failed; `status` is its exit status."""

    code = "tool"

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """How one restore will go: how long it takes, and which faults it meets."""

    duration_s: float
    faults: frozenset[str]


class PracticeHost:
    """One host of the fleet as its management path sees it; its state is its log."""

    def __init__(self, spec: FleetHost, fleet: FleetFile, folders: Folders, now_us: Callable[[], int]) -> None:
        self.spec = spec
        self.fleet = fleet
        self.folders = folders
        self.now_us = now_us
        self.disk = folders.disk(spec.id)
        self.record = HostRecord()

    def prepare(self) -> None:
        """Makes the disk, backup and keys of a host seen for the first time; else reads its log and cuts what a
        killed fleet left running."""
        log = self.folders.log(self.spec.id)
        if not log.exists():
            self._make()
            self._note("made", "-")
        self.record = record_of(log)
        for action, tool in list(self.record.running.items()):
            self._note("cut", action, tool)

    def _make(self) -> None:
        files = disk.first_files(self.spec, self.fleet.seed)
        disk.wipe(self.disk)
        disk.fill(self.disk, files)
        disk.save_backup(self.folders.backup(self.spec.id), files)
        for kind in ("host", "management"):
            disk.new_key(self.folders.key(kind, self.spec.id))

    def _note(self, word: str, action: str, *detail: str) -> None:
        entry = Entry(word, action, self.now_us(), detail)
        append(self.folders.log(self.spec.id), entry)
        self.record.apply(entry)

    def fault(self, where: Where, *kinds: str) -> Fault | None:
        """The fault that shows now at this place, counted in the log; None when nothing is wrong (any more)."""
        if self.record.replaced:
            return None
        for fault in self.spec.faults:
            shown = self.record.faults.get((fault.kind, fault.where), 0)
            if fault.where == where and fault.kind in kinds and (not fault.times or shown < fault.times):
                self._note("fault", "-", fault.kind, fault.where)
                return fault
        return None

    def mark_read(self) -> dict[str, object]:
        """The mark, whether its action runs now, and what that action has said so far."""
        now = self.record
        mark = {"action": now.action, "state": now.state, "outcome": now.outcome}
        return {**mark, "running": now.action in now.running, "facts": now.facts}

    def mark_begin(self, action: str, supersedes: str) -> None:
        """Sets the mark; raises ToolError (9) beside another live mark that `supersedes` does not name, beside work
        still running, and for an action that has begun before."""
        standing = self.record.action
        if action == standing:
            raise ToolError(f"{action} has begun on {self.spec.id} before; an action begins once.", 9)
        if self.record.running:
            raise ToolError(f"{', '.join(self.record.running)} still runs on {self.spec.id}; wait for it.", 9)
        if self.record.state == "begun" and supersedes != standing:
            raise ToolError(f"The mark of {standing} stands on {self.spec.id}; supersede it by name.", 9)
        self._note("begin", action, supersedes or "-")

    def mark_end(self, action: str, outcome: str) -> None:
        """Ends the mark of `action`; a second time with the same outcome changes nothing."""
        if action != self.record.action:
            raise ToolError(f"{action} holds no mark on {self.spec.id}.", 9)
        if self.record.state == "ended":
            if outcome != self.record.outcome:
                raise ToolError(f"{action} has ended as {self.record.outcome}.", 9)
            return
        self._note("end", action, outcome)

    async def at_work(self, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        """Does what fills or reads the disk; here that is over at once."""
        return work()

    def preserve(self, action: str) -> dict[str, object]:
        """Keeps an archive of the disk as it is; its digest is the archive's."""
        self._note("run", action, "preserve")
        content = disk.archive(self.disk)
        digest = disk.digest_of(content)
        write_whole(self.folders.evidence(digest), content, 0o600)
        kept: dict[str, object] = {"digest": digest, "medium": "fleet-evidence", "holder": "practice fleet"}
        return self._ran(action, "preserve", kept)

    def restore_begin(self, action: str, strategy: str) -> RestorePlan:
        """Notes the restore, wipes the disk, and says how it will go."""
        self._note("run", action, f"restore:{strategy}")
        if strategy == "replace":
            self._note("replaced", action)
        disk.wipe(self.disk)
        faults = frozenset(kind for kind in get_args(Kind) if self.fault("restore", kind))
        chance = random.Random(f"{self.fleet.seed}/{self.spec.id}/{self.record.restores}")
        duration_s = chance.uniform(*self.fleet.restore_ms) / 1000 * (SLOW_FACTOR if "slow" in faults else 1)
        return RestorePlan(duration_s, faults)

    def restore_fail(self, action: str, strategy: str) -> None:
        """Ends the restore as failed; raises ToolError."""
        self._note("ran", action, f"restore:{strategy}", "failed", "{}")
        raise ToolError(f"The backup of {self.spec.id} cannot be read: block 17 fails its checksum.")

    def restore_finish(
        self, action: str, strategy: str, faults: frozenset[str], before_us: int = 0
    ) -> dict[str, object]:
        """Writes the newest daily backup older than `before_us` (0: the newest) to the disk, makes a new SSH host key,
        starts the service."""
        files, digest = disk.load_backup(self.folders.backup(self.spec.id))
        disk.fill(self.disk, files)
        line = disk.new_key(self.folders.key("host", self.spec.id))
        if "wrong-key" in faults:
            disk.new_key(self.folders.key("host", self.spec.id))
        if "still-infected" in faults:
            plant(self.disk, self.spec.id)
        if "dormant" in faults:
            plant_dormant(self.disk)
        if "silent-service" in faults:
            disk.start_service(self.disk, disk.SERVICE_SILENT)
        own_us = self.spec.restore_point_us
        point_us = self.fleet.restore_point_us if own_us is None else own_us
        if 0 < before_us <= point_us:
            point_us -= ((point_us - before_us) // DAY_US + 1) * DAY_US
        facts: dict[str, object] = {"host_key": line, "restore_point_us": point_us, "image_digest": digest}
        return self._ran(action, f"restore:{strategy}", facts)

    def cut(self, action: str, tool: str) -> None:
        """Notes that what ran was cut off before it had a result."""
        self._note("cut", action, tool)

    def rotate(self, action: str) -> dict[str, object]:
        """Gives the local administrator a new secret of this host alone; only its salted hash is written."""
        self._note("run", action, "rotate")
        salt, secret = secrets.token_hex(8), secrets.token_urlsafe(24)
        hashed = hashlib.scrypt(secret.encode(), salt=salt.encode(), n=2, r=8, p=1, dklen=32).hex()
        (self.disk / "etc").mkdir(parents=True, exist_ok=True)
        write_whole(self.disk / "etc/administrator", f"administrator:{salt}:{hashed}\n".encode())
        return self._ran(action, "rotate", {"rotated": True})

    def _ran(self, action: str, tool: str, facts: dict[str, object]) -> dict[str, object]:
        self._note("ran", action, tool, "ok", facts_word(facts))
        return facts
