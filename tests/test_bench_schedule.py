"""The rivals of the schedule bench obey the rules they are named after, and leave the core as they found it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.barriers import ClassByClass, StrictWaves, depths
from bench.rivals import OURS, RIVALS, Rival
from bench.schedule import EVERYTHING, SETTLED, Case, bound_hours, cases, first_entries, kept_rows, play, summary
from orchestrator.decision import blockers, capacity, course
from orchestrator.decision.commands import EnterService
from orchestrator.decision.estate import Estate
from orchestrator.decision.state import State
from orchestrator.plans import priority
from orchestrator.plans.files import usable
from orchestrator.plans.waves import derive
from orchestrator.simulation.folding import folded
from orchestrator.simulation.scale import scaled
from tests.estates import small_estate

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def case() -> Case:
    """A small excerpt of the reference hospital."""
    return next(iter(cases(scaled(usable(ROOT), 60), 7, 1)))


def test_every_rival_brings_everything_back_and_none_before_the_bound(case: Case) -> None:
    bound = bound_hours(case, folded(case.content, case.plan))
    for rival in RIVALS:
        hours = play(case, rival)
        assert {EVERYTHING, SETTLED} <= hours.keys(), rival.name
        assert all(hours[each] >= bound[each] for each in hours), rival.name


def test_everything_was_back_though_a_host_was_recalled_afterwards() -> None:
    world: Any = SimpleNamespace(now_us=0, hears={})
    found = first_entries(world)
    for host, world.now_us in (("ad-1", 7), ("lis-1", 8), ("ad-1", 20)):
        for hear in world.hears[EnterService]:
            hear(EnterService(host))
    assert found == {"ad-1": 7, "lis-1": 8}


def test_the_same_luck_gives_the_same_hours_whoever_played_before(case: Case) -> None:
    first = play(case, OURS)
    play(case, RIVALS[1])
    assert play(case, OURS) == first


def test_a_rival_that_breaks_off_leaves_the_core_as_it_was(case: Case) -> None:
    before = (blockers.wave_blockers, capacity.take, course.choose_anew, priority.chain_s)

    class Broken(StrictWaves):
        def opened(self) -> tuple[int, ...]:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        play(case, Rival("broken", barrier=Broken, instead=((course, "choose_anew", print),)))
    assert before == (blockers.wave_blockers, capacity.take, course.choose_anew, priority.chain_s)


def test_strict_waves_open_with_the_gates_before_them() -> None:
    content = small_estate()
    state = State(Estate(content, derive(content)))
    barrier = StrictWaves(state)
    assert {state.estate.waves[wave].name for wave in range(len(state.waves))} >= {"foundations", "laboratory/slice"}
    opened = {state.estate.hosts[host] for host in barrier.opened()}
    assert "ad-1" in opened
    assert "lis-1" not in opened
    lis = state.estate.host_number["lis-1"]
    assert barrier.shut(lis)
    state.waves[state.estate.wave_number["foundations"]].passed_us = 1
    barrier.opened()
    assert not barrier.shut(lis)


def test_classes_come_one_after_the_other_and_what_is_needed_before_what_needs_it() -> None:
    content = small_estate()
    estate = Estate(content, derive(content))
    depth = dict(zip(estate.hosts, depths(estate), strict=True))
    assert depth["ad-1"] < depth["backup-1"] < depth["lis-1"]
    barrier = ClassByClass(State(estate))
    opened = {estate.hosts[host] for host in barrier.opened()}
    assert opened == {"ad-1", "ad-2"}
    assert barrier.shut(estate.host_number["backup-1"])


def test_a_summary_compares_only_what_both_brought_back(tmp_path: Path) -> None:
    rows = [
        {"estate": "reference", "seed": 1, "cpu_s": 1.0, "bound": {"laboratory": 8.0}, "hours": hours}
        for hours in (
            {"ours": {"laboratory": 10.0, "settled": 20.0}, "rival": {"laboratory": 15.0, "settled": 20.0}},
            {"ours": {"laboratory": 10.0, "settled": 20.0}, "rival": {}},
        )
    ]
    told = summary(rows)
    assert told["over_ours"]["rival"]["laboratory"] == {  # type: ignore[index]
        "median": 1.5, "p10": 1.5, "p90": 1.5, "mean": 1.5, "estates": 1,
    }  # fmt: skip
    assert told["unfinished"] == {"rival": 1}
    assert kept_rows(tmp_path / "nothing") == {}
