"""Finds services, interfaces and functions that could never come into service, and those that hang by one thread.

Never follows what happens in time: the faultless dry run of the core does.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from orchestrator.inventory.graph import HARD, chain_graph, cycles, cycles_through, needs_graph
from orchestrator.inventory.model import Service, Task
from orchestrator.inventory.sources import nearest
from orchestrator.plans.model import Plan
from orchestrator.plans.needs import Graph, build, find_cycles
from orchestrator.plans.report import Report, listed


def review_services(report: Report) -> None:
    """Quorums, checks, cycles, sources, tasks and single points of failure."""
    graph = build(report.content)
    _review_quorums(report, graph)
    _review_checks(report)
    _review_functions(report)
    _review_cycles(report, graph)
    _review_soft_cycles(report)
    _review_sources(report)
    _review_single_points(report, graph)
    for service in report.content.inventory.services:
        _review_tasks(report, ("service", service.id), service.tasks)
    for klass in report.content.classes:
        _review_tasks(report, ("class", klass.id), klass.tasks)


def review_units(report: Report, plan: Plan) -> None:
    """Services of one unit come out in one wave."""
    wave_of = {service: wave.name for wave in plan.waves for service in wave.services}
    for unit, members in _units(report).items():
        waves = {wave_of[each.id] for each in members if each.id in wave_of}
        if len(waves) > 1:
            told = ", ".join(f"{each.id} in {wave_of.get(each.id, 'no wave')}" for each in members)
            report.error(("service", members[0].id, "unit"), f"The unit `{unit}` is split over waves: {told}.")


def _units(report: Report) -> dict[str, list[Service]]:
    units: dict[str, list[Service]] = defaultdict(list)
    for service in report.content.inventory.services:
        if service.unit is not None:
            units[service.unit].append(service)
    return units


def _review_quorums(report: Report, graph: Graph) -> None:
    for service in report.content.inventory.services:
        count = len(graph.players.get(service.id, ()))
        if service.kind == "outside":
            continue
        if count == 0:
            report.error(("service", service.id), f"No host that comes back plays the service `{service.id}`.")
        elif count < service.quorum:
            message = f"The service `{service.id}` needs {service.quorum} hosts in service, and {count} play it."
            report.error(("service", service.id, "quorum"), message)
    units = _units(report)
    for unit, members in units.items():
        if len(members) == 1:
            message = f"`{members[0].id}` is alone in the unit `{unit}`{nearest(unit, units.keys() - {unit})}"
            report.warn(("service", members[0].id, "unit"), message)


def _review_checks(report: Report) -> None:
    """A gate counts a service from L2 and an interface from L3; a host is in service when its class's check passes."""
    checks, inventory = report.content.checks, report.content.inventory
    proven = {check.service for check in checks if check.level in ("L2", "L3")}
    for service in inventory.services:
        if service.kind == "inside" and service.id not in proven:
            message = f"The service `{service.id}` has no check of L2 or L3, so no gate can ever pass it."
            report.error(("service", service.id), message)
    linked = {check.interface for check in checks}
    for link in inventory.interfaces:
        if link.id not in linked:
            report.error(("interface", link.id), f"The interface `{link.id}` has no L3 check, so no gate can pass it.")
    checked = {check.klass for check in checks}
    for name in sorted({host.klass for host in inventory.hosts} - checked):
        hosts = [host.id for host in inventory.hosts if host.klass == name]
        message = f"The class `{name}` has no check, so none of its {len(hosts)} hosts can ever be in service."
        report.error(("class", name), message, hosts=hosts)


def _review_functions(report: Report) -> None:
    checked = {check.service for check in report.content.checks}
    for function in report.content.inventory.functions:
        if checked.isdisjoint(function.services):
            message = f"The function `{function.id}` has no check on any of its services; nothing shows that it works."
            report.error(("function", function.id), message)


def _review_cycles(report: Report, graph: Graph) -> None:
    for error in find_cycles(graph):
        path = error.facts["path"]
        first = str(path[0]) if isinstance(path, list) else ""
        report.error(("service", first, "needs"), error.sentence)


def _review_soft_cycles(report: Report) -> None:
    """One warning per group of services that is circular only because of a soft need."""
    graph = needs_graph(report.content.inventory.services, (*HARD, "soft"))
    for path in cycles_through(graph, "soft"):
        told = " -> ".join(path)
        message = f"A soft need closes a circle, {told}: one of them will work without the other for a while."
        report.warn(("service", path[0], "needs", "soft"), message)


def _review_sources(report: Report) -> None:
    """What a host is rebuilt from is never, even indirectly, rebuilt from that host's own service."""
    classes = {klass.id: klass for klass in report.content.classes}
    through: dict[tuple[str, str], str] = {}
    for name, services in sorted({(host.klass, host.services) for host in report.content.inventory.hosts}):
        klass = classes.get(name)
        if klass is not None and ":" in klass.source:
            source = klass.source.partition(":")[2]
            through.update(((service, source), name) for service in sorted(services))
    for path in cycles(chain_graph(through)):
        told = ", ".join(f"{one} comes from {other}" for one, other in pairwise(path))
        about = ("class", through[path[0], path[1]], "source")
        report.error(about, f"A source leads to itself: {told}. Rebuild the first of them from media or a spare.")


def _review_single_points(report: Report, graph: Graph) -> None:
    dependents: dict[str, set[str]] = defaultdict(set)
    for dependent, needs in graph.needs.items():
        for target in needs:
            dependents[target].add(dependent)
    for service in graph.services.values():
        count = len(graph.players[service.id])
        if count and count == service.quorum and dependents[service.id]:
            hosts = "its only host" if count == 1 else f"any of its {count} hosts"
            message = f"Without {hosts}, `{service.id}` stops, and with it {listed(dependents[service.id])}."
            report.warn(("service", service.id), message)


def _review_tasks(report: Report, about: tuple[str, str], tasks: tuple[Task, ...]) -> None:
    names = [task.id for task in tasks]
    for index, name in enumerate(names):
        if name in names[:index]:
            report.error((*about, "tasks", index), f"The task `{name}` stands twice in {about[0]} `{about[1]}`.")
    for path in cycles(chain_graph((task.id, task.after.task) for task in tasks if task.after is not None)):
        report.error((*about, "tasks", names.index(path[0])), f"Tasks wait for each other: {' -> '.join(path)}.")
