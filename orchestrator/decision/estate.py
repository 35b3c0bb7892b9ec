"""The estate as the core sees it: content and plan compiled once to numbers and short tuples.

Never changes after it was made; what changes is in `state`. Names are translated here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.checks.model import Check
from orchestrator.decision.requirements import (
    HOST_STEPS,
    INSPECT,
    RECONNECT,
    Group,
    PoolTable,
    TaskKey,
    compile_groups,
)
from orchestrator.inventory.model import Names, Task
from orchestrator.plans.model import Content, Plan, Timing, Wave

SECOND = 1_000_000
WITNESSED_S = 86_400


@dataclass(slots=True, frozen=True)
class WaveGate:
    """A wave and its gate in numbers: `services` pairs (service, k), `posts` pairs (hosts of a site, how many)."""

    name: str
    hosts: tuple[int, ...]
    after: tuple[int, ...]
    services: tuple[tuple[int, int], ...]
    interfaces: tuple[str, ...]
    posts: tuple[tuple[tuple[int, ...], int], ...]
    tasks: tuple[str, ...]
    soak_us: int
    passes: int
    needed: frozenset[int]


class Estate:
    """Everything of content and plan that deciding needs. Lists are indexed by host, service, site or wave number."""

    def __init__(self, content: Content, plan: Plan) -> None:
        self.content = content
        self.plan = plan
        self.timing: Timing = content.restart.timing
        inventory = content.inventory
        self.sites = [site.id for site in inventory.sites]
        self.site_number = _numbers(self.sites)
        self.by_witnesses = [site.isolates_by == "witnesses" for site in inventory.sites]
        self.quarantine_max = [site.quarantine_hosts_max for site in inventory.sites]
        self.services = [service.id for service in inventory.services]
        self.service_number = _numbers(self.services)
        self.subjects = [f"service:{service}" for service in self.services]  # what their readings are of
        self.quorum = [service.quorum for service in inventory.services]
        self.outside = [service.kind == "outside" for service in inventory.services]
        self.live_care = [service.care == "live" for service in inventory.services]
        self.unit = [service.unit for service in inventory.services]
        self.hosts = [host.id for host in inventory.hosts]
        self.host_number = _numbers(self.hosts)
        self.is_server = [host.kind == "server" for host in inventory.hosts]
        self._compile_hosts()
        self._compile_waves()
        self._compile_order()
        self._compile_confirmations()
        self.interval_us = _intervals(content)
        self.ends_of = {
            f"interface:{link.id}": (self.service_number[link.source], self.service_number[link.target])
            for link in inventory.interfaces
        }

    def _compile_hosts(self) -> None:
        content = self.content
        pools = PoolTable(content, self.site_number)
        self.pools = pools.slots
        self.groups, self.group_of = compile_groups(content, self.site_number, self.service_number, pools)
        self.group: Callable[[int], Group] = [self.groups[number] for number in self.group_of].__getitem__
        self.site_of = [self.groups[group].site for group in self.group_of]
        self.services_of = [self.groups[group].services for group in self.group_of]
        self.hosts_of_site: list[list[int]] = [[] for _ in self.sites]
        self.players: list[list[int]] = [[] for _ in self.services]
        for host, services in enumerate(self.services_of):
            self.hosts_of_site[self.site_of[host]].append(host)
            for service in services:
                self.players[service].append(host)
        self.dependents = [[list[int]() for _ in self.services] for _ in HOST_STEPS]
        for host, number in enumerate(self.group_of):
            group = self.groups[number]
            for step, needs in enumerate(group.needs):
                more = {INSPECT: set(group.online).difference(needs), RECONNECT: group.unit_needs}.get(step, ())
                for service in (*needs, *more):
                    self.dependents[step][service].append(host)
        self.unit_members: dict[str, list[int]] = {}
        for service, unit in enumerate(self.unit):
            if unit:
                self.unit_members.setdefault(unit, []).append(service)
        self.closure = self._closures()
        self.tasks: dict[str, TaskKey] = {}
        self._compile_tasks()

    def _closures(self) -> list[frozenset[int]]:
        """For each service, itself and every service it or its hosts need, directly or not (soft needs aside)."""
        direct: list[set[int]] = [set() for _ in self.services]
        for service, players in enumerate(self.players):
            for host in players:
                group = self.groups[self.group_of[host]]
                direct[service].update(need for needs in group.needs for need in needs)
                direct[service].update(group.unit_needs)
        return [_reach(service, direct) for service in range(len(self.services))]

    def _compile_tasks(self) -> None:
        for number, service in enumerate(self.content.inventory.services):
            for task in service.tasks:
                if task.step == "gate":
                    key = f"{service.id}/{task.id}"
                    self.tasks[key] = TaskKey(key, task, number, -1)
        self.tasks_before: list[tuple[tuple[str, ...], ...]] = []
        for host, name in enumerate(self.hosts):
            steps = self.group(host).tasks
            self.tasks_before.append(tuple(tuple(f"{name}/{task.id}" for task in tasks) for tasks in steps))
            for tasks in steps:
                self.tasks.update((f"{name}/{task.id}", TaskKey(f"{name}/{task.id}", task, -1, host)) for task in tasks)
        for site in self.content.inventory.sites:
            self.tasks[f"{site.id}/isolate"] = isolation_task(site.id)
        self.witness_task: dict[str, str] = {}  # by the check it stands in for
        target_of = {link.id: link.target for link in self.content.inventory.interfaces}
        for check in self.content.checks:
            owner = check.service or target_of.get(check.interface or "", "")
            if check.writes and owner and not self.outside[self.service_number[owner]]:
                seen = witness_task(check, owner, self.service_number[owner])
                self.tasks[seen.key], self.witness_task[check.id] = seen, seen.key

    def _compile_waves(self) -> None:
        number = {wave.name: index for index, wave in enumerate(self.plan.waves)}
        self.wave_number = number
        self.waves: list[WaveGate] = []
        self.wave_of = [-1] * len(self.hosts)
        self.wave_of_service = [-1] * len(self.services)
        for index, wave in enumerate(self.plan.waves):
            hosts = tuple(self.host_number[host] for host in wave.hosts)
            for host in hosts:
                self.wave_of[host] = index
            for service in wave.services:
                self.wave_of_service[self.service_number[service]] = index
            groups = {self.group_of[host] for host in hosts}
            self.waves.append(
                WaveGate(
                    name=wave.name,
                    hosts=hosts,
                    after=tuple(number[name] for name in wave.after),
                    services=tuple((self.service_number[name], k) for name, k in wave.gate.services.items()),
                    interfaces=tuple(f"interface:{name}" for name in wave.gate.interfaces),
                    posts=tuple(
                        (tuple(self.host_number[post] for post in posts), wave.gate.need[site])
                        for site, posts in wave.gate.posts.items()
                    ),
                    tasks=self._gate_tasks(wave),
                    soak_us=wave.gate.soak_s * SECOND,
                    passes=wave.gate.passes,
                    needed=frozenset(need for group in groups for needs in self.groups[group].needs for need in needs)
                    - {self.service_number[service] for service in wave.services},
                )
            )
        self.ancestors = [self._ancestors(index) for index in range(len(self.waves))]
        self.gates_of_subject = self._gates_of_subject()
        self.waves_needing = [
            [index for index, wave in enumerate(self.waves) if service in wave.needed]
            for service in range(len(self.services))
        ]

    def _gate_tasks(self, wave: Wave) -> tuple[str, ...]:
        """The tasks of its services, and the witness tasks of what it judges."""
        played = {self.service_number[service] for service in wave.services}
        judged = {f"interface:{link}" for link in wave.gate.interfaces}
        judged.update(f"service:{service}" for service in wave.services)
        return tuple(
            key
            for key, task in self.tasks.items()
            if (task.subject in judged if task.subject else task.service in played)
        )

    def wave_of_task(self, task: TaskKey) -> int:
        """The wave whose gate the task is of, or -1."""
        if task.subject:
            return self.gates_of_subject.get(task.subject, [-1])[0]
        return self.wave_of_service[task.service]

    def _ancestors(self, wave: int) -> frozenset[int]:
        found: set[int] = set()
        todo = list(self.waves[wave].after)
        while todo:
            one = todo.pop()
            found.add(one)
            todo.extend(set(self.waves[one].after) - found)
        return frozenset(found)

    def _compile_confirmations(self) -> None:
        """Which tasks a reading of a subject confirms, and which tasks wait for another."""
        subject_of = {
            check.id: f"service:{check.service}" if check.service else f"interface:{check.interface}"
            for check in self.content.checks
            if not check.klass
        }
        self.task_keys = list(self.tasks)
        self.task_number = _numbers(self.task_keys)
        self.confirmed_by: dict[str, str] = {}
        self.tasks_confirmed_by: dict[str, list[str]] = {}
        self.tasks_after: dict[str, list[str]] = {}
        for key, task in self.tasks.items():
            kind, _, check = task.spec.confirm.partition(":")
            if kind == "check" and check in subject_of:
                self.confirmed_by[key] = subject_of[check]
                self.tasks_confirmed_by.setdefault(subject_of[check], []).append(key)
            if task.spec.after is not None:
                first = f"{key.partition('/')[0]}/{task.spec.after.task}"
                self.tasks_after.setdefault(first, []).append(key)

    def _gates_of_subject(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, wave in enumerate(self.waves):
            subjects = [self.subjects[service] for service, _ in wave.services]
            subjects.extend(wave.interfaces)
            for subject in subjects:
                found.setdefault(subject, []).append(index)
        return found

    def _compile_order(self) -> None:
        """One integer per host, small is urgent: inherited rank, then longest remaining tail, then host number.

        Behind all slices the wave goes before the tail: what stands behind its gate cannot go out earlier.
        """
        slices = len(self.content.inventory.functions)
        worst = len(self.plan.waves) + slices * 2 + 2
        ranks, tails = self.plan.ranks, self.plan.tail_s

        def key(host: int) -> tuple[int, int, int, int]:
            rank, wave = ranks.get(self.hosts[host], worst), self.wave_of[host]
            depth = len(self.ancestors[wave]) if rank >= slices and wave >= 0 else 0
            return rank, depth, -tails.get(self.hosts[host], 0), host

        by_urgency = sorted(range(len(self.hosts)), key=key)
        self.urgency = [0] * len(self.hosts)
        for place, host in enumerate(by_urgency):
            self.urgency[host] = place
        self.chosen = frozenset(self.host_number[host] for host in self.plan.quorum)


def isolation_task(site: str) -> TaskKey:
    """The two-witness task that isolates a site which no playbook can isolate."""
    names = Names(en=f"Cut {site} off the production network", fr=f"Couper {site} du réseau de production")
    return TaskKey(f"{site}/isolate", Task(id="isolate", name=names), -1, -1)


def witness_task(check: Check, service: str, number: int) -> TaskKey:
    """What stands in for a check that writes while nobody agreed to it: somebody who answers for the service saw a
    real sample or image go through."""
    names = Names(
        en=f"See a real case go through {service} ({check.id}); note who saw it, which case, and the minute",
        fr=f"Voir passer un cas réel par {service} ({check.id}) ; noter qui l'a vu, quel cas, et la minute",
    )
    spec = Task(id="witness", name=names, by="crisis", expires_s=WITNESSED_S, duration_s=900)
    subject = f"service:{check.service}" if check.service else f"interface:{check.interface}"
    return TaskKey(f"{service}/witness-{check.id}", spec, number, -1, subject)


def _numbers(ids: list[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(ids)}


def _reach(start: int, direct: list[set[int]]) -> frozenset[int]:
    found = {start}
    todo = [start]
    while todo:
        for need in direct[todo.pop()]:
            if need not in found:
                found.add(need)
                todo.append(need)
    return frozenset(found)


def _intervals(content: Content) -> dict[str, int]:
    """The longest interval of the checks of each subject, microseconds; hosts under `class:ID`."""
    found: dict[str, int] = {}
    for check in content.checks:
        if check.service:
            subject = f"service:{check.service}"
        elif check.interface:
            subject = f"interface:{check.interface}"
        else:
            subject = f"class:{check.klass}"
        found[subject] = max(found.get(subject, 0), check.interval_s * SECOND)
    return found


STEP_NUMBER = {step: number for number, step in enumerate(HOST_STEPS)}
__all__ = ["RECONNECT", "SECOND", "STEP_NUMBER", "Estate", "WaveGate", "isolation_task"]
