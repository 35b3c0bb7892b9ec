"""Many futures summed up: a percentile is one of them, and what was too little measured is named."""

from __future__ import annotations

import pytest

from orchestrator.inventory.model import Activity
from orchestrator.simulation.forecast import MEASURED_MIN, Future, Present
from orchestrator.simulation.measures import Measures, Tally
from orchestrator.simulation.percentiles import (
    HORIZON_S,
    activity_s,
    after_s,
    basis_of,
    burn_up,
    percentile,
    spread,
    times_s,
    won_s,
)
from tests.estates import function, names, small_estate, with_functions
from tests.forecast_ground import HOUR_S, SECOND, START_US, all_passed, lived, present

NOW = present()


def future(**hours: float) -> Future:
    """A future in which each function is back after so many hours; a site's under `function__site`."""
    functions: dict[str, dict[str, int]] = {name: {} for name in ("laboratory", "radiology")}
    for name, after_h in hours.items():
        one, _, site = name.partition("__")
        functions[one][site] = START_US + int(after_h * HOUR_S) * SECOND
    return Future(functions, False, 0, [])


def whole(*hosts_h: float) -> Future:
    """A future played to its end, with the hours after which hosts were in service."""
    hosts_us = [START_US + int(after_h * HOUR_S) * SECOND for after_h in hosts_h]
    return Future({}, True, hosts_us[-1] if hosts_us else START_US, hosts_us)


def restored(**many: int) -> Present:
    """The plan after so many measured restores by class."""
    work = {
        (name.replace("_", "-"), "restore"): Tally(count, 4.0 * count, 16.0 * count) for name, count in many.items()
    }
    return Present(NOW.state, Measures(work=work), START_US)


@pytest.mark.parametrize(("percent", "value"), [(10, 1), (11, 2), (50, 5), (90, 9), (100, 10), (1, 1)])
def test_a_percentile_is_one_of_the_futures(percent: int, value: int) -> None:
    assert percentile(list(range(10, 0, -1)), percent) == value


def test_one_future_is_its_own_band() -> None:
    assert spread([7]) == {"p10_s": 7, "p50_s": 7, "p90_s": 7}


def test_what_is_back_already_takes_nothing_and_what_never_comes_takes_until_the_horizon() -> None:
    assert after_s(NOW, START_US - 5 * SECOND) == 0
    assert after_s(NOW, START_US + 5 * SECOND) == 5
    assert after_s(NOW, 0) == HORIZON_S
    assert times_s(NOW, [future(laboratory=2), future()], "laboratory") == [2 * HOUR_S, HORIZON_S]


def test_a_site_may_be_later_than_the_function() -> None:
    told = [future(laboratory=2, laboratory__north=3)]
    assert times_s(NOW, told, "laboratory", "north") == [3 * HOUR_S]


def test_an_activity_waits_for_the_last_of_its_functions_at_its_site() -> None:
    activity = Activity(id="x", name=names("X"), functions=("laboratory", "radiology"), sites=("north", "south"))
    told = [future(laboratory=1, radiology=2, radiology__north=5), future(laboratory=1)]
    assert activity_s(NOW, told, activity, "north") == [5 * HOUR_S, HORIZON_S]
    assert activity_s(NOW, told, activity, "south") == [2 * HOUR_S, HORIZON_S], "no posts there: the whole function"


def test_before_a_restore_is_measured_a_forecast_rests_on_the_plan_alone() -> None:
    laboratory = NOW.state.estate.content.inventory.functions[0]
    basis = basis_of(NOW, laboratory)
    assert (basis.word, basis.measured, basis.lacking) == ("prior", 0, ("first-server", "server", "workstation"))


def test_a_class_is_measured_with_five_restores_or_with_all_there_are() -> None:
    laboratory = NOW.state.estate.content.inventory.functions[0]
    assert MEASURED_MIN == 5
    some = basis_of(restored(server=3), laboratory)
    assert (some.word, some.measured, some.lacking) == ("mixed", 0, ("first-server", "server", "workstation"))
    nearly = basis_of(restored(first_server=3, server=4, workstation=4), laboratory)
    assert (nearly.word, nearly.lacking) == ("mixed", ("workstation",))
    enough = basis_of(restored(first_server=3, server=4, workstation=5), laboratory)
    assert (enough.word, enough.measured, enough.lacking) == ("measured", 3, ())


def test_a_function_rests_on_the_waves_before_it_and_everything_on_all_of_them() -> None:
    content = with_functions(small_estate(), function("archive", "ad"))
    world = present(content)
    archive = next(one for one in content.inventory.functions if one.id == "archive")
    assert basis_of(world, archive).lacking == ("first-server",)
    assert basis_of(world).lacking == ("first-server", "server", "workstation")


def test_what_has_passed_its_gates_lacks_no_measure() -> None:
    done = lived(all_passed)
    bare = Present(done.state, Measures(), done.now_us)
    assert {basis_of(bare, one).word for one in done.state.estate.content.inventory.functions} == {"measured"}


def test_hours_won_are_the_middle_of_pairs_with_the_same_luck() -> None:
    assert won_s([10, 20, 30], [8, 25, 20]) == 2
    assert won_s([10, 20, 30], [10, 20, 30]) == 0
    assert won_s([10], [15]) == -5


def test_the_burn_up_counts_hosts_of_the_futures_played_to_their_end() -> None:
    curve = burn_up(NOW, [whole(1, 2, 3, 4), future(laboratory=1), whole(2, 4, 6, 8)], points=4)
    assert [point[0] for point in curve] == [0, 2 * HOUR_S, 4 * HOUR_S, 6 * HOUR_S, 8 * HOUR_S]
    assert curve[0][1:] == (0, 0, 0)
    assert curve[2][1:] == (2, 2, 4)
    assert curve[-1][1:] == (4, 4, 4)


def test_a_hospital_of_which_nothing_comes_back_has_a_flat_picture() -> None:
    assert burn_up(NOW, [whole()], points=2) == [(0, 0, 0, 0)] * 3
