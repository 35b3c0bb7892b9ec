"""The review plays the restart through: what never gets on although nothing fails is found in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.decision.dryrun import DryRun
from orchestrator.errors import Refused
from orchestrator.interfaces import reviewing
from orchestrator.interfaces.reviewing import reviewed
from tests.small_estate import SMALL, SmallEstate


def test_a_good_estate_comes_back_whole_when_nothing_fails() -> None:
    found = reviewed(SMALL)
    assert found.content is not None
    assert found.plan is not None
    assert not [one for one in found.findings if one.severity == "error"]


def test_content_that_blocks_everything_is_not_played_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estate = SmallEstate(tmp_path)
    (estate.path / "inventory" / "sites.yaml").unlink()
    monkeypatch.setattr(DryRun, "run", lambda self: pytest.fail("nothing is left to play"))
    found = reviewed(estate.path)
    assert (found.content, found.plan) == (None, None)
    assert found.findings


def test_a_host_that_never_gets_on_is_an_error_at_its_line_and_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    post = next(host for host in _workstations() if host.startswith("lab"))
    monkeypatch.setattr(DryRun, "run", lambda self: [(post, "need moon")])
    found = reviewed(SMALL)
    (error,) = [one for one in found.findings if one.severity == "error"]
    assert error.file == "inventory/workstations.csv"
    assert "waits for need moon" in error.message
    assert found.blocked == {post}
    assert found.content is not None
    assert post not in [host.id for host in found.content.inventory.hosts]


def test_a_gate_that_never_passes_blocks_the_estate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DryRun, "run", lambda self: [("laboratory/slice", "posts 0 of 1")])
    found = reviewed(SMALL)
    assert found.content is None
    assert any("posts 0 of 1" in one.message for one in found.findings)


def test_a_dry_run_that_refuses_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: DryRun) -> list[tuple[str, str]]:
        raise Refused("Nobody may launch it.")

    monkeypatch.setattr(DryRun, "run", refuses)
    assert any("Nobody may launch it" in one.message for one in reviewed(SMALL).findings)


def test_hosts_without_which_no_plan_is_left_block_the_estate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DryRun, "run", lambda self: [("dc-1", "need moon"), ("dc-2", "need moon")])
    found = reviewing.reviewed(SMALL)
    assert found.content is None
    assert [one.severity for one in found.findings].count("error") == 3


def _workstations() -> list[str]:
    rows = (SMALL / "inventory" / "workstations.csv").read_text().splitlines()[1:]
    return [row.split(",")[0] for row in rows]
