"""The small HTTP services of the fleet's hosts, its outside services and its control targets.

Never answers 200 for a host whose disk does not hold readable records and a running service, and knows nothing of
users, sessions or bodies: one GET per connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.practice.fleet_disk import service_state
from orchestrator.practice.fleet_file import FleetFile, FleetHost, Folders

REQUEST_BYTES_MAX = 8192
PATIENCE_S = 60.0
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body; status 0 says nothing at all."""

    status: int
    body: dict[str, object]

    def wire(self) -> bytes:
        """The response as sent."""
        body = json.dumps(self.body).encode()
        head = f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


class Answers:
    """What is answered at an address: by its host's disk, or always for outside services and control targets."""

    def __init__(self, fleet: FleetFile, folders: Folders, is_open: Callable[[FleetHost], bool]) -> None:
        self._folders = folders
        self._is_open = is_open
        self._hosts = {host.address: host for host in fleet.hosts}
        self._by_id = {host.id: host for host in fleet.hosts}
        self._outside = {one.address: one for one in fleet.outside}
        self._outside_ids = {one.id for one in fleet.outside}
        self._links = {link.id: link for link in fleet.links}
        self._controls = {site.control.split(":")[0] for site in fleet.sites}

    def to(self, address: str, path: str) -> Answer:
        """The answer to `GET path` at `address`."""
        _, _, rest = path.partition("/")
        level, _, name = rest.partition("/")
        if address in self._hosts:
            return self._host(self._hosts[address], level, name)
        outside = self._outside.get(address)
        if outside and ((level == "l2" and name in outside.checks) or (level == "l3" and name in self._links)):
            return Answer(200, {"outside": outside.id, level: name, "ok": True})
        if address in self._controls:
            return Answer(200, {"control": address, "ok": True})
        return Answer(404, {"ok": False})

    def _host(self, host: FleetHost, level: str, name: str) -> Answer:
        state = service_state(self._folders.disk(host.id))
        if state == "silent":
            return Answer(0, {})
        if level == "l2" and name in host.checks:
            return self._verdict(state == "up", {"host": host.id, "l2": name})
        if level == "l3" and name in self._links:
            link = self._links[name]
            ends = self._works(link.source) and self._works(link.target)
            return self._verdict(ends and state == "up", {"host": host.id, "l3": name})
        return Answer(404, {"host": host.id, "ok": False})

    def _works(self, ends: Iterable[str]) -> bool:
        return any(end in self._outside_ids or self._host_works(self._by_id.get(end)) for end in ends)

    def _host_works(self, host: FleetHost | None) -> bool:
        """Clinical traffic crosses production: an end counts when it works and is connected."""
        return host is not None and self._is_open(host) and service_state(self._folders.disk(host.id)) == "up"

    def _verdict(self, works: bool, facts: dict[str, object]) -> Answer:
        return Answer(200 if works else 503, {**facts, "ok": works})


class HttpDoor:
    """Accepts HTTP connections on sockets handed to it and answers each one request."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answers: Answers) -> None:
        self._loop = loop
        self._answers = answers
        self._since_s: dict[socket.socket, float] = {}

    def accept(self, listener: socket.socket) -> None:
        """Takes the connections that wait on `listener`."""
        for _ in range(64):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            self._since_s[connection] = self._loop.time()
            self._loop.add_reader(connection, self._read, connection, bytearray())

    def _read(self, connection: socket.socket, received: bytearray) -> None:
        try:
            part = connection.recv(REQUEST_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        received += part
        if not part or len(received) > REQUEST_BYTES_MAX:
            self._close(connection)
        elif b"\r\n\r\n" in received:
            self._answer(connection, bytes(received))

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        words = request.split(b"\r\n", 1)[0].split(b" ")
        answer = Answer(400, {"ok": False})
        if len(words) == 3 and words[0] == b"GET":
            answer = self._answers.to(connection.getsockname()[0], words[1].decode("ascii", "replace"))
        if answer.status == 0:
            return
        with suppress(OSError):
            connection.send(answer.wire())
        self._close(connection)

    def tidy(self) -> None:
        """Closes connections that have stood too long."""
        before_s = self._loop.time() - PATIENCE_S
        for connection in [one for one, since_s in self._since_s.items() if since_s < before_s]:
            self._close(connection)

    def close(self) -> None:
        """Closes all connections."""
        for connection in list(self._since_s):
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._loop.remove_reader(connection)
        self._since_s.pop(connection, None)
        connection.close()
