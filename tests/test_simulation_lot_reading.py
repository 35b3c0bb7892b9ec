"""Invented analysts judge workstations by lots: a sample is read, one signs for the rest, and nobody waits for that."""

from __future__ import annotations

from functools import cache

from orchestrator.decision.events import Judged, Ordered
from orchestrator.plans.model import Content
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.lot_reading import LotReading
from orchestrator.simulation.scenario import Outcome, Setting, played
from orchestrator.simulation.world import World
from tests.storyline import Tell
from tests.test_decision_lots import POSTS, bench, made, opened

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


class Analysts:
    """Nobody who reads: only whom they are asked to read first is noted."""

    def __init__(self) -> None:
        self.first: list[tuple[int, int]] = []

    def want(self, host: int) -> None:
        raise AssertionError("nobody was signed for")

    def want_first(self, host: int, other: int) -> None:
        self.first.append((host, other))

    def assign(self) -> None:
        raise AssertionError("nobody was signed for")


def test_lots_are_opened_signed_for_and_spare_readings() -> None:
    opened = [one.subject for one, _ in told().journal if isinstance(one, Ordered) and one.kind == "lot.open"]
    assert set(opened) == {host.site for host in CONTENT.inventory.hosts if host.id in BY_LOT}
    named = {host for one in statements(told()) for host in one.inspections}
    assert named
    assert named <= BY_LOT
    assert read(told()) < read(told(lots=False))
    assert statements(told(lots=False)) == []


def test_who_waits_for_the_sample_has_it_read_as_urgently_as_itself_or_is_read_at_once(tell: Tell) -> None:
    """Found by a forecast: urgent posts waited until the sample, posts nobody needed yet, had its turn."""
    story = made(opened(bench(tell)), *POSTS)
    world, analysts = World(story.state, story.now_us, Chance(1)), Analysts()
    reading = LotReading(world, set())
    one, other, third, fourth = (story.host(name) for name in POSTS[:4])
    assert not reading.takes(analysts, one, "analyst-1"), "it was drawn"
    assert not reading.takes(analysts, third, "analyst-1"), "two would have to be read for it alone"
    story.verdicts("ws-1", "analyst-1", "analyst-2").whatever()
    assert reading.takes(analysts, third, "analyst-1")
    assert analysts.first == [(other, third)]
    story.verdicts("ws-4", "analyst-1").whatever()
    assert not reading.takes(analysts, fourth, "analyst-2"), "one has read it already"
    story.verdicts("ws-1", "analyst-1", verdict="INFECTED").whatever()
    assert not reading.takes(analysts, third, "analyst-1"), "its lot is condemned"


def test_an_infected_host_condemns_its_lot_and_all_come_back_read_one_by_one() -> None:
    outcome = told(infected=0.08)
    assert outcome.happened["infected"]
    assert statements(outcome)
