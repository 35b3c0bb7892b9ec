"""The fleet's listening sockets: one for all addresses that only quarantine can dial, one per open address.

Never lets a dial from production reach an address that is not open: the dialler gets no answer at all, as from a host
behind a closed switch port, and no privilege is needed for that. Two sockets share every address; a classic packet
filter (socket(7), SO_ATTACH_REUSEPORT_CBPF) sends dials from the admin address to the one that is served, all others
to one whose queue of waiting connections is full, where the kernel drops them. An address that opens gets a socket of
its own, which the kernel prefers to both.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct

from orchestrator.errors import Unusable
from orchestrator.practice.fleet_file import ADMIN_ADDRESS

BACKLOG = 4096
_EVERY = "0.0.0.0"  # noqa: S104 - one socket for all of loopback; dials from elsewhere are dropped
_SO_ATTACH_REUSEPORT_CBPF = 51
_PLUG_ADDRESS = "127.0.0.2"
PLUG_S = 1.0
_SOURCE_ADDRESS = 0xFFF00000 + 12  # SKF_NET_OFF: offset into the IPv4 header
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06


def check_free(port: int) -> None:
    """Raises Unusable when somebody else listens on `port`; shared ports would otherwise hide that."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_EVERY, port))
            probe.listen()
        except OSError as error:
            sentence = f"Port {port} is taken or forbidden ({error.strerror}): end what uses it or choose another."
            raise Unusable(sentence, port=port) from error


class Quarantine:
    """Every address on one port, for dials from the admin address only; `listener` is the socket to serve."""

    def __init__(self, port: int) -> None:
        # The order matters: sockets are numbered as they begin to listen, and the deaf one must be full by then.
        self._deaf = _bound(_EVERY, port)
        _choose_by_source(self._deaf)
        self._deaf.listen(0)
        self._plug = _plugged(port)
        self.listener = _bound(_EVERY, port)
        self.listener.listen(BACKLOG)

    def close(self) -> None:
        """Stops listening."""
        for one in (self.listener, self._plug, self._deaf):
            if one is not None:
                one.close()


def _plugged(port: int) -> socket.socket | None:
    """The one connection the deaf socket's queue holds; None where somebody who dialled just now fills it already."""
    try:
        return socket.create_connection((ADMIN_ADDRESS, port), PLUG_S, source_address=(_PLUG_ADDRESS, 0))
    except TimeoutError:
        return None


def listen_open(address: str, port: int) -> socket.socket:
    """Listens on one address, for dials from anywhere."""
    listener = _bound(address, port)
    listener.listen(BACKLOG)
    return listener


def _bound(address: str, port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        sentence = f"The fleet cannot listen on {address}:{port}: {error.strerror}."
        raise Unusable(sentence, address=address, port=port) from error
    bound.setblocking(False)
    return bound


def _choose_by_source(bound: socket.socket) -> None:
    """Socket 1 of the port for the admin address, socket 0 for all others."""
    steps = (
        (_LOAD_WORD, 0, 0, _SOURCE_ADDRESS),
        (_JUMP_EQUAL, 0, 1, int(ipaddress.IPv4Address(ADMIN_ADDRESS))),
        (_RETURN, 0, 0, 1),
        (_RETURN, 0, 0, 0),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HL", len(steps), ctypes.addressof(code))
    bound.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


def reset(connection: socket.socket) -> None:
    """Closes a connection with a reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
