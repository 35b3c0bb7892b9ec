"""What a practice fleet consists of: `fleet.json` read, checked and written, and where the fleet keeps its files.

Never starts anything and never changes a host.

    {"version": 1, "seed": 7, "ssh_port": 42022, "http_port": 42080,
     "client_key": "ssh-ed25519 AAAA...",          the only key that logs in anywhere (P-256 costs 2 ms less a login)
     "engine_pid": "engine.pid",                   file whose process counts as the engine (relative to the folder)
     "idle_s": 600,                                the fleet ends itself after so long without an engine
     "restore_ms": [300, 1000],                    a restore takes a seeded time in this range
     "restore_point_us": 1650000000000000,         default restore point; a host may carry its own
     "sites": [{"id", "gate": address, "prober": address, "control": "address:port"}],
     "hosts": [{"id", "kind": "server", "site", "address", "management", "class", "services": [], "checks": [],
                "faults": [{"kind", "where", "times"}]}],
     "links": [{"id", "source": [host or outside ids], "target": [...]}],       the interfaces
     "outside": [{"id", "address", "checks": []}]}

All addresses are loopback and different; hosts, management endpoints and gates answer SSH on `ssh_port`, hosts and
outside services answer HTTP on `http_port`. A dial from 127.0.0.1 stands in quarantine and reaches everything; a dial
from any other address stands in production and reaches open hosts, outside services and control targets only.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Address, Id, Strict

ADMIN_ADDRESS = "127.0.0.1"

Kind = Literal[
    "refuse", "hang", "slow", "drop", "wrong-key", "restore-fails", "still-infected", "silent-service", "dormant"
]
Where = Literal["host", "management", "restore"]


class Fault(Strict):
    """Something wrong with a machine until it is replaced, or, with `times`, until that has happened so often.

    `where`: connections to the `host` or to its `management` endpoint, or the `restore` itself. At `restore`, hang
    never ends, slow takes ten times as long, drop cuts the connection half-way, refuse and restore-fails exit 1;
    wrong-key, still-infected, silent-service and dormant show after it. On connections: refuse resets, hang says
    nothing, slow waits 2 s before the banner, drop cuts the connection after 300 ms.
    """

    kind: Kind
    where: Where = "restore"
    times: int = Field(default=0, ge=0)


# The faults of a drill by name.
PRESETS: dict[str, Fault] = {
    "refuse": Fault(kind="refuse", where="management", times=2),
    "hang": Fault(kind="hang", times=1),
    "slow": Fault(kind="slow"),
    "drop": Fault(kind="drop", times=1),
    "wrong-key": Fault(kind="wrong-key"),
    "fails-once": Fault(kind="restore-fails", times=1),
    "fails-always": Fault(kind="restore-fails"),
    "still-infected": Fault(kind="still-infected"),
    "silent-service": Fault(kind="silent-service"),
}


class FleetSite(Strict):
    """A site's gate, where its prober dials from, and the `address:port` that always answers it."""

    id: Id
    gate: Address
    prober: Address
    control: str = Field(pattern=r"^(\d{1,3}\.){3}\d{1,3}:\d{1,5}$")


class FleetHost(Strict):
    """One host; `checks` are the ids it answers at `/l2/<check>`."""

    id: Id
    kind: Literal["server", "workstation"] = "server"
    site: Id
    address: Address
    management: Address
    klass: str = Field(default="", alias="class")
    services: tuple[Id, ...] = ()
    checks: tuple[Id, ...] = ()
    faults: tuple[Fault, ...] = ()
    restore_point_us: int | None = None


class Link(Strict):
    """An interface: it works while one host (or outside service) of each end works and is connected."""

    id: Id
    source: tuple[Id, ...]
    target: tuple[Id, ...]


class Outside(Strict):
    """An outside service: always works."""

    id: Id
    address: Address
    checks: tuple[Id, ...] = ()


class FleetFile(Strict):
    """`fleet.json`."""

    version: Literal[1] = 1
    network: str = Field(default="127.", pattern=r"^[0-9.]+$")  # how every address begins
    seed: int = 0
    ssh_port: int = Field(ge=1, le=65535)
    http_port: int = Field(ge=1, le=65535)
    client_key: str = Field(pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp256) [A-Za-z0-9+/=]+( .*)?$")
    engine_pid: str = "engine.pid"
    idle_s: float = Field(default=600, gt=0)
    restore_ms: tuple[int, int] = (300, 1000)
    restore_point_us: int = 0
    sites: tuple[FleetSite, ...]
    hosts: tuple[FleetHost, ...]
    links: tuple[Link, ...] = ()
    outside: tuple[Outside, ...] = ()

    @model_validator(mode="after")
    def _addresses_differ(self) -> FleetFile:
        used = [site.gate for site in self.sites] + [one.address for one in self.outside]
        used += [address for host in self.hosts for address in (host.address, host.management)]
        for address, times in Counter(used).items():
            if times > 1 or not address.startswith(self.network) or address == ADMIN_ADDRESS:
                raise ValueError(f"{address} is used {times} times, or is no address of its own in {self.network}")
        unknown = {host.site for host in self.hosts} - {site.id for site in self.sites}
        if unknown:
            raise ValueError(f"hosts stand at unknown sites: {', '.join(sorted(unknown))}")
        return self

    def save(self, root: Path) -> None:
        """Writes `root/fleet.json`."""
        write_whole(root / "fleet.json", self.model_dump_json(by_alias=True, indent=1).encode())


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a fleet keeps what. Only `reach` is seen by those who log in to hosts."""

    root: Path

    @property
    def reach(self) -> Path:
        """The part of the fleet's folder that logins can reach: host folders, tools, the fleet's socket."""
        return self.root / "reach"

    def disk(self, host: str) -> Path:
        """The folder that is the host's disk."""
        return self.reach / "hosts" / host

    def backup(self, host: str) -> Path:
        """The host's last good backup, one JSON object of path and text."""
        return self.root / "backup" / f"{host}.json"

    def log(self, host: str) -> Path:
        """The host's append-only log; the host's state is what this log says."""
        return self.root / "logs" / f"{host}.log"

    def gate_log(self, site: str) -> Path:
        """The append-only log of the site's gate; what is open is what this log says."""
        return self.root / "gates" / f"{site}.log"

    def key(self, kind: str, name: str) -> Path:
        """The private SSH host key of a `host`, `management` endpoint or `gate`."""
        return self.root / "keys" / kind / name

    def evidence(self, digest: str) -> Path:
        """An archive kept by `preserve`."""
        return self.root / "evidence" / f"{digest}.tar"

    def make(self) -> None:
        """Makes the folders; everything but `reach` is for the owner alone."""
        self.root.mkdir(parents=True, exist_ok=True)
        for name in ("backup", "logs", "gates", "evidence", "keys/host", "keys/management", "keys/gate"):
            (self.root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("reach/hosts", "reach/bin"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for path in (self.reach, self.reach / "hosts", self.reach / "bin"):
            path.chmod(0o755)


def load(root: Path) -> FleetFile:
    """Reads `root/fleet.json`; raises ContentError with the first thing that is wrong."""
    path = root / "fleet.json"
    try:
        return FleetFile.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise ContentError(f"{path} cannot be read: {error.strerror}.", file=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ContentError(f"{path}: {place or 'fleet'}: {first['msg']}.", file=str(path)) from error
    except ValueError as error:
        raise ContentError(f"{path} is not JSON: {error}.", file=str(path)) from error


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Puts `content` at `path` in one step: a reader, or a kill at any moment, finds the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.fchmod(handle, mode)
        os.write(handle, content)
    finally:
        os.close(handle)
    partial.rename(path)
