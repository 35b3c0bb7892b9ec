"""The commands that look, against a live hospital: what people read, and the same as documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.interfaces import documents as d
from tests.command_line import Keyboard, Terminal, terminal
from tests.estates import small_estate, with_tier0_tasks
from tests.live_hospital import quick


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    content = with_tier0_tasks(small_estate(timing=quick()), wait_s=3600)
    with terminal(tmp_path, capsys, content) as found:
        yield found


def test_status_names_the_open_wave_and_what_its_gate_lacks(here: Terminal) -> None:
    here.here.quarantined("foundations")
    said = here.types("status")
    assert said.code == 0
    assert "foundations: open, 0 of 3 in service" in said.out
    assert "ad is not in service." in said.out
    assert "not launched: laboratory/slice" in said.out
    found = here.types.json("status").document
    assert TypeAdapter(d.Status).validate_python(found) == found


def test_why_says_what_is_missing_and_who_can_lift_it(here: Terminal) -> None:
    here.here.quarantined("foundations")
    said = here.types("why", "ad-1")
    assert "ad-1: inspected, quarantined" in said.out
    assert "2 more verdict(s) CLEAN are missing. Who can lift it: analysts." in said.out
    assert here.types.json("why", "ad-1").document["stage"] == "inspected"
    assert here.types("why", "ad-9").code == 2


def test_exposure_names_whom_an_infected_server_reached_and_isolates_nobody(here: Terminal) -> None:
    here.here.bring_back("foundations")
    said = here.types("exposure", "ad-1")
    assert said.code == 0
    assert "ad-1 (in service) may have infected, or shares its infection with:" in said.out
    assert "backup-1: uses dns" in said.out
    assert "Not examined: traffic that no need and no interface declares" in said.out
    assert "Nothing was isolated." in said.out
    found = here.types.json("exposure", "ad-1", "--distance", "2").document
    assert {one["host"] for one in found["hosts"]} >= {"backup-1"}
    assert here.types("status").out.count("isolate") == 0
    assert here.types("exposure", "ad-9").code == 2


def test_who_is_exposed_and_connected_is_isolated_by_orders_that_were_drafted_and_people_give(
    here: Terminal, tmp_path: Path
) -> None:
    here.here.bring_back("foundations")
    drafts = tmp_path / "drafts"
    said = here.types("exposure", "ad-1", "--orders", str(drafts), "--of", "backup-1")
    assert said.code == 0
    assert "It stops backup: a second person must sign." in said.err
    assert "Isolating stops backup" in said.out
    (draft,) = drafts.iterdir()
    order = json.loads(draft.read_bytes())
    assert (order["kind"], order["subject"], order["args"]) == ("host.isolate", "backup-1", {"stops": ["backup"]})
    assert here.here.stage("backup-1") == "in_service", "a draft isolates nobody"
    first = here.signs("analyst-1", "order", "give", str(draft))
    assert first.code == 4
    assert here.signs("it-director", "order", "sign", first.document["error"]["facts"]["order"]).code == 0
    here.here.settle()
    assert here.here.stage("backup-1") != "in_service"


def test_only_who_is_exposed_and_connected_is_drafted_for(here: Terminal, tmp_path: Path) -> None:
    here.here.bring_back("foundations")
    assert here.types("exposure", "ad-1", "--orders", str(tmp_path / "drafts")).code == 0
    drafted = {one.name for one in (tmp_path / "drafts").iterdir()}
    listed = here.types.json("exposure", "ad-1").document["hosts"]
    assert drafted == {f"isolate-{one['host']}.json" for one in listed if one["out"]} != set()
    said = here.types("exposure", "ad-1", "--orders", str(tmp_path / "drafts"), "--of", "pacs-1")
    assert (said.code, said.err.count("pacs-1 is not connected")) == (2, 1)
    (tmp_path / "file").touch()
    assert here.types("exposure", "ad-1", "--orders", str(tmp_path / "file")).code == 2
    assert here.signs("analyst-1", "order", "give", str(tmp_path / "nowhere")).code == 2


def test_the_queue_is_a_table_with_the_most_pressing_host_first(here: Terminal) -> None:
    assert here.types("queue").out == "No host waits for a verdict.\n"
    here.here.quarantined("foundations")
    lines = here.types("queue").out.splitlines()
    assert lines[0].split() == ["host", "wave", "seats", "claimed", "by", "inspection", "evidence"]
    assert lines[1].split()[0] == "1"
    assert len(here.types.json("queue").document["hosts"]) == 3


def test_tasks_print_as_a_sheet_with_room_for_a_hand(here: Terminal) -> None:
    assert here.types("tasks").out == "No task is open.\n"
    here.here.bring_back("foundations")
    sheet = here.types("tasks").out
    assert "[ ] ad/krbtgt-1: Reset krbtgt" in sheet
    assert "a second person confirms" in sheet
    assert "done at ________ by" in sheet
    assert [one["task"] for one in here.types.json("tasks", "--site", "north").document] == ["ad/krbtgt-1"]
    assert here.types("tasks", "--site", "moon").code == 2


def test_orders_that_wait_say_whom_they_need_and_how_to_sign(here: Terminal) -> None:
    assert here.types("orders").out == "No order waits for a signature.\n"
    here.here.order("host.exclude", "lis-2", "operator-1")
    said = here.types("orders").out
    assert "host.exclude" in said
    assert "crisis|it_director|operator" in said
    assert "relance order sign" in said
    assert len(here.types.json("orders").document) == 1


def test_the_kinds_of_orders_need_no_live_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    types = Keyboard(capsys, "--state", str(tmp_path))
    assert "operator + analyst|it_director" in types("orders", "--kinds").out
    assert "2 persons when it stops a service" in types("orders", "--kinds").out
    assert {"kind": "claim", "seats": [["analyst"]], "note": ""} in types.json("orders", "--kinds").document
    assert types("orders").code == 2
