"""`relance run` as a process of its own: held twice, interrupted, on a full or read-only disk, on a damaged journal."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.decision import codec
from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Dispatched, Finished, Reading
from orchestrator.engine.process import Beginning, open_engine
from orchestrator.interfaces.auditing import audit
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.practice import fleet_launch
from orchestrator.practice.fleet_file import Fault, load
from orchestrator.practice.rehearsal import PEOPLE
from orchestrator.practice.signing import Line, NotAnswering, People
from orchestrator.workers import invocation
from tests.damage import change, flip, mounted
from tests.drill_ground import RELANCE, ground, shallow_estate, wait_until
from tests.state_secrets import place_secrets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Run:
    """One `relance run`."""

    def __init__(self, estate: Path, state: Path) -> None:
        self.state = state
        place_secrets(state)
        words = [*RELANCE, "--estate", str(estate), "--state", str(state), "run", "--port", "0"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def live(self) -> Run:
        """Waits until it answers."""
        wait_until(self.answers)
        return self

    def answers(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        with suppress(NotAnswering):
            return bool(Line(self.state).get("head"))
        return False

    def interrupt(self) -> str:
        """Ctrl-C; what it says then."""
        self.process.send_signal(signal.SIGINT)
        code, out, _ = self.end()
        assert code == 0
        return out

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=120)
        assert "Traceback" not in err
        return self.process.returncode, out, err


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Runs that are ended whatever happens."""
    started: list[Run] = []
    yield started
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def sign_genesis(root: Path, state: Path) -> None:
    """Two persons sign the roster through the socket."""
    people = People(state, root / "keys", PEOPLE, SystemClock())
    people.look()
    plan = json.loads((root / "people.json").read_bytes())
    people.order("genesis", "roster", ("operator-1", "it-director"), plan["genesis"])


def entries(state: Path) -> list[Any]:
    with Journal.open(state / "journal.sqlite", read_only=True) as journal:
        return [codec.decode(record.kind, record.body) for record in journal.records()]


def head_of(state: Path) -> tuple[int, bytes]:
    with Journal.open(state / "journal.sqlite", read_only=True) as journal:
        return journal.head.size, journal.head.root


def test_a_second_run_says_who_holds_the_state_and_the_first_is_unharmed(tmp_path: Path, runs: list[Run]) -> None:
    estate = shallow_estate(tmp_path)
    runs.append(Run(estate, tmp_path / "state").live())
    before = head_of(tmp_path / "state")
    runs.append(Run(estate, tmp_path / "state"))
    code, _, said = runs[1].end()
    assert code == 7
    assert f"held by process {runs[0].process.pid}" in said
    assert runs[0].answers()
    assert head_of(tmp_path / "state") == before
    assert runs[0].interrupt() == "Stopped; nothing goes on.\n"


def test_ctrl_c_leaves_the_runners_to_their_work_and_the_next_run_adopts_them(tmp_path: Path, runs: list[Run]) -> None:
    with ground(tmp_path) as root:
        state = root / "state"
        runs.append(Run(root / "estate", state).live())
        sign_genesis(root, state)

        def started() -> list[Path]:
            return [path.parent for path in state.glob("runs/*/start") if not (path.parent / "done").exists()]

        found: list[Path] = []
        wait_until(lambda: found.extend(started()) or found)
        (run_dir,) = found
        said = runs[0].interrupt()
        assert said == "Stopped; left running, for the next start to adopt: 1.\n"
        wait_until(lambda: invocation.condition(run_dir) == "finished")
        assert not any(isinstance(one, Finished) for one in entries(state)), "nobody heard it yet"
        runs.append(Run(root / "estate", state).live())
        actions = {request.action for request in invocation.read(run_dir).requests}
        wait_until(lambda: actions <= {one.action for one in entries(state) if isinstance(one, Finished)})
        runs[1].interrupt()
        dispatched = [action for one in entries(state) if isinstance(one, Dispatched) for action in one.actions]
        assert sorted(actions) == sorted(action for action in dispatched if action.split("/")[1] == "isolate")
        assert {one.outcome for one in entries(state) if isinstance(one, Finished)} == {"ok"}


def test_ctrl_c_waits_for_no_inspection_that_hangs_and_the_next_run_makes_it_again(
    tmp_path: Path, runs: list[Run]
) -> None:
    with ground(tmp_path) as root:
        state = root / "state"
        mute(root / "fleet")
        runs.append(Run(root / "estate", state).live())
        sign_genesis(root, state)
        people = People(state, root / "keys", PEOPLE, SystemClock())
        people.look()
        t0_us = json.loads((root / "people.json").read_bytes())["t0_us"]
        people.order("fact.t0", "t0", ("analyst-1", "it-director"), {"at_us": t0_us})
        people.order("wave.launch", "foundations", ("operator-1",), {})
        wait_until(lambda: issued(state, "inspect"))
        begun_s = time.monotonic()
        said = runs[0].interrupt()
        assert time.monotonic() - begun_s < 7, "a host that says nothing is waited for ten seconds"
        assert re.search(r"inspections broken off, which the next start makes again: [1-9]", said)
        first = issued(state, "inspect")[0]
        runs.append(Run(root / "estate", state).live())
        wait_until(lambda: first.replace("/1", "/2") in issued(state, "inspect"))
        runs[1].interrupt()


def mute(fleet: Path) -> None:
    """From now on every host accepts logins and says nothing."""
    fleet_launch.stop(fleet)
    file = load(fleet)
    silent = (Fault(kind="hang", where="host"),)
    hosts = tuple(host.model_copy(update={"faults": silent}) for host in file.hosts)
    file.model_copy(update={"hosts": hosts}).save(fleet)
    fleet_launch.launch(fleet)


def issued(state: Path, step: str) -> list[str]:
    return [one.action for one in entries(state) if isinstance(one, Issue) and one.step == step]


def test_a_disk_that_fills_up_ends_the_run_with_a_sentence_and_it_goes_on_once_there_is_room(
    tmp_path: Path, runs: list[Run]
) -> None:
    with mounted(tmp_path / "disk", 2000) as disk, ground(tmp_path) as root:
        if disk is None:
            pytest.skip("this user cannot mount a small disk")
        fleet_launch.stop(root / "fleet")  # no gate answers: isolating is tried again and again
        state = disk / "state"
        shutil.copytree(root / "state", state)
        runs.append(Run(root / "estate", state).live())
        sign_genesis(root, state)
        wait_until(lambda: any(isinstance(one, Finished) for one in entries(state)))
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))
        code, _, said = runs[0].end()
        assert code == 7
        assert re.search("no room left|No space left", said), said
        (disk / "filler").unlink()
        size, root_then = head_of(state)
        runs.append(Run(root / "estate", state).live())
        wait_until(lambda: head_of(state)[0] > size + 2)
        runs[1].interrupt()
        with Journal.open(state / "journal.sqlite", read_only=True) as journal:
            assert journal.root_at(size) == root_then, "nothing that was committed is lost"
        assert audit(state)["violations"] == []


def test_a_state_that_turns_read_only_ends_the_run_with_a_sentence_and_it_goes_on_once_it_is_writable(
    tmp_path: Path, runs: list[Run]
) -> None:
    with ground(tmp_path) as root:
        fleet_launch.stop(root / "fleet")
        state = root / "state"
        runs.append(Run(root / "estate", state).live())
        sign_genesis(root, state)
        over = subprocess.run(["mount", "--bind", state, state], capture_output=True, check=False)
        if over.returncode:
            pytest.skip("this user cannot mount")
        try:
            # Busy while somebody writes through the new mount at this very moment.
            remount = ["mount", "-o", "remount,bind,ro", str(state)]
            wait_until(lambda: subprocess.run(remount, capture_output=True, check=False).returncode == 0)
            code, _, said = runs[0].end()
            assert code == 7
            assert "ead-only" in said
            runs.append(Run(root / "estate", state))
            code, _, said = runs[1].end()
            assert code == 7
            assert "read-only" in said
        finally:
            subprocess.run(["umount", "--lazy", state], check=True)
        size, _ = head_of(state)
        runs.append(Run(root / "estate", state).live())
        wait_until(lambda: head_of(state)[0] > size)
        runs[2].interrupt()
        assert audit(state)["violations"] == []


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An estate and the state of an incident of some forty records."""
    folder = tmp_path_factory.mktemp("past")
    estate = shallow_estate(folder)
    live = open_engine(folder / "state", Beginning(estate, usable(estate)))
    for number in range(40):
        live.engine.submit(Reading("service:lis", ("PASS", "FAIL")[number % 2], f"reading {number}"))
    live.close()
    return folder


@pytest.fixture
def damaged(past: Path, tmp_path: Path) -> Path:
    shutil.copytree(past, tmp_path / "past")
    place_secrets(tmp_path / "past" / "state")
    return tmp_path / "past"


def both_say(folder: Path) -> list[str]:
    """What `audit` and `run` say of a state they must not go on with."""
    said = []
    for words in (("audit",), ("run", "--port", "0")):
        command = [*RELANCE, "--estate", str(folder / "small"), "--state", str(folder / "state"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 7, done.stderr
        assert "Traceback" not in done.stderr
        said.append(done.stderr)
    return said


def test_a_flipped_bit_is_named_by_audit_and_by_run(damaged: Path) -> None:
    journal = damaged / "state" / "journal.sqlite"
    place = journal.read_bytes().index(b"reading 17")
    record = next(
        n for n, one in enumerate(entries(damaged / "state"), 1) if getattr(one, "sentence", "") == "reading 17"
    )
    flip(journal, place + 4)
    for said in both_say(damaged):
        assert f"Record {record} of the journal" in said
        assert "do not match its hash" in said


def test_a_missing_record_is_named_by_audit_and_by_run(damaged: Path) -> None:
    change(damaged / "state" / "journal.sqlite", "DELETE FROM journal WHERE seq = 9")
    for said in both_say(damaged):
        assert "Record 9 of the journal" in said


def test_records_cut_off_at_the_end_are_missed_by_audit_and_by_run(damaged: Path) -> None:
    size, _ = head_of(damaged / "state")
    change(damaged / "state" / "journal.sqlite", "DELETE FROM journal WHERE seq > ?", size - 3)
    for said in both_say(damaged):
        assert str(size - 3) in said


def test_a_truncated_file_is_no_journal_to_go_on_with(damaged: Path) -> None:
    journal = damaged / "state" / "journal.sqlite"
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])
    for said in both_say(damaged):
        assert "damaged" in said
        assert "last backup" in said
