"""Mistakes are made one at a time and taken back; what is missed ends with 1. `make seeing` plays them all."""

from __future__ import annotations

import json

import pytest

from orchestrator.decision import (
    admit,
    apply,
    blockers,
    capacity,
    decide,
    findings,
    gates,
    invariants,
    life,
    lots,
    orders,
    quorum,
    recount,
    witness,
    witness_books,
    witness_orders,
)
from orchestrator.decision.state import State
from tests import seeing
from tests.deliberate_faults import MISTAKES, made


def _core() -> list[object]:
    found: list[object] = list(vars(State).values())
    for module in (admit, apply, blockers, capacity, decide, findings, gates, life, lots, orders, quorum):
        for value in vars(module).values():
            found += value.values() if isinstance(value, dict) else [value]
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_changes_the_core_and_is_taken_back(name: str) -> None:
    before = _core()
    with made(MISTAKES[name]):
        assert any(one is not other for one, other in zip(before, _core(), strict=True))
    assert all(one is other for one, other in zip(before, _core(), strict=True))


def test_who_watches_keeps_the_right_functions() -> None:
    for watcher in (invariants, recount, witness, witness_books, witness_orders):
        right = vars(watcher).copy()
        for name in MISTAKES:
            with made(MISTAKES[name]):
                assert all(vars(watcher)[key] is value for key, value in right.items()), name


def test_what_is_caught_is_told_on_the_way_and_summed_in_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert seeing.main(["pool released twice"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("pool released twice: seed ")
    document = json.loads(said.out)
    assert (document["mistakes"], document["missed"]) == (1, [])
    assert set(document["caught"][0]) == {"mistake", "seed", "invariant", "sentence", "cpu_s"}


def test_what_no_seed_sees_is_missed_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert seeing.main(["pool released twice", "--seeds", "0"]) == 1
    assert "MISSED" in capsys.readouterr().err


def test_a_disaster_that_ends_badly_without_the_mistake_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "_is_clean", lambda setting: False)
    assert seeing.main(["pool released twice", "--seeds", "1"]) == 1
