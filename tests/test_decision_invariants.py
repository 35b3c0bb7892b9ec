"""If the core itself is wrong, nothing more is handed out."""

from __future__ import annotations

import pytest

from orchestrator.decision.commands import Hold, Issue, PassGate
from orchestrator.decision.decide import decide
from orchestrator.decision.events import Woke
from orchestrator.decision.invariants import InvariantBroken, check
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import CONNECTED, Observed
from orchestrator.inventory.model import Needs
from tests.estates import server, service
from tests.storyline import Story, Tell, hospital, plain_class

LAB = "laboratory/slice"
RECONNECT = Issue("lis-1/reconnect/1", "lis-1", "reconnect")


def ready(tell: Tell) -> Story:
    """Two waves; the laboratory server is clean and only a hold keeps it in."""
    services = (service("files"), service("lis", "laboratory", needs=Needs(reconnect=("files",))))
    content = hospital(server("files-1", "north", "files"), server("lis-1", "north", "lis"), services=services)
    story = tell(content).begun().passed("foundations").order("wave.hold", LAB, "operator-1").whatever()
    story.inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.state.waves[story.wave(LAB)].holds.clear()
    check(story.state, RECONNECT, story.now_us)
    return story


def broken(story: Story, command: Issue | PassGate) -> str:
    """The rule that this command would break now; the story is put right again by forgetting it."""
    with pytest.raises(InvariantBroken) as caught:
        check(story.state, command, story.now_us)
    story.records.clear()
    story.__init__(story.content)  # type: ignore[misc]
    return caught.value.rule


def test_a_reconnect_without_proof_of_clean_breaks_the_first_invariant(tell: Tell) -> None:
    story = ready(tell)
    story.state.connection[story.host("lis-1")] = CONNECTED
    assert broken(story, RECONNECT) == "invariant.1"


def test_a_reconnect_without_what_it_needs_breaks_the_second(tell: Tell) -> None:
    story = ready(tell)
    story.state.up[story.service("files")] = False
    assert broken(story, RECONNECT) == "invariant.2"


@pytest.mark.parametrize("how", ["not launched", "held", "gate", "no wave"])
def test_a_reconnect_of_a_wave_that_may_not_go_breaks_the_third(tell: Tell, how: str) -> None:
    story = ready(tell)
    wave = story.state.waves[story.wave(LAB)]
    if how == "not launched":
        wave.launchers = ()
    elif how == "held":
        wave.holds["order"] = 1
    elif how == "gate":
        story.state.waves[story.wave("foundations")].passed_us = 0
    else:
        story.state.wave_of[story.host("lis-1")] = -1
    assert broken(story, RECONNECT) == "invariant.3"


@pytest.mark.parametrize("how", ["frozen", "breach", "clock"])
def test_a_reconnect_while_frozen_or_before_the_breach_is_closed_breaks_the_fourth(tell: Tell, how: str) -> None:
    story = ready(tell)
    if how == "frozen":
        story.state.freezes["site:north"] = "reconnect"
    elif how == "breach":
        del story.state.facts["breach_closed"]
    else:
        story.state.clock_doubted = True
    assert broken(story, RECONNECT) == "invariant.4"


@pytest.mark.parametrize(
    "command",
    [
        Issue("lis-1/restore/1", "lis-1", "restore"),
        Issue("lis-1/restore/2", "lis-1", "restore"),
        Issue("lis-1/inspect/9", "lis-1", "inspect"),
        Issue("north/isolate/9", "north", "isolate"),
    ],
)
def test_a_second_action_on_a_lane_or_under_a_spent_id_breaks_the_fifth(tell: Tell, command: Issue) -> None:
    story = tell().opened().finish("north/isolate/1").whatever()
    story.state.site_lane[0] = "north/isolate/2"
    assert broken(story, command) == "invariant.5"


def test_an_overfull_pool_breaks_the_sixth(tell: Tell) -> None:
    story = tell().opened().finish("north/isolate/1").whatever().stop("lis-1/restore/1").whatever()
    story.stop("lis-1/restore/2").whatever().order("freeze", "all", "operator-1", all_work=True).whatever()
    story.stop("lis-1/restore/3").nothing()
    story.state.in_use = [slot.size for slot in story.state.estate.pools]
    assert broken(story, Issue("lis-1/restore/4", "lis-1", "restore")) == "invariant.6"


def test_a_wipe_without_evidence_breaks_the_tenth(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", preservation="required"),))).signed()
    assert broken(story, Issue("lis-1/restore/1", "lis-1", "restore")) == "invariant.10"


def test_acting_on_a_device_breaks_the_eleventh(tell: Tell) -> None:
    assert broken(tell().signed(), Issue("mri-1/restore/1", "mri-1", "restore")) == "invariant.11"


def test_a_gate_that_passes_on_less_than_fresh_pass_readings_over_a_soak_is_wrong(tell: Tell) -> None:
    for observed in (None, Observed("UNKNOWN", 1, 1, 9), Observed("PASS", 1, 1, 2)):
        story = tell().begun().in_service("lis-1").read("service:lis").expect(f"start soak {LAB}").later(60)
        if observed is None:
            del story.state.readings["service:lis"]
        else:
            story.state.readings["service:lis"] = observed
        assert broken(story, PassGate(LAB, ["service:lis"])) == "invariant.3"
    story = (
        tell().begun().in_service("lis-1").read("service:lis").expect(f"start soak {LAB}").read("service:lis", times=3)
    )
    assert broken(story, PassGate(LAB, ["service:lis"])) == "invariant.3"


def test_other_commands_touch_no_invariant(tell: Tell) -> None:
    story = tell().begun()
    check(story.state, Hold(LAB, "order"), story.now_us)
    check(story.state, Issue("lis-1/isolate/1", "lis-1", "isolate"), story.now_us)
    check(story.state, Issue("south/isolate/9", "south", "isolate"), story.now_us)


def test_a_core_that_is_wrong_stops_before_anything_is_handed_out(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    story = tell().opened()
    monkeypatch.setattr("orchestrator.decision.capacity.take", lambda state, now_us: (0, 1))
    monkeypatch.setattr("orchestrator.decision.decide.next_step", lambda state, host: "restore")
    monkeypatch.setattr("orchestrator.decision.decide.blockers", lambda *asked: iter(()))
    story.state.ended["lis-1/restore/1"] = "finished"
    story.state.live_signatures[()] = None
    with pytest.raises(InvariantBroken):
        decide(story.state, Woke(), story.now_us)
    assert story.stage("lis-1") is Stage.BLOCKED
    del story.state.ended["lis-1/restore/1"]
