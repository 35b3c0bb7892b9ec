"""Makes every loopback address of the fleet an SSH host of its own: one `sshd -i` per connection.

Never listens through sshd and never lets one host's key or folder answer for another: the address that was dialled
chooses both. Logins reach the fleet's folder through `/proc/DOOR/cwd`, where DOOR is a process of the login's user
that stands in it: the folders above may be closed to that user, as a state folder is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.practice.fleet_account import Account
from orchestrator.practice.fleet_file import Fault, FleetFile, Folders, write_whole
from orchestrator.practice.fleet_host import PracticeHost
from orchestrator.practice.fleet_net import reset
from orchestrator.practice.fleet_tool import Peer

SSHD = "/usr/sbin/sshd"
MARK = "RELANCE_FLEET"
SLOW_S = 2.0
DROP_S = 0.3
HANG_S = 300.0
SILENT_S = 30.0

# P-256 alone: OpenSSL computes it in a tenth of the time of sshd's own curve25519, and this is loopback.
# MaxSessions: a batch of 50 hosts shares one connection to its site's gate.
_CONFIG = """\
AuthorizedKeysFile {door}/authorized_keys
AuthenticationMethods publickey
KexAlgorithms ecdh-sha2-nistp256
Ciphers aes128-gcm@openssh.com,aes128-ctr
HostKeyAlgorithms ssh-ed25519
PubkeyAcceptedAlgorithms ssh-ed25519,ecdsa-sha2-nistp256
StrictModes no
PermitRootLogin prohibit-password
AllowUsers {user}
UsePAM no
UseDNS no
PermitTTY no
PermitUserRC no
DisableForwarding yes
PrintMotd no
PrintLastLog no
Compression no
LoginGraceTime 20
ClientAliveInterval 15
MaxSessions 200
PidFile none
LogLevel ERROR
Subsystem sftp /usr/lib/openssh/sftp-server
SetEnv {mark}={root} RELANCE_DOOR={door}
"""

# What a login gets: a host's disk with limits on CPU (s), file size (blocks) and open files, or the fleet's tools.
_LIMITS = "ulimit -t 30 && ulimit -f 204800 && ulimit -n 256"
_ON_HOST = f'cd {{door}}/hosts/{{name}} && {_LIMITS} && eval "${{{{SSH_ORIGINAL_COMMAND-exec dash}}}}"'
_ON_TOOLS = 'PATH={door}/bin:/usr/bin:/bin; export PATH; cd / && eval "${{SSH_ORIGINAL_COMMAND-exec dash}}"'


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers SSH at an address."""

    kind: Literal["host", "management", "gate"]
    name: str


@dataclass(slots=True)
class Login:
    """One connection served by an sshd of process id `pid`."""

    endpoint: Endpoint
    peer: Peer
    pid: int


class SshDoor:
    """Accepts SSH connections on sockets handed to it and gives each an sshd with the right key and folder."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fleet: FleetFile, folders: Folders, account: Account) -> None:
        self._loop = loop
        self._fleet = fleet
        self._folders = folders
        self._account = account
        self._config = folders.root / "sshd_config"
        self._door = ""
        self.on_host = _ON_HOST
        self._endpoints = endpoints_of(fleet)
        self._logins: dict[int, Login] = {}
        self._held: set[socket.socket] = set()
        self._doorkeeper: subprocess.Popen[bytes] | None = None
        self._errors = os.open(folders.root / "sshd.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.hosts: Mapping[str, PracticeHost] = {}
        self.ended: Callable[[Peer], None] = lambda peer: None

    def open(self) -> None:
        """Starts the doorkeeper and writes sshd's configuration."""
        root = str(self._folders.root)
        as_root = os.geteuid() == 0
        self._doorkeeper = subprocess.Popen(
            ["/bin/dash", "-c", "read line"],  # ends when the fleet does: its stdin closes
            stdin=subprocess.PIPE,
            cwd=self._folders.reach,
            env={MARK: root},
            start_new_session=True,
            user=self._account.uid if as_root else None,
            group=self._account.gid if as_root else None,
            extra_groups=() if as_root else None,
        )
        self._door = f"/proc/{self._doorkeeper.pid}/cwd"
        write_whole(self._folders.reach / "authorized_keys", (self._fleet.client_key + "\n").encode())
        config = _CONFIG.format(door=self._door, user=self._account.name, mark=MARK, root=root)
        write_whole(self._config, config.encode(), 0o600)

    def accept(self, listener: socket.socket) -> None:
        """Takes the connections that wait on `listener`."""
        for _ in range(16):
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            address = connection.getsockname()[0]
            endpoint = self._endpoints.get(address)
            if endpoint is None:
                reset(connection)
            else:
                self._listen_to(connection, endpoint, (*peer, address))

    def _listen_to(self, connection: socket.socket, endpoint: Endpoint, peer: Peer) -> None:
        """Waits for the first word: an SSH client speaks first, and a sweep that only knocks is worth no sshd."""
        connection.setblocking(False)
        self._held.add(connection)
        self._loop.add_reader(connection, self._heard, connection, endpoint, peer)
        self._loop.call_later(SILENT_S, self._give_up, connection)

    def _heard(self, connection: socket.socket, endpoint: Endpoint, peer: Peer) -> None:
        self._loop.remove_reader(connection)
        self._held.discard(connection)
        try:
            spoke = bool(connection.recv(1, socket.MSG_PEEK))
        except OSError:
            spoke = False
        if spoke:
            self._take(connection, endpoint, peer)
        else:
            connection.close()

    def _give_up(self, connection: socket.socket) -> None:
        if connection in self._held and self._loop.remove_reader(connection):
            self._let_go(connection)

    def _take(self, connection: socket.socket, endpoint: Endpoint, peer: Peer) -> None:
        fault = self._fault(endpoint)
        match fault.kind if fault else "":
            case "refuse":
                reset(connection)
            case "hang":
                self._held.add(connection)
                self._loop.call_later(HANG_S, self._let_go, connection)
            case "slow":
                self._held.add(connection)
                self._loop.call_later(SLOW_S, self._serve_held, connection, endpoint, peer)
            case "drop":
                pid = self._serve(connection, endpoint, peer)
                self._loop.call_later(DROP_S, self._kill, pid)
            case _:
                self._serve(connection, endpoint, peer)

    def _fault(self, endpoint: Endpoint) -> Fault | None:
        if endpoint.kind == "gate":
            return None
        return self.hosts[endpoint.name].fault(endpoint.kind, "refuse", "hang", "slow", "drop")

    def _let_go(self, connection: socket.socket) -> None:
        self._held.discard(connection)
        connection.close()

    def _serve_held(self, connection: socket.socket, endpoint: Endpoint, peer: Peer) -> None:
        if connection in self._held:
            self._held.discard(connection)
            self._serve(connection, endpoint, peer)

    def _serve(self, connection: socket.socket, endpoint: Endpoint, peer: Peer) -> int:
        """Starts sshd on the connection in a process group of its own; returns its process id."""
        on = self.on_host if endpoint.kind == "host" else _ON_TOOLS
        command = on.format(door=self._door, name=endpoint.name)
        key = str(self._folders.key(endpoint.kind, endpoint.name))
        words = (SSHD, "-i", "-e", "-f", str(self._config), "-h", key, "-o", f"ForceCommand={command}")
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the key exchange waits 40 ms at a time
        stdio = [(os.POSIX_SPAWN_DUP2, connection.fileno(), fd) for fd in (0, 1)]
        stdio.append((os.POSIX_SPAWN_DUP2, self._errors, 2))
        environment = {"PATH": "/usr/bin:/bin", MARK: str(self._folders.root)}
        pid = os.posix_spawn(SSHD, words, environment, file_actions=stdio, setpgroup=0)
        connection.close()
        self._logins[pid] = Login(endpoint, peer, pid)
        return pid

    def reap(self) -> None:
        """Collects processes that have ended, and says which connections ended with them."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            login = self._logins.pop(pid, None)
            if login:
                self.ended(login.peer)

    def cut(self, peer: Peer) -> None:
        """Cuts the connection that comes from `peer`."""
        for login in self._logins.values():
            if login.peer == peer:
                self._kill(login.pid)

    def cut_production(self, host: str, admin: str) -> None:
        """Cuts the logins to a host from anywhere but the admin address, as a gate that closes does."""
        for login in self._logins.values():
            if login.endpoint == Endpoint("host", host) and login.peer[0] != admin:
                self._kill(login.pid)

    def _kill(self, pid: int) -> None:
        if pid in self._logins:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends every connection and everything that ran in one."""
        for connection in list(self._held):
            self._loop.remove_reader(connection)
            self._let_go(connection)
        for pid in list(self._logins):
            self._kill(pid)
        if self._doorkeeper and self._doorkeeper.stdin:
            self._doorkeeper.stdin.close()
        os.close(self._errors)


def endpoints_of(fleet: FleetFile) -> dict[str, Endpoint]:
    """What answers SSH, by address."""
    found = {site.gate: Endpoint("gate", site.id) for site in fleet.sites}
    for host in fleet.hosts:
        found[host.address] = Endpoint("host", host.id)
        found[host.management] = Endpoint("management", host.id)
    return found


def kill_marked(root: Path) -> int:
    """Kills what a killed fleet on the same folder left running; returns how many processes that were.

    They are known by a variable of their environment; our own process does not carry it.
    """
    wanted = f"{MARK}={root}".encode()
    killed = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with suppress(OSError):
                if wanted in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
                    killed += 1
    return killed
