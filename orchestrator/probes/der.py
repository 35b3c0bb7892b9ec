"""Writes and reads the tag-length-value encoding that LDAP and Kerberos share (X.690, definite lengths).

Never knows what a value means, and never reads beyond what it was given.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from orchestrator.probes.line import exactly

INTEGER, OCTETS, ENUM, SEQUENCE = 0x02, 0x04, 0x0A, 0x30
MESSAGE_MAX = 1 << 18


def tlv(tag: int, *parts: bytes) -> bytes:
    """One value: its tag, its length, its parts one after another."""
    value = b"".join(parts)
    size = len(value)
    if size < 0x80:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + value


def integer(number: int, tag: int = INTEGER) -> bytes:
    """A number that is not negative."""
    return tlv(tag, number.to_bytes(number.bit_length() // 8 + 1))


def values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The values of `data`, one after another, each with its tag. Raises ValueError."""
    at = 0
    while at < len(data):
        head = data[at : at + 2]
        if len(head) < 2:
            raise ValueError("a value ends in its head")
        at, size = at + 2, head[1]
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4 or at + count > len(data):
                raise ValueError("a length cannot be read")
            at, size = at + count, int.from_bytes(data[at : at + count])
        if at + size > len(data):
            raise ValueError("a value is longer than what holds it")
        yield head[0], data[at : at + size]
        at += size


def fields(data: bytes) -> dict[int, bytes]:
    """The values of a sequence by their tag, the first of each. Raises ValueError."""
    found: dict[int, bytes] = {}
    for tag, value in values(data):
        found.setdefault(tag, value)
    return found


def inside(data: bytes) -> bytes:
    """What the only value of `data` holds. Raises ValueError."""
    one = next(values(data), None)
    if one is None:
        raise ValueError("a value is missing")
    return one[1]


def message(line: socket.socket) -> bytes:
    """The next whole value from a line, with its head. Raises OSError, and ValueError beyond 256 kB."""
    head = exactly(line, 2)
    size = head[1]
    if size >= 0x80:
        length = exactly(line, size & 0x7F) if size & 0x7F in range(1, 5) else b"\xff" * 4
        head, size = head + length, int.from_bytes(length)
    if size > MESSAGE_MAX:
        raise ValueError("a message is too long")
    return head + exactly(line, size)
