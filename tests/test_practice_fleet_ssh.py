"""What answers SSH at which address, and how leftovers of a killed fleet are found."""

from __future__ import annotations

import subprocess
from pathlib import Path

from orchestrator.practice.fleet_ssh import MARK, Endpoint, endpoints_of, kill_marked
from tests.practice_ground import GATE, small_fleet


def test_hosts_management_endpoints_and_gates_each_have_their_address() -> None:
    found = endpoints_of(small_fleet(count=1))
    assert found == {
        GATE: Endpoint("gate", "north"),
        "127.21.0.1": Endpoint("host", "h0"),
        "127.31.0.1": Endpoint("management", "h0"),
    }


def test_only_processes_that_a_fleet_on_this_very_folder_left_are_killed(tmp_path: Path) -> None:
    folders = [tmp_path / "fleet", tmp_path / "fleet-2"]
    left = [subprocess.Popen(["sleep", "60"], env={MARK: str(folder), "PATH": "/usr/bin:/bin"}) for folder in folders]
    try:
        assert kill_marked(folders[0]) == 1
        assert left[0].wait(5) == -9
        assert left[1].poll() is None
        assert kill_marked(folders[0]) == 0
    finally:
        for process in left:
            process.kill()
            process.wait()
