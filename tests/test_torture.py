"""The real engine is tortured for a short while: every kind of strike once. `make torture` is the long run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.decision.events import Cancelled, Event, Finished
from tests.torture import strikes
from tests.torture.rounds import Round, missing, twice

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hospital_comes_back_whole_whatever_dies_at_whatever_point_of_its_restart(tmp_path: Path) -> None:
    options = ["--each", "--kills", "12", "--folder", str(tmp_path / "torture")]
    command = [sys.executable, "-m", "tests.torture", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["findings"] == []
    assert done.returncode == 0, done.stderr
    assert found["kills"] >= 12
    assert found["open"] == 0
    assert found["issued"] == found["finished"] + found["lost"] + found["cancelled"] > 0
    assert {"core at a point", "runner at a point", "core stopped", "second core", "fsync failed"} <= {
        *found["by_kind"]
    }


def test_no_disk_but_a_small_one_of_the_round_is_ever_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(filler: Path) -> None:
        pytest.fail(f"{filler} takes the room of everybody on this machine")

    monkeypatch.setattr(strikes, "_fill", fill)
    striker = strikes.Striker(Round(tmp_path / "round", own_disk=False), random.Random(1), Counter())
    assert not striker.strike("disk full")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """What one host, one gate and the inspections wrote down in a round where nothing went wrong."""
    logs = {
        "hosts/lis-1.log": ["begin lis-1/restore/1 20 -", "run lis-1/restore/1 21 restore:restore",
                            "ran lis-1/restore/1 22 restore:restore ok {}", "end lis-1/restore/1 23 ok"],
        "gates/north.log": ["isolate-site north/isolate/1 10 north", "reconnect lis-1/reconnect/1 50 lis-1"],
        "inspections.log": ["begin lis-1/inspect/1 30 -"],
    }  # fmt: skip
    for name, lines in logs.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


ISSUED = {"north/isolate/1": 5, "lis-1/restore/1": 15, "lis-1/inspect/1": 25, "lis-1/reconnect/1": 40}
TOLD: list[Event] = [Finished(action, "ok") for action in ISSUED]


def add(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(f"{line}\n")


def test_a_round_in_which_everything_happened_once_has_no_findings(written: Path) -> None:
    assert twice(written) == []
    assert missing(written, ISSUED, TOLD) == []


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("hosts/lis-1.log", "begin lis-1/restore/1 60 -"),
        ("gates/north.log", "reconnect lis-1/reconnect/1 60 lis-1"),
        ("inspections.log", "begin lis-1/inspect/1 60 -"),
    ],
)
def test_what_a_host_a_gate_or_an_inspection_began_twice_is_found(written: Path, log: str, line: str) -> None:
    add(written / log, line)
    assert twice(written)


def test_a_restore_told_as_done_that_no_host_began_is_found(written: Path) -> None:
    (written / "hosts/lis-1.log").unlink()
    assert missing(written, ISSUED, TOLD) == ["lis-1/restore/1 ended well and never began."]


def test_a_restore_told_as_never_begun_that_a_host_began_is_found(written: Path) -> None:
    assert missing(written, ISSUED, [Cancelled("lis-1/restore/1")]) == ["lis-1/restore/1 is cancelled, and it began."]


def test_a_host_that_began_what_no_record_issued_is_found(written: Path) -> None:
    add(written / "hosts/lis-1.log", "begin lis-1/restore/2 60 -")
    assert missing(written, ISSUED, TOLD) == ["lis-1/restore/2 began and was never issued."]


def test_a_host_opened_before_its_reconnect_was_issued_is_found(written: Path) -> None:
    assert "was issued only at 55" in "".join(missing(written, {**ISSUED, "lis-1/reconnect/1": 55}, TOLD))
