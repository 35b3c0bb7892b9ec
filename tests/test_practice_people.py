"""The people of a drill: what they conclude, and what they do with what the engine shows; there is one set of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.decision.events import Reading
from orchestrator.decision.orders import EMPTY_SET
from orchestrator.decision.state import STEP
from orchestrator.engine.contents import keep
from orchestrator.errors import Unusable
from orchestrator.interfaces.serving import serve
from orchestrator.plans.files import usable
from orchestrator.practice.people import LAZY_ONE_IN, Drill, alone, over, verdict_on
from orchestrator.practice.rehearsal import PEOPLE, write_estate
from orchestrator.practice.signing import NotAnswering
from orchestrator.simulation.people import Wish
from orchestrator.trust import keys
from tests.estates import small_estate
from tests.live_hospital import NOW, Hospital, hospital, quick
from tests.managed_hosts import PLAYBOOKS

HOUR_US = 3_600_000_000


@contextmanager
def town(root: Path, *, lazy: bool = False, late: str = "") -> Iterator[tuple[Hospital, Drill]]:
    """A hospital that obliges, and the people of a drill at its socket."""
    (root / "keys").mkdir(parents=True)
    public = {person: keys.generate(root / "keys" / person).line for person in PEOPLE}
    persons = [{"id": person, "roles": list(roles), "key": public[person]} for person, roles in PEOPLE.items()]
    plan = {
        "seed": 3, "t0_us": NOW.now_us() - HOUR_US, "reading_s": 0, "lazy": lazy, "late": late, "gates": {},
        "waived": ["workstation"],
        "genesis": {"persons": persons, "indicator_set": EMPTY_SET}, "outside": ["reference-lab"],
    }  # fmt: skip
    (root / "people.json").write_text(json.dumps(plan))
    write_estate(small_estate(timing=quick(host_fail_s=1)), PLAYBOOKS, root / "estate")
    content = usable(root / "estate")
    with hospital(root / "state", content) as here, serve(here.engine, root / "state", 0):
        keep(root / "estate", root / "state", content.digest)
        yield here, Drill(root)


def facts(here: Hospital) -> set[str]:
    return here.engine.read(lambda state, now_us: set(state.facts))


def bring_back(here: Hospital, drill: Drill) -> None:
    """Rounds of the people, each followed by a sweep and readings, until the drill is over."""
    for _ in range(40):
        if drill.round():
            break
        here.settle()
        here.sweep()
        here.read_everything()


def test_people_bring_a_whole_hospital_back_and_the_crisis_cell_accepts_each_function_once(tmp_path: Path) -> None:
    with town(tmp_path) as (here, drill):
        bring_back(here, drill)
        status = drill.people.get("status")
        assert over(status), status["waits"]
        assert status["hosts"]["in_service"] > 10
        orders = here.engine.read(lambda state, now_us: [(one.kind, *one.persons) for one in state.orders.values()])
        assert orders.count(("fact.accepted", "crisis-1")) == len(
            {wave["function"] for wave in status["waves"]} - {None}
        )
        assert ("fact.waiver", "forensic-lead") in orders


def test_a_host_found_infected_after_its_release_is_recalled_its_reach_thawed_and_it_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with town(tmp_path, late="lab-ws-1") as (here, drill):
        bring_back(here, drill)
        assert over(drill.people.get("status"))
        orders = here.engine.read(lambda state, now_us: [(one.kind, one.subject) for one in state.orders.values()])
        assert [one for one in orders if one[1] in ("lab-ws-1", "reach:lab-ws-1")] == [
            ("host.recall", "lab-ws-1"),
            ("thaw", "reach:lab-ws-1"),
        ]
        attempts = here.engine.read(lambda state, now_us: state.attempts[state.estate.host_number["lab-ws-1"]])
        assert attempts[STEP["restore"]] == 2, "it was wiped again"
    assert "lab-ws-1 was found infected after its release: ad-1 plays ad, which it uses." in capsys.readouterr().out


def test_the_first_morning_is_signed_once_and_not_again_by_people_who_begin_anew(tmp_path: Path) -> None:
    with town(tmp_path) as (here, drill):
        drill.round()
        assert {"t0", "breach_closed", "outside:reference-lab", "waiver:class:workstation"} <= facts(here)
        before = here.engine.read(lambda state, now_us: len(state.orders))
        Drill(tmp_path).round()
        assert here.engine.read(lambda state, now_us: len(state.orders)) == before


def test_waves_are_launched_by_whichever_operators_are_there(tmp_path: Path) -> None:
    with town(tmp_path) as (here, drill):
        drill.round()
        launchers = here.engine.read(lambda state, now_us: [wave.launchers for wave in state.waves])
        assert {launcher for one in launchers for launcher in one} == {"operator-1", "operator-2"}


def test_a_false_claim_is_found_out_by_the_second_technician_and_the_task_done_again(tmp_path: Path) -> None:
    with town(tmp_path, lazy=True) as (_, drill):
        keys_ = [f"lis/task-{number}" for number in range(60)]
        lazy = [key for key in keys_ if drill._lazy(key)]
        assert 0 < len(lazy) < len(keys_)
        assert abs(len(lazy) - len(keys_) / LAZY_ONE_IN) < len(keys_) / LAZY_ONE_IN
        for key in lazy:
            drill.memory.found_out.add(key)
        assert not [key for key in keys_ if drill._lazy(key)], "nobody is lazy twice about the same"


def test_without_that_fault_nobody_is_lazy(tmp_path: Path) -> None:
    with town(tmp_path) as (_, drill):
        assert not [number for number in range(60) if drill._lazy(f"lis/task-{number}")]


def test_nobody_gives_the_same_order_twice_within_three_seconds_and_a_refusal_is_read_and_lived_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with town(tmp_path) as (_, drill):
        drill.round()
        capsys.readouterr()
        wish, state = Wish("host.retry", "lis-1"), drill._read_on()
        for _ in range(3):
            drill._order(state, wish)
        drill.memory.ordered_us.clear()
        drill._order(state, wish)
        refused = capsys.readouterr().out.splitlines()
        assert [line.partition(":")[0] for line in refused] == ["host.retry lis-1"] * 2


def test_a_host_whose_check_fails_again_after_a_recall_gets_another_machine(tmp_path: Path) -> None:
    with town(tmp_path) as (here, drill):
        bring_back(here, drill)
        recalled = 0
        for _ in range(40):
            here.engine.submit(Reading("host:lis-1", "FAIL"))
            NOW.sleep_s(0.2)
            drill.memory.ordered_us.clear()
            drill.round()
            here.settle()
            here.sweep()
            recalled = max(recalled, drill.memory.recalls["lis-1"])
            if here.engine.read(lambda state, now_us: state.strategy[state.estate.host_number["lis-1"]]) == "replace":
                break
        else:
            pytest.fail("nobody replaced it")
        assert (recalled, drill.memory.recalls["lis-1"]) == (2, 0)


def test_people_at_a_silent_socket_say_that_nobody_answers(tmp_path: Path) -> None:
    with town(tmp_path) as (_, drill):
        pass
    with pytest.raises(NotAnswering):
        drill.round()


# what they conclude


def seat(**changes: Any) -> dict[str, Any]:
    return {"host": "lis-1", "inspection": "lis-1/inspect/1", "marker": False, **changes}


def test_a_marker_is_infected_whoever_reads_it() -> None:
    assert {verdict_on(seat(marker=True, host=f"h-{n}"), n) for n in range(50)} == {"INFECTED"}


def test_a_first_look_is_now_and_then_not_enough_and_a_second_one_is() -> None:
    hosts = [f"h-{number}" for number in range(400)]
    first = [verdict_on(seat(host=host, inspection=f"{host}/inspect/1"), 1) for host in hosts]
    again = [verdict_on(seat(host=host, inspection=f"{host}/inspect/2"), 1) for host in hosts]
    assert 0 < first.count("SUSPECT") < 40
    assert set(again) == {"CLEAN"}
    assert first == [verdict_on(seat(host=host, inspection=f"{host}/inspect/1"), 1) for host in hosts], "by the seed"


@pytest.mark.parametrize(
    ("state", "in_service", "excluded", "is_over"),
    [("passed", 3, 0, True), ("soaking", 3, 0, False), ("passed", 2, 0, False), ("passed", 2, 1, True)],
)
def test_a_drill_is_over_when_every_host_is_back_or_left_out_and_every_gate_passed(
    state: str, in_service: int, excluded: int, is_over: bool
) -> None:
    status = {"waves": [{"state": state, "in_service": in_service, "hosts": 3}], "hosts": {"excluded": excluded}}
    assert over(status) is is_over


# one set of people


def test_a_lock_is_held_by_one_and_given_back(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with alone(lock, ""), pytest.raises(Unusable, match="Somebody is here"), alone(lock, "Somebody is here."):
        pass
    with alone(lock, ""):
        pass


def test_a_second_set_of_people_stays_out_with_a_sentence(tmp_path: Path) -> None:
    with alone(tmp_path / "people.lock", ""):
        command = [sys.executable, "-m", "orchestrator.practice.people", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (done.returncode, done.stderr) == (7, "Other people play in this drill already.\n")
