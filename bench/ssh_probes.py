"""Asks each host of a practice fleet through the ssh probe: the pinned host key, and one command; CPU of all of it.

The rival is a bare loop over paramiko's Transport: the same pins, key and command, one host after the other, no
deadlines. `key_alone` asks for the host key without a login. The fleet is a process of its own whose CPU is not
counted; each host has an sshd and a host key of its own. Prints one JSON line and asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko

from bench.peers import addresses
from orchestrator.practice import fleet_launch
from orchestrator.practice.fleet_disk import public_line
from orchestrator.practice.fleet_file import FleetFile, FleetHost, FleetSite, Folders, write_whole
from orchestrator.probes.base import Question
from orchestrator.trust import keys
from orchestrator.workers.probing import Prober
from tests.managed_hosts import free_port

COMMAND = "echo in service"
SAYS = "in service"
LOOK_S = 0.05
LIMIT_S = 60.0


@dataclass(frozen=True)
class Ground:
    """The fleet's hosts as both ask them."""

    key: Path
    questions: tuple[Question, ...]


@contextmanager
def fleet(root: Path, count: int) -> Iterator[Ground]:
    """So many hosts that answer."""
    root.mkdir(mode=0o755)
    line = keys.generate(root / "client").line
    ssh_port, http_port = free_port(), free_port()
    near, far = addresses(84, count), addresses(85, count)
    made = FleetFile(
        ssh_port=ssh_port,
        http_port=http_port,
        client_key=line,
        sites=(FleetSite(id="north", gate="127.86.0.1", prober="127.86.0.2", control=f"127.86.0.3:{http_port}"),),
        hosts=tuple(
            FleetHost(id=f"h{number}", site="north", address=address, management=management)
            for number, (address, management) in enumerate(zip(near, far, strict=True))
        ),
    )
    made.save(root)
    write_whole(root / "engine.pid", str(os.getpid()).encode())
    user = fleet_launch.launch(root, limit_s=180).user
    try:
        folders = Folders(root)
        params = {"user": user, "command": COMMAND, "contains": SAYS, "key": "file:client"}
        yield Ground(
            root / "client",
            tuple(
                Question(
                    host.address,
                    ssh_port,
                    timeout_s=LIMIT_S,
                    params={**params, "host_key": public_line(folders.key("host", host.id))},
                )
                for host in made.hosts
            ),
        )
    finally:
        fleet_launch.stop(root)


def ours(questions: Sequence[Question], secrets: Path) -> int:
    """Our sweep; how many PASS."""
    prober, passed, waiting = Prober(secrets=secrets), 0, len(questions)
    for question in questions:
        prober.submit(question.where, "ssh", question)
    while waiting:
        time.sleep(LOOK_S)
        answers = prober.poll()
        waiting -= len(answers)
        passed += sum(answer.outcome == "PASS" for _, answer in answers)
    prober.close()
    return passed


def by_transport(questions: Sequence[Question], key: paramiko.PKey | None) -> int:
    """The sweep of a loop over the Transport under it; with no key the host keys alone are compared."""
    said = 0
    for question in questions:
        transport = paramiko.Transport((question.address, question.port))
        transport.start_client(timeout=LIMIT_S)
        proven = transport.get_remote_server_key().get_base64() == question.text("host_key").partition(" ")[2]
        if key is None:
            said += proven
        elif proven:
            transport.auth_publickey(question.text("user"), key)
            channel = transport.open_session()
            channel.exec_command(question.text("command"))
            said += SAYS in channel.makefile().read().decode() and channel.recv_exit_status() == 0
        transport.close()
    return said


def without_command(question: Question) -> Question:
    """The same host, asked for its key alone."""
    return replace(question, params={"host_key": question.params["host_key"]})


def cpu_s(fn: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds of this process, and what came of it."""
    start = time.process_time()
    found = fn()
    return time.process_time() - start, found


def figures(options: argparse.Namespace, ground: Ground) -> dict[str, object]:
    """The best of a few rounds of each, taken in turn; the least that passed in any."""
    secrets = ground.key.parent
    key_alone = tuple(without_command(question) for question in ground.questions)
    turns = {
        "": lambda: ours(ground.questions, secrets),
        "rival_": lambda: by_transport(ground.questions, paramiko.PKey.from_path(ground.key)),
        "key_alone_": lambda: ours(key_alone, secrets),
        "key_alone_rival_": lambda: by_transport(key_alone, None),
    }
    ours(ground.questions[:3], secrets)  # what is loaded once is loaded
    rounds = [{name: cpu_s(turn) for name, turn in turns.items()} for _ in range(options.rounds)]
    least = {name: tuple(min(one[name][place] for one in rounds) for place in (0, 1)) for name in turns}
    return {
        "bench": "ssh_probes",
        "hosts": options.hosts,
        **{f"{name}passed": passed for name, (_, passed) in least.items()},
        **{f"{name}cpu_ms_per_host": round(spent / options.hosts * 1e3, 2) for name, (spent, _) in least.items()},
        "times_rival": round(least[""][0] / least["rival_"][0], 2),
        "key_alone_times_rival": round(least["key_alone_"][0] / least["key_alone_rival_"][0], 2),
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=300)
    options.add_argument("--rounds", type=int, default=2)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with fleet(Path(folder) / "fleet", given.hosts) as ground:
            print(json.dumps(figures(given, ground)))


if __name__ == "__main__":
    main()
