"""A drill is laid down whole or laid down again, is run by one process, and leaves nothing running."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import Unusable, UsageError
from orchestrator.plans.files import usable
from orchestrator.plans.waves import derive
from orchestrator.practice import drill, fleet_launch
from orchestrator.practice.drill import LAZY, LOCK, PEOPLE_FAULTS, PLAN, SOME, Drill, Options, begin, prepare, put_away
from orchestrator.practice.fleet_disk import service_state
from orchestrator.practice.fleet_file import PRESETS, Folders, load
from orchestrator.practice.people import alone
from orchestrator.practice.rehearsal import PEOPLE
from tests.drill_ground import DrillProcess, ground, shallow_estate, wait_until
from tests.small_estate import SMALL


def plan_of(root: Path) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((root / PLAN).read_bytes())
    return plan


def words(**changes: Any) -> argparse.Namespace:
    asked = {"format": "json", "resume": None, "state": None, "hosts": 12, "seed": 1, "faults": "none", "anew": False}
    return argparse.Namespace(**{**asked, **changes})


# what is asked


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        ("none", ()),
        ("some", (*SOME, *PEOPLE_FAULTS)),
        ("all", (*PRESETS, *PEOPLE_FAULTS)),
        ("drop, wrong-key", ("drop", "wrong-key")),
        (LAZY, (LAZY,)),
    ],
)
def test_faults_are_none_some_all_or_a_list(asked: str, faults: tuple[str, ...]) -> None:
    assert Options.of(12, 1, asked).faults == faults


def test_a_fault_nobody_knows_is_refused_naming_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"There is no fault gremlins; there are .* refuse, .*lazy-technician"):
        Options.of(12, 1, "drop,gremlins")
    with pytest.raises(UsageError, match=r"There is no fault without a name; there are none, some, all, or any of"):
        Options.of(12, 1, "")


def test_a_folder_that_holds_something_is_not_drilled_in(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear...")
    with pytest.raises(UsageError, match="is not empty; give another --state, or go on with --resume"):
        begin(SMALL, tmp_path, Options.of(12, 1, "none"))
    assert (tmp_path / "letter.txt").exists()


def test_a_drill_that_is_refused_leaves_nothing_so_that_the_next_one_can_begin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 hosts are too few"):
        begin(SMALL, tmp_path / "drill", Options.of(3, 1, "none"))
    assert not (tmp_path / "drill").exists()
    begin(SMALL, tmp_path / "drill", Options.of(12, 1, "none"))


def test_a_drill_anew_ends_what_is_left_of_an_earlier_one_and_never_one_that_somebody_runs(tmp_path: Path) -> None:
    with ground(tmp_path) as root:
        fleet = fleet_launch.ready(root / "fleet")
        assert fleet is not None
        with alone(root / LOCK, ""), pytest.raises(Unusable, match="End it there with Ctrl-C"):
            put_away(root)
        assert fleet_launch.ready(root / "fleet") == fleet
        put_away(root)
        assert not Path(f"/proc/{fleet.pid}/root").exists()
        assert not root.exists()
        put_away(root)


def test_a_folder_that_holds_no_drill_is_never_put_away(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear...")
    put_away(tmp_path)
    assert (tmp_path / "letter.txt").exists()


def test_where_no_drill_was_begun_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no drill to go on with"):
        drill.main(words(resume=str(tmp_path)), SMALL)


def test_a_drill_is_run_by_one_process(tmp_path: Path) -> None:
    begin(SMALL, tmp_path / "drill", Options.of(12, 1, "none"))
    lock = tmp_path / "drill" / LOCK
    with alone(lock, ""), pytest.raises(Unusable, match="being run by another process"):
        drill.main(words(resume=str(tmp_path / "drill")), SMALL)


# laying it down


def test_a_prepared_drill_has_struck_hosts_an_estate_without_errors_and_everyones_key(tmp_path: Path) -> None:
    with ground(tmp_path) as root:
        fleet = load(root / "fleet")
        assert {service_state(Folders(root / "fleet").disk(host.id)) for host in fleet.hosts} == {"down"}
        content = usable(root / "estate")
        assert [host.id for host in content.inventory.hosts] == [host.id for host in fleet.hosts]
        assert {path.name for path in (root / "keys").iterdir()} >= set(PEOPLE)
        assert {path.stat().st_mode & 0o077 for path in (root / "keys").iterdir() if path.suffix != ".pub"} == {0}
        assert (root / "state").stat().st_mode & 0o777 == 0o700
        assert plan_of(root)["started_us"] > 0
        assert Path(plan_of(root)["source"]).is_absolute(), "--resume needs nothing else, from wherever it is typed"


def test_a_preparation_that_was_killed_is_done_again_from_its_beginning(tmp_path: Path) -> None:
    with ground(tmp_path) as root:
        first = fleet_launch.ready(root / "fleet")
        plan = plan_of(root)
        plan["started_us"] = 0
        (root / PLAN).write_text(json.dumps(plan))
        (root / "estate" / "inventory" / "servers.csv").write_text("torn")
        said: list[str] = []
        prepare(root, plan_of(root), said.append)
        second = fleet_launch.ready(root / "fleet")
        assert first is not None
        assert second is not None
        assert first.pid != second.pid
        assert not Path(f"/proc/{first.pid}/root").exists()
        assert len(usable(root / "estate").inventory.hosts) == 12
        assert plan_of(root)["started_us"] > 0
        assert said[0].startswith("12 practice hosts are encrypted. Replaced for the drill:\n  addresses: every host")
        assert "Practised: 3 of 3 functions: laboratory, radiology, medical-records." in said[1]


def test_whom_the_story_befalls_are_different_posts_and_hosts_that_two_persons_judge(tmp_path: Path) -> None:
    content = usable(shallow_estate(tmp_path))
    told = drill._story(content, {"seed": 3, "faults": PEOPLE_FAULTS})
    posts = {post for wave in derive(content).waves for each in wave.gate.posts.values() for post in each}
    befallen = [told["late"], *told["dormant"]]
    assert len(befallen) == len(set(befallen)) == 3
    assert set(befallen) <= posts
    two = {one.id for one in content.classes if one.verdicts_required > 1}
    assert {host.klass in two for host in content.inventory.hosts if host.id in told["disputed"]} == {True}
    assert told["revoked"] in PEOPLE
    quiet = drill._story(content, {"seed": 3, "faults": []})
    assert quiet == {"seed": 3, "late": "", "dormant": [], "disputed": [], "revoked": ""}


# its parts


def test_a_part_left_over_is_known_by_its_own_folder_and_ended(tmp_path: Path) -> None:
    code = "import time; time.sleep(60)"
    ours = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "drill" / "state")])
    threading.Thread(target=ours.wait, daemon=True).start()
    neighbour = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "drill-2" / "state")])
    try:
        for name, child in (("drill", ours), ("drill-2", neighbour)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "engine.pid").write_text(str(child.pid))
        (tmp_path / "drill" / "people.pid").write_text(str(neighbour.pid))
        assert drill._alive(tmp_path / "drill", "engine") == ours.pid
        assert drill._alive(tmp_path / "drill", "people") == 0, "a number used again by somebody else"
        for part in ("engine", "people", "fleet"):
            drill._end_part(tmp_path / "drill", part)
        wait_until(lambda: ours.poll() is not None)
        assert neighbour.poll() is None
    finally:
        for child in (ours, neighbour):
            if child.poll() is None:
                child.kill()
        neighbour.wait()


def test_a_process_is_never_taken_for_a_part_of_its_own_drill(tmp_path: Path) -> None:
    (tmp_path / "engine.pid").write_text(str(os.getpid()))
    assert drill._alive(tmp_path, "engine") == 0
    (tmp_path / "engine.pid").write_text("no number")
    assert drill._alive(tmp_path, "engine") == 0


def test_the_work_of_a_process_is_counted_until_it_is_gone() -> None:
    until_s = time.process_time() + 0.05
    while time.process_time() < until_s:
        pass
    assert drill._cpu_us(os.getpid(), children=False) > 0
    assert drill._cpu_us(0x7FFFFFFF) == 0


def test_the_work_of_runners_whose_engine_was_killed_is_in_the_sum(tmp_path: Path) -> None:
    begin(SMALL, tmp_path / "drill", Options.of(12, 1, "none"))
    for run, cpu_us in (("7", "1500000"), ("9", "")):
        (tmp_path / "drill" / "state" / "runs" / run).mkdir(parents=True)
        (tmp_path / "drill" / "state" / "runs" / run / "done").write_text(cpu_us)
    one = Drill(tmp_path / "drill", lambda sentence: None)
    one._plan["cpu_us"] = {"engine 1": 250_000, "engine 2": 250_000}
    assert one._cpu_us() == 2_000_000


def test_two_free_ports_differ() -> None:
    first, second = drill._free_ports()
    assert first != second


def test_a_part_that_dies_ends_the_drill_with_its_last_words_and_how_to_go_on(tmp_path: Path) -> None:
    with ground(tmp_path) as root:
        one = Drill(root, lambda sentence: None)
        dead = [sys.executable, "-c", "print('The disk is gone.'); raise SystemExit(7)"]
        one._launch("engine", dead)
        one._children["engine"].wait()
        with pytest.raises(Unusable) as failure:
            one._still_there()
        assert failure.value.sentence == (
            f"The engine ended (The disk is gone.). Go on with: relance drill --resume {root}"
        )
        one._children.clear()
        fleet_launch.stop(root / "fleet")
        with pytest.raises(Unusable, match="The fleet ended"):
            one._still_there()


def test_before_the_engine_answers_there_is_no_status(tmp_path: Path) -> None:
    begin(shallow_estate(tmp_path), tmp_path / "drill", Options.of(12, 1, "none"))
    assert Drill(tmp_path / "drill", lambda sentence: None)._status() is None


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_drill_that_is_stopped_leaves_nothing_running_and_says_how_to_go_on(
    tmp_path: Path, how: signal.Signals
) -> None:
    estate = shallow_estate(tmp_path)
    process = DrillProcess(tmp_path / "drill", "--hosts", "12", "--faults", "none", "--seed", "6", estate=estate)
    try:
        wait_until(process.under_way, 120)
        fleet = fleet_launch.ready(process.root / "fleet")
        process.process.send_signal(how)
        process.process.send_signal(how)
        code, out, said = process.end()
        assert (code, json.loads(out)["error"]["code"]) == (130, "stopped"), said
        assert f"Go on with: relance drill --resume {process.root}" in json.loads(out)["error"]["sentence"]
        assert fleet is not None
        pids = (fleet.pid, process.pid("engine"), process.pid("people"))
        assert [pid for pid in pids if Path(f"/proc/{pid}/root").exists()] == []
    finally:
        process.stop()
