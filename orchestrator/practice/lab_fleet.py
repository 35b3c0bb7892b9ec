"""Runs the lab's hosts: `python -m orchestrator.practice.lab_fleet DIR` serves a lab that `practice.lab` laid down.

Never lets a host out by itself: what a gate opens or closes is one element of a set at the lab's switch. It lives until
it is told to end, and takes the services of all hosts with it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import RelanceError, UsageError
from orchestrator.practice.fleet import Fleet, held
from orchestrator.practice.fleet_account import Account
from orchestrator.practice.fleet_file import FleetFile, FleetHost, Folders
from orchestrator.practice.fleet_gate import Gate
from orchestrator.practice.fleet_host import PracticeHost
from orchestrator.practice.fleet_net import reset
from orchestrator.practice.fleet_ssh import Endpoint, SshDoor, kill_marked
from orchestrator.practice.fleet_tool import Peer
from orchestrator.practice.lab_ground import Lab
from orchestrator.practice.lab_host import LabHost
from orchestrator.practice.lab_net import ANYWHERE, MANAGEMENT, PLANT, Network

CONTROL_PORT = 9
STARTS_AT_ONCE = 4


class LabDoor(SshDoor):
    """SSH into the lab: a host's session runs in its namespace, and a host that is down answers nobody."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fleet: FleetFile, folders: Folders, account: Account) -> None:
        super().__init__(loop, fleet, folders, account)
        enter = f"{folders.root}/enter/{{name}}"
        self.on_host = f"exec {enter} dash -c 'eval \"${{{{SSH_ORIGINAL_COMMAND-exec dash}}}}\"'"

    def _take(self, connection: socket.socket, endpoint: Endpoint, peer: Peer) -> None:
        host = self.hosts.get(endpoint.name)
        if endpoint.kind == "host" and isinstance(host, LabHost) and not host.place.is_whole:
            reset(connection)
            connection.close()
        else:
            super()._take(connection, endpoint, peer)

    def reap(self) -> None:
        """Collects logins and services alone: threads wait for what they started themselves."""
        for host in self.hosts.values():
            if isinstance(host, LabHost):
                host.place.reap()
        for pid in list(self._logins):
            with suppress(ChildProcessError):
                ended, _ = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self.ended(self._logins.pop(pid).peer)


class LabGate(Gate):
    """The gate at the lab's switch: it sets the switch whatever it remembers, and says what the switch says."""

    def __init__(
        self, site: str, hosts: Iterable[FleetHost], log: Path, now_us: Callable[[], int], net: Network
    ) -> None:
        super().__init__(site, hosts, log, now_us)
        self._network = net

    def show(self, host: str) -> dict[str, object]:
        """The host and its state, as the switch has it."""
        told = super().show(host)
        is_open = self.hosts[host].address in self._network.released()
        return {**told, "state": "open" if is_open else "isolated"}

    def _move(self, word: str, action: str, subject: str, hosts: Iterable[str]) -> None:
        addresses, is_open = [self.hosts[host].address for host in hosts], word == "reconnect"
        if not is_open:
            self._network.move(addresses, out=False)
        super()._move(word, action, subject, hosts)
        if is_open:
            self._network.move(addresses, out=True)


class LabFleet(Fleet):
    """A fleet whose hosts stand in namespaces of their own."""

    def _hosts(self, now_us: Callable[[], int]) -> Mapping[str, PracticeHost]:
        self.lab = Lab(self.folders.root, now_us)
        return self.lab.hosts

    def _gate(self, site: str, behind: list[FleetHost], now_us: Callable[[], int]) -> Gate:
        return LabGate(site, behind, self.folders.gate_log(site), now_us, self.lab.network)

    def _door(self) -> SshDoor:
        return LabDoor(self.loop, self.file, self.folders, self.account)

    def start(self) -> None:
        """Starts every host whose disk is whole; what a killed fleet left running ends first."""
        ground = self.lab.ground()
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            for _ in pool.map(lambda host: host.start(ground), self.lab.hosts.values()):
                pass

    def _listen(self) -> None:
        network, port = self.lab.network, self.file.ssh_port
        self._accept(network.listen(MANAGEMENT, ANYWHERE, port), self.ssh.accept)
        self._accept(network.listen(MANAGEMENT, PLANT, CONTROL_PORT), self.http.accept)
        for host in self.file.hosts:
            self._accept(network.listen(host.id, host.address, port), self.ssh.accept)


def run(root: Path) -> None:
    """Serves the lab in folder `root` until told to end. Raises RelanceError."""
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with held(root):
        kill_marked(root)
        fleet = LabFleet(root, Account("root", 0, 0))
        fleet.prepare()
        try:
            fleet.start()
            asyncio.run(fleet.serve())
        finally:
            for host in fleet.lab.hosts.values():
                host.place.stop()


def main(arguments: list[str]) -> int:
    """The command: one folder."""
    try:
        if len(arguments) != 1:
            raise UsageError("Use: python -m orchestrator.practice.lab_fleet DIR")
        run(Path(arguments[0]))
    except RelanceError as error:
        sys.stderr.write(f"lab: {error.sentence}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
