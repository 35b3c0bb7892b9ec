"""An SSH server passes only by proving the key that was pinned for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.ssh import SshProbe
from tests.managed_hosts import ManagedHosts, free_port, make_key, managed_hosts, silent_peer, wait_until
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
