"""Records and the tree over them: the same bytes, the same root, for everyone and for ever."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.canonical import NotCanonical
from orchestrator.errors import Refused
from orchestrator.journal.record import (
    EMPTY_ROOT,
    Frontier,
    Head,
    Record,
    decode,
    decode_verified,
    encode,
    leaf_hash,
    root_of,
)
from tests.damage import body_of

# The leaves and roots that the Certificate Transparency implementations test themselves with.
CT_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
BODIES = st.dictionaries(
    st.text("abcdefghij_", min_size=1, max_size=6),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_root_is_the_one_certificate_transparency_computes(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(text)) for text in CT_LEAVES[:size]]
    assert root_of(leaves).hex() == CT_ROOTS[size - 1]


def test_an_empty_journal_has_the_root_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT == sha256(b"").digest()


@given(st.lists(st.binary(max_size=4).map(leaf_hash), max_size=150))
@settings(deadline=None)
def test_the_frontier_agrees_with_the_rfc_at_every_size(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for size, leaf in enumerate(leaves):
        assert frontier.size == size
        assert frontier.root() == naive_root(leaves[:size])
        frontier.append(leaf)
    assert frontier.root() == naive_root(leaves)


def test_a_copied_frontier_goes_its_own_way() -> None:
    frontier = Frontier()
    for number in range(7):
        frontier.append(leaf_hash(bytes([number])))
    twin = frontier.copy()
    before = frontier.root()
    twin.append(leaf_hash(b"8"))
    assert (frontier.size, frontier.root()) == (7, before)
    assert twin.size == 8
    assert twin.root() != before


def test_a_record_has_exactly_these_bytes() -> None:
    record = Record(7, 1_700_000_000_000_000, "launched", {"wave": "laboratory", "persons": ["a", "b"]})
    assert encode(record) == (
        b'{"at_us":1700000000000000,"body":{"persons":["a","b"],"wave":"laboratory"},"kind":"launched","seq":7}'
    )
    assert leaf_hash(encode(record)) == sha256(b"\x00" + encode(record)).digest()


@given(st.integers(1, 2**53 - 1), st.integers(0, 2**53 - 1), st.text("abc.-_", min_size=1), BODIES)
@settings(deadline=None)
def test_what_was_written_is_what_is_read_by_either_reader(
    seq: int, at_us: int, kind: str, body: dict[str, object]
) -> None:
    record = Record(seq, at_us, kind, body)  # type: ignore[arg-type]
    assert decode(encode(record)) == record
    assert decode_verified(encode(record)) == record


@pytest.mark.parametrize(
    "text",
    [
        b'{"at_us":1,"body":{},"kind":"k","seq":1} ',
        b'{"seq":1,"at_us":1,"body":{},"kind":"k"}',
        b'{"at_us":1,"body":{"a":1,"a":2},"kind":"k","seq":1}',
        b'{"at_us":1.0,"body":{},"kind":"k","seq":1}',
        b'{"at_us":1,"body":{},"kind":"\\u006b","seq":1}',
        b'{"at_us":1,"body":{},"kind":"k"}',
        b'{"at_us":1,"body":{},"kind":"k","more":1}',
        b'{"at_us":1,"body":{},"kind":"k","more":1,"seq":1}',
        b'{"at_us":true,"body":{},"kind":"k","seq":1}',
        b'{"at_us":1,"body":[],"kind":"k","seq":1}',
        b'{"at_us":1,"body":{},"kind":null,"seq":1}',
        b"[1,2,3,4]",
        b"",
        b"\xff",
    ],
)
def test_bytes_from_outside_that_are_no_record_are_refused_with_a_sentence(text: bytes) -> None:
    with pytest.raises(NotCanonical) as refused:
        decode(text)
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"at_us":1,"body":{},"kind":"k","seq":1}x', b"\xff\xfe", b'{"a":1,"b":2,"c":3,"d":4}']
)
def test_the_cheap_reader_still_says_when_there_is_no_record(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode_verified(text)


def test_a_record_too_large_to_be_read_back_is_refused_before_it_is_written() -> None:
    with pytest.raises(Refused, match="store it as a blob"):
        encode(Record(1, 1, "evidence", {"text": "x" * (1 << 22)}))


def test_a_head_is_shown_as_orders_carry_it() -> None:
    leaf = leaf_hash(encode(Record(1, 1, "k", body_of(1))))
    assert Head(1, leaf).as_json() == {"size": 1, "root": leaf.hex()}
