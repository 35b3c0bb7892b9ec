"""The turn: an event is admitted, applied, and everything that follows leaves in one go."""

from __future__ import annotations

import pytest

from orchestrator.decision import capacity, invariants
from orchestrator.decision.codec import encode
from orchestrator.decision.decide import decide
from orchestrator.decision.events import Finished, Judged, Reading, Woke
from orchestrator.decision.invariants import InvariantBroken
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Names, Task
from orchestrator.plans.model import Pool
from tests.estates import check, server, service, with_checks, with_pools
from tests.storyline import SECOND, SET, Story, Tell, hospital

LAB = "laboratory/slice"


def test_time_never_runs_backwards_in_the_journal(tell: Tell) -> None:
    story = tell().begun()
    last = story.state.at_us
    entries = decide(story.state, Reading("service:lis", "PASS"), last - SECOND)
    assert entries == [Reading("service:lis", "PASS")]
    assert story.state.at_us == last
    story.records.append((last, "reading", {"subject": "service:lis", "outcome": "PASS", "sentence": "", "v": 1}))


def test_a_timer_leaves_no_record_of_its_own(tell: Tell) -> None:
    story = tell().begun()
    seq = story.state.seq
    assert decide(story.state, Woke(), story.now_us + SECOND) == []
    assert story.state.seq == seq


def test_all_that_follows_from_one_event_leaves_in_the_same_turn(tell: Tell) -> None:
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"), server("lis-2", "north", "lis"),
        services=(service("files"), service("lis", "laboratory")),
    )  # fmt: skip
    story = tell(content).begun().in_service("files-1").whatever()
    story.inspected("lis-1", "lis-2").sweep().whatever()
    for name in ("lis-1", "lis-2"):
        story.verdicts(name, "analyst-1", "analyst-2").nothing()
    story.read("service:files").expect("start soak foundations").read("service:files", times=5).nothing()
    story.at(1).expect("pass gate foundations", "issue lis-1/reconnect/1", "issue lis-2/reconnect/1")


def test_who_waits_for_a_slot_and_is_frozen_meanwhile_does_not_start(tell: Tell) -> None:
    sites = ("north", "south", "north")
    hosts = tuple(server(f"lis-{number}", site_id, "lis") for number, site_id in enumerate(sites, 1))
    content = with_pools(hospital(*hosts), Pool(id="backup-streams", name="Streams", size=1))
    story = tell(content).begun()
    assert story.stage("lis-1") is Stage.RESTORING
    story.order("freeze", "site:south", "operator-1", all_work=True).nothing()
    story.finish("lis-1/restore/1").expect("issue lis-1/inspect/1", "issue lis-3/restore/1 restore")
    story.finish("lis-3/restore/1").expect("issue lis-3/inspect/1")
    story.order("thaw", "site:south", "operator-1", "crisis-1").expect("issue lis-2/restore/1 restore")


def test_a_gates_task_of_an_outside_service_opens_nowhere(tell: Tell) -> None:
    call = Task(id="call", name=Names(en="Call", fr="Appeler"))
    lab = service("lab", "laboratory", kind="outside", tasks=(call,))
    content = hospital(services=(service("lis", "laboratory"), lab))
    story = tell(content).begun().order("fact.outside", "lab", "operator-1", "it-director").nothing()
    story.passed(LAB)
    assert "lab/call" not in story.state.tasks


def test_two_checks_of_one_subject_are_one_subject(tell: Tell) -> None:
    story = tell(with_checks(hospital(), check("lis-too", service="lis"))).begun().in_service("lis-1")
    story.read("service:lis").expect(f"start soak {LAB}")


def test_nothing_is_queued_twice(tell: Tell) -> None:
    story = tell().begun()
    capacity.enqueue(story.state, 0, 1)
    size = sum(map(len, story.state.ready.values()))
    capacity.enqueue(story.state, 0, 1)
    assert sum(map(len, story.state.ready.values())) == size


def test_what_was_admitted_and_cannot_happen_stops_the_core_and_is_no_refusal() -> None:
    story = Story(hospital()).begun().inspected("lis-1").whatever()
    story.state.stage[0] = Stage.EXCLUDED
    infected = Judged("INFECTED", {"lis-1": "lis-1/inspect/1"}, "analyst-1", SET, story.now_us + SECOND, "blob")
    with pytest.raises(InvariantBroken, match="A host that is excluded cannot see infected"):
        decide(story.state, infected, story.now_us)


def test_a_forecast_judges_no_invariant_and_decides_the_same(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    live, foreseen = tell().begun(), tell().begun()
    event = Finished("lis-1/restore/1", "ok", "", {"restore_point_us": 1, "host_key": "k"})
    judged = decide(live.state, event, live.now_us)

    def never(*about: object) -> None:
        raise AssertionError(f"judged: {about}")

    monkeypatch.setattr(invariants, "check", never)
    monkeypatch.setattr(invariants, "settled", never)
    assert decide(foreseen.state, event, foreseen.now_us, checked=False) == judged
    assert len(judged) > 1
    assert foreseen.state.digest() == live.state.digest()
    for story in (live, foreseen):
        story.records.extend((story.state.at_us, *encode(one)) for one in judged)
