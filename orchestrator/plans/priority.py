"""Ranks functions, passes their rank on to what they need, and tells how long the chain behind each host is.

Never places a host in a wave (`waves` does) and never weighs one host against another: the scheduler does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from orchestrator.inventory.model import Host
from orchestrator.plans.model import Content
from orchestrator.plans.needs import STEPS, Graph, closure, function_roots


@dataclass(frozen=True, slots=True)
class Layers:
    """In which part each inside service comes out, every service once.

    `slices` are in rank order. `leftovers` are services no function needs, by the function they belong to (`""`:
    none that is known); they come out with its completion.
    """

    foundations: frozenset[str]
    slices: dict[str, frozenset[str]]
    leftovers: dict[str, frozenset[str]]


def function_ranks(content: Content) -> dict[str, int]:
    """0 for the most urgent: the recorded order, then the functions it does not name, by id."""
    known = {each.id for each in content.inventory.functions}
    named = [each for each in dict.fromkeys(content.restart.order) if each in known]
    return {each: rank for rank, each in enumerate([*named, *sorted(known - set(named))])}


def later(rank: int, ranks: dict[str, int]) -> int:
    """The rank of what completes something of `rank`: behind every function's slice, in the same order."""
    return rank if rank >= len(ranks) else rank + len(ranks)


def layers(graph: Graph, ranks: dict[str, int]) -> Layers:
    """The foundations with all they need, then each function's closure of what is not yet out, in rank order."""
    out: set[str] = set()

    def take(roots: Iterable[str]) -> frozenset[str]:
        found = closure(graph, roots, out)
        out.update(found)
        return frozenset(found)

    uses = {each.id: each.services for each in graph.content.inventory.functions}
    foundations = take(each.id for each in graph.services.values() if each.function is None)
    slices = {each: take(function_roots(graph, each, uses[each])) for each in ranks}
    owned: dict[str, list[str]] = {each: [] for each in (*ranks, "")}
    for service in graph.services.values():
        owner = service.function if service.function in ranks else ""
        owned[owner or ""].append(service.id)
    return Layers(foundations, slices, {owner: take(found) for owner, found in owned.items()})


def service_ranks(found: Layers, ranks: dict[str, int]) -> dict[str, int]:
    """The most urgent rank over the functions whose closure holds a service.

    A function takes what is not out yet, in rank order, so the first to take a service is the most urgent one that
    needs it. Every function waits for the gate of the foundations, so all of them have the first rank.
    """
    inherited = dict.fromkeys(found.foundations, 0)
    for function, services in found.slices.items():
        inherited.update(dict.fromkeys(services, ranks[function]))
    for owner, services in found.leftovers.items():
        rank = later(ranks[owner], ranks) if owner else 2 * len(ranks)
        inherited.update(dict.fromkeys(services, rank))
    return inherited


def choose_quorums(
    graph: Graph, candidates: dict[str, list[Host]], inherited: dict[str, int], ranks: dict[str, int]
) -> dict[str, int]:
    """For each service the k of its candidates that inherit its rank: host id to rank.

    Hosts chosen already count first; then those that play the most needed services, stand at the sites of the more
    urgent functions, and come first by id.
    """
    sites = _site_ranks(graph.content, ranks)
    chosen: dict[str, int] = {}

    def merit(host: Host) -> tuple[int, int, str]:
        needed = sum(inherited.get(service, len(ranks)) < len(ranks) for service in host.services)
        return -needed, sites.get(host.site, len(ranks)), host.id

    for service in sorted(candidates, key=lambda each: (inherited[each], each)):
        free = [host for host in candidates[service] if host.id not in chosen]
        lacking = graph.services[service].quorum - (len(candidates[service]) - len(free))
        for host in sorted(free, key=merit)[: max(0, lacking)]:
            chosen[host.id] = inherited[service]
    return chosen


def host_ranks(
    graph: Graph, chosen: dict[str, int], inherited: dict[str, int], ranks: dict[str, int]
) -> dict[str, int]:
    """The rank of every host: those `chosen` as told, the others of a service or function behind all slices.

    Hosts of no known function and hosts that stay off come last of all.
    """
    last = 2 * len(ranks)
    found = dict.fromkeys((host.id for host in graph.content.inventory.hosts), last)
    for service, hosts in graph.players.items():
        rank = later(inherited[service], ranks)
        for host in hosts:
            found[host.id] = min(found[host.id], rank)
    for function, hosts in graph.others.items():
        rank = later(ranks[function], ranks) if function else last
        found.update((host.id, rank) for host in hosts)
    return found | chosen


def tails(graph: Graph) -> dict[str, int]:
    """Seconds from the start of each host's restore to the end of the longest chain of needs behind it.

    What needs a service at one step has done the steps before it by then: only that step and the rest come after.
    """
    behind = _behind(graph)
    found = dict.fromkeys((host.id for host in graph.content.inventory.hosts), 0)
    for service, hosts in graph.players.items():
        for host in hosts:
            found[host.id] = max(found[host.id], chain_s(graph, host.klass) + behind[service])
    for hosts in graph.others.values():
        found.update((host.id, chain_s(graph, host.klass)) for host in hosts)
    return found


def tails_of_surplus(graph: Graph, candidates: dict[str, list[Host]], chosen: dict[str, int]) -> dict[str, int]:
    """The tails of a service's candidates beyond its quorum and one spare: nothing waits for them.

    On the spare hangs as much as on those chosen: should one of them fail, it takes over.
    """
    spares: set[str] = set()
    surplus: dict[str, int] = {}
    for service in sorted(candidates):
        free = {host.id: chain_s(graph, host.klass) for host in candidates[service] if host.id not in chosen}
        surplus.update(free)
        if free and spares.isdisjoint(free):
            spares.add(min(free, key=lambda each: (free[each], each)))
    return {host: time_s for host, time_s in surplus.items() if host not in spares}


def chain_s(graph: Graph, class_id: str, step: str = STEPS[0]) -> int:
    """How long one host of a class takes from a step (from its restore) to its release, without waiting."""
    klass = graph.classes.get(class_id)
    if klass is None:
        return 0
    times = klass.duration_s
    return sum((times.restore, times.inspect, times.reconnect)[STEPS.index(step) :])


def _behind(graph: Graph) -> dict[str, int]:
    """Per service the longest chain of what needs it; services that need each other count as one."""
    needs: nx.DiGraph[str] = nx.DiGraph()
    needs.add_nodes_from(graph.services)
    needs.add_edges_from((source, to) for source, found in graph.needs.items() for to in found)
    knots = nx.condensation(needs)
    place: dict[str, int] = knots.graph["mapping"]
    behind = dict.fromkeys(knots, 0)

    def wait(needed: str, time_s: int) -> None:
        behind[place[needed]] = max(behind[place[needed]], time_s)

    for klass in {host.klass for hosts in graph.others.values() for host in hosts}:
        for service, step in graph.class_needs.get(klass, {}).items():
            if service in place:
                wait(service, chain_s(graph, klass, step))
    for knot in nx.topological_sort(knots):
        for service in knots.nodes[knot]["members"]:
            classes = {host.klass for host in graph.players[service]}
            for needed, need in graph.needs[service].items():
                if place[needed] != knot:
                    longest_s = max((chain_s(graph, klass, need.step) for klass in classes), default=0)
                    wait(needed, behind[knot] + longest_s)
    return {service: behind[knot] for service, knot in place.items()}


def _site_ranks(content: Content, ranks: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for function in content.inventory.functions:
        for site in function.sites:
            found[site] = min(found.get(site, len(ranks)), ranks[function.id])
    return found
