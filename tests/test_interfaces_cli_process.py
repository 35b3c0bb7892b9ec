"""The live process as a command: it answers, refuses a second one, stops when asked, and goes on where it was."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from orchestrator.client import Client
from orchestrator.clock import SystemClock
from orchestrator.errors import UsageError
from orchestrator.trust import keys
from tests.command_line import Keyboard, Said, typed
from tests.drill_ground import wait_until
from tests.managed_hosts import free_port
from tests.small_estate import SmallEstate
from tests.state_secrets import place_secrets

START_S_MAX = 60


@contextmanager
def running(estate: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`relance run` as a process of its own, once it answers."""
    place_secrets(estate / ".relance")
    command = [
        sys.executable,
        "-m",
        "orchestrator.interfaces.cli",
        "--estate",
        str(estate),
        "run",
        "--port",
        "0",
        *words,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            awaited(estate, process)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def awaited(estate: Path, process: subprocess.Popen[str]) -> None:
    clock = SystemClock()
    for _ in range(START_S_MAX * 10):
        try:
            Client(estate / ".relance").get("healthz")
            return
        except UsageError:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            clock.sleep_s(0.1)
    raise AssertionError("it did not start")


def stopped(process: subprocess.Popen[str], how: signal.Signals) -> Said:
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    return Said(process.returncode, out, err)


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


@pytest.mark.slow
def test_a_process_answers_holds_its_state_alone_and_goes_on_where_it_was(estate: SmallEstate, tmp_path: Path) -> None:
    own_keys(estate, tmp_path, "operator-1")
    where = ("--estate", str(estate.path))
    with running(estate.path) as process:
        other = typed(*where, "run", "--port", "0", cwd=tmp_path)
        assert (other.code, f"process {process.pid}" in other.err) == (7, True)
        made = ("order", "make", "genesis", "roster", "--person", "operator-1", "--key", str(tmp_path / "operator-1"))
        first = typed(*where, "--format", "json", *made, cwd=tmp_path)
        assert first.code == 4, first.err
        order = json.loads(first.out)["error"]["facts"]["order"]
        assert f"to note on paper: {(estate.path / '.relance' / 'anchor').read_text().strip()}" in first.err
        # The second signature would set the isolation of real addresses going: it is not given here.
        ended = stopped(process, signal.SIGINT)
        assert ended.code == 0, ended.err
        assert "no more work is taken" in ended.err
        assert "Stopped" in ended.out
    disk = tmp_path / "disk"
    disk.mkdir()
    with running(estate.path, "--backup", str(disk)) as process:
        wait_until(lambda: [path for path in disk.iterdir() if path.name.endswith("Z")])
        assert [one["order"] for one in Client(estate.path / ".relance").get("orders")] == [order]
        assert stopped(process, signal.SIGTERM).code == 0
    audited = typed(*where, "--format", "json", "audit", cwd=tmp_path)
    assert audited.code == 0, audited.out
    assert json.loads(audited.out)["violations"] == []


def own_keys(estate: SmallEstate, folder: Path, *persons: str) -> None:
    """Gives these persons of the roster keys made here; one of them may sign since 2020 only."""
    path = estate.path / "plans" / "roster.yaml"
    roster = yaml.safe_load(path.read_text())
    for one in roster["persons"]:
        if one["id"] in persons:
            one |= {"key": keys.generate(folder / one["id"]).line, "valid_from": "2020-01-01"}
    path.write_text(yaml.safe_dump(roster))


def test_an_estate_with_errors_everywhere_is_not_run(estate: SmallEstate, capsys: pytest.CaptureFixture[str]) -> None:
    estate.edit("inventory/services.yaml", "function: laboratory", "function: nowhere")
    said = Keyboard(capsys, "--estate", str(estate.path))("run", "--port", "0")
    assert said.code == 1
    assert "nowhere" in said.err
    assert not (estate.path / ".relance").exists()


def test_a_process_without_its_secrets_does_not_start_and_says_which(estate: SmallEstate, tmp_path: Path) -> None:
    where = ("--estate", str(estate.path))
    said = typed(*where, "run", "--port", "0", cwd=tmp_path)
    assert (said.code, "ssh_key is missing" in said.err) == (7, True)
    place_secrets(estate.path / ".relance")
    pins = estate.path / ".relance" / "secrets" / "management_hosts"
    pins.unlink()
    said = typed(*where, "run", "--port", "0", cwd=tmp_path)
    assert (said.code, "management_hosts is missing" in said.err) == (7, True)
    state = tmp_path / "elsewhere"
    place_secrets(state)
    (state / "secrets" / "management_hosts").chmod(0o666)
    said = typed(*where, "--state", str(state), "run", "--port", "0", cwd=tmp_path)
    assert (said.code, "chmod 600" in said.err) == (7, True)
    assert not (estate.path / ".relance" / "journal.sqlite").exists()


def test_check_ins_are_taken_beside_the_live_process_and_at_an_address_of_nobody_they_are_not(
    estate: SmallEstate, tmp_path: Path
) -> None:
    port = free_port()
    with running(estate.path, "--dropbox", f"127.0.0.1:{port}") as process:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        line.request("POST", "/checkin", b"x", {"X-Claim": "none", "X-Proof": "0" * 64})
        answer = line.getresponse()
        assert (answer.status, answer.read()) == (403, b"This is no claim of a check-in.\n")
        assert f"Check-ins are taken at http://127.0.0.1:{port}/checkin." in stopped(process, signal.SIGTERM).err
    said = typed("--estate", str(estate.path), "run", "--port", "0", "--dropbox", "0.0.0.0:1", cwd=tmp_path)
    assert (said.code, "ADDRESS:PORT" in said.err, "Traceback" in said.err) == (2, True, False)


def test_a_port_that_is_taken_leaves_no_process_behind(estate: SmallEstate, tmp_path: Path) -> None:
    with running(estate.path) as process:
        port = listening_port(process.pid)
        other = SmallEstate(tmp_path / "other")
        place_secrets(other.path / ".relance")
        said = typed("--estate", str(other.path), "run", "--port", str(port), cwd=tmp_path)
        assert said.code == 2
        assert "--port" in said.err
    assert "Traceback" not in said.err


def listening_port(pid: int) -> int:
    """The loopback port the process listens on."""
    inodes = set()
    for name in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(name).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return next(int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes)


def test_a_drill_with_a_fault_nobody_knows_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = Keyboard(capsys, "--format", "json")("drill", "--hosts", "12", "--faults", "gremlins")
    assert said.code == 2
    assert "gremlins" in said.document["error"]["sentence"]
    assert list(tmp_path.iterdir()) == []
    assert Keyboard(capsys)("drill", "--resume", str(tmp_path / "nowhere")).code == 2
