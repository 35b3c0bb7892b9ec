"""A live process backs itself up: whole, dated, the last four kept, and never at the price of its work."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from orchestrator.decision.events import Reading
from orchestrator.interfaces.backing_up import KEPT, backing_up
from orchestrator.interfaces.serving import serve
from orchestrator.journal.sqlite import Journal
from tests.live_hospital import Hospital, hospital
from tests.managed_hosts import wait_until


def backups(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("relance-*") if path.suffix != ".part")


def test_the_last_four_backups_of_a_working_hospital_are_kept_whole_and_strangers_are_left_alone(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    strangers = [disk / "relance-0300", disk / "relance-other-incident-20260101T000000Z", disk / "notes"]
    for stranger in strangers:
        stranger.mkdir(parents=True)
    with hospital(tmp_path / "state") as here:
        stem = f"relance-{here.engine.incident}-"
        older = [disk / f"{stem}2026010{day}T000000Z" for day in (1, 2, 3, 4)]
        for path in (*older, disk / f"{stem}20260105T000000Z.part"):
            path.mkdir()
        with backing_up(here.engine, disk, every_s=1.1):
            for number in range(6):
                here.engine.submit(Reading("service:lis", ("PASS", "FAIL")[number % 2]))
            wait_until(lambda: len({*backups(disk)} - {*older, *strangers}) >= 2)
        wait_until(lambda: not older[1].exists() and not list(disk.glob("*.part")))
        assert "Backed up" in here.engine.backup
        mine = [path for path in backups(disk) if path.name.startswith(stem)]
        assert len(mine) == KEPT
        assert all(stranger.is_dir() for stranger in strangers)
    with Journal.open(mine[-1] / "journal.sqlite", read_only=True) as journal:
        assert journal.head.size > 0


def failing(here: Hospital, disk: Path) -> str:
    """What a person reads at /healthz while backups fail."""
    with serve(here.engine, here.engine.state_dir, 0) as listening:
        with backing_up(here.engine, disk):
            wait_until(lambda: "failed" in here.engine.backup)
        answer: dict[str, str] = httpx.get(f"{listening.url}/healthz").json()
    assert answer["status"] == "ok", "the work goes on"
    return answer["backup"]


def test_a_backup_that_fails_is_told_in_a_sentence_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hospital(tmp_path / "state") as here:
        assert here.engine.backup == "Nothing is backed up by itself."
        assert "is its disk mounted?" in failing(here, tmp_path / "unplugged")
        here.engine.backup = ""
        assert "inside the state folder" in failing(here, tmp_path / "state")
        here.settle()
    assert capsys.readouterr().err.count("The last backup failed") == 2
