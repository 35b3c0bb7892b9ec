"""What is believed before a future is played: the plan's figures, moved by what was measured, with their doubt."""

from __future__ import annotations

from math import log, sqrt

import pytest

from orchestrator.decision.estate import Estate
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.measures import Measures, Tally
from orchestrator.simulation.outlook import LEFT_THEN, Outlook, left_to_come
from tests.estates import small_estate
from tests.forecast_ground import SECOND, START_US, all_passed, lived, lived_s

CONTENT = small_estate()
ESTATE = Estate(CONTENT, derive(CONTENT))
PLANNED_S = 60  # of every restore of the small estate


def measured(klass: str, *spent_s: float, work: str = "restore") -> Measures:
    measures = Measures(work={(klass, work): Tally()})
    for one in spent_s:
        measures.work[klass, work].add(one)
    return measures


def spread_of(outlook: Outlook, klass: str) -> float:
    """How far apart the medians of many futures lie."""
    drawn = [log(outlook.drawn(Chance(seed), START_US).medians_s[klass, "restore"]) for seed in range(200)]
    mean = sum(drawn) / len(drawn)
    return sqrt(sum((one - mean) ** 2 for one in drawn) / len(drawn))


def test_before_anything_is_measured_the_plans_figures_are_believed() -> None:
    outlook = Outlook(ESTATE, Measures())
    assert outlook.median_s("server", "restore") == pytest.approx(PLANNED_S)
    assert outlook.median_s("server", "verdict") == pytest.approx(CONTENT.classes[1].reading_s)
    assert {one.measured for one in outlook.beliefs.values()} == {0}


def test_slow_restores_of_one_class_move_it_most_and_the_others_a_little() -> None:
    outlook = Outlook(ESTATE, measured("server", *[4 * PLANNED_S] * 20))
    assert 3.5 * PLANNED_S < outlook.median_s("server", "restore") < 4.05 * PLANNED_S
    assert PLANNED_S < outlook.median_s("workstation", "restore") < 2.5 * PLANNED_S
    assert outlook.beliefs["server", "restore"].measured == 20


def test_more_measurements_narrow_the_band() -> None:
    bands = [spread_of(Outlook(ESTATE, measured("server", *[PLANNED_S] * many)), "server") for many in (0, 3, 30, 300)]
    assert bands == sorted(bands, reverse=True)
    assert bands[-1] < bands[0]
    sigmas = [Outlook(ESTATE, measured("server", *[60] * many)).beliefs["server", "restore"].sigma for many in (0, 9)]
    assert sigmas[1] < sigmas[0] / 2


def test_durations_that_scatter_make_every_class_scatter() -> None:
    steady = Outlook(ESTATE, measured("server", *[PLANNED_S] * 40))
    wild = Outlook(ESTATE, measured("server", *[PLANNED_S / 5, PLANNED_S * 5] * 20))
    assert steady.sigmas["restore"] < Outlook(ESTATE, Measures()).sigmas["restore"] < wild.sigmas["restore"]
    assert wild.sigmas["inspect"] == steady.sigmas["inspect"]


def test_hosts_that_end_together_scatter_little_in_a_future_and_its_batches_are_late_or_early_together() -> None:
    alone, batched = measured("server"), measured("server")
    for batch in range(10):
        for _ in range(4):
            spent_s = PLANNED_S * (0.5 if batch % 2 else 2)
            alone.work["server", "restore"].add(spent_s)
            batched.work["server", "restore"].add(spent_s, batch + 1)
    apart, together = Outlook(ESTATE, alone), Outlook(ESTATE, batched)
    assert together.sigmas["restore"] < apart.sigmas["restore"] / 3
    assert together.beliefs["server", "restore"].sigma > apart.beliefs["server", "restore"].sigma
    assert together.median_s("server", "restore") == pytest.approx(apart.median_s("server", "restore"))


def test_what_no_measure_foretells_goes_as_hosts_come_into_service() -> None:
    measures = measured("server", *[PLANNED_S] * 300)
    outlooks = [Outlook(ESTATE, measures, left) for left in (1.0, LEFT_THEN, 0.5, 0.1, 0.0)]
    bands = [spread_of(outlook, "server") for outlook in outlooks]
    assert bands[0] == bands[1] > bands[2] > bands[3] > bands[4]
    medians = [
        sorted(one.drawn(Chance(seed), START_US).medians_s["server", "restore"] for seed in range(99))[49]
        for one in outlooks
    ]
    assert medians[0] > medians[2] > medians[3] > medians[4]
    assert medians[4] == pytest.approx(PLANNED_S, rel=0.05)
    assert [one.drawn(Chance(1), START_US).drift > 0 for one in outlooks] == [True, True, True, True, False]


def test_hosts_left_to_come_are_those_of_a_wave_that_are_not_in_service() -> None:
    assert left_to_come(lived_s(0).present.state) == 1.0
    shares = [left_to_come(lived_s(lived(all_passed).spent_s * part // 10).present.state) for part in (3, 6, 9)]
    assert shares[0] >= shares[1] > shares[2] > 0
    state = lived(all_passed).present.state
    state.wave_of = [-1] * len(state.wave_of)
    assert left_to_come(state) == 0.0


def test_polls_take_as_planned_until_hosts_came_into_service_sooner() -> None:
    planned = {"class:server": (200 * SECOND, 0), "service:lis": (100 * SECOND, 300 * SECOND)}
    measures = Measures(serving={"server": Tally(), "museum": Tally()})
    measures.serving["museum"].add(1)
    assert Outlook(ESTATE, measures).waits(planned)["class:server"] == (200 * SECOND, 0)
    for _ in range(200):
        measures.serving["server"].add(100)
    waits = Outlook(ESTATE, measures).waits(planned)
    assert 100 * SECOND < waits["class:server"][0] < 110 * SECOND
    assert waits["service:lis"] == (25 * SECOND, 300 * SECOND), "it answers since its hosts do"


def test_a_service_that_is_asked_more_seldom_than_its_hosts_is_waited_for_after_them() -> None:
    planned = {"class:server": (100 * SECOND, 0), "service:lis": (300 * SECOND, 0)}
    assert Outlook(ESTATE, Measures()).waits(planned) == {**planned, "service:lis": (200 * SECOND, 0)}
    assert Outlook(ESTATE, Measures()).waits({"service:lis": (300 * SECOND, 0)}) == {"service:lis": (300 * SECOND, 0)}


def test_measures_of_a_class_that_content_has_lost_since_move_nobody() -> None:
    assert Outlook(ESTATE, measured("museum", 9999)).median_s("server", "restore") == pytest.approx(PLANNED_S)


def test_what_failed_and_what_readers_said_is_expected_again() -> None:
    before = Outlook(ESTATE, Measures()).faults
    after = Outlook(
        ESTATE,
        Measures(ended={"restore": 100}, failed={"restore": 50}, verdicts={"CLEAN": 80, "SUSPECT": 15, "INFECTED": 5}),
    ).faults
    assert before.fails < after.fails < 0.5
    assert before.suspect < after.suspect < 0.15
    assert before.infected < after.infected < 0.05
    assert before.troubles == after.troubles == 0


def test_the_same_future_draws_the_same_and_another_draws_other_medians() -> None:
    outlook = Outlook(ESTATE, measured("server", 50, 70))
    assert outlook.drawn(Chance(3), START_US) == outlook.drawn(Chance(3), START_US)
    assert outlook.drawn(Chance(3), START_US) != outlook.drawn(Chance(4), START_US)


def test_classes_that_were_never_measured_share_a_part_of_their_doubt() -> None:
    outlook = Outlook(ESTATE, Measures())
    drawn = [outlook.drawn(Chance(seed), START_US).medians_s for seed in range(300)]
    pairs = [(log(one["server", "restore"]), log(one["workstation", "restore"])) for one in drawn]
    means = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    assert sum((one - means[0]) * (other - means[1]) for one, other in pairs) > 0
