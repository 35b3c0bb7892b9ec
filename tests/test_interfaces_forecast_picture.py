"""The picture of a forecast: a band, a middle once it may be drawn, and from when it speaks, on paper too."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from orchestrator.interfaces.forecast_picture import MARKS_MAX, burn_up_svg
from orchestrator.interfaces.forecast_text import DAY_S, HOUR_S, Times

CURVE = [(0, 0, 0, 0), (1800, 1, 2, 4), (3600, 4, 4, 4)]
TIMES = Times({"as_of_us": 1_795_806_540_000_000, "utc_offset_s": HOUR_S})


def drawn(
    curve: list[tuple[int, int, int, int]], hosts: int, *, measured: bool
) -> dict[str, list[ElementTree.Element]]:
    found: dict[str, list[ElementTree.Element]] = {}
    for one in ElementTree.fromstring(burn_up_svg(curve, hosts, TIMES, measured=measured)):
        found.setdefault(one.tag.rpartition("}")[2], []).append(one)
    return found


def words(picture: dict[str, list[ElementTree.Element]]) -> list[str]:
    return [str(one.text) for one in picture["text"]]


def test_the_picture_is_a_band_and_a_middle_and_says_of_when_it_is_and_how_to_read_it() -> None:
    picture = drawn(CURVE, 4, measured=True)
    (band,), (middle,) = picture["polygon"], picture["polyline"]
    places = middle.attrib["points"].split()
    assert (len(band.attrib["points"].split()), len(places)) == (6, 3)
    assert places[0] == "64.0,364.0", "nothing in service now"
    assert places[-1] == "784.0,44.0", "all of them at the end"
    said = words(picture)
    assert said[0] == str(picture["title"][0].text) == "Hosts in service, forecast Fri 27 Nov 2026 20:09 (UTC+01:00)"
    assert {"0", "50 %", "all 4", "20:15", "20:45", "21:00"} <= set(said)
    assert said[-1] == "Shaded: 8 futures of 10. Line: the middle of them."


def test_before_enough_is_measured_the_picture_has_no_middle_and_says_so() -> None:
    picture = drawn(CURVE, 4, measured=False)
    assert "polyline" not in picture
    assert "too little is measured yet" in words(picture)[-1]


@pytest.mark.parametrize(
    ("lasts_s", "mark"),
    [(90, "20:09:30"), (40 * HOUR_S, "Sat 06:00"), (20 * DAY_S, "05 Dec"), (90 * DAY_S, "17 Dec"), (900 * DAY_S, "")],
)
def test_the_times_below_are_round_ones_of_the_wall_clock_and_few_enough_to_read(lasts_s: int, mark: str) -> None:
    said = words(drawn([(0, 0, 0, 0), (lasts_s, 4, 4, 4)], 4, measured=True))
    marks = said[6:-1]
    assert 3 <= len(marks) <= MARKS_MAX + 1
    assert not mark or mark in marks


def test_a_hospital_without_hosts_has_a_picture_too() -> None:
    assert words(drawn([(0, 0, 0, 0)] * 3, 0, measured=True))
