"""The fleet's listening sockets: one for all addresses that only quarantine can dial, one per open address.

Never lets a dial from production reach an address that is not open: the kernel drops its first packet, so the dialler
gets no answer at all, as from a host behind a closed switch port. A classic packet filter on the listening socket
does that (socket(7), SO_ATTACH_FILTER), which needs no privilege; an address that opens gets a listening socket of
its own, without the filter, and the kernel prefers it to the one for all addresses.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct

from orchestrator.errors import Unusable
from orchestrator.practice.fleet_file import ADMIN_ADDRESS

BACKLOG = 4096
_SO_ATTACH_FILTER = 26
_SOURCE_ADDRESS = 0xFFF00000 + 12  # SKF_NET_OFF: offset into the IPv4 header
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06


def check_free(port: int) -> None:
    """Raises Unusable when somebody else listens on `port`; shared ports would otherwise hide that."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - loopback alone cannot serve 1,700 addresses of it
            probe.listen()
        except OSError as error:
            sentence = f"Port {port} is taken or forbidden ({error.strerror}): end what uses it or choose another."
            raise Unusable(sentence, port=port) from error


def listen_quarantine(port: int) -> socket.socket:
    """Listens on every address, for dials from the admin address only."""
    return _listen("0.0.0.0", port, quarantine=True)  # noqa: S104 - the filter drops all but the admin address


def listen_open(address: str, port: int) -> socket.socket:
    """Listens on one address, for dials from anywhere."""
    return _listen(address, port, quarantine=False)


def _listen(address: str, port: int, *, quarantine: bool) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if quarantine:
            _drop_all_but(listener, ADMIN_ADDRESS)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        sentence = f"The fleet cannot listen on {address}:{port}: {error.strerror}."
        raise Unusable(sentence, address=address, port=port) from error
    listener.setblocking(False)
    return listener


def _drop_all_but(listener: socket.socket, source: str) -> None:
    steps = (
        (_LOAD_WORD, 0, 0, _SOURCE_ADDRESS),
        (_JUMP_EQUAL, 0, 1, int(ipaddress.IPv4Address(source))),
        (_RETURN, 0, 0, 0xFFFFFFFF),
        (_RETURN, 0, 0, 0),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HL", len(steps), ctypes.addressof(code))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def reset(connection: socket.socket) -> None:
    """Closes a connection with a reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
