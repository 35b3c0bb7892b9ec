"""An invented world does to a restart what it says: each fault shows in the journal as itself, and never otherwise."""

from __future__ import annotations

from functools import cache

import pytest

from orchestrator.decision.commands import Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Finished, Late, Lost, Opened, Ordered, Reading, Swept
from orchestrator.decision.state import State
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import NONE, Faults
from orchestrator.simulation.scenario import START_US, Outcome, Setting, played
from orchestrator.simulation.world import HOUR, MINUTE, SECOND, World
from tests.storyline import hospital

CONTENT = invented(5, 40)


@cache
def told(**faults: float) -> Outcome:
    outcome = played(Setting(5, CONTENT, Faults(**faults), days=2))
    assert (outcome.violation, outcome.not_live) == (None, [])
    return outcome


def _of(outcome: Outcome, kind: type) -> list[object]:
    return [entry for entry, _ in outcome.journal if isinstance(entry, kind)]


def world() -> World:
    content = hospital()
    found = World(State(Estate(content, derive(content))), START_US, Chance(1))
    found.tell(Opened(1, "1", "x", "x"))
    return found


def test_what_is_due_first_happens_first_and_of_two_the_one_asked_for_first() -> None:
    here, seen = world(), list[str]()
    for after_us, what in ((2 * HOUR, "third"), (HOUR, "first"), (HOUR, "second")):
        here.at(START_US + after_us, seen.append, what)
    while here.turn():
        pass
    assert seen == ["first", "second", "third"]
    assert here.now_us == START_US + 2 * HOUR


def test_a_refused_event_is_counted_and_changes_nothing() -> None:
    here = world()
    before = here.state.digest()
    assert not here.tell(Lost("nobody/restore/1"))
    assert (here.refused, here.state.digest()) == (1, before)


def test_a_clock_set_back_takes_all_that_is_due_with_it() -> None:
    here, seen = world(), list[int]()
    here.at(START_US + HOUR, lambda: seen.append(here.now_us))
    here.silent_until_us[0] = START_US + HOUR
    here.shift(-MINUTE)
    while here.turn():
        pass
    assert seen == [START_US + HOUR - MINUTE]
    assert here.silent_until_us[0] == START_US + HOUR - MINUTE


def test_calm_ends_every_fault_but_what_backups_there_are() -> None:
    content = hospital()
    here = World(State(Estate(content, derive(content))), START_US, Chance(1), faults=Faults(pointless=0.5, fails=0.5))
    here.untrue.add("lis/secrets")
    here.silent_until_us[0] = here.failing_until_us["service:lis"] = START_US + HOUR
    here.calm()
    assert (here.faults, here.untrue, here.silent_until_us, here.failing_until_us) == (NONE, set(), {}, {})
    assert here.pointless == 0.5


def test_without_faults_every_action_ends_well_and_no_result_is_late() -> None:
    outcome = told()
    ends = [one for one in _of(outcome, Finished) if isinstance(one, Finished)]
    assert {one.outcome for one in ends} == {"ok"}
    assert (_of(outcome, Lost), _of(outcome, Late)) == ([], [])
    assert len(ends) + len(_of(outcome, Cancelled)) == len(_of(outcome, Issue))


@pytest.mark.parametrize(("fault", "said"), [("fails", "failed"), ("unreachable", "unreachable"), ("hangs", "failed")])
def test_an_action_that_does_not_end_well_says_how(fault: str, said: str) -> None:
    outcome = told(**{fault: 0.15})
    ends = {one.outcome for one in _of(outcome, Finished) if isinstance(one, Finished)}
    assert ends == {"ok", said}


def test_an_action_that_hangs_ends_at_its_limit() -> None:
    outcome = told(hangs=0.15)
    begun = {one.action: (one, at_us) for one, at_us in outcome.journal if isinstance(one, Issue)}
    limits = {
        host.id: next(c for c in CONTENT.classes if c.id == host.klass).limit_s for host in CONTENT.inventory.hosts
    }
    hung = [(one, at_us) for one, at_us in outcome.journal if isinstance(one, Finished) and one.outcome == "failed"]
    assert len(hung) > 5
    for end, at_us in hung:
        issue, begun_us = begun[end.action]
        if issue.target in limits:
            assert at_us - begun_us >= getattr(limits[issue.target], issue.step) * SECOND


def test_a_lost_action_is_known_as_lost_and_its_result_may_come_late() -> None:
    assert len(_of(told(lost=0.15), Lost)) > 5
    assert _of(told(lost=0.15), Late) == []
    late = told(mute=0.15, late=0.5)
    assert len(_of(late, Lost)) >= len(_of(late, Late)) > 3


def test_a_result_that_comes_twice_is_late_the_second_time() -> None:
    outcome = told(twice=0.3)
    assert len(_of(outcome, Late)) > 10
    assert _of(outcome, Lost) == []


def test_a_silent_site_answers_not_even_for_its_control_target() -> None:
    sweeps = [one for one in _of(told(silent=0.1), Swept) if isinstance(one, Swept)]
    assert [one.answered for one in sweeps if not one.control] == [[] for one in sweeps if not one.control]
    assert {one.control for one in sweeps} == {True, False}
    assert {one.control for one in _of(told(), Swept) if isinstance(one, Swept)} == {True}


def test_a_host_that_answers_from_quarantine_is_cut_off_anew() -> None:
    hosts = {host.id for host in CONTENT.inventory.hosts}
    again = [one for one in _of(told(answers=0.01), Issue) if isinstance(one, Issue) and one.step == "isolate"]
    assert {one.target for one in again} & hosts
    calm = [one for one in _of(told(), Issue) if isinstance(one, Issue) and one.step == "isolate"]
    assert not {one.target for one in calm} & hosts


def test_a_check_that_flaps_says_FAIL_or_UNKNOWN_for_hours() -> None:
    outcome = told(flaps=0.1)
    readings = [(one, at_us) for one, at_us in outcome.journal if isinstance(one, Reading)]
    assert {one.outcome for one, _ in readings} == {"PASS", "FAIL", "UNKNOWN"}
    assert {one.outcome for one in _of(told(), Reading) if isinstance(one, Reading)} == {"PASS"}


def test_a_restore_point_younger_than_T0_is_condemned_and_where_there_is_no_older_one_never_used() -> None:
    kinds = {type(one).__name__ for one, _ in told(young=0.3).journal}
    assert "Condemn" in kinds
    outcome = told(pointless=1.0)
    restored = [one for one in _of(outcome, Issue) if isinstance(one, Issue) and one.strategy == "restore"]
    entered = {one.target for one in restored}
    assert entered
    assert outcome.happened["pointless"] == 2 * len(entered)


def test_the_core_dies_and_is_rebuilt_from_its_records() -> None:
    outcome = told(killed=0.01)
    assert outcome.happened["killed"] > 5
    assert sum(type(one).__name__ == "Started" for one, _ in outcome.journal) == outcome.happened["killed"]


def test_people_sign_what_waits_for_them() -> None:
    kinds = {one.kind for one in _of(told(), Ordered) if isinstance(one, Ordered)}
    assert {"genesis", "fact.t0", "fact.breach_closed", "wave.launch"} <= kinds
