"""The lab's network: one namespace per host, joined by a switch whose nftables sets say who may speak with whom.

Never touches the machine's own network: every link begins and ends in a namespace named after the lab. A host in
`quarantine` answers the admin side and hears nothing else; release moves its address to `production`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from orchestrator.errors import Unusable

ADMIN = ("10.77.0.2", "10.77.1.0/24")
CONTROL = ("10.77.0.2", "10.77.0.3")  # the engine's own address, and the one it asks from as production
PLANT = "10.77.0.4"  # always answers production: the control target of sweeps
ANYWHERE = "0.0.0.0"  # noqa: S104 - inside a namespace of the lab
SWITCH, MANAGEMENT = "switch", "management"
_BITS = 16
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
# Without connection tracking, which bridges need not have: from quarantine only answers pass, never a first word.
_RULES = """\
table bridge lab {{
  set admin {{ type ipv4_addr; flags interval; elements = {{ {admin} }}; }}
  set quarantine {{ type ipv4_addr; }}
  set production {{ type ipv4_addr; elements = {{ {production} }}; }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ether type arp accept
    ip saddr @admin accept
    ip daddr @admin tcp flags & (fin|syn|rst|ack) != syn accept
    ip saddr @production ip daddr @production accept
  }}
}}
"""


class Network:
    """The namespaces of one lab; their names come from its folder, so that two labs never meet."""

    def __init__(self, root: Path) -> None:
        self._prefix = f"lab-{sha256(str(root).encode()).hexdigest()[:6]}"

    def name(self, who: str) -> str:
        """The namespace of a host, or of the switch, the management side or the control host."""
        return f"{self._prefix}-{who}"

    def up(self, hosts: Mapping[str, str], management: Sequence[str]) -> None:
        """Makes switch and hosts (id and address), all in production, and the two sides people work from."""
        places: dict[str, tuple[str, ...]] = {host: (address,) for host, address in hosts.items()}
        places |= {"control": CONTROL, MANAGEMENT: (*management, PLANT)}
        for who in (SWITCH, *places):
            _run("ip", "netns", "add", self.name(who))
        switch = self.name(SWITCH)
        _run("ip", "-n", switch, "link", "add", "lab", "up", "type", "bridge")
        for number, (who, addresses) in enumerate(places.items()):
            self._plug(number, who, addresses)
        production = (CONTROL[1], PLANT, *hosts.values())
        rules = _RULES.format(admin=", ".join(ADMIN), production=", ".join(production))
        _run("ip", "netns", "exec", switch, "nft", "-f", "-", text=rules)

    def _plug(self, number: int, who: str, addresses: Iterable[str]) -> None:
        switch, own = self.name(SWITCH), self.name(who)
        peer = f"p{number}"
        _run("ip", "-n", switch, "link", "add", peer, "type", "veth", "peer", "name", "eth0", "netns", own)
        _run("ip", "-n", switch, "link", "set", peer, "master", "lab", "up")
        lines = [f"addr add {address}/{_BITS} dev eth0" for address in addresses]
        _run("ip", "-n", own, "-batch", "-", text="\n".join(["link set lo up", "link set eth0 up", *lines]) + "\n")

    def down(self) -> None:
        """Ends every process in the lab's namespaces, then removes them."""
        for who in self.present():
            self.kill(who)
            _run("ip", "netns", "del", self.name(who))

    def present(self) -> list[str]:
        """Whose namespaces exist."""
        listed = _run("ip", "-j", "netns", "list")
        names = [one["name"] for one in json.loads(listed or "[]")]
        return [name[len(self._prefix) + 1 :] for name in names if name.startswith(f"{self._prefix}-")]

    def pids(self, who: str) -> list[int]:
        """The processes in a namespace."""
        return [int(pid) for pid in _run("ip", "netns", "pids", self.name(who)).split()]

    def kill(self, who: str) -> None:
        """Kills all processes of a namespace and waits for them to be gone."""
        for _ in range(500):
            pids = [pid for pid in self.pids(who) if not _is_gone(pid)]
            if not pids:
                return
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        raise Unusable(f"Processes of {who} do not end: {pids}.", host=who)

    def move(self, addresses: Iterable[str], *, out: bool) -> None:
        """Moves elements: `out` of quarantine into production, or back. Repeated, it changes nothing."""
        source, target = ("quarantine", "production") if out else ("production", "quarantine")
        # Added first: only what a set holds can be deleted from it. All three lines are one transaction.
        steps, listed = (("add", target), ("add", source), ("delete", source)), ", ".join(addresses)
        text = "".join(f"{verb} element bridge lab {name} {{ {listed} }}\n" for verb, name in steps)
        _run("ip", "netns", "exec", self.name(SWITCH), "nft", "-f", "-", text=text)

    def released(self, name: str = "production") -> frozenset[str]:
        """The addresses in a set of the switch."""
        told = _run("ip", "netns", "exec", self.name(SWITCH), "nft", "-j", "list", "set", "bridge", "lab", name)
        found = next(one["set"] for one in json.loads(told)["nftables"] if "set" in one)
        return frozenset(found.get("elem", ()))

    def listen(self, who: str, address: str, port: int) -> socket.socket:
        """A listening socket inside a namespace, served from here."""
        with self.inside(who):
            listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(256)
        listener.setblocking(False)
        return listener

    def dial(self, who: str, address: str, port: int, timeout_s: float) -> socket.socket:
        """A connection made from inside a namespace. Raises OSError."""
        with self.inside(who):
            peer = socket.socket()
        peer.settimeout(timeout_s)
        try:
            peer.connect((address, port))
        except OSError:
            peer.close()
            raise
        return peer

    @contextmanager
    def inside(self, who: str) -> Iterator[None]:
        """This thread stands in the namespace; a socket made there stays there."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.name(who)}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            yield
        finally:
            _enter(here)
            os.close(there)
            os.close(here)


def _enter(handle: int) -> None:
    if _LIBC.setns(handle, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise Unusable(f"A namespace cannot be entered: {os.strerror(code)}.")


def _is_gone(pid: int) -> bool:
    """Ended, and perhaps still waiting to be collected by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _run(*words: str, text: str = "") -> str:
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise Unusable(f"`{' '.join(words[:6])}` failed: {done.stderr.strip()[:300]}", command=words[0])
    return done.stdout
