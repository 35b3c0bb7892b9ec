"""The bound of small restarts in numbers, each worked out by hand."""

from __future__ import annotations

from orchestrator.plans.bound import DURATIONS, Job, Milestone, Op, Problem, Quorum, Use, solve
from orchestrator.plans.bound_energy import Capacity

STREAMS = Capacity("streams", 1)


def restore(duration_s: int, *needs: int) -> Op:
    """An operation that takes the stream."""
    return Op(duration_s, (Use(0, duration_s),), needs)


def bounds(jobs: list[Job], milestones: list[Milestone], *resources: Capacity) -> list[tuple[int, str]]:
    """Bound and limit of each milestone."""
    return [(one.bound_s, one.limited_by) for one in solve(Problem(tuple(jobs), tuple(milestones), resources))]


def test_a_service_is_back_with_the_kth_fastest_of_its_hosts() -> None:
    jobs = [Job("slow", (Op(30),)), Job("fast", (Op(10),)), Job("middle", (Op(20),))]
    quorums = [Milestone("one", (Quorum(1, (0, 1, 2)),)), Milestone("two", (Quorum(2, (0, 1, 2)),))]
    assert bounds(jobs, quorums) == [(10, DURATIONS), (20, DURATIONS)]


def test_a_host_waits_for_the_services_its_steps_need() -> None:
    jobs = [Job("ad", (Op(10),)), Job("lis", (Op(5), Op(7, needs=(0,))))]
    assert bounds(jobs, [Milestone("ad", (Quorum(1, (0,)),)), Milestone("lis", (Quorum(1, (1,)),))])[1][0] == 17


def test_hosts_that_share_a_stream_come_one_after_the_other() -> None:
    jobs = [Job("pacs", (Op(2), restore(10), Op(3)), count=4)]
    assert bounds(jobs, [Milestone("pacs", (Quorum(3, (0,)),))], STREAMS) == [(35, "streams")]


def test_of_k_in_n_the_least_work_is_counted() -> None:
    jobs = [Job("big", (restore(100),)), Job("small", (restore(10),)), Job("smaller", (restore(8),))]
    assert bounds(jobs, [Milestone("two", (Quorum(2, (0, 1, 2)),))], STREAMS) == [(18, "streams")]


def test_a_host_that_may_do_without_the_stream_is_chosen_first() -> None:
    jobs = [Job("disk", (Op(10),)), Job("stream", (restore(10),), count=2)]
    assert bounds(jobs, [Milestone("two", (Quorum(2, (0, 1)),))], STREAMS) == [(10, DURATIONS)]


def test_a_host_that_plays_two_services_is_restored_once() -> None:
    jobs = [Job("both", (restore(10),)), Job("other", (restore(10),))]
    both = (Quorum(1, (0,)), Quorum(1, (0, 1)))
    assert bounds(jobs, [Milestone("all", both)], STREAMS) == [(10, DURATIONS)]


def test_what_a_gate_asks_afterwards_is_a_tail_of_the_work() -> None:
    jobs = [Job("a", (restore(10),), count=2), Job("b", (restore(10),))]
    milestones = [
        Milestone("gate", after=((1, 50), (2, 0))),
        Milestone("a", (Quorum(2, (0,)),)),
        Milestone("b", (Quorum(1, (1,)),)),
    ]
    assert bounds(jobs, milestones, STREAMS)[0] == (70, "streams")


def test_a_unit_comes_out_when_all_its_members_are_ready() -> None:
    ad = Job("ad", (Op(10), Op(2, needs=(0, 1))), ready=1)
    dns = Job("dns", (Op(40), Op(1, needs=(0, 1))), ready=1)
    ready = [
        Milestone("ad ready", (Quorum(1, (0,), ready=True),)),
        Milestone("dns ready", (Quorum(1, (1,), ready=True),)),
    ]
    out = [Milestone("ad", (Quorum(1, (0,)),)), Milestone("dns", (Quorum(1, (1,)),))]
    assert [one[0] for one in bounds([ad, dns], [*ready, *out])] == [10, 40, 42, 41]


def test_services_that_could_need_each_other_still_have_a_bound() -> None:
    jobs = [Job("ad", (Op(5),)), Job("late ad", (Op(1, needs=(1,)),)), Job("dns", (Op(30, needs=(0,)),))]
    milestones = [Milestone("ad", (Quorum(2, (0, 1)),)), Milestone("dns", (Quorum(1, (2,)),))]
    known = bounds(jobs, milestones)
    assert known[1][0] >= 30
    assert known[0][0] >= 31


def test_several_readings_of_one_host_are_work_of_several_analysts() -> None:
    jobs = [Job("host", (Op(10, (Use(0, 10, 2),)),), count=3)]
    assert bounds(jobs, [Milestone("all", (Quorum(3, (0,)),))], Capacity("analysts", 2)) == [(30, "analysts")]


def test_nothing_to_wait_for_is_reached_at_once() -> None:
    assert bounds([], [Milestone("nothing"), Milestone("nobody", (Quorum(0, ()),))]) == [(0, DURATIONS)] * 2


def test_a_pool_that_adds_less_than_a_tenth_is_not_what_limits() -> None:
    jobs = [Job("a", (Op(1000), restore(10)), count=2)]
    assert bounds(jobs, [Milestone("a", (Quorum(2, (0,)),))], STREAMS) == [(1020, DURATIONS)]
