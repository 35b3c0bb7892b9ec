"""The review plays the restart through: what never gets on although nothing fails is found in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.explain import Reason
from orchestrator.errors import Refused
from orchestrator.interfaces import reviewing
from orchestrator.interfaces.reviewing import reviewed
from orchestrator.inventory.sources import blocks_everything
from tests.small_estate import SMALL, SmallEstate

MOON = Reason("need", "moon", "It needs moon.", "whoever brings moon back")


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
    monkeypatch.setattr(DryRun, "run", lambda self: [(post, MOON)])
    found = reviewed(SMALL)
    (error,) = [one for one in found.findings if one.severity == "error"]
    assert error.file == "inventory/workstations.csv"
    assert error.message == f"Even without any fault `{post}` never gets on. It needs moon."
    assert found.blocked == {post}
    assert found.content is not None
    assert post not in [host.id for host in found.content.inventory.hosts]


def test_a_gate_that_never_passes_blocks_the_estate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        DryRun,
        "run",
        lambda self: [
            ("laboratory/slice", Reason("unread", "service:lis", "service:lis has not been read yet.", "the probes"))
        ],
    )
    found = reviewed(SMALL)
    assert found.content is None
    (error,) = [one for one in found.findings if one.severity == "error"]
    assert (error.file, error.line) == ("inventory/services.yaml", 30)
    assert error.message.endswith("`laboratory/slice` never gets on. service:lis has not been read yet.")


def test_a_dry_run_that_refuses_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: DryRun) -> list[tuple[str, Reason]]:
        raise Refused("Nobody may launch it.")

    monkeypatch.setattr(DryRun, "run", refuses)
    assert any("Nobody may launch it" in one.message for one in reviewed(SMALL).findings)


def test_hosts_without_which_no_plan_is_left_block_the_estate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DryRun, "run", lambda self: [("dc-1", MOON), ("dc-2", MOON)])
    found = reviewing.reviewed(SMALL)
    assert found.content is None
    errors = [one for one in found.findings if one.severity == "error"]
    assert ["dc-1" in one.message or "dc-2" in one.message for one in errors] == [True, True]
    assert blocks_everything(found.findings) == errors


def _workstations() -> list[str]:
    rows = (SMALL / "inventory" / "workstations.csv").read_text().splitlines()[1:]
    return [row.split(",")[0] for row in rows]
