"""The document of a forecast, the present it starts from, and past forecasts beside what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from orchestrator.decision.events import Epoch, Forecasted
from orchestrator.decision.stages import Stage
from orchestrator.errors import Unusable
from orchestrator.interfaces import documents_foreseen as foreseen
from orchestrator.interfaces import forecasting
from orchestrator.interfaces.forecasting import Past
from orchestrator.plans.files import usable
from orchestrator.simulation.forecast import Forecaster, Future, Present, futures
from orchestrator.simulation.percentiles import HORIZON_S
from tests.estates import FUNCTIONS, small_estate
from tests.forecast_ground import HOUR_S, SECOND, START_US, all_passed, lived, lived_s, present, state_folder
from tests.small_estate import SMALL

RUNS = 6


def document(world: Present, by_s: int | None = None) -> dict[str, Any]:
    """The forecast of a present, in its shape."""
    forecaster = Forecaster(world)
    found = forecasting.document(forecaster, list(futures(forecaster, RUNS, lambda _: None)), by_s)
    shape: TypeAdapter[foreseen.Forecast] = TypeAdapter(foreseen.Forecast)
    assert dict(shape.validate_python(found, strict=True)) == found
    return found


def test_every_function_has_numbers_a_bound_and_what_it_rests_on_even_before_anything_is_measured() -> None:
    found = document(present())
    assert list(found["functions"]) == list(FUNCTIONS)
    for one in (*found["functions"].values(), found["everything"]):
        assert 0 < one["bound_s"] <= one["p10_s"] <= one["p50_s"] <= one["p90_s"]
        assert (one["basis"], one["measured"]) == ("prior", 0)
        assert one["lacking"]
    assert found["functions"]["radiology"]["sites"].keys() == {"north", "south"}
    assert (found["runs"], found["as_of_us"]) == (RUNS, START_US)


def test_a_bound_that_a_future_has_beaten_is_none() -> None:
    """It takes the durations that are believed, and a future may draw shorter ones."""
    world = present()
    forecaster = Forecaster(world)
    functions, _ = forecasting.bounds_of(forecaster)
    lucky = Future({name: {"": START_US + 60 * SECOND} for name in FUNCTIONS}, True, START_US + 90 * SECOND, [])
    found = forecasting.document(forecaster, [lucky], None)
    assert functions["laboratory"].bound_s > 60
    period_s = world.state.estate.content.restart.timing.sweep_s  # the slowest probe's: nobody sees more finely
    assert {one["bound_s"] for one in found["functions"].values()} == {60 - period_s}
    assert found["everything"]["bound_s"] == 90 - period_s


def test_a_band_is_never_narrower_than_what_probes_can_see() -> None:
    """Futures agree to the second where little is left, and the truth is read at the next poll."""
    world = present()
    period_s = world.state.estate.content.restart.timing.sweep_s
    assert max(one.interval_s for one in world.state.estate.content.checks) <= period_s
    assert forecasting.band(world, [70] * 9) == {"p10_s": 70 - period_s, "p50_s": 70, "p90_s": 70 + period_s}
    assert forecasting.band(world, [1] * 9) == {"p10_s": max(0, 1 - period_s), "p50_s": 1, "p90_s": 1 + period_s}


def test_what_is_back_and_what_never_comes_has_no_band() -> None:
    for certain_s in (0, HORIZON_S):
        assert set(forecasting.band(present(), [certain_s] * 9).values()) == {certain_s}


def test_everything_is_never_back_before_a_function() -> None:
    found = document(lived_s(9 * HOUR_S).present)
    for name in ("p10_s", "p50_s", "p90_s", "bound_s"):
        assert found["everything"][name] >= max(one[name] for one in found["functions"].values())


def test_the_basis_goes_from_the_plan_to_what_was_measured() -> None:
    end_s = lived(all_passed).spent_s
    words = [document(lived_s(end_s * part // 10).present)["everything"]["basis"] for part in (0, 3, 9)]
    assert words == ["prior", "mixed", "measured"]


def test_what_is_back_is_zero_and_its_bound_too() -> None:
    world = lived(
        lambda one: all_passed(one) and len(one.state.in_service_us) == sum(map(bool, one.state.in_service_us))
    )
    found = document(world.present)
    assert {one["p90_s"] for one in found["functions"].values()} == {0}
    assert {one["bound_s"] for one in found["functions"].values()} == {0}


@pytest.mark.parametrize("part", [2, 6, 9])
def test_a_restart_that_goes_as_planned_never_beats_the_bound_told_on_the_way(part: int) -> None:
    content = small_estate()
    done = lived(all_passed, content)
    at_s = done.spent_s * part // 10
    bounds, _ = forecasting.bounds_of(Forecaster(lived_s(at_s, content).present))
    for name, bound in bounds.items():
        passed_us = next(
            wave.passed_us
            for one, wave in zip(done.state.estate.waves, done.state.waves, strict=True)
            if one.name == f"{name}/slice"
        )
        # The bound takes the medians that are believed, which lie near the planned ones.
        assert bound.bound_s <= max(0, (passed_us - START_US) // SECOND - at_s) * 1.1, name


def test_a_host_has_still_to_do_what_its_stage_has_not_seen() -> None:
    state = present().state
    lis = state.estate.host_number["lis-1"]
    whole = ("preserve", "restore", "inspect", "verdict", "verdict", "reconnect", "check")
    assert forecasting.steps_left(state, lis) == whole
    assert not forecasting.stage_left(state, lis)
    for stage, left in (
        (Stage.PRESERVED, ("preserve", *whole[1:])),
        (Stage.RESTORING, whole[2:]),
        (Stage.RESTORED, whole[2:]),
        (Stage.INSPECTED, whole[3:]),
        (Stage.RECONNECTING, ("check",)),
        (Stage.RELEASED, ("check",)),
        (Stage.IN_SERVICE, ()),
    ):
        state.stage[lis] = stage
        assert forecasting.stage_left(state, lis)
        assert forecasting.steps_left(state, lis) == left, stage


def test_an_activity_waits_for_all_it_needs_and_has_a_chance_by_a_time_asked_for() -> None:
    world = lived_s(9 * HOUR_S).present
    found = document(world)
    visits = found["activities"]["consultations"]
    assert visits["functions"] == list(FUNCTIONS)
    assert visits["bound_s"] == max(one["bound_s"] for one in found["functions"].values())
    assert "chance_percent" not in visits["sites"]["north"]
    chances = [document(world, by_s)["activities"]["consultations"]["sites"]["north"] for by_s in (0, 100 * HOUR_S)]
    assert [one["chance_percent"] for one in chances] == [0, 100]


def test_an_estate_without_functions_has_a_forecast_of_everything() -> None:
    content = small_estate(order=(), pinned=())
    bare = {"functions": (), "activities": ()}
    found = document(present(content.model_copy(update={"inventory": content.inventory.model_copy(update=bare)})))
    assert found["functions"] == {}
    assert found["everything"]["p90_s"] > 0


def test_a_journal_gives_the_present_at_its_last_record(tmp_path: Path) -> None:
    world = lived_s(5 * HOUR_S, usable(SMALL))
    read, past = forecasting.from_journal(state_folder(tmp_path / "state", world.records))
    assert past == []
    assert read.state.digest() == world.state.digest()
    assert read.measures.work == world.measures.work
    assert read.now_us == world.records[-1][0]
    assert document(read)["functions"]["laboratory"]["p50_s"] > 0


def test_past_forecasts_move_with_a_clock_that_was_corrected(tmp_path: Path) -> None:
    world = lived_s(5 * HOUR_S, usable(SMALL))
    at_us = world.state.at_us
    said = Forecasted(20, {"laboratory": [1, 2, 3]})
    kept = forecasting.from_journal(state_folder(tmp_path / "a", [*world.records, (at_us, said)]))[1]
    assert kept == [Past(at_us, {"laboratory": [1, 2, 3]})]
    back = (at_us - HOUR_S * SECOND, Epoch(-HOUR_S * SECOND))
    moved = forecasting.from_journal(state_folder(tmp_path / "b", [*world.records, (at_us, said), back]))[1]
    assert moved == [Past(at_us - HOUR_S * SECOND, {"laboratory": [1, 2, 3]})]


def test_a_folder_without_an_incident_has_no_present(tmp_path: Path) -> None:
    assert not forecasting.began(tmp_path)
    with pytest.raises(Unusable):
        forecasting.from_journal(tmp_path)


def test_past_forecasts_are_compared_with_when_functions_came_back() -> None:
    world = lived(all_passed).present
    came_s = {name: _came_s(world, name) for name in FUNCTIONS}
    right = {name: [at_s - 10, at_s, at_s + 10] for name, at_s in came_s.items()}
    wrong = {"laboratory": [1, 2, 3]}
    gone = {"alchemy": [1, 2, 3]}
    late = Past(world.now_us + SECOND, {"laboratory": [1, 2, 3]})
    found = forecasting.scores(world, [Past(START_US, right), Past(START_US, wrong), Past(START_US, gone), late])
    assert TypeAdapter(foreseen.Score).validate_python(found, strict=True) == found
    assert (found["forecasts"], found["compared"], found["inside"]) == (4, 4, 3)
    assert [row["inside"] for row in found["rows"]] == [True, True, True, False]
    assert found["rows"][0]["came_s"] == came_s["laboratory"]


def _came_s(world: Present, name: str) -> int:
    row = forecasting.scores(world, [Past(START_US, {name: [0, 0, 0]})])["rows"][0]
    return int(row["came_s"])


def test_what_is_not_back_yet_is_not_compared_while_its_band_lasts() -> None:
    world = lived_s(HOUR_S).present
    found = forecasting.scores(world, [Past(START_US, {"laboratory": [1, 2, 10 * HOUR_S]})])
    assert (found["forecasts"], found["compared"], found["rows"]) == (1, 0, [])


def test_a_function_that_is_not_back_though_its_band_is_over_counts_against_the_forecast() -> None:
    world = lived_s(HOUR_S).present
    found = forecasting.scores(world, [Past(START_US, {"laboratory": [1, 2, 3]})])
    assert TypeAdapter(foreseen.Score).validate_python(found, strict=True) == found
    assert (found["compared"], found["inside"], found["rows"][0]["back"]) == (1, 0, False)
    assert found["rows"][0]["came_s"] == (world.state.at_us - START_US) // SECOND


def test_a_question_is_answered_for_each_function_and_for_everything() -> None:
    world = present()
    played = list(futures(Forecaster(world), RUNS, lambda _: None))
    times = forecasting.all_times(world, played)
    assert times.keys() == {*FUNCTIONS, "everything"}
    found = forecasting.compared("nothing", times, times)
    assert found == {"what_if": "nothing", "won_s": dict.fromkeys(times, 0)}
    assert TypeAdapter(foreseen.Question).validate_python(found, strict=True) == found
