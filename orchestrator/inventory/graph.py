"""Graphs of what services need of each other, for those who validate and explain; and the way round a cycle.

Never stands inside a step of the core, and never judges a cycle: the callers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import networkx as nx


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


def cycles(graph: nx.DiGraph[str]) -> Iterator[list[str]]:
    """One path per group of nodes that lead to each other, in the order of their names."""
    for group in groups(graph):
        first = group[0]
        inside = sorted(set(graph.successors(first)) & set(group))
        if len(group) > 1 or inside:
            yield cycle_path(graph, first, inside[0])
