"""A small practice fleet to test on: three or more real SSH hosts on loopback, served by a fleet process of its own.

Never used by the product.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.practice import fleet_launch
from orchestrator.practice.fleet_file import Fault, FleetFile, FleetHost, FleetSite, Folders, Link, Outside
from tests.managed_hosts import free_port, make_key

PROBER = "127.51.0.1"
CONTROL = "127.61.0.1"
GATE = "127.41.0.1"
OUTSIDE = "127.71.0.1"
NO_ANSWER_S = 0.4


def small_fleet(faults: dict[str, tuple[Fault, ...]] | None = None, count: int = 3, **more: Any) -> FleetFile:
    """Hosts h0, h1, ... at one site, all serving the check `alive`; h0 and h1 are linked, and h0 with a vendor."""
    http_port = free_port()
    hosts = tuple(
        FleetHost.model_validate(
            {
                "id": f"h{n}",
                "site": "north",
                "address": f"127.21.0.{n + 1}",
                "management": f"127.31.0.{n + 1}",
                "class": "server",
                "checks": ("alive",),
                "faults": (faults or {}).get(f"h{n}", ()),
            }
        )
        for n in range(count)
    )
    fields = {
        "seed": 7,
        "ssh_port": free_port(),
        "http_port": http_port,
        "client_key": "ssh-ed25519 AAAA",
        "restore_ms": (50, 100),
        "restore_point_us": 5,
        "sites": (FleetSite(id="north", gate=GATE, prober=PROBER, control=f"{CONTROL}:{http_port}"),),
        "hosts": hosts,
        "links": (
            Link(id="orders", source=("h0",), target=("h1",)),
            Link(id="vendor-line", source=("h0",), target=("vendor",)),
        ),
        "outside": (Outside(id="vendor", address=OUTSIDE, checks=("vendor-up",)),),
    }
    return FleetFile.model_validate(fields | more)


class Ground:
    """A fleet's folder, the fleet that runs on it, and a client who may log in."""

    def __init__(self, root: Path, fleet: FleetFile) -> None:
        # As a drill's state folder: closed to everybody else, the logins' user included.
        root.mkdir(mode=0o700, parents=True)
        self.root = root
        self.folders = Folders(root)
        self.fleet = fleet.model_copy(update={"client_key": make_key(root / "client")})
        self.fleet.save(root)
        self.hosts = {host.id: host for host in self.fleet.hosts}

    def start(self) -> fleet_launch.Ready:
        """Starts the fleet, or starts it again."""
        self.ready = fleet_launch.launch(self.root)
        return self.ready

    def kill(self) -> None:
        """Ends the fleet's process as a power cut would."""
        os.kill(self.ready.pid, signal.SIGKILL)
        os.waitpid(self.ready.pid, 0)

    def ssh(self, address: str, command: str, pin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command over real SSH; `pin` is the host key expected, without it the fleet's list of pins."""
        return subprocess.run(self.ssh_words(address, command, pin), capture_output=True, text=True, timeout=30)

    def ssh_words(self, address: str, command: str, pin: str | None = None) -> list[str]:
        """The client's command line."""
        pins = self.root / "known_hosts"
        if pin is not None:
            pins = self.root / "pin"
            pins.write_text(f"[{address}]:{self.fleet.ssh_port} {pin}\n")
        options = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={pins}", "StrictHostKeyChecking=yes")
        words = ["ssh", "-F", "none", "-i", str(self.root / "client"), "-p", str(self.fleet.ssh_port)]
        words += [part for option in options for part in ("-o", option)]
        return [*words, f"{self.ready.user}@{address}", command]

    def manage(self, host: str, words: str) -> dict[str, Any]:
        """Runs a `relance-manage` command that must succeed; returns its JSON."""
        return self._json(self.hosts[host].management, f"relance-manage {words}")

    def gate(self, words: str) -> dict[str, Any]:
        """Runs a `relance-gate` command that must succeed; returns its JSON."""
        return self._json(GATE, f"relance-gate {words}")

    def _json(self, address: str, command: str) -> dict[str, Any]:
        done = self.ssh(address, command)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def restore(self, host: str, action: str = "", strategy: str = "restore") -> dict[str, Any]:
        """One whole restore between its marks; returns what the restore said."""
        action = action or f"{host}/restore/1"
        self.manage(host, f"mark begin {action}")
        said = self.manage(host, f"restore {action} {strategy}")
        self.manage(host, f"mark end {action} ok")
        return said

    def get(self, address: str, path: str, source: str = "127.0.0.1") -> int:
        """The status of an HTTP answer; 0 when the connection stands and nothing is said."""
        with dial(address, self.fleet.http_port, source) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            try:
                return int(connection.recv(100).split(b" ")[1])
            except TimeoutError:
                return 0

    def answers(self, host: str, source: str) -> bool:
        """Whether a TCP connection from `source` to the host's SSH port comes about."""
        try:
            dial(self.hosts[host].address, self.fleet.ssh_port, source).close()
        except TimeoutError:
            return False
        return True

    def log(self, host: str) -> list[str]:
        """The words of the host's log without times and facts."""
        lines = (line.split(" ") for line in self.folders.log(host).read_text().splitlines())
        return [" ".join([line[0], line[1], *line[3:5]]).strip() for line in lines]

    def left_running(self) -> list[str]:
        """The command lines of processes that carry the fleet's mark."""
        found = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and str(self.root).encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text())
            except OSError:
                continue
        return found


def dial(address: str, port: int, source: str) -> socket.socket:
    """A TCP connection from a given source address; raises TimeoutError when nobody answers."""
    connection = socket.socket()
    connection.settimeout(NO_ANSWER_S)
    try:
        connection.bind((source, 0))
        connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    return connection


def wait_until(holds: Callable[[], bool], limit_s: float = 15) -> None:
    """Waits until something holds."""
    until_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until_s, "It never came to hold."
        time.sleep(0.02)


@contextmanager
def running(root: Path, fleet: FleetFile) -> Iterator[Ground]:
    """A fleet that runs, and is stopped whatever happens."""
    ground = Ground(root, fleet)
    ground.start()
    try:
        yield ground
    finally:
        fleet_launch.stop(root)
