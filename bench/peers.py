"""Peers to put questions to: TCP and web services and name servers on as many loopback addresses as asked for.

Runs as a process of its own, so that its CPU is nobody's; ends when its standard input does. Web services and plain
TCP answer at every loopback address by one socket each, name servers have one per address.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
BACKLOG = 4096
PAGE = b"<html><body>The laboratory's results.</body></html>"
ANSWER = (
    b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"  # the name asked for, A, IN, 60 s, 127.0.0.1
)
HEAD = 12


def addresses(net: int, count: int) -> list[str]:
    """So many addresses of 127.`net`."""
    return [f"127.{net}.{number // 250}.{number % 250 + 1}" for number in range(count)]


class Plain(asyncio.Protocol):
    """Takes the connection and says nothing."""


class Web(asyncio.Protocol):
    """One page for each request, and the connection is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._heard = transport, b""

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._heard.endswith(b"\r\n\r\n"):
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\nConnection: close\r\n"
            self._transport.write(f"{head}\r\n".encode() + PAGE)  # type: ignore[attr-defined]
            self._transport.close()


class Names(asyncio.DatagramProtocol):
    """RFC 1035: one address for whatever is asked, with authority."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        asked = data[HEAD : data.index(b"\0", HEAD) + 5]
        reply = data[:2] + b"\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00" + asked + ANSWER
        self._transport.sendto(reply, peer)  # type: ignore[attr-defined]


async def serve(names: list[str]) -> None:
    """Until standard input ends; says the ports once all answer."""
    loop = asyncio.get_running_loop()
    ports = {}
    for kind, protocol in (("tcp", Plain), ("http", Web)):
        server = await loop.create_server(protocol, "0.0.0.0", 0, backlog=BACKLOG)
        ports[kind] = server.sockets[0].getsockname()[1]
    ports["dns"] = 0
    for address in names:
        transport, _ = await loop.create_datagram_endpoint(Names, (address, ports["dns"]))
        ports["dns"] = transport.get_extra_info("sockname")[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def peers(names: list[str]) -> Iterator[dict[str, int]]:
    """The ports at which they answer, by probe; `names` are the addresses of the name servers."""
    command = [sys.executable, "-m", "bench.peers", *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1:]))
