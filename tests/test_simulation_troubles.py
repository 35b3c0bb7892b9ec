"""Troubles happen, every kind of them, and each has luck of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from functools import cache

from orchestrator.decision.events import Jumped, Ordered
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import ALL, NONE, Faults
from orchestrator.simulation.scenario import Outcome, Setting, played, setting_of, strikes
from tests.disasters import unwatched

KINDS = {
    "hold", "freeze", "revoke", "indicators", "grow", "drought", "reorder", "move t0", "replace", "recall", "relapse",
    "jump", "withdraw", "exclude", "scrap", "declare", "exception", "split", "waive", "go around", "dispatch", "lower",
    "drop", "burn",
}  # fmt: skip
ORDERS = {
    "wave.hold", "wave.resume", "freeze", "thaw", "roster.revoke", "roster.add", "indicators.force", "content.change",
    "functions.order", "fact.t0", "host.retry", "host.recall", "host.isolate", "clock.confirm", "fact.withdraw",
    "host.exclude", "host.take-back", "host.declare", "host.exception", "wave.split", "fact.waiver",
    "wave.after-removed", "service.lower-k", "service.drop-need",
}  # fmt: skip
CONTENT = invented(2, 40)


@cache
def forty() -> tuple[Outcome, ...]:
    """Forty disasters of a day, with everything that can go wrong."""
    with unwatched():
        return tuple(played(replace(setting_of(seed, ALL, 40), days=1)) for seed in range(1000, 1040))


def test_no_trouble_breaks_a_promise_and_all_come_back() -> None:
    assert [(one.violation, one.not_live) for one in forty()] == [(None, [])] * 40


def test_every_kind_of_trouble_strikes() -> None:
    struck = Counter(name for outcome in forty() for _, name in outcome.troubles)
    assert set(struck) == KINDS
    assert min(struck.values()) >= 2, struck


def test_every_kind_of_fault_happens() -> None:
    happened = sum((one.happened for one in forty()), Counter[str]())
    kinds = {field.name for field in fields(Faults)} - {"fails", "troubles"} | {"failed", "ok", "no-hit"}
    assert kinds == set(happened)
    assert min(happened.values()) >= 2, happened


def test_every_order_that_troubles_and_their_answers_need_is_given() -> None:
    given = {one.kind for outcome in forty() for one, _ in outcome.journal if isinstance(one, Ordered)}
    assert given >= ORDERS


def test_new_indicator_sets_come_about_three_a_day() -> None:
    sets = [one for outcome in forty() for _, one in outcome.troubles if one == "indicators"]
    assert 1.5 < len(sets) / 40 < 4.5


def test_the_inventory_doubles_now_and_then() -> None:
    grown = [len({entry.target for entry, _ in outcome.journal if hasattr(entry, "target")}) for outcome in forty()]
    assert max(grown) > 80


def test_the_clock_jumps_both_ways() -> None:
    jumps = {one.delta_us > 0 for outcome in forty() for one, _ in outcome.journal if isinstance(one, Jumped)}
    assert jumps == {True, False}


def test_without_troubles_nothing_strikes() -> None:
    assert list(strikes(Setting(2, CONTENT, NONE))) == []
    assert played(Setting(2, CONTENT, NONE)).troubles == []


def test_leaving_one_trouble_out_moves_no_other() -> None:
    setting = Setting(2, CONTENT, replace(NONE, troubles=6.0))
    every = list(strikes(setting))
    fewer = list(strikes(replace(setting, skip=frozenset((1,)))))
    assert fewer == [every[0], *every[2:]]
    told, less = played(setting).troubles, played(replace(setting, skip=frozenset((1,)))).troubles
    assert [name for _, name in less][:1] + [name for _, name in told][1:2] + [name for _, name in less][1:] == [
        name for _, name in told
    ]
