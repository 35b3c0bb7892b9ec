"""What a lab's folder holds, put together: its hosts with their places, its network, its backups.

Never lays a lab down and never starts one: `lab` and `lab_fleet` do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.plans.lay_down import reference_estate
from orchestrator.practice.fleet_file import Folders, load
from orchestrator.practice.lab_host import LabHost, Vault, role_of
from orchestrator.practice.lab_net import Network
from orchestrator.practice.lab_place import Place
from orchestrator.practice.lab_services import Ground

BACKUPS = "backup-server"
SECRETS, WAS = "secrets.json", "was.json"


def lab_content() -> Path:
    """The folder the lab is made from: its estate, and what its hosts' disks hold."""
    return reference_estate() / "examples" / "lab"


class Lab:
    """The lab in folder `root`, which holds a `fleet.json`."""

    def __init__(self, root: Path, now_us: Callable[[], int]) -> None:
        if not (root / "fleet.json").exists():
            raise UsageError(f"There is no lab in {root}.", path=str(root))
        self.root = root
        self.folders = Folders(root)
        self.file = load(root)
        self.network = Network(root)
        server = next(host for host in self.file.hosts if role_of(host) == BACKUPS)
        self.vault = Vault(root, self.network, server, root / "keys" / "client")
        self.hosts = {}
        for spec in self.file.hosts:
            survived = self.vault.repository if spec is server else None
            place = Place(root, self.network, spec.id, self.folders.disk(spec.id), survived)
            self.hosts[spec.id] = LabHost(spec, self.file, self.folders, now_us, place, self.vault)

    def ground(self) -> Ground:
        """What services may know of the lab."""
        addresses = {role_of(spec): spec.address for spec in self.file.hosts if spec.services}
        secrets = json.loads((self.root / SECRETS).read_bytes())
        return Ground(self.network, lab_content(), self.root / "authority", addresses, secrets)
