"""Invented analysts judge workstations by lots: a sample is read, one signs for the rest, and nobody waits for that."""

from __future__ import annotations

from functools import cache

from orchestrator.decision.commands import PassGate
from orchestrator.decision.events import Judged, Ordered
from orchestrator.plans.model import Content
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.scenario import Outcome, Setting, played

SEED = next(seed for seed in range(1, 40) if any(one.lots for one in invented(seed, 60).classes))
CONTENT = invented(SEED, 60)
BY_LOT = {host.id for host in CONTENT.inventory.hosts for one in CONTENT.classes if one.lots and host.klass == one.id}


def without_lots() -> Content:
    classes = tuple(one.model_copy(update={"lots": False}) for one in CONTENT.classes)
    return CONTENT.model_copy(update={"classes": classes})


@cache
def told(*, lots: bool = True, **faults: float) -> Outcome:
    outcome = played(Setting(SEED, CONTENT if lots else without_lots(), Faults(**faults), days=2))
    assert (outcome.violation, outcome.not_live) == (None, [])
    return outcome


def statements(outcome: Outcome) -> list[Judged]:
    """What was said of whole lots."""
    said = [one for one, _ in outcome.journal if isinstance(one, Judged) and one.verdict == "CLEAN"]
    return [one for one in said if len(one.inspections) > 1]


def read(outcome: Outcome) -> int:
    return sum(isinstance(one, Judged) for one, _ in outcome.journal)


def first_gate_us(outcome: Outcome) -> int:
    return next(at_us for one, at_us in outcome.journal if isinstance(one, PassGate) and "/" in one.wave)


def test_lots_are_opened_signed_for_and_spare_readings() -> None:
    opened = [one.subject for one, _ in told().journal if isinstance(one, Ordered) and one.kind == "lot.open"]
    assert set(opened) == {host.site for host in CONTENT.inventory.hosts if host.id in BY_LOT}
    named = {host for one in statements(told()) for host in one.inspections}
    assert named
    assert named <= BY_LOT
    assert read(told()) < read(told(lots=False))
    assert statements(told(lots=False)) == []


def test_what_waits_for_its_lot_does_not_keep_the_first_function_waiting() -> None:
    """Found by a forecast: urgent posts waited until the sample, of posts nobody needed yet, had its turn."""
    hour_us = 3_600_000_000
    assert first_gate_us(told()) <= first_gate_us(told(lots=False)) + 2 * hour_us


def test_an_infected_host_condemns_its_lot_and_all_come_back_read_one_by_one() -> None:
    outcome = told(infected=0.08)
    assert outcome.happened["infected"]
    assert statements(outcome)
