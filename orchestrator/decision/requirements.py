"""Compiles what each host's steps and each gate require into groups of small integers.

Never says whether a requirement is met: that is the state's, see `quorum` and `decide`. Hosts with the same class,
services and site share one group, so 1,700 hosts are some hundred groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Host, Service, Task
from orchestrator.plans.model import Content, HostClass

HOST_STEPS = ("preserve", "restore", "inspect", "reconnect")
PRESERVE, RESTORE, INSPECT, RECONNECT = 0, 1, 2, 3


@dataclass(slots=True, frozen=True)
class TaskKey:
    """A task of the estate under its key (`service/task`, or `host/task` for one that stands before a step).

    `subject`: of a witness task (`service/witness-CHECK`), what the check is about that writes and is not agreed on.
    """

    key: str
    spec: Task
    service: int
    host: int
    subject: str = ""


@dataclass(slots=True, frozen=True)
class Group:
    """Hosts that require the same: service numbers per step, pools per step, tasks before steps.

    `needs[step]` holds service numbers in the order of HOST_STEPS; `unit_needs` those reconnect needs that lie in
    a unit the host plays a part in; `online` what an inspection of the host needs once it is out; `pools[step]` pool
    numbers; `tasks[step]` specs from class and services.
    """

    klass: HostClass
    site: int
    services: tuple[int, ...]
    needs: tuple[tuple[int, ...], ...]
    unit_needs: tuple[int, ...]
    online: tuple[int, ...]
    soft: tuple[int, ...]
    pools: tuple[tuple[int, ...], ...]
    tasks: tuple[tuple[Task, ...], ...]


@dataclass(slots=True, frozen=True)
class PoolSlot:
    """One limited resource as the core counts it: a pool, or a pool at a site (site -1: everywhere)."""

    pool: str
    site: int
    size: int


class PoolTable:
    """Numbers the pools of the estate, one entry for each pool and, where it is per site, each site."""

    def __init__(self, content: Content, sites: dict[str, int]) -> None:
        self.slots: list[PoolSlot] = []
        self._number: dict[tuple[str, int], int] = {}
        for pool in content.capacity.pools:
            if pool.size is not None:
                self._add(pool.id, -1, pool.size)
                continue
            for site, index in sites.items():
                self._add(pool.id, index, pool.per_site.get(site, pool.per_site_default or 0))

    def _add(self, pool: str, site: int, size: int) -> None:
        self._number[pool, site] = len(self.slots)
        self.slots.append(PoolSlot(pool, site, size))

    def numbers(self, pools: Iterable[str], site: int) -> tuple[int, ...]:
        """The slots an action at `site` takes. Raises ContentError for a pool that capacity.yaml does not know."""
        found = []
        for pool in pools:
            number = self._number.get((pool, -1), self._number.get((pool, site)))
            if number is None:
                raise ContentError(f"The pool {pool} is used by a class but not declared in plans/capacity.yaml.")
            found.append(number)
        return tuple(sorted(found))


class Company:
    """Services by their id and by their unit."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._known: dict[str, tuple[int, Service]] = {}
        self._units: dict[str, set[str]] = {}
        for place, service in enumerate(services):
            self._known[service.id] = place, service
            if service.unit:
                self._units.setdefault(service.unit, set()).add(service.id)

    def played(self, names: Iterable[str]) -> list[Service]:
        """The services of these names, in the order of the content."""
        found = sorted((self._known[name] for name in set(names) if name in self._known), key=lambda one: one[0])
        return [service for _, service in found]

    def in_unit(self, played: Iterable[Service]) -> set[str]:
        """What shares a unit with one of them, they themselves included."""
        return {name for service in played if service.unit for name in self._units[service.unit]}


def compile_groups(
    content: Content, sites: dict[str, int], services: dict[str, int], pools: PoolTable
) -> tuple[list[Group], list[int]]:
    """The groups, and for each host of the inventory the number of its group."""
    classes = {one.id: one for one in content.classes}
    company = Company(content.inventory.services)
    numbers: dict[tuple[str, str, tuple[str, ...]], int] = {}
    groups: list[Group] = []
    of_host = []
    for host in content.inventory.hosts:
        key = (host.klass, host.site, host.services)
        if key not in numbers:
            numbers[key] = len(groups)
            groups.append(_group(content, company, host, classes[host.klass], (sites, services, pools)))
        of_host.append(numbers[key])
    return groups, of_host


def _group(
    content: Content,
    company: Company,
    host: Host,
    klass: HostClass,
    tables: tuple[dict[str, int], dict[str, int], PoolTable],
) -> Group:
    sites, services, pools = tables
    played = company.played(host.services)
    own = {service.id for service in played}
    in_unit = company.in_unit(played)
    source = klass.source.partition(":")[2]
    holders: tuple[HostClass | Service, ...] = (klass, *played)
    asked = {
        step: {need for holder in holders for need in getattr(holder.needs, step)}
        for step in ("restore", "inspect", "reconnect", "soft")
    }
    if source:
        asked["restore"].add(source)
    reconnect = asked["reconnect"] - own
    online = set(asked["inspect"])
    if klass.cleanliness == "offline":
        # The tools that hosts inspected online need; what the host itself plays it need not wait for.
        online.update(*(one.needs.inspect for one in content.classes if one.cleanliness == "online"))
    number = services.__getitem__
    return Group(
        klass=klass,
        site=sites[host.site],
        services=tuple(sorted(map(number, host.services))),
        needs=(
            (),
            tuple(sorted(map(number, asked["restore"]))),
            tuple(sorted(map(number, asked["inspect"]))),
            tuple(sorted(map(number, reconnect - in_unit))),
        ),
        unit_needs=tuple(sorted(map(number, (reconnect & in_unit)))),
        online=tuple(sorted(map(number, online - own))),
        soft=tuple(sorted(map(number, asked["soft"] - own))),
        pools=tuple(pools.numbers(getattr(klass.pools, step), sites[host.site]) for step in HOST_STEPS),
        tasks=tuple(
            tuple(task for holder in holders for task in holder.tasks if task.step == step) for step in HOST_STEPS
        ),
    )
