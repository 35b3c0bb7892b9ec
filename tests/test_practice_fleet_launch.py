"""Starting and stopping a fleet that is a process of its own, and the words when it will not start."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.practice.fleet_launch import launch, ready, stop
from tests.practice_ground import Ground, small_fleet


def test_a_fleet_is_started_once_found_running_and_stopped(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "fleet", small_fleet())
    assert ready(ground.root) is None
    try:
        first = launch(ground.root)
        assert launch(ground.root) == first == ready(ground.root)
    finally:
        stop(ground.root)
    assert ready(ground.root) is None
    stop(ground.root)


def test_a_fleet_that_cannot_start_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text('{"version": 2}')
    with pytest.raises(Unusable, match=r"did not start: fleet: .*version"):
        launch(tmp_path)


def test_the_word_of_a_dead_fleet_does_not_count_though_its_number_is_used_again(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / "ready.json").write_text(json.dumps({"pid": other.pid, "user": "x", "hosts": 3}))
        assert ready(tmp_path) is None
        other.kill()
