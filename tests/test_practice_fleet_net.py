"""The fleet's sockets: production gets no answer at all where nothing is open."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from orchestrator.errors import Unusable
from orchestrator.practice import fleet_net
from tests.managed_hosts import free_port
from tests.practice_ground import dial

HOST, OTHER, PROBER = "127.22.0.1", "127.22.0.2", "127.52.0.1"


def answered(address: str, port: int, source: str) -> bool:
    try:
        dial(address, port, source).close()
    except TimeoutError:
        return False
    return True


def test_quarantine_is_dialled_from_the_admin_address_only_and_an_open_host_from_anywhere() -> None:
    port = free_port()
    with closing(fleet_net.Quarantine(port)):
        assert answered(HOST, port, "127.0.0.1")
        assert not answered(HOST, port, PROBER)
        with fleet_net.listen_open(HOST, port) as opened:
            assert answered(HOST, port, PROBER)
            assert answered(HOST, port, "127.0.0.1")
            assert not answered(OTHER, port, PROBER)
            assert {opened.accept()[1][0] for _ in range(2)} == {PROBER, "127.0.0.1"}
        assert not answered(HOST, port, PROBER)
        assert answered(HOST, port, "127.0.0.1")


def test_a_fleet_that_is_dialled_while_it_begins_to_listen_begins_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    port, dial_first = free_port(), socket.create_connection
    early: list[socket.socket] = []

    def crowded(*where: object, **how: object) -> socket.socket:
        """An engine that lives dials at that very moment."""
        early.append(dial_first((HOST, port)))
        return dial_first(*where, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(fleet_net, "PLUG_S", 0.2)
    monkeypatch.setattr(socket, "create_connection", crowded)
    quarantine = fleet_net.Quarantine(port)
    monkeypatch.undo()
    with closing(quarantine):
        assert answered(HOST, port, "127.0.0.1")
        assert not answered(HOST, port, PROBER)
        fleet_net.reset(early[0])
        assert not answered(HOST, port, PROBER), "whoever was early has hung up"


def test_a_port_that_somebody_listens_on_is_not_shared() -> None:
    port = free_port()
    fleet_net.check_free(port)
    with closing(fleet_net.Quarantine(port)), pytest.raises(Unusable, match=f"Port {port} is taken"):
        fleet_net.check_free(port)
    fleet_net.check_free(port)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(Unusable, match="cannot listen on 192"):
        fleet_net.listen_open("192.0.2.1", free_port())


def test_a_reset_connection_tells_its_client_so() -> None:
    with socket.create_server((HOST, 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        fleet_net.reset(listener.accept()[0])
        with pytest.raises(ConnectionResetError):
            client.recv(1)
