"""The practice fleet as its clients see it: real ssh, real sockets, a fleet process of its own."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.practice import fleet, fleet_account, fleet_launch
from orchestrator.practice.fleet_disk import public_line
from orchestrator.practice.ransomware import MARKER, NOTE, strike
from orchestrator.workers.connection import Mistrusted, Peer, ask, load_key
from tests.practice_ground import CONTROL, GATE, OUTSIDE, PROBER, Ground, dial, running, small_fleet, wait_until


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with running(tmp_path_factory.mktemp("practice") / "fleet", small_fleet(count=4)) as ground:
        strike(ground.root, ground.fleet)
        yield ground


def test_a_struck_host_comes_back_through_its_management_path_with_its_files_and_a_new_identity(ground: Ground) -> None:
    h0 = ground.hosts["h0"]
    before = public_line(ground.folders.key("host", "h0"))
    assert "records.csv.locked" in ground.ssh(h0.address, "ls data", before).stdout
    said = ground.restore("h0")
    assert said["restore_point_us"] == 5
    assert said["host_key"] != before
    seen = ground.ssh(h0.address, "ls -A . data; head -1 data/records.csv", said["host_key"])
    assert "number,ward,value" in seen.stdout
    assert NOTE not in seen.stdout
    assert "Host key verification failed" in ground.ssh(h0.address, "true", before).stderr
    assert ground.log("h0")[1:] == [
        "begin h0/restore/1 -",
        "run h0/restore/1 restore:restore",
        "ran h0/restore/1 restore:restore ok",
        "end h0/restore/1 ok",
    ]


def test_what_an_action_said_can_be_read_again_with_its_mark(ground: Ground) -> None:
    ground.manage("h2", "mark begin h2/preserve/1")
    kept = ground.manage("h2", "preserve h2/preserve/1")
    ground.manage("h2", "mark end h2/preserve/1 ok")
    mark = ground.manage("h2", "mark read")
    assert mark == {"action": "h2/preserve/1", "state": "ended", "outcome": "ok", "running": False, "facts": kept}
    assert ground.folders.evidence(kept["digest"]).exists()


def test_an_analyst_inspects_over_ssh_inside_the_hosts_own_folder_and_finds_the_marker(ground: Ground) -> None:
    h3 = ground.hosts["h3"]
    pin = public_line(ground.folders.key("host", "h3"))
    peer = Peer(h3.address, ground.fleet.ssh_port, ground.ready.user, pin)
    key = load_key(ground.root / "client")
    reply = ask(peer, key, "find . -type f | sort; cat ./etc/passwd.locked >/dev/null && id -un; exit 3")
    assert reply.status == 3
    assert f"./{MARKER}" in reply.output.decode()
    assert reply.output.decode().splitlines()[-1] == ground.ready.user
    other = Peer(h3.address, ground.fleet.ssh_port, ground.ready.user, public_line(ground.folders.key("gate", "north")))
    with pytest.raises(Mistrusted):
        ask(other, key, "true")


@pytest.mark.skipif(os.geteuid() != 0, reason="without root, logins are the caller")
def test_a_login_can_write_neither_the_logs_nor_the_keys_of_the_fleet(ground: Ground) -> None:
    pin = public_line(ground.folders.key("host", "h3"))
    root = ground.root
    for path in (root / "logs/h3.log", root / "keys/host/h3", root / "gates/north.log", "../../../logs/h3.log"):
        assert ground.ssh(ground.hosts["h3"].address, f"echo x >> {path}", pin).returncode != 0
    assert stat.S_IMODE((root / "keys/host").stat().st_mode) == 0o700


def test_production_gets_no_answer_from_an_isolated_host_and_one_after_its_reconnect(ground: Ground) -> None:
    ground.gate("reconnect h1/reconnect/0 h1")
    assert ground.answers("h1", PROBER)
    assert ground.gate("isolate-site north/isolate/1 north") == {"site": "north", "state": "isolated"}
    assert [ground.answers(host, PROBER) for host in ("h0", "h1", "h2")] == [False] * 3
    assert ground.answers("h1", "127.0.0.1")
    assert ground.get(CONTROL, "/", PROBER) == 200
    assert ground.gate("reconnect h1/reconnect/1 h1") == {"host": "h1", "state": "open"}
    assert [ground.answers(host, PROBER) for host in ("h0", "h1", "h2")] == [False, True, False]
    assert ground.gate("isolate h1/isolate/1 h1") == ground.gate("isolate h1/isolate/1 h1")
    assert not ground.answers("h1", PROBER)
    log = ground.folders.gate_log("north").read_text().splitlines()
    words = [(line.split(" ")[0], line.split(" ")[1], line.split(" ")[3]) for line in log[-3:]]
    assert words[0] == ("reconnect", "h1/reconnect/1", "h1")
    assert words[1] == words[2] == ("isolate", "h1/isolate/1", "h1")


def test_a_connection_from_production_falls_when_the_gate_closes(ground: Ground) -> None:
    ground.gate("reconnect h2/reconnect/1 h2")
    words = ground.ssh_words(
        ground.hosts["h2"].address, "echo in; sleep 30", public_line(ground.folders.key("host", "h2"))
    )
    with subprocess.Popen(
        [*words[:1], "-b", PROBER, *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"in\n"
        ground.gate("isolate h2/isolate/1 h2")
        assert client.wait(10) == 255


def test_a_service_answers_only_where_its_host_is_restored(ground: Ground) -> None:
    ground.restore("h1")
    assert ground.get(ground.hosts["h1"].address, "/l2/alive") == 200
    assert ground.get(ground.hosts["h1"].address, "/l2/unknown") == 404
    assert ground.get(ground.hosts["h3"].address, "/l2/alive") == 503
    assert ground.get(OUTSIDE, "/l2/vendor-up", PROBER) == 200


def test_commands_nobody_defined_are_explained_and_change_nothing(ground: Ground) -> None:
    before = ground.log("h3")
    for command, status in (("restore x", 2), ("restore x melt", 2), ("mark end x ok", 9), ("mark begin 'a;b'", 2)):
        done = ground.ssh(ground.hosts["h3"].management, f"relance-manage {command}")
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr.rstrip().endswith(".")
    assert ground.ssh(GATE, "relance-gate isolate a elsewhere").returncode == 2
    assert ground.ssh(GATE, "relance-manage mark read").returncode == 127
    assert ground.log("h3") == before


def test_a_second_fleet_on_the_same_folder_says_who_holds_it(ground: Ground) -> None:
    assert fleet_launch.launch(ground.root) == ground.ready
    with pytest.raises(Unusable, match=f"process {ground.ready.pid}"), fleet.held(ground.root):
        pass


def test_a_fleet_killed_in_the_middle_of_a_restore_goes_on_with_its_hosts_as_they_were(tmp_path: Path) -> None:
    with running(tmp_path / "fleet", small_fleet(restore_ms=(3000, 3000))) as ground:
        ground.gate("isolate h1/isolate/1 h1")
        ground.manage("h0", "mark begin h0/restore/1")
        words = ground.ssh_words(ground.hosts["h0"].management, "relance-manage restore h0/restore/1 restore")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            wait_until(lambda: "run h0/restore/1 restore:restore" in ground.log("h0"))
            assert ground.manage("h0", "mark read")["running"]
            ground.kill()
            assert client.wait(10) != 0
        ground.start()
        mark = ground.manage("h0", "mark read")
        assert (mark["action"], mark["state"], mark["running"]) == ("h0/restore/1", "begun", False)
        assert ground.log("h0")[-1] == "cut h0/restore/1 restore:restore"
        assert ground.get(ground.hosts["h0"].address, "/l2/alive") == 503
        assert [ground.answers(host, PROBER) for host in ("h0", "h1", "h2")] == [True, False, True]
        refused = ground.ssh(ground.hosts["h0"].management, "relance-manage mark begin h0/restore/2")
        assert refused.returncode == 9
        ground.manage("h0", "mark begin h0/restore/2 h0/restore/1")


def test_a_fleet_that_ends_leaves_no_process_no_user_and_no_ready_word(tmp_path: Path) -> None:
    with running(tmp_path / "fleet", small_fleet(restore_ms=(60000, 60000))) as ground:
        words = ground.ssh_words(ground.hosts["h0"].management, "relance-manage restore h0/restore/1 restore")
        pin = public_line(ground.folders.key("host", "h1"))
        login = ground.ssh_words(ground.hosts["h1"].address, "sleep 60", pin)
        with (
            subprocess.Popen(words, stderr=subprocess.PIPE) as restore,
            subprocess.Popen(login, stderr=subprocess.PIPE) as one,
        ):
            wait_until(lambda: "run h0/restore/1 restore:restore" in ground.log("h0"))
            wait_until(lambda: any("sleep" in line for line in ground.left_running()))
            fleet_launch.stop(ground.root)
            assert restore.wait(10) != 0
            assert one.wait(10) != 0
        assert ground.left_running() == []
        assert not (ground.root / "ready.json").exists()
        assert not (ground.root / "fleet.pid").exists()
        assert ground.log("h0")[-1] == "cut h0/restore/1 restore:restore"


@pytest.mark.skipif(os.geteuid() != 0, reason="the user is made by root alone")
def test_the_practice_user_stays_while_any_fleet_runs_and_goes_with_the_last(tmp_path: Path) -> None:
    own = fleet_account.claim()
    with running(tmp_path / "fleet", small_fleet()) as ground:
        assert ground.ready.user == own.name == fleet_account.USER
        assert pwd.getpwnam(own.name).pw_shell == "/bin/dash"
        fleet_account.release(own)
        assert fleet_account.exists()


def test_a_fleet_without_an_engine_ends_itself_and_with_one_stays(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "fleet", small_fleet(idle_s=0.5))
    engine = subprocess.Popen(["sleep", "60"])
    try:
        (ground.root / "engine.pid").write_text(f"{engine.pid}\n")
        ground.start()
        with pytest.raises(AssertionError, match="never"):
            wait_until(lambda: fleet_launch.ready(ground.root) is None, limit_s=1.5)
    finally:
        engine.kill()
        engine.wait()
    wait_until(lambda: fleet_launch.ready(ground.root) is None)
    assert ground.left_running() == []


def test_a_port_that_is_taken_is_named_before_any_host_answers(tmp_path: Path) -> None:
    with running(tmp_path / "one", small_fleet()) as one:
        other = Ground(tmp_path / "other", small_fleet(ssh_port=one.fleet.ssh_port))
        with pytest.raises(Unusable, match=f"Port {one.fleet.ssh_port} is taken"):
            other.start()
        assert one.manage("h0", "mark read")["state"] == "none"
        assert other.left_running() == []


def test_a_machine_that_allows_too_few_open_files_is_told_how_many_are_needed(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "fleet", small_fleet())
    command = f'ulimit -n 128 && exec "{sys.executable}" -m orchestrator.practice.fleet "{ground.root}"'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 7
    assert "needs 306 open files, 128 are allowed" in done.stderr


def test_a_fleet_stops_on_each_polite_signal(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "fleet", small_fleet())
    for number in (signal.SIGINT, signal.SIGHUP):
        pid = ground.start().pid
        os.kill(pid, number)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def test_a_folder_without_a_fleet_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet.main([str(tmp_path)]) == 2
    assert fleet.main([]) == 2
    assert "holds no fleet.json" in capsys.readouterr().err


def test_an_address_that_belongs_to_no_host_is_hung_up_on(ground: Ground) -> None:
    with pytest.raises(ConnectionResetError), dial("127.99.0.1", ground.fleet.ssh_port, "127.0.0.1") as connection:
        connection.recv(1)
