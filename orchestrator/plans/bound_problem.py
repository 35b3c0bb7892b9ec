"""Decides what of a content and its plan bounds a restart from below: jobs, milestones and limited resources.

Never computes a bound (`bound` does), and never counts what may go away: faults, tries, sweeps, launches and orders
take no time here, and every person works without a pause while on duty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.inventory.model import Host, Service, Task
from orchestrator.plans.bound import Bound, Job, Milestone, Op, Problem, Quorum, Use, solve
from orchestrator.plans.bound_energy import DAY_S, Capacity
from orchestrator.plans.model import Content, HostClass, Plan, Wave
from orchestrator.plans.needs import by_step, left_off

ANALYSTS = "analysts"
POOLED = frozenset(("preserve", "restore", "inspect", "reconnect"))
INTERVAL_S = 60  # of a host whose class has no check


@dataclass(frozen=True, slots=True)
class Given:
    """What is known besides content and plan; by default nothing has begun.

    `gates`: waves and gates are in force. `start_s`: seconds after midnight of the begin; None: the largest shift is
    always there. `durations_s`: by host or class and step (`isolate preserve restore inspect verdict reconnect
    check`, a verdict being one reading), in the place of the class's. `left`: the steps a host has still to do, in
    order, `verdict` once per reading. `gone`: hosts that do not come back. `passed`: waves whose gate has passed.
    `done`: tasks (`service/task`, `host/task`).
    """

    gates: bool = True
    start_s: int | None = None
    durations_s: Mapping[tuple[str, str], int] = field(default_factory=dict)
    left: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    passed: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()


def function_bounds(content: Content, plan: Plan, given: Given | None = None) -> dict[str, Bound]:
    """By function, before when no schedule has it back: its slice's gate passed, and all it uses in service.

    With `gates=False` in `given`, before when what it uses and its posts cannot be in service however waves are cut.
    """
    return bounds(content, plan, given)[0]


def bounds(content: Content, plan: Plan, given: Given | None = None) -> tuple[dict[str, Bound], Bound]:
    """The bounds of the functions, and of everything: no schedule has the last host back before.

    Everything waits for the last function, and for all the work there is in each limited resource.
    """
    given = given or Given()
    problem = build(content, plan, given)
    found = solve(problem)
    functions = {
        milestone.name.removeprefix("function "): found[number]
        for number, milestone in enumerate(problem.milestones)
        if milestone.name.startswith("function ")
    }
    work = [Bound(int(resource.end_s(0, work_s)), resource.name) for resource, work_s in _work(content, plan, given)]
    return functions, max([*functions.values(), *work], key=lambda bound: bound.bound_s, default=Bound(0, "durations"))


def _work(content: Content, plan: Plan, given: Given) -> Iterator[tuple[Capacity, int]]:
    """Each limited resource, and the unit seconds of it that all hosts of all waves still take."""
    made, off = _Building(content, plan, given), left_off(content) | given.gone
    total_s = [0] * len(made.resources)
    for host in content.inventory.hosts:
        klass = made.classes[host.klass]
        left = given.left.get(host.id, _steps(klass))
        if host.id in off or host.id not in made.wave_of:
            continue
        total_s[0] += left.count("verdict") * made.time_s(host, "verdict", klass.reading_s)
        for step in POOLED.intersection(left):
            for use in made.op(host, step, ()).uses:
                total_s[use.resource] += use.length_s
    return zip(made.resources, total_s, strict=True)


def build(content: Content, plan: Plan, given: Given) -> Problem:
    """The problem; milestones are named `service S`, `ready S`, `services W`, `posts W`, `gate W`, `function F`."""
    made = _Building(content, plan, given)
    made.jobs_of_hosts()
    made.services()
    made.waves()
    made.functions()
    milestones = tuple(Milestone(name, *made.milestones.get(name, ((), ()))) for name in made.numbers)
    return Problem(tuple(made.jobs), milestones, tuple(made.resources))


class _Building:
    """The problem while it is made; a milestone has its number from when it is first named."""

    def __init__(self, content: Content, plan: Plan, given: Given) -> None:
        self.content, self.plan, self.given = content, plan, given
        self.classes = {each.id: each for each in content.classes}
        self.inside = {each.id: each for each in content.inventory.services if each.kind == "inside"}
        self.units: dict[str, set[str]] = defaultdict(set)
        for service in self.inside.values():
            self.units[service.unit or ""].add(service.id)
        self.wave_of = {host: wave for wave in plan.waves for host in wave.hosts}
        self.ancestors = _ancestors(plan.waves)
        named = [wave.name for wave in plan.waves if wave.part == "slice" or wave.services]
        self.wanted = frozenset(named).union(*(self.ancestors[name] for name in named))
        self.own_times = {subject for subject, _ in given.durations_s} - self.classes.keys()
        self.isolate_s = self._isolations()
        self.intervals_s: dict[str, int] = {}
        for check in content.checks:
            if check.klass:
                self.intervals_s[check.klass] = max(check.interval_s, self.intervals_s.get(check.klass, 0))
        self.numbers: dict[str, int] = {}
        self.milestones: dict[str, tuple[tuple[Quorum, ...], tuple[tuple[int, int], ...]]] = {}
        self.jobs: list[Job] = []
        self.players: dict[str, list[int]] = defaultdict(list)
        self.posts: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.resources = [_analysts(content, given.start_s)]
        self.pools: dict[tuple[str, str], int] = {}
        for pool in content.capacity.pools:
            sizes = {"": pool.size} if pool.size is not None else {
                site.id: pool.per_site.get(site.id, pool.per_site_default or 0) for site in content.inventory.sites
            }  # fmt: skip
            for site, size in sizes.items():
                self.pools[pool.id, site] = len(self.resources)
                self.resources.append(Capacity(pool.id, max(1, size or 0)))

    def number(self, name: str) -> int:
        """The place of a milestone."""
        return self.numbers.setdefault(name, len(self.numbers))

    def put(self, name: str, quorums: Iterable[Quorum] = (), after: Iterable[tuple[str, int]] = ()) -> None:
        """Says what a milestone waits for."""
        self.number(name)
        self.milestones[name] = tuple(quorums), tuple((self.number(one), lag_s) for one, lag_s in after)

    def _isolations(self) -> dict[str, int]:
        """A site is isolated once for all: the shortest of its classes' times."""
        found: dict[str, int] = {}
        for host in self.content.inventory.hosts:
            time_s = self.time_s(host, "isolate", self.classes[host.klass].duration_s.isolate)
            found[host.site] = min(time_s, found.get(host.site, time_s))
        return found

    def time_s(self, host: Host, step: str, planned_s: int) -> int:
        """What a step of a host takes: as given for it, as given for its class, as planned."""
        times_s = self.given.durations_s
        return times_s.get((host.id, step), times_s.get((host.klass, step), planned_s)) if times_s else planned_s

    def jobs_of_hosts(self) -> None:
        """One job for all hosts that do the same."""
        off = left_off(self.content) | self.given.gone
        alike: dict[tuple[object, ...], list[Host]] = defaultdict(list)
        for host in self.content.inventory.hosts:
            wave = self.wave_of.get(host.id)
            post = wave is not None and wave.name in self.wanted and host.id in wave.gate.posts.get(host.site, ())
            if host.id in off or wave is None or not (post or host.services):
                continue
            own = (
                host.id
                if host.id in self.own_times or any(key.startswith(f"{host.id}/") for key in self.given.done)
                else ""
            )
            left = self.given.left.get(host.id)
            alike[host.klass, host.site, host.services, wave.name, post, own, left].append(host)
        for hosts in alike.values():
            self._job(hosts)

    def _job(self, hosts: list[Host]) -> None:
        host, wave = hosts[0], self.wave_of[hosts[0].id]
        number = len(self.jobs)
        ops, ready = self._ops(host, wave)
        self.jobs.append(Job(host.id, ops, len(hosts), ready))
        for service in host.services:
            self.players[service].append(number)
        if host.id in wave.gate.posts.get(host.site, ()):
            self.posts[wave.name, host.site].append(number)

    def _ops(self, host: Host, wave: Wave) -> tuple[tuple[Op, ...], int]:
        """The operations left to a host, and after how many of them it is ready to go out with its unit."""
        klass = self.classes[host.klass]
        played = [self.inside[each] for each in host.services if each in self.inside]
        left = self.given.left.get(host.id)
        left = _steps(klass) if left is None else left
        needs, unit = self._needs(klass, played)
        ancestors = self.ancestors[wave.name] if self.given.gates else ()
        ahead, behind = [f"services {one}" for one in ancestors], [f"gate {one}" for one in ancestors]
        before = {step: self._tasks_s(host.id, (klass, *played), step) for step in ("restore", "reconnect")}
        readings = left.count("verdict")
        reading_s = self.time_s(host, "verdict", klass.reading_s) if readings else 0
        ops: list[Op] = []
        if "isolate" in left:
            ops.append(Op(self.isolate_s[host.site]))
        if "preserve" in left:
            ops.append(self.op(host, "preserve", ()))
        if "restore" in left:
            ops += [Op(before["restore"]), self.op(host, "restore", needs["restore"])]
        if "inspect" in left:
            ops.append(self.op(host, "inspect", [*needs["inspect"], *ahead]))
        if "reconnect" in left:
            uses = (Use(0, reading_s, readings),) if readings else ()
            ops.append(Op(max(reading_s, before["reconnect"]), uses))
            ops.append(Op(0, needs=self._places([*needs["reconnect"], *behind])))
        ready = len(ops)
        if "reconnect" in left:
            ops.append(self.op(host, "reconnect", unit))
        if "check" in left:
            passes = self.content.restart.timing.in_service_passes - 1
            ops.append(Op(self.time_s(host, "check", passes * self.intervals_s.get(klass.id, INTERVAL_S))))
        return tuple(op for op in ops if op != Op(0)), ready - sum(op == Op(0) for op in ops)

    def op(self, host: Host, step: str, needs: Iterable[str]) -> Op:
        """One step of a host, with the pools it takes a slot of."""
        klass = self.classes[host.klass]
        time_s = self.time_s(host, step, getattr(klass.duration_s, step))
        slots = [self.pools.get((pool, ""), self.pools.get((pool, host.site))) for pool in getattr(klass.pools, step)]
        return Op(time_s, tuple(Use(slot, time_s) for slot in slots if slot is not None), self._places(needs))

    def _places(self, names: Iterable[str]) -> tuple[int, ...]:
        return tuple(self.number(name) for name in names)

    def _needs(self, klass: HostClass, played: list[Service]) -> tuple[dict[str, list[str]], list[str]]:
        """The milestones each step needs, and those of the unit the host goes out with (as the core compiles them)."""
        own = {each.id for each in played}
        in_unit = {each for service in played if service.unit for each in self.units[service.unit]}
        found: dict[str, dict[str, None]] = {"restore": {}, "inspect": {}, "reconnect": {}}
        kind, _, source = klass.source.partition(":")
        asked = [need for needs in (klass.needs, *(one.needs for one in played)) for need in by_step(needs)]
        for step, service in [*asked, *([("restore", source)] if kind in ("repository", "hypervisor") else [])]:
            if service in self.inside and not (step == "reconnect" and service in own):
                found[step][service] = None
        unit = [each for each in found["reconnect"] if each in in_unit]
        if unit:
            unit = sorted({*unit, *(each.id for each in played if each.unit)})
        needs = {
            step: [f"service {each}" for each in services if step != "reconnect" or each not in in_unit]
            for step, services in found.items()
        }
        return needs, [f"ready {each}" for each in unit]

    def _tasks_s(self, owner: str, holders: Iterable[HostClass | Service], step: str) -> int:
        """The longest chain of the tasks that stand before a step, or before the gate; other people do the others."""
        ends_s: dict[str, int] = {}
        for task in (task for holder in holders for task in holder.tasks if task.step == step):
            if f"{owner}/{task.id}" not in self.given.done:
                ends_s[task.id] = _begin_s(task, ends_s) + task.duration_s
        return max(ends_s.values(), default=0)

    def services(self) -> None:
        """In service when k players are; ready when k players could go out."""
        for service in self.inside.values():
            jobs = tuple(self.players[service.id])
            need = min(service.quorum, sum(self.jobs[job].count for job in jobs))
            self.put(f"service {service.id}", [Quorum(need, jobs)])
            if service.unit:
                self.put(f"ready {service.id}", [Quorum(need, jobs, ready=True)])

    def waves(self) -> None:
        """Where gates are in force: a wave's services, its posts, its gate behind the soak and the gate's tasks."""
        for wave in self.plan.waves:
            if not self.given.gates or wave.name not in self.wanted:
                continue
            passed = wave.name in self.given.passed
            soak_s = wave.gate.soak_s
            last_s = max((self._last_s(self.inside[each]) for each in wave.services), default=0)
            ends = [(f"services {wave.name}", max(soak_s, last_s)), (f"posts {wave.name}", soak_s)]
            ends += [(f"service {each}", self._tasks_s(each, (self.inside[each],), "gate")) for each in wave.services]
            services = [(f"service {each}", 0) for each in wave.gate.services if not passed]
            self.put(f"services {wave.name}", (), services)
            self.put(f"posts {wave.name}", () if passed else self._posts(wave))
            self.put(f"gate {wave.name}", (), () if passed else ends)

    def _last_s(self, service: Service) -> int:
        """The longest of the gate's tasks that no other waits for: they open when all the gate's services work."""
        first = {task.after.task for task in service.tasks if task.after is not None}
        left = (task for task in service.tasks if f"{service.id}/{task.id}" not in self.given.done)
        return max((task.duration_s for task in left if task.step == "gate" and task.id not in first), default=0)

    def _posts(self, wave: Wave) -> Iterable[Quorum]:
        for site in wave.gate.posts:
            jobs = tuple(self.posts[wave.name, site])
            need = min(wave.gate.need[site], sum(self.jobs[job].count for job in jobs))
            yield Quorum(need, jobs)

    def functions(self) -> None:
        """A function is back with the gate of its slice and all it uses; without gates, with its posts."""
        slices = {wave.function: wave for wave in self.plan.waves if wave.part == "slice"}
        for function in self.content.inventory.functions:
            wave = slices.get(function.id)
            uses = {*function.services, *(wave.services if wave else ())} & self.inside.keys()
            after = [(f"service {each}", 0) for each in sorted(uses)]
            quorums = () if wave is None or self.given.gates else self._posts(wave)
            if wave is not None and self.given.gates:
                after.append((f"gate {wave.name}", 0))
            self.put(f"function {function.id}", quorums, after)


def _steps(klass: HostClass) -> tuple[str, ...]:
    """All steps of a host of the class; of a replaced machine nothing is preserved, of a lot one may stay unread."""
    readings = 0 if klass.lots else klass.verdicts_required
    kept = klass.preservation == "waived" or klass.strategies[0] == "replace"
    return (
        "isolate", *(() if kept else ("preserve",)), "restore", "inspect", *["verdict"] * readings,
        "reconnect", "check",
    )  # fmt: skip


def _begin_s(task: Task, ends_s: dict[str, int]) -> int:
    return ends_s[task.after.task] + task.after.wait_s if task.after and task.after.task in ends_s else 0


def _ancestors(waves: Collection[Wave]) -> dict[str, tuple[str, ...]]:
    """All waves a wave follows; the waves stand in topological order."""
    found: dict[str, tuple[str, ...]] = {}
    for wave in waves:
        direct = dict.fromkeys(wave.after)
        direct.update(dict.fromkeys(one for name in wave.after for one in found.get(name, ())))
        found[wave.name] = tuple(direct)
    return found


def _analysts(content: Content, start_s: int | None) -> Capacity:
    """The analysts on duty from the begin; persons in no shift count only where there are no shifts."""
    analysts = {person.id for person in content.roster.persons if "analyst" in person.roles}
    shifts = [
        (_clock_s(shift.start), _clock_s(shift.end), analysts.intersection(shift.persons))
        for shift in content.capacity.shifts
    ] or [(0, 0, analysts)]
    edges = sorted({0, *(edge for begin_s, end_s, _ in shifts for edge in (begin_s, end_s))})
    there = [(edge, len(set().union(*(who for *hours, who in shifts if _on_duty(edge, *hours))))) for edge in edges]
    most = max(count for _, count in there)
    if start_s is None or most == 0 or len(there) == 1:
        return Capacity(ANALYSTS, max(1, most))
    now = next(count for edge, count in reversed(there) if edge <= start_s % DAY_S)
    turned = sorted(((edge - start_s) % DAY_S, count) for edge, count in there)
    return Capacity(ANALYSTS, most, tuple(turned) if turned[0][0] == 0 else ((0, now), *turned))


def _on_duty(at_s: int, begin_s: int, end_s: int) -> bool:
    """A shift that ends when it begins lasts all day."""
    return begin_s <= at_s < end_s if begin_s < end_s else at_s >= begin_s or at_s < end_s


def _clock_s(hour: str) -> int:
    hours, minutes = hour.split(":")
    return int(hours) * 3600 + int(minutes) * 60
