"""Hosts to drive in tests: one real sshd on loopback, an address per host, and a stand-in for the management path.

Never used by the product. Each address has a folder: `log` (one line per command), `mark`, and `fault` (what the
stand-in does wrong: `hang`, `fail`, `drop`, `slow`, `comment`, `keyless`), which a test writes.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from orchestrator.workers import invocation
from orchestrator.workers.base import Invocation, Outcome, Request, Worker
from tests.release_papers import let_out

PLAYBOOKS = Path(__file__).parents[1] / "plans" / "playbooks"
USER = pwd.getpwuid(os.getuid()).pw_name

_LOGIN = """#!/bin/sh
set -- $SSH_CONNECTION
cd "{base}/$3" || exit 70
echo $PPID > sshd
PATH="{base}/bin:$PATH" exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""

_MANAGE = r"""#!/bin/sh
# A stand-in for `relance-manage`: the folder it runs in is the host.
echo "$*" >> log
fault=$(cat fault 2>/dev/null)
case "$1 $2" in
"mark read") if [ -s mark ]; then cat mark; else echo '{"action":"","state":"none","outcome":"","running":false}'; fi ;;
"mark begin")
    if grep -q '"begun"' mark 2>/dev/null && ! grep -q "\"action\": *\"$4\"" mark
    then echo "another mark stands" >&2; exit 9; fi
    echo "{\"action\":\"$3\",\"state\":\"begun\",\"outcome\":\"\",\"running\":false}" > mark ;;
"mark end")
    [ "$fault" = dies ] && exit 75
    echo "{\"action\":\"$3\",\"state\":\"ended\",\"outcome\":\"$4\",\"running\":false}" > mark ;;
preserve*) echo '{"digest":"0123","medium":"tape-1","holder":"store"}' ;;
restore*)
    case "$fault" in
    dies) exit 75 ;;
    fail) echo "block 17 cannot be read" >&2; exit 3 ;;
    hang) echo $$ > hung; sleep 600 ;;
    drop) kill -9 $(cat sshd) ;;
    slow) sleep 1 ;;
    esac
    case "$fault" in
    comment) key="ssh-ed25519 AAAA root@lab-1" ;;
    keyless) key="not made yet; ask again" ;;
    *) key="ssh-ed25519 AAAA" ;;
    esac
    echo '{"host_key":"'"$key"'","restore_point_us":7,"image_digest":"ff"}' ;;
rotate*) ;;
*) exit 2 ;;
esac
"""

_GATE = r"""#!/bin/sh
# A stand-in for `relance-gate`: the folder it runs in is the site.
echo "$*" >> log
case "$1" in
isolate) echo isolated > "state-$3" ;;
reconnect)
    case "$(cat fault 2>/dev/null) $3" in
    "stuck "*) ;;
    "hang host-1") echo $$ > hung; exec sleep 600 ;;
    *) echo open > "state-$3" ;;
    esac ;;
isolate-site) for state in state-*; do echo isolated > "$state"; done ;;
show) echo "{\"host\":\"$2\",\"state\":\"$(cat "state-$2" 2>/dev/null || echo isolated)\"}" ;;
*) exit 2 ;;
esac
"""

_CONFIG = """Port {port}
HostKey {base}/host
AuthorizedKeysFile {base}/client.pub
ForceCommand {base}/login
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 200
LogLevel ERROR
"""


def free_port() -> int:
    """A port nobody listens on now, below those the kernel gives to dials: no dial can take it meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port


def make_key(path: Path) -> str:
    """A new key pair at `path`; returns the public key as `type base64`."""
    for old in (path, path.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


class ManagedHosts:
    """`count` hosts at 127.7.0.1, 127.7.0.2, ... and a gate at 127.7.1.1, all answered by one sshd."""

    gate = "127.7.1.1"

    def __init__(self, base: Path, count: int = 3) -> None:
        self.base = base
        self.port = free_port()
        self.addresses = [f"127.7.0.{number}" for number in range(1, count + 1)]
        self.runs = base / "runs"
        self._sshd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Lay the folders and keys, start sshd, wait until it answers."""
        for address in (*self.addresses, self.gate):
            (self.base / address).mkdir(parents=True)
        self.runs.mkdir()
        self._script("login", _LOGIN.format(base=self.base))
        (self.base / "bin").mkdir()
        self._script("bin/relance-manage", _MANAGE)
        self._script("bin/relance-gate", _GATE)
        make_key(self.base / "client")
        self.host_key = make_key(self.base / "host")
        self.pin(self.host_key)
        config = _CONFIG.format(port=self.port, base=self.base)
        config += "".join(f"ListenAddress {address}\n" for address in (*self.addresses, self.gate))
        (self.base / "sshd_config").write_text(config)
        self.run_sshd()

    def run_sshd(self) -> None:
        """Start sshd with the keys as they are now."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(self.base / "sshd_config")]
        with (self.base / "sshd.log").open("ab") as log:
            self._sshd = subprocess.Popen(command, stderr=log, env={"PATH": "/usr/bin:/bin"})
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex((self.gate, self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError((self.base / "sshd.log").read_text())

    def stop(self) -> None:
        """End sshd and what it left hanging."""
        if self._sshd is not None:
            self._sshd.terminate()
            self._sshd.wait(5)
        for hung in self.base.glob("127.*/hung"):
            try:
                os.kill(int(hung.read_text()), signal.SIGKILL)
            except (ProcessLookupError, ValueError):
                continue

    def pin(self, key: str) -> None:
        """Write the known_hosts file the engine would keep."""
        names = (f"[{address}]:{self.port} {key}\n" for address in (*self.addresses, self.gate))
        (self.base / "known_hosts").write_text("".join(names))

    def fault(self, number: int, kind: str) -> None:
        """Make host `number` (from 1) do something wrong."""
        (self.base / self.addresses[number - 1] / "fault").write_text(kind)

    def log(self, number: int) -> list[str]:
        """The commands host `number` was given."""
        path = self.base / self.addresses[number - 1] / "log"
        return path.read_text().splitlines() if path.exists() else []

    def mark(
        self, number: int, action: str, state: str, outcome: str = "", *, running: bool = False, **facts: str
    ) -> None:
        """Set the mark of host `number` as its management path would show it."""
        mark = {"action": action, "state": state, "outcome": outcome, "running": running, "facts": facts}
        (self.base / self.addresses[number - 1] / "mark").write_text(json.dumps(mark))

    def request(self, number: int, step: str, attempt: int = 1) -> Request:
        """One action on host `number`."""
        return Request(
            action=f"host-{number}/{step}/{attempt}",
            host=f"host-{number}",
            site="clinic",
            step=step,
            strategy="restore",
            address=self.addresses[number - 1],
            management=self.addresses[number - 1],
            gate=f"{self.gate}:{self.port}",
            user=USER,
            port=self.port,
            management_user=USER,
            management_port=self.port,
            host_key=self.host_key,
        )

    def ask(self, *requests: Request, limit_s: int = 30, name: str = "1", **changes: str) -> Path:
        """Write a run folder for these requests; returns it."""
        asked = Invocation(
            invocation=f"{self.base.name}-{name}-{os.getpid()}",
            playbook=f"{requests[0].step}.yml",
            playbooks=str(PLAYBOOKS),
            limit_s=limit_s,
            key=str(self.base / "client"),
            known_hosts=str(self.base / "known_hosts"),
            requests=requests,
        )
        run_dir = self.runs / name
        invocation.write(run_dir, replace(asked, **changes))  # type: ignore[arg-type]
        if requests[0].step == "reconnect":
            let_out(run_dir, requests)
        return run_dir

    def _script(self, name: str, text: str) -> None:
        path = self.base / name
        path.write_text(text)
        path.chmod(0o755)


@contextmanager
def managed_hosts(base: Path, count: int = 3) -> Iterator[ManagedHosts]:
    """The hosts, started and in the end stopped."""
    hosts = ManagedHosts(base, count)
    hosts.start()
    try:
        yield hosts
    finally:
        hosts.stop()


@contextmanager
def silent_peer() -> Iterator[int]:
    """The port of a peer that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=32) as listener:
        yield int(listener.getsockname()[1])


def outcomes(worker: Worker, count: int) -> dict[str, Outcome]:
    """Poll the worker until `count` actions have ended (or a minute has passed); by action."""
    found: dict[str, Outcome] = {}
    for _ in range(1200):
        found |= {outcome.action: outcome for outcome in worker.poll()}
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"only {found} after a minute")


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until something holds, at most half a minute."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to hold")
