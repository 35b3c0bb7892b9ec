"""Events and commands become journal bodies and come back the same, or not at all."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from orchestrator.decision.codec import KINDS, decode, encode, kind_of
from orchestrator.decision.commands import PassGate
from orchestrator.decision.events import Finished, Woke
from orchestrator.errors import Unusable

SAMPLES: dict[str, Any] = {
    "str": "x",
    "int": 7,
    "bool": True,
    "list[str]": ["a", "b"],
    "dict[str, str]": {"lis-1": "lis-1/inspect/1"},
    "dict[str, Json]": {"k": [1, None]},
    "dict[str, list[int]]": {"laboratory": [10, 20, 30]},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_record_comes_back_as_it_was_written(kind: str) -> None:
    entry = KINDS[kind](**{field.name: SAMPLES[str(field.type)] for field in fields(KINDS[kind])})
    name, body = encode(entry)
    assert name == kind
    assert body["v"] == 1
    assert decode(kind, body) == entry


def test_kinds_are_named_after_what_they_are() -> None:
    assert kind_of(PassGate) == "pass_gate"
    assert kind_of(Woke) == "woke"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("exploded", {}),
        ("finished", {"v": 2}),
        ("finished", {"v": None}),
        ("finished", {"colour": "red"}),
        ("finished", {"action": ...}),
        ("finished", {"action": ..., "deed": "x"}),
    ],
)
def test_a_record_of_another_relance_is_refused(kind: str, change: dict[str, Any]) -> None:
    _, body = encode(Finished("lis-1/restore/1", "ok"))
    changed: dict[str, Any] = {**body, **change}
    with pytest.raises(Unusable):
        decode(kind, {name: value for name, value in changed.items() if value is not ...})
