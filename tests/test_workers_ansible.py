"""The engine hands out runs, hears each action's end once, and finds everything again after it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.decision.events import Finished
from orchestrator.engine.dispatch import event_of
from orchestrator.workers import invocation, processes
from orchestrator.workers.ansible import AnsibleWorker
from orchestrator.workers.base import Outcome, Request
from orchestrator.workers.release_gate import bundle_file
from tests.managed_hosts import ManagedHosts, managed_hosts, outcomes, wait_until


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[ManagedHosts]:
    with managed_hosts(tmp_path) as started:
        yield started


@pytest.fixture
def worker() -> Iterator[AnsibleWorker]:
    worker = AnsibleWorker()
    yield worker
    for run_dir in worker.live():
        processes.end_all(invocation.read(run_dir).invocation)


def submit(worker: AnsibleWorker, run_dir: Path) -> None:
    worker.submit(run_dir, invocation.read(run_dir).requests)


def drained(worker: AnsibleWorker) -> bool:
    assert worker.poll() == []
    return not worker.live()


def runner_of(run_dir: Path) -> int:
    """The pid the runner wrote when it started."""
    wait_until((run_dir / "start").exists)
    wait_until((run_dir / "start").read_text)
    return int((run_dir / "start").read_text())


def test_a_restored_host_is_reported_once_and_the_run_is_forgotten(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    run_dir = hosts.ask(hosts.request(1, "restore"))
    submit(worker, run_dir)
    ended = outcomes(worker, 1)["host-1/restore/1"]
    assert (ended.outcome, ended.facts["host_key"]) == ("ok", "ssh-ed25519 AAAA")
    wait_until(lambda: drained(worker))
    assert invocation.condition(run_dir) == "finished"


def test_a_reported_host_key_loses_its_comment_and_what_is_no_key_is_a_failed_restore(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    hosts.fault(1, "comment")
    hosts.fault(2, "keyless")
    submit(worker, hosts.ask(*(hosts.request(number, "restore") for number in (1, 2, 3))))
    ended = [event_of(outcome) for _, outcome in sorted(outcomes(worker, 3).items())]
    assert [one.outcome for one in ended if isinstance(one, Finished)] == ["ok", "failed", "ok"]
    assert isinstance(ended[0], Finished)
    assert isinstance(ended[1], Finished)
    assert ended[0].facts["host_key"] == "ssh-ed25519 AAAA"
    assert "not made yet" in ended[1].sentence
    assert hosts.log(2)[-1] == "mark end host-2/restore/1 ok", "what the management path believes is not what counts"


def test_two_runs_side_by_side_never_mix_what_they_were_asked(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    submit(worker, hosts.ask(hosts.request(1, "preserve"), name="1"))
    submit(worker, hosts.ask(hosts.request(2, "restore"), name="2"))
    ended = outcomes(worker, 2)
    assert set(ended["host-1/preserve/1"].facts) == {"digest", "medium", "holder"}
    assert "host_key" in ended["host-2/restore/1"].facts
    assert all("restore" not in line for line in hosts.log(1))


def test_a_gate_reconnects_a_host_and_the_gates_own_word_is_the_fact(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    submit(worker, hosts.ask(hosts.request(1, "reconnect")))
    ended = outcomes(worker, 1)["host-1/reconnect/1"]
    assert ended.facts == {"host": "host-1", "state": "open"}
    assert hosts.log(1) == []


def test_a_host_whose_bundle_was_changed_between_issue_and_run_stays_in_quarantine(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    run_dir = hosts.ask(hosts.request(1, "reconnect"), hosts.request(2, "reconnect"))
    bundle = bundle_file(run_dir, "host-1/reconnect/1")
    bundle.write_bytes(bundle.read_bytes().replace(b"analyst-2", b"analyst-3"))
    submit(worker, run_dir)
    ended = outcomes(worker, 2)
    assert ended["host-2/reconnect/1"].outcome == "ok"
    assert ended["host-1/reconnect/1"].outcome == "failed"
    assert ended["host-1/reconnect/1"].sentence.startswith("Not released: signatures. Record ")
    gate = hosts.base / hosts.gate
    assert not [line for line in (gate / "log").read_text().splitlines() if "host-1" in line], "nobody dialled for it"
    assert not (gate / "state-host-1").exists()


def test_without_its_bundle_a_host_stays_in_quarantine(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    run_dir = hosts.ask(hosts.request(1, "reconnect"))
    bundle_file(run_dir, "host-1/reconnect/1").unlink()
    submit(worker, run_dir)
    ended = outcomes(worker, 1)["host-1/reconnect/1"]
    assert (ended.outcome, ended.facts) == ("failed", {"released": False})
    assert "no readable bundle" in ended.sentence
    assert not (hosts.base / hosts.gate / "log").exists()


def test_a_gate_that_obeys_and_does_nothing_is_a_failure(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    (hosts.base / hosts.gate / "fault").write_text("stuck")
    submit(worker, hosts.ask(hosts.request(1, "reconnect")))
    ended = outcomes(worker, 1)["host-1/reconnect/1"]
    assert ended.outcome == "failed"
    assert "isolated" in ended.sentence


def test_one_host_or_a_whole_site_is_isolated_at_the_gate(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    (hosts.base / hosts.gate / "state-host-2").write_text("open\n")
    site = replace(hosts.request(1, "isolate"), action="clinic/isolate/1", host="")
    submit(worker, hosts.ask(hosts.request(1, "isolate"), site))
    ended = outcomes(worker, 2)
    assert {outcome.outcome for outcome in ended.values()} == {"ok"}
    assert (hosts.base / hosts.gate / "state-host-2").read_text() == "isolated\n"


def test_a_host_without_the_windows_modules_fails_with_a_line_and_the_others_go_on(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    windows = replace(hosts.request(2, "restore"), os="windows")
    submit(worker, hosts.ask(hosts.request(1, "restore"), windows))
    ended = outcomes(worker, 2)
    assert ended["host-1/restore/1"].outcome == "ok"
    assert ended["host-2/restore/1"].outcome == "failed"


def test_cancelling_one_action_never_stops_its_batch(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    submit(worker, hosts.ask(hosts.request(1, "restore"), hosts.request(2, "restore")))
    worker.cancel("host-2/restore/1")
    worker.cancel("host-9/restore/1")
    ended = outcomes(worker, 2)
    assert ended["host-1/restore/1"].outcome == "ok"
    assert ended["host-2/restore/1"].outcome == "cancelled"
    assert hosts.log(2) == []


def test_an_action_that_has_begun_is_not_cut_off_by_cancelling_it(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    hosts.fault(1, "slow")
    submit(worker, hosts.ask(hosts.request(1, "restore")))
    wait_until(lambda: len(hosts.log(1)) > 1)
    worker.cancel("host-1/restore/1")
    assert outcomes(worker, 1)["host-1/restore/1"].outcome == "ok"


def test_a_reconnect_that_hangs_is_gone_within_two_seconds_of_the_isolation_that_replaces_it(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    gate = hosts.base / hosts.gate
    (gate / "fault").write_text("hang")
    reconnect = hosts.ask(hosts.request(1, "reconnect"), name="1")
    submit(worker, reconnect)
    wait_until((gate / "hung").exists)
    begun_s = time.monotonic()
    worker.cancel("host-1/reconnect/1")
    submit(worker, hosts.ask(hosts.request(1, "isolate"), name="2"))
    name = invocation.read(reconnect).invocation
    assert worker.poll() == []
    wait_until(lambda: processes.carriers(name) == [])
    assert time.monotonic() - begun_s < 2
    ended = outcomes(worker, 2)
    assert ended["host-1/isolate/1"].outcome == "ok"
    assert ended["host-1/reconnect/1"].outcome == "cancelled", "the gate says isolated"


def test_a_hung_reconnect_that_is_cancelled_leaves_the_others_of_its_batch_to_their_end(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    gate = hosts.base / hosts.gate
    (gate / "fault").write_text("hang")
    run_dir = hosts.ask(*(hosts.request(number, "reconnect") for number in (1, 2, 3)))
    submit(worker, run_dir)
    wait_until((gate / "hung").exists)
    worker.cancel("host-1/reconnect/1")
    ended = outcomes(worker, 3)
    assert {action: one.outcome for action, one in ended.items()} == {
        "host-1/reconnect/1": "cancelled",
        "host-2/reconnect/1": "ok",
        "host-3/reconnect/1": "ok",
    }


def test_a_host_is_free_for_its_next_run_while_another_of_its_batch_still_works(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    hosts.fault(2, "hang")
    run_dir = hosts.ask(hosts.request(1, "restore"), hosts.request(2, "restore"))
    submit(worker, run_dir)
    assert set(outcomes(worker, 1)) == {"host-1/restore/1"}
    wait_until((hosts.base / hosts.addresses[1] / "hung").exists)
    locks = invocation.HostLocks(hosts.runs)
    assert locks.take("host-1", "host", wait_s=5), "its line is readable a moment before it is on disk"
    assert not locks.take("host-2", "host")


def test_a_stopped_run_leaves_no_process_and_its_actions_are_settled(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    hosts.fault(2, "hang")
    run_dir = hosts.ask(hosts.request(1, "restore"), hosts.request(2, "restore"))
    submit(worker, run_dir)
    ended = outcomes(worker, 1)
    wait_until((hosts.base / hosts.addresses[1] / "hung").exists)
    worker.stop(run_dir)
    wait_until(lambda: processes.carriers(invocation.read(run_dir).invocation) == [])
    ended |= outcomes(worker, 1)
    assert ended["host-1/restore/1"].outcome == "ok"
    assert ended["host-2/restore/1"].outcome == "lost"


def test_a_runner_killed_mid_batch_costs_no_line_and_nothing_is_done_twice(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    hosts.fault(2, "hang")
    run_dir = hosts.ask(*(hosts.request(number, "restore") for number in (1, 2, 3)))
    submit(worker, run_dir)
    (hosts.base / hosts.addresses[2] / "mark").write_text("")
    ended = outcomes(worker, 2)
    os.kill(runner_of(run_dir), signal.SIGKILL)
    ended |= outcomes(worker, 1)
    assert {action: outcome.outcome for action, outcome in ended.items()} == {
        "host-1/restore/1": "ok",
        "host-2/restore/1": "lost",
        "host-3/restore/1": "ok",
    }
    assert [line.split()[0] for line in hosts.log(1)].count("restore") == 1
    wait_until(lambda: drained(worker))


def test_an_action_never_begun_when_its_runner_was_killed_is_no_try(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    run_dir = hosts.ask(hosts.request(1, "restore"))
    submit(worker, run_dir)
    os.kill(runner_of(run_dir), signal.SIGKILL)
    assert outcomes(worker, 1)["host-1/restore/1"].outcome == "cancelled"
    assert hosts.log(1) == ["mark read"]


def engine_that_dies(run_dir: Path) -> None:
    """Submit the run from another process that is killed at once."""
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from orchestrator.workers import invocation\nfrom orchestrator.workers.ansible import AnsibleWorker\n"
        "run_dir = Path(sys.argv[1])\n"
        "AnsibleWorker().submit(run_dir, invocation.read(run_dir).requests)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, run_dir], check=False)


def test_a_run_outlives_its_engine_and_the_next_one_adopts_it(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    hosts.fault(1, "slow")
    run_dir = hosts.ask(hosts.request(1, "restore"))
    engine_that_dies(run_dir)
    runner_of(run_dir)
    assert invocation.condition(run_dir) == "running"
    worker.adopt(run_dir)
    assert outcomes(worker, 1)["host-1/restore/1"].outcome == "ok"
    assert hosts.log(1).count("restore host-1/restore/1 restore 0") == 1
    wait_until(lambda: drained(worker))


def test_a_run_that_never_started_is_handed_out_again(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    worker.adopt(hosts.ask(hosts.request(1, "restore")))
    assert outcomes(worker, 1)["host-1/restore/1"].outcome == "ok"


def test_a_run_that_finished_unseen_is_read(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    request = hosts.request(1, "restore")
    run_dir = hosts.ask(request)
    invocation.start(run_dir)
    invocation.Results(run_dir).append(Outcome(request.action, "ok", "", {"host_key": "k"}))
    invocation.finish(run_dir, 0)
    worker.adopt(run_dir)
    assert [outcome.facts for outcome in worker.poll()] == [{"host_key": "k"}]
    assert worker.live() == []


def test_what_still_runs_on_its_management_path_after_a_restart_is_waited_for(
    hosts: ManagedHosts, worker: AnsibleWorker
) -> None:
    run_dir = hosts.ask(hosts.request(1, "restore"))
    invocation.start(run_dir)
    hosts.mark(1, "host-1/restore/1", "begun", running=True)
    worker.adopt(run_dir)
    wait_until(lambda: not worker.poll() and "mark read" in hosts.log(1))
    assert worker.poll() == []
    hosts.mark(1, "host-1/restore/1", "ended", "ok", host_key="ssh-ed25519 NEW")
    assert outcomes(worker, 1)["host-1/restore/1"].outcome == "ok"


def test_a_dead_run_found_at_start_is_settled_by_the_mark(hosts: ManagedHosts, worker: AnsibleWorker) -> None:
    requests: tuple[Request, ...] = tuple(hosts.request(number, "restore") for number in (1, 2, 3))
    run_dir = hosts.ask(*requests)
    invocation.start(run_dir)
    hosts.mark(1, "host-1/restore/1", "ended", "ok", host_key="ssh-ed25519 NEW")
    hosts.mark(2, "host-2/restore/1", "begun")
    worker.adopt(run_dir)
    ended = outcomes(worker, 3)
    assert ended["host-1/restore/1"].facts == {"host_key": "ssh-ed25519 NEW"}
    assert ended["host-2/restore/1"].outcome == "lost"
    assert ended["host-3/restore/1"].outcome == "cancelled"
