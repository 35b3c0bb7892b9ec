"""If the core itself is wrong, nothing more is handed out."""

from __future__ import annotations

import pytest

from orchestrator.decision.commands import Hold, Issue, PassGate
from orchestrator.decision.decide import decide
from orchestrator.decision.events import Event, Judged, Lost, Swept, Woke
from orchestrator.decision.invariants import InvariantBroken, check, settled
from orchestrator.decision.parts import Observed
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import CONNECTED
from orchestrator.inventory.model import Names, Needs, Task
from tests.estates import server, service, workstation
from tests.storyline import SECOND, SET, Story, Tell, hospital, plain_class

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


@pytest.mark.parametrize("how", ["connected", "never cut off", "too short", "revoked", "another set", "infected"])
def test_a_reconnect_without_proof_of_clean_breaks_the_first_invariant(tell: Tell, how: str) -> None:
    story = ready(tell)
    state, host = story.state, story.host("lis-1")
    if how == "connected":
        state.connection[host] = CONNECTED
    elif how == "never cut off":
        state.isolated_us[host] = 0
    elif how == "too short":
        state.verdicts[host][0].expires_us = story.now_us + SECOND
    elif how == "revoked":
        state.revoked.add("analyst-1")
    elif how == "another set":
        state.verdicts[host][0].indicator_set = "6" * 64
    else:
        state.infected_us[host] = 1
    assert broken(story, RECONNECT) == "invariant.1"


def test_an_exception_stands_in_for_a_verdict_that_does_not_outlive_the_reconnect(tell: Tell) -> None:
    story = ready(tell)
    story.state.verdicts[story.host("lis-1")][0].expires_us = 1
    story.state.exceptions[story.host("lis-1")] = story.now_us + 3600 * SECOND
    check(story.state, RECONNECT, story.now_us)
    broken_by = broken(story, PassGate(LAB, []))
    assert broken_by == "invariant.3"


def test_a_reconnect_of_a_unit_that_cannot_come_out_breaks_the_second(tell: Tell) -> None:
    services = (
        service("ad", "laboratory", unit="directory"),
        service("lis", "laboratory", unit="directory", needs=Needs(reconnect=("ad",))),
    )
    story = tell(hospital(server("ad-1", "north", "ad"), server("lis-1", "north", "lis"), services=services)).begun()
    story.inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1", "analyst-2").whatever()
    assert broken(story, RECONNECT) == "invariant.2"


def test_a_reconnect_without_what_it_needs_breaks_the_second(tell: Tell) -> None:
    story = ready(tell)
    story.state.up[story.service("files")] = False
    assert broken(story, RECONNECT) == "invariant.2"


@pytest.mark.parametrize("how", ["not launched", "held", "gate", "no wave", "one person"])
def test_a_reconnect_of_a_wave_that_may_not_go_breaks_the_third(tell: Tell, how: str) -> None:
    story = ready(tell)
    wave = story.state.waves[story.wave(LAB)]
    if how == "not launched":
        wave.launchers = ()
    elif how == "held":
        wave.holds["order"] = 1
    elif how == "gate":
        story.state.waves[story.wave("foundations")].passed_us = 0
    elif how == "one person":
        wave.launchers = ("analyst-1",)
    else:
        story.state.wave_of[story.host("lis-1")] = -1
    assert broken(story, RECONNECT) == "invariant.3"


@pytest.mark.parametrize("how", ["frozen", "reach", "breach", "clock"])
def test_a_reconnect_while_frozen_or_before_the_breach_is_closed_breaks_the_fourth(tell: Tell, how: str) -> None:
    story = ready(tell)
    if how == "frozen":
        story.state.freezes["site:north"] = "reconnect"
    elif how == "reach":
        story.state.reach[1] = frozenset({story.host("lis-1")})
    elif how == "breach":
        del story.state.facts["breach_closed"]
    else:
        story.state.clock_doubted = True
    assert broken(story, RECONNECT) == "invariant.4"


@pytest.mark.parametrize("mode", ["", "isolated"])
def test_a_recall_of_a_host_whose_reach_is_not_frozen_breaks_the_fourth(tell: Tell, mode: str) -> None:
    story = tell().begun().in_service("lis-1")
    isolate = Issue("lis-1/isolate/1", "lis-1", "isolate")
    story.state.freezes["reach:lis-1"] = "recall"
    check(story.state, isolate, story.now_us)
    story.state.freezes["reach:lis-1"] = mode
    assert broken(story, isolate) == "invariant.4"


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


@pytest.mark.parametrize("how", ["", "stale", "task", "post", "service", "subjects"])
def test_a_gate_that_passes_without_its_services_posts_tasks_or_fresh_readings_is_wrong(tell: Tell, how: str) -> None:
    task = Task(id="purge", name=Names(en="Purge", fr="Purger"))
    hosts = (server("lis-1", "north", "lis"), workstation("ws-1", "north", "laboratory"))
    content = hospital(*hosts, services=(service("lis", "laboratory", tasks=(task,)),), posts_per_site=1)
    story = tell(content).begun().in_service("lis-1", "ws-1").read("service:lis").whatever()
    story.read("service:lis", times=7).nothing()
    state, gate = story.state, PassGate(LAB, ["service:lis"])
    state.tasks["lis/purge"].status = "open" if how == "task" else "confirmed"
    if how == "stale":
        state.readings["service:lis"].at_us -= 5 * SECOND
    elif how == "post":
        state.infected_us[story.host("ws-1")] = 1
    elif how == "service":
        state.up[0] = False
    elif how == "subjects":
        gate = PassGate(LAB, [])
    if how:
        assert broken(story, gate) == "invariant.3"
    else:
        check(state, gate, story.now_us)
        story.__init__(story.content)  # type: ignore[misc]
        story.records.clear()


def test_a_gate_that_passes_with_one_post_of_three_is_wrong(tell: Tell) -> None:
    posts = (workstation(f"ws-{number}", "north", "laboratory") for number in (1, 2, 3))
    story = tell(hospital(server("lis-1", "north", "lis"), *posts, posts_per_site=3)).begun()
    story.in_service("lis-1", "ws-1", "ws-2").read("service:lis").expect(f"start soak {LAB}")
    story.read("service:lis", times=5).nothing().later(1)
    check(story.state, PassGate(LAB, ["service:lis"]), story.now_us)
    story.state.infected_us[story.host("ws-2")] = 1
    assert broken(story, PassGate(LAB, ["service:lis"])) == "invariant.3"


@pytest.mark.parametrize("how", ["verdict", "loss", "sweep"])
def test_an_infected_host_that_is_connected_while_nobody_does_or_asks_anything_breaks_the_ninth(
    tell: Tell, how: str
) -> None:
    services = (service("files", "laboratory"), service("lis", "laboratory"))
    content = hospital(server("files-1", "north", "files"), server("lis-1", "north", "lis"), services=services)
    story = tell(content).begun().in_service("lis-1")
    host = story.host("lis-1")
    event: Event = Judged("INFECTED", {"lis-1": "lis-1/inspect/1"}, "analyst-1", SET, 1 << 52, "blob")
    if how == "loss":
        event = Lost("lis-1/reconnect/1")
    elif how == "sweep":
        event = Swept("north", 1, True, ["printer", "lis-1"])
    settled(story.state, event)
    story.state.infected_us[host] = 1
    with pytest.raises(InvariantBroken) as nobody_asked:
        settled(story.state, event)
    assert nobody_asked.value.rule == "invariant.9"
    story.state.infected_us[0], story.state.connection[0] = 1, CONNECTED  # nobody speaks of this one
    story.state.asks[host] = {"network": "recall it?"}
    with pytest.raises(InvariantBroken) as nothing_frozen:
        settled(story.state, event)
    assert nothing_frozen.value.rule == "invariant.4"
    story.state.freezes["reach:lis-1"] = "recall"
    settled(story.state, event)
    story.state.alarmed[0] = ["files-1"]
    with pytest.raises(InvariantBroken, match="answered though it was cut off"):
        settled(story.state, event)
    story.__init__(story.content)  # type: ignore[misc]
    story.records.clear()


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
    story.state.live.append((0, 0, 1, ()))
    with pytest.raises(InvariantBroken):
        decide(story.state, Woke(), story.now_us)
    assert story.stage("lis-1") is Stage.BLOCKED
    del story.state.ended["lis-1/restore/1"]
