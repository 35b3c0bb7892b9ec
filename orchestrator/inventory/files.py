"""Reads the files of `inventory/` into the models of what exists.

Never looks across records (plans.review does) and never fails on a bad entry: it leaves it out and says so.
"""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from orchestrator.inventory.documents import read_document
from orchestrator.inventory.fitting import fit_list, fit_rows, only_keys
from orchestrator.inventory.model import (
    Activity,
    Device,
    Function,
    Host,
    Interface,
    Inventory,
    Service,
    Site,
    Strict,
)
from orchestrator.inventory.sources import Place, Sources, nearest
from orchestrator.inventory.tables import read_table

Model = TypeVar("Model", bound=Strict)

SERVER_COLUMNS = ("id", "site", "room", "services", "class", "address", "management", "bench", "mac", "serial")
WORKSTATION_COLUMNS = ("id", "site", "room", "function", "class", "address", "management", "bench", "mac", "serial")
DEVICE_COLUMNS = ("id", "site", "room", "kind", "owner", "function", "vendor_task")
DOCUMENTS = ("sites", "functions", "activities", "services", "interfaces")
TABLES = ("servers", "workstations", "devices")


def read_inventory(sources: Sources) -> Inventory:
    """Everything in `inventory/` that fits; what does not is among the findings."""
    refuse_unread(sources, "inventory", {f"{name}.yaml" for name in DOCUMENTS} | {f"{name}.csv" for name in TABLES})
    sites = read_list(sources, "inventory/sites", "sites", Site, needed=True)
    servers = _read_hosts(sources, "servers", SERVER_COLUMNS)
    workstations = _read_hosts(sources, "workstations", WORKSTATION_COLUMNS)
    return Inventory.model_construct(
        sites=sites,
        functions=read_list(sources, "inventory/functions", "functions", Function, needed=True),
        activities=read_list(sources, "inventory/activities", "activities", Activity),
        services=read_list(sources, "inventory/services", "services", Service, needed=True),
        interfaces=read_list(sources, "inventory/interfaces", "interfaces", Interface),
        hosts=servers + workstations,
        devices=_read_devices(sources),
    )


def read_list(sources: Sources, stem: str, key: str, model: type[Model], *, needed: bool = False) -> tuple[Model, ...]:
    """The one list of a YAML or JSON file; nothing when the file is absent, with a finding if it is `needed`."""
    relative, kind = sources.choose(stem), model.__name__.removeprefix("Host").lower()
    if relative is None and not needed:
        return ()
    if relative is None:
        sources.complain(Place(f"{stem}.yaml"), "This file is missing.")
    document = None if relative is None else read_document(sources, relative)
    if document is None:
        sources.where.unread.add(kind)
        return ()
    only_keys(sources, document, key)
    return fit_list(sources, document, key, model, kind)


def refuse_unread(sources: Sources, folder: str, known: set[str]) -> None:
    """Complains of each file directly in `folder` that looks like content and that nothing reads (a typing error)."""
    known = known | {name.replace(".yaml", ".json") for name in known}
    for path in sorted((sources.estate / folder).glob("*")):
        if path.suffix in (".yaml", ".yml", ".json", ".csv") and path.name not in known:
            sources.complain(Place(f"{folder}/{path.name}"), f"Nothing reads this file{nearest(path.name, known)}")


def _read_hosts(sources: Sources, stem: str, columns: tuple[str, ...]) -> tuple[Host, ...]:
    relative = sources.choose(f"inventory/{stem}", (".csv",))
    if relative is None:
        return ()
    table = read_table(sources, relative, columns, ("id", "site", "class", "address", "management", columns[3]))
    kind = stem.removesuffix("s")
    if table is None:
        sources.where.unread.add("host")
        return ()
    return fit_rows(sources, table, Host, "host", lambda row: _host(row, kind))


def _host(row: dict[str, str], kind: str) -> dict[str, Any]:
    value: dict[str, Any] = {**row, "kind": kind}
    if "class" in value:
        value["klass"] = value.pop("class")
    # What thousands of hosts name is held once.
    for key in ("site", "room", "function", "klass"):
        if key in value:
            value[key] = sys.intern(value[key])
    if "services" in value:
        value["services"] = tuple(sys.intern(each) for each in value["services"].split())
    return value


def _read_devices(sources: Sources) -> tuple[Device, ...]:
    relative = sources.choose("inventory/devices", (".csv",))
    if relative is None:
        return ()
    table = read_table(sources, relative, DEVICE_COLUMNS, ("id", "site", "kind", "owner"))
    return () if table is None else fit_rows(sources, table, Device, "device", dict)
