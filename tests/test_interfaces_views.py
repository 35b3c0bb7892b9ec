"""What status says of a hospital from the first minute to the laboratory's return."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.interfaces.documents import Status, Wave
from orchestrator.interfaces.metrics import measure
from orchestrator.interfaces.texts import status_text
from orchestrator.interfaces.views import HOUR_US, WAITS_MAX, status
from orchestrator.interfaces.views_people import queue, why
from tests.live_hospital import Hospital, hospital

SCHEMA: TypeAdapter[Status] = TypeAdapter(Status)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path / "state") as found:
        yield found


def seen(here: Hospital) -> Status:
    """The status, proven to be of its schema with nothing beside it."""
    found = here.engine.read(status)
    assert SCHEMA.validate_python(found, strict=True) == found
    return found


def wave(found: Status, name: str) -> Wave:
    return next(one for one in found["waves"] if one["name"] == name)


def test_before_anybody_signed_every_host_is_blocked_and_nothing_is_launched(here: Hospital) -> None:
    found = seen(here)
    assert found["hosts"]["blocked"] == 14
    assert {one["state"] for one in found["waves"]} == {"not_launched"}
    assert {word for one in found["functions"] for word in one["sites"].values()} == {"stopped"}
    assert found["records"] == 2
    assert found["waits"] == []


def test_every_stage_is_named_even_where_no_host_stands(here: Hospital) -> None:
    assert sum(seen(here)["hosts"].values()) == 14
    assert seen(here)["hosts"]["excluded"] == 0


def test_an_open_wave_says_which_services_its_gate_lacks_and_who_can_lift_it(here: Hospital) -> None:
    here.open_incident()
    here.order("wave.launch", "foundations", "operator-1")
    found = wave(seen(here), "foundations")
    assert found["state"] == "open"
    assert {(one["code"], one["subject"]) for one in found["waits"]} == {
        ("service", "ad"),
        ("service", "dns"),
        ("service", "backup"),
    }
    assert all(one["who"] for one in found["waits"])


def test_a_wave_that_is_not_launched_does_not_list_what_its_gate_lacks(here: Hospital) -> None:
    assert wave(seen(here), "laboratory/slice")["waits"] == []


def test_hosts_that_wait_for_the_same_thing_are_counted_together(here: Hospital) -> None:
    here.open_incident()
    here.quarantined("foundations")
    waits = seen(here)["waits"]
    assert len(waits) <= WAITS_MAX
    assert sum(one["hosts"] for one in waits) <= 3
    assert all(one["example"] in ("ad-1", "ad-2", "backup-1") for one in waits)


def test_the_foundations_pass_their_gate_and_say_when(here: Hospital) -> None:
    here.open_incident()
    here.bring_back("foundations")
    found = wave(seen(here), "foundations")
    assert (found["state"], found["in_service"], found["hosts"]) == ("passed", 3, 3)
    assert 0 < found["launched_us"] <= found["passed_us"]
    assert found["waits"] == []


def test_a_held_wave_says_so_and_why(here: Hospital) -> None:
    here.open_incident()
    here.order("wave.launch", "foundations", "operator-1")
    here.order("wave.hold", "foundations", "crisis-1")
    assert wave(seen(here), "foundations")["state"] == "held"
    assert wave(seen(here), "foundations")["holds"] == ["order"]
    here.order("wave.resume", "foundations", "operator-1")
    assert wave(seen(here), "foundations")["state"] == "open"


def test_a_freeze_is_shown_with_what_it_stops(here: Hospital) -> None:
    here.open_incident()
    here.order("freeze", "all", "operator-1", all_work=True)
    here.order("freeze", "site:north", "operator-1")
    assert seen(here)["frozen"] == {"all": "all-work", "site:north": "reconnect"}


def test_a_pool_shows_what_is_taken_of_it_at_each_site(here: Hospital) -> None:
    here.hands.hangs.add("preserve")
    here.open_incident()
    found = seen(here)
    taken = {(one["pool"], one["site"]): (one["in_use"], one["size"]) for one in found["pools"]}
    assert taken["evidence", ""] == (4, 4)
    assert {site for pool, site in taken if pool == "benches"} == {"north", "south"}
    assert found["under_way"]["preserve"] == 4


def test_hosts_that_came_back_in_the_last_hour_are_counted_once_though_their_checks_fail_and_pass_again(
    here: Hospital,
) -> None:
    here.open_incident()
    here.bring_back("foundations")
    rates = seen(here)["rates"]
    assert (rates["in_service_last_hour"], rates["in_service_last_day"]) == (3, 3)
    assert rates["hosts_an_hour"] >= 3, "the pace since the first launch, minutes ago"
    here.read_everything(1, "FAIL")
    assert seen(here)["rates"]["in_service_last_hour"] == 3
    entered = here.engine.read(lambda state, now_us: list(state.in_service_us))
    here.read_everything(1)
    assert here.engine.read(lambda state, now_us: list(state.in_service_us)) == entered
    later = here.engine.read(lambda state, now_us: status(state, now_us + 2 * HOUR_US))["rates"]
    assert later == {"hosts_an_hour": 0, "in_service_last_hour": 0, "in_service_last_day": 3}


def test_before_anything_is_launched_nothing_comes_back_in_an_hour(here: Hospital) -> None:
    assert seen(here)["rates"]["hosts_an_hour"] == 0


def test_a_host_restored_from_media_owes_an_inspection_and_status_says_until_when(here: Hospital) -> None:
    here.open_incident()
    here.quarantined("foundations")
    here.judge_everyone()
    here.read_everything(1)
    owed = seen(here)["obligations"]
    assert {one["host"] for one in owed} == {"ad-1", "ad-2", "backup-1"}
    assert not any(one["overdue"] for one in owed)
    assert all("offline" in one["cause"] for one in owed)


def test_an_exception_is_seen_in_status_why_queue_and_metrics(here: Hospital) -> None:
    here.open_incident()
    here.hands.hangs.add("reconnect")
    here.quarantined("foundations")
    here.judge("CLEAN", "analyst-1", "ad-1")
    until_us = here.engine.read(lambda state, now_us: now_us) + HOUR_US
    here.order("host.exception", "ad-1", "operator-2", "crisis-1", until_us=until_us)
    (excepted,) = seen(here)["exceptions"]
    assert excepted["host"] == "ad-1"
    assert excepted["until_us"] == until_us
    assert here.engine.read(lambda state, now_us: why(state, now_us, "ad-1"))["exception_until_us"] == until_us
    waiting = {one["host"]: one["exception_until_us"] for one in here.engine.read(queue)["hosts"]}
    assert waiting == {"ad-2": 0, "backup-1": 0}, "its seats are filled"
    told = here.engine.read(lambda state, now_us: measure(state, now_us))
    assert [one.samples[0].value for one in told if one.name == "relance_exceptions"] == [1]
    assert "ad-1: EXCEPTION until" in status_text(seen(here))


def test_a_host_whose_every_strategy_failed_is_listed_among_the_failed(here: Hospital) -> None:
    here.open_incident()
    here.quarantined("foundations")
    here.judge("INFECTED", "analyst-1", "ad-1")
    here.order("task.done", "ad-1/replace", "technician-1")
    here.order("task.done", "ad-1/replace", "operator-1")
    here.sweep()
    here.judge("INFECTED", "analyst-2", "ad-1")
    assert seen(here)["failed"] == ["ad-1"]


def test_an_order_that_waits_for_a_second_person_is_counted(here: Hospital) -> None:
    here.open_incident()
    here.order("host.exclude", "lis-2", "operator-1")
    assert seen(here)["orders_waiting"] == 1
