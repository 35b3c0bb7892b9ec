"""A site's gate: what it isolates and opens, what it writes down, and what it knows after a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.practice.fleet_file import FleetHost
from orchestrator.practice.fleet_gate import Gate
from orchestrator.practice.fleet_host import ToolError
from orchestrator.practice.fleet_log import entries
from tests.practice_ground import small_fleet


def gate_at(log: Path) -> Gate:
    return Gate("north", small_fleet().hosts, log, SystemClock().now_us)


def opened(gate: Gate) -> list[str]:
    return [host.id for host in gate.open_hosts()]


def test_before_anybody_isolates_production_reaches_every_host(tmp_path: Path) -> None:
    assert opened(gate_at(tmp_path / "log")) == ["h0", "h1", "h2"]


def test_what_was_isolated_and_opened_is_known_after_a_restart(tmp_path: Path) -> None:
    gate = gate_at(tmp_path / "log")
    gate.isolate_site("north/isolate/1", "north")
    gate.reconnect("h1/reconnect/1", "h1")
    gate.reconnect("h2/reconnect/1", "h2")
    gate.isolate("h2/isolate/1", "h2")
    for known in (gate, gate_at(tmp_path / "log")):
        assert opened(known) == ["h1"]
        assert known.show("h2") == {"host": "h2", "state": "isolated"}
    assert [(line.word, line.action, line.detail) for line in entries(tmp_path / "log")] == [
        ("isolate-site", "north/isolate/1", ("north",)),
        ("reconnect", "h1/reconnect/1", ("h1",)),
        ("reconnect", "h2/reconnect/1", ("h2",)),
        ("isolate", "h2/isolate/1", ("h2",)),
    ]


def test_a_host_moves_once_however_often_it_is_told_and_each_order_is_written_down(tmp_path: Path) -> None:
    gate, moves = gate_at(tmp_path / "log"), list[tuple[str, bool]]()

    def moved(host: FleetHost, is_open: bool) -> None:
        moves.append((host.id, is_open))

    gate.changed = moved
    for _ in range(2):
        gate.isolate("h0/isolate/1", "h0")
    for _ in range(2):
        gate.reconnect("h0/reconnect/1", "h0")
    assert moves == [("h0", False), ("h0", True)]
    assert len(list(entries(tmp_path / "log"))) == 4


def test_an_opening_is_written_down_before_the_host_can_be_reached(tmp_path: Path) -> None:
    gate, seen = gate_at(tmp_path / "log"), list[str]()
    gate.isolate_site("north/isolate/1", "north")
    gate.changed = lambda host, is_open: seen.extend(line.word for line in entries(tmp_path / "log"))
    gate.reconnect("h0/reconnect/1", "h0")
    assert seen == ["isolate-site", "reconnect"]


def test_a_gate_moves_the_hosts_of_its_own_site_only(tmp_path: Path) -> None:
    gate = gate_at(tmp_path / "log")
    orders: tuple[Callable[[], object], ...] = (
        lambda: gate.isolate("a", "elsewhere"),
        lambda: gate.reconnect("a", "x"),
        lambda: gate.show("x"),
    )
    for order in orders:
        with pytest.raises(ToolError, match="is not behind the gate of north"):
            order()
    with pytest.raises(ToolError, match="the gate of north, not of south"):
        gate.isolate_site("a", "south")
    assert list(entries(tmp_path / "log")) == []
