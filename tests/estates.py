"""Builds small estates in memory for tests: a hospital of two sites, three functions and fourteen hosts.

Never reads a file. Everything is deterministic, keys included: `key_of(person)` signs for that person of the roster.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.checks.model import Check, Level
from orchestrator.inventory.model import (
    Activity,
    Device,
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
    Person,
    Pool,
    Restart,
    Role,
    Roster,
    Shift,
    Slice,
    StepPools,
    StepTimes,
    Strategy,
    Timing,
)

FUNCTIONS = ("laboratory", "radiology", "medical-records")
PRACTICE_TIMING = Timing(
    soak_s=6,
    passes=3,
    in_service_passes=2,
    host_fail_s=30,
    sweep_s=2,
    waits_s=(1, 2, 4),
    unreachable_s=(2, 5),
    claim_s=60,
    obligation_s=600,
    workstations_per_minute=600,
)
PRACTICE_TIMES = StepTimes(preserve=10, restore=60, inspect=20, reconnect=2, isolate=2)
PRACTICE_LIMITS = StepTimes(preserve=60, restore=300, inspect=60, reconnect=20, isolate=20)
ROLES: dict[str, Role] = {
    "operator-1": "operator",
    "operator-2": "operator",
    "analyst-1": "analyst",
    "analyst-2": "analyst",
    "analyst-3": "analyst",
    "technician-1": "technician",
    "crisis-1": "crisis",
    "forensic-lead": "forensic_lead",
    "it-director": "it_director",
}


def key_of(person: str) -> Ed25519PrivateKey:
    """The private key of a person of the test roster, always the same for the same name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(person.encode()).digest())


def names(text: str) -> Names:
    """The same text in both languages."""
    return Names(en=text, fr=text)


def address(subject: str, network: int = 10) -> str:
    """An address of its own for every subject, inside `network`.0.0.0/8."""
    digest = hashlib.sha256(subject.encode()).digest()
    return ".".join(str(part) for part in (network, *digest[:3]))


def site(site_id: str, **fields: Any) -> Site:
    """A hospital whose prober, control and gate have addresses of their own."""
    return Site(
        **{
            "id": site_id,
            "name": names(site_id),
            "kind": "hospital",
            "prober": address(f"{site_id}/prober"),
            "control": f"{address(f'{site_id}/control')}:7000",
            "gate": f"{address(f'{site_id}/gate')}:2222",
            **fields,
        }
    )


def function(function_id: str, *services: str, sites: tuple[str, ...] = ("north", "south")) -> Function:
    """A function that uses `services` directly."""
    return Function(id=function_id, name=names(function_id), services=services, sites=sites)


def service(service_id: str, function_id: str | None = None, *, needs: Needs | None = None, **fields: Any) -> Service:
    """A service; without a function it belongs to the foundations."""
    return Service(id=service_id, name=names(service_id), function=function_id, needs=needs or Needs(), **fields)


def server(host_id: str, site_id: str, *services: str, klass: str = "server", **fields: Any) -> Host:
    """A server that plays `services`."""
    return _host(host_id, {"kind": "server", "site": site_id, "services": services, "klass": klass, **fields})


def workstation(host_id: str, site_id: str, function_id: str | None, **fields: Any) -> Host:
    """A workstation of a function (none: nobody knows what it is for)."""
    placed = {"kind": "workstation", "site": site_id, "function": function_id, "klass": "workstation"}
    return _host(host_id, {**placed, **fields})


def host_class(class_id: str, **fields: Any) -> HostClass:
    """A class with practice durations, limits and one pool per step."""
    kind = fields.get("kind", "server")
    strategies: tuple[Strategy, ...] = ("restore", "reimage", "replace") if kind == "server" else ("reimage", "replace")
    restore_pool = "backup-streams" if kind == "server" else "benches"
    return HostClass(
        **{
            "id": class_id,
            "name": class_id,
            "kind": kind,
            "os": "linux",
            "source": "media",
            "cleanliness": "offline",
            "strategies": strategies,
            "pools": StepPools(
                preserve=("evidence",), restore=(restore_pool,), inspect=("inspections",), reconnect=("releases",)
            ),
            "duration_s": PRACTICE_TIMES,
            "limit_s": PRACTICE_LIMITS,
            **fields,
        }
    )


def check(check_id: str, level: Level = "L2", **fields: Any) -> Check:
    """An HTTP check of one subject (`service=`, `interface=` or `klass=`), every two seconds."""
    subject = {"class" if name == "klass" else name: value for name, value in fields.items()}
    path = f"/{level.lower()}/{check_id}"
    settings = {"probe": "http", "port": 8080, "params": {"path": path}, "interval_s": 2, "timeout_s": 1}
    return Check.model_validate({"id": check_id, "level": level, **settings, **subject})


def small_estate(**restart: Any) -> Content:
    """The small hospital; keywords change fields of its restart rules (`order=`, `pinned=`, `timing=`, ...).

    Foundations: AD and DNS in one unit on ad-1 and ad-2, the backup repository on backup-1. lis (1 of lis-1, lis-2),
    pacs and ehr serve the three functions; lis-to-ehr links two of them; reference-lab is outside and a soft need.
    """
    return Content(
        inventory=_inventory(),
        checks=_checks(),
        classes=_classes(),
        capacity=_capacity(),
        roster=Roster(persons=tuple(person(person_id, role) for person_id, role in ROLES.items())),
        restart=Restart(**{**_RESTART, **restart}),
        digest="0" * 64,
    )


def person(person_id: str, *roles: Role) -> Person:
    """A person of the roster who holds `key_of(person_id)`."""
    public = key_of(person_id).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return Person(id=person_id, roles=roles, key=f"{public.decode()} {person_id}")


def with_services(content: Content, *services: Service) -> Content:
    """`content` with these services added, or put in the place of those of the same id."""
    return _with(content, services=_merged(content.inventory.services, services))


def with_functions(content: Content, *functions: Function) -> Content:
    """`content` with these functions added or replaced."""
    return _with(content, functions=_merged(content.inventory.functions, functions))


def with_hosts(content: Content, *hosts: Host) -> Content:
    """`content` with these hosts added or replaced."""
    return _with(content, hosts=_merged(content.inventory.hosts, hosts))


def without_hosts(content: Content, *host_ids: str) -> Content:
    """`content` without these hosts."""
    return _with(content, hosts=tuple(host for host in content.inventory.hosts if host.id not in host_ids))


def with_interfaces(content: Content, *interfaces: Interface) -> Content:
    """`content` with these interfaces added or replaced."""
    return _with(content, interfaces=_merged(content.inventory.interfaces, interfaces))


def with_sites(content: Content, *sites: Site) -> Content:
    """`content` with these sites added or replaced."""
    return _with(content, sites=_merged(content.inventory.sites, sites))


def with_classes(content: Content, *classes: HostClass) -> Content:
    """`content` with these classes added or replaced."""
    return content.model_copy(update={"classes": _merged(content.classes, classes)})


def with_checks(content: Content, *checks: Check) -> Content:
    """`content` with these checks added or replaced."""
    return content.model_copy(update={"checks": _merged(content.checks, checks)})


def with_pools(content: Content, *pools: Pool) -> Content:
    """`content` with these pools added or replaced."""
    capacity = content.capacity.model_copy(update={"pools": _merged(content.capacity.pools, pools)})
    return content.model_copy(update={"capacity": capacity})


def with_restart(content: Content, **fields: Any) -> Content:
    """`content` with fields of its restart rules changed."""
    return content.model_copy(update={"restart": content.restart.model_copy(update=fields)})


def with_tier0_tasks(content: Content, wait_s: int = 3) -> Content:
    """`content` where AD's gate asks for krbtgt to be reset twice, `wait_s` apart, by an operator."""
    first = Task(id="krbtgt-1", name=names("Reset krbtgt"), by="operator")
    second = Task(
        id="krbtgt-2", name=names("Reset krbtgt again"), by="operator", after=Wait(task=first.id, wait_s=wait_s)
    )
    directory = next(each for each in content.inventory.services if each.id == "ad")
    return with_services(content, directory.model_copy(update={"tasks": (first, second)}))


def _host(host_id: str, fields: dict[str, Any]) -> Host:
    return Host(**{"id": host_id, "address": address(host_id), "management": address(host_id, 11), **fields})


def _with(content: Content, **fields: Any) -> Content:
    return content.model_copy(update={"inventory": content.inventory.model_copy(update=fields)})


def _merged(old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple({each.id: each for each in (*old, *new)}.values())


def _inventory() -> Inventory:
    return Inventory(
        sites=(site("north"), site("south")),
        functions=(
            function("laboratory", "lis", sites=("north",)),
            function("radiology", "pacs"),
            function("medical-records", "ehr"),
        ),
        activities=(
            Activity(id="consultations", name=names("Consultations"), functions=FUNCTIONS, sites=("north", "south")),
        ),
        services=_services(),
        interfaces=(Interface(id="lis-to-ehr", name=names("Results"), source="lis", target="ehr", protocol="hl7"),),
        hosts=_hosts(),
        devices=(Device(id="mri-1", site="south", kind="MRI scanner", owner="vendor", function="radiology"),),
    )


def _services() -> tuple[Service, ...]:
    logs_in = Needs(reconnect=("ad",))
    return (
        service("ad", unit="directory", needs=Needs(reconnect=("dns",))),
        service("dns", unit="directory", needs=Needs(reconnect=("ad",))),
        service("backup", needs=Needs(reconnect=("dns",))),
        service("reference-lab", "laboratory", kind="outside"),
        service("lis", "laboratory", needs=Needs(reconnect=("ad",), soft=("reference-lab",))),
        service("pacs", "radiology", needs=logs_in),
        service("ehr", "medical-records", needs=logs_in),
    )


def _hosts() -> tuple[Host, ...]:
    return (
        server("ad-1", "north", "ad", "dns", klass="first-server"),
        server("ad-2", "south", "ad", "dns", klass="first-server"),
        server("backup-1", "north", "backup", klass="first-server"),
        server("lis-1", "north", "lis"),
        server("lis-2", "south", "lis"),
        server("pacs-1", "south", "pacs"),
        server("ehr-1", "north", "ehr"),
        workstation("lab-ws-1", "north", "laboratory"),
        workstation("lab-ws-2", "north", "laboratory"),
        workstation("lab-ws-3", "north", "laboratory"),
        workstation("rad-ws-1", "north", "radiology"),
        workstation("rad-ws-2", "south", "radiology"),
        workstation("ehr-ws-1", "north", "medical-records"),
        workstation("ehr-ws-2", "south", "medical-records"),
    )


def _classes() -> tuple[HostClass, ...]:
    post_needs = Needs(reconnect=("ad",))
    return (
        host_class("first-server", strategies=("reimage", "replace")),
        host_class("server", source="repository:backup", cleanliness="online"),
        host_class("workstation", kind="workstation", verdicts_required=1, preservation="waived", needs=post_needs),
    )


def _checks() -> tuple[Check, ...]:
    inside = ("ad", "dns", "backup", "lis", "pacs", "ehr")
    return (
        *(check(f"{each}-works", service=each) for each in inside),
        check("results-arrive", "L3", interface="lis-to-ehr"),
        *(check(f"{each}-up", "L1", klass=each) for each in ("first-server", "server", "workstation")),
    )


def _capacity() -> Capacity:
    pools = (
        Pool(id="evidence", name="Evidence copies", size=4),
        Pool(id="backup-streams", name="Backup streams", size=2),
        Pool(id="benches", name="Benches", per_site_default=2),
        Pool(id="inspections", name="Inspections", size=4),
        Pool(id="releases", name="Releases under way", size=20),
    )
    shifts = (
        Shift(id="day", start="07:00", end="19:00", persons=tuple(ROLES)),
        Shift(id="night", start="19:00", end="07:00", persons=("operator-1", "analyst-1", "analyst-2")),
    )
    return Capacity(pools=pools, shifts=shifts)


_RESTART: dict[str, Any] = {
    "order": FUNCTIONS,
    "pinned": FUNCTIONS,
    "slices": {"laboratory": Slice(posts={"north": ("lab-ws-1",)})},
    "posts_per_site": 1,
    "canary": 1,
    "timing": PRACTICE_TIMING,
}
