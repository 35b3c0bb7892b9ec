"""Lays down an estate to start from: a copy of the reference, or one made from a list of hosts.

Never writes into a folder that holds anything, and never invents a check, a need or a person. What it makes up (the
addresses and edges of sites) or has to leave out it says, and `relance review` asks for it as debt.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from orchestrator.errors import ContentError, UsageError
from orchestrator.inventory.files import SERVER_COLUMNS, WORKSTATION_COLUMNS
from orchestrator.inventory.fitting import fit_rows
from orchestrator.inventory.model import Function, Id, Names, Service, Site, Strict
from orchestrator.inventory.sources import FOLDERS, Place, Sources, nearest
from orchestrator.inventory.tables import read_table
from orchestrator.plans.differences import differences
from orchestrator.plans.excerpt import excerpt
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.needs import build, needed_in_quarantine
from orchestrator.plans.review_hosts import RESERVED

COLUMNS = ("id", "kind", "site", "function_or_services", "class")
SITES_MAX = 250
HOSTS_PER_SITE_MAX = 120 * 250


class Listed(Strict):
    """One row of the list an estate is made from."""

    id: Id
    kind: Literal["server", "workstation"]
    site: Id
    roles: tuple[Id, ...] = ()
    klass: Id


def reference_estate() -> Path:
    """The folder that holds the reference's three content folders: in the wheel, else in the checkout."""
    packaged = Path(__file__).resolve().parents[1] / "reference"
    return packaged if packaged.is_dir() else packaged.parents[1]


class LaidDown(NamedTuple):
    """The files written, and a sentence for each thing made up or left out."""

    files: list[Path]
    notes: list[str]


def lay_down(directory: Path, hosts: Path | None = None) -> LaidDown:
    """Fills `directory`, which is empty or absent.

    With `hosts`, a CSV of five columns, only what those hosts play and serve is laid down. Raises UsageError when the
    folder holds anything, ContentError when the list cannot be used; then nothing was written.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} is not an empty folder; nothing was written.", directory=str(directory))
    reference = reference_estate()
    content = None if hosts is None else usable(reference)
    listed = () if hosts is None or content is None else _read_list(hosts, content)
    try:
        for folder in FOLDERS:
            hidden = shutil.ignore_patterns(".*", "__pycache__")
            shutil.copytree(reference / folder, directory / folder, ignore=hidden, copy_function=shutil.copyfile)
        notes = [] if content is None else _write_excerpt(directory, content, listed)
    except OSError:
        for folder in FOLDERS:
            shutil.rmtree(directory / folder, ignore_errors=True)
        raise
    return LaidDown(sorted(path for path in directory.rglob("*") if path.is_file()), notes)


def _read_list(path: Path, reference: Content) -> tuple[Listed, ...]:
    sources = Sources(path.parent)
    table = read_table(sources, path.name, COLUMNS, COLUMNS)
    listed = () if table is None else fit_rows(sources, table, Listed, "host", _listed)
    classes = {klass.id: klass.kind for klass in reference.classes}
    for row in listed:
        place = sources.where.place("host", row.id)
        if row.klass not in classes:
            sources.complain(place, f"There is no class `{row.klass}`{nearest(row.klass, classes)}")
        elif classes[row.klass] != row.kind:
            sources.complain(place, f"The class `{row.klass}` is for {classes[row.klass]}s, `{row.id}` is another.")
        elif row.kind == "workstation" and len(row.roles) > 1:
            sources.complain(place, f"The workstation `{row.id}` names several functions; it serves one.")
    sites = Counter(row.site for row in listed)
    if len(sites) > SITES_MAX or max(sites.values(), default=0) > HOSTS_PER_SITE_MAX:
        sources.complain(Place(path.name), f"At most {SITES_MAX} sites of {HOSTS_PER_SITE_MAX} hosts are laid down.")
    if not listed and not sources.findings:
        sources.complain(Place(path.name), "The list names no host.")
    if sources.findings:
        told = "\n".join(str(one) for one in sources.findings)
        raise ContentError(f"Nothing was written; the list cannot be used:\n{told}", file=str(path), line=1)
    return listed


def _listed(row: dict[str, str]) -> dict[str, Any]:
    value: dict[str, Any] = {**row, "roles": tuple(row.get("function_or_services", "").split())}
    value.pop("function_or_services", None)
    if "class" in value:
        value["klass"] = value.pop("class")
    return value


def _write_excerpt(directory: Path, reference: Content, listed: tuple[Listed, ...]) -> list[str]:
    """Replaces the copied files by what concerns the listed hosts; playbooks, roster and READMEs stay.

    Returns what was made up or left out.
    """
    sites = sorted({row.site for row in listed})
    classes = {row.klass for row in listed}
    kept = excerpt(reference, _services(reference, listed), _functions(reference, listed), classes)
    inventory = directory / "inventory"
    known = {site.id: site for site in reference.inventory.sites}
    posts = {(row.site, row.klass, row.roles if row.kind == "server" else ()) for row in listed}
    flows = needed_in_quarantine(build(kept), posts)
    for name in known.keys() & flows.keys():  # also those by which technicians work
        flows[name].update(each.id for each in kept.inventory.services if each.id in known[name].quarantine_flows)
    edges = [_site(number, name, known.get(name), flows[name]) for number, name in enumerate(sites, 1)]
    _write(inventory / "sites.yaml", {"sites": edges})
    _write(inventory / "functions.yaml", {"functions": [_at(each, listed, sites) for each in kept.inventory.functions]})
    activities = [each.model_copy(update={"sites": tuple(sites)}) for each in kept.inventory.activities]
    _write(inventory / "activities.yaml", {"activities": activities})
    _write(inventory / "services.yaml", {"services": kept.inventory.services})
    _write(inventory / "interfaces.yaml", {"interfaces": kept.inventory.interfaces})
    _write_hosts(inventory, listed, sites)
    (inventory / "devices.csv").write_text("id,site,room,kind,owner,function,vendor_task\n", encoding="utf-8")
    _write(directory / "plans" / "classes.yaml", {"classes": kept.classes})
    _write(directory / "plans" / "capacity.yaml", {"pools": kept.capacity.pools, "shifts": kept.capacity.shifts})
    _write(directory / "plans" / "restart.yaml", _plain(kept.restart))
    _write_checks(directory / "checks", kept)
    return list(_notes(reference, kept, set(sites) - known.keys()))


def _notes(reference: Content, kept: Content, new_sites: Iterable[str]) -> Iterator[str]:
    """What was made up, what is not known, and what the services and classes of the reference had to let go."""
    yield f"All addresses are made up, from {RESERVED}.0.0.0 on, where nobody has one: put in the real ones."
    for site in sorted(new_sites):
        yield f"The site `{site}` is laid down as a hospital that isolates by playbook: say what it is."
    for kind in ("service", "function"):
        known = {each.id for each in getattr(reference.inventory, f"{kind}s")}
        for name in sorted({each.id for each in getattr(kept.inventory, f"{kind}s")} - known):
            yield f"The {kind} `{name}` is not known and laid down bare{nearest(name, known)}"
    names, used = {each.id for each in kept.inventory.services}, {each.id for each in kept.classes}
    services = tuple(each for each in reference.inventory.services if each.id in names)
    classes = tuple(each for each in reference.classes if each.id in used)
    inventory = kept.inventory.model_copy(update={"services": services})
    yield from differences(kept.model_copy(update={"inventory": inventory, "classes": classes}), kept)


def _services(reference: Content, listed: Iterable[Listed]) -> dict[str, Service]:
    """The services the listed servers play: the reference's, or bare ones for names it does not know."""
    known = {each.id: each for each in reference.inventory.services}
    players = Counter(role for row in listed if row.kind == "server" for role in row.roles)
    found = {name: known.get(name) or Service(id=name, name=_names(name)) for name in players}
    return {
        name: service.model_copy(update={"quorum": min(service.quorum, players[name])})
        for name, service in found.items()
    }


def _functions(reference: Content, listed: Iterable[Listed]) -> dict[str, Function]:
    known = {each.id: each for each in reference.inventory.functions}
    names = dict.fromkeys(role for row in listed if row.kind == "workstation" for role in row.roles)
    return {name: known.get(name) or Function(id=name, name=_names(name)) for name in names}


def _names(name: str) -> Names:
    title = name.replace("-", " ").capitalize()
    return Names(en=title, fr=title)


def _site(number: int, name: str, known: Site | None, flows: Iterable[str]) -> Site:
    """A site on the network 240.NUMBER.0.0/16, its prober, control target and gate on the first addresses."""
    base = f"{RESERVED}.{number}.0"
    edge = {"prober": f"{base}.2", "control": f"{base}.1:443", "gate": f"{base}.3:22"}
    bare = Site(id=name, name=_names(name), kind="hospital", **edge)
    own = {"networks": (f"{base}.0/16",), "quarantine_flows": tuple(sorted(flows)), **edge}
    return (known or bare).model_copy(update=own)


def _at(function: Function, listed: Iterable[Listed], sites: list[str]) -> Function:
    there = {row.site for row in listed if function.id in row.roles}
    return function.model_copy(update={"sites": tuple(sorted(there) or sites)})


def _write_hosts(inventory: Path, listed: Iterable[Listed], sites: list[str]) -> None:
    taken: Counter[str] = Counter()
    rows: dict[str, list[tuple[str, ...]]] = {"server": [SERVER_COLUMNS], "workstation": [WORKSTATION_COLUMNS]}
    for row in listed:
        third, fourth = divmod(taken[row.site], 250)
        taken[row.site] += 1
        base = f"{RESERVED}.{sites.index(row.site) + 1}"
        address, management = f"{base}.{third + 1}.{fourth + 1}", f"{base}.{third + 128}.{fourth + 1}"
        cells = (row.id, row.site, "", " ".join(row.roles), row.klass, address, management, "", "", "")
        rows[row.kind].append(cells)
    for kind, table in rows.items():
        with (inventory / f"{kind}s.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)


def _write_checks(folder: Path, kept: Content) -> None:
    """One file per function that still has checks, and one for the foundations."""
    for path in folder.glob("*.yaml"):
        path.unlink()
    function_of = {each.id: each.function for each in kept.inventory.services}
    function_of |= {each.id: function_of.get(each.target) for each in kept.inventory.interfaces}
    files: dict[str | None, list[Any]] = {}
    for check in kept.checks:
        files.setdefault(function_of.get(check.service or check.interface or ""), []).append(check)
    for function, checks in files.items():
        _write(folder / f"{function or 'foundations'}.yaml", {"function": function, "checks": checks})


def _plain(value: object) -> Any:
    if isinstance(value, Strict):
        return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def _write(path: Path, document: Mapping[str, object]) -> None:
    plain = {key: _plain(value) for key, value in document.items()}
    path.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
