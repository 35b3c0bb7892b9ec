"""Reads and reviews the worked reference estate once for all tests of this folder.

Never changes it; a test that needs another estate writes its own.
"""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from orchestrator.inventory.model import Needs, Service, Task
from orchestrator.plans.model import Content, HostClass, Plan
from orchestrator.plans.review import Examination, examine

ESTATE = Path(__file__).resolve().parents[2]
HARD = ("restore", "inspect", "reconnect")


@pytest.fixture(scope="session")
def estate() -> Path:
    """The folder that holds inventory/, plans/ and checks/."""
    return ESTATE


@pytest.fixture(scope="session")
def examination() -> Examination:
    return examine(ESTATE)


@pytest.fixture(scope="session")
def content(examination: Examination) -> Content:
    assert examination.content is not None
    return examination.content


@pytest.fixture(scope="session")
def plan(examination: Examination) -> Plan:
    assert examination.plan is not None
    return examination.plan


@pytest.fixture(scope="session")
def services(content: Content) -> dict[str, Service]:
    return {each.id: each for each in content.inventory.services}


@pytest.fixture(scope="session")
def classes(content: Content) -> dict[str, HostClass]:
    return {each.id: each for each in content.classes}


@pytest.fixture(scope="session")
def needs(content: Content, classes: dict[str, HostClass]) -> nx.MultiDiGraph[str]:
    """Service to service, one edge per step, with what the classes of its hosts need and are rebuilt from."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for service in content.inventory.services:
        graph.add_node(service.id)
        _link(graph, service.id, service.needs)
    for host in content.inventory.hosts:
        klass = classes[host.klass]
        for service_id in host.services:
            _link(graph, service_id, klass.needs)
            if ":" in klass.source:
                graph.add_edge(service_id, klass.source.partition(":")[2], "restore")
    return graph


def _link(graph: nx.MultiDiGraph[str], source: str, asked: Needs) -> None:
    for step in HARD:
        graph.add_edges_from((source, target, step) for target in getattr(asked, step))


@pytest.fixture(scope="session")
def tasks(content: Content) -> tuple[Task, ...]:
    """What people and vendors must do, of services and of classes."""
    return tuple(task for holder in (*content.inventory.services, *content.classes) for task in holder.tasks)
