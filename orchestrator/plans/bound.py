"""Decides before when nothing can be back: a lower bound for every milestone of a restart, valid for any schedule.

Never schedules anything, and never knows a host or a wave: it sees jobs, milestones and limited resources in numbers
(`bound_problem` makes them). Every simplification here errs towards too early.

Two arguments, each a proof. *Chains*: a milestone cannot come before the k-th earliest of the jobs it counts, nor a
job's operation before the milestones it needs. *Energy*: of each counted k of n a schedule must finish some k; what
they at least ask of a resource, each between its earliest begin (head) and what must still follow it (tail), is work
that the resource must do (Jackson's preemptive rule with tails, J. Carlier, "The one-machine sequencing problem", EJOR
11, 1982; for several machines J. Carlier, "Scheduling jobs with release dates and tails on identical machines to
minimize the makespan", EJOR 29, 1987).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from orchestrator.plans.bound_energy import Capacity, Part, earliest_end

DURATIONS = "durations"
SHARE = 0.1  # what a resource must add to be named, of the whole
ROUNDS = 3
BUDGET = 100_000  # quorums weighed over all milestones together,
LEAST = 40  # and for each milestone at least
_Place = tuple[int, int]  # a resource, and the how-manieth use of it in a job


@dataclass(frozen=True, slots=True)
class Use:
    """`count` times `length_s` seconds of one unit of a resource, all inside one operation."""

    resource: int
    length_s: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of a job: it begins once the milestones in `needs` are reached and lasts at least `duration_s`."""

    duration_s: int
    uses: tuple[Use, ...] = ()
    needs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """`count` hosts that do the same operations, one after the other; after the first `ready` each may go out."""

    name: str
    ops: tuple[Op, ...]
    count: int = 1
    ready: int = 0


@dataclass(frozen=True, slots=True)
class Quorum:
    """At least `need` hosts of these jobs must have ended, or, if `ready`, be ready to go out."""

    need: int
    jobs: tuple[int, ...]
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Milestone:
    """Reached when all its quorums are, and so many seconds after others: `after` holds (milestone, lag_s)."""

    name: str
    quorums: tuple[Quorum, ...] = ()
    after: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """A restart in numbers. Jobs, milestones and resources are named by their place."""

    jobs: tuple[Job, ...]
    milestones: tuple[Milestone, ...]
    resources: tuple[Capacity, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """Not before `bound_s` seconds from the begin; `limited_by` is a resource's name or `durations`."""

    bound_s: int
    limited_by: str


def solve(problem: Problem) -> list[Bound]:
    """The bound of each milestone, in time n log n in hosts and needs.

    Where milestones wait for each other (through hosts a quorum may do without), the first round takes one of them
    for reached at once, and a few more rounds mend what that made too early.
    """
    bounds = _Bounds(problem)
    for _ in range(ROUNDS if bounds.circular() else 1):
        bounds.begin_round()
        for milestone in bounds.order:
            bounds.reach(milestone)
    return [bounds.told(milestone) for milestone in range(len(problem.milestones))]


@dataclass(slots=True)
class _Counted:
    """A quorum, how many hosts it could choose from, and the least it asks once that is known."""

    quorum: Quorum
    total: int
    least: list[tuple[int, Part]] | None = None


class _Bounds:
    """What is known so far; milestones are reached in `order`, what they wait for first."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        count = len(problem.milestones)
        self.at_s = [0.0] * count
        self.added: list[dict[str, float]] = [{} for _ in range(count)]
        self.alone = [capacity.alone() for capacity in problem.resources]
        self.order = _order(problem)
        self.rank = [0] * count
        for place, milestone in enumerate(self.order):
            self.rank[milestone] = place
        self.counted = [
            [_Counted(quorum, sum(problem.jobs[job].count for job in quorum.jobs)) for quorum in one.quorums]
            for one in problem.milestones
        ]
        self.limit = max(LEAST, BUDGET // max(1, count))
        self._lags: dict[int, list[tuple[int, int]]] = {}
        self.begin_round()

    def circular(self) -> bool:
        """Whether a milestone stands before one it waits for."""
        return any(
            self.rank[before] > self.rank[milestone]
            for milestone in self.order
            for before in _before(self.problem, milestone)
        )

    def begin_round(self) -> None:
        """Forgets what followed from the times of the round before, which only grow."""
        self._starts: dict[tuple[int, bool], tuple[list[float], float, int, dict[str, float]]] = {}
        self._uses: dict[tuple[int, bool], list[tuple[_Place, Part]]] = {}
        for counted in (one for found in self.counted for one in found):
            counted.least = None

    def told(self, milestone: int) -> Bound:
        """The resource that adds most to the chain, or the durations if all of them add less than a tenth."""
        added, at_s = self.added[milestone], self.at_s[milestone]
        named = added and sum(added.values()) >= SHARE * at_s
        return Bound(int(at_s), max(added, key=added.__getitem__) if named else DURATIONS)

    def reach(self, milestone: int) -> None:
        """Chains first, then what each resource must do."""
        one = self.problem.milestones[milestone]
        ends = [(self.at_s[before] + lag_s, before, dict[str, float]()) for before, lag_s in one.after]
        ends += [self._kth(quorum) for quorum in one.quorums]
        at_s, cause, away = max(ends, key=itemgetter(0, 1), default=(0.0, -1, {}))
        added = dict(self.added[cause]) if cause >= 0 else {}
        for name, late_s in away.items():
            added[name] = added.get(name, 0.0) + late_s
        busiest_s, name = max(self._energies(milestone, at_s), default=(at_s, ""))
        if busiest_s > at_s:
            added[name] = added.get(name, 0.0) + busiest_s - at_s
        if max(busiest_s, at_s) >= self.at_s[milestone]:
            self.at_s[milestone], self.added[milestone] = max(busiest_s, at_s), added

    def _kth(self, quorum: Quorum) -> tuple[float, int, dict[str, float]]:
        """When the last of the earliest `need` ends, the milestone it waited for last, and who was away since."""
        missing = quorum.need
        ends = sorted((*self._chain(job, ready=quorum.ready)[1:3], job) for job in quorum.jobs)
        for end_s, cause, job in ends:
            missing -= self.problem.jobs[job].count
            if missing <= 0:
                return end_s, cause, self._chain(job, ready=quorum.ready)[3]
        return 0.0, -1, {}

    def _chain(self, job: int, *, ready: bool) -> tuple[list[float], float, int, dict[str, float]]:
        """The earliest begin of each operation, the earliest end, the milestone last waited for, who was away since."""
        key = (job, ready)
        if key not in self._starts:
            now_s, cause, starts, away = 0.0, -1, [], dict[str, float]()
            for op in _ops(self.problem.jobs[job], ready=ready):
                for need in op.needs:
                    if self.at_s[need] > now_s:
                        now_s, cause, away = self.at_s[need], need, {}
                starts.append(now_s)
                now_s += op.duration_s
                for use in op.uses:
                    alone = self.alone[use.resource]
                    late_s = alone.end_s(starts[-1], use.length_s) - now_s if use.length_s else 0
                    if late_s > 0:
                        away[alone.name] = away.get(alone.name, 0.0) + late_s
                        now_s += late_s
            self._starts[key] = starts, now_s, cause, away
        return self._starts[key]

    def _energies(self, milestone: int, at_s: float) -> Iterator[tuple[float, str]]:
        parts: dict[int, list[Part]] = {}
        for resource, part in self._parts(self._cone(milestone)):
            parts.setdefault(resource, []).append(part)
        for resource, found in parts.items():
            capacity = self.problem.resources[resource]
            yield earliest_end(found, capacity, at_s), capacity.name

    def _cone(self, milestone: int) -> list[tuple[_Counted, float]]:
        """The quorums any schedule must reach before the milestone, each with what must follow it, nearest first."""
        tails, heap = {milestone: 0.0}, [(-self.rank[milestone], milestone)]
        found: list[tuple[_Counted, float]] = []
        limit = max(self.limit, 4 * len(self.problem.milestones[milestone].after))
        while heap and len(found) < limit:
            one = heapq.heappop(heap)[1]
            tail_s = tails[one]
            found.extend((counted, tail_s) for counted in self.counted[one])
            for before, lag_s in self._forced(one):
                if self.rank[before] < self.rank[one]:
                    if before not in tails:
                        heapq.heappush(heap, (-self.rank[before], before))
                    tails[before] = max(tails.get(before, 0.0), tail_s + lag_s)
        return found

    def _forced(self, milestone: int) -> list[tuple[int, int]]:
        """The milestones any schedule reaches before this one, with the least time between."""
        if milestone not in self._lags:
            one = self.problem.milestones[milestone]
            lags = dict(one.after)
            for quorum in one.quorums:
                for before, lag_s in self._forced_by(quorum):
                    lags[before] = max(lag_s, lags.get(before, 0))
            self._lags[milestone] = list(lags.items())
        return self._lags[milestone]

    def _forced_by(self, quorum: Quorum) -> Iterator[tuple[int, int]]:
        """What so many of the jobs need that no choice of the quorum goes without."""
        total, needing, least = 0, Counter[int](), dict[int, int]()
        for number in quorum.jobs:
            job, left_s, longest = self.problem.jobs[number], 0, dict[int, int]()
            for op in reversed(_ops(job, ready=quorum.ready)):
                left_s += op.duration_s
                longest.update(dict.fromkeys(op.needs, left_s))
            total += job.count
            for need, lag_s in longest.items():
                needing[need] += job.count
                least[need] = min(lag_s, least.get(need, lag_s))
        return ((need, least[need]) for need, count in needing.items() if total - count < quorum.need)

    def _parts(self, cone: list[tuple[_Counted, float]]) -> Iterator[tuple[int, Part]]:
        """What the quorums at least ask of each resource; a host that serves two of them is counted once."""
        sure: dict[tuple[int, _Place], Part] = {}
        seen: set[int] = set()
        for counted, tail_s in cone:
            if counted.total == counted.quorum.need:
                seen.update(counted.quorum.jobs)
                for job in counted.quorum.jobs:
                    for place, part in self._asked(job, ready=counted.quorum.ready):
                        known = sure.get((job, place))
                        if known is None or known.tail_s < part.tail_s + tail_s:
                            sure[job, place] = part.followed_by(tail_s)
        yield from ((place[0], part) for (_, place), part in sure.items())
        for counted, tail_s in cone:
            if counted.total > counted.quorum.need:
                for resource, part in self._least(counted, seen):
                    yield resource, part.followed_by(tail_s)

    def _asked(self, number: int, *, ready: bool) -> list[tuple[_Place, Part]]:
        """What one job asks of each resource, use by use; its tails end with the job."""
        if (number, ready) not in self._uses:
            job, found, places = self.problem.jobs[number], [], Counter[int]()
            starts = self._chain(number, ready=ready)[0]
            ops = _ops(job, ready=ready)
            left_s = sum(op.duration_s for op in ops)
            for op, head_s in zip(ops, starts, strict=True):
                left_s -= op.duration_s
                for use in op.uses:
                    places[use.resource] += 1
                    part = Part(head_s, use.length_s, left_s, job.count * use.count)
                    found.append(((use.resource, places[use.resource]), part))
            self._uses[number, ready] = found
        return self._uses[number, ready]

    def _least(self, counted: _Counted, seen: set[int]) -> list[tuple[int, Part]]:
        """The least that any choice of the quorum asks of hosts not yet `seen`, who are seen from now on."""
        jobs, need = counted.quorum.jobs, counted.quorum.need
        if known := [job for job in jobs if job in seen]:
            need -= sum(self.problem.jobs[job].count for job in known)
            jobs = tuple(job for job in jobs if job not in seen)
        elif counted.least is not None:
            seen.update(jobs)
            return counted.least
        if need <= 0:
            return []
        seen.update(jobs)
        asked: dict[_Place, list[tuple[int, Part]]] = {}
        for job in jobs:
            for place, part in self._asked(job, ready=counted.quorum.ready):
                asked.setdefault(place, []).append((self.problem.jobs[job].count, part))
        total = sum(self.problem.jobs[job].count for job in jobs)
        found = []
        for (resource, _), parts in asked.items():
            without = total - sum(count for count, _ in parts)
            found += [(resource, part) for part in _any_of(parts, need - without)]
        if not known:
            counted.least = found
        return found


def _any_of(found: list[tuple[int, Part]], need: int) -> Iterator[Part]:
    """Parts no larger than those of any `need` of the hosts: one property in ascending order, the others the least."""
    if need <= 0:
        return
    times = min(part.times // count for count, part in found)
    head_s, length_s, tail_s = (min(values) for values in zip(*(part[:3] for _, part in found), strict=True))
    families = []
    for field in range(3):
        values = sorted((part[field], count) for count, part in found)
        taken, left = [], need
        for value, count in values:
            taken.append((value, min(count, left)))
            left -= min(count, left)
        families.append((sum(value * count for value, count in taken) - need * values[0][0], field, taken))
    _, field, taken = max(families, key=lambda family: family[:2])
    for value, count in taken:
        if count:
            part = [head_s, length_s, tail_s]
            part[field] = value
            yield Part(part[0], part[1], part[2], count * times)


def _ops(job: Job, *, ready: bool) -> tuple[Op, ...]:
    return job.ops[: job.ready] if ready else job.ops


def _before(problem: Problem, milestone: int) -> Iterable[int]:
    one = problem.milestones[milestone]
    yield from (before for before, _ in one.after)
    for quorum in one.quorums:
        for job in quorum.jobs:
            for op in _ops(problem.jobs[job], ready=quorum.ready):
                yield from op.needs


def _order(problem: Problem) -> list[int]:
    """Every milestone behind what it waits for, directly or through its jobs (depth first, on a stack of our own)."""
    seen: set[int] = set()
    found: list[int] = []
    for root in range(len(problem.milestones)):
        stack = [] if root in seen else [(root, iter(_before(problem, root)))]
        seen.add(root)
        while stack:
            milestone, before = stack[-1]
            following = next((one for one in before if one not in seen), None)
            if following is None:
                found.append(milestone)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(_before(problem, following))))
    return found
