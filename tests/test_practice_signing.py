"""Simulated people sign and post through the same socket, in the same form and under the same rules as anyone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.interfaces.serving import serve
from orchestrator.practice.signing import Line, NotAnswering, People, Refusal
from tests.estates import ROLES
from tests.live_hospital import NOW, Hospital, hospital, roster

HOUR_US = 3_600_000_000


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextmanager
def listening(state_dir: Path) -> Iterator[Hospital]:
    with hospital(state_dir) as here, serve(here.engine, state_dir, 0):
        yield here


def people_of(here: Hospital, state_dir: Path) -> People:
    """Everyone of the roster, with their keys in a folder."""
    folder = state_dir.parent / "keys"
    folder.mkdir(exist_ok=True)
    for person in ROLES:
        here.key_file(person).rename(folder / person)
    people = People(state_dir, folder, ROLES, SystemClock())
    people.look()
    return people


def test_two_persons_sign_the_first_order_and_it_takes_effect(state_dir: Path) -> None:
    with listening(state_dir) as here:
        people_of(here, state_dir).order("genesis", "roster", ("operator-1", "it-director"), roster())
        assert here.engine.read(lambda state, now_us: sorted(state.roster)) == sorted(ROLES)


def test_an_order_that_waits_for_another_person_is_no_refusal(state_dir: Path) -> None:
    with listening(state_dir) as here:
        people = people_of(here, state_dir)
        people.order("genesis", "roster", ("operator-1", "it-director"), roster())
        people.look()
        people.order("fact.t0", "t0", ("analyst-1",), {"at_us": NOW.now_us() - HOUR_US})
        assert here.engine.read(lambda state, now_us: "t0" in state.facts) is False


def test_a_person_beyond_those_needed_does_not_sign_what_took_effect(state_dir: Path) -> None:
    with listening(state_dir) as here:
        people = people_of(here, state_dir)
        people.order("genesis", "roster", ("operator-1", "it-director"), roster())
        people.look()
        people.order("freeze", "all", ("operator-1", "operator-2"), {})
        signers = here.engine.read(
            lambda state, now_us: [one.persons for one in state.orders.values() if one.kind == "freeze"]
        )
        assert signers == [["operator-1"]]


def test_a_refusal_names_the_rule_that_refused(state_dir: Path) -> None:
    with listening(state_dir) as here:
        people = people_of(here, state_dir)
        people.order("genesis", "roster", ("operator-1", "it-director"), roster())
        people.look()
        with pytest.raises(Refusal) as refusal:
            people.order("wave.launch", "foundations", ("technician-1",), {})
        assert refusal.value.rule == "orders.role"
        assert "technician-1" in refusal.value.sentence


def test_a_verdict_is_filed_on_what_the_queue_shows(state_dir: Path) -> None:
    with listening(state_dir) as here:
        people = people_of(here, state_dir)
        here.open_incident()
        here.quarantined("foundations")
        people.look()
        queue = people.get("queue")
        seat = {**queue["hosts"][0], "indicator_set": queue["indicator_set"]}
        people.verdict("CLEAN", "analyst-1", seat)
        with pytest.raises(Refusal) as refusal:
            people.verdict("CLEAN", "analyst-1", seat)
        assert refusal.value.rule == "verdict.two-persons"


def test_where_nobody_listens_people_are_told_so(state_dir: Path) -> None:
    state_dir.mkdir()
    line = Line(state_dir)
    for _ in range(2):
        with pytest.raises(NotAnswering, match="No live process answers"):
            line.get("status")
    with pytest.raises(NotAnswering):
        line.post("orders")


def test_a_process_that_was_away_answers_again_when_it_is_back(state_dir: Path) -> None:
    with hospital(state_dir) as here:
        line = Line(state_dir)
        with serve(here.engine, state_dir, 0):
            assert line.get("head")["size"] >= 2
        with pytest.raises(NotAnswering):
            line.get("head")
        with serve(here.engine, state_dir, 0):
            assert line.get("head")["size"] >= 2


def test_a_page_that_is_not_there_is_no_answer(state_dir: Path) -> None:
    with listening(state_dir), pytest.raises(NotAnswering):
        Line(state_dir).get("why", "nowhere-at-all")
