"""Finds services, interfaces and functions that could never come into service, and those that hang by one thread.

Never follows what happens in time: the faultless dry run of the core does.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from orchestrator.inventory.graph import chain_graph, cycle_path, cycles, groups
from orchestrator.inventory.model import Service, Task
from orchestrator.inventory.sources import nearest
from orchestrator.plans.needs import Graph, build, closure, find_cycles, needed_in_quarantine
from orchestrator.plans.report import Report, listed


def review_services(report: Report) -> None:
    """Quorums, checks, cycles, sources, first hosts, quarantine, tasks and single points of failure.

    What would only follow from a file that could not be read is not said.
    """
    graph, unread = build(report.content), report.where.unread
    if "host" not in unread:
        _review_quorums(report, graph)
    if "check" not in unread:
        _review_checks(report)
        _review_functions(report)
    _review_cycles(report, graph)
    _review_soft_cycles(report, graph)
    _review_sources(report)
    _review_first_hosts(report, graph)
    _review_quarantine(report, graph)
    _review_single_points(report, graph)
    holders = [("service", each.id, each.tasks) for each in report.content.inventory.services]
    holders += [("class", each.id, each.tasks) for each in report.content.classes]
    known = {task.id for *_, tasks in holders for task in tasks}
    for kind, name, tasks in holders:
        _review_tasks(report, (kind, name), tasks, known)


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
    outside = {service.id for service in inventory.services if service.kind == "outside"}
    for check in checks:
        if check.service in outside:
            message = f"`{check.service}` is outside and has no host to ask: its signed fact alone counts."
            report.error(("check", check.id, "service"), message)
    linked = {check.interface for check in checks}
    for link in inventory.interfaces:
        if link.id not in linked:
            report.error(("interface", link.id), f"The interface `{link.id}` has no L3 check, so no gate can pass it.")
    checked = {check.klass for check in checks}
    for name in sorted({klass.id for klass in report.content.classes} - checked):
        if hosts := [host.id for host in inventory.hosts if host.klass == name]:
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


def _review_soft_cycles(report: Report, graph: Graph) -> None:
    """One warning per group of services that is circular with the help of a soft need, their own or their hosts'."""
    soft = {(each.id, to) for each in report.content.inventory.services for to in each.needs.soft}
    for service, players in graph.players.items():
        for klass in {host.klass for host in players} & graph.classes.keys():
            soft.update((service, to) for to in graph.classes[klass].needs.soft if to != service)
    everything = chain_graph(soft.union((one, to) for one, found in graph.needs.items() for to in found))
    for group in groups(everything):
        if inside := sorted(edge for edge in soft if set(edge) <= set(group)):
            path = cycle_path(everything, *inside[0])
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


def _review_first_hosts(report: Report, graph: Graph) -> None:
    """What hosts are rebuilt from and examined by, and all that these need, comes back before anything examines it."""
    used = {host.klass for host in report.content.inventory.hosts}
    sources = [klass.source.partition(":") for klass in report.content.classes if klass.id in used]
    roots = {source for kind, _, source in sources if kind == "repository"}
    roots |= {to for klass in used for to, step in graph.class_needs.get(klass, {}).items() if step == "inspect"}
    roots |= {to for found in graph.needs.values() for to, need in found.items() if need.step == "inspect"}
    late = {klass.id for klass in report.content.classes if klass.cleanliness == "online"}
    for service in sorted(closure(graph, roots, set())):
        players = graph.players[service]
        if online := [host.id for host in players if host.klass in late]:
            message = (
                f"Others are rebuilt from or examined by `{service}` or what needs it, so its hosts must be examined "
                f"offline, and these are of an online class: {listed(online)}."
            )
            enough = len(players) - len(online) >= graph.services[service].quorum
            report.add("warning" if enough else "error", ("service", service), message)


def _review_quarantine(report: Report, graph: Graph) -> None:
    hosts = report.content.inventory.hosts
    needed = needed_in_quarantine(graph, {(host.site, host.klass, host.services) for host in hosts})
    for site in report.content.inventory.sites:
        if missing := needed[site.id] - set(site.quarantine_flows):
            message = f"From the quarantine of `{site.id}` hosts cannot reach {listed(missing)}, which they need there."
            report.warn(("site", site.id, "quarantine_flows"), message)


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


def _review_tasks(report: Report, about: tuple[str, str], tasks: tuple[Task, ...], known: set[str]) -> None:
    """A task follows tasks of its own service or class only, and those that stand before the same thing."""
    names = [task.id for task in tasks]
    at_gate = {task.id: task.step == "gate" for task in tasks}
    for index, task in enumerate(tasks):
        first = task.after.task if task.after else task.id
        if first in known and at_gate.get(first) is not at_gate[task.id]:
            message = (
                f"The task `{task.id}` can never open: it waits for `{first}`, which is no task of {about[0]} "
                f"`{about[1]}` before the same gate or step."
            )
            report.error((*about, "tasks", index, "after"), message)
    for index, name in enumerate(names):
        if name in names[:index]:
            report.error((*about, "tasks", index), f"The task `{name}` stands twice in {about[0]} `{about[1]}`.")
    for path in cycles(chain_graph((task.id, task.after.task) for task in tasks if task.after is not None)):
        report.error((*about, "tasks", names.index(path[0])), f"Tasks wait for each other: {' -> '.join(path)}.")
