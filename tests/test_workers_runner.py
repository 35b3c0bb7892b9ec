"""Whatever happens to a batch, every action has one true line in the end and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.workers import ansible_files, invocation, processes, runner
from orchestrator.workers.base import NeverBegun, Outcome, Request
from tests.managed_hosts import ManagedHosts, make_key, managed_hosts, silent_peer, wait_until

PLANTED = "planted-7c1f"
LAB = Request("lab-1/restore/1", "lab-1", "clinic", "restore", "restore", "10.0.0.1", "10.0.1.1", "10.0.2.1:22")


@dataclass
class Night:
    """One batch in which nearly everything went wrong."""

    hosts: ManagedHosts
    run_dir: Path
    lines: dict[str, Outcome]
    status: int


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[ManagedHosts]:
    with managed_hosts(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """1 ok, 2 fails, 3 nobody listens, 4 refuses our key, 5 shows another host key, 6 drops the connection, 7 is
    cancelled, 8 stands under another live mark, 9 supersedes a dead one, 10 accepts and says nothing, 11 has no pin,
    12 has a management path that dies in the middle of the restore."""
    with managed_hosts(tmp_path_factory.mktemp("night"), 12) as hosts, silent_peer() as silent:
        requests = [hosts.request(number, "restore") for number in range(1, 10)]
        hosts.fault(2, "fail")
        requests[2] = replace(requests[2], management_port=1)
        requests[3] = replace(requests[3], management_user="nobody-here")
        repin(hosts, 5, make_key(hosts.base / "other"))
        repin(hosts, 11, "")
        hosts.fault(6, "drop")
        hosts.mark(8, "host-8/restore/9", "begun")
        hosts.mark(9, "host-9/restore/9", "begun")
        requests[8] = replace(requests[8], supersedes="host-9/restore/9")
        requests.append(replace(hosts.request(1, "restore"), action="host-10/restore/1", host="host-10"))
        requests[9] = replace(requests[9], management="127.0.0.1", management_port=silent)
        requests.append(hosts.request(11, "restore"))
        requests.append(hosts.request(12, "restore"))
        hosts.fault(12, "dies")
        run_dir = hosts.ask(*requests, limit_s=12)
        invocation.cancel(run_dir, "host-7/restore/1")
        done = start(run_dir, RELANCE_PLANTED=PLANTED, ANSIBLE_BECOME_PASSWORD=PLANTED)
        lines = {line.action.split("/")[0]: line for line in invocation.results(run_dir)[0]}
        yield Night(hosts, run_dir, lines, done.returncode)


def test_hosts_end_one_after_another_and_those_never_reached_at_the_limit_lose_no_try(
    hosts: ManagedHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = hosts.base / hosts.addresses[1] / "hung"

    class OnceItHangs(threading.Timer):
        """The time limit, reached when the second host hangs."""

        def __init__(self, limit_s: float, expire: Callable[[], None]) -> None:
            super().__init__(0, lambda: (wait_until(hung.exists), expire()))

    monkeypatch.setattr(threading, "Timer", OnceItHangs)
    monkeypatch.setattr(ansible_files, "forks", lambda hosts: 1)
    hosts.fault(2, "hang")
    run_dir = hosts.ask(*(hosts.request(number, "restore") for number in (1, 2, 3)))
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert runner.run(run_dir) == 0
    assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    lines = {line.action: line for line in invocation.results(run_dir)[0]}
    assert {action: line.outcome for action, line in lines.items()} == {
        "host-1/restore/1": "ok",  # although another of its batch never ended
        "host-2/restore/1": "lost",
        "host-3/restore/1": "cancelled",
    }
    assert "turn had not come" in lines["host-3/restore/1"].sentence
    assert hosts.log(3) == []


def repin(hosts: ManagedHosts, number: int, key: str) -> None:
    path = hosts.base / "known_hosts"
    address = hosts.addresses[number - 1]
    lines = [f"[{address}]:{hosts.port} {key}" if f"[{address}]" in line else line for line in path.open()]
    path.write_text("".join(f"{line.rstrip()}\n" for line in lines))


def start(run_dir: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.workers.runner", *options, str(run_dir)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_a_restored_host_brings_its_new_host_key(night: Night) -> None:
    assert night.lines["host-1"].outcome == "ok"
    assert night.lines["host-1"].facts == {
        "host_key": "ssh-ed25519 AAAA",
        "image_digest": "ff",
        "restore_point_us": 7,
    }


def test_a_restore_is_marked_rotates_the_local_secret_and_is_done_once(night: Night) -> None:
    action = "host-1/restore/1"
    assert night.hosts.log(1) == [
        f"mark begin {action}",
        f"restore {action} restore 0",
        f"rotate {action}",
        f"mark end {action} ok",
    ]


def test_a_failed_restore_says_what_the_management_path_said_and_ends_its_mark(night: Night) -> None:
    assert night.lines["host-2"].outcome == "failed"
    assert night.lines["host-2"].sentence == "block 17 cannot be read"
    assert night.hosts.log(2)[-1] == "mark end host-2/restore/1 failed"


def test_a_management_path_where_nobody_listens_is_unreachable(night: Night) -> None:
    assert night.lines["host-3"].outcome == "unreachable"
    assert "Connection refused" in night.lines["host-3"].sentence


def test_a_management_path_that_refuses_our_key_says_so(night: Night) -> None:
    assert night.lines["host-4"].outcome == "failed"
    assert night.lines["host-4"].facts == {"auth": "refused"}


def test_a_changed_host_key_is_not_spoken_to(night: Night) -> None:
    assert night.lines["host-5"].outcome == "failed"
    assert "another host key" in night.lines["host-5"].sentence
    assert night.hosts.log(5) == []


def test_a_missing_pin_is_told_as_one_and_not_as_an_attack(night: Night) -> None:
    assert night.lines["host-11"].outcome == "failed"
    assert night.lines["host-11"].facts == {"host_key": "missing"}
    sentence = f"No host key is pinned for {night.hosts.addresses[10]} in secrets/management_hosts"
    assert night.lines["host-11"].sentence.startswith(sentence)


def test_a_connection_cut_in_the_middle_is_settled_by_the_mark(night: Night) -> None:
    assert night.lines["host-6"].outcome == "lost"
    assert night.hosts.log(6)[-1] == "mark read"


def test_a_restore_whose_mark_could_not_be_ended_is_not_called_failed_for_the_next_try_must_name_it(
    night: Night,
) -> None:
    assert night.lines["host-12"].outcome == "lost"
    assert night.hosts.log(12)[-2:] == ["mark end host-12/restore/1 failed", "mark read"]


def test_a_cancelled_action_is_skipped_and_its_batch_goes_on(night: Night) -> None:
    assert night.lines["host-7"].outcome == "cancelled"
    assert night.hosts.log(7) == []
    assert night.lines["host-9"].outcome == "ok"


def test_a_host_under_another_live_mark_is_not_touched(night: Night) -> None:
    assert night.lines["host-8"].outcome == "failed"
    assert night.lines["host-8"].sentence == "another mark stands"
    assert night.hosts.log(8) == ["mark begin host-8/restore/1"]


def test_a_superseded_mark_gives_way(night: Night) -> None:
    assert night.hosts.log(9)[0] == "mark begin host-9/restore/1 host-9/restore/9"
    assert night.lines["host-9"].outcome == "ok"


def test_a_peer_that_accepts_and_says_nothing_is_unreachable(night: Night) -> None:
    assert night.lines["host-10"].outcome == "unreachable"
    assert "timed out" in night.lines["host-10"].sentence


def test_every_action_has_one_line_and_the_run_is_done(night: Night) -> None:
    assert len(invocation.results(night.run_dir)[0]) == len(night.lines) == 12
    assert invocation.condition(night.run_dir) == "finished"
    assert night.status == 0


def test_a_run_says_what_cpu_it_took_though_who_began_it_may_be_gone(night: Night) -> None:
    assert int((night.run_dir / "done").read_text()) > 100_000, "Ansible's own too, in microseconds"


def test_no_process_of_the_run_is_left(night: Night) -> None:
    assert processes.carriers(invocation.read(night.run_dir).invocation) == []


def test_nothing_of_the_callers_environment_is_written_into_the_run_folder(night: Night) -> None:
    texts = [path.read_bytes() for path in night.run_dir.rglob("*") if path.is_file()]
    assert any(b"ansible-playbook" in text for text in texts)
    assert not [text for text in texts if PLANTED.encode() in text]


def test_host_key_checking_stays_on_against_ansible_runners_habit(night: Night) -> None:
    command = (night.run_dir / "ansible" / "artifacts" / "run" / "command").read_text()
    assert '"ANSIBLE_HOST_KEY_CHECKING": "True"' in command


def test_a_run_is_never_done_a_second_time(night: Night) -> None:
    again = start(night.run_dir)
    assert again.returncode == 7
    assert "never started twice" in again.stderr
    assert len(night.hosts.log(1)) == 4


def test_settling_a_finished_run_changes_no_line(night: Night) -> None:
    before = (night.run_dir / "results.jsonl").read_bytes()
    (night.run_dir / "done").unlink()
    assert start(night.run_dir, "--settle").returncode == 0
    assert (night.run_dir / "results.jsonl").read_bytes() == before


def test_ansible_is_found_although_the_callers_path_is_empty(hosts: ManagedHosts) -> None:
    run_dir = hosts.ask(hosts.request(1, "preserve"))
    assert start(run_dir, PATH="/nowhere").returncode == 0
    (line,) = invocation.results(run_dir)[0]
    assert line.facts == {"digest": "0123", "medium": "tape-1", "holder": "store"}


def test_a_batch_ended_at_its_limit_keeps_the_lines_it_has_and_leaves_no_process(hosts: ManagedHosts) -> None:
    hosts.fault(2, "hang")
    run_dir = hosts.ask(hosts.request(1, "restore"), hosts.request(2, "restore"), limit_s=5)
    assert start(run_dir).returncode == 0
    lines = {line.action: line for line in invocation.results(run_dir)[0]}
    assert lines["host-1/restore/1"].outcome == "ok"
    assert lines["host-2/restore/1"].outcome == "lost"
    assert processes.carriers(invocation.read(run_dir).invocation) == []


def test_a_disk_that_takes_no_line_is_never_called_a_success(hosts: ManagedHosts) -> None:
    request = hosts.request(1, "restore")
    run_dir = hosts.ask(request)
    handler = signal.getsignal(signal.SIGTERM)
    batch = runner.Batch(run_dir, invocation.read(run_dir))
    os.dup2(os.open("/dev/full", os.O_WRONLY), batch.results._file)
    runner._play(batch, (request,))
    assert isinstance(batch.broken, OSError)
    assert runner._close(batch, 0, NeverBegun()) == 1
    assert invocation.condition(run_dir) != "finished"
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_host_another_run_still_holds_is_left_alone(hosts: ManagedHosts) -> None:
    other = invocation.HostLocks(hosts.runs)
    assert other.take("host-1", "host")
    run_dir = hosts.ask(hosts.request(1, "restore"))
    assert start(run_dir).returncode == 0
    (line,) = invocation.results(run_dir)[0]
    assert (line.outcome, line.facts) == ("failed", {"busy": True})
    assert hosts.log(1) == []


def test_a_host_is_given_back_when_its_line_is_on_disk(hosts: ManagedHosts) -> None:
    run_dir = hosts.ask(hosts.request(1, "restore"), hosts.request(2, "restore"))
    batch = runner.Batch(run_dir, invocation.read(run_dir))
    batch.take_locks()
    batch.write(Outcome("host-1/restore/1", "ok"))
    other = invocation.HostLocks(hosts.runs)
    assert other.take("host-1", "host")
    assert not other.take("host-2", "host")


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        ("- ansible.builtin.meta: noop", "ended without saying how it went"),
        ("- {name: relance marker, ansible.builtin.debug: {msg: done}}", "does not speak of this action"),
        ("- no.such.module:", "ended without saying how it went"),
    ],
)
def test_a_playbook_without_a_true_marker_never_counts_as_done(
    hosts: ManagedHosts, tmp_path: Path, tasks: str, sentence: str
) -> None:
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "restore.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n    {tasks}\n")
    run_dir = hosts.ask(hosts.request(1, "restore"), playbooks=str(playbooks))
    assert start(run_dir).returncode == 0
    (line,) = invocation.results(run_dir)[0]
    assert line.outcome == "failed"
    assert sentence in line.sentence


def test_ansibles_workers_are_ended_although_their_group_was_killed_without_them(hosts: ManagedHosts) -> None:
    hosts.fault(1, "hang")
    run_dir = hosts.ask(hosts.request(1, "restore"))
    name = invocation.read(run_dir).invocation
    process = subprocess.Popen([sys.executable, "-m", "orchestrator.workers.runner", str(run_dir)])
    wait_until((hosts.base / hosts.addresses[0] / "hung").exists)
    os.killpg(os.getpgid(playbook_of(name)), signal.SIGKILL)
    process.kill()
    process.wait()
    assert processes.carriers(name), "a worker that set up a session of its own should have survived its group"
    assert start(run_dir, "--settle").returncode == 0
    assert processes.carriers(name) == []
    (line,) = invocation.results(run_dir)[0]
    assert line.outcome == "lost"


def playbook_of(name: str) -> int:
    """The first ansible-playbook of the invocation."""
    for pid in sorted(processes.carriers(name)):
        if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("no ansible-playbook runs")


@pytest.mark.parametrize("message", [None, "text", {}, {"action": "other/restore/1", "outcome": "ok"}])
def test_a_marker_that_does_not_name_the_action_is_a_failure(message: object) -> None:
    assert runner.from_marker(LAB, message).outcome == "failed"


@pytest.mark.parametrize("output", ["", "no json", "[1]", '{"at":1.5}', "{", '{"a":1}\nnoise'])
def test_output_that_is_not_facts_is_no_facts(output: str) -> None:
    assert runner.last_object(output) == {}


def test_the_facts_are_the_last_line_of_the_output() -> None:
    assert runner.last_object('warning: something\n{"digest":"ab"}\r\n') == {"digest": "ab"}


@pytest.mark.parametrize(
    "said",
    [
        "client_loop: send disconnect: Broken pipe",
        "Read from remote host 10.0.1.1: Connection timed out",
        "Timeout, server 10.0.1.1 not responding.",
        "Connection to 10.0.1.1 closed by remote host.",
    ],
)
def test_a_connection_that_may_have_carried_the_command_is_not_called_unreachable(said: str) -> None:
    assert runner.from_unreachable(LAB, said) is None
    assert runner.from_unreachable(replace(LAB, step="isolate"), said) is not None


@pytest.mark.parametrize(
    "said",
    [
        "ssh: connect to host 10.0.1.1 port 22: Connection timed out",
        "Connection timed out during banner exchange",
        "kex_exchange_identification: read: Connection reset by peer",
    ],
)
def test_a_connection_that_never_stood_is_unreachable(said: str) -> None:
    outcome = runner.from_unreachable(LAB, said)
    assert outcome is not None
    assert outcome.outcome == "unreachable"


def test_a_runner_begins_again_from_a_scrubbed_environment_when_started_by_hand(hosts: ManagedHosts) -> None:
    run_dir = hosts.ask(hosts.request(1, "preserve"))
    assert ansible_files.environment("x").keys() < os.environ.keys() | {processes.VARIABLE, "LANG"}
    assert start(run_dir, SECRET=PLANTED).returncode == 0
    assert PLANTED not in (run_dir / "ansible" / "env" / "envvars").read_text()
