"""Who needs whom, and the way round when the answer is a circle."""

from __future__ import annotations

import pytest

from orchestrator.inventory.graph import chain_graph, cycle_path, cycles, cycles_through, needs_graph
from orchestrator.inventory.model import Names, Needs, Service


def service(name: str, **needs: tuple[str, ...]) -> Service:
    return Service(id=name, name=Names(en=name, fr=name), needs=Needs(**needs))


def test_a_need_is_an_edge_with_its_first_step() -> None:
    lis = service("lis", restore=("hypervisor",), reconnect=("dns", "hypervisor"), soft=("vendor",))
    graph = needs_graph([lis, service("x")])
    assert sorted(graph.edges(data="step")) == [("lis", "dns", "reconnect"), ("lis", "hypervisor", "restore")]
    assert set(graph) == {"lis", "hypervisor", "dns", "x"}


def test_only_the_steps_asked_for_count() -> None:
    services = [service("lis", restore=("hypervisor",), soft=("vendor",))]
    assert list(needs_graph(services, ("soft",)).edges(data="step")) == [("lis", "vendor", "soft")]


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


def test_a_circle_that_closes_only_through_a_soft_need_begins_with_it() -> None:
    services = [
        service("lis", reconnect=("hl7",)),
        service("hl7", soft=("lis",)),
        service("ad", reconnect=("dns",)),
        service("dns", reconnect=("ad",)),
        service("pacs", soft=("lis",)),
    ]
    graph = needs_graph(services, ("restore", "inspect", "reconnect", "soft"))
    assert list(cycles_through(graph, "soft")) == [["hl7", "lis", "hl7"]]
