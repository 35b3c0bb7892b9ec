"""Runs a practice fleet: `python -m orchestrator.practice.fleet DIR` serves the hosts of `DIR/fleet.json`.

Never decides about the hospital, and never outlives its use: it ends when told to (SIGTERM, SIGINT), or after
`idle_s` without an engine. Killed at any moment and started again on the same folder, it goes on with the hosts as
they were. Beside the hosts' files it writes `fleet.pid` (locked while it lives) and, once it answers, `ready.json`.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.clock import SystemClock
from orchestrator.errors import RelanceError, Unusable, UsageError
from orchestrator.practice import fleet_account, fleet_net
from orchestrator.practice.fleet_account import Account
from orchestrator.practice.fleet_disk import new_key, public_line
from orchestrator.practice.fleet_file import ADMIN_ADDRESS, FleetFile, FleetHost, Folders, load, write_whole
from orchestrator.practice.fleet_gate import Gate
from orchestrator.practice.fleet_host import PracticeHost
from orchestrator.practice.fleet_http import Answers, HttpDoor
from orchestrator.practice.fleet_ssh import SSHD, SshDoor, kill_marked
from orchestrator.practice.fleet_tool import ToolDesk, lay_tools
from orchestrator.workers.processes import become_subreaper

TICK_S = 2.0
FILES_SPARE = 300


class Fleet:
    """A fleet that runs in this process."""

    def __init__(self, root: Path, account: Account) -> None:
        self.folders = Folders(root)
        self.file = load(root)
        self.account = account
        now_us = SystemClock().now_us
        self.hosts = self._hosts(now_us)
        self.gates: dict[str, Gate] = {}
        for site in self.file.sites:
            behind = [host for host in self.file.hosts if host.site == site.id]
            self.gates[site.id] = self._gate(site.id, behind, now_us)
        self._open: dict[str, list[socket.socket]] = {}
        self._stop = asyncio.Event()

    def _hosts(self, now_us: Callable[[], int]) -> Mapping[str, PracticeHost]:
        return {spec.id: PracticeHost(spec, self.file, self.folders, now_us) for spec in self.file.hosts}

    def _gate(self, site: str, behind: list[FleetHost], now_us: Callable[[], int]) -> Gate:
        return Gate(site, behind, self.folders.gate_log(site), now_us)

    def _door(self) -> SshDoor:
        return SshDoor(self.loop, self.file, self.folders, self.account)

    def prepare(self) -> None:
        """Makes what is missing of the hosts' folders and keys, and the list of pins."""
        self.folders.make()
        lay_tools(self.folders)
        for host in self.hosts.values():
            host.prepare()
        for site in self.file.sites:
            if not self.folders.key("gate", site.id).exists():
                new_key(self.folders.key("gate", site.id))
        write_whole(self.folders.root / "known_hosts", known_hosts(self.file, self.folders).encode())

    async def serve(self) -> None:
        """Serves until told to stop or idle for too long."""
        loop = asyncio.get_running_loop()
        self.loop = loop
        self.ssh = self._door()
        self.http = HttpDoor(loop, Answers(self.file, self.folders, self.is_open))
        self.desk = ToolDesk(
            {spec.management: self.hosts[spec.id] for spec in self.file.hosts},
            {site.gate: self.gates[site.id] for site in self.file.sites},
            frozenset({0, os.geteuid(), self.account.uid}),
        )
        self.ssh.hosts, self.ssh.ended, self.desk.cut_connection = self.hosts, self.desk.connection_ended, self.ssh.cut
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGCHLD, self.ssh.reap)
        try:
            self.ssh.open()
            await self.desk.open(self.folders.reach / "socket")
            self._listen()
            self._say_ready()
            await self._until_stopped()
        finally:
            (self.folders.root / "ready.json").unlink(missing_ok=True)
            await self.desk.close()
            self.http.close()
            self.ssh.close()
            loop.remove_signal_handler(signal.SIGCHLD)

    def is_open(self, host: FleetHost) -> bool:
        """Whether production reaches the host."""
        return host.id not in self.gates[host.site].isolated

    def _listen(self) -> None:
        for port in (self.file.ssh_port, self.file.http_port):
            fleet_net.check_free(port)
        self._quarantine = [fleet_net.Quarantine(port) for port in (self.file.ssh_port, self.file.http_port)]
        self._accept(self._quarantine[0].listener, self.ssh.accept)
        self._accept(self._quarantine[1].listener, self.http.accept)
        for one in self.file.outside:
            self._accept(fleet_net.listen_open(one.address, self.file.http_port), self.http.accept)
        for address, _, number in {site.control.partition(":") for site in self.file.sites}:
            self._accept(fleet_net.listen_open(address, int(number)), self.http.accept)
        for gate in self.gates.values():
            gate.changed = self._gate_changed
            for host in gate.open_hosts():
                self._gate_changed(host, True)

    def _accept(self, listener: socket.socket, accept: Callable[[socket.socket], None]) -> socket.socket:
        self.loop.add_reader(listener, accept, listener)
        return listener

    def _gate_changed(self, host: FleetHost, is_open: bool) -> None:
        for listener in self._open.pop(host.id, []):
            self.loop.remove_reader(listener)
            listener.close()
        if is_open:
            ports = ((self.file.ssh_port, self.ssh.accept), (self.file.http_port, self.http.accept))
            self._open[host.id] = [
                self._accept(fleet_net.listen_open(host.address, port), accept) for port, accept in ports
            ]
        else:
            self.ssh.cut_production(host.id, ADMIN_ADDRESS)

    def _say_ready(self) -> None:
        ready = {"pid": os.getpid(), "user": self.account.name, "hosts": len(self.hosts)}
        write_whole(self.folders.root / "ready.json", json.dumps(ready).encode())

    async def _until_stopped(self) -> None:
        seen_s = time.monotonic()
        while not self._stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(TICK_S, self.file.idle_s))
            self.http.tidy()
            if engine_lives(self.folders.root / self.file.engine_pid):
                seen_s = time.monotonic()
            elif time.monotonic() - seen_s > self.file.idle_s:
                return


def known_hosts(fleet: FleetFile, folders: Folders) -> str:
    """The pins of management endpoints and gates in OpenSSH's form; hosts are pinned by their restores alone."""
    ends = [(site.gate, folders.key("gate", site.id)) for site in fleet.sites]
    ends += [(host.management, folders.key("management", host.id)) for host in fleet.hosts]
    port = fleet.ssh_port
    return "".join(f"{address if port == 22 else f'[{address}]:{port}'} {public_line(key)}\n" for address, key in ends)


def engine_lives(pid_file: Path) -> bool:
    """Whether the process named in the file exists."""
    try:
        os.kill(int(pid_file.read_text()), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Holds `fleet.pid` for this process; raises Unusable naming the fleet that already does."""
    handle = os.open(root / "fleet.pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(handle, 32).decode().strip()
        os.close(handle)
        raise Unusable(f"Another fleet (process {holder}) already serves {root}.", pid=holder) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    try:
        yield
    finally:
        (root / "fleet.pid").unlink(missing_ok=True)
        os.close(handle)


def run(root: Path) -> None:
    """Runs the fleet of the folder `root` until it ends; raises RelanceError when it cannot be run here."""
    root = root.resolve()
    if not (root / "fleet.json").exists():
        raise UsageError(f"{root} holds no fleet.json.")
    for tool in (SSHD, "/bin/dash", "/usr/bin/perl"):
        if not shutil.which(tool):
            raise Unusable(f"{tool} is missing: install openssh-server, dash and perl-base.", file=tool)
    become_subreaper()  # so that no orphan of a login is left
    with held(root):
        kill_marked(root)
        account = fleet_account.claim()
        try:
            fleet = Fleet(root, account)
            _raise_limits(2 * len(fleet.hosts) + FILES_SPARE)
            fleet.prepare()
            asyncio.run(fleet.serve())
        finally:
            _end_children()
            fleet_account.release(account)


def _raise_limits(files: int) -> None:
    """Asks for as many open files as allowed: an open host has one listening socket per port."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise Unusable(f"The fleet needs {files} open files, {hard} are allowed: raise `ulimit -Hn`.", files=files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end_children() -> None:
    """Kills and collects our processes until none is left; orphans of the killed become ours in turn."""
    while True:
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def main(arguments: list[str]) -> int:
    """The command: one folder."""
    try:
        if len(arguments) != 1:
            raise UsageError("Use: python -m orchestrator.practice.fleet DIR")
        run(Path(arguments[0]))
    except RelanceError as error:
        sys.stderr.write(f"fleet: {error.sentence}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
