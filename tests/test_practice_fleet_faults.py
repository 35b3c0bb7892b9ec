"""Each fault of a practice host, seen by real clients as what it is, and gone with the machine that had it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from orchestrator.practice.fleet_disk import public_line
from orchestrator.practice.fleet_file import PRESETS, Fault
from orchestrator.practice.ransomware import MARKER
from tests.practice_ground import Ground, dial, running, small_fleet, wait_until

FAULTS = {
    "h0": ("refuse",),
    "h1": ("hang",),
    "h2": ("slow",),
    "h3": ("drop",),
    "h4": ("wrong-key",),
    "h5": ("fails-once",),
    "h6": ("fails-always",),
    "h7": ("still-infected", "silent-service"),
}
CONNECTION = {
    "h8": tuple(Fault(kind=kind, where="host", times=1) for kind in ("refuse", "hang", "slow", "drop")),
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    faults = {host: tuple(PRESETS[name] for name in names) for host, names in FAULTS.items()} | CONNECTION
    with running(tmp_path_factory.mktemp("faults") / "fleet", small_fleet(faults, count=9)) as ground:
        yield ground


def restore(ground: Ground, host: str, action: str, strategy: str = "restore") -> subprocess.CompletedProcess[str]:
    return ground.ssh(ground.hosts[host].management, f"relance-manage restore {action} {strategy}")


def test_a_management_path_that_refuses_twice_answers_the_third_time(ground: Ground) -> None:
    tries = [ground.ssh(ground.hosts["h0"].management, "relance-manage mark read") for _ in range(3)]
    assert [done.returncode for done in tries] == [255, 255, 0]
    assert "Connection reset" in tries[0].stderr
    assert ground.log("h0")[1:] == ["fault - refuse management"] * 2


def test_a_restore_that_hangs_ends_when_its_caller_goes_and_leaves_the_disk_empty(ground: Ground) -> None:
    words = ground.ssh_words(ground.hosts["h1"].management, "relance-manage restore h1/restore/1 restore")
    with subprocess.Popen(words, stderr=subprocess.PIPE) as client:
        wait_until(lambda: "run h1/restore/1 restore:restore" in ground.log("h1"))
        with pytest.raises(subprocess.TimeoutExpired):
            client.wait(1)
        client.kill()
    wait_until(lambda: ground.log("h1")[-1] == "cut h1/restore/1 restore:restore")
    assert ground.get(ground.hosts["h1"].address, "/l2/alive") == 503
    assert restore(ground, "h1", "h1/restore/2").returncode == 0


def test_a_slow_restore_takes_ten_times_as_long_and_ends_well(ground: Ground) -> None:
    assert restore(ground, "h2", "h2/restore/1").returncode == 0
    run, ran = (line.split(" ") for line in ground.folders.log("h2").read_text().splitlines()[-2:])
    assert int(ran[2]) - int(run[2]) >= 500_000


def test_a_connection_dropped_in_the_middle_leaves_the_restore_half_done(ground: Ground) -> None:
    script = "relance-manage mark begin h3/restore/1; relance-manage restore h3/restore/1 restore || status=failed"
    script += "; relance-manage mark end h3/restore/1 ${status:-ok}"
    assert ground.ssh(ground.hosts["h3"].management, script).returncode == 255
    wait_until(lambda: ground.log("h3")[-1] == "cut h3/restore/1 restore:restore")
    assert not ground.folders.disk("h3").joinpath("data").exists()
    mark = ground.manage("h3", "mark read")
    assert (mark["state"], mark["running"]) == ("begun", False)
    assert restore(ground, "h3", "h3/restore/2").returncode == 0


def test_a_host_with_another_key_than_its_restore_told_is_not_spoken_to_until_it_is_replaced(ground: Ground) -> None:
    said = ground.restore("h4", "h4/restore/1")
    assert "Host key verification failed" in ground.ssh(ground.hosts["h4"].address, "true", said["host_key"]).stderr
    said = ground.restore("h4", "h4/restore/2", "replace")
    assert ground.ssh(ground.hosts["h4"].address, "true", said["host_key"]).returncode == 0


def test_a_restore_that_fails_once_says_why_and_works_the_second_time(ground: Ground) -> None:
    done = restore(ground, "h5", "h5/restore/1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "fails its checksum" in done.stderr
    assert restore(ground, "h5", "h5/restore/2").returncode == 0


def test_a_restore_that_always_fails_gives_in_to_a_replacement_only(ground: Ground) -> None:
    tries = [restore(ground, "h6", f"h6/restore/{n}", how) for n, how in enumerate(("restore", "restore", "reimage"))]
    assert [done.returncode for done in tries] == [1, 1, 1]
    assert restore(ground, "h6", "h6/restore/4", "replace").returncode == 0
    assert ground.get(ground.hosts["h6"].address, "/l2/alive") == 200


def test_a_host_infected_after_its_restore_carries_the_marker_and_its_service_says_nothing(ground: Ground) -> None:
    said = ground.restore("h7", "h7/restore/1")
    assert ground.ssh(ground.hosts["h7"].address, f"cat {MARKER}", said["host_key"]).stdout.endswith("implant h7\n")
    assert ground.get(ground.hosts["h7"].address, "/l2/alive") == 0
    said = ground.restore("h7", "h7/restore/2", "replace")
    assert ground.ssh(ground.hosts["h7"].address, f"cat {MARKER}", said["host_key"]).returncode == 1
    assert ground.get(ground.hosts["h7"].address, "/l2/alive") == 200


def test_a_host_refuses_then_hangs_then_is_slow_then_drops_and_then_is_well(ground: Ground) -> None:
    address, pin = ground.hosts["h8"].address, public_line(ground.folders.key("host", "h8"))
    assert "Connection reset" in ground.ssh(address, "true", pin).stderr
    with dial(address, ground.fleet.ssh_port, "127.0.0.1") as client:
        client.sendall(b"SSH-2.0-anybody\r\n")
        with pytest.raises(TimeoutError):
            client.recv(1)
    began_s = time.monotonic()
    assert ground.ssh(address, "true", pin).returncode == 0
    assert time.monotonic() - began_s >= 2
    assert ground.ssh(address, "echo in; sleep 20", pin).returncode == 255
    assert ground.ssh(address, "true", pin).returncode == 0
    faults = [line for line in ground.log("h8") if line.startswith("fault")]
    assert faults == [f"fault - {kind} host" for kind in ("refuse", "hang", "slow", "drop")]


def test_who_only_knocks_is_worth_no_sshd_and_uses_no_fault_up(ground: Ground) -> None:
    # Found by a drill: each sweep from outside started an sshd per host, and the fleet drowned.
    address, pin = ground.hosts["h8"].address, public_line(ground.folders.key("host", "h8"))
    before = ground.log("h8")
    for _ in range(3):
        dial(address, ground.fleet.ssh_port, "127.0.0.1").close()
    assert ground.ssh(address, "true", pin).returncode == 0
    assert ground.log("h8") == before
