"""Canonical JSON: the same bytes as the rfc8785 package, for everything we write; the rest is refused by name."""

from __future__ import annotations

import json
from typing import cast

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import DEPTH_MAX, INTEGER_MAX, Json, NotCanonical, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=6)
    ),
    max_leaves=40,
)


def refused(text: bytes) -> str:
    with pytest.raises(NotCanonical) as caught:
        decode(text)
    assert caught.value.sentence.endswith(".")
    return caught.value.rule


def refused_value(value: object) -> str:
    with pytest.raises(NotCanonical) as caught:
        encode(value)
    return caught.value.rule


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@given(VALUES)
def test_every_value_has_the_text_rfc_8785_gives_it(value: Json) -> None:
    assert encode(value) == rfc8785.dumps(cast("None", value))


@given(VALUES)
def test_a_text_read_back_is_the_value_it_was_made_of(value: Json) -> None:
    assert decode(encode(value)) == value


@given(VALUES)
def test_the_same_value_written_carelessly_reads_the_same(value: Json) -> None:
    assert encode(decode(json.dumps(value, indent=1).encode())) == encode(value)


@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_whatever_bytes_arrive_the_answer_is_a_value_with_a_canonical_form_or_a_refusal(text: bytes) -> None:
    try:
        value = decode(text)
    except NotCanonical:
        return
    assert decode(encode(value)) == value


def test_every_control_character_is_written_as_the_rfc_writes_it() -> None:
    characters = "".join(map(chr, range(0x100))) + "\u2028\ufeff\U0001f3e5"
    assert encode(characters) == rfc8785.dumps(characters)


def test_a_tuple_is_written_as_a_list() -> None:
    assert encode({"b": (1, True), "a": None}) == b'{"a":null,"b":[1,true]}'


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"1.0", "canonical.float"),
        (b"[1e2]", "canonical.float"),
        (b"NaN", "canonical.float"),
        (b"-Infinity", "canonical.float"),
        (b"9007199254740992", "canonical.integer"),
        (b"[-9007199254740992]", "canonical.integer"),
        (b"9" * 5000, "canonical.json"),
        (b'{"a":1,"a":1}', "canonical.duplicate"),
        (b'[{"x":{"a":1,"b":2,"\\u0061":3}}]', "canonical.duplicate"),
        (nested(DEPTH_MAX + 2), "canonical.depth"),
        (nested(200_000), "canonical.depth"),
        (b'{"a":' * 200_000, "canonical.depth"),
        ('{"clé":1}'.encode(), "canonical.key"),
        (b'["\\ud800"]', "canonical.surrogate"),
        (b'"\xed\xa0\x80"', "canonical.json"),
        (b'"\xff"', "canonical.json"),
        (b"", "canonical.json"),
        (b"{'a':1}", "canonical.json"),
        (b'{"a":1} x', "canonical.json"),
        (b"\xef\xbb\xbf{}", "canonical.json"),
        ("{}".encode("utf-16"), "canonical.json"),
    ],
)
def test_a_text_that_two_readers_could_read_differently_is_refused(text: bytes, rule: str) -> None:
    assert refused(text) == rule


def test_a_text_over_its_limit_is_not_even_parsed() -> None:
    assert decode(b'"1234"', size_max=6) == "1234"
    with pytest.raises(NotCanonical, match="6 bytes; at most 5"):
        decode(b'"1234"', size_max=5)


def test_the_deepest_value_written_is_the_deepest_value_read() -> None:
    assert encode(decode(nested(DEPTH_MAX + 1))) == nested(DEPTH_MAX + 1)
    deep: list[object] = []
    deep.append(deep)
    assert refused_value(deep) == "canonical.depth"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (1.0, "canonical.type"),
        (float("nan"), "canonical.type"),
        (b"bytes", "canonical.type"),
        ({1, 2}, "canonical.type"),
        ({"at": object()}, "canonical.type"),
        ({1: "a"}, "canonical.key"),
        ({None: "a"}, "canonical.key"),
        ({"é" * 9999: "a"}, "canonical.key"),
        (2**53, "canonical.integer"),
        (["\udcff"], "canonical.surrogate"),
    ],
)
def test_a_value_without_a_canonical_form_is_not_written(value: object, rule: str) -> None:
    assert refused_value(value) == rule


def test_a_refusal_says_so_in_one_short_sentence() -> None:
    with pytest.raises(NotCanonical) as caught:
        encode({"é" * 9999: "a"})
    assert len(caught.value.sentence) < 100
    assert caught.value.as_json()["error"] == {
        "code": "canonical",
        "rule": "canonical.key",
        "sentence": caught.value.sentence,
        "facts": {},
    }
