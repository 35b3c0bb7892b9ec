"""Checks typed at a terminal: asked by hand of a function or a host, and explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.interfaces import hand_checks
from orchestrator.interfaces.documents import ChecksExplained
from orchestrator.probes.base import Question
from tests.command_line import Keyboard
from tests.estates import check
from tests.practice_peers import peer, speaks_first
from tests.small_estate import SmallEstate


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


@pytest.fixture
def types(capsys: pytest.CaptureFixture[str], estate: SmallEstate) -> Keyboard:
    return Keyboard(capsys, "--estate", str(estate.path))


def test_checks_by_hand_are_exit_1_while_anything_fails_or_where_there_is_nothing_to_ask(
    estate: SmallEstate, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = next((estate.path / "checks").glob("laboratory.*"))
    checks.write_text(checks.read_text().replace("timeout_s: 10", "timeout_s: 1"))
    rows = (estate.path / "inventory" / "servers.csv").read_text()
    (estate.path / "inventory" / "servers.csv").write_text(rows.replace("10.10.1.5", "127.0.0.1"))
    types = Keyboard(capsys, "--estate", str(estate.path))
    said = types.json("checks", "run", "laboratory")
    assert said.code == 1, said.err
    assert said.document["function"] == "laboratory"
    assert {one["outcome"] for one in said.document["answers"]} <= {"FAIL", "UNKNOWN"}
    told = types("checks", "run", "laboratory")
    assert "0 of " in told.out
    assert "ssh checks cannot be asked" in told.err
    monkeypatch.setattr(hand_checks, "questions", lambda *asked: iter(()))
    said = types.json("checks", "run", "laboratory")
    assert (said.code, "No check asks anything of laboratory" in said.out) == (1, True)
    assert types("checks", "run", "chapel").code == 2


def test_one_host_is_asked_by_hand_what_is_asked_of_it_and_nothing_of_others(
    types: Keyboard, estate: SmallEstate
) -> None:
    rows = (estate.path / "inventory" / "servers.csv").read_text()
    (estate.path / "inventory" / "servers.csv").write_text(rows.replace("10.10.1.5", "127.0.0.1"))
    said = types.json("checks", "run", "--host", "lis-1")
    assert said.code == 1, said.err
    assert TypeAdapter(hand_checks.ByHand).validate_python(said.document, strict=True) == said.document
    assert {one["host"] for one in said.document["answers"]} == {"lis-1"}
    assert (types("checks", "run").code, types("checks", "run", "laboratory", "--host", "lis-1").code) == (2, 2)
    said = types("checks", "run", "--host", "srv-nowhere")
    assert (said.code, "There is no host srv-nowhere" in said.err) == (2, True)
    said = types("checks", "run", "--host", "lis-1", "--known-hosts", "nowhere")
    assert (said.code, "nowhere is no list of host keys" in said.err) == (2, True)


def test_a_check_is_explained_with_what_it_leaves_open_and_who_is_asked(types: Keyboard) -> None:
    said = types.json("checks", "explain", "laboratory")
    assert said.code == 0, said.err
    assert TypeAdapter(ChecksExplained).validate_python(said.document, strict=True) == said.document
    assert all(one["hosts"] and one["proof"] and one["gap"] for one in said.document["checks"])
    name = said.document["checks"][0]["check"]
    told = types("checks", "explain", name)
    assert told.out.startswith(f"{name}: ")
    assert "PASS means that" in told.out
    assert "It does not prove" in told.out
    assert types("checks", "explain", "chapel").code == 2


def test_by_hand_all_is_well_when_all_that_reads_passes_and_what_writes_is_counted_apart(
    types: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with peer(speaks_first(b"here")) as port:
        reads = check("lis-speaks", "L0", service="lis", probe="tcp", port=port, params={"speaks": True})
        writes = check("lis-orders", "L3", service="lis", probe="hl7", port=port, params={"ask": "order", "code": "K"})
        both = [
            hand_checks.Asking(one, "lis-1", Question("127.0.0.1", port, params=one.params)) for one in (reads, writes)
        ]
        monkeypatch.setattr(hand_checks, "questions_to", lambda *asked: iter(both))
        said = types("checks", "run", "--host", "lis-1")
    assert said.code == 0, said.out
    assert "1 of 1 answers are PASS." in said.out
    assert "Not asked, because they write: 1." in said.out
