"""The folder of a run says truly what was asked, whether it began, how it stands and what came out."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.workers import invocation
from orchestrator.workers.base import Invocation, Outcome, Request
from tests.managed_hosts import wait_until

LAB = Request("lab-1/restore/1", "lab-1", "clinic", "restore", "restore", "10.0.0.1", "10.0.1.1", "10.0.2.1:22")
ASKED = Invocation("5", "restore.yml", "/playbooks", 60, "/key", "/known_hosts", (LAB,))
HOLDER = "import sys, time; from pathlib import Path; from orchestrator.workers import invocation\n"
HOLDER += "with invocation.held(Path(sys.argv[1])): print(flush=True); time.sleep(60)"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "5"
    invocation.write(folder, ASKED)
    return folder


def test_a_run_folder_is_private_and_tells_what_was_asked(run_dir: Path) -> None:
    asked = invocation.read(run_dir)
    assert replace(asked, invocation="5") == ASKED
    assert run_dir.stat().st_mode & 0o777 == 0o700
    assert (run_dir / "request.json").stat().st_mode & 0o777 == 0o600


def test_two_incidents_on_one_machine_never_name_their_runs_alike(run_dir: Path, tmp_path: Path) -> None:
    invocation.write(tmp_path / "other" / "5", ASKED)
    names = {invocation.read(folder).invocation for folder in (run_dir, tmp_path / "other" / "5")}
    assert len(names) == 2
    assert all(name.startswith("5-") for name in names)


def test_a_folder_is_never_written_over(run_dir: Path) -> None:
    with pytest.raises(Unusable, match="cannot be written"):
        invocation.write(run_dir, ASKED)


@pytest.mark.parametrize("text", [b"", b"[]", b'{"invocation":"5"}', b"not json", b'{"ssh":1}'])
def test_a_request_that_cannot_be_read_is_said_so(run_dir: Path, text: bytes) -> None:
    (run_dir / "request.json").write_bytes(text)
    with pytest.raises(Unusable, match="no readable request"):
        invocation.read(run_dir)


def test_a_run_starts_once(run_dir: Path) -> None:
    invocation.start(run_dir)
    with pytest.raises(Unusable, match="never started twice"):
        invocation.start(run_dir)


def test_the_condition_follows_the_life_of_a_run(run_dir: Path) -> None:
    assert invocation.condition(run_dir) == "not_started"
    with invocation.held(run_dir):
        assert invocation.condition(run_dir) == "running"
        invocation.start(run_dir)
        assert invocation.condition(run_dir) == "running"
    assert invocation.condition(run_dir) == "dead"
    invocation.finish(run_dir, 0)
    assert invocation.condition(run_dir) == "finished"


def test_a_killed_runner_gives_its_lock_back_and_is_dead(run_dir: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, run_dir], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    invocation.start(run_dir)
    assert invocation.condition(run_dir) == "running"
    with pytest.raises(Unusable, match="Another runner"), invocation.held(run_dir, wait_s=0):
        pass
    holder.kill()
    holder.wait()
    assert invocation.condition(run_dir) == "dead"


def test_looking_at_a_run_never_keeps_its_runner_from_starting(run_dir: Path) -> None:
    script = "import sys; from pathlib import Path; from orchestrator.workers import invocation\n"
    script += "print(flush=True)\nwhile True: invocation.condition(Path(sys.argv[1]))"
    (run_dir / "lock").touch()
    looker = subprocess.Popen([sys.executable, "-c", script, run_dir], stdout=subprocess.PIPE)
    try:
        assert looker.stdout is not None
        looker.stdout.readline()
        with invocation.held(run_dir):
            assert invocation.condition(run_dir) == "running"
    finally:
        looker.kill()
        looker.wait()


def test_lines_are_read_once_from_where_reading_stopped(run_dir: Path) -> None:
    results = invocation.Results(run_dir)
    assert invocation.results(run_dir) == ([], 0)
    assert results.append(Outcome("a/restore/1", "ok"))
    first, offset = invocation.results(run_dir)
    assert results.append(Outcome("b/restore/1", "failed", "no"))
    second, _ = invocation.results(run_dir, offset)
    assert [line.action for line in first + second] == ["a/restore/1", "b/restore/1"]


def test_an_action_has_one_line_whoever_writes_again(run_dir: Path) -> None:
    assert invocation.Results(run_dir).append(Outcome("a/restore/1", "ok"))
    assert not invocation.Results(run_dir).append(Outcome("a/restore/1", "failed"))
    assert [line.outcome for line in invocation.results(run_dir)[0]] == ["ok"]


def test_a_line_torn_by_a_crash_is_not_read_and_does_not_spoil_the_next(run_dir: Path) -> None:
    invocation.Results(run_dir).append(Outcome("a/restore/1", "ok"))
    with (run_dir / "results.jsonl").open("ab") as file:
        file.write(b'{"action":"b/rest')
    assert len(invocation.results(run_dir)[0]) == 1
    invocation.Results(run_dir).append(Outcome("b/restore/1", "ok"))
    assert [line.action for line in invocation.results(run_dir)[0]] == ["a/restore/1", "b/restore/1"]


def test_a_folder_without_results_has_none(run_dir: Path) -> None:
    assert invocation.results(run_dir) == ([], 0)


def test_a_full_disk_is_told_to_the_writer(run_dir: Path) -> None:
    results = invocation.Results(run_dir)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, results._file)
    with pytest.raises(OSError, match="No space left"):
        results.append(Outcome("a/restore/1", "ok"))
    assert "a/restore/1" not in results.written


def test_a_cancelled_action_has_a_file_the_playbook_looks_for(run_dir: Path) -> None:
    path = invocation.cancel_file(run_dir, "lab-1/restore/1")
    assert not path.exists()
    invocation.cancel(run_dir, "lab-1/restore/1")
    assert path.exists()
    assert path.parent == run_dir / "cancelled"


def test_two_runs_never_hold_the_same_lane_of_a_host(run_dir: Path) -> None:
    first, second = invocation.HostLocks(run_dir.parent), invocation.HostLocks(run_dir.parent)
    assert first.take("lab-1", "host")
    assert not second.take("lab-1", "host")
    first.give_back("lab-1", "host")
    assert second.take("lab-1", "host")


def test_a_host_is_isolated_while_it_is_being_restored(run_dir: Path) -> None:
    first, second = invocation.HostLocks(run_dir.parent), invocation.HostLocks(run_dir.parent)
    assert first.take("lab-1", "host")
    assert second.take("lab-1", "network")


def test_a_run_waits_a_little_for_the_host_of_another(run_dir: Path) -> None:
    script = "import sys, time; from pathlib import Path; from orchestrator.workers import invocation\n"
    script += "locks = invocation.HostLocks(Path(sys.argv[1])); locks.take('lab-1', 'host')\n"
    script += "print(flush=True); time.sleep(0.3)"
    holder = subprocess.Popen([sys.executable, "-c", script, run_dir.parent], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    assert invocation.HostLocks(run_dir.parent).take("lab-1", "host", wait_s=20)
    wait_until(lambda: holder.poll() is not None)


def test_a_line_a_disk_has_damaged_is_passed_over_and_its_action_counts_as_not_told(run_dir: Path) -> None:
    results = invocation.Results(run_dir)
    results.append(Outcome("lab-1/restore/1", "ok"))
    results.append(Outcome("lab-2/restore/1", "ok"))
    path = run_dir / "results.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"action"', b'"actiom"', 1))
    outcomes, offset = invocation.results(run_dir)
    assert [outcome.action for outcome in outcomes] == ["lab-2/restore/1"]
    assert offset == path.stat().st_size
    assert invocation.Results(run_dir).written == {"lab-2/restore/1"}
