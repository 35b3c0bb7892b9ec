"""Issued actions become invocations: gathered, written down before they start, and stopped as long as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Dispatched, Event, Finished, Lost
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import BATCH_MAX, Dispatcher, Places, event_of, playbook_of, request_of, sweep_of
from orchestrator.plans.model import Content, Inspection, Playbooks, StepTimes
from orchestrator.plans.waves import derive
from orchestrator.workers import invocation
from orchestrator.workers.ansible import AnsibleWorker
from orchestrator.workers.base import Outcome, Request
from orchestrator.workers.script import ON_DISK, RUNNING
from orchestrator.workers.ssh import InspectionWorker
from tests.estates import small_estate
from tests.managed_hosts import wait_until

SECOND = 1_000_000
NOW_US = 1_700_000_000 * SECOND
KEY = "ssh-ed25519 AAAA"


class Desk(AnsibleWorker):
    """Starts no runner; a test says how actions ended. Cancelling really marks the run folder."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted: list[Path] = []
        self.ended: list[Outcome] = []
        self.asked: set[str] = set()

    def submit(self, run_dir: Path, requests: Sequence[Request]) -> None:
        self.submitted.append(run_dir)

    def adopt(self, run_dir: Path) -> None:
        self.submitted.append(run_dir)

    def cancel(self, action: str) -> None:
        self.asked.add(action)

    def poll(self) -> list[Outcome]:
        ended, self.ended = self.ended, []
        return ended


@pytest.fixture
def state() -> State:
    content = small_estate()
    return State(Estate(content, derive(content)))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def dispatcher(tmp_path: Path, desk: Desk) -> Dispatcher:
    places = Places(tmp_path / "playbooks", tmp_path / "runs", tmp_path / "key", tmp_path / "known_hosts")
    places.runs.mkdir()
    return Dispatcher(places, desk, InspectionWorker(places.key, lambda document: ""))


def issue(host: str, step: str, attempt: int = 1, strategy: str = "") -> Issue:
    return Issue(f"{host}/{step}/{attempt}", host, step, strategy)


def hosts(state: State, count: int) -> list[str]:
    return [host.id for host in state.estate.content.inventory.hosts if host.kind == "server"][:count]


def commit(dispatcher: Dispatcher, *events: object, seq: int = 7) -> list[str]:
    """Journals the dispatches among the events, as the engine does; the actions of the last one."""
    actions: list[str] = []
    for event in events:
        if isinstance(event, Dispatched):
            dispatcher.dispatched(seq, State(Estate(small_estate(), derive(small_estate()))))
            actions, seq = event.actions, seq + 1
    dispatcher.committed()
    return actions


def test_what_is_ready_is_gathered_for_two_seconds_into_one_invocation(
    dispatcher: Dispatcher, state: State, desk: Desk, tmp_path: Path
) -> None:
    first, second = hosts(state, 2)
    dispatcher.issue(issue(first, "preserve"), state, NOW_US)
    assert dispatcher.poll(NOW_US + SECOND) == []
    dispatcher.issue(issue(second, "preserve"), state, NOW_US + SECOND)
    (event,) = dispatcher.poll(NOW_US + 2 * SECOND)
    assert event == Dispatched("preserve.yml", [f"{first}/preserve/1", f"{second}/preserve/1"])
    dispatcher.dispatched(7, state)
    asked = invocation.read(tmp_path / "runs" / "7")
    assert [request.host for request in asked.requests] == [first, second]
    assert desk.submitted == [], "nothing starts before the record is on disk"
    dispatcher.committed()
    assert desk.submitted == [tmp_path / "runs" / "7"]


def test_what_was_gathered_before_an_epoch_set_time_back_does_not_wait_for_days(
    dispatcher: Dispatcher, state: State
) -> None:
    (host,) = hosts(state, 1)
    dispatcher.issue(issue(host, "preserve"), state, NOW_US)
    assert commit(dispatcher, *dispatcher.poll(NOW_US - 3 * 86_400 * SECOND)) == [f"{host}/preserve/1"]


def test_different_playbooks_are_different_invocations(dispatcher: Dispatcher, state: State, desk: Desk) -> None:
    first, second = hosts(state, 2)
    dispatcher.issue(issue(first, "restore", strategy="restore"), state, NOW_US)
    dispatcher.issue(issue(second, "restore", strategy="reimage"), state, NOW_US)
    events = dispatcher.poll(NOW_US + 2 * SECOND)
    assert [event.playbook for event in events if isinstance(event, Dispatched)] == ["restore.yml", "reimage.yml"]
    commit(dispatcher, *events)
    assert [run_dir.name for run_dir in desk.submitted] == ["7", "8"]
    assert [invocation.read(run_dir).playbook for run_dir in desk.submitted] == ["restore.yml", "reimage.yml"]


def test_a_full_batch_does_not_wait_and_what_is_left_over_does(dispatcher: Dispatcher, state: State) -> None:
    (host,) = hosts(state, 1)
    for attempt in range(BATCH_MAX + 2):
        dispatcher.issue(issue(host, "preserve", attempt), state, NOW_US)
    assert len(commit(dispatcher, *dispatcher.poll(NOW_US))) == BATCH_MAX
    assert dispatcher.poll(NOW_US + SECOND) == []
    assert len(commit(dispatcher, *dispatcher.poll(NOW_US + 10 * SECOND), seq=9)) == 2


def test_while_its_playbook_runs_a_gathering_waits_for_its_end_or_ten_seconds(
    dispatcher: Dispatcher, state: State, desk: Desk
) -> None:
    first, second = hosts(state, 2)
    dispatcher.issue(issue(first, "preserve"), state, NOW_US)
    commit(dispatcher, *dispatcher.poll(NOW_US + 2 * SECOND))
    dispatcher.issue(issue(second, "preserve"), state, NOW_US + 3 * SECOND)
    assert dispatcher.poll(NOW_US + 9 * SECOND) == []
    desk.ended = [Outcome(f"{first}/preserve/1", "ok")]
    finished, dispatched = dispatcher.poll(NOW_US + 9 * SECOND)
    assert isinstance(finished, Finished)
    assert isinstance(dispatched, Dispatched)
    commit(dispatcher, dispatched, seq=8)
    dispatcher.issue(issue(first, "preserve", 2), state, NOW_US + 10 * SECOND)
    assert dispatcher.poll(NOW_US + 19 * SECOND) == []
    assert commit(dispatcher, *dispatcher.poll(NOW_US + 20 * SECOND), seq=20) == [f"{first}/preserve/2"]


def test_an_isolation_goes_at_once_and_waits_a_second_at_most_behind_another(
    dispatcher: Dispatcher, state: State
) -> None:
    (host,) = hosts(state, 1)
    dispatcher.issue(Issue("north/isolate/1", "north", "isolate"), state, NOW_US)
    assert commit(dispatcher, *dispatcher.poll(NOW_US)) == ["north/isolate/1"]
    dispatcher.issue(issue(host, "isolate"), state, NOW_US)
    assert dispatcher.poll(NOW_US + SECOND - 1) == []
    assert commit(dispatcher, *dispatcher.poll(NOW_US + SECOND), seq=8) == [f"{host}/isolate/1"]


def test_an_action_cancelled_while_it_gathers_is_taken_back_and_never_dispatched(
    dispatcher: Dispatcher, state: State, desk: Desk
) -> None:
    first, second = hosts(state, 2)
    for host in (first, second):
        dispatcher.issue(issue(host, "reconnect"), state, NOW_US)
    dispatcher.cancel(Cancel(f"{first}/reconnect/1", "held"))
    cancelled, dispatched = dispatcher.poll(NOW_US + 2 * SECOND)
    assert cancelled == Cancelled(f"{first}/reconnect/1")
    assert dispatched == Dispatched("reconnect.yml", [f"{second}/reconnect/1"])
    assert dispatcher.poll(NOW_US + 2 * SECOND) == []
    assert desk.asked == set()


def test_the_last_action_cancelled_leaves_nothing_to_dispatch(dispatcher: Dispatcher, state: State) -> None:
    (host,) = hosts(state, 1)
    dispatcher.issue(issue(host, "reconnect"), state, NOW_US)
    dispatcher.cancel(Cancel(f"{host}/reconnect/1", "held"))
    assert dispatcher.poll(NOW_US + 60 * SECOND) == [Cancelled(f"{host}/reconnect/1")]


def test_an_action_cancelled_between_its_gathering_and_its_record_is_skipped_by_its_run(
    dispatcher: Dispatcher, state: State, desk: Desk
) -> None:
    (host,) = hosts(state, 1)
    dispatcher.issue(issue(host, "reconnect"), state, NOW_US)
    events = dispatcher.poll(NOW_US + 2 * SECOND)
    dispatcher.cancel(Cancel(f"{host}/reconnect/1", "held"))
    assert desk.asked == set(), "its run is not there yet"
    commit(dispatcher, *events)
    assert desk.asked == {f"{host}/reconnect/1"}


def test_a_dispatched_action_that_is_cancelled_is_its_runs_to_skip(
    dispatcher: Dispatcher, state: State, desk: Desk
) -> None:
    (host,) = hosts(state, 1)
    dispatcher.issue(issue(host, "reconnect"), state, NOW_US)
    commit(dispatcher, *dispatcher.poll(NOW_US + 2 * SECOND))
    dispatcher.cancel(Cancel(f"{host}/reconnect/1", "held"))
    assert desk.asked == {f"{host}/reconnect/1"}
    assert dispatcher.poll(NOW_US + 3 * SECOND) == [], "only the run knows whether it had begun"


def test_results_of_an_adopted_run_that_the_journal_holds_are_not_told_again(
    dispatcher: Dispatcher, state: State, desk: Desk, tmp_path: Path
) -> None:
    first, second = hosts(state, 2)
    for host in (first, second):
        dispatcher.issue(issue(host, "preserve"), state, NOW_US)
    commit(dispatcher, *dispatcher.poll(NOW_US + 2 * SECOND))
    dispatcher.adopt(tmp_path / "runs" / "7", told=frozenset({f"{first}/preserve/1"}))
    desk.ended = [Outcome(f"{first}/preserve/1", "ok"), Outcome(f"{second}/preserve/1", "ok")]
    (event,) = dispatcher.poll(NOW_US + 3 * SECOND)
    assert event == Finished(f"{second}/preserve/1", "ok", "", {})


def test_an_inspection_goes_to_no_playbook_and_its_end_is_heard(dispatcher: Dispatcher, state: State) -> None:
    (host,) = hosts(state, 1)
    dispatcher.issue(issue(host, "inspect"), state, NOW_US)
    events: list[Event] = []
    wait_until(lambda: events.extend(dispatcher.poll(NOW_US)) or events)
    assert [one.action for one in events if isinstance(one, Finished)] == [f"{host}/inspect/1"]
    dispatcher.close()


def test_an_inspection_may_take_as_long_as_its_own_class_says(state: State) -> None:
    base = small_estate()
    patient = base.classes[0].limit_s.model_copy(update={"inspect": 7200})
    content = base.model_copy(
        update={"classes": (base.classes[0].model_copy(update={"limit_s": patient}), *base.classes[1:])}
    )
    state = State(Estate(content, derive(content)))
    of_class = {host.klass: host.id for host in content.inventory.hosts}
    limits = {klass: request_of(state, issue(host, "inspect")).limit_s for klass, host in of_class.items()}
    assert limits == {one.id: one.limit_s.inspect for one in content.classes}
    assert sorted(limits.values())[-2] < 7200


def test_a_run_may_take_as_long_as_its_slowest_action(tmp_path: Path, desk: Desk) -> None:
    base = small_estate()
    slow = base.classes[0].model_copy(
        update={"limit_s": StepTimes(**{**dict(base.classes[0].limit_s), "preserve": 999})}
    )
    content = base.model_copy(update={"classes": (slow, *base.classes[1:])})
    state = State(Estate(content, derive(content)))
    places = Places(tmp_path / "playbooks", tmp_path / "runs", tmp_path / "key", tmp_path / "known_hosts")
    dispatcher = Dispatcher(places, desk, InspectionWorker(places.key, lambda document: ""))
    for host in content.inventory.hosts:
        dispatcher.issue(issue(host.id, "preserve"), state, NOW_US)
    commit(dispatcher, *dispatcher.poll(NOW_US + 2 * SECOND))
    assert invocation.read(tmp_path / "runs" / "7").limit_s == 999


def with_login(content: Content, klass: str, **login: str) -> Content:
    """The same estate where one class logs in otherwise."""
    changed = [
        one.model_copy(update={"login": one.login.model_copy(update=login)}) if one.id == klass else one
        for one in content.classes
    ]
    return content.model_copy(update={"classes": tuple(changed)})


def test_an_action_whose_words_no_shell_may_see_fails_alone_and_the_others_go_on(dispatcher: Dispatcher) -> None:
    content = with_login(small_estate(), "first-server", user="$(reboot)")
    state = State(Estate(content, derive(content)))
    (bad,) = hosts(state, 1)
    good = next(host.id for host in content.inventory.hosts if host.kind == "workstation")
    for host in (bad, good):
        dispatcher.issue(issue(host, "preserve"), state, NOW_US)
    failed, dispatched = dispatcher.poll(NOW_US + 2 * SECOND)
    assert isinstance(failed, Finished)
    assert (failed.action, failed.outcome) == (f"{bad}/preserve/1", "failed")
    assert "$(reboot)" in failed.sentence
    assert dispatched == Dispatched("preserve.yml", [f"{good}/preserve/1"])


def test_a_run_folder_that_a_disk_spoilt_before_its_start_is_lost_and_stops_nothing(
    state: State, tmp_path: Path
) -> None:
    places = Places(tmp_path / "playbooks", tmp_path / "runs", tmp_path / "key", tmp_path / "known_hosts")
    dispatcher = Dispatcher(places, AnsibleWorker(), InspectionWorker(places.key, lambda document: ""))
    (host,) = hosts(state, 1)
    dispatcher.issue(issue(host, "preserve"), state, NOW_US)
    dispatcher.poll(NOW_US + 2 * SECOND)
    dispatcher.dispatched(7, state)
    (places.runs / "7" / "request.json").write_text("{")
    dispatcher.committed()
    assert dispatcher.poll(NOW_US + 2 * SECOND) == [Lost(f"{host}/preserve/1")]
    assert dispatcher.live() == 0


# what a worker is told, and what its answer means


def test_a_network_action_goes_to_the_gate_and_a_host_action_to_the_management_path(state: State) -> None:
    (host,) = hosts(state, 1)
    place = next(one for one in state.estate.content.inventory.hosts if one.id == host)
    site = next(one for one in state.estate.content.inventory.sites if one.id == place.site)
    reconnect, restore = (request_of(state, issue(host, step)) for step in ("reconnect", "restore"))
    assert ":".join(map(str, reconnect.endpoint)) == site.gate
    assert reconnect.management_user == site.gate_user
    assert restore.endpoint[0] == place.management


def test_the_key_a_restore_brought_and_the_mark_it_replaces_travel_with_the_request(state: State) -> None:
    (host,) = hosts(state, 1)
    state.host_key[state.estate.host_number[host]] = f"{KEY} root@{host}"
    command = Issue(f"{host}/restore/2", host, "restore", "reimage", f"{host}/restore/1")
    request = request_of(state, command)
    assert (request.host_key, request.strategy, request.supersedes) == (KEY, "reimage", f"{host}/restore/1")


def test_a_restore_is_told_the_first_compromise_that_its_point_must_be_older_than(state: State) -> None:
    (host,) = hosts(state, 1)
    command = issue(host, "restore", strategy="restore")
    assert request_of(state, command).before_us == 0
    state.facts["t0"] = {"at_us": 77}
    assert request_of(state, command).before_us == 77


def test_a_whole_site_is_isolated_at_its_gate_by_the_common_playbook(state: State) -> None:
    command = Issue("north/isolate/1", "north", "isolate")
    request = request_of(state, command)
    assert (request.host, request.target, playbook_of(state, command)) == ("", "north", "isolate.yml")


def test_each_class_brings_its_own_playbooks() -> None:
    base = small_estate()
    own = Playbooks(restore="restore_windows.yml", isolate="port_down.yml")
    content = base.model_copy(
        update={"classes": tuple(one.model_copy(update={"playbooks": own}) for one in base.classes)}
    )
    state = State(Estate(content, derive(content)))
    (host,) = hosts(state, 1)
    assert playbook_of(state, issue(host, "restore", strategy="restore")) == "restore_windows.yml"
    assert playbook_of(state, issue(host, "restore", strategy="replace")) == "reimage.yml"
    assert playbook_of(state, issue(host, "isolate")) == "port_down.yml"


def test_every_outcome_has_its_event() -> None:
    assert event_of(Outcome("a", "lost", "nobody knows")) == Lost("a")
    assert event_of(Outcome("a", "cancelled")) == Cancelled("a")
    assert event_of(Outcome("a", "ok", "", {"digest": "d"})) == Finished("a", "ok", "", {"digest": "d"})
    told = event_of(Outcome("a", "failed", "x" * 900))
    assert isinstance(told, Finished)
    assert len(told.sentence) == 500


def test_facts_that_no_record_can_hold_are_a_failure_that_says_so() -> None:
    told = event_of(Outcome("a", "ok", "", {"ratio": 0.5}))  # type: ignore[dict-item]
    assert isinstance(told, Finished)
    assert (told.outcome, told.facts) == ("failed", {})
    assert "cannot be recorded" in told.sentence


def test_below_another_root_an_inspection_asks_the_disk_alone() -> None:
    content = small_estate()
    whole = sweep_of(State(Estate(content, derive(content))))
    assert {*ON_DISK, *RUNNING} == set(whole.lists)
    below = content.restart.model_copy(update={"inspection": Inspection(root="/mnt/disk")})
    classes = (content.classes[0].model_copy(update={"edr": "sentinel"}), *content.classes[1:])
    content = content.model_copy(update={"restart": below, "classes": classes})
    found = sweep_of(State(Estate(content, derive(content))))
    assert set(found.lists) == set(ON_DISK)
    assert found.edr == {content.classes[0].id: "sentinel"}
