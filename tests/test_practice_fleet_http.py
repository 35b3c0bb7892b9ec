"""The small services of the fleet: who answers 200, who 503, and who accepts and says nothing."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from orchestrator.practice import fleet_disk
from orchestrator.practice.fleet_file import FleetHost, Folders
from orchestrator.practice.fleet_http import Answers, HttpDoor
from tests.practice_ground import CONTROL, OUTSIDE, small_fleet

FLEET = small_fleet()
H0, H1, _ = FLEET.hosts


class Services:
    """The answers of a small fleet whose hosts are all healthy; `closed` holds the hosts behind closed gates."""

    def __init__(self, root: Path) -> None:
        self.folders = Folders(root)
        self.folders.make()
        self.closed: set[str] = set()
        for host in FLEET.hosts:
            fleet_disk.fill(self.folders.disk(host.id), fleet_disk.first_files(host, 7))
        self.answers = Answers(FLEET, self.folders, lambda host: host.id not in self.closed)

    def status(self, host: FleetHost, path: str) -> int:
        return self.answers.to(host.address, path).status

    def break_down(self, host: FleetHost) -> None:
        fleet_disk.wipe(self.folders.disk(host.id))


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(tmp_path)


def test_a_check_passes_while_its_host_works_and_only_the_hosts_own_checks(services: Services) -> None:
    assert services.status(H0, "/l2/alive") == 200
    assert [services.status(H0, path) for path in ("/l2/other", "/", "/l9/alive", "/l2/../alive")] == [404] * 4
    services.break_down(H0)
    assert services.status(H0, "/l2/alive") == 503
    assert services.status(H1, "/l2/alive") == 200


def test_an_interface_works_while_both_ends_work_and_are_connected(services: Services) -> None:
    assert services.status(H0, "/l3/orders") == services.status(H1, "/l3/orders") == 200
    services.closed.add("h1")
    assert services.status(H0, "/l3/orders") == 503
    assert services.status(H0, "/l2/alive") == 200
    services.closed.clear()
    services.break_down(H1)
    assert services.status(H0, "/l3/orders") == services.status(H1, "/l3/orders") == 503


def test_an_interface_to_an_outside_service_needs_the_inside_end_only(services: Services) -> None:
    assert services.status(H0, "/l3/vendor-line") == 200
    assert services.answers.to(OUTSIDE, "/l3/vendor-line").status == 200
    assert services.answers.to(OUTSIDE, "/l2/vendor-up").status == 200
    assert services.answers.to(OUTSIDE, "/l2/alive").status == 404
    services.break_down(H0)
    assert services.status(H0, "/l3/vendor-line") == 503


def test_control_targets_always_answer_and_strangers_never(services: Services) -> None:
    assert services.answers.to(CONTROL, "/anything").status == 200
    assert services.answers.to("127.99.0.1", "/l2/alive").status == 404


def test_a_silent_service_accepts_and_says_nothing(services: Services) -> None:
    fleet_disk.start_service(services.folders.disk("h0"), fleet_disk.SERVICE_SILENT)
    assert services.status(H0, "/l2/alive") == 0
    assert services.status(H1, "/l3/orders") == 503


async def talk(services: Services, request: bytes) -> bytes:
    """What a client hears that dials H0 and sends these bytes."""
    loop = asyncio.get_running_loop()
    door = HttpDoor(loop, services.answers)
    with socket.create_server((H0.address, 0)) as listener:
        listener.setblocking(False)
        loop.add_reader(listener, door.accept, listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        for byte in request:
            writer.write(bytes([byte]))
            await writer.drain()
        try:
            return await asyncio.wait_for(reader.read(), 0.5)
        except (TimeoutError, ConnectionError):
            return b"(nothing)"
        finally:
            loop.remove_reader(listener)
            door.close()
            writer.close()


def test_a_request_that_comes_byte_by_byte_is_answered_whole(services: Services) -> None:
    heard = asyncio.run(talk(services, b"GET /l2/alive HTTP/1.1\r\nHost: h0\r\n\r\n"))
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {"host": "h0", "l2": "alive", "ok": True}


def test_what_is_no_request_gets_a_refusal_and_silence_gets_silence(services: Services) -> None:
    assert asyncio.run(talk(services, b"PUT /l2/alive HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert asyncio.run(talk(services, b"\xff\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert asyncio.run(talk(services, b"GET /l2")) == b"(nothing)"
    assert asyncio.run(talk(services, b"x" * 9000)) in (b"", b"(nothing)")


def test_connections_that_stand_too_long_are_closed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.practice.fleet_http.PATIENCE_S", -1.0)

    async def stand() -> bytes:
        door = HttpDoor(asyncio.get_running_loop(), services.answers)
        with socket.create_server((H0.address, 0)) as listener:
            listener.setblocking(False)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            door.accept(listener)
            door.tidy()
            heard = await asyncio.wait_for(reader.read(), 2)
            writer.close()
            return heard

    assert asyncio.run(stand()) == b""
