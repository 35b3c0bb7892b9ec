"""An SSH server passes only by proving the key that was pinned for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.ssh import SshProbe
from tests.managed_hosts import USER, ManagedHosts, free_port, make_key, managed_hosts, silent_peer, wait_until
from tests.practice_peers import hangs_up, peer, speaks_first


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedHosts]:
    with managed_hosts(tmp_path_factory.mktemp("probed"), 1) as started:
        yield started


def ask(port: int, host_key: str, address: str = "127.0.0.1", timeout_s: float = 20) -> Answer:
    return SshProbe().ask(Question(address, port, "127.0.0.8", timeout_s, {"host_key": host_key}))


def test_a_server_with_its_pinned_key_passes(hosts: ManagedHosts) -> None:
    assert ask(hosts.port, hosts.host_key, hosts.addresses[0]).outcome == "PASS"


def test_a_server_with_another_key_fails(hosts: ManagedHosts, tmp_path: Path) -> None:
    answer = ask(hosts.port, make_key(tmp_path / "other"), hosts.addresses[0])
    assert (answer.outcome, answer.facts) == ("FAIL", {"host_key": "mismatch"})


def test_a_server_without_a_key_of_the_pinned_kind_fails(hosts: ManagedHosts) -> None:
    assert ask(hosts.port, "ecdsa-sha2-nistp256 AAAA", hosts.addresses[0]).outcome == "FAIL"


@pytest.mark.parametrize("pinned", ["", "ssh-ed25519", "made-up-kind AAAA"])
def test_a_pin_that_is_none_is_unknown_and_nothing_is_asked(hosts: ManagedHosts, pinned: str) -> None:
    assert ask(hosts.port, pinned, hosts.addresses[0]).outcome == "UNKNOWN"


def test_a_service_that_is_no_ssh_server_fails(hosts: ManagedHosts) -> None:
    with peer(speaks_first(b"220 mail\r\n" * 200)) as port:
        assert ask(port, hosts.host_key).outcome == "FAIL"


def test_a_service_that_hangs_up_fails(hosts: ManagedHosts) -> None:
    with peer(hangs_up) as port:
        assert ask(port, hosts.host_key).outcome == "FAIL"


def test_a_service_that_accepts_and_says_nothing_fails_and_leaves_no_thread(hosts: ManagedHosts) -> None:
    before = threading.active_count()
    with silent_peer() as port:
        assert ask(port, hosts.host_key, timeout_s=0.5).outcome == "FAIL"
    wait_until(lambda: threading.active_count() <= before)


def test_a_port_where_nobody_listens_fails(hosts: ManagedHosts) -> None:
    assert ask(free_port(), hosts.host_key).outcome == "FAIL"


def run(hosts: ManagedHosts, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    login = {"host_key": hosts.host_key, "user": USER, "key": (hosts.base / "client").read_text()}
    return SshProbe().ask(Question(hosts.addresses[0], hosts.port, "127.0.0.8", timeout_s, {**login, **params}))


def test_a_command_counts_by_what_it_says_and_how_it_ends(hosts: ManagedHosts) -> None:
    assert run(hosts, command="echo 3 volumes online", contains="3 volumes").outcome == "PASS"
    assert "does not say '4 volumes'" in run(hosts, command="echo 3 volumes", contains="4 volumes").sentence
    assert "with 3 instead of 0" in run(hosts, command="exit 3").sentence
    assert run(hosts, command="exit 3", status=3).outcome == "PASS"


def test_a_command_that_does_not_end_or_talks_without_end_fails_in_time(hosts: ManagedHosts) -> None:
    assert run(hosts, timeout_s=2, command="sleep 60").outcome == "FAIL"
    assert "does not end" in run(hosts, command="yes").sentence


def test_a_login_that_is_refused_fails_and_a_key_that_is_none_is_not_used(hosts: ManagedHosts, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    refused = run(hosts, command="true", key=(tmp_path / "stranger").read_text())
    assert (refused.outcome, refused.facts) == ("FAIL", {"error": "login"})
    assert run(hosts, command="true", key="no key").outcome == "UNKNOWN"


def test_a_server_with_another_key_is_not_told_who_we_are(hosts: ManagedHosts, tmp_path: Path) -> None:
    answer = run(hosts, command="true", host_key=make_key(tmp_path / "other"))
    assert answer.facts == {"host_key": "mismatch"}
