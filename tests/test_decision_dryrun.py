"""A plan is proven by playing it through without faults."""

from __future__ import annotations

from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Names, Needs, Task, Wait
from orchestrator.plans.model import Content, Pool
from orchestrator.plans.waves import derive
from tests.estates import (
    check,
    names,
    server,
    service,
    small_estate,
    with_checks,
    with_classes,
    with_hosts,
    with_pools,
    with_tier0_tasks,
)
from tests.storyline import hospital


def played(content: Content) -> tuple[DryRun, list[tuple[str, str, str]]]:
    """A dry run of the content, and what it says is stuck."""
    run = DryRun(content, derive(content))
    run.run()
    return run, told(run)


def told(run: DryRun) -> list[tuple[str, str, str]]:
    """Who is stuck, with the code and the subject of the reason."""
    return [(name, reason.code, reason.subject) for name, reason in run.stuck()]


def test_the_small_hospital_comes_back_whole() -> None:
    run, stuck = played(small_estate())
    assert stuck == []
    assert set(run.state.stage) == {Stage.IN_SERVICE}
    assert all(wave.passed_us for wave in run.state.waves)


def test_what_is_outside_is_opened_before_anyone_needs_it() -> None:
    needy = service("lis", "laboratory", needs=Needs(reconnect=("reference-lab",)))
    _, stuck = played(hospital(services=(service("reference-lab", "laboratory", kind="outside"), needy)))
    assert stuck == []


def test_tasks_of_the_directory_are_done_in_their_order() -> None:
    run, stuck = played(with_tier0_tasks(small_estate()))
    assert stuck == []
    assert run.state.tasks["ad/krbtgt-1"].confirmed_us < run.state.tasks["ad/krbtgt-2"].confirmed_us


def test_the_first_set_that_waits_for_each_other_is_named() -> None:
    services = (
        service("files", needs=Needs(reconnect=("print",))),
        service("print", needs=Needs(reconnect=("files",))),
    )
    content = hospital(server("files-1", "north", "files"), server("print-1", "north", "print"), services=services)
    plan = derive(hospital(server("files-1", "north", "files"), server("print-1", "north", "print"),
                           services=(service("files"), service("print"))))  # fmt: skip
    run = DryRun(content, plan)
    run.run()
    assert told(run) == [("files-1", "need", "print"), ("print-1", "need", "files")]


def test_a_host_without_a_slot_is_stuck_for_want_of_a_pool() -> None:
    _, stuck = played(with_pools(hospital(), Pool(id="backup-streams", name="Streams", size=0)))
    assert stuck == [("lis-1", "pool", "backup-streams")]


def test_a_host_that_waits_for_more_persons_than_there_are_is_stuck_for_its_verdicts() -> None:
    content = hospital()
    klasses = tuple(one.model_copy(update={"verdicts_required": 4}) for one in content.classes)
    run, stuck = played(content.model_copy(update={"classes": klasses}))
    assert stuck == [("lis-1", "verdicts", "1")]
    run.state.stage[run.state.estate.host_number["lis-1"]] = Stage.RELEASED
    assert told(run) == [("lis-1", "host-check", "lis-1")]


def test_hosts_that_only_wait_for_a_gate_that_cannot_pass_are_not_told() -> None:
    content = small_estate()
    checks = tuple(one for one in content.checks if one.service != "lis")
    _, stuck = played(content.model_copy(update={"checks": checks}))
    assert stuck == [("laboratory/slice", "unread", "service:lis")]


def test_a_task_that_never_opens_is_told_before_the_host_that_waits_for_another() -> None:
    never = Task(id="never", name=names("Never"), step="restore", after=Wait(task="unheard-of"))
    klass = next(one for one in small_estate().classes if one.id == "first-server")
    content = with_classes(small_estate(), klass.model_copy(update={"id": "late", "tasks": (never,)}))
    content = with_hosts(content, server("ad-2", "south", "ad", "dns", klass="late"))
    content = with_checks(content, check("late-up", "L1", klass="late"))
    content = with_pools(content, Pool(id="backup-streams", name="Streams", size=0))
    _, stuck = played(content)
    assert stuck[0] == ("ad-2", "task", "ad-2/never")
    assert {code for _, code, _ in stuck[1:]} == {"need", "pool"}


def test_a_gate_that_no_reading_can_open_is_named_when_all_hosts_are_well() -> None:
    content = hospital()
    _, stuck = played(content.model_copy(update={"checks": tuple(one for one in content.checks if not one.service)}))
    assert stuck == [("laboratory/slice", "unread", "service:lis")]


def test_a_gate_whose_task_nobody_can_confirm_is_named() -> None:
    task = Task(id="purge", name=Names(en="Purge", fr="Purger"), after=Wait(task="unheard-of"))
    _, stuck = played(hospital(services=(service("lis", "laboratory", tasks=(task,)),)))
    assert stuck == [("laboratory/slice", "task", "lis/purge")]


def test_a_task_confirmed_by_its_check_is_done_in_the_dry_run_too() -> None:
    task = Task(id="purge", name=Names(en="Purge", fr="Purger"), confirm="check:lis-works")
    run, stuck = played(hospital(services=(service("lis", "laboratory", tasks=(task,)),)))
    assert stuck == []
    assert run.state.tasks["lis/purge"].status == "confirmed"


def test_hosts_the_plan_leaves_off_are_nobodys_obstacle() -> None:
    run, stuck = played(small_estate(leave_off=("lis-2",)))
    assert stuck == []
    assert run.state.stage[run.state.estate.host_number["lis-2"]] is not Stage.IN_SERVICE


def test_a_timer_beyond_all_patience_is_not_waited_for() -> None:
    task = Task(id="late", name=Names(en="Late", fr="Tard"), after=Wait(task="first", wait_s=10**8))
    first = Task(id="first", name=Names(en="First", fr="D'abord"))
    _, stuck = played(hospital(services=(service("lis", "laboratory", tasks=(first, task)),)))
    assert stuck == [("laboratory/slice", "task", "lis/late")]


def test_what_is_proven_by_writing_is_agreed_to_in_the_dry_run() -> None:
    order = check("lis-orders", "L3", service="lis", probe="hl7", params={"ask": "order", "code": "K"})
    run, stuck = played(with_checks(small_estate(), order))
    assert stuck == []
    assert "agreement:lis" in run.state.facts
    assert "lis/witness-lis-orders" not in run.state.tasks
