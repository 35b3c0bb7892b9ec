"""Writes what one Ansible run reads: its configuration, inventory, pinned host keys and scrubbed environment.

Never writes outside the run folder and never puts a secret in it: the private key is named by its path.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from orchestrator.workers.base import Invocation, Request
from orchestrator.workers.invocation import cancel_file
from orchestrator.workers.processes import VARIABLE

MARKER = "relance marker"
_CONNECT_S = 10
_BATCH_MAX = 50
_FORKS_PER_CORE = 25

# One raw task per host is one connection per host, so a shared master would only add a process and a socket to clean.
# SetEnv is the tag by which a person finds the connection of an action in a process list. OpenSSH's first choice of key
# exchange (sntrup761) costs 70 ms of CPU a connection against 8; what passes here is orders and digests, no secret that
# would have to outlive quantum computers.
_SSH = (
    "-F /dev/null -o ControlMaster=no -o ControlPath=none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none "
    "-o PreferredAuthentications=publickey -o StrictHostKeyChecking=yes -o UserKnownHostsFile={known_hosts} "
    "-o GlobalKnownHostsFile=/dev/null -o UpdateHostKeys=no -o ServerAliveInterval=15 -o ServerAliveCountMax=3 "
    "-o KexAlgorithms=^curve25519-sha256"
)

_CFG = """[defaults]
inventory = {folder}/hosts.json
roles_path = {playbooks}/roles
strategy = ansible.builtin.host_pinned
forks = {forks}
gathering = explicit
host_key_checking = True
timeout = {connect_s}
home = {folder}/home
local_tmp = {folder}/tmp
private_key_file = {key}
retry_files_enabled = False
nocows = True
deprecation_warnings = False
localhost_warning = False
interpreter_python = auto_silent
vars_plugins_enabled =

[inventory]
enable_plugins = yaml

[ssh_connection]
ssh_args = {ssh}
pipelining = True
usetty = False
retries = 0
"""


def lay_out(run_dir: Path, invocation: Invocation, requests: tuple[Request, ...]) -> Path:
    """Write the private folder of this run for these of its requests; returns it."""
    folder = run_dir / "ansible"
    folder.mkdir(mode=0o700)
    _write(folder / "ansible.cfg", _configuration(folder, invocation, len(requests)))
    _write(folder / "hosts.json", json.dumps(_inventory(run_dir, requests)))
    _write(folder / "known_hosts", _pins(Path(invocation.known_hosts), requests))
    return folder


def environment(invocation: str, folder: Path | None = None) -> dict[str, str]:
    """The whole environment of a runner, or with `folder` of the Ansible it drives: nothing is inherited."""
    words = {
        # ansible-runner looks for ansible-playbook on PATH, and says nothing when it is not there.
        "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": os.path.expanduser("~"),
        VARIABLE: invocation,
    }
    if folder is not None:
        # ansible-runner turns host key checking off unless this is set.
        words |= {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOST_KEY_CHECKING": "True"}
    return words


def forks(hosts: int) -> int:
    """How many hosts are driven at once: the batch, at most 50, and 25 per core."""
    return max(1, min(hosts, _BATCH_MAX, _FORKS_PER_CORE * (os.cpu_count() or 1)))


def _configuration(folder: Path, invocation: Invocation, hosts: int) -> str:
    return _CFG.format(
        folder=folder,
        playbooks=invocation.playbooks,
        forks=forks(hosts),
        key=invocation.key,
        connect_s=max(1, min(_CONNECT_S, invocation.limit_s // 2)),
        ssh=_SSH.format(known_hosts=folder / "known_hosts"),
    )


def _inventory(run_dir: Path, requests: tuple[Request, ...]) -> dict[str, object]:
    groups: dict[str, dict[str, object]] = {"linux": {}, "windows": {}}
    for request in requests:
        groups[request.os][request.target] = _variables(run_dir, request)
    return {group: {"hosts": hosts} for group, hosts in groups.items()}


def _variables(run_dir: Path, request: Request) -> dict[str, object]:
    address, port = request.endpoint
    return {
        "ansible_host": address,
        "ansible_port": port,
        "ansible_user": request.management_user,
        "ansible_ssh_common_args": f"-o SetEnv=RELANCE_ACTION={request.action}",
        "relance_action": request.action,
        "relance_host": request.host,
        "relance_site": request.site,
        "relance_address": request.address,
        "relance_strategy": request.strategy,
        "relance_supersedes": request.supersedes,
        "relance_before_us": request.before_us,
        "relance_cancelled": str(cancel_file(run_dir, request.action)),
    }


def _pins(known_hosts: Path, requests: tuple[Request, ...]) -> str:
    """The lines of the pinned keys that this run dials; all the others would only be read over and over."""
    names = {f"[{address}]:{port}" if port != 22 else address for address, port in (r.endpoint for r in requests)}
    lines = known_hosts.read_text().splitlines()
    return "".join(f"{line}\n" for line in lines if names.intersection(line.split(" ", 1)[0].split(",")))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
