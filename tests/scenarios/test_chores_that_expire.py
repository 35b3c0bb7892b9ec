"""What a forecast that never ended found: tasks that expired were done over and over while nothing came of them."""

from __future__ import annotations

from orchestrator.inventory.model import Needs, Task
from tests.estates import names, server, service
from tests.storyline import Tell, hospital


def test_a_task_that_expires_is_asked_for_again_only_when_nothing_else_keeps_the_host(tell: Tell) -> None:
    """Calibration seed 1024: thirty hosts whose queues were purged every four hours, and nobody left to do the rest."""
    purge = Task(id="purge", name=names("Purge"), step="reconnect", expires_s=90)
    lis = service("lis", tasks=(purge,), needs=Needs(reconnect=("files",)))
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"), services=(service("files"), lis)
    )
    story = tell(content).begun().inspected("lis-1")
    story.order("task.done", "lis-1/purge", "operator-1").order("task.done", "lis-1/purge", "operator-2").nothing()
    story.later(91).nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.in_service("files-1").whatever()
    assert story.state.tasks["lis-1/purge"].status == "open"
    story.order("task.done", "lis-1/purge", "operator-1").order("task.done", "lis-1/purge", "operator-2")
    story.expect("issue lis-1/reconnect/1")


def test_a_task_and_a_verdict_that_both_expired_do_not_wait_for_each_other(tell: Tell) -> None:
    """Seed 310: the seat waited for the task and the task for the verdict, for ever."""
    purge = Task(id="purge", name=names("Purge"), step="reconnect", expires_s=90)
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"),
        services=(service("files"), service("lis", tasks=(purge,), needs=Needs(reconnect=("files",)))),
    )  # fmt: skip
    story = tell(content).begun().inspected("lis-1")
    story.order("task.done", "lis-1/purge", "operator-1").order("task.done", "lis-1/purge", "operator-2").nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2", valid_s=200).later(201).whatever()
    story.in_service("files-1").whatever()
    assert story.state.tasks["lis-1/purge"].status == "open"
    story.order("task.done", "lis-1/purge", "operator-1").order("task.done", "lis-1/purge", "operator-2").nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")


def test_a_gates_task_is_not_asked_for_again_once_the_gate_has_passed(tell: Tell) -> None:
    """It expired every few hours for the rest of the incident, and each time somebody did it again."""
    badge = Task(id="badge", name=names("Badge"), expires_s=600)
    content = hospital(server("files-1", "north", "files"), services=(service("files", tasks=(badge,)),))
    story = tell(content).begun().in_service("files-1").read("service:files").whatever()
    story.order("task.done", "files/badge", "operator-1").order("task.done", "files/badge", "operator-2").whatever()
    story.passed("foundations").later(700).whatever()
    assert story.state.tasks["files/badge"].status == "confirmed"
