"""A function at a site is stopped, on paper, degraded or back, and each word means one thing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Reading
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.interfaces.documents import Function
from orchestrator.interfaces.metrics import measure
from orchestrator.interfaces.views_functions import functions
from orchestrator.plans.waves import derive
from tests.estates import function, small_estate, with_functions
from tests.live_hospital import Hospital, hospital


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path / "state") as found:
        found.open_incident()
        found.bring_back("foundations")
        yield found


def laboratory(here: Hospital) -> Function:
    return here.engine.read(lambda state, now_us: functions(state))[0]


def test_a_function_nobody_has_launched_is_stopped(here: Hospital) -> None:
    assert laboratory(here)["sites"] == {"north": "stopped"}
    assert laboratory(here)["ready_percent"] == 0


def test_once_its_slice_is_launched_the_ward_works_on_paper(here: Hospital) -> None:
    here.hands.hangs.add("reconnect")
    here.order("wave.launch", "laboratory/slice", "operator-1")
    assert laboratory(here)["sites"] == {"north": "paper"}


def test_it_is_back_when_its_gate_passed_and_its_posts_work(here: Hospital) -> None:
    here.bring_back("laboratory/slice")
    assert laboratory(here)["sites"] == {"north": "back"}
    assert laboratory(here)["ready_percent"] == 100


def test_a_laboratory_whose_servers_and_posts_all_fail_works_on_paper_and_has_nothing_ready(here: Hospital) -> None:
    here.bring_back("laboratory/slice")
    here.read_everything(1, "FAIL")
    assert laboratory(here)["sites"] == {"north": "paper"}
    assert laboratory(here)["ready_percent"] == 0
    ratio = here.engine.read(measure)[2].samples[0]
    assert (ratio.name, ratio.labels, ratio.value) == (
        "relance_function_ready_ratio", {"function": "laboratory"}, 0
    )  # fmt: skip
    here.read_everything(1)
    assert laboratory(here)["sites"] == {"north": "back"}


@pytest.mark.parametrize("outcome", ["FAIL", "UNKNOWN"])
def test_a_service_that_fails_or_that_nobody_can_read_puts_the_ward_back_on_paper(here: Hospital, outcome: str) -> None:
    here.bring_back("laboratory/slice")
    here.engine.submit(Reading("service:lis", outcome))
    here.settle()
    found = laboratory(here)
    assert found["sites"] == {"north": "paper"}
    assert 0 < found["ready_percent"] < 100, "its other services and its posts are ready"


def test_a_ward_whose_only_post_fails_works_on_paper(here: Hospital) -> None:
    here.bring_back("laboratory/slice")
    here.engine.submit(Reading("host:lab-ws-1", "FAIL"))
    here.settle()
    assert laboratory(here)["sites"] == {"north": "paper"}


def test_a_function_whose_outside_service_closes_again_is_not_back(here: Hospital) -> None:
    here.bring_back("laboratory/slice")
    here.order("fact.withdraw", "outside:reference-lab", "it-director")
    before = laboratory(here)["sites"]
    assert before == {"north": "back"}, "a soft need of a service is no need of the function"


def test_the_other_functions_stay_as_they_are(here: Hospital) -> None:
    here.bring_back("laboratory/slice")
    words = here.engine.read(lambda state, now_us: {one["id"]: one["sites"] for one in functions(state)})
    assert words["radiology"] == {"north": "stopped", "south": "stopped"}


def test_a_service_without_its_posts_leaves_the_ward_on_paper() -> None:
    content = small_estate()
    state = State(Estate(content, derive(content)))
    slice_wave = state.estate.wave_number["radiology/slice"]
    state.waves[slice_wave].launchers = ("operator-1",)
    pacs = state.estate.service_number["pacs"]
    state.up[pacs] = state.good[pacs] = True
    found = {one["id"]: one for one in functions(state)}["radiology"]
    assert found["sites"] == {"north": "paper", "south": "paper"}
    state.stage[state.estate.host_number["rad-ws-1"]] = Stage.IN_SERVICE
    found = {one["id"]: one for one in functions(state)}["radiology"]
    assert found["sites"] == {"north": "degraded", "south": "paper"}


def test_a_function_with_neither_services_nor_posts_is_never_called_back() -> None:
    content = with_functions(small_estate(), function("chapel", sites=("north",)))
    state = State(Estate(content, derive(content)))
    assert {one["id"]: one["sites"] for one in functions(state)}["chapel"] == {"north": "stopped"}
