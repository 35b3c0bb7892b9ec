"""Writes seeded synthetic estates in the formats people edit: one hospital group of about 1,700 hosts, or many of them.

Never an estate to restart: it is there to measure with. The same size and seed give the same files, byte for byte.

    python -m bench.estates --hosts 17000 --seed 1 /tmp/estate
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import random
import shutil
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

GROUP_HOSTS = 1700
SERVER_SHARE = 200 / GROUP_HOSTS
KINDS = (
    *["hospital"] * 6,
    "polyclinic",
    *["nursing-home"] * 4,
    "psychiatric-home",
    *["creche"] * 3,
)
FOUNDATIONS = ("hypervisor", "backup", "ad", "dns", "dhcp", "ntp", "pki", "edr", "imaging", "jump")
SHARED = ("sql-a", "sql-b", "sql-c", "file", "print", "hl7", "remote-desktop")
FUNCTIONS = (
    *("laboratory", "radiology", "medical-records", "nuclear-medicine", "patient-identity", "blood-bank", "pharmacy"),
    *("prescriptions", "sterilisation", "emergency", "intensive-care", "theatres", "coronary-angiography", "oncology"),
    *("dialysis", "maternity", "consultations", "collection-centres", "telephony", "care-homes", "administration"),
)
PLAYBOOKS = Path(__file__).resolve().parents[1] / "plans" / "playbooks"
HOST_COLUMNS = ("id", "site", "room", "use", "class", "address", "management", "bench", "mac", "serial")
DEVICE_COLUMNS = ("id", "site", "room", "kind", "owner", "function", "vendor_task")
Rows = list[dict[str, Any]]


class _Plain(yaml.CSafeDumper):
    """Writes a value out again where it stands twice: content may hold no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


@dataclass
class Estate:
    """The entries of every file, as they will be written."""

    chance: random.Random
    sites: Rows = field(default_factory=list)
    functions: Rows = field(default_factory=list)
    activities: Rows = field(default_factory=list)
    services: Rows = field(default_factory=list)
    interfaces: Rows = field(default_factory=list)
    classes: Rows = field(default_factory=list)
    checks: dict[str, Rows] = field(default_factory=dict)
    servers: list[Sequence[str]] = field(default_factory=list)
    workstations: list[Sequence[str]] = field(default_factory=list)
    devices: list[Sequence[str]] = field(default_factory=list)
    addresses: int = 0
    groups: int = 1

    def address(self) -> str:
        """The next free address of 10.0.0.0/8."""
        self.addresses += 1
        return ".".join(str(part) for part in struct.pack(">I", (10 << 24) + self.addresses + self.addresses // 254))


def generate(hosts: int, seed: int) -> Estate:
    """An estate of exactly `hosts` hosts in groups of about 1,700, each with its own foundations and functions.

    Pools, analysts and technicians grow with it: else a larger restart would only take longer.
    """
    groups = max(1, round(hosts / GROUP_HOSTS))
    estate = Estate(random.Random(f"{hosts}/{seed}"), groups=groups)
    for number in range(groups):
        size = hosts // groups + (number < hosts % groups)
        _add_group(estate, f"-g{number:03}" if groups > 1 else "", size)
    return estate


def write(estate: Estate, folder: Path) -> None:
    """Lay the estate down in `folder` as `inventory/`, `plans/` and `checks/`."""
    for name in ("inventory", "plans", "checks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("sites", "functions", "activities", "services", "interfaces"):
        _write_yaml(folder / "inventory" / f"{name}.yaml", {name: getattr(estate, name)})
    _write_table(folder / "inventory" / "servers.csv", "services", estate.servers)
    _write_table(folder / "inventory" / "workstations.csv", "function", estate.workstations)
    with (folder / "inventory" / "devices.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("id", "site", "room", "kind", "owner", "function", "vendor_task"), *estate.devices]
        )
    _write_yaml(folder / "plans" / "classes.yaml", {"classes": estate.classes})
    _write_yaml(folder / "plans" / "capacity.yaml", _capacity(estate.groups))
    _write_yaml(folder / "plans" / "roster.yaml", {"persons": _persons(estate)})
    _write_yaml(folder / "plans" / "restart.yaml", _restart(estate))
    for function, checks in estate.checks.items():
        owner = None if function.startswith("foundations") else function
        _write_yaml(folder / "checks" / f"{function}.yaml", {"function": owner, "checks": checks})
    shutil.copytree(PLAYBOOKS, folder / "plans" / "playbooks", dirs_exist_ok=True)


def _add_group(estate: Estate, mark: str, size: int) -> None:
    sites = [f"site{mark}-{number:02}" for number in range(len(KINDS))]
    estate.sites.extend(_site(estate, site, kind) for site, kind in zip(sites, KINDS, strict=True))
    estate.classes.extend(_classes(mark))
    _add_foundations(estate, mark)
    clinical = [f"{function}-{part}{mark}" for function in FUNCTIONS for part in ("app", "data")]
    for function in FUNCTIONS:
        _add_function(estate, mark, function, sites)
    _add_interfaces(estate, mark, clinical)
    _add_activities(estate, mark, sites)
    services = [f"{name}{mark}" for name in (*FOUNDATIONS, *SHARED)] + clinical
    servers = round(size * SERVER_SHARE)
    _add_servers(estate, mark, sites, services, servers)
    _add_workstations(estate, mark, sites, size - servers)
    for number in range(40):
        place = (estate.chance.choice(sites), "", "analyser", "vendor", f"{FUNCTIONS[number % 3]}{mark}", "")
        estate.devices.append((f"device{mark}-{number:03}", *place))


def _site(estate: Estate, site: str, kind: str) -> dict[str, Any]:
    return {
        "id": site,
        "name": _names(site),
        "kind": kind,
        "prober": estate.address(),
        "control": f"{estate.address()}:443",
        "gate": f"{estate.address()}:22",
    }


def _classes(mark: str) -> Rows:
    backup, restore = f"repository:backup{mark}", {"restore": [f"hypervisor{mark}"]}
    online = {"inspect": [f"edr{mark}"], "reconnect": [f"ad{mark}", f"dns{mark}"]}
    anew = ["reimage", "replace"]
    offline: dict[str, Any] = {"cleanliness": "offline", "strategies": anew, "source": "media"}
    restored: dict[str, Any] = {"strategies": ["restore", *anew], "source": backup}
    return [
        _class(f"first-server{mark}", **offline),
        _class(f"directory{mark}", **{**offline, **restored}, needs=restore),
        _class(f"server{mark}", **restored, cleanliness="online", needs={**restore, **online}),
        _class(f"workstation{mark}", **{**offline, "cleanliness": "online"}, kind="workstation", needs=online),
    ]


def _class(name: str, **fields: Any) -> dict[str, Any]:
    kind = fields.get("kind", "server")
    restore = ["streams" if kind == "server" else "bench"]
    pools = {"preserve": ["evidence"], "restore": restore, "inspect": ["inspection"], "reconnect": ["releases"]}
    return {"id": name, "name": name, "kind": kind, "os": "linux", "pools": pools, **fields}


def _add_foundations(estate: Estate, mark: str) -> None:
    needs: dict[str, dict[str, list[str]]] = {
        "ad": {"reconnect": [f"dns{mark}", f"ntp{mark}"]},
        "dns": {"reconnect": [f"ad{mark}"]},
        "pki": {"reconnect": [f"ad{mark}"]},
        "dhcp": {"reconnect": [f"dns{mark}"]},
        "jump": {"reconnect": [f"ad{mark}", f"pki{mark}"]},
    }
    checks = estate.checks.setdefault(f"foundations{mark}", [])
    for name in FOUNDATIONS:
        unit = {"unit": f"directory{mark}"} if name in {"ad", "dns"} else {}
        estate.services.append(_service(f"{name}{mark}", None, needs.get(name, {}), **unit))
        checks.append(_check(f"{name}{mark}-works", "L2", service=f"{name}{mark}"))
    for name in SHARED:
        estate.services.append(_service(f"{name}{mark}", f"administration{mark}", {"reconnect": [f"ad{mark}"]}))
    for name in ("first-server", "directory", "server", "workstation"):
        checks.append(_check(f"{name}{mark}-up", "L1", **{"class": f"{name}{mark}"}))


def _add_function(estate: Estate, mark: str, function: str, sites: list[str]) -> None:
    """An application on data on something shared; now and then it needs another function's application too."""
    chance, known = estate.chance, f"{function}{mark}"
    app, data = f"{function}-app{mark}", f"{function}-data{mark}"
    needed = [data, f"hl7{mark}", f"{chance.choice(SHARED)}{mark}"]
    earlier = FUNCTIONS[: FUNCTIONS.index(function)]
    if earlier and chance.random() < 0.3:
        needed.append(f"{chance.choice(earlier)}-app{mark}")
    estate.services.append(_service(app, known, {"reconnect": sorted(set(needed)), "soft": [f"print{mark}"]}))
    estate.services.append(_service(data, known, {"reconnect": [f"sql-{chance.choice('abc')}{mark}"]}))
    estate.services.append({**_service(f"{function}-vendor{mark}", known, {}), "kind": "outside"})
    here = sorted(chance.sample(sites, chance.randint(2, len(sites))))
    estate.functions.append({"id": known, "name": _names(known), "services": [app], "sites": here})
    checks = [_check(f"{name}-works", "L2", service=name) for name in (app, data)]
    if function == "administration":
        checks.extend(_check(f"{name}{mark}-works", "L2", service=f"{name}{mark}") for name in SHARED)
    estate.checks.setdefault(known, []).extend(checks)


def _add_interfaces(estate: Estate, mark: str, clinical: list[str]) -> None:
    for number in range(30):
        source, target = estate.chance.sample(clinical, 2)
        if number < 5:
            target = f"{FUNCTIONS[number]}-vendor{mark}"
        name = f"link{mark}-{number:02}"
        ends = {"source": source, "target": target, "protocol": "hl7"}
        estate.interfaces.append({"id": name, "name": _names(name), **ends})
        estate.checks[f"foundations{mark}"].append(_check(f"{name}-works", "L3", interface=name))


def _add_activities(estate: Estate, mark: str, sites: list[str]) -> None:
    for number in range(6):
        functions = [f"{name}{mark}" for name in sorted(estate.chance.sample(FUNCTIONS, 3))]
        name = f"activity{mark}-{number}"
        estate.activities.append({"id": name, "name": _names(name), "functions": functions, "sites": sites[:6]})


def _add_servers(estate: Estate, mark: str, sites: list[str], services: list[str], count: int) -> None:
    """Directory pairs share their hosts; every other service gets its own, in turn until `count` is reached."""
    alone = [name for name in services if name not in {f"ad{mark}", f"dns{mark}"}]
    roles = [f"ad{mark} dns{mark}"] * 2 + [alone[number % len(alone)] for number in range(count - 2)]
    for number, role in enumerate(roles):
        base = role.removesuffix(mark) if " " not in role else "ad"
        klass = "directory" if base == "ad" else "first-server" if base in FOUNDATIONS else "server"
        site = sites[number % 6]
        estate.servers.append(_host(estate, f"srv{mark}-{number:04}", site, role, f"{klass}{mark}"))


def _add_workstations(estate: Estate, mark: str, sites: list[str], count: int) -> None:
    functions = estate.functions[-len(FUNCTIONS) :]
    for number in range(count):
        function = functions[min(int(estate.chance.expovariate(0.2)), len(functions) - 1)]
        site = estate.chance.choice(function["sites"])
        host = _host(estate, f"ws{mark}-{number:04}", site, function["id"], f"workstation{mark}")
        estate.workstations.append(host)


def _host(estate: Estate, name: str, site: str, use: str, klass: str) -> Sequence[str]:
    address, management = estate.address(), estate.address()
    number = estate.addresses
    mac = ":".join(f"{part:02x}" for part in (2, 0, *struct.pack(">I", number)))
    return name, site, f"R{number % 400}", use, klass, address, management, "", mac, f"SN{number:08}"


def _service(name: str, function: str | None, needs: dict[str, list[str]], **more: str) -> dict[str, Any]:
    return {"id": name, "name": _names(name), "function": function, "needs": needs, **more}


def _check(name: str, level: str, **subject: str) -> dict[str, Any]:
    return {"id": name, **subject, "level": level, "probe": "http", "port": 8443, "params": {"path": f"/{name}"}}


def _names(text: str) -> dict[str, str]:
    return {"en": text, "fr": text}


def _capacity(groups: int) -> dict[str, Any]:
    sizes = {"evidence": 12, "streams": 16, "inspection": 20, "releases": 20}
    pools: Rows = [{"id": name, "name": name, "size": size * groups} for name, size in sizes.items()]
    pools.append({"id": "bench", "name": "bench", "per_site_default": 8})
    people = ["operator-1", "analyst-1", "analyst-2", "technician-1"]
    day = {"id": "day", "start": "07:00", "end": "19:00", "persons": people}
    return {"pools": pools, "shifts": [day, {**day, "id": "night", "start": "19:00", "end": "07:00"}]}


def _persons(estate: Estate) -> Rows:
    more = ("analyst", "analyst", "analyst", "technician") * (estate.groups - 1)
    roles = ("operator", "operator", "analyst", "analyst", "analyst", "technician", "crisis", "forensic_lead")
    found: Rows = []
    seen: Counter[str] = Counter()
    for role in (*roles, "it_director", *more):
        seen[role] += 1
        found.append({"id": f"{role.replace('_', '-')}-{seen[role]}", "roles": [role], "key": _key(estate.chance)})
    return found


def _key(chance: random.Random) -> str:
    """A public key line whose private half never existed."""
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + chance.randbytes(32)
    return f"{kind.decode()} {base64.b64encode(blob).decode()}"


def _restart(estate: Estate) -> dict[str, Any]:
    order = [function["id"] for function in estate.functions]
    return {"order": order, "pinned": order[:3]}


def _write_yaml(path: Path, document: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(document, file, Dumper=_Plain, sort_keys=False, allow_unicode=True, default_flow_style=None)


def _write_table(path: Path, use: str, rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[use if name == "use" else name for name in HOST_COLUMNS], *rows])


def main() -> None:
    """Write one estate and say in one JSON line what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=GROUP_HOSTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    estate = generate(chosen.hosts, chosen.seed)
    write(estate, chosen.folder)
    hosts = len(estate.servers) + len(estate.workstations)
    print(json.dumps({"hosts": hosts, "services": len(estate.services), "functions": len(estate.functions)}))


if __name__ == "__main__":
    main()
