"""When a limited resource can have done its work: units, heads, tails and the hours of those who are there."""

from __future__ import annotations

from orchestrator.plans.bound_energy import DAY_S, Capacity, Part, earliest_end

ONE, TWO = Capacity("bench", 1), Capacity("bench", 2)


def test_one_bench_does_one_pc_after_the_other() -> None:
    assert earliest_end([Part(10, 60, 5, 3)], ONE, 0) == 10 + 180 + 5


def test_two_benches_do_not_share_the_third_pc() -> None:
    assert earliest_end([Part(10, 60, 5, 3)], TWO, 0) == 10 + 120 + 5


def test_the_long_tail_goes_first_and_late_arrivals_wait_their_turn() -> None:
    parts = [Part(0, 10, 0, 1), Part(0, 10, 100, 1), Part(50, 10, 60, 1)]
    assert earliest_end(parts, ONE, 0) == 120


def test_work_is_interrupted_by_what_has_more_behind_it() -> None:
    assert earliest_end([Part(0, 20, 0, 1), Part(5, 10, 40, 1)], ONE, 0) == 55


def test_short_work_of_others_does_not_hide_that_two_long_ones_meet_on_one_bench() -> None:
    parts = [Part(0, 100, 0, 3), Part(0, 1, 90, 2)]
    assert earliest_end(parts, TWO, 0) == 200


def test_no_two_units_begin_with_the_same_head_or_end_with_the_same_tail() -> None:
    parts = [Part(0, 10, 0, 1), Part(8, 10, 8, 1), Part(8, 10, 8, 1)]
    assert earliest_end(parts, TWO, 0) >= (0 + 8 + 30 + 0 + 8) / 2


def test_what_is_known_already_is_never_made_earlier() -> None:
    assert earliest_end([Part(0, 10, 0, 5)], ONE, 1000) == 1000
    assert earliest_end([Part(0, 10, 0, 1)], TWO, 3) == 3


def test_who_is_not_there_reads_nothing() -> None:
    night = Capacity("analysts", 2, ((0, 0), (100, 2)))
    assert earliest_end([Part(0, 30, 5, 2)], night, 0) == 135
    assert night.done_s(100) == 0
    assert night.done_s(DAY_S) == 2 * (DAY_S - 100)


def test_the_hours_come_again_every_day() -> None:
    hour = Capacity("analysts", 1, ((0, 1), (3600, 0)))
    assert hour.end_s(0, 3600) == 3600
    assert hour.end_s(0, 3601) == DAY_S + 1
    assert hour.end_s(DAY_S + 10, 20) == DAY_S + 30
    assert hour.done_s(2 * DAY_S) == 7200


def test_work_of_no_length_takes_no_time() -> None:
    assert earliest_end([Part(5, 0, 7, 3)], ONE, 0) == 12
