"""What analysts, technicians and signers are shown: the right work first, and nobody else's opinion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.decision.orders import KINDS
from orchestrator.errors import UsageError
from orchestrator.interfaces.documents import EvidenceKept, Kind, Order, Queue, Task, Why
from orchestrator.interfaces.views_people import evidence_kept, kinds, queue, tasks, waiting_orders, why
from tests.estates import small_estate, with_tier0_tasks
from tests.live_hospital import INDICATORS, NOW, Hospital, evidence_of, hospital, quick, roster


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path / "state") as found:
        yield found


@pytest.fixture
def inspected(here: Hospital) -> Hospital:
    """The foundations stand in quarantine, inspected, and wait for verdicts."""
    here.open_incident()
    here.quarantined("foundations")
    return here


def shown(here: Hospital) -> Queue:
    found = here.engine.read(queue)
    assert TypeAdapter(Queue).validate_python(found, strict=True) == found
    return found


def asked(here: Hospital, host: str) -> Why:
    found = here.engine.read(lambda state, now_us: why(state, now_us, host))
    assert TypeAdapter(Why).validate_python(found, strict=True) == found
    return found


def orders_of(here: Hospital) -> list[Order]:
    found = here.engine.read(waiting_orders)
    assert TypeAdapter(list[Order]).validate_python(found, strict=True) == found
    return found


def tasks_of(here: Hospital, site: str = "") -> list[Task]:
    found = here.engine.read(lambda state, now_us: tasks(state, now_us, site))
    assert TypeAdapter(list[Task]).validate_python(found, strict=True) == found
    return found


def test_a_blocked_host_says_what_it_waits_for_and_who_can_lift_it(here: Hospital) -> None:
    found = asked(here, "ad-1")
    assert (found["stage"], found["connection"], found["wave"]) == ("blocked", "unknown", "foundations")
    assert [one["code"] for one in found["reasons"]] == ["isolation"]
    assert found["reasons"][0]["who"]


def test_a_host_nobody_knows_is_answered_in_a_sentence(here: Hospital) -> None:
    with pytest.raises(UsageError, match="There is no host ad-9"):
        asked(here, "ad-9")


def test_an_action_under_way_is_named(here: Hospital) -> None:
    here.hands.hangs.add("preserve")
    here.open_incident()
    assert asked(here, "ad-1")["under_way"] == ["ad-1/preserve/1"]


def test_the_queue_names_the_inspection_its_evidence_and_the_set_to_judge_by(inspected: Hospital) -> None:
    found = shown(inspected)
    assert found["indicator_set"] == INDICATORS
    seat = next(one for one in found["hosts"] if one["host"] == "ad-1")
    assert seat["inspection"] == "ad-1/inspect/1"
    assert seat["evidence"] == evidence_of("ad-1/inspect/1")
    assert (seat["seats_open"], seat["claims"], seat["marker"]) == (2, [], False)
    assert seat["services"] == ["ad", "dns"]


def test_what_unblocks_most_stands_first(inspected: Hospital) -> None:
    urgency = inspected.engine.read(lambda state, _: {h: state.urgency[n] for h, n in state.estate.host_number.items()})
    hosts = [one["host"] for one in shown(inspected)["hosts"]]
    assert len(hosts) == 3
    assert hosts == sorted(hosts, key=urgency.__getitem__)


def test_a_claim_takes_a_seat_and_names_its_holder(inspected: Hospital) -> None:
    inspected.order("claim", "ad-1", "analyst-1")
    seat = next(one for one in shown(inspected)["hosts"] if one["host"] == "ad-1")
    assert seat["seats_open"] == 1
    assert [claim["person"] for claim in seat["claims"]] == ["analyst-1"]
    assert seat["claims"][0]["until_us"] > NOW.now_us()


def test_the_second_reader_does_not_see_what_the_first_one_said(inspected: Hospital) -> None:
    inspected.judge("CLEAN", "analyst-1", "ad-1")
    found = shown(inspected)
    assert "ad-1" in [one["host"] for one in found["hosts"]]
    assert "analyst-1" not in json.dumps(found)
    assert "CLEAN" not in json.dumps(found)


def test_a_host_with_all_its_verdicts_leaves_the_queue(inspected: Hospital) -> None:
    inspected.judge("CLEAN", "analyst-1", "backup-1")
    inspected.judge("CLEAN", "analyst-2", "backup-1")
    assert "backup-1" not in inspected.seats()


def test_a_host_that_owes_an_inspection_stands_behind_those_that_must_still_come_out(tmp_path: Path) -> None:
    with hospital(tmp_path / "state") as here:
        here.open_incident()
        here.bring_back("foundations")
        here.quarantined("laboratory/slice")
        found = shown(here)["hosts"]
        owed = [one["owed"] for one in found]
        assert owed == sorted(owed)


def test_a_gates_task_opens_when_its_services_pass_and_is_listed_with_who_does_it(tmp_path: Path) -> None:
    content = with_tier0_tasks(small_estate(timing=quick()), wait_s=3600)
    with hospital(tmp_path / "state", content) as here:
        here.open_incident()
        assert tasks_of(here) == []
        here.bring_back("foundations")
        (task,) = tasks_of(here)
        assert (task["task"], task["by"], task["status"], task["confirm"]) == (
            "ad/krbtgt-1",
            "operator",
            "open",
            "two-persons",
        )
        assert task["site"] == "", "the hosts of AD stand at two sites"
        here.order("task.claim", "ad/krbtgt-1", "operator-2")
        (task,) = tasks_of(here)
        assert (task["status"], task["claimed_by"], task["reported_by"]) == ("open", "operator-2", "")
        assert task["claimed_until_us"] > NOW.now_us()
        here.order("task.done", "ad/krbtgt-1", "operator-1")
        (task,) = tasks_of(here)
        assert (task["status"], task["reported_by"], task["claimed_by"]) == ("reported", "operator-1", "")
        here.order("task.done", "ad/krbtgt-1", "operator-2")
        assert tasks_of(here) == []


def test_a_machine_to_replace_is_a_task_at_the_place_of_its_host(here: Hospital) -> None:
    here.open_incident()
    here.quarantined("foundations")
    here.judge("INFECTED", "analyst-1", "ad-2")
    (task,) = tasks_of(here, "south")
    assert (task["task"], task["site"], task["by"]) == ("ad-2/replace", "south", "technician")
    assert "ad-2" in task["name"]
    assert "ad-2" in task["name_fr"]
    assert tasks_of(here, "north") == []


def test_tasks_of_a_site_nobody_knows_are_a_sentence(here: Hospital) -> None:
    with pytest.raises(UsageError, match="There is no site moon"):
        tasks_of(here, "moon")


def test_the_genesis_waits_for_its_second_signature_before_there_is_a_roster(here: Hospital) -> None:
    here.order("genesis", "roster", "operator-1", **roster())
    (waiting,) = orders_of(here)
    assert waiting["persons"] == ["operator-1"]
    assert len(waiting["missing_roles"]) == 1
    assert "analyst" in waiting["missing_roles"][0]


def test_a_waiting_order_says_whose_role_is_missing(here: Hospital) -> None:
    here.open_incident()
    here.order("fact.outside", "reference-lab", "operator-1")
    (waiting,) = orders_of(here)
    assert waiting["missing_roles"] == [["analyst", "it_director"]]
    here.sign(here.text("freeze", "all"), "operator-1")
    assert [one["kind"] for one in orders_of(here)] == ["fact.outside"]


def test_every_kind_of_order_is_listed_with_its_persons() -> None:
    found = kinds()
    assert TypeAdapter(list[Kind]).validate_python(found, strict=True) == found
    assert {one["kind"] for one in found} == set(KINDS)
    assert {"kind": "thaw", "seats": [["operator"], ["crisis", "it_director", "operator"]], "note": ""} in found


def test_the_evidence_of_every_inspected_host_is_told_with_the_verdicts_that_count(inspected: Hospital) -> None:
    inspected.order("freeze", "all", "operator-1")
    before = inspected.engine.read(evidence_kept)
    host = inspected.seats()[0]
    inspected.judge("CLEAN", "analyst-1", host)
    found = inspected.engine.read(evidence_kept)
    assert TypeAdapter(EvidenceKept).validate_python(found, strict=True) == found
    assert found["indicator_set"] == INDICATORS
    counts = {one["host"]: (one["verdicts"], one["verdicts_required"]) for one in found["hosts"]}
    assert counts[host] == (1, 2)
    assert {one["host"]: one["evidence"] for one in before["hosts"]}[host] == evidence_of(f"{host}/inspect/1")
    every = inspected.engine.read(lambda state, now_us: len(state.stage))
    assert found["hosts_without"] == every - len(found["hosts"])
