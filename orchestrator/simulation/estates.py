"""Invents small hospitals of every shape, and varies a known one: the rules the core must bear are drawn by lot.

Never an estate to restart: names, addresses and keys mean nothing. The same seed gives the same content. A drawn
estate that could not restart even without faults is drawn anew.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from orchestrator.checks.model import Check
from orchestrator.decision.dryrun import DryRun
from orchestrator.errors import ContentError
from orchestrator.inventory.model import (
    Function,
    Host,
    Interface,
    Inventory,
    Names,
    Needs,
    Service,
    Site,
    Task,
    Wait,
)
from orchestrator.plans.model import (
    Capacity,
    Content,
    HostClass,
    LotRule,
    Person,
    Pool,
    Restart,
    Roster,
    Shift,
    StepPools,
    StepTimes,
    Timing,
)
from orchestrator.plans.waves import derive

FUNCTIONS = ("laboratory", "radiology", "medical-records", "pharmacy", "theatres")
PERSONS = {
    "operator": 4, "analyst": 4, "technician": 4, "crisis": 2, "forensic_lead": 1, "it_director": 1,
}  # fmt: skip
LOTS = 0.5  # how many estates judge workstations by lots
_FIRST = ("base-0", "base-1", "base-2", "base-3")  # what every other host leans on stands on none of them
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA" + "I" * 44
_POOLS = StepPools(preserve=("evidence",), restore=("streams",), inspect=("inspections",), reconnect=("releases",))
_BENCH = StepPools(preserve=("evidence",), restore=("bench",), inspect=("inspections",), reconnect=("releases",))


def invented(seed: int, hosts: int, analysts: int = 4, technicians: int = 4) -> Content:
    """A hospital of about `hosts` hosts that restarts where nothing goes wrong."""
    for number in range(100):
        content = _drawn(random.Random(f"{seed}/{number}"), hosts, {"analyst": analysts, "technician": technicians})
        try:
            if not DryRun(content, derive(content)).run():
                return content
        except ContentError:
            continue
    raise ContentError(f"No estate of {hosts} hosts that can restart was found for seed {seed}.", rule="estates.none")


def varied(content: Content, chance: random.Random) -> Content:
    """The same hospital under other rules: how often is asked, how long a verdict holds, how much room there is."""
    interval_s = chance.choice((1200, 1800, 3600))
    checks = tuple(check.model_copy(update={"interval_s": interval_s}) for check in content.checks)
    timing = content.restart.timing.model_copy(
        update={
            "soak_s": chance.choice((0, 900, 3600)),
            "passes": chance.choice((1, 2, 3)),
            "in_service_passes": chance.choice((1, 2)),
            "host_fail_s": chance.choice((900, 4 * 3600)),
            "sweep_s": chance.choice((600, 1800)),
            "verdict_valid_s": chance.choice((6 * 3600, 72 * 3600, 72 * 3600)),
            "obligation_s": chance.choice((12 * 3600, 72 * 3600)),
            "workstations_per_minute": chance.choice((1, 5)),
        }
    )
    sites = tuple(_varied_site(site, chance) for site in content.inventory.sites)
    classes = tuple(_varied_class(one, chance) for one in content.classes)
    inventory = content.inventory.model_copy(update={"sites": sites})
    restart = content.restart.model_copy(update={"timing": timing, "gates": {}})
    return content.model_copy(update={"checks": checks, "restart": restart, "inventory": inventory, "classes": classes})


def _varied_site(site: Site, chance: random.Random) -> Site:
    room = chance.randint(2, 8) if chance.random() < 0.3 else None
    by = "witnesses" if chance.random() < 0.2 else site.isolates_by
    return site.model_copy(update={"quarantine_hosts_max": room, "isolates_by": by})


def _varied_class(one: HostClass, chance: random.Random) -> HostClass:
    counts = {"counts_for_s": chance.choice((6 * 3600, 48 * 3600))} if one.kind == "workstation" else {}
    waived = {"preservation": "waived"} if chance.random() < 0.2 else {}
    return one.model_copy(update={**counts, **waived})


def _drawn(chance: random.Random, hosts: int, people: dict[str, int]) -> Content:
    sites = [f"site-{number}" for number in range(chance.randint(1, 4))]
    functions = FUNCTIONS[: max(1, min(len(FUNCTIONS), hosts // 10, chance.randint(2, 5)))]
    services = _services(chance, functions)
    servers = _servers(chance, services, sites, hosts)
    posts = _workstations(chance, functions, sites, max(len(functions), hosts - len(servers)))
    inventory = Inventory(
        sites=tuple(_site(number, site) for number, site in enumerate(sites)),
        functions=tuple(_function(one, services, sites) for one in functions),
        services=tuple(services),
        interfaces=tuple(_interfaces(chance, services)),
        hosts=(*servers, *posts),
    )
    order = list(functions)
    restart = Restart(
        order=tuple(order),
        pinned=tuple(order[: chance.randint(0, 3)]),
        timing=Timing(),
        lots=LotRule(first=2, one_in=5),
    )
    content = Content(
        inventory=inventory,
        checks=tuple(_checks(inventory)),
        classes=tuple(_classes(chance, services)),
        capacity=_capacity(chance, people),
        roster=Roster(persons=tuple(_persons(people))),
        restart=restart,
    )
    return varied(content, chance)


def _services(chance: random.Random, functions: Sequence[str]) -> list[Service]:
    """Foundations first, two of them often a unit; then what each function uses, on anything before it."""
    found: list[Service] = []
    pair = chance.random() < 0.7
    for number in range(chance.randint(4, 7)):
        name = f"base-{number}"
        needs = Needs(reconnect=tuple(one.id for one in found if chance.random() < 0.3))
        unit = None
        if pair and number in (2, 3):
            other = f"base-{5 - number}"
            needs, unit = Needs(reconnect=tuple({*needs.reconnect, other})), "pair"
        found.append(_service(chance, name, None, needs, unit))
    for function in functions:
        for number in range(chance.randint(1, 3)):
            before = [one.id for one in found]
            wanted = sorted(chance.sample(before, min(len(before), chance.randint(1, 3))))
            early = tuple(one for one in before[:3] if chance.random() < 0.15)
            found.append(
                _service(chance, f"{function}-{number}", function, Needs(reconnect=tuple(wanted), inspect=early))
            )
        if chance.random() < 0.3:
            found.append(Service(id=f"{function}-vendor", name=_names(function), kind="outside", function=function))
    return found


def _service(chance: random.Random, name: str, function: str | None, needs: Needs, unit: str | None = None) -> Service:
    tasks = []
    if chance.random() < 0.2:
        tasks.append(Task(id="secrets", name=_names("secrets"), by=chance.choice(("operator", "technician", "vendor"))))
        if chance.random() < 0.5:
            tasks.append(Task(id="again", name=_names("again"), after=Wait(task="secrets", wait_s=36000)))
    if chance.random() < 0.15:
        expires_s, step = chance.choice((None, 4 * 3600)), chance.choice(("gate", "reconnect"))
        tasks.append(Task(id="queues", name=_names("queues"), step=step, expires_s=expires_s))
    if chance.random() < 0.1:
        tasks.append(Task(id="database", name=_names("database"), confirm=f"check:{name}-works"))
    quorum = chance.choice((1, 1, 2))
    return Service(
        id=name, name=_names(name), function=function, needs=needs, unit=unit, quorum=quorum, tasks=tuple(tasks),
        care="live" if chance.random() < 0.1 else None,
    )  # fmt: skip


def _servers(chance: random.Random, services: Sequence[Service], sites: Sequence[str], hosts: int) -> list[Host]:
    found: list[Host] = []
    for service in services:
        if service.kind == "outside":
            continue
        first = service.id in _FIRST
        for number in range(service.quorum + (chance.random() < 0.5)):
            also = [one.services[0] for one in found[-1:] if chance.random() < 0.1 and one.klass == "server"]
            playing = (service.id,) if first else tuple(dict.fromkeys((service.id, *also)))
            klass = "first" if first else "server"
            found.append(_host(len(found), f"srv-{service.id}-{number}", chance.choice(sites), klass, playing, None))
    while len(found) < hosts // 3:
        service = chance.choice([one for one in services if one.kind == "inside"])
        klass = "first" if service.id in _FIRST else "server"
        found.append(_host(len(found), f"srv-more-{len(found)}", chance.choice(sites), klass, (service.id,), None))
    return found


def _workstations(chance: random.Random, functions: Sequence[str], sites: Sequence[str], count: int) -> list[Host]:
    found = []
    for number in range(count):
        function = functions[number % len(functions)] if chance.random() < 0.9 else None
        klass = chance.choice(("pc", "pc", "pc-two"))
        found.append(_host(1000 + number, f"pc-{number:03}", chance.choice(sites), klass, (), function))
    return found


def _host(number: int, name: str, site: str, klass: str, services: tuple[str, ...], function: str | None) -> Host:
    place = f"{number // 250}.{number % 250 + 1}"
    return Host(
        id=name, site=site, room="", klass=klass, kind="server" if services else "workstation", services=services,
        function=function, address=f"10.1.{place}", management=f"10.2.{place}", serial=f"S{number}",
        mac=f"02:00:00:00:{number // 256:02x}:{number % 256:02x}",
    )  # fmt: skip


def _classes(chance: random.Random, services: Sequence[Service]) -> list[HostClass]:
    online = Needs(
        restore=tuple(one for one in ("base-0",) if chance.random() < 0.7),
        inspect=tuple(one for one in ("base-1",) if chance.random() < 0.7),
        reconnect=tuple(one for one in ("base-2",) if chance.random() < 0.5),
    )
    strategies = chance.choice((("restore", "reimage", "replace"), ("restore", "replace")))
    first = HostClass(
        id="first", name="First", kind="server", os="linux", source="media", cleanliness="offline",
        strategies=("reimage", "replace"), duration_s=StepTimes(preserve=1800, restore=5400, inspect=1800),
        pools=_POOLS,
    )  # fmt: skip
    server = HostClass(
        id="server", name="Server", kind="server", os="linux", source="repository:base-0", cleanliness="online",
        strategies=strategies, needs=online, duration_s=StepTimes(preserve=1800, restore=7200, inspect=1200),
        pools=_POOLS,
    )  # fmt: skip
    post = HostClass(
        id="pc", name="PC", kind="workstation", os="linux", source="media", cleanliness="online",
        strategies=("reimage", "replace"), verdicts_required=1, needs=online, reading_s=300,
        duration_s=StepTimes(preserve=300, restore=2700, inspect=600, reconnect=30), pools=_BENCH,
    )  # fmt: skip
    apart = random.Random()
    apart.setstate(chance.getstate())  # what is drawn after this does not depend on it
    if apart.random() < LOTS:
        post = post.model_copy(update={"lots": True, "verdicts_required": 2})
    return [first, server, post, post.model_copy(update={"id": "pc-two", "verdicts_required": 2})]


def _interfaces(chance: random.Random, services: Sequence[Service]) -> list[Interface]:
    found = []
    for number in range(chance.randint(0, 3)):
        source, target = chance.sample([one.id for one in services], 2)
        name = f"link-{number}"
        found.append(Interface(id=name, name=_names(name), source=source, target=target, protocol="hl7"))
    return found


def _checks(inventory: Inventory) -> list[Check]:
    def check(name: str, level: str, **subject: str) -> Check:
        about = {"id": name, "level": level, "probe": "tcp", "port": 1, **subject}
        return Check.model_validate(about)

    return [
        *(check(f"{one.id}-works", "L2", service=one.id) for one in inventory.services if one.kind == "inside"),
        *(check(f"{one.id}-works", "L3", interface=one.id) for one in inventory.interfaces),
        *(check(f"{one}-up", "L1", **{"class": one}) for one in ("first", "server", "pc", "pc-two")),
    ]


def _capacity(chance: random.Random, people: dict[str, int]) -> Capacity:
    sizes = {"evidence": 8, "streams": chance.randint(2, 6), "inspections": chance.randint(1, 8), "releases": 6}
    pools = [Pool(id=name, name=name, size=size) for name, size in sizes.items()]
    pools.append(Pool(id="bench", name="bench", per_site_default=chance.randint(2, 8)))
    everyone = [one.id for one in _persons(people)]
    day, night = everyone[::2], everyone[1::2]
    if chance.random() < 0.4:
        return Capacity(pools=tuple(pools))
    return Capacity(
        pools=tuple(pools),
        shifts=(
            Shift(id="day", start="07:00", end="19:00", persons=tuple(day)),
            Shift(id="night", start="19:00", end="07:00", persons=tuple(night)),
        ),
    )


def _persons(people: dict[str, int]) -> list[Person]:
    return [
        Person(id=f"{role.replace('_', '-')}-{number}", roles=(role,), key=_KEY)
        for role, count in {**PERSONS, **people}.items()
        for number in range(1, count + 1)
    ]


def _function(name: str, services: Sequence[Service], sites: Sequence[str]) -> Function:
    own = tuple(one.id for one in services if one.function == name and one.kind == "inside")
    return Function(id=name, name=_names(name), services=own, sites=tuple(sites))


def _site(number: int, name: str) -> Site:
    return Site(
        id=name, name=_names(name), kind="hospital", prober=f"10.3.0.{number + 1}",
        control=f"10.3.1.{number + 1}:443", gate=f"10.3.2.{number + 1}:22",
    )  # fmt: skip


def _names(text: str) -> Names:
    return Names(en=text, fr=text)
