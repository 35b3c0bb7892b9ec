"""After any end the journal is taken over, and every action that was under way ends once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.decision import codec
from orchestrator.decision.commands import Issue
from orchestrator.decision.decide import Entry, decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Dispatched, Event, Finished, Late, Lost, Opened, Ordered, Started
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import Dispatcher, Places
from orchestrator.engine.process import Beginning, Live, open_engine
from orchestrator.engine.recovery import applied_to, recover
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.plans.waves import derive
from orchestrator.practice import ledger
from orchestrator.practice.fleet_file import Folders, load
from orchestrator.workers import invocation, processes
from orchestrator.workers.base import Outcome
from orchestrator.workers.ssh import InspectionWorker
from tests.drill_ground import ground, wait_until
from tests.estates import small_estate
from tests.live_hospital import roster
from tests.test_engine_dispatch import Desk

SECOND = 1_000_000
NOW_US = 1_700_000_000 * SECOND
HOUR_US = 3600 * SECOND


class Past:
    """What an earlier process left: a real journal and the run folders of its dispatches."""

    def __init__(self, folder: Path) -> None:
        content = small_estate()
        self.estate = Estate(content, derive(content))
        self.runs = folder / "runs"
        self.runs.mkdir(parents=True)
        self.places = Places(folder / "playbooks", self.runs, folder / "key", folder / "known_hosts")
        self.journal = Journal.create(folder / "state" / "journal.sqlite")
        self.desk = Desk()
        self.state = State(self.estate)
        self.dispatcher = self._dispatcher()
        self.orders = 0

    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(self.places, self.desk, InspectionWorker(self.places.key, lambda document: ""))

    def send(self, event: Event) -> list[Entry]:
        """An event as the engine takes it: decided, written, handed out."""
        entries = decide(self.state, event, NOW_US)
        self.journal.begin()
        for entry in entries:
            record = self.journal.append(self.state.at_us, *codec.encode(entry))
            if isinstance(entry, Dispatched):
                self.dispatcher.dispatched(record.seq, self.state)
        self.journal.commit()
        self.dispatcher.committed()
        for entry in entries:
            if isinstance(entry, Issue):
                self.dispatcher.issue(entry, self.state, NOW_US)
        return entries

    def order(self, kind: str, subject: str, *persons: str, **args: Any) -> None:
        self.orders += 1
        for person in persons:
            self.send(
                Ordered(
                    f"{self.orders:032x}", kind, subject, args, person, NOW_US + HOUR_US, self.journal.head.size, ""
                )
            )

    def begin(self) -> None:
        """The incident opens, and every site is cut off: hosts are being preserved."""
        self.send(Opened(1, "test", "incident", "content"))
        self.send(Started("test"))
        self.order("genesis", "roster", "operator-1", "it-director", **roster())
        self.dispatch()
        for site in self.estate.sites:
            self.send(Finished(f"{site}/isolate/1", "ok"))

    def dispatch(self) -> list[str]:
        """Everything gathered becomes an invocation."""
        actions: list[str] = []
        for event in self.dispatcher.poll(NOW_US + 60 * SECOND):
            self.send(event)
            actions += event.actions if isinstance(event, Dispatched) else []
        return actions

    def begin_inspection(self) -> None:
        """The first of the foundations is restored, and is being looked at."""
        self.order("fact.t0", "t0", "analyst-1", "it-director", at_us=NOW_US - HOUR_US)
        self.order("wave.launch", "foundations", "operator-1")
        facts: dict[str, Any] = {"restore_point_us": 1, "host_key": "ssh-ed25519 AAAA", "digest": "d"}
        facts |= {"medium": "disk", "holder": "store"}
        while not under_way(self.state, "inspect"):
            action = next(name for name, one in self.state.open.items() if self.estate.is_server[one.host])
            self.send(Finished(action, "ok", "", facts))

    def recovered(self) -> tuple[State, list[Event]]:
        """A new process takes over."""
        self.desk = Desk()
        state = State(self.estate)
        self.dispatcher = self._dispatcher()
        return state, recover(self.journal, state, self.dispatcher, self.runs.parent)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    past = Past(tmp_path)
    past.begin()
    return past


def under_way(state: State, step: str) -> list[str]:
    return sorted(name for name, action in state.open.items() if action.step == step)


def of_a_workstation(past: Past) -> str:
    """An action under way on a workstation, which one person may exclude."""
    return next(name for name, one in past.state.open.items() if not past.estate.is_server[one.host])


# told to the core alone: no process runs here


def test_replay_rebuilds_the_state_byte_for_byte_and_decides_nothing(past: Past) -> None:
    state = State(past.estate)
    assert replay(past.journal, applied_to(state, past.runs.parent)) == past.journal.head.size
    assert state.digest() == past.state.digest()


def test_what_was_issued_and_not_dispatched_is_handed_out_again_under_its_name(past: Past) -> None:
    issued = sorted(past.state.open)
    assert issued
    state, events = past.recovered()
    assert events == []
    assert sorted(past.dispatch()) == issued
    assert sorted(state.open) == issued


def test_what_was_issued_and_cancelled_and_not_dispatched_is_not_handed_out(past: Past) -> None:
    name = of_a_workstation(past)
    host = name.partition("/")[0]
    past.order("host.exclude", host, "operator-1")
    assert past.state.open[name].cancel_asked
    _, events = past.recovered()
    assert events == [Cancelled(name)]
    assert name not in past.dispatch()


def test_a_dispatched_run_is_adopted_and_not_dispatched_again(past: Past) -> None:
    actions = past.dispatch()
    _, events = past.recovered()
    assert events == []
    runs = sorted({past.state.open[action].dispatched for action in actions})
    assert past.desk.submitted == [past.runs / str(seq) for seq in runs]
    assert past.dispatch() == []
    past.desk.ended = [Outcome(actions[0], "ok")]
    (event,) = past.dispatcher.poll(NOW_US)
    assert event == Finished(actions[0], "ok", "", {})


def test_a_result_that_comes_after_its_action_was_lost_is_kept_as_late_and_changes_nothing(past: Past) -> None:
    actions = past.dispatch()
    lost = next(name for name in actions if past.state.open[name].step == "preserve")
    past.send(Lost(lost))
    past.state, events = past.recovered()
    assert events == []
    host = past.estate.host_number[lost.partition("/")[0]]
    before = (past.state.stage[host], dict(past.state.open))
    past.desk.ended = [Outcome(lost, "ok", "", {"digest": "d"})]
    (event,) = past.dispatcher.poll(NOW_US)
    assert [type(entry) for entry in past.send(event)] == [Late]
    assert (past.state.stage[host], dict(past.state.open)) == before


def test_a_cancellation_that_may_not_have_reached_its_run_is_repeated(past: Past) -> None:
    past.dispatch()
    name = of_a_workstation(past)
    host = name.partition("/")[0]
    past.order("host.exclude", host, "operator-1")
    _, events = past.recovered()
    assert events == []
    assert past.desk.asked == {name}


def test_an_inspection_died_with_its_process_and_is_cancelled(past: Past) -> None:
    past.begin_inspection()
    (inspection,) = under_way(past.state, "inspect")
    state, events = past.recovered()
    assert events == [Cancelled(inspection)]
    past.state = state
    again = [entry for event in events for entry in past.send(event) if isinstance(entry, Issue)]
    assert [entry.action for entry in again] == [f"{inspection[:-1]}2"], "it is done again under a name of its own"


@pytest.mark.parametrize("damage", ["missing", "torn", "odd"])
def test_a_run_whose_folder_tells_nothing_is_lost(past: Past, damage: str) -> None:
    actions = past.dispatch()
    for request in past.runs.glob("*/request.json"):
        if damage == "missing":
            request.unlink()
        elif damage == "odd":  # as an earlier version wrote it
            request.write_bytes(
                request.read_bytes().replace(b'"host_key":""', b'"host_key":"ssh-ed25519 AAAA root@lab"')
            )
        else:
            request.write_bytes(request.read_bytes()[:40])
    _, events = past.recovered()
    assert sorted(event.action for event in events if isinstance(event, Lost)) == sorted(actions)


def test_a_run_folder_whose_record_never_reached_the_disk_is_deleted_and_no_other(past: Past) -> None:
    past.dispatch()
    recorded = {path.name for path in past.runs.iterdir()}
    beyond = past.runs / str(past.journal.head.size + 1)
    (beyond / "cancelled").mkdir(parents=True)
    for kept in ("hosts", "²", "notes"):
        (past.runs / kept).mkdir(exist_ok=True)
    past.recovered()
    assert not beyond.exists()
    assert {path.name for path in past.runs.iterdir()} == recorded | {"hosts", "²", "notes"}


# on real hosts, with real runners


class Incident:
    """An engine on practice hosts that is opened and closed as a test likes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.content = usable(root / "estate")
        self.fleet = load(root / "fleet")
        self.orders = 0

    def open(self) -> Live:
        return open_engine(self.root / "state", Beginning(self.root / "estate", self.content))

    def order(self, live: Live, kind: str, subject: str, *persons: str, **args: Any) -> None:
        self.orders += 1
        expires_us = SystemClock().now_us() + HOUR_US
        for person in persons:
            size = live.engine.head().size
            live.engine.submit(Ordered(f"{self.orders:032x}", kind, subject, args, person, expires_us, size, ""))

    def begin(self, live: Live) -> None:
        plan = json.loads((self.root / "people.json").read_bytes())
        self.order(live, "genesis", "roster", "operator-1", "it-director", **plan["genesis"])
        self.order(live, "fact.t0", "t0", "analyst-1", "it-director", at_us=plan["t0_us"])

    def entries(self) -> list[tuple[int, object]]:
        with Journal.open(self.root / "state" / "journal.sqlite", read_only=True) as journal:
            return [(record.seq, codec.decode(record.kind, record.body)) for record in journal.records()]

    def open_actions(self, live: Live, holds: Callable[[Any], bool]) -> list[str]:
        return live.engine.read(lambda state, now_us: [name for name, one in state.open.items() if holds(one)])

    def outcomes(self, step: str) -> dict[str, str]:
        found = {}
        for _, entry in self.entries():
            if isinstance(entry, Finished) and entry.action.split("/")[1] == step:
                found[entry.action] = entry.outcome
        return found

    def began(self, action: str) -> bool:
        log = Folders(self.root / "fleet").log(action.partition("/")[0])
        return log.exists() and f"begin {action}" in " ".join(log.read_text().split())


@pytest.mark.slow
def test_an_engine_that_dies_at_every_point_of_an_actions_life_starts_nothing_twice(tmp_path: Path) -> None:
    with ground(tmp_path) as root:
        incident = Incident(root)

        live = incident.open()
        incident.begin(live)
        wait_until(lambda: incident.open_actions(live, lambda one: one.step == "preserve" and not one.dispatched))
        gathered = incident.open_actions(live, lambda one: one.step == "preserve" and not one.dispatched)
        live.close()

        live = incident.open()
        wait_until(lambda: incident.outcomes("preserve").keys() >= set(gathered))
        wait_until(lambda: incident.open_actions(live, lambda one: one.step == "restore" and one.dispatched))
        running = incident.open_actions(live, lambda one: one.step == "restore" and one.dispatched)
        assert live.close() >= 1, "a runner goes on by itself"

        live = incident.open()
        wait_until(lambda: incident.outcomes("restore").keys() >= set(running))
        assert {incident.outcomes("restore")[action] for action in running} == {"ok"}

        runs: list[int] = []  # of restores that have begun, read at once: on a busy machine one ends between two looks

        def restoring() -> list[int]:
            more = live.engine.read(
                lambda state, now_us: {
                    name: one.dispatched for name, one in state.open.items() if one.step == "restore"
                }
            )
            runs[:] = [seq for action, seq in more.items() if seq and incident.began(action)]
            return runs

        wait_until(restoring)
        live.close()
        run_dir = root / "state" / "runs" / str(runs[0])
        processes.end_all(invocation.read(run_dir).invocation)
        wait_until(lambda: invocation.condition(run_dir) != "running")

        live = incident.open()
        wait_until(
            lambda: len([h for h, how in _restored(incident).items() if how == "ok"]) == len(incident.fleet.hosts)
        )
        live.close()

        entries = incident.entries()
        dispatches = [action for _, one in entries if isinstance(one, Dispatched) for action in one.actions]
        assert len(dispatches) == len(set(dispatches)), "an action is dispatched once"
        ends = [one.action for _, one in entries if isinstance(one, Finished | Lost | Cancelled)]
        assert len(ends) == len(set(ends)), "and ends once"
        assert ledger.read(root / "fleet", incident.fleet, []).started_twice == ()
        lost = {one.action for _, one in entries if isinstance(one, Lost) and one.action.split("/")[1] == "restore"}
        again = {one.action: one.supersedes for _, one in entries if isinstance(one, Issue) and one.supersedes}
        assert set(again.values()) == lost
        for action, superseded in again.items():
            words = Folders(root / "fleet").log(action.partition("/")[0]).read_text().splitlines()
            assert any(line.startswith(f"begin {action} ") and line.endswith(f" {superseded}") for line in words)
        assert not [thread.name for thread in threading.enumerate() if thread.name == "engine"]


def _restored(incident: Incident) -> dict[str, str]:
    """The outcome of each host's last restore."""
    return {action.partition("/")[0]: how for action, how in incident.outcomes("restore").items()}
