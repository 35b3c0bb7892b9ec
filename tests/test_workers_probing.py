"""Many questions are asked at once, none holds another up, and the outside sweep tells silence from an answer."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.checks.model import AT_ONCE, PARAMETERS, ProbeName, Reference
from orchestrator.errors import Unusable
from orchestrator.probes.base import Answer, Probe, Question, passed
from orchestrator.workers.probing import Prober, own_probes, revealed, sweep
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import hangs_up, peer, stays_silent

ROOT = Path(__file__).parents[1]
PROBER = "127.0.0.99"


class Broken:
    """A probe with a fault of its own."""

    def ask(self, question: Question) -> Answer:
        raise RuntimeError("fell over")


def answers(prober: Prober, count: int) -> dict[str, Answer]:
    found: dict[str, Answer] = {}

    def all_here() -> bool:
        found.update(prober.poll())
        return len(found) >= count

    wait_until(all_here)
    return found


@pytest.fixture
def prober() -> Iterator[Prober]:
    started = Prober()
    yield started
    started.close()


@contextmanager
def full_listener() -> Iterator[tuple[str, int]]:
    """A port that drops new dials without a word, as a closed switch port does: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        target = ("127.0.0.1", int(listener.getsockname()[1]))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(target)
        yield target


def test_the_probes_of_this_version_are_those_content_may_name() -> None:
    assert set(own_probes()) == set(get_args(ProbeName))


def test_a_hundred_questions_are_answered(prober: Prober) -> None:
    with peer(hangs_up) as port:
        for number in range(100):
            assert prober.submit(f"host-{number}", "tcp", Question("127.0.0.1", port))
        assert {answer.outcome for answer in answers(prober, 100).values()} == {"PASS"}


def test_a_silent_peer_holds_no_other_question_up(prober: Prober) -> None:
    with peer(stays_silent) as silent, peer(hangs_up) as port:
        prober.submit("silent", "tcp", Question("127.0.0.1", silent, timeout_s=3, params={"speaks": True}))
        prober.submit("quick", "tcp", Question("127.0.0.1", port))
        assert set(answers(prober, 1)) == {"quick"}
        assert answers(prober, 1)["silent"].outcome == "FAIL"


def test_a_subject_is_asked_once_at_a_time_and_again_afterwards(prober: Prober) -> None:
    question = Question("127.0.0.1", free_port())
    with peer(stays_silent) as silent:
        slow = Question("127.0.0.1", silent, timeout_s=0.3, params={"speaks": True})
        assert prober.submit("lab", "tcp", slow)
        assert not prober.submit("lab", "tcp", question)
        answers(prober, 1)
    assert prober.submit("lab", "tcp", question)


def test_a_probe_this_version_lacks_is_unknown(prober: Prober) -> None:
    prober.submit("lab", "telepathy", Question("127.0.0.1", 1))
    assert answers(prober, 1)["lab"].outcome == "UNKNOWN"


def test_a_probe_that_falls_over_answers_unknown() -> None:
    probes: dict[str, Probe] = {"broken": Broken()}
    prober = Prober(probes)
    prober.submit("lab", "broken", Question("127.0.0.1", 1))
    answer = answers(prober, 1)["lab"]
    assert answer.outcome == "UNKNOWN"
    assert "fell over" in answer.sentence
    prober.close()


def test_a_sweep_tells_who_answers_and_whether_the_control_does() -> None:
    with peer(hangs_up) as control, peer(hangs_up, "127.3.0.1") as open_port, full_listener() as silent:
        targets = [("127.3.0.1", open_port), silent]
        swept = sweep(PROBER, targets, ("127.0.0.1", control), timeout_s=0.5)
    assert swept.control
    assert swept.answered == {("127.3.0.1", open_port)}
    assert swept.unasked == frozenset()


def test_a_refusal_is_an_answer_for_the_host_is_reachable() -> None:
    refused = ("127.3.0.2", free_port())
    with peer(hangs_up) as control:
        assert sweep(PROBER, [refused], ("127.0.0.1", control)).answered == {refused}


def test_a_sweep_whose_control_is_silent_proves_nothing_and_says_so() -> None:
    with full_listener() as control:
        swept = sweep(PROBER, [], control, timeout_s=0.3)
    assert not swept.control


def test_a_sweep_from_an_address_that_is_not_ours_asked_nobody() -> None:
    target = ("127.0.0.1", free_port())
    swept = sweep("192.0.2.7", [target], target)
    assert not swept.control
    assert target in swept.unasked


def test_the_sweep_dials_from_the_probers_address() -> None:
    seen: list[str] = []
    with peer(lambda connection: seen.append(connection.getpeername()[0])) as control:
        assert sweep(PROBER, [], ("127.0.0.1", control)).control
        wait_until(lambda: seen)
    assert seen == [PROBER]


def test_every_host_of_the_estate_is_dialled_with_few_files_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    targets = [(f"127.4.{number // 250}.{number % 250 + 1}", 9) for number in range(1700)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with peer(hangs_up) as control:
            swept = sweep(PROBER, targets, ("127.0.0.1", control))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert swept.control
    assert len(swept.answered) == 1700


FEW_PORTS = """
import socket, subprocess
from pathlib import Path
from orchestrator.probes.base import Question
from orchestrator.probes.tcp import TcpProbe
from orchestrator.workers.probing import sweep
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40049")
with socket.create_server(("0.0.0.0", 5000), backlog=1000):
    targets = [(f"127.4.0.{number + 1}", 5000) for number in range(200)]
    for _ in range(2):
        seen = sweep("127.3.0.9", targets[1:], targets[0])
        print(seen.control, len(seen.answered), len(seen.unasked))
    print({TcpProbe().ask(Question(*target, "127.3.0.8")).outcome for target in targets})
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own is made by root alone")
def test_a_hospital_of_more_hosts_than_the_prober_has_free_ports_is_asked_again_and_again() -> None:
    command = ["unshare", "--net", sys.executable, "-c", FEW_PORTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.stdout.splitlines() == ["True 199 0", "True 199 0", "{'PASS'}"], done.stderr


class Talks:
    """A probe whose peer repeats what it was told."""

    def ask(self, question: Question) -> Answer:
        return passed(f"It was told {question.text('word')}.")


def told(folder: Path | None, monkeypatch: pytest.MonkeyPatch, **params: str | int | bool) -> Answer:
    monkeypatch.setitem(PARAMETERS, "talks", {"word": Reference, "plain": str})
    prober = Prober({"talks": Talks()}, secrets=folder)
    prober.submit("lab", "talks", Question("127.0.0.1", 1, params=params))
    answer = answers(prober, 1)["lab"]
    prober.close()
    return answer


def test_a_secret_is_read_when_it_is_asked_for_and_never_kept_in_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lis").touch(mode=0o600)
    (tmp_path / "lis").write_text("correct horse\n")
    assert revealed("file:lis", tmp_path) == "correct horse"
    answer = told(tmp_path, monkeypatch, word="file:lis")
    assert "correct horse" not in f"{answer.sentence}{answer.facts}"
    assert "repeats a secret" in answer.sentence
    assert answer.outcome == "UNKNOWN"


def test_a_secret_of_the_environment_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIS_WORD", "battery")
    assert "battery" not in told(None, monkeypatch, word="env:LIS_WORD").sentence
    monkeypatch.delenv("LIS_WORD")
    assert "has no LIS_WORD" in told(None, monkeypatch, word="env:LIS_WORD").sentence


def test_a_secret_that_is_not_there_or_lies_open_leaves_the_question_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be read" in told(tmp_path, monkeypatch, word="file:lis").sentence
    (tmp_path / "lis").touch(mode=0o644)
    answer = told(tmp_path, monkeypatch, word="file:lis")
    assert answer.outcome == "UNKNOWN"
    assert "reached by others" in answer.sentence
    with pytest.raises(Unusable, match="no folder of secrets"):
        revealed("file:lis", None)


def test_a_parameter_that_is_no_reference_is_handed_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(None, monkeypatch, plain="file:lis").outcome == "PASS"


def test_what_is_being_asked_can_be_cancelled_and_what_waits_is_not_asked_any_more() -> None:
    prober = Prober(threads=1)
    with peer(stays_silent) as silent:
        for name in ("first", "second"):
            prober.submit(name, "dns", Question("127.0.0.1", silent, timeout_s=60, params={"name": "lis", "tcp": True}))
        prober.cancel("second")
        prober.cancel("first")
        prober.cancel("never asked")
        found = answers(prober, 2)
    assert {answer.outcome for answer in found.values()} == {"UNKNOWN"}
    prober.close()


class Slow:
    """A probe that waits to be let go, and counts how many ask each node at once."""

    def __init__(self) -> None:
        self.going_on = threading.Event()
        self.lock = threading.Lock()
        self.entered: Counter[str] = Counter()
        self.most = 0

    def ask(self, question: Question) -> Answer:
        with self.lock:
            self.entered[question.where] += 1
            self.most = max(self.most, self.entered[question.where])
        self.going_on.wait(20)
        with self.lock:
            self.entered[question.where] -= 1
        return passed("It answered.")


def test_a_pacs_is_asked_eight_things_at_once_and_what_waits_for_it_keeps_nobody_else_waiting() -> None:
    slow = Slow()
    prober = Prober({"dicom": slow, "talks": Talks()}, threads=10)
    for number in range(20):
        prober.submit(f"pacs {number}", "dicom", Question("127.0.0.1", 104))
    prober.submit("lis", "talks", Question("127.0.0.1", 104))
    prober.submit("other pacs", "dicom", Question("127.0.0.2", 104))
    wait_until(lambda: slow.entered["127.0.0.1:104"] == AT_ONCE["dicom"] and slow.entered["127.0.0.2:104"] == 1)
    assert answers(prober, 1).keys() == {"lis"}, "ten threads, eight of them at the PACS: another is free"
    slow.going_on.set()
    found = answers(prober, 21)
    assert (len(found), slow.most) == (21, AT_ONCE["dicom"])
    prober.close()
