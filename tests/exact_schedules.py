"""Finds the true earliest time of a milestone of a tiny problem: by trying every order, and with OR-Tools CP-SAT.

Never shares a thought with the bound it judges: both build real schedules, second by second.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.plans.bound import Job, Op, Problem, Use
from orchestrator.plans.bound_energy import DAY_S

NEVER = 10**9
BOARDS_MAX = 50_000  # some seconds


class TooManyOrders(Exception):
    """Trying them all would take minutes."""


def hosts_of(problem: Problem) -> list[tuple[int, Job]]:
    """Every host on its own, with the number of its job."""
    return [(number, job) for number, job in enumerate(problem.jobs) for _ in range(job.count)]


def together(op: Op) -> bool:
    """Whether the operation holds all it uses from its begin to its end; else (readings) each goes by itself."""
    return all(use.count == 1 and use.length_s == op.duration_s for use in op.uses)


def units_at(problem: Problem, resource: int, second: int) -> int:
    """How many units are there in this second."""
    capacity = problem.resources[resource]
    if not capacity.turns:
        return capacity.most
    return next(units for begin_s, units in reversed(capacity.turns) if begin_s <= second % DAY_S)


def by_every_order(problem: Problem, milestone: int) -> int:
    """The least over all orders in which operations can be put down, each as early as it then fits.

    Some order gives a shortest schedule (of any kind where each operation, once begun, goes on): it is exact. What ends
    no sooner than the best so far brings nothing sooner, and the rest can go as early without it. Raises TooManyOrders.
    """
    hosts = hosts_of(problem)
    best = NEVER
    first = _Board(problem, hosts, ((),) * len(hosts), ())
    seen, stack = {first.key}, [first]
    while stack:
        if len(seen) > BOARDS_MAX:
            raise TooManyOrders
        board = stack.pop()
        best = min(best, board.reached(milestone))
        for following, end_s in board.following():
            if end_s < best and following.key not in seen:
                seen.add(following.key)
                stack.append(following)
    return best


@dataclass(frozen=True)
class _Board:
    """Operations put down so far: each host's (begin, end) in order, and the seconds in use per resource."""

    problem: Problem
    hosts: list[tuple[int, Job]]
    done: tuple[tuple[tuple[int, int], ...], ...]
    busy: tuple[tuple[int, int, int], ...]  # resource, begin, end

    @property
    def key(self) -> Any:
        return self.done, tuple(sorted(self.busy))

    def reached(self, milestone: int) -> int:
        one = self.problem.milestones[milestone]
        times = [self.reached(before) + lag_s for before, lag_s in one.after]
        for quorum in one.quorums:
            ends = []
            for (number, job), done in zip(self.hosts, self.done, strict=True):
                if number in quorum.jobs:
                    count = job.ready if quorum.ready else len(job.ops)
                    ends.append(NEVER if len(done) < count else done[count - 1][1] if count else 0)
            times.append(sorted(ends)[quorum.need - 1] if quorum.need else 0)
        return max(times, default=0)

    def following(self) -> Iterator[tuple[_Board, int]]:
        """With one operation more, and when that ends."""
        for place, ((_, job), done) in enumerate(zip(self.hosts, self.done, strict=True)):
            if len(done) < len(job.ops):
                op = job.ops[len(done)]
                from_s = max([done[-1][1] if done else 0, *(self.reached(need) for need in op.needs)])
                if from_s < NEVER:
                    begin, end, busy = self._put(op, from_s)
                    more = (*self.done[:place], (*done, (begin, end)), *self.done[place + 1 :])
                    yield _Board(self.problem, self.hosts, more, (*self.busy, *busy)), end

    def _put(self, op: Op, from_s: int) -> tuple[int, int, list[tuple[int, int, int]]]:
        if together(op):
            begin = next(at for at in itertools.count(from_s) if all(self._fits(use, at, ()) for use in op.uses))
            return begin, begin + op.duration_s, [(use.resource, begin, begin + use.length_s) for use in op.uses]
        busy: list[tuple[int, int, int]] = []
        for use in op.uses:
            for _ in range(use.count):
                begin = next(at for at in itertools.count(from_s) if self._fits(use, at, busy))
                busy.append((use.resource, begin, begin + use.length_s))
        return from_s, max(from_s + op.duration_s, *(end for *_, end in busy)), busy

    def _fits(self, use: Use, at: int, more: Any) -> bool:
        taken = [(begin, end) for one, begin, end in (*self.busy, *more) if one == use.resource and end > at]
        return all(
            sum(begin <= second < end for begin, end in taken) < units_at(self.problem, use.resource, second)
            for second in range(at, at + use.length_s)
        )


def by_solver(problem: Problem, milestone: int, seconds: float = 10.0) -> tuple[int, int]:
    """The best time CP-SAT finds and the bound it proves; they are equal if it finished. Needs `ortools`."""
    from ortools.sat.python import cp_model

    made = _Model(problem, cp_model.CpModel())
    made.model.minimize(made.at[milestone])
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    status = solver.solve(made.model)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE), solver.status_name(status)
    return round(solver.objective_value), round(solver.best_objective_bound)


class _Model:
    """The problem as CP-SAT sees it: every host may do the first so many of its operations, or none."""

    def __init__(self, problem: Problem, model: Any) -> None:
        self.problem, self.model = problem, model
        self.horizon = self._horizon()
        self.at = [model.new_int_var(0, self.horizon, one.name) for one in problem.milestones]
        self.used: dict[int, list[Any]] = {}
        self.hosts = hosts_of(problem)
        self.ends: list[list[tuple[Any, Any]]] = [self._host(job) for _, job in self.hosts]
        for number in range(len(problem.milestones)):
            self._milestone(number)
        for resource, intervals in self.used.items():
            self._resource(resource, intervals)

    def _horizon(self) -> int:
        ops = [op for _, job in hosts_of(self.problem) for op in job.ops]
        work_s = sum(op.duration_s + sum(use.length_s * use.count for use in op.uses) for op in ops)
        work_s += sum(lag_s for one in self.problem.milestones for _, lag_s in one.after)
        turns = [at for capacity in self.problem.resources for at, _ in capacity.turns]
        return max(work_s * 4, max(turns) + work_s) if turns else work_s

    def _host(self, job: Job) -> list[tuple[Any, Any]]:
        """For each operation its end, and whether it is done."""
        found: list[tuple[Any, Any]] = []
        for op in job.ops:
            done, begin = self.model.new_bool_var(""), self.model.new_int_var(0, self.horizon, "")
            end = self.model.new_int_var(0, 2 * self.horizon, "")
            if found:
                self.model.add_implication(done, found[-1][1])
                self.model.add(begin >= found[-1][0])
            for need in op.needs:
                self.model.add(begin >= self.at[need]).only_enforce_if(done)
            self.model.add(end >= begin + op.duration_s).only_enforce_if(done)
            for use in [one for one in op.uses for _ in range(one.count)]:
                own = begin if together(op) else self.model.new_int_var(0, self.horizon, "")
                self.model.add(own >= begin)
                self.model.add(end >= self._use(use, own, done)).only_enforce_if(done)
            found.append((end, done))
        return found

    def _use(self, use: Use, begin: Any, done: Any) -> Any:
        end = self.model.new_int_var(0, 2 * self.horizon, "")
        interval = self.model.new_optional_interval_var(begin, use.length_s, end, done, "")
        self.used.setdefault(use.resource, []).append(interval)
        return end

    def _milestone(self, number: int) -> None:
        one = self.problem.milestones[number]
        for other, lag_s in one.after:
            self.model.add(self.at[number] >= self.at[other] + lag_s)
        for quorum in one.quorums:
            counted: list[Any] = []
            for (job_number, job), ends in zip(self.hosts, self.ends, strict=True):
                count = job.ready if quorum.ready else len(job.ops)
                if job_number in quorum.jobs and count == 0:
                    counted.append(1)
                elif job_number in quorum.jobs:
                    chosen = self.model.new_bool_var("")
                    self.model.add_implication(chosen, ends[count - 1][1])
                    self.model.add(self.at[number] >= ends[count - 1][0]).only_enforce_if(chosen)
                    counted.append(chosen)
            self.model.add(sum(counted) >= quorum.need)

    def _resource(self, resource: int, intervals: list[Any]) -> None:
        """Who is not there counts as busy."""
        capacity = self.problem.resources[resource]
        turns = [*capacity.turns, (2 * self.horizon, 0)] if capacity.turns else []
        away = [
            (self.model.new_fixed_size_interval_var(begin, end - begin, ""), capacity.most - units)
            for (begin, units), (end, _) in itertools.pairwise(turns)
            if units < capacity.most and end > begin
        ]
        demands = [1] * len(intervals) + [less for _, less in away]
        self.model.add_cumulative([*intervals, *(one for one, _ in away)], demands, capacity.most)
