"""Makes tiny random hospitals in memory, with needs, units, quorums, pools, shifts and tasks, to judge bounds on.

Never the same hospital twice but by the same chance; never one that has no plan.
"""

from __future__ import annotations

import random

from orchestrator.inventory.model import Host, Inventory, Needs, Service, Task, Wait
from orchestrator.plans.model import (
    Capacity,
    Content,
    HostClass,
    Pool,
    Restart,
    Roster,
    Shift,
    StepPools,
    StepTimes,
    Timing,
)
from tests.estates import check, function, host_class, names, person, server, service, site, workstation


def hospital(chance: random.Random, hosts: int) -> Content:
    """A hospital of `hosts` hosts (4 or more are better), one or two functions and at most two sites."""
    sites = ("north", "south")[: chance.randint(1, 2)]
    functions = ("laboratory", "radiology")[: 1 if hosts < 6 else chance.randint(1, 2)]
    services = _services(chance, functions, hosts)
    classes = _classes(chance)
    placed = _hosts(chance, services, functions, sites, hosts)
    present = {name for host in placed for name in host.services}
    analysts = chance.randint(2, 4)
    persons = tuple(person(f"analyst-{number}", "analyst") for number in range(analysts))
    pools = tuple(
        Pool(id=name, name=name, size=chance.randint(1, 3)) for name in ("evidence", "streams", "inspections")
    )
    return Content(
        inventory=Inventory(
            sites=tuple(site(each) for each in sites),
            functions=tuple(
                function(each, *(one.id for one in services if one.function == each and one.id in present), sites=sites)
                for each in functions
            ),
            services=tuple(_known_needs(one, present) for one in services if one.id in present),
            hosts=placed,
        ),
        checks=tuple(check(f"{each.id}-up", "L1", klass=each.id) for each in classes),
        classes=classes,
        capacity=Capacity(pools=(*pools, Pool(id="benches", name="benches", per_site_default=chance.randint(1, 2)))),
        roster=Roster(persons=persons),
        restart=Restart(
            order=functions,
            pinned=functions if chance.random() < 0.7 else (),
            posts_per_site=chance.randint(1, 3),
            canary=1,
            timing=Timing(
                soak_s=chance.choice((0, 3, 10)),
                passes=1,
                in_service_passes=chance.randint(1, 2),
                workstations_per_minute=600,
            ),
        ),
    )


def with_shifts(content: Content, chance: random.Random) -> Content:
    """The same hospital where from 19:00 to 19:01 only some analysts are there, or none."""
    ids = [each.id for each in content.roster.persons]
    few = tuple(ids[: chance.randint(0, len(ids) - 1)])
    shifts = (
        Shift(id="day", start="07:00", end="19:00", persons=tuple(ids)),
        Shift(id="supper", start="19:00", end="19:01", persons=few),
        Shift(id="night", start="19:01", end="07:00", persons=tuple(ids)),
    )
    return content.model_copy(update={"capacity": content.capacity.model_copy(update={"shifts": shifts})})


def _services(chance: random.Random, functions: tuple[str, ...], hosts: int) -> list[Service]:
    unit = {"unit": "identity"} if chance.random() < 0.5 else {}
    found = [
        service("ad", needs=Needs(reconnect=("dns",)) if unit else Needs(), quorum=chance.randint(1, 2), **unit),
        service("dns", needs=Needs(reconnect=("ad",)), **unit),
    ]
    if hosts > 6:
        found.append(service("backup", needs=Needs(reconnect=("ad",) if chance.random() < 0.5 else ())))
    if chance.random() < 0.5:
        first = Task(id="first", name=names("first"), by="operator", duration_s=chance.randint(1, 9))
        second = Task(
            id="second", name=names("second"), by="operator", duration_s=chance.randint(1, 9),
            after=Wait(task="first", wait_s=chance.randint(0, 9)),
        )  # fmt: skip
        found[0] = found[0].model_copy(update={"tasks": (first, second)})
    for each in functions:
        if hosts > 4:
            found.append(service(f"{each}-data", each, quorum=chance.randint(1, 2)))
        needs = Needs(reconnect=("ad",), restore=(f"{each}-data",) if hosts > 4 and chance.random() < 0.5 else ())
        found.append(service(f"{each}-app", each, needs=needs, quorum=chance.randint(1, 2)))
    return found


def _known_needs(one: Service, present: set[str]) -> Service:
    known = {
        step: tuple(need for need in getattr(one.needs, step) if need in present) for step in ("restore", "reconnect")
    }
    return one.model_copy(update={"needs": Needs(**known)})


def _classes(chance: random.Random) -> tuple[HostClass, ...]:
    def made(name: str, restore: str, **fields: object) -> HostClass:
        times = StepTimes(
            preserve=chance.randint(1, 6), restore=chance.randint(3, 20), inspect=chance.randint(1, 8),
            reconnect=chance.randint(1, 3), isolate=chance.randint(1, 3),
        )  # fmt: skip
        pools = StepPools(preserve=("evidence",), restore=(restore,), inspect=("inspections",))
        return host_class(
            name, duration_s=times, pools=pools, reading_s=chance.randint(1, 12),
            verdicts_required=chance.randint(1, 2), **fields,
        )  # fmt: skip

    task = Task(
        id="carry", name=names("carry"), step=chance.choice(("restore", "reconnect")), duration_s=chance.randint(1, 9)
    )
    needs = Needs(inspect=("ad",) if chance.random() < 0.4 else (), reconnect=("dns",))
    return (
        made("first-server", "streams", strategies=("reimage", "replace")),
        made("server", "streams", needs=Needs(restore=("ad",) if chance.random() < 0.3 else (), reconnect=("dns",))),
        made(
            "workstation", "benches", kind="workstation", needs=needs,
            preservation=chance.choice(("required", "waived")), tasks=(task,) if chance.random() < 0.5 else (),
        ),
    )  # fmt: skip


def _hosts(
    chance: random.Random, services: list[Service], functions: tuple[str, ...], sites: tuple[str, ...], hosts: int
) -> tuple[Host, ...]:
    found: list[Host] = []

    def add(*played: str, klass: str) -> None:
        found.append(server(f"s-{len(found)}", chance.choice(sites), *played, klass=klass))

    shared = chance.random() < 0.5 or hosts < 6
    for one in services:
        klass = "first-server" if one.function is None else "server"
        if one.id == "dns" and shared:
            continue
        for _ in range(one.quorum):
            if len(found) < hosts - (len(functions) if hosts > 4 else 0) or one.id in ("ad", "dns"):
                add(*(("ad", "dns") if one.id == "ad" and shared else (one.id,)), klass=klass)
    while len(found) < hosts:
        if chance.random() < 0.3 and hosts > 4:
            one = chance.choice(services)
            add(one.id, klass=chance.choice(("first-server", "server")) if one.function is None else "server")
        else:
            found.append(workstation(f"w-{len(found)}", chance.choice(sites), chance.choice(functions)))
    return tuple(found)
