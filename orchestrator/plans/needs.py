"""Builds the graph of what services need of each other, and finds services that wait for each other.

Never decides an order: `priority` and `waves` do. References to nothing known are passed over; `review` reports them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from orchestrator.errors import ContentError
from orchestrator.inventory.graph import chain_graph, cycle_path, groups
from orchestrator.inventory.model import Host, Needs, Service
from orchestrator.plans.model import Content, HostClass

STEPS = ("restore", "inspect", "reconnect")


class Need(NamedTuple):
    """Why one service needs another: at which step, and through which host class (none: it says so itself).

    `hard` is false when enough hosts for the quorum are of classes without this need: then the service comes up
    without it, and only its further hosts wait.
    """

    step: str
    klass: str = ""
    hard: bool = True


@dataclass(frozen=True, slots=True)
class Graph:
    """Inside services, the hosts that play them, and what they need; hosts that stay off are in none of it.

    `company[S]` are services that come out with S because they share its unit or a host. `others` are the hosts
    that play no service, by function (`""`: of no known function). Hosts are in the order of their ids.
    """

    content: Content
    classes: dict[str, HostClass]
    services: dict[str, Service]
    players: dict[str, list[Host]]
    others: dict[str, list[Host]]
    needs: dict[str, dict[str, Need]]
    company: dict[str, tuple[str, ...]]
    class_needs: dict[str, dict[str, str]]


def build(content: Content) -> Graph:
    """The graph of `content`, in time linear in hosts and needs (and one sort of the hosts)."""
    services = {each.id: each for each in content.inventory.services if each.kind == "inside"}
    players, others = _cast(content, services)
    class_needs = {each.id: _class_needs(each) for each in content.classes}
    needs = {each.id: _needs(each, players[each.id], class_needs) for each in services.values()}
    return Graph(
        content=content,
        classes={each.id: each for each in content.classes},
        services=services,
        players=players,
        others=others,
        needs={source: {to: need for to, need in found.items() if to in services} for source, found in needs.items()},
        company=_company(services, players),
        class_needs=class_needs,
    )


def left_off(content: Content) -> frozenset[str]:
    """The hosts this restart leaves off: those named so, and those whose class begins with `leave_off`."""
    classes = {each.id for each in content.classes if each.strategies[0] == "leave_off"}
    named = frozenset(content.restart.leave_off)
    return named.union(host.id for host in content.inventory.hosts if host.klass in classes)


def closure(graph: Graph, roots: Iterable[str], out: set[str]) -> set[str]:
    """The inside services that must come out for `roots`, without those already `out`."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        service = waiting.pop()
        if service not in found and service not in out and service in graph.services:
            found.add(service)
            waiting.extend(graph.needs[service])
            waiting.extend(graph.company[service])
    return found


def function_roots(graph: Graph, function_id: str, services: Iterable[str]) -> set[str]:
    """Where a function's closure starts: the services it uses and those the classes of its workstations need."""
    roots = set(services)
    for klass in {host.klass for host in graph.others.get(function_id, ())}:
        roots.update(graph.class_needs.get(klass, ()))
    return roots


def needed_in_quarantine(graph: Graph, posts: Iterable[tuple[str, str, tuple[str, ...]]]) -> dict[str, set[str]]:
    """By site, the services that hosts (their site, class and services) must reach to be restored and inspected."""
    found: dict[str, set[str]] = defaultdict(set)
    for site, klass, services in posts:
        asked = [(step, to) for to, step in graph.class_needs.get(klass, {}).items()]
        asked += [need for name in services if name in graph.services for need in by_step(graph.services[name].needs)]
        found[site].update(to for step, to in asked if step != "reconnect")
    return found


def find_cycles(graph: Graph) -> Iterator[ContentError]:
    """One error per group of services that wait for each other and are not a unit held by reconnect needs alone."""
    hard = chain_graph((source, to) for source, found in graph.needs.items() for to, need in found.items() if need.hard)
    for knot in groups(hard):
        edges = [(source, to) for source in knot for to in sorted(graph.needs[source]) if to in set(knot)]
        wrong = [edge for edge in edges if hard.has_edge(*edge) and _is_wrong(graph, *edge)]
        if wrong:
            source, to = wrong[0]
            yield _cycle_error(graph, cycle_path(hard, source, to))


def _cast(content: Content, services: dict[str, Service]) -> tuple[dict[str, list[Host]], dict[str, list[Host]]]:
    off = left_off(content)
    known = {each.id for each in content.inventory.functions}
    players: dict[str, list[Host]] = {service: [] for service in services}
    others: dict[str, list[Host]] = defaultdict(list)
    for host in sorted(content.inventory.hosts, key=lambda each: each.id):
        if host.id in off:
            continue
        roles = [service for service in dict.fromkeys(host.services) if service in services]
        for service in roles:
            players[service].append(host)
        if not roles:
            others[host.function if host.function is not None and host.function in known else ""].append(host)
    return players, dict(others)


def _class_needs(klass: HostClass) -> dict[str, str]:
    """Service to step; what the class is restored from is a restore need like any other."""
    kind, _, source = klass.source.partition(":")
    found = {source: "restore"} if kind in {"repository", "hypervisor"} else {}
    for step, service in by_step(klass.needs):
        found.setdefault(service, step)
    return found


def _needs(service: Service, players: list[Host], class_needs: dict[str, dict[str, str]]) -> dict[str, Need]:
    found: dict[str, Need] = {}
    for step, to in by_step(service.needs):
        found.setdefault(to, Need(step))
    bound: Counter[str] = Counter()
    through: dict[str, Need] = {}
    for klass, count in sorted(Counter(host.klass for host in players).items()):
        for to, step in class_needs.get(klass, {}).items():
            bound[to] += count
            through[to] = _stricter(through.get(to), Need(step, klass))
    for to, need in through.items():
        hard = len(players) - bound[to] < service.quorum
        found[to] = _stricter(found.get(to), need._replace(hard=hard))
    return found


def _stricter(old: Need | None, new: Need) -> Need:
    if old is None:
        return new
    return min(old, new, key=lambda need: (not need.hard, STEPS.index(need.step), need.klass))


def by_step(needs: Needs) -> Iterator[tuple[str, str]]:
    """Step and service of every need that blocks."""
    for step, services in zip(STEPS, (needs.restore, needs.inspect, needs.reconnect), strict=True):
        for service in services:
            yield step, service


def _company(services: dict[str, Service], players: dict[str, list[Host]]) -> dict[str, tuple[str, ...]]:
    units: dict[str, list[str]] = defaultdict(list)
    for service in services.values():
        if service.unit is not None:
            units[service.unit].append(service.id)
    shared = {host.services for hosts in players.values() for host in hosts if len(host.services) > 1}
    company: dict[str, set[str]] = {service: set() for service in services}
    for group in (*units.values(), *shared):
        inside = [each for each in group if each in services]
        for member in inside:
            company[member].update(inside)
    return {service: tuple(sorted(group - {service})) for service, group in company.items()}


def _is_wrong(graph: Graph, source: str, to: str) -> bool:
    unit = graph.services[source].unit
    same_unit = unit is not None and unit == graph.services[to].unit
    return graph.needs[source][to].step != "reconnect" or not same_unit


def _cycle_error(graph: Graph, path: list[str]) -> ContentError:
    links = [(source, to, graph.needs[source][to]) for source, to in pairwise(path)]
    told = ", ".join(f"{source} needs {to} to {need.step}{_through(need)}" for source, to, need in links)
    return ContentError(
        f"These services wait for each other and none can come first: {told}. Take one need away, "
        "or make them one unit if they need each other only to reconnect.",
        rule="needs.cycle",
        path=path,
        steps=[need.step for _, _, need in links],
    )


def _through(need: Need) -> str:
    return f" (class {need.klass})" if need.klass else ""
