"""What Ansible reads is ours alone: pinned keys, no inherited setting, no secret in a file."""

from __future__ import annotations

import configparser
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.workers import ansible_files, invocation
from orchestrator.workers.base import Invocation, Request

LAB = Request("lab-1/restore/1", "lab-1", "clinic", "restore", "restore", "10.0.0.1", "10.0.1.1", "10.0.2.1:2222")
WINDOWS = replace(LAB, action="pc-1/restore/1", host="pc-1", management="10.0.1.2", os="windows")
PINS = "10.0.1.1 ssh-ed25519 AAAA\n[10.0.2.1]:2222 ssh-ed25519 GGGG\n10.0.1.9 ssh-ed25519 CCCC\n"


@pytest.fixture
def asked(tmp_path: Path) -> Invocation:
    (tmp_path / "known_hosts").write_text(PINS)
    return Invocation("5", "restore.yml", "/playbooks", 60, "/s/key", str(tmp_path / "known_hosts"), (LAB, WINDOWS))


def lay_out(asked: Invocation, run_dir: Path, *requests: Request) -> Path:
    invocation.write(run_dir, asked)
    return ansible_files.lay_out(run_dir, asked, requests)


def configuration(folder: Path) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None)
    read.read(folder / "ansible.cfg")
    return read


def test_only_pinned_keys_are_accepted_and_only_our_key_is_offered(asked: Invocation, tmp_path: Path) -> None:
    folder = lay_out(asked, tmp_path / "5", LAB)
    ssh = configuration(folder)["ssh_connection"]["ssh_args"]
    for word in ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={folder}/known_hosts", "IdentityAgent=none"):
        assert word in ssh
    assert "GlobalKnownHostsFile=/dev/null" in ssh
    assert "-F /dev/null" in ssh
    assert configuration(folder)["defaults"]["host_key_checking"] == "True"


def test_a_command_is_never_sent_twice_by_ssh_itself(asked: Invocation, tmp_path: Path) -> None:
    assert configuration(lay_out(asked, tmp_path / "5", LAB))["ssh_connection"]["retries"] == "0"


def test_only_the_pins_of_the_addresses_dialled_are_in_the_run_folder(asked: Invocation, tmp_path: Path) -> None:
    folder = lay_out(asked, tmp_path / "5", LAB)
    assert (folder / "known_hosts").read_text() == "10.0.1.1 ssh-ed25519 AAAA\n"


def test_a_reconnect_pins_the_gate(asked: Invocation, tmp_path: Path) -> None:
    folder = lay_out(asked, tmp_path / "5", replace(LAB, step="reconnect"))
    assert (folder / "known_hosts").read_text() == "[10.0.2.1]:2222 ssh-ed25519 GGGG\n"
    host = json.loads((folder / "hosts.json").read_text())["linux"]["hosts"]["lab-1"]
    assert (host["ansible_host"], host["ansible_port"]) == ("10.0.2.1", 2222)


def test_hosts_stand_in_the_group_of_their_system_under_their_own_id(asked: Invocation, tmp_path: Path) -> None:
    groups = json.loads((lay_out(asked, tmp_path / "5", LAB, WINDOWS) / "hosts.json").read_text())
    assert list(groups["linux"]["hosts"]) == ["lab-1"]
    assert list(groups["windows"]["hosts"]) == ["pc-1"]
    assert groups["windows"]["hosts"]["pc-1"]["relance_action"] == "pc-1/restore/1"
    assert groups["windows"]["hosts"]["pc-1"]["relance_before_us"] == 0


def test_each_run_has_one_private_folder_and_never_a_second(asked: Invocation, tmp_path: Path) -> None:
    folder = lay_out(asked, tmp_path / "5", LAB)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    with pytest.raises(FileExistsError):
        ansible_files.lay_out(tmp_path / "5", asked, (LAB,))


def test_the_environment_inherits_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANSIBLE_BECOME_PASSWORD", "planted")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    words = ansible_files.environment("5", tmp_path)
    assert set(words) == {
        "PATH",
        "LANG",
        "HOME",
        "RELANCE_INVOCATION",
        "ANSIBLE_CONFIG",
        "ANSIBLE_HOST_KEY_CHECKING",
    }
    assert words["ANSIBLE_HOST_KEY_CHECKING"] == "True"


def test_ansible_is_found_where_relance_runs_from_whatever_path_the_caller_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    first = ansible_files.environment("5")["PATH"].split(":")[0]
    assert first == str(Path(sys.executable).parent)
    assert (Path(first) / "ansible-playbook").exists()


def test_a_batch_is_driven_whole_up_to_fifty_and_to_what_the_cores_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert [ansible_files.forks(hosts) for hosts in (0, 1, 12, 50, 80)] == [1, 1, 12, 50, 50]
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert ansible_files.forks(50) == 25


def test_a_short_limit_shortens_the_wait_for_a_connection(asked: Invocation, tmp_path: Path) -> None:
    folder = lay_out(replace(asked, limit_s=4), tmp_path / "5", LAB)
    assert configuration(folder)["defaults"]["timeout"] == "2"
