"""The people of a drill: what they conclude, and what they do with what the engine shows; there is one set of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Event, Finished, Judged, Ordered, Reading, Rematched
from orchestrator.decision.orders import EMPTY_SET
from orchestrator.decision.stages import OUT
from orchestrator.decision.state import STEP, State
from orchestrator.engine.contents import keep, read
from orchestrator.engine.process import lay_out
from orchestrator.engine.rematch import Rematching
from orchestrator.errors import Unusable
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import Difference
from orchestrator.interfaces.serving import serve
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.practice.people import LAZY_ONE_IN, Drill, alone, over
from orchestrator.practice.ransomware import DORMANT, DORMANT_BYTES
from orchestrator.practice.rehearsal import PEOPLE, write_estate
from orchestrator.practice.signing import NotAnswering
from orchestrator.simulation.people import Wish
from orchestrator.trust import keys
from tests.estates import small_estate
from tests.live_hospital import NOW, Hospital, ObligingHands, hospital, quick
from tests.managed_hosts import PLAYBOOKS

HOUR_US = 3_600_000_000


class LookingHands(ObligingHands):
    """Obliges; but what an inspection finds is kept and matched for real, and on some machines something sleeps."""

    def __init__(self, state_dir: Path, dormant: Collection[str]) -> None:
        super().__init__()
        self._blobs = Blobs(state_dir / "evidence", packed=True)
        self._rematching = Rematching(self._blobs)
        self._dormant = dormant

    def issue(self, command: Issue, state: State) -> None:
        """An inspection also keeps its evidence."""
        super().issue(command, state)
        if command.step == "inspect":
            host = state.estate.host_number[command.target]
            sleeps = command.target in self._dormant and state.strategy[host] != "replace"
            line = hashlib.sha256(DORMANT_BYTES).hexdigest().encode() + b"  " + DORMANT.encode()
            seen = Evidence(command.action, command.target, differs=Difference((line,) if sleeps else (), (), ()))
            done = self._done[-1]
            assert isinstance(done, Finished)
            done.facts["evidence"] = self._blobs.put(seen.to_bytes())

    def poll(self, state: State, now_us: int) -> list[Event]:
        """What ended, and what was matched."""
        return [*super().poll(state, now_us), *self._rematching.poll(state)]


@contextmanager
def town(root: Path, *, lazy: bool = False, **story: Any) -> Iterator[tuple[Hospital, Drill]]:
    """A hospital that obliges, and the people of a drill at its socket."""
    (root / "keys").mkdir(parents=True)
    public = {person: keys.generate(root / "keys" / person).line for person in PEOPLE}
    persons = [{"id": person, "roles": list(roles), "key": public[person]} for person, roles in PEOPLE.items()]
    plan = {
        "seed": 3, "t0_us": NOW.now_us() - HOUR_US, "reading_s": 0, "lazy": lazy, "gates": {},
        "late": "", "dormant": [], "disputed": [], "revoked": "", "lots": [], **story, "waived": ["workstation"],
        "genesis": {"persons": persons, "indicator_set": EMPTY_SET}, "outside": ["reference-lab"],
    }  # fmt: skip
    (root / "people.json").write_text(json.dumps(plan))
    write_estate(small_estate(timing=quick(host_fail_s=1)), PLAYBOOKS, root / "estate")
    content = usable(root / "estate")
    lay_out(root / "state")
    hands = LookingHands(root / "state", plan["dormant"])
    with hospital(root / "state", content, hands) as here, serve(here.engine, root / "state", 0):
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


def happened(here: Hospital, drill: Drill, *kinds: type) -> list[Any]:
    """The journal's entries of these kinds."""
    state = here.engine.read(lambda state, now_us: state)
    with Journal.open(drill.root / "state" / "journal.sqlite", read_only=True) as journal:
        entries = [read(record, state, drill.root / "state") for record in journal.records()]
    return [entry for entry in entries if isinstance(entry, kinds)]


def test_two_who_disagree_ask_for_a_new_look_and_a_third_settles_it(tmp_path: Path) -> None:
    with town(tmp_path, disputed=["lis-1"]) as (here, drill):
        bring_back(here, drill)
        assert over(drill.people.get("status"))
        said = [one for one in happened(here, drill, Judged) if "lis-1" in one.inspections]
        looks = [one.inspections["lis-1"] for one in said]
        assert [one.verdict for one in said] == ["CLEAN", "SUSPECT", "CLEAN", "CLEAN"]
        assert looks == ["lis-1/inspect/1"] * 2 + ["lis-1/inspect/2"] * 2
        assert len({one.person for one in said}) == 4, "whoever had not read it before came first"


def test_a_key_that_is_revoked_in_mid_drill_leaves_no_host_on_its_word_and_all_come_back(tmp_path: Path) -> None:
    with town(tmp_path, revoked="analyst-4") as (here, drill):
        bring_back(here, drill)
        assert over(drill.people.get("status"))
        entries = happened(here, drill, Judged, Ordered)
        turns = [at for at, one in enumerate(entries) if isinstance(one, Ordered) and one.kind == "roster.revoke"]
        assert len({entries[at].person for at in turns} - {"analyst-4"}) == 2, "two others signed"
        assert [one for one in entries[: turns[0]] if isinstance(one, Judged) and one.person == "analyst-4"]
        assert not [one for one in entries[turns[1] :] if isinstance(one, Judged) and one.person == "analyst-4"]
        on_word = here.engine.read(
            lambda state, now_us: [one for said in state.verdicts for one in said if one.person == "analyst-4"]
        )
        assert not on_word
        assert not here.engine.read(lambda state, now_us: [*state.obligations, *state.recheck])


def test_a_new_set_of_indicators_finds_what_slept_outside_and_in_quarantine_and_both_come_back_on_new_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with town(tmp_path, dormant=["lab-ws-1", "lab-ws-2"]) as (here, drill):
        bring_back(here, drill)
        assert over(drill.people.get("status"))
        assert '"hosts_hit": 2' in capsys.readouterr().out, "its cost was read first"
        matched = happened(here, drill, Rematched)
        hosts = here.engine.read(lambda state, now_us: len([one for one in state.inspection if one]))
        assert {one.outcome: len(one.inspections) for one in matched}["hit"] == 2
        assert 10 < sum(len(one.inspections) for one in matched) <= hosts
        orders = {(one.kind, one.subject) for one in happened(here, drill, Ordered)}
        assert ("host.recall", "lab-ws-1") in orders
        assert ("host.recall", "lab-ws-2") not in orders, "it was still in quarantine"
        strategies = here.engine.read(
            lambda state, now_us: [state.strategy[state.estate.host_number[one]] for one in ("lab-ws-1", "lab-ws-2")]
        )
        assert strategies == ["replace", "replace"]
        assert here.engine.read(lambda state, now_us: {state.stage[one] in OUT for one in range(len(state.stage))})


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


# when it is over


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
