"""A person sees who holds what was preserved of a host, and signs that it changed hands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.interfaces import documents as d
from tests.command_line import Terminal, terminal


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with terminal(tmp_path, capsys) as found:
        yield found


def test_the_chain_of_custody_is_shown_and_goes_on_hand_by_hand(desk: Terminal) -> None:
    assert desk.signs("operator-1", "custody", "ad-1", "--to", "Federal police", "--seal", "A-7").code == 0
    assert desk.signs("analyst-1", "custody", "ad-1", "--seal", "A-8", "--evidence", "ad-1/preserve/1").code == 0
    assert desk.signs("analyst-1", "custody", "ad-1", "--to", "CERT").code == 0
    found = desk.types.json("custody", "ad-1").document
    assert TypeAdapter(d.Custody).validate_python(found, strict=True) == found
    assert (found["kept"], found["named"]) == (True, False)
    (one,) = found["preserved"]
    assert [(each["holder"], each["seal"], each["person"]) for each in one["hands"]] == [
        ("store", "", ""),
        ("Federal police", "A-7", "operator-1"),
        ("Federal police", "A-8", "analyst-1"),
        ("CERT", "A-8", "analyst-1"),
    ]
    told = desk.types("custody", "ad-1").out
    assert "ad-1: 1 times preserved; it may be wiped." in told
    assert "ad-1/preserve/1: SHA-256 d, on disk" in told
    assert "  Federal police, seal A-7, signed by operator-1" in told
    assert "  store, no seal\n" in told


def test_who_hands_over_without_signing_or_what_nobody_kept_is_told(desk: Terminal) -> None:
    said = desk.types.json("custody", "ad-1", "--to", "CERT")
    assert (said.code, said.document["error"]["rule"]) == (2, "usage.signer")
    said = desk.signs("operator-1", "custody", "ad-1", "--to", "CERT", "--evidence", "ad-1/preserve/9")
    assert (said.code, said.document["error"]["rule"]) == (3, "custody.evidence")
    said = desk.signs("operator-1", "custody", "ad-1", "--to", "store")
    assert (said.code, said.document["error"]["rule"]) == (3, "custody.chain")
    assert desk.types.json("custody", "nowhere-1").code == 2


def test_a_host_that_no_waiver_covers_is_said_to_be_one(desk: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    content = desk.here.engine.read(lambda state, _: state.estate.content)
    monkeypatch.setitem(content.restart.__dict__, "no_waiver", ("ad-1",))
    assert "it may be wiped; no waiver of its class covers it." in desk.types("custody", "ad-1").out
