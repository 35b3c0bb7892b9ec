"""Where a host of the lab lives: its namespace, and its disk at `/srv`, whatever the lab's folder is called.

Never decides what runs there. A way in is a small script (`enter/HOST COMMAND...`), for logins, services and people.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import Unusable
from orchestrator.practice.fleet_file import write_whole
from orchestrator.practice.lab_net import Network

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
LOOK_S = 0.05
START_S = 60.0


class Place:
    """One host: `disk` is what ransomware reaches; `survived`, if any, is a second disk at `/mnt` that it does not."""

    def __init__(self, root: Path, network: Network, host: str, disk: Path, survived: Path | None = None) -> None:
        self.host = host
        self.disk = disk
        self.enter = root / "enter" / host
        self._log = root / "output" / host
        self._network = network
        self._processes: list[subprocess.Popen[bytes]] = []
        self._script = way_in(network, host, [(disk, "/srv"), *([(survived, "/mnt")] if survived else [])])

    def prepare(self) -> None:
        """Lays the way in."""
        for folder in (self.enter.parent, self._log.parent, self.disk):
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.enter, self._script.encode(), 0o755)

    @property
    def is_whole(self) -> bool:
        """Whether there is a disk to start from: wiped or encrypted, a host has no name of its own."""
        return (self.disk / "etc" / "hostname").exists()

    def run(self, *words: str, text: str = "", limit_s: float = 120) -> str:
        """What a command on the host prints. Raises Unusable with its last words."""
        command = [str(self.enter), *words]
        try:
            done = subprocess.run(
                command, input=text, capture_output=True, text=True, timeout=limit_s, check=False, env=_environment()
            )
        except subprocess.TimeoutExpired as error:
            raise Unusable(f"{words[0]} on {self.host} does not end within {limit_s:.0f} s.", host=self.host) from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-300:]
            raise Unusable(f"{words[0]} failed on {self.host}: {said or done.returncode}.", host=self.host)
        return done.stdout

    def start(self, commands: Iterable[Sequence[str]]) -> None:
        """Starts the host's services; `wait` says how that went. As at any start, `run` is empty."""
        for left in (self.disk / "run").glob("*"):
            if not left.is_dir():
                left.unlink()
        with self._log.open("ab") as output:
            for words in commands:
                self._processes.append(
                    subprocess.Popen(
                        [str(self.enter), *words],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                        env=_environment(),
                    )
                )

    def wait(self, address: str, ports: Iterable[int]) -> None:
        """Until each port answers on the host itself. Raises Unusable when a service ended or stays silent."""
        until_s = time.monotonic() + START_S
        for port in ports:
            while not self._answers(address, port):
                dead = [one for one in self._processes if one.poll() is not None]
                if dead or time.monotonic() > until_s:
                    words = self._log.read_text(errors="replace").strip()[-300:]
                    raise Unusable(f"Port {port} of {self.host} does not answer: {words}.", host=self.host, port=port)
                time.sleep(LOOK_S)

    def reap(self) -> None:
        """Collects services that ended: one that somebody killed leaves a process id, and its locks would name it."""
        for process in self._processes:
            process.poll()

    def stop(self) -> None:
        """Kills everything that runs on the host."""
        self._network.kill(self.host)
        for process in self._processes:
            process.wait()
        self._processes = []

    def _answers(self, address: str, port: int) -> bool:
        with suppress(OSError):
            self._network.dial(self.host, address, port, 1.0).close()
            return True
        return False


def way_in(network: Network, who: str, mounts: Iterable[tuple[Path, str]] = ()) -> str:
    """A script that runs its words in a namespace, with disks mounted for them alone."""
    binds = [f"mount --bind {shlex.quote(str(source))} {target}" for source, target in mounts]
    steps = " && ".join([*binds, *(["cd /srv"] if binds else []), 'exec "$@"'])
    return (
        f"#!/bin/sh\n# A way in to {who}: the words that follow are run there.\n"
        f"exec nsenter --net=/run/netns/{network.name(who)} unshare --mount "
        f'sh -c {shlex.quote(steps)} enter "$@"\n'
    )


def _environment() -> dict[str, str]:
    return {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/", **{k: v for k, v in os.environ.items() if k == "TMPDIR"}}
