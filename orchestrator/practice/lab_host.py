"""One host of the lab as its management path sees it: preserved, restored from restic or made from its image, started.

Never restores past what it was told, and never reports a restore whose services do not answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.errors import RelanceError, Unusable
from orchestrator.practice import fleet_disk as disk
from orchestrator.practice.fleet_file import FleetFile, FleetHost, Folders, write_whole
from orchestrator.practice.fleet_host import PracticeHost, RestorePlan, ToolError
from orchestrator.practice.lab_net import MANAGEMENT, Network
from orchestrator.practice.lab_place import PATH, Place, way_in
from orchestrator.practice.lab_services import ROLES, Ground

_AT_ONCE = RestorePlan(0.0, frozenset())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One backup: its id, when it was made, and the digest of all it holds."""

    id: str
    at_us: int
    tree: str


class Vault:
    """The backups of all hosts: a restic repository on the backup server's surviving disk.

    Backups are made where the repository lies; restores fetch them over sftp, as the hypervisor would.
    """

    def __init__(self, root: Path, network: Network, server: FleetHost, key: Path) -> None:
        self.repository = root / "repository"
        self._root = root
        self._network = network
        self._server = server
        self._key = key
        self._host_key = Folders(root).key("host", server.id)

    def create(self) -> None:
        """An empty repository; its password is the lab's own."""
        write_whole(self._root / "vault.password", b"practice only\n", 0o600)
        self._restic(str(self.repository), "init", "--repository-version", "2")

    def save(self, place: Place, at: str = "") -> None:
        """Backs up a host's disk as it is; `at` claims another time for it, as an old backup has."""
        time = ("--time", at) if at else ()
        words = ("backup", "/srv", "--host", place.host, "--quiet", *time)
        self._restic(str(self.repository), *words, mounted=place)

    def newest(self, host: str, before_us: int) -> Snapshot:
        """The newest backup older than `before_us` (0: the newest). Raises Unusable where none is."""
        told = json.loads(self._restic(self._far, "snapshots", "--json", "--host", host))
        found = [Snapshot(one["id"], _us(one["time"]), one["tree"]) for one in told]
        old = [one for one in found if not before_us or one.at_us < before_us]
        if not old:
            raise Unusable(f"None of the {len(found)} backups of {host} is older than the first compromise.", host=host)
        return max(old, key=lambda one: one.at_us)

    def restore(self, place: Place, snapshot: Snapshot) -> None:
        """Writes a backup to a host's empty disk."""
        self._restic(self._far, "restore", snapshot.id, "--target", "/", "--quiet", mounted=place)

    @property
    def _far(self) -> str:
        return f"sftp:root@{self._server.address}:/mnt"

    def _restic(self, repository: str, *words: str, mounted: Place | None = None) -> str:
        known = self._root / "vault.known_hosts"
        if self._host_key.exists():
            write_whole(known, f"{self._server.address} {disk.public_line(self._host_key)}\n".encode())
        options = f"-F none -i {self._key} -o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o BatchMode=yes"
        sftp = f"ssh {options} root@{self._server.address} -s sftp"
        own = ("--password-file", str(self._root / "vault.password"), "--cache-dir", str(self._root / "vault.cache"))
        command = ["restic", "-r", repository, "-o", f"sftp.command={sftp}", *own, *words]
        script = way_in(self._network, MANAGEMENT, [(mounted.disk, "/srv")] if mounted else [])
        done = subprocess.run(
            ["sh", "-c", script, "enter", *command],
            capture_output=True, text=True, timeout=110, check=False, env={"PATH": PATH, "HOME": "/"},
        )  # fmt: skip
        if done.returncode:
            raise Unusable(f"restic {words[0]} failed: {done.stderr.strip()[-300:]}", command=words[0])
        return done.stdout


def _us(time: str) -> int:
    """Microseconds of a time as restic writes it, with more digits than Python reads."""
    head, _, tail = time.partition(".")
    zone = tail.lstrip("0123456789")
    fraction = tail[: len(tail) - len(zone)][:6].ljust(6, "0")
    return int(datetime.fromisoformat(f"{head}.{fraction}{zone}").timestamp() * 1_000_000) if zone else 0


class LabHost(PracticeHost):
    """A practice host whose disk runs real services."""

    def __init__(
        self, spec: FleetHost, fleet: FleetFile, folders: Folders, now_us: Callable[[], int], place: Place, vault: Vault
    ) -> None:
        super().__init__(spec, fleet, folders, now_us)
        self.place = place
        self.vault = vault
        self.role = role_of(spec)
        self.ground: Ground | None = None

    def _make(self) -> None:
        for kind in ("host", "management"):
            disk.new_key(self.folders.key(kind, self.spec.id))

    def start(self, ground: Ground) -> None:
        """Starts the services of a host whose disk is whole, and waits until they answer. Raises Unusable."""
        self.ground = ground
        if self.place.is_whole:
            self.place.stop()
            self.place.start(ROLES[self.role].commands(self.place, ground))
            self.place.wait(self.spec.address, ROLES[self.role].ports)

    async def at_work(self, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        """In a thread of its own: other hosts are served meanwhile."""
        return await asyncio.to_thread(work)

    def preserve(self, action: str) -> dict[str, object]:
        """Keeps an archive of the disk as it is; its digest is the archive's."""
        self._note("run", action, "preserve")
        partial = self.folders.evidence(self.spec.id)
        command = ["tar", "--sort=name", "-C", str(self.disk), "-cf", str(partial), "."]
        done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
        if done.returncode:
            self._note("ran", action, "preserve", "failed", "{}")
            raise ToolError(f"The disk of {self.spec.id} cannot be kept: {done.stderr.strip()[-200:]}")
        with partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        partial.rename(self.folders.evidence(digest))
        return self._ran(action, "preserve", {"digest": digest, "medium": "lab-evidence", "holder": "practice lab"})

    def restore_begin(self, action: str, strategy: str) -> RestorePlan:
        """Notes the restore, kills what still runs on the host, wipes the disk."""
        self._note("run", action, f"restore:{strategy}")
        if strategy == "replace":
            self._note("replaced", action)
        self.place.stop()
        disk.wipe(self.disk)
        return _AT_ONCE

    def restore_finish(
        self, action: str, strategy: str, faults: frozenset[str], before_us: int = 0
    ) -> dict[str, object]:
        """Writes backup or image to the disk, makes a new SSH host key, starts the services. Raises ToolError."""
        try:
            point_us, digest = self._write(strategy, before_us)
            if self.ground is None:
                raise Unusable("The lab has not started.")
            self.start(self.ground)
        except (RelanceError, OSError, subprocess.SubprocessError) as error:
            self._note("ran", action, f"restore:{strategy}", "failed", "{}")
            raise ToolError(str(error)) from error
        line = disk.new_key(self.folders.key("host", self.spec.id))
        facts: dict[str, object] = {"host_key": line, "restore_point_us": point_us, "image_digest": digest}
        return self._ran(action, f"restore:{strategy}", facts)

    def _write(self, strategy: str, before_us: int) -> tuple[int, str]:
        if strategy == "restore":
            snapshot = self.vault.newest(self.spec.id, before_us)
            self.vault.restore(self.place, snapshot)
            return snapshot.at_us, snapshot.tree
        image = self.folders.root / "images" / self.spec.id
        shutil.copytree(image, self.disk, symlinks=True, dirs_exist_ok=True)
        return self.fleet.restore_point_us, disk.digest_of(disk.archive(image))


def role_of(spec: FleetHost) -> str:
    """The service a host plays; a workstation is a post."""
    return spec.services[0] if spec.services else "post"
