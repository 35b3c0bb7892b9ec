"""Graphs of what services need of each other, for those who validate and explain; and the way round a cycle.

Never stands inside a step of the core, and never judges a cycle: the callers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import networkx as nx

from orchestrator.inventory.model import Service

HARD = ("restore", "inspect", "reconnect")


def needs_graph(services: Iterable[Service], steps: Iterable[str] = HARD) -> nx.DiGraph[str]:
    """An edge from each service to each it needs at one of `steps`, with the first such step as `step`."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    wanted = tuple(steps)
    for service in services:
        graph.add_node(service.id)
        for step in wanted:
            for target in getattr(service.needs, step):
                if not graph.has_edge(service.id, target):
                    graph.add_edge(service.id, target, step=step)
    return graph


def cycle_path(graph: nx.DiGraph[str], source: str, target: str) -> list[str]:
    """The shortest way round through the edge from `source` to `target`, first and last the same; empty if none."""
    if not graph.has_edge(source, target) or not nx.has_path(graph, target, source):
        return []
    return [source, *nx.shortest_path(graph, target, source)]


def chain_graph(links: Iterable[tuple[str, str]]) -> nx.DiGraph[str]:
    """A graph of plain links."""
    return nx.DiGraph(list(links))


def groups(graph: nx.DiGraph[str]) -> list[list[str]]:
    """Nodes that lead to each other, each group and the groups sorted by name; single nodes are groups too."""
    return sorted(sorted(group) for group in nx.strongly_connected_components(graph))


def cycles_through(graph: nx.DiGraph[str], step: str) -> Iterator[list[str]]:
    """One path per group of nodes that lead to each other with the help of an edge of `step`, beginning with it."""
    for group in groups(graph):
        inside = graph.subgraph(group)
        edges = sorted((source, target) for source, target, facts in inside.edges(data=True) if facts["step"] == step)
        if edges:
            yield cycle_path(inside, *edges[0])


def cycles(graph: nx.DiGraph[str]) -> Iterator[list[str]]:
    """One path per group of nodes that lead to each other, in the order of their names."""
    for group in groups(graph):
        first = group[0]
        inside = sorted(set(graph.successors(first)) & set(group))
        if len(group) > 1 or inside:
            yield cycle_path(graph, first, inside[0])
