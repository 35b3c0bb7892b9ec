"""One question over SSH: the pinned key or nothing, in time or not at all, and never more than was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.workers.connection import Key, Limits, Mistrusted, Overran, Peer, Unreached, ask, load_key
from tests.managed_hosts import USER, ManagedHosts, make_key, managed_hosts, silent_peer

QUICK = Limits(connect_s=1, banner_s=1, auth_s=5, command_s=20)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedHosts]:
    with managed_hosts(tmp_path_factory.mktemp("connection"), 1) as started:
        yield started


@pytest.fixture
def peer(hosts: ManagedHosts) -> Peer:
    return Peer(hosts.addresses[0], hosts.port, USER, hosts.host_key)


@pytest.fixture
def key(hosts: ManagedHosts) -> Key:
    return load_key(hosts.base / "client")


def test_a_command_tells_its_output_its_complaints_and_its_status(peer: Peer, key: Key) -> None:
    reply = ask(peer, key, "echo said; echo complained >&2; exit 3")
    assert (reply.status, reply.output, reply.errors, reply.cut) == (3, b"said\n", "complained\n", False)


def test_a_host_with_another_key_is_not_spoken_to(peer: Peer, key: Key, tmp_path: Path) -> None:
    with pytest.raises(Mistrusted, match="another host key") as refusal:
        ask(replace(peer, host_key=make_key(tmp_path / "other")), key, "touch spoken")
    assert refusal.value.facts == {"host_key": "mismatch"}


@pytest.mark.parametrize("pinned", ["", "ssh-ed25519", "nonsense", "ssh-ed25519 !!!!"])
def test_a_host_without_a_pinned_key_is_not_dialled(peer: Peer, key: Key, pinned: str) -> None:
    with pytest.raises(Mistrusted, match="No host key is pinned"):
        ask(replace(peer, host_key=pinned), key, "true")


def test_a_host_that_refuses_our_key_says_so(peer: Peer, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    with pytest.raises(Mistrusted, match="refuses our key"):
        ask(peer, load_key(tmp_path / "stranger"), "true")


def test_no_agent_and_no_key_of_the_callers_home_is_tried(
    peer: Peer, hosts: ManagedHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".ssh"
    home.mkdir()
    (home / "id_ed25519").write_bytes((hosts.base / "client").read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    make_key(tmp_path / "stranger")
    with pytest.raises(Mistrusted):
        ask(peer, load_key(tmp_path / "stranger"), "true")


def test_a_port_where_nobody_listens_is_unreached(peer: Peer, key: Key) -> None:
    with pytest.raises(Unreached, match="cannot be reached"):
        ask(replace(peer, port=1), key, "true")


def test_a_peer_that_accepts_and_says_nothing_is_given_up(peer: Peer, key: Key) -> None:
    with silent_peer() as port, pytest.raises(Unreached):
        ask(replace(peer, address="127.0.0.1", port=port), key, "true", QUICK)


def test_a_command_that_does_not_end_is_left(peer: Peer, key: Key) -> None:
    with pytest.raises(Overran, match="did not end its command within 1 s"):
        ask(peer, key, "sleep 60", replace(QUICK, command_s=1))


def test_a_command_that_closes_its_output_and_does_not_end_is_left(peer: Peer, key: Key) -> None:
    with pytest.raises(Overran):
        ask(peer, key, "exec >&- 2>&-; sleep 60", replace(QUICK, command_s=1))


def test_a_command_that_talks_without_end_is_cut(peer: Peer, key: Key) -> None:
    reply = ask(peer, key, "yes", replace(QUICK, output_max=100_000))
    assert reply.cut
    assert len(reply.output) == 100_000


def test_many_complaints_never_block_the_output(peer: Peer, key: Key) -> None:
    reply = ask(peer, key, "yes no | head -c 1000000 >&2; echo done")
    assert reply.output == b"done\n"
    assert len(reply.errors) == 4096


def test_a_connection_cut_in_the_middle_is_unreached(peer: Peer, key: Key) -> None:
    with pytest.raises(Unreached):
        ask(peer, key, "kill -9 $(cat sshd); sleep 60", QUICK)


@pytest.mark.parametrize("text", [None, "", "not a key"])
def test_a_key_that_cannot_be_used_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "key"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Unreached, match="The SSH key key cannot be used"):
        load_key(path)


def test_every_connection_is_closed_again(peer: Peer, key: Key) -> None:
    ask(peer, key, "true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        ask(peer, key, "true")
    assert len(os.listdir("/proc/self/fd")) <= before + 1
