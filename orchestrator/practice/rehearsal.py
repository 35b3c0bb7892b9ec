"""Turns an estate into one that can be practised on, and says which fleet fills its places.

Never changes needs, quorums, units, waves, verdicts or gates: everything it replaces is listed in `REPLACED`.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.checks.model import Check
from orchestrator.inventory.model import Host, Service, Site, Task
from orchestrator.plans.model import (
    Content,
    HostClass,
    Inspection,
    Login,
    LotRule,
    Person,
    Restart,
    Role,
    Roster,
    StepTimes,
)
from orchestrator.practice.fleet_file import PRESETS, Fault, FleetFile, FleetHost, FleetSite, Link, Outside
from orchestrator.practice.ransomware import MARKER, NOTE, SUFFIX

REPLACED = (
    "addresses: every host, management path, gate, prober and control target is on loopback",
    "operating systems: every practice host is Linux, whatever its class says",
    "roster: fresh keys for simulated people, and no shifts",
    "gates: soak 5 s and 3 readings, whatever the plan's gate rules say; no interface is excused",
    "readings: every check asks the practice host by http (/l2/CHECK, /l3/INTERFACE), every second for at most 3 s; 2 "
    "PASS bring a host into service, a person is asked after 20 s of FAIL, a sweep goes out every 2 s",
    "waits: 1 to 4 s after a failure, 2 to 5 s for an unreachable host, at most 3 s between tasks, 60 s for a claim; "
    "no pace for workstations",
    "classes: steps are planned with 2 or 3 s and stopped after 60 s, an inspection after 30 s",
    "lots: the first 2 of each image at each site are read, then one in 6",
    "inspections look at the practice host's folder",
)
PEOPLE: dict[str, tuple[Role, ...]] = {
    "operator-1": ("operator",),
    "operator-2": ("operator",),
    "analyst-1": ("analyst",),
    "analyst-2": ("analyst",),
    "analyst-3": ("analyst",),
    "analyst-4": ("analyst",),
    "technician-1": ("technician",),
    "technician-2": ("technician",),
    "crisis-1": ("crisis",),
    "forensic-lead": ("forensic_lead",),
    "it-director": ("it_director",),
}
_TIMING = {
    "soak_s": 5, "passes": 3, "in_service_passes": 2, "host_fail_s": 20, "sweep_s": 2, "waits_s": (1, 2, 4),
    "unreachable_s": (2, 5), "claim_s": 12, "workstations_per_minute": 3000,
}  # fmt: skip
_LOTS = LotRule(first=2, one_in=6)
_TIMES = StepTimes(preserve=2, restore=3, inspect=2, reconnect=2, isolate=2)
_LIMITS = StepTimes(preserve=60, restore=60, inspect=30, reconnect=60, isolate=60)


@dataclass(slots=True, frozen=True)
class Ports:
    """Where the fleet answers."""

    ssh: int
    http: int


def rehearse(content: Content, keys: dict[str, str], user: str, ports: Ports) -> Content:
    """The content a drill runs on. `keys` are public key lines by person; `user` is whom SSH logs in as."""
    inventory = content.inventory
    hosts = tuple(_host(host, number) for number, host in enumerate(inventory.hosts))
    sites = tuple(_site(site, number, ports, user) for number, site in enumerate(inventory.sites))
    services = tuple(_service(service) for service in inventory.services)
    persons = tuple(Person(id=person, roles=roles, key=keys[person]) for person, roles in PEOPLE.items())
    login = Login(user=user, port=ports.ssh, management_user=user, management_port=ports.ssh)
    return content.model_copy(
        update={
            "inventory": inventory.model_copy(update={"hosts": hosts, "sites": sites, "services": services}),
            "checks": tuple(_check(check, ports) for check in content.checks),
            "classes": tuple(_class(one, login) for one in content.classes),
            "capacity": content.capacity.model_copy(update={"shifts": ()}),
            "roster": Roster(persons=persons),
            "restart": _restart(content.restart),
        }
    )


def fleet_file(content: Content, seed: int, client_key: str, ports: Ports, struck_us: int) -> FleetFile:
    """The fleet that fills the places of a rehearsed estate; its restore points lie an hour before the attack."""
    checks = _checks_of_hosts(content)
    players: dict[str, list[str]] = {}
    for host in content.inventory.hosts:
        for service in host.services:
            players.setdefault(service, []).append(host.id)
    outside = [service for service in content.inventory.services if service.kind == "outside"]
    players |= {service.id: [f"outside.{service.id}"] for service in outside}
    return FleetFile(
        seed=seed,
        ssh_port=ports.ssh,
        http_port=ports.http,
        client_key=client_key,
        engine_pid="../engine.pid",
        restore_point_us=struck_us - 3_600_000_000,
        sites=tuple(
            FleetSite(id=site.id, gate=site.gate.partition(":")[0], prober=site.prober, control=site.control)
            for site in content.inventory.sites
        ),
        hosts=tuple(
            FleetHost(
                id=host.id, kind=host.kind, site=host.site, address=host.address, management=host.management,
                services=host.services, checks=checks[host.id], **{"class": host.klass},
            )
            for host in content.inventory.hosts
        ),
        links=tuple(
            Link(id=one.id, source=tuple(players.get(one.source, ())), target=tuple(players.get(one.target, ())))
            for one in content.inventory.interfaces
        ),
        outside=tuple(
            Outside(id=f"outside.{service.id}", address=_address(96, number)) for number, service in enumerate(outside)
        ),
    )  # fmt: skip


def with_dormant(fleet: FleetFile, hosts: Collection[str]) -> FleetFile:
    """The fleet with something asleep on these hosts until their machines are replaced."""
    dormant = {"faults": (Fault(kind="dormant"),)}
    changed = tuple(host.model_copy(update=dormant) if host.id in hosts else host for host in fleet.hosts)
    return fleet.model_copy(update={"hosts": changed})


def with_faults(fleet: FleetFile, names: Iterable[str], seed: int, spared: Collection[str] = ()) -> FleetFile:
    """The fleet with each fault at a few more hosts, drawn from the seed: about one host in fifteen has one."""
    chosen = [name for name in names if name in PRESETS]
    if not chosen:
        return fleet
    dice = random.Random(seed)
    well = [number for number, host in enumerate(fleet.hosts) if not host.faults and host.id not in spared]
    places = dice.sample(well, min(max(len(chosen), len(fleet.hosts) // 15), len(well)))
    faults: dict[int, Fault] = {place: PRESETS[chosen[turn % len(chosen)]] for turn, place in enumerate(places)}
    hosts = tuple(
        host.model_copy(update={"faults": (faults[number],)}) if number in faults else host
        for number, host in enumerate(fleet.hosts)
    )
    return fleet.model_copy(update={"hosts": hosts})


def write_estate(content: Content, playbooks: Path, target: Path) -> None:
    """Writes `content` as an estate folder (JSON documents and CSV lists); playbooks are copied from `playbooks`."""
    inventory = content.inventory
    for folder in ("inventory", "plans", "checks"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    for name in ("sites", "functions", "activities", "services", "interfaces"):
        _document(target / "inventory" / f"{name}.json", {name: [_plain(one) for one in getattr(inventory, name)]})
    _lists(content, target / "inventory")
    _document(target / "plans" / "classes.json", {"classes": [_plain(one) for one in content.classes]})
    _document(target / "plans" / "capacity.json", _plain(content.capacity))
    _document(target / "plans" / "roster.json", _plain(content.roster))
    _document(target / "plans" / "restart.json", _plain(content.restart))
    _document(target / "checks" / "practice.json", {"checks": [_plain(one) for one in content.checks]})
    shutil.copytree(playbooks, target / "plans" / "playbooks", dirs_exist_ok=True)


def _plain(one: object) -> object:
    return one.model_dump(mode="json", by_alias=True, exclude_defaults=True)  # type: ignore[attr-defined]


def _document(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _lists(content: Content, folder: Path) -> None:
    common = ("class", "address", "management", "bench", "mac", "serial")
    for kind, third in (("server", "services"), ("workstation", "function")):
        with (folder / f"{kind}s.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("id", "site", "room", third, *common))
            for host in content.inventory.hosts:
                if host.kind == kind:
                    role = " ".join(host.services) if kind == "server" else host.function or ""
                    values = (host.klass, host.address, host.management, host.bench or "", host.mac, host.serial)
                    rows.writerow((host.id, host.site, host.room, role, *values))
    with (folder / "devices.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "site", "room", "kind", "owner", "function", "vendor_task"))
        for one in content.inventory.devices:
            rows.writerow((one.id, one.site, one.room, one.kind, one.owner, one.function or "", one.vendor_task))


def _address(network: int, number: int) -> str:
    """The `number`-th address of 127.`network`.0.0/16 and, beyond 62,500, of the networks after it."""
    high, low = divmod(number, 250)
    more, third = divmod(high, 250)
    return f"127.{network + more}.{third}.{low + 1}"


def _host(host: Host, number: int) -> Host:
    return host.model_copy(update={"address": _address(16, number), "management": _address(48, number)})


def _site(site: Site, number: int, ports: Ports, user: str) -> Site:
    return site.model_copy(
        update={
            "gate": f"{_address(80, number)}:{ports.ssh}",
            "gate_user": user,
            "prober": _address(88, number),
            "control": f"{_address(92, number)}:{ports.http}",
            "networks": (),
        }
    )


def _service(service: Service) -> Service:
    """The same service; its tasks and the waits between them shrink to seconds."""
    return service.model_copy(update={"tasks": tuple(_task(task) for task in service.tasks)})


def _task(task: Task) -> Task:
    after = task.after and task.after.model_copy(update={"wait_s": min(task.after.wait_s, 3)})
    return task.model_copy(update={"after": after, "duration_s": 1})


def _check(check: Check, ports: Ports) -> Check:
    path = f"/l3/{check.interface}" if check.interface else f"/l2/{check.id}"
    return check.model_copy(
        update={"probe": "http", "port": ports.http, "params": {"path": path}, "interval_s": 1, "timeout_s": 3}
    )


def _class(one: HostClass, login: Login) -> HostClass:
    update = {"os": "linux", "login": login, "duration_s": _TIMES, "limit_s": _LIMITS, "reading_s": 1}
    return one.model_copy(update={**update, "tasks": tuple(_task(task) for task in one.tasks)})


def _restart(restart: Restart) -> Restart:
    inspection = Inspection(root=".", paths=(".",), markers=(NOTE, MARKER, f"*{SUFFIX}"))
    timing = restart.timing.model_copy(update=_TIMING)
    return restart.model_copy(update={"timing": timing, "gates": {}, "inspection": inspection, "lots": _LOTS})


def _checks_of_hosts(content: Content) -> dict[str, tuple[str, ...]]:
    of_service: dict[str, list[str]] = {}
    of_class: dict[str, list[str]] = {}
    for check in content.checks:
        if check.service:
            of_service.setdefault(check.service, []).append(check.id)
        elif check.klass:
            of_class.setdefault(check.klass, []).append(check.id)
    return {
        host.id: tuple(
            check
            for checks in (of_class.get(host.klass, ()), *(of_service.get(service, ()) for service in host.services))
            for check in checks
        )
        for host in content.inventory.hosts
    }
