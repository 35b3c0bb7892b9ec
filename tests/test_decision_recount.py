"""The recount names each count that drifted and each host that was forgotten, and finds nothing in an honest state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.decision.parts import OpenAction
from orchestrator.decision.recount import forgotten, recount
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from tests.estates import PRACTICE_TIMING, server, service, workstation
from tests.storyline import Story, Tell, hospital, plain_class


def _pool(state: State) -> None:
    state.in_use[0] += 1


def _up(state: State) -> None:
    state.up[0] = not state.up[0]


def _lane(state: State) -> None:
    state.lanes[1][0] = "lis-1/isolate/9"


def _room(state: State) -> None:
    state.quarantine_used[0] += 1


def _horizon(state: State) -> None:
    state.waves[0].horizon = not state.waves[0].horizon


def _stage(state: State) -> None:
    state.stage[0] = Stage.INSPECTING


def _stale(state: State) -> None:
    state.horizon_agenda[0] = None


def _crowd(state: State) -> None:
    for number in range(1, 6):
        state.open[f"lis-1/preserve/{number}"] = OpenAction(0, 0, "preserve", "", state.at_us)


def _site(state: State) -> None:
    state.site_lane[0] = "north/isolate/9"


def test_every_chapter_of_an_honest_restart_agrees_with_its_recount(tell: Tell) -> None:
    hosts = (server("ad-1", "north", "ad"), server("lis-1", "north", "lis"), workstation("ws-1", "north", "laboratory"))
    services = (service("ad"), service("lis", "laboratory"), service("reference-lab", "laboratory", kind="outside"))
    story = tell(hospital(*hosts, services=services))
    assert recount(story.opened().state) == []
    assert recount(story.isolated().launched().state) == []
    for person in ("operator-1", "it-director"):
        story.sign("f" * 32, "fact.outside", "reference-lab", person).whatever()
    assert recount(story.state) == []
    for wave in ("foundations", "laboratory/slice"):
        assert recount(story.passed(wave).state) == []
    assert forgotten(story.state) == []


@pytest.mark.parametrize(
    ("tamper", "word"),
    [
        (_pool, "Pool evidence counts 1"),
        (_up, "Service lis is (False, False)"),
        (_lane, "in lane 1"),
        (_room, "The quarantine of north holds 1 hosts; the state counts 2."),
        (_horizon, "is inside the horizon"),
        (_stale, "The horizon waits to be drawn again"),
        (_crowd, "lis-1 has two actions under way in one lane."),
        (_stage, "lis-1 is inspecting and no inspect is under way."),
        (_site, "Site north has 'north/isolate/9' under way"),
    ],
)
def test_a_count_that_drifted_is_named(tell: Tell, tamper: Callable[[State], None], word: str) -> None:
    story = tell().begun()
    tampered = State(story.state.estate)
    vars(tampered).update(vars(Story(story.content).begun().state))
    assert recount(tampered) == []
    tamper(tampered)
    assert any(word in sentence for sentence in recount(tampered))
    story.whatever()


@pytest.mark.parametrize(("preservation", "step"), [("waived", "restore"), ("required", "preserve")])
def test_a_host_that_could_go_on_and_was_forgotten_is_named(preservation: str, step: str) -> None:
    story = (
        Story(hospital(classes=(plain_class("server", preservation=preservation),)))
        .opened()
        .order("freeze", "all", "operator-1", all_work=True)
        .whatever()
        .isolated()
    )
    assert forgotten(story.state) == []
    story.state.freezes.clear()  # as if a thaw had told nobody
    assert forgotten(story.state) == [f"lis-1 could go on to {step} and nobody starts it."]


def test_a_workstation_that_the_pace_keeps_waiting_is_not_forgotten() -> None:
    timing = PRACTICE_TIMING.model_copy(update={"workstations_per_minute": 1})
    posts = (workstation(f"ws-{number}", "north", "laboratory") for number in (1, 2))
    story = Story(hospital(server("lis-1", "north", "lis"), *posts, timing=timing, posts_per_site=2)).begun()
    story.inspected("ws-1", "ws-2").verdicts("ws-1", "analyst-1").whatever()
    story.verdicts("ws-2", "analyst-1").nothing()
    assert forgotten(story.state) == []
    story.state.recent[0][-1] -= 60_000_000  # as if the last one had been released a minute ago
    assert forgotten(story.state) == ["ws-2 could go on to reconnect and nobody starts it."]
