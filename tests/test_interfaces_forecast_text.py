"""What a tired crisis cell reads of a forecast: names, clock times, one line each; no middle before enough is known."""

from __future__ import annotations

import re
from typing import Any

import pytest

from orchestrator.interfaces.forecast_text import Names, forecast_text, hours, score_text

HOUR_S = 3600
FRIDAY_US = 1_795_806_000_000_000  # 19:00 UTC
NAMES = Names(
    {"laboratory": "Laboratory", "radiology": "X-rays & co", "records": "Medical records"}, {"visits": "Consultations"}
)


def of(p10_h: float, p50_h: float, p90_h: float, **more: Any) -> dict[str, Any]:
    """One function's forecast, in hours."""
    times = {"p10_s": p10_h, "p50_s": p50_h, "p90_s": p90_h, "bound_s": more.pop("bound_h", p10_h / 2)}
    seconds: dict[str, Any] = {name: int(value * HOUR_S) for name, value in times.items()}
    rest = {"limited_by": "analysts", "measured": 5, "basis": "measured", "lacking": [], "sites": {}}
    return seconds | rest | more


def found(**functions: dict[str, Any]) -> dict[str, Any]:
    """A forecast made on Friday at 20:00 local time."""
    everything = of(40, 60, 90)
    return {
        "runs": 200, "as_of_us": FRIDAY_US, "utc_offset_s": HOUR_S, "functions": functions, "everything": everything,
        "activities": {},
    }  # fmt: skip


def line(text: str, name: str) -> str:
    """The first line about a name, its spaces folded."""
    return next(" ".join(one.split()) for one in text.splitlines() if one.startswith(name))


def test_a_function_is_a_line_with_the_clock_times_of_one_five_and_nine_futures_of_ten() -> None:
    text = forecast_text(found(laboratory=of(5, 9.5, 30, bound_h=3)), NAMES)
    assert (
        text.splitlines()[0]
        == "200 futures, played from Fri 27 Nov 2026 20:00 (UTC+01:00) on, a tenth of them to the last host."
    )
    assert line(text, "Futures that have it back by:") == "Futures that have it back by: 1 of 10 5 of 10 9 of 10"
    assert line(text, "Laboratory") == (
        "Laboratory Sat 28 01:00 Sat 28 05:30 (9.5 h) Sun 29 02:00 not before Fri 27 23:00 (3.0 h), limited by analysts"
    )


@pytest.mark.parametrize("basis", ["prior", "mixed"])
def test_before_enough_is_measured_no_middle_is_told_and_the_reader_knows_what_lacks(basis: str) -> None:
    document = found(laboratory=of(5, 9.5, 30, bound_h=3, basis=basis, lacking=["server", "pc"]))
    document["everything"] |= {"basis": basis, "lacking": ["server", "museum"], "bound_s": 4 * HOUR_S}
    text = forecast_text(document, NAMES)
    assert line(text, "Laboratory") == "Laboratory not before Fri 27 23:00 (3.0 h), limited by analysts"
    assert "5 of 10" not in text
    assert "9.5 h" not in text
    assert "|" not in text
    assert 'Where only "not before" is said' in text
    assert text.splitlines()[-1].endswith("museum, pc, server.")


def test_a_function_that_is_measured_stands_beside_one_that_is_not() -> None:
    text = forecast_text(found(laboratory=of(1, 2, 3), radiology=of(2, 4, 6, basis="mixed", lacking=["pc"])), NAMES)
    assert "Fri 27 22:00 (2.0 h)" in line(text, "Laboratory")
    assert line(text, "X-rays") == "X-rays & co not before Fri 27 21:00 (1.0 h), limited by analysts"
    bars = [one for one in text.splitlines() if "[" in one and "|" in one and "=" in one]
    assert len(bars) == 1


def test_functions_stand_in_the_order_they_come_back() -> None:
    text = forecast_text(found(records=of(9, 10, 11), laboratory=of(1, 2, 3), radiology=of(0, 0, 0)), NAMES)
    named = [one.split("  ")[0] for one in text.splitlines()[3:7]]
    assert named == ["X-rays & co", "Laboratory", "Medical records", "Everything"]
    assert line(text, "X-rays") == "X-rays & co is back"


def test_work_that_no_pool_limits_is_said_to_take_its_time() -> None:
    text = forecast_text(found(laboratory=of(1, 2, 3, limited_by="durations")), NAMES)
    assert "limited by the length of the work itself" in line(text, "Laboratory")


def test_what_is_far_away_is_told_with_its_month() -> None:
    text = forecast_text(found(laboratory=of(24, 48, 24 * 40)), NAMES)
    assert "06 Jan 20:00" in line(text, "Laboratory")


def test_what_no_future_brings_back_is_never_told_as_a_day() -> None:
    never = 400 * 24
    text = forecast_text(found(laboratory=of(30, never, never)), NAMES)
    assert "not within 400 days not within 400 days" in line(text, "Laboratory")
    assert "400.0 d" not in text
    lost = found(laboratory=of(1, 2, 3)) | {
        "what_if": [{"what_if": "soak 999999h", "won_s": {"laboratory": -399 * 24 * HOUR_S, "radiology": 300 * 86_400}}]
    }
    text = forecast_text(lost, NAMES)
    assert "Laboratory   not within 400 days" in text
    assert "X-rays & co  comes back, which it would not otherwise" in text


def test_sites_are_told_apart_where_they_come_back_apart() -> None:
    apart = {"south": of(5, 9, 30), "north": of(1, 2, 3)}
    near = {"south": of(1, 2.1, 3), "north": of(1, 2, 3)}
    text = forecast_text(found(laboratory=of(5, 9, 30, sites=apart), radiology=of(1, 2, 3, sites=near)), NAMES)
    lines = text.splitlines()
    told = lines[lines.index("Site by site, the middle of the futures:") + 1]
    assert told == "  Laboratory  north Fri 27 22:00, south Sat 28 05:00"
    assert "Site by site" not in forecast_text(found(radiology=of(1, 2, 3, sites=near)), NAMES)


def test_the_picture_has_a_bar_for_each_function_on_one_line_of_time() -> None:
    text = forecast_text(found(laboratory=of(0, 5, 10), records=of(10, 15, 20)), NAMES)
    bars = re.findall(r"[\[=.|\]]{41}", text)
    assert len(bars) == 2
    assert (bars[0].index("["), bars[0].index("|"), bars[0].index("]")) == (0, 10, 20)
    assert (bars[1].index("["), bars[1].index("|"), bars[1].index("]")) == (20, 30, 40)
    assert "up to Sat 28 16:00" in text


def activity(chances: dict[str, int], **more: Any) -> dict[str, Any]:
    sites = {site: {"chance_percent": percent} for site, percent in chances.items()}
    return {"functions": ["laboratory"], "bound_s": HOUR_S, "basis": "measured", "sites": sites, **more}


def test_the_chance_of_an_activity_is_told_for_the_sites_that_share_it() -> None:
    document = found(laboratory=of(1, 2, 3)) | {"by_s": 36 * HOUR_S}
    document["activities"] = {"visits": activity({"north": 80, "south": 30, "east": 80})}
    text = forecast_text(document, NAMES)
    assert "The chance that all that is needed is back by Sun 29 08:00 (36.0 h):" in text
    assert line(text, "  Consultations") == "Consultations 80 % at north, east; 30 % at south"


def test_no_chance_is_told_before_enough_is_measured_unless_nothing_can_beat_it() -> None:
    document = found(laboratory=of(1, 2, 3)) | {"by_s": 2 * HOUR_S}
    document["activities"] = {"visits": activity({"north": 80}, basis="prior")}
    assert line(forecast_text(document, NAMES), "  Consult") == "Consultations too little is measured to say"
    document["activities"] = {"visits": activity({"north": 0}, basis="prior", bound_s=3 * HOUR_S)}
    assert line(forecast_text(document, NAMES), "  Consult") == "Consultations 0 % at north"


def test_activities_are_told_only_where_a_time_is_asked_for() -> None:
    document = found(laboratory=of(1, 2, 3))
    document["activities"] = {"visits": activity({"north": 80})}
    assert "Consultations" not in forecast_text(document, NAMES)
    document |= {"by_s": 60, "activities": {}}
    assert "The chance" not in forecast_text(document, NAMES)


def test_a_decision_is_told_by_what_it_moves() -> None:
    document = found(laboratory=of(1, 2, 3), radiology=of(1, 2, 3))
    won = {"laboratory": 2 * HOUR_S, "radiology": -3 * HOUR_S, "records": 10, "everything": 200 * HOUR_S}
    document["what_if"] = [
        {"what_if": "pool analysts +2", "won_s": won},
        {"what_if": "soak 5m", "won_s": {"records": 1}},
    ]
    text = forecast_text(document, NAMES)
    lines = [" ".join(one.split()) for one in text.splitlines()]
    begin = lines.index("What if pool analysts +2:")
    assert lines[begin + 1 : begin + 4] == [
        "Laboratory 2.0 h sooner",
        "X-rays & co 3.0 h later",
        "Everything 8.3 d sooner",
    ]
    assert lines[-2:] == ["What if soak 5m:", "nothing comes back more than 6 min sooner or later"]


def test_hours_won_that_rest_on_the_plan_alone_say_so() -> None:
    document = found(laboratory=of(1, 2, 3) | {"basis": "prior"}, radiology=of(1, 2, 3))
    document["what_if"] = [{"what_if": "soak 5m", "won_s": {"laboratory": 2 * HOUR_S}}]
    text = forecast_text(document, NAMES)
    assert "What if soak 5m (too little is measured: by the plan's durations):" in text


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (299, "299 s"), (300, "5 min"), (3600, "1.0 h"), (96 * 3600, "4.0 d")]
)
def test_spans_are_told_in_the_unit_people_think_in(seconds: int, words: str) -> None:
    assert hours(seconds) == words


def test_past_forecasts_stand_beside_what_happened() -> None:
    row = {"at_us": FRIDAY_US, "function": "laboratory", "p10_s": 3600, "p50_s": 7200, "p90_s": 10800}
    came = [(7000, True, True), (20_000, True, False), (36_000, False, False)]
    rows = [row | {"came_s": came_s, "back": back, "inside": inside} for came_s, back, inside in came]
    text = score_text({"forecasts": 3, "compared": 3, "inside": 1, "rows": rows}, NAMES)
    lines = [" ".join(one.split()) for one in text.splitlines()]
    assert lines[0] == "2026-11-27 19:00:00 UTC Laboratory said 1.0 h to 3.0 h, came after 1.9 h: inside"
    assert lines[1].endswith("came after 5.6 h: OUTSIDE")
    assert lines[2].endswith("not back after 10.0 h: OUTSIDE")
    assert lines[3] == "1 of 3 came inside the band (8 of 10 are meant to)."


def test_forecasts_of_what_is_still_to_come_cannot_be_compared_yet() -> None:
    text = score_text({"forecasts": 3, "compared": 0, "inside": 0, "rows": []}, NAMES)
    assert text == "In the journal: 3 forecasts. Nothing of what they spoke of is back since, or overdue."
