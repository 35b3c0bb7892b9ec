"""What a start begins with: the reviewed estate once, afterwards what the incident runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.decision import codec
from orchestrator.decision.events import Opened
from orchestrator.engine.process import lay_out
from orchestrator.errors import ContentError
from orchestrator.interfaces.beginning import beginning, tell_edited
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from tests.small_estate import SmallEstate


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


def test_a_first_start_begins_with_the_estate_and_says_which_hosts_it_leaves_out(
    estate: SmallEstate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate.edit("inventory/workstations.csv", "laboratory,workstation,10.10.20.2", "laboratory,workstatoin,10.10.20.2")
    found = beginning(estate.path, tmp_path / "state")
    assert found is not None
    assert found.blocked == {"lab-n-2"}
    assert "lab-n-2" not in {host.id for host in found.content.inventory.hosts}
    said = capsys.readouterr().err
    assert "workstatoin" in said
    assert "Starting without 1 hosts" in said


def test_an_estate_that_cannot_be_used_begins_nothing(estate: SmallEstate, tmp_path: Path) -> None:
    estate.edit("inventory/services.yaml", "function: laboratory", "function: nowhere")
    with pytest.raises(ContentError, match="nowhere"):
        beginning(estate.path, tmp_path / "state")


def test_an_open_incident_is_gone_on_with_whatever_became_of_the_estate(estate: SmallEstate, tmp_path: Path) -> None:
    lay_out(tmp_path / "state")
    with Journal.create(tmp_path / "state" / "journal.sqlite") as journal:
        journal.begin()
        journal.append(1, *codec.encode(Opened(1, "0.1.0", "night", "d" * 64)))
        journal.commit()
    estate.edit("inventory/services.yaml", "function: laboratory", "function: nowhere")
    assert beginning(estate.path, tmp_path / "state") is None


def test_an_edited_estate_is_said_not_to_be_in_force(
    estate: SmallEstate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = usable(estate.path).digest
    tell_edited(estate.path, digest)
    assert capsys.readouterr().err == ""
    estate.append("plans/restart.yaml", "leave_off: [lab-n-2]\n")
    tell_edited(estate.path, digest)
    assert "relance content propose" in capsys.readouterr().err
    tell_edited(tmp_path, digest)
    assert "relance content propose" in capsys.readouterr().err
