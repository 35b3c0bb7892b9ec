"""Who needs whom, and the way round when the answer is a circle."""

from __future__ import annotations

import pytest

from orchestrator.inventory.graph import chain_graph, cycle_path, cycles


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ("ab bc cd", []),
        ("ab ba", ["aba"]),
        ("aa", ["aa"]),
        ("ab bc ca cb", ["abca"]),
        ("ab ba cd dc bc", ["aba", "cdc"]),
        ("za ab bz xy", ["abza"]),
        ("", []),
    ],
)
def test_each_circle_is_told_once_in_the_order_of_names(links: str, found: list[str]) -> None:
    graph = chain_graph((link[0], link[1]) for link in links.split())
    assert ["".join(path) for path in cycles(graph)] == found


@pytest.mark.parametrize(("edge", "path"), [("ab", "abca"), ("ca", "cabc"), ("ad", ""), ("zz", ""), ("ba", "")])
def test_the_way_round_begins_and_ends_at_the_edge_asked_for(edge: str, path: str) -> None:
    graph = chain_graph([("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")])
    assert "".join(cycle_path(graph, edge[0], edge[1])) == path
