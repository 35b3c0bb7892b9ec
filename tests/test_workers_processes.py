"""Nothing an invocation started outlives it, whatever it does to escape; and nobody else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from orchestrator.workers import processes
from tests.managed_hosts import wait_until

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
FAMILY = "(setsid sleep 60 & sleep 60 & wait) & (sleep 60)"
BREEDING = "while :; do sleep 60 & done"


@pytest.fixture
def invocation() -> Iterator[str]:
    name = f"test-{uuid.uuid4()}"
    yield name
    processes.end_all(name)


def start(invocation: str, *command: str) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"], processes.VARIABLE: invocation}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


def test_every_process_of_an_invocation_ends_also_one_in_a_session_of_its_own(invocation: str) -> None:
    start(invocation, "sh", "-c", FAMILY)
    wait_until(lambda: len(processes.carriers(invocation)) >= 5)
    assert processes.end_all(invocation) == []
    assert processes.carriers(invocation) == []


def test_a_process_that_ignores_the_polite_signal_is_killed(invocation: str) -> None:
    stubborn = start(invocation, sys.executable, "-c", STUBBORN)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    assert processes.end_all(invocation) == []
    assert stubborn.wait(10) == -signal.SIGKILL


def test_a_process_that_keeps_forking_is_ended_too(invocation: str) -> None:
    limited = f"ulimit -u 4000 2>/dev/null; {BREEDING.replace('done', 'sleep 0.01; done')}"
    start(invocation, "sh", "-c", limited)
    wait_until(lambda: len(processes.carriers(invocation)) >= 3)
    assert processes.end_all(invocation) == []


def test_another_invocation_with_a_longer_name_is_left_alone(invocation: str) -> None:
    other = start(invocation + "0", "sleep", "60")
    start(invocation, "sleep", "60")
    wait_until(lambda: processes.carriers(invocation) and processes.carriers(invocation + "0"))
    assert processes.end_all(invocation) == []
    assert other.poll() is None
    assert processes.end_all(invocation + "0") == []


def test_the_process_that_ends_the_others_can_spare_itself(invocation: str) -> None:
    spared = start(invocation, "sleep", "60")
    ended = start(invocation, "sleep", "60")
    wait_until(lambda: len(processes.carriers(invocation)) == 2)
    assert processes.end_all(invocation, spare=(spared.pid,)) == []
    ended.wait(10)
    assert processes.carriers(invocation) == [spared.pid]


def test_what_cannot_be_ended_in_time_is_named(invocation: str) -> None:
    stubborn = start(invocation, sys.executable, "-c", STUBBORN)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    assert processes.end_all(invocation, limit_s=0.0) == [stubborn.pid]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
def test_a_process_of_another_user_is_not_touched(invocation: str) -> None:
    environment = {"PATH": os.environ["PATH"], processes.VARIABLE: invocation}
    foreign = subprocess.Popen(["sleep", "60"], env=environment, user="nobody")
    try:
        assert processes.end_all(invocation) == []
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_an_orphan_becomes_the_child_of_the_runner_and_is_collected(invocation: str) -> None:
    script = (
        "import os, subprocess\n"
        "from orchestrator.workers import processes\n"
        "processes.become_subreaper()\n"
        "subprocess.run(['sh', '-c', 'setsid sleep 0.2 &'], check=True)\n"
        "children = open(f'/proc/self/task/{os.getpid()}/children').read().split()\n"
        "print(len(children), os.waitpid(int(children[0]), 0)[0] == int(children[0]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True"]
