"""Peers on loopback that misbehave in one way each, for tests of what asks them.

Never used by the product.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Behaviour = Callable[[socket.socket], None]


@contextmanager
def peer(behave: Behaviour, address: str = "127.0.0.1") -> Iterator[int]:
    """The port of a peer that treats each connection by `behave`, then closes it."""
    ending = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(20)
            behave(connection)

    def accept() -> None:
        while not ending.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server((address, 0), backlog=64) as listener:
        listener.settimeout(0.05)
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            ending.set()
            thread.join()


@contextmanager
def datagram_peer(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """The UDP port of a peer that answers each datagram by `reply`; empty: not at all."""
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (heard := server.recvfrom(4096))[0] != b"end":
                if said := reply(heard[0]):
                    server.sendto(said, heard[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            with socket.socket(type=socket.SOCK_DGRAM) as ending:
                ending.sendto(b"end", server.getsockname())
            thread.join()


def says(text: bytes) -> Behaviour:
    """Reads a little, then says `text`."""

    def behave(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(text)

    return behave


def keeps_the_line(text: bytes) -> Behaviour:
    """Reads a little, says `text`, and keeps the connection."""

    def behave(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(text)
        stays_silent(connection)

    return behave


def speaks_first(text: bytes) -> Behaviour:
    """Says `text` at once."""
    return lambda connection: connection.sendall(text)


def drips(connection: socket.socket) -> None:
    """Says one byte at a time, for ever, so that no single wait is long."""
    pause = threading.Event()
    for byte in b"HTTP/1.0 200 OK\r\n" + b"X" * 10_000:
        connection.sendall(bytes([byte]))
        pause.wait(0.05)


def hangs_up(connection: socket.socket) -> None:
    """Says nothing and closes."""


def stays_silent(connection: socket.socket) -> None:
    """Says nothing and keeps the connection."""
    while connection.recv(4096):
        pass


def over_tls(folder: Path, behave: Behaviour) -> Behaviour:
    """The same behind TLS, with a certificate made in `folder`."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=lab"
    command += " -keyout service.key -out service.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return behind_tls(folder, behave)


def site_authority(folder: Path, *, days: int = 30, names: str = "DNS:lab.example,IP:127.0.0.1") -> str:
    """A site's authority, as PEM; in `folder` a certificate it signed (`service.pem`, `service.key`, mode 0600)."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-subj", "/CN=Site authority", "-keyout", "ca.key", "-out", "ca.pem", "-days", "99")
    openssl("req", *curve, "-subj", "/CN=lab", "-keyout", "service.key", "-out", "service.csr")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days), "-extfile", "names")
    openssl("x509", "-req", "-in", "service.csr", *signed, "-out", "service.pem")
    (folder / "service.key").chmod(0o600)
    return (folder / "ca.pem").read_text()


def behind_tls(folder: Path, behave: Behaviour) -> Behaviour:
    """The same behind TLS, with the certificate `site_authority` left in `folder`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "service.pem", folder / "service.key")

    def behave_inside(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            behave(inside)

    return behave_inside
