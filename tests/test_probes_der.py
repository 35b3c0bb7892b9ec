"""What is written can be read again, and nothing is read beyond what was given."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.probes.der import fields, inside, integer, tlv, values


@given(some.lists(some.tuples(some.integers(1, 0xFE), some.binary(max_size=400)), max_size=5))
def test_values_are_read_as_they_were_written(parts: list[tuple[int, bytes]]) -> None:
    assert list(values(b"".join(tlv(tag, value) for tag, value in parts))) == parts


@given(some.integers(0, 1 << 64))
def test_a_number_is_never_read_as_a_negative_one(number: int) -> None:
    value = inside(integer(number))
    assert int.from_bytes(value, signed=True) == number


@given(some.binary(max_size=60))
def test_whatever_a_peer_sends_is_read_or_refused(data: bytes) -> None:
    read = 0
    with suppress(ValueError):
        for _, value in values(data):
            read += len(value) + 2
    assert read <= len(data)


@pytest.mark.parametrize("data", [b"\x30", b"\x30\x05a", b"\x30\x80", b"\x30\x85aaaaa", b"\x30\x82\x01"])
def test_a_value_that_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"head|length|longer"):
        list(values(data))


def test_a_missing_value_is_refused_and_the_first_of_two_counts() -> None:
    with pytest.raises(ValueError, match="missing"):
        inside(b"")
    assert fields(tlv(2, b"a") + tlv(2, b"b")) == {2: b"a"}
