"""The only writer: the clock, the opening, and a start that changes nothing."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.decision.apply import APPLY
from orchestrator.decision.commands import Command
from orchestrator.decision.events import Event, Opened, Started
from orchestrator.decision.stages import IllegalEvent
from orchestrator.inventory.model import Names, Task, Wait
from tests.estates import PRACTICE_TIMING, server, service
from tests.storyline import Tell, hospital

LAB = "laboratory/slice"


def test_every_event_and_command_has_its_effect() -> None:
    assert set(get_args(Event)) | set(get_args(Command)) == set(APPLY)


def test_a_journal_is_opened_once_and_started_often(tell: Tell) -> None:
    story = (
        tell().send(Opened(1, "1", "incident", "")).nothing().send(Started("1")).nothing().send(Started("2")).nothing()
    )
    assert story.state.incident == "incident"
    with pytest.raises(IllegalEvent):
        story.send(Opened(1, "1", "other", ""))


def test_a_jump_of_the_clock_freezes_reconnects_until_somebody_confirms_it(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1").nothing()
    story.jump(3600).nothing().verdicts("lis-1", "analyst-2").nothing()
    story.clock_confirmed().expect("issue lis-1/reconnect/1")
    story.jump(-600).expect("cancel lis-1/reconnect/1")


def test_a_verdict_does_not_expire_by_a_jump(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1", valid_s=600).nothing()
    story.jump(3600).nothing().verdicts("lis-1", "analyst-2").nothing().at(30).nothing()
    story.clock_confirmed().expect("issue lis-1/reconnect/1")


def test_a_debt_does_not_fall_due_by_a_jump(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").order("indicators.force", "6" * 64, "analyst-1", "analyst-2")
    story.nothing().rematched("lis-1", outcome="unmatched")
    story.expect(
        "owe lis-1 its evidence could not be matched against the indicator set in force", "issue lis-1/inspect/2"
    ).jump(360_000).nothing()
    story.clock_confirmed().nothing().at(story.state.estate.timing.obligation_s).expect("ask lis-1 owed")


def test_no_gate_passes_and_no_task_opens_by_a_jump(tell: Tell) -> None:
    def task(task_id: str, after: Wait | None = None) -> Task:
        return Task(id=task_id, name=Names(en=task_id, fr=task_id), after=after)

    tasks = (task("first"), task("second", Wait(task="first", wait_s=36_000)))
    timing = PRACTICE_TIMING.model_copy(update={"soak_s": 600})
    lis = service("lis", "laboratory", tasks=tasks)
    story = tell(hospital(server("lis-1", "north", "lis"), services=(lis,), timing=timing)).begun().in_service("lis-1")
    story.read("service:lis").expect(f"start soak {LAB}", "open task lis/first")
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "lis/first", person).nothing()
    story.jump(40_000).nothing().read("service:lis", times=5).nothing()
    assert any(lack.startswith("soak") for lack in story.pending(LAB))
    story.clock_confirmed().nothing()
    assert any(lack.startswith("soak") for lack in story.pending(LAB)), "the soak lasts as long as ever"
    story.at(36_000).expect("open task lis/second")


def test_a_task_does_not_expire_by_a_jump(tell: Tell) -> None:
    badge = Task(id="badge", name=Names(en="Badge", fr="Badge"), expires_s=600)
    story = tell(hospital(services=(service("lis", "laboratory", tasks=(badge,)),))).begun().in_service("lis-1")
    story.read("service:lis").whatever()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "lis/badge", person).nothing()
    story.jump(3600).nothing().at(1).nothing()
    story.clock_confirmed().nothing().at(597).nothing().at(2).expect("open task lis/badge")
