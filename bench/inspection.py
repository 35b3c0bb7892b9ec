"""Inspects hosts of 20,000 files each over SSH and measures the CPU that costs here, a host: ours, and Ansible's.

The hosts are twelve addresses of one real sshd, in turn, and all show one tree of real files (300 trees would be six
million files): what arrives here is the same. Their class has a golden manifest which 200 of the files differ from, so
that each inspection compares, fetches 100 files and keeps its evidence. What the hosts spend is not counted on either
side. The rivals are `ansible-playbook` with `setup` and `find` with SHA-256 over the same tree, on fewer hosts in one
batch, and `stat` with SHA-256 in a loop over a few of the files, multiplied: all 20,000 are hopeless. Prints one JSON
line and asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from orchestrator.evidence import manifest
from orchestrator.evidence.golden import Golden
from orchestrator.journal.blobs import Blobs
from orchestrator.workers.base import Request
from orchestrator.workers.script import ON_DISK, Sweep
from orchestrator.workers.ssh import InspectionWorker
from tests.managed_hosts import ManagedHosts, managed_hosts

KLASS = "server"
LOOK_S = 0.1
ADDRESSES = 12  # sshd listens on no more than 16
PLAY = """- hosts: all
  gather_facts: false
  strategy: host_pinned
  tasks:
{tasks}
"""
FIND = """    - ansible.builtin.setup:
    - ansible.builtin.find:
        {{paths: "{tree}", recurse: true, hidden: true, get_checksum: true, checksum_algorithm: sha256}}
      register: found
    - ansible.builtin.assert: {{that: "found.files | length == {files}"}}
"""
STAT = """    - ansible.builtin.stat: {{path: "{{{{ item }}}}", checksum_algorithm: sha256}}
      loop: {paths}
"""


def lay_tree(tree: Path, files: int) -> None:
    """Real files of half a kilobyte in folders of a hundred."""
    for number in range(files):
        path = tree / f"usr/lib/package-{number // 100}" / f"file-{number}.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * (512 // len(f"{number}\n")))


def take_golden(tree: Path, state: Path, blobs: Blobs, differing: int) -> Golden:
    """The tree's own manifest, of which the first files were others."""
    printed = subprocess.run(
        "find . -type f -print0 | xargs -0 sha256sum -z --", shell=True, cwd=tree, capture_output=True, check=True
    ).stdout
    lines = sorted(manifest.lines_of(printed), key=lambda line: line[manifest.PATH_AT :])
    changed = [b"0" * 64 + line[64:] for line in lines[:differing]]
    golden = Golden(state, blobs)
    golden.take(KLASS, frozenset((*changed, *lines[differing:])))
    return golden


def ours_s(hosts: ManagedHosts, tree: Path, state: Path, options: argparse.Namespace) -> tuple[float, set[str]]:
    """CPU seconds of this process for all inspections, and how they ended."""
    blobs = Blobs(state / "evidence", packed=True)
    golden = take_golden(tree, state, blobs, options.differing)
    sweep = Sweep(root=str(tree), paths=(".",), lists=ON_DISK)
    worker = InspectionWorker(hosts.base / "client", blobs.put, sweep=sweep, goldens=golden)
    requests: list[Request] = [
        replace(hosts.request(number % len(hosts.addresses) + 1, "inspect", number), klass=KLASS, limit_s=600)
        for number in range(options.hosts)
    ]
    start = time.process_time()
    worker.submit(state, requests)
    ended: set[str] = set()
    while worker.waiting():
        time.sleep(LOOK_S)
        ended |= {f"{one.outcome} {one.sentence}" for one in worker.poll()}
    spent = time.process_time() - start
    worker.close()
    return spent, ended


def ansible_s(hosts: ManagedHosts, count: int, tasks: str, folder: Path) -> float:
    """CPU seconds of one ansible-playbook and its children here; what ran on the hosts is sshd's."""
    (folder / "play.yml").write_text(PLAY.format(tasks=tasks))
    login = {"ansible_port": hosts.port, "ansible_user": hosts.request(1, "inspect").user}
    login |= {"ansible_ssh_private_key_file": str(hosts.base / "client"), "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": dict.fromkeys(hosts.addresses[:count], login)}}
    (folder / "inventory.json").write_text(json.dumps(inventory))
    environment = {
        **os.environ,
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_FORKS": "8",
        # A master connection that lives on would not be counted.
        "ANSIBLE_SSH_ARGS": f"-o ControlMaster=no -o UserKnownHostsFile={hosts.base / 'known_hosts'}",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.json", "play.yml"]
    with (folder / "ansible.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit((folder / "ansible.log").read_text()[-2000:])
    return used.ru_utime + used.ru_stime


def figures(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Ours, then the rivals, on the same hosts."""
    tree, state = folder / "tree", folder / "state"
    state.mkdir(0o700)
    lay_tree(tree, options.files)
    paths = [str(path) for path in sorted(tree.rglob("*.conf"))[: options.stats]]
    with managed_hosts(folder / "hosts", ADDRESSES) as hosts:
        spent, ended = ours_s(hosts, tree, state, options)
        count = options.rival_hosts
        # What starting a play costs is no host's: it is measured alone and not multiplied by anything.
        empty = ansible_s(hosts, 1, "    - ansible.builtin.meta: noop\n", folder)
        found = ansible_s(hosts, count, FIND.format(tree=tree, files=options.files), folder)
        looped = ansible_s(hosts, 1, STAT.format(paths=json.dumps(paths)), folder)
    ours_ms, find_ms = spent / options.hosts * 1e3, (found - empty) / count * 1e3
    return {
        "bench": "inspection",
        "hosts": options.hosts,
        "files": options.files,
        "differing": options.differing,
        "ended": sorted(ended),
        "cpu_ms_per_host": round(ours_ms, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "rival_hosts": count,
        "rival_find_cpu_ms_per_host": round(find_ms, 1),
        "rival_stat_cpu_ms_per_host": round((looped - empty) / options.stats * options.files * 1e3),
        "times_find": round(find_ms / ours_ms, 1),
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=300)
    options.add_argument("--files", type=int, default=20_000)
    options.add_argument("--differing", type=int, default=200)
    options.add_argument("--rival-hosts", type=int, default=10)
    options.add_argument("--stats", type=int, default=20, help="files of the rival's loop")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(figures(options.parse_args(), Path(folder))))


if __name__ == "__main__":
    main()
