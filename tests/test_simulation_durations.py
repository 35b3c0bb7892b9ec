"""How long work takes: the plan's figure in the middle, and never less than a second."""

from __future__ import annotations

from statistics import median

import pytest

from orchestrator.decision.estate import Estate
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import SECOND, WORK, WORK_NUMBER, Durations, drawn_us, planned_s, remaining_us
from tests.estates import host_class
from tests.storyline import hospital


def test_the_plan_says_what_work_takes_unless_something_was_measured() -> None:
    klass = host_class("server")
    assert planned_s(klass, "verdict") == klass.reading_s
    assert planned_s(klass, "restore") == klass.duration_s.restore
    durations = Durations(medians_s={("server", "restore"): 17.0}, sigmas={"inspect": 0.9})
    assert durations.median_s("server", "restore", 900.0) == 17.0
    assert durations.median_s("first", "restore", 900.0) == 900.0
    assert (durations.spread("inspect"), durations.spread("restore")) == (0.9, 0.3)


def test_a_table_holds_every_work_of_every_group_of_hosts() -> None:
    content = hospital()
    estate = Estate(content, derive(content))
    tables = Durations().tables(estate)
    assert [len(table) for table in tables] == [len(WORK)] * len(estate.groups)
    klass = estate.groups[0].klass
    for work in WORK:
        assert tables[0][WORK_NUMBER[work]] == (planned_s(klass, work) * SECOND, 0.3)


@pytest.mark.parametrize("median_s", [60, 7200])
def test_the_plan_s_figure_is_the_median(median_s: int) -> None:
    chance = Chance(1)
    drawn = [drawn_us(median_s * SECOND, 0.3, chance.normal(number)) for number in range(2001)]
    assert abs(median(drawn) / (median_s * SECOND) - 1) < 0.05
    assert min(drawn) < 0.6 * median_s * SECOND < 1.6 * median_s * SECOND < max(drawn)


def test_everything_takes_some_time() -> None:
    assert drawn_us(0.0, 0.3, 0.0) == 1
    assert drawn_us(5 * SECOND, 0.3, -40.0) > 0


def test_work_that_has_lasted_long_already_is_not_over_at_once() -> None:
    of = (3600.0 * SECOND, 0.3)
    fresh = [remaining_us(of, 0, luck / 10) for luck in range(10)]
    late = [remaining_us(of, 7200 * SECOND, luck / 10) for luck in range(10)]
    assert fresh == sorted(fresh)
    assert min(late) >= 1
    assert median(late) < median(fresh), "what is left is less than the whole"
    assert len(set(fresh)) == 10, "what has just begun is drawn as well"
    assert remaining_us((3600.0 * SECOND, 0.0), 600 * SECOND, 0.5) == 3000 * SECOND
    assert remaining_us((3600.0 * SECOND, 0.0), 7200 * SECOND, 0.5) == 1
