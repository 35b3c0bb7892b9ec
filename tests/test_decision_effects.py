"""What an order does once enough persons signed it."""

from __future__ import annotations

from typing import Any

from orchestrator.decision.blockers import blockers
from orchestrator.decision.effects import confirm_task
from orchestrator.decision.parts import TaskState
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Names, Needs, Task, Wait
from orchestrator.plans.model import Content
from tests.estates import (
    check,
    server,
    service,
    small_estate,
    with_checks,
    with_services,
)
from tests.storyline import OLD_POINT_US, SECOND, T0_US, Story, Tell, hospital, plain_class

LAB = "laboratory/slice"
HOUR_S = 3600
THEIRS = "ssh-ed25519 THEIRS root@vendor"


def two_waves(**fields: Any) -> Content:
    """A file server before the laboratory; files have tasks or other fields as told."""
    return hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"),
        services=(service("files", **fields), service("lis", "laboratory")),
    )  # fmt: skip


def task(task_id: str, **fields: Any) -> Task:
    """A task for a technician."""
    return Task(id=task_id, name=Names(en=task_id, fr=task_id), **fields)


def ready(tell: Tell, content: Content | None = None) -> Story:
    """The laboratory server is clean and lacks one verdict."""
    story = tell(content).begun().inspected("lis-1").sweep().whatever()
    return story.verdicts("lis-1", "analyst-1").nothing()


# launch, hold, resume, after


def test_nothing_is_released_before_its_wave_is_launched(tell: Tell) -> None:
    story = tell().opened().isolated().inspected("lis-1").sweep().whatever()
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.order("wave.launch", LAB, "operator-1").expect("issue lis-1/reconnect/1")


def test_a_held_wave_releases_nobody_until_it_is_resumed(tell: Tell) -> None:
    story = ready(tell).order("wave.hold", LAB, "crisis-1").nothing().verdicts("lis-1", "analyst-2").nothing()
    story.order("wave.resume", LAB, "operator-1").expect("issue lis-1/reconnect/1")
    story.order("wave.hold", LAB, "analyst-1").expect("cancel lis-1/reconnect/1")
    story.finish("lis-1/reconnect/1").nothing()
    assert story.stage("lis-1") is Stage.RELEASED, "what has started finishes"


def test_two_persons_let_a_wave_go_before_a_gate_that_cannot_pass(tell: Tell) -> None:
    story = tell(two_waves()).begun().order("wave.after-removed", LAB, "operator-1", "crisis-1", after="foundations")
    story.nothing().inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1").whatever()
    story.verdicts("lis-1", "analyst-2").expect("issue lis-1/reconnect/1")


def test_a_wave_keeps_the_ancestors_whose_edge_nobody_removed(tell: Tell) -> None:
    story = tell(small_estate()).begun()
    story.order("wave.after-removed", "radiology/slice", "operator-1", "crisis-1", after=LAB).whatever()
    names = {story.state.estate.waves[one].name for one in story.state.ancestors[story.wave("medical-records/slice")]}
    assert names == {"radiology/slice"}
    assert story.state.ancestors[story.wave("laboratory/rest-2")] == {
        story.wave("foundations"), story.wave(LAB), story.wave("laboratory/rest-1")
    }  # fmt: skip


# freezes


def test_a_freeze_stops_reconnects_of_its_scope_and_nothing_else(tell: Tell) -> None:
    story = ready(tell).order("freeze", "site:south", "operator-1").nothing()
    story.order("freeze", "site:north", "operator-1").nothing().verdicts("lis-1", "analyst-2").nothing()
    story.order("thaw", "site:south", "operator-1", "crisis-1").nothing()
    story.order("thaw", "site:north", "operator-1", "crisis-1").expect("issue lis-1/reconnect/1")


def test_a_freeze_cancels_a_reconnect_that_has_not_begun_and_disconnects_nobody(tell: Tell) -> None:
    story = ready(tell).verdicts("lis-1", "analyst-2").expect("issue lis-1/reconnect/1")
    story.order("freeze", "all", "analyst-1").expect("cancel lis-1/reconnect/1")
    story.stop("lis-1/reconnect/1").nothing().sweep().nothing()
    story.order("thaw", "all", "operator-1", "crisis-1").expect("issue lis-1/reconnect/2")
    story.finish("lis-1/reconnect/2").nothing().order("freeze", "all", "analyst-1").nothing()
    assert story.stage("lis-1") is Stage.RELEASED


def test_a_freeze_of_hosts_binds_those_hosts_only(tell: Tell) -> None:
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(content).begun().inspected("lis-1", "lis-2").sweep().whatever()
    story.order("freeze", "hosts", "operator-1", hosts=["lis-1"]).nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.verdicts("lis-2", "analyst-1", "analyst-2").expect("issue lis-2/reconnect/1")
    story.order("thaw", "hosts", "operator-1", "crisis-1", hosts=["lis-1"]).expect("issue lis-1/reconnect/1")


def test_a_freeze_of_all_work_stops_restores_and_inspections_but_never_isolation(tell: Tell) -> None:
    story = tell().opened().order("freeze", "all", "operator-1", all_work=True).nothing()
    story.finish("north/isolate/1").nothing().sweep(answered=("lis-1",)).expect("issue lis-1/isolate/1")
    story.order("freeze", "all", "operator-1").nothing()
    assert story.state.freezes["all"] == "all-work", "a weaker freeze does not loosen it"
    story.finish("lis-1/isolate/1").nothing()
    story.order("thaw", "all", "operator-1", "crisis-1").expect("issue lis-1/restore/1 restore")


def test_a_freeze_of_all_work_elsewhere_stops_nobody_here(tell: Tell) -> None:
    story = tell().opened().order("freeze", "site:south", "operator-1", all_work=True).nothing()
    story.finish("north/isolate/1").expect("issue lis-1/restore/1 restore")


# one host


def test_a_person_may_choose_the_strategy_of_a_retry(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", strategies=("restore",)),))).begun()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/restore/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/restore/3", "failed").expect("give up lis-1")
    story.order("host.retry", "lis-1", "operator-1", strategy="replace").expect("open task lis-1/replace")
    story.order("task.done", "lis-1/replace", "technician-1").nothing()
    story.order("task.done", "lis-1/replace", "operator-1").expect("issue lis-1/restore/4 replace")
    story.finish("lis-1/restore/4").expect("issue lis-1/inspect/1")


def test_a_strategy_that_the_class_does_not_know_is_the_last_one(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", strategies=("restore",)),))).begun()
    for _ in range(2):
        story.finish(story.state.lanes[0][0], restore_point_us=T0_US).whatever()
    story.order("host.retry", "lis-1", "operator-1", strategy="reimage").expect("issue lis-1/restore/3 reimage")
    for number, wait_s in ((3, 1), (4, 2)):
        story.finish(f"lis-1/restore/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/restore/5", "failed").expect("give up lis-1")


def test_every_replacement_asks_for_a_new_machine(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", strategies=("replace",)),))).begun()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "lis-1/replace", person).whatever()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/restore/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/restore/3", "failed").expect("give up lis-1")
    story.order("host.retry", "lis-1", "operator-1", strategy="replace").expect("open task lis-1/replace")


def test_a_retry_with_another_strategy_starts_a_host_over_that_rests_in_quarantine(tell: Tell) -> None:
    story = tell().begun().finish("lis-1/restore/1").whatever()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/inspect/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/inspect/3", "failed").expect("ask lis-1 host")
    story.order("host.retry", "lis-1", "operator-1", strategy="reimage").expect("issue lis-1/restore/2 reimage")


def test_a_retry_with_another_strategy_of_a_host_that_waits_begins_with_it(tell: Tell) -> None:
    content = hospital(classes=(plain_class("server", preservation="required"),))
    story = tell(content).begun()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/preserve/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/preserve/3", "failed").expect("ask lis-1 host")
    story.order("host.retry", "lis-1", "operator-1", strategy="reimage").expect("issue lis-1/preserve/4")
    story.finish("lis-1/preserve/4").expect("issue lis-1/restore/1 reimage")


def test_an_excluded_host_is_taken_back_from_the_beginning(tell: Tell) -> None:
    story = ready(tell).excluded("lis-1").whatever()
    assert story.state.verdicts[story.host("lis-1")] == []
    story.order("host.take-back", "lis-1", "operator-1", "crisis-1").expect("issue lis-1/restore/2 restore")


def test_a_host_that_others_brought_back_is_inspected_like_any_other(tell: Tell) -> None:
    story = tell().opened().launched()
    story.order("host.declare", "lis-1", "operator-1", "analyst-1", host_key=THEIRS, restore_point_us=OLD_POINT_US)
    story.nothing().finish("north/isolate/1").expect("issue lis-1/inspect/1")
    story.finish("lis-1/inspect/1", taken="outside").nothing()
    story.sweep().nothing().verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")
    assert story.state.host_key[story.host("lis-1")] == "ssh-ed25519 THEIRS"
    assert story.state.ended["lis-1/restore/1"] == "finished", "a declaration takes the number of a restore"


def declared(tell: Tell) -> Story:
    """A host that others brought back is inspected in quarantine, by what it says of itself."""
    story = tell().opened().isolated().launched().lose("lis-1/restore/1").nothing()
    story.order("host.declare", "lis-1", "operator-1", "analyst-1", host_key=THEIRS, restore_point_us=OLD_POINT_US)
    return story.whatever().finish("lis-1/inspect/1", taken="host").nothing().sweep().nothing()


def test_what_a_host_that_was_not_wiped_says_of_itself_never_makes_it_clean(tell: Tell) -> None:
    story = declared(tell)
    assert "own-word" in [code for code, _ in blockers(story.state, 0, "reconnect", story.now_us)]
    error = story.refuses("verdict.own-word", lambda: story.verdicts("lis-1", "analyst-1"))
    assert "lis-1 was not wiped" in error.sentence
    looked = {"hosts": {"lis-1": "agent"}, "tool": "Velociraptor", "taken": "host"}
    story.order("evidence.import", "file", "analyst-1", **looked).nothing()
    story.refuses("verdict.own-word", lambda: story.verdicts("lis-1", "analyst-1"))
    looked = {"hosts": {"lis-1": "disk"}, "tool": "ClamAV", "taken": "offline"}
    story.order("evidence.import", "file", "analyst-1", **looked).nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")


def test_a_host_that_was_not_wiped_is_found_suspect_by_its_own_word(tell: Tell) -> None:
    declared(tell).verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect("issue lis-1/inspect/2")


def test_what_was_seen_of_a_disk_before_the_host_was_out_says_nothing_once_it_is_back(tell: Tell) -> None:
    story = declared(tell)
    looked = {"hosts": {"lis-1": "disk"}, "tool": "ClamAV", "taken": "offline"}
    story.order("evidence.import", "file", "analyst-1", **looked).nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1").finish("lis-1/reconnect/1")
    story.whatever().order("host.recall", "lis-1", "analyst-1", "it-director", stops=["lis"]).whatever()
    story.finish("lis-1/isolate/1").whatever().finish("lis-1/inspect/2").nothing().sweep().nothing()
    story.refuses("verdict.own-word", lambda: story.verdicts("lis-1", "analyst-1"))


def test_a_host_that_was_wiped_needs_nobody_else_to_look_at_it(tell: Tell) -> None:
    story = tell().begun().finish("lis-1/restore/1").whatever().finish("lis-1/inspect/1", taken="host").whatever()
    assert not story.state.seen_apart
    story.sweep().whatever().verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")


def test_a_declared_host_whose_point_is_too_young_is_restored_by_its_own_class(tell: Tell) -> None:
    story = tell().opened().launched()
    story.order("host.declare", "lis-1", "operator-1", "analyst-1", host_key=THEIRS, restore_point_us=T0_US)
    story.expect("condemn lis-1", "change strategy lis-1 restore")
    story.finish("north/isolate/1").expect("issue lis-1/restore/2 restore")


def test_a_declared_host_waits_in_quarantine_until_the_first_compromise_is_known(tell: Tell) -> None:
    story = tell().signed().order("fact.breach_closed", "breach_closed", "analyst-1", "it-director").isolated("north")
    story.launched().order("host.declare", "lis-1", "operator-1", "analyst-1", host_key=THEIRS, restore_point_us=9)
    story.expect("issue lis-1/inspect/1").finish("lis-1/inspect/1", taken="offline").nothing()
    story.verdicts("lis-1", "analyst-1").nothing()
    story.verdicts("lis-1", "analyst-2").nothing()
    assert [code for code, _ in blockers(story.state, 0, "reconnect", story.now_us)] == ["fact"]
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=T0_US).expect("issue lis-1/reconnect/1")


def test_the_first_t0_asks_for_an_inspection_of_a_host_that_is_out_with_a_later_restore_point() -> None:
    story = Story(hospital()).begun().in_service("lis-1").whatever()
    del story.state.facts["t0"]  # as an older version could bring it about
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=OLD_POINT_US)
    story.expect("owe lis-1 its restore point is not older than the corrected T0", "issue lis-1/inspect/2")


def test_an_exception_given_before_a_restore_or_before_infected_stands_in_for_nothing(tell: Tell) -> None:
    story = tell().opened().isolated().launched()
    until_us = story.now_us + HOUR_S * SECOND
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).whatever()
    story.inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1").nothing()
    assert not story.state.exceptions
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).expect(
        "issue lis-1/reconnect/1"
    )
    story.verdicts("lis-1", "analyst-2", verdict="INFECTED").expect("cancel lis-1/reconnect/1")
    assert not story.state.exceptions


def test_a_declared_host_found_infected_is_restored_by_its_own_class(tell: Tell) -> None:
    story = tell().opened().launched().isolated()
    story.lose("lis-1/restore/1").nothing()
    story.order("host.declare", "lis-1", "operator-1", "analyst-1", host_key=THEIRS, restore_point_us=OLD_POINT_US)
    story.expect("issue lis-1/inspect/1").finish("lis-1/inspect/1").nothing()
    story.verdicts("lis-1", "analyst-1", verdict="INFECTED")
    story.expect("change strategy lis-1 restore", "issue lis-1/restore/3 restore lis-1/restore/1")


def test_a_declaration_answers_what_was_asked_before(tell: Tell) -> None:
    content = hospital(classes=(plain_class("server", preservation="required"),))
    story = tell(content).begun()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/preserve/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/preserve/3", "failed").expect("ask lis-1 host")
    story.order("host.declare", "lis-1", "operator-1", "analyst-1", host_key=THEIRS, restore_point_us=OLD_POINT_US)
    story.expect("issue lis-1/inspect/1")
    assert story.asks("lis-1") == {}


def test_isolation_ordered_while_a_reconnect_is_under_way_pre_empts_it(tell: Tell) -> None:
    story = ready(tell).verdicts("lis-1", "analyst-2").expect("issue lis-1/reconnect/1")
    story.order("host.isolate", "lis-1", "analyst-1").expect("cancel lis-1/reconnect/1")
    story.order("host.isolate", "lis-1", "operator-1").nothing()
    story.stop("lis-1/reconnect/1").expect("issue lis-1/isolate/1")


def test_an_exception_stands_in_for_the_second_verdict_and_never_for_the_first(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever()
    until_us = story.now_us + HOUR_S * SECOND
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).nothing()
    story.verdicts("lis-1", "analyst-1").expect("issue lis-1/reconnect/1")


def test_an_exception_stands_in_for_one_verdict_that_expired_and_not_for_two(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").order("wave.hold", LAB, "operator-1").whatever().sweep().whatever()
    story.verdicts("lis-1", "analyst-1", valid_s=100).verdicts("lis-1", "analyst-2", valid_s=200).nothing()
    story.later(120).order("wave.resume", LAB, "operator-1").nothing()
    until_us = story.now_us + HOUR_S * SECOND
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us)
    story.expect("issue lis-1/reconnect/1").finish("lis-1/reconnect/1", "failed").expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").nothing().at(100).nothing().sweep().nothing()


def test_an_exception_that_ends_leaves_a_debt_that_holds_the_waves_behind(tell: Tell) -> None:
    story = tell(two_waves()).begun().inspected("files-1").sweep().whatever()
    until_us = story.now_us + HOUR_S * SECOND
    story.order("host.exception", "files-1", "operator-1", "crisis-1", until_us=until_us).whatever()
    story.verdicts("files-1", "analyst-1").expect("issue files-1/reconnect/1").passed("foundations")
    story.inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1").whatever()
    story.at(HOUR_S).expect(
        "owe files-1 its exception ended", f"hold {LAB} owed:files-1", "ask files-1 owed", "issue files-1/inspect/2"
    )
    story.verdicts("lis-1", "analyst-2").nothing().finish("files-1/inspect/2").nothing()
    story.verdicts("files-1", "analyst-1").nothing().verdicts("files-1", "analyst-2")
    story.expect(f"unhold {LAB} owed:files-1", "issue lis-1/reconnect/1")
    assert story.asks("files-1") == {}


def test_a_host_that_owed_and_was_cut_off_holds_nobody_any_more(tell: Tell) -> None:
    hosts = (server("files-1", "north", "files"), server("files-2", "north", "files"), server("lis-1", "north", "lis"))
    content = hospital(*hosts, services=(service("files"), service("lis", "laboratory")))
    story = tell(content).begun().released("files-2").inspected("files-1").sweep().whatever()
    until_us = story.now_us + HOUR_S * SECOND
    story.order("host.exception", "files-1", "operator-1", "crisis-1", until_us=until_us).whatever()
    story.verdicts("files-1", "analyst-1").expect("issue files-1/reconnect/1").passed("foundations")
    story.at(HOUR_S).whatever().order("host.isolate", "files-1", "analyst-1").whatever()
    assert story.state.waves[story.wave(LAB)].holds.keys() == {"owed:files-1"}
    story.finish("files-1/isolate/1").whatever()
    assert story.state.waves[story.wave(LAB)].holds == {}


def test_nobody_is_asked_to_recall_a_host_whose_isolation_is_under_way(tell: Tell) -> None:
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(content).begun().in_service("lis-1", "lis-2").order("host.isolate", "lis-1", "analyst-1")
    story.expect("issue lis-1/isolate/1").verdicts("lis-1", "analyst-3", verdict="INFECTED").nothing()


def test_an_exception_nobody_needed_leaves_no_debt(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever()
    story.verdicts("lis-1", "analyst-1").nothing()
    until_us = story.now_us + HOUR_S * SECOND
    story.verdicts("lis-1", "analyst-2").expect("issue lis-1/reconnect/1")
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).nothing()
    story.finish("lis-1/reconnect/1").nothing().at(HOUR_S).nothing()


# facts


def test_t0_moved_earlier_condemns_what_rests_in_quarantine_and_burdens_what_is_out(tell: Tell) -> None:
    content = hospital(
        server("lis-1", "north", "lis"), server("lis-2", "north", "lis"), server("lis-3", "north", "lis")
    )
    story = tell(content).begun().released("lis-1").inspected("lis-2").bring("lis-3", Stage.RESTORING)
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=OLD_POINT_US)
    story.expect(
        "owe lis-1 its restore point is not older than the corrected T0", "condemn lis-2",
        "issue lis-2/restore/2 restore", "issue lis-1/inspect/2",
    )  # fmt: skip
    story.finish("lis-3/restore/1").expect("condemn lis-3", "issue lis-3/restore/2 restore")
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=T0_US).nothing()


def test_t0_moved_earlier_burdens_nobody_whose_restore_point_is_older_still(tell: Tell) -> None:
    story = tell().begun().released("lis-1")
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=OLD_POINT_US + 1).nothing()


def test_a_host_that_owes_already_is_not_burdened_twice(tell: Tell) -> None:
    content = hospital(classes=(plain_class("server", cleanliness="offline"),))
    story = tell(content).begun().released("lis-1").whatever()
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=OLD_POINT_US).nothing()
    story.order("indicators.force", "6" * 64, "analyst-1", "analyst-2").nothing()
    story.order("roster.revoke", "analyst-1", "operator-1", "it-director").nothing()


def test_no_reconnect_before_the_breach_is_closed_and_one_person_opens_it_again(tell: Tell) -> None:
    story = ready(tell).verdicts("lis-1", "analyst-2").expect("issue lis-1/reconnect/1")
    story.order("fact.withdraw", "breach_closed", "it-director").expect("cancel lis-1/reconnect/1")
    story.stop("lis-1/reconnect/1").nothing().sweep().nothing()
    story.order("fact.breach_closed", "breach_closed", "analyst-1", "it-director").expect("issue lis-1/reconnect/2")


def test_an_outside_service_is_in_service_while_its_fact_stands_and_its_reading_is_not_bad(tell: Tell) -> None:
    lab = service("lab", "laboratory", kind="outside")
    content = hospital(services=(service("lis", "laboratory", needs=Needs(restore=("lab",))), lab))
    story = tell(content).begun().order("fact.outside", "lab", "operator-1", "it-director")
    story.expect("issue lis-1/restore/1 restore").read("service:lab", "FAIL").nothing()
    story.finish("lis-1/restore/1", "failed").nothing().at(1).nothing().read("service:lab")
    story.expect("issue lis-1/restore/2 restore").order("fact.withdraw", "outside:lab", "analyst-1").nothing()
    story.finish("lis-1/restore/2", "failed").nothing().at(2).nothing()


def test_the_crisis_cell_records_that_care_works_again(tell: Tell) -> None:
    story = tell().begun()
    story.order("fact.accepted", "laboratory/north", "crisis-1", owner="head of the laboratory").nothing()
    assert story.state.facts["accepted:laboratory/north"]["owner"] == "head of the laboratory"


def test_a_host_that_is_out_and_of_which_nothing_can_be_matched_owes_an_inspection(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").verdicts("lis-1", "analyst-1", verdict="SUSPECT").whatever()
    story.finish("lis-1/inspect/2").verdicts("lis-1", "analyst-1", "analyst-2").expect("thaw reach:lis-1")
    story.state.void_proof(story.host("lis-1"))
    story.order("indicators.force", "6" * 64, "analyst-1", "analyst-2")
    story.expect("owe lis-1 the indicator set changed", "issue lis-1/inspect/3")
    assert not story.state.rematch


def test_evidence_a_new_set_cannot_be_matched_on_reopens_seats_in_quarantine_and_burdens_what_is_out(
    tell: Tell,
) -> None:
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(content).begun().released("lis-1").inspected("lis-2").order("wave.hold", LAB, "operator-1").whatever()
    story.sweep().whatever().verdicts("lis-2", "analyst-1", "analyst-2").nothing()
    story.order("indicators.force", "6" * 64, "analyst-1", "analyst-2").nothing()
    story.rematched("lis-1", "lis-2", outcome="unmatched")
    story.expect(
        "owe lis-1 its evidence could not be matched against the indicator set in force", "issue lis-1/inspect/2"
    )
    story.order("wave.resume", LAB, "operator-1").nothing()
    story.verdicts("lis-2", "analyst-3").nothing().verdicts("lis-2", "analyst-1").expect("issue lis-2/reconnect/1")


def test_a_revoked_persons_verdicts_count_no_more(tell: Tell) -> None:
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(content).begun().released("lis-1").inspected("lis-2").sweep().whatever()
    story.verdicts("lis-2", "analyst-1").nothing().order("roster.revoke", "analyst-1", "operator-1", "it-director")
    story.expect("owe lis-1 a verdict was signed by analyst-1, who was revoked", "issue lis-1/inspect/2")
    story.verdicts("lis-2", "analyst-2").nothing().verdicts("lis-2", "analyst-3").expect("issue lis-2/reconnect/1")
    story.finish("lis-2/reconnect/1").nothing()
    assert "lis-2" not in map(story.state.estate.hosts.__getitem__, story.state.obligations), "it was proven by others"


# services


def test_two_persons_lower_what_a_service_asks(tell: Tell) -> None:
    lis = service("lis", "laboratory", quorum=2)
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"), services=(lis,))
    story = tell(content).begun().excluded("lis-2").in_service("lis-1").read("service:lis").nothing()
    story.order("service.lower-k", "lis", "operator-1", "crisis-1", k=1).expect(f"start soak {LAB}")


def test_two_persons_drop_a_need_on_a_service_that_cannot_come_back(tell: Tell) -> None:
    services = (service("files"), service("lis", "laboratory", needs=Needs(restore=("files",), reconnect=("files",))))
    content = hospital(server("files-1", "north", "files"), server("lis-1", "north", "lis"), services=services)
    story = tell(content).begun().excluded("files-1").nothing()
    story.order("service.drop-need", "files", "operator-1", "crisis-1")
    story.expect("start soak foundations", "issue lis-1/restore/1 restore").at(6).expect("pass gate foundations")
    assert story.records[-1][2]["subjects"] == []
    story.in_service("lis-1")


# tasks


def test_tasks_of_a_gate_open_when_its_services_read_pass_and_the_gate_waits_for_them(tell: Tell) -> None:
    tasks = (task("first"), task("second", after=Wait(task="first", wait_s=100)))
    story = tell(two_waves(tasks=tasks)).begun().in_service("files-1")
    story.read("service:files").expect("start soak foundations", "open task files/first")
    story.order("task.done", "files/first", "technician-1").nothing()
    story.order("task.done", "files/first", "operator-1").nothing()
    story.read("service:files", times=8).nothing()
    assert story.pending("foundations") == ["task files/second"]
    story.at(91).nothing().at(1).expect("open task files/second")
    story.order("task.done", "files/second", "technician-1").nothing()
    story.read("service:files").expect("start soak foundations").read("service:files", times=6).nothing()
    story.order("task.done", "files/second", "operator-1").expect("pass gate foundations")


def test_what_another_task_waits_for_opens_before_the_rest_of_its_gate_works(tell: Tell) -> None:
    krbtgt = (task("first"), task("second", after=Wait(task="first", wait_s=100)), task("review"))
    content = hospital(
        server("ad-1", "north", "ad"), server("nac-1", "north", "nac"), server("lis-1", "north", "lis"),
        services=(service("ad", tasks=krbtgt), service("nac"), service("lis", "laboratory")),
    )  # fmt: skip
    story = tell(content).begun().in_service("ad-1").read("service:ad").expect("open task ad/first")
    story.order("task.done", "ad/first", "technician-1").nothing()
    story.order("task.done", "ad/first", "operator-1").nothing()
    story.at(200).nothing().in_service("nac-1")
    story.read("service:nac").expect("start soak foundations", "open task ad/second", "open task ad/review")


def test_a_gates_tasks_open_though_an_interface_still_fails_because_nobody_did_them(tell: Tell) -> None:
    content = small_estate()
    ehr = next(one for one in content.inventory.services if one.id == "ehr")
    purge = task("purge", confirm="check:results-arrive")
    story = tell(with_services(content, ehr.model_copy(update={"tasks": (purge,)}))).begun()
    for wave in ("foundations", LAB, "radiology/slice"):
        story.passed(wave)
    story.in_service("ehr-1", "ehr-ws-1", "ehr-ws-2").read("interface:lis-to-ehr", "FAIL").nothing()
    story.read("service:ehr").expect("open task ehr/purge")
    story.order("task.done", "ehr/purge", "technician-1").nothing().read("interface:lis-to-ehr")
    story.expect("start soak medical-records/slice", "confirm task ehr/purge")


def test_a_report_is_confirmed_by_its_check_and_a_failed_confirmation_reopens_the_task(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("purge", confirm="check:files-works"),))).begun().in_service("files-1")
    story.read("service:files").expect("start soak foundations", "open task files/purge")
    story.later(1).order("task.done", "files/purge", "technician-1").nothing().read(
        "service:files", "UNKNOWN"
    ).nothing()
    story.read("service:files", "FAIL").expect("break soak foundations", "open task files/purge")
    assert story.reason() == "its check reads FAIL"
    story.order("task.done", "files/purge", "technician-1").nothing()
    story.read("service:files").expect("start soak foundations", "confirm task files/purge")


def test_the_same_pass_again_confirms_a_report_that_came_in_between(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("purge", confirm="check:files-works"),))).begun().in_service("files-1")
    story.read("service:files", times=1).whatever().read("service:files", times=7).nothing()
    story.order("task.done", "files/purge", "technician-1").nothing()
    story.read("service:files").expect("confirm task files/purge", "pass gate foundations")


def test_a_report_that_a_reading_of_before_cannot_confirm_waits_for_the_next(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("purge", confirm="check:files-works"),))).begun().in_service("files-1")
    story.read("service:files").whatever().later(1).order("task.done", "files/purge", "technician-1").nothing()
    assert story.state.tasks["files/purge"].status == "reported"
    story.order("task.done", "files/purge", "operator-1").nothing()
    assert story.state.tasks["files/purge"].status == "reported", "no second person confirms what a machine can"


def test_a_task_whose_check_asks_a_class_is_confirmed_by_a_second_person(tell: Tell) -> None:
    content = with_checks(two_waves(tasks=(task("look", confirm="check:server-up"),)), check("x", "L1", klass="server"))
    story = tell(content).begun().in_service("files-1").read("service:files").whatever()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "files/look", person).nothing()
    assert story.state.tasks["files/look"].status == "confirmed"


def test_a_task_that_was_not_done_is_open_again(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("plug"),))).begun().in_service("files-1").read("service:files").whatever()
    story.order("task.done", "files/plug", "technician-1").nothing()
    story.order("task.failed", "files/plug", "technician-1").nothing()
    story.order("task.done", "files/plug", "technician-1").nothing()
    assert story.state.tasks["files/plug"].status == "reported"


def test_a_claim_keeps_others_from_setting_out_until_it_runs_out_and_never_from_reporting(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("plug"),))).begun().in_service("files-1").read("service:files").whatever()
    story.refuses("tasks.open", lambda: story.order("task.claim", "files/none", "technician-1"))
    story.order("task.claim", "files/plug", "technician-1").nothing()
    story.order("task.claim", "files/plug", "technician-1").nothing()
    story.refuses("tasks.claim", lambda: story.order("task.claim", "files/plug", "operator-1"))
    story.later(story.state.estate.timing.claim_s + 1).whatever()
    story.order("task.claim", "files/plug", "operator-1").nothing()
    story.order("task.done", "files/plug", "technician-1").nothing()
    plug = story.state.tasks["files/plug"]
    assert (plug.status, plug.reported_by, plug.claimed_by) == ("reported", "technician-1", "")
    story.refuses("tasks.open", lambda: story.order("task.claim", "files/plug", "operator-1"))
    story.order("task.failed", "files/plug", "operator-1").order("task.claim", "files/plug", "operator-1").nothing()


def test_a_confirmed_task_expires_and_opens_again(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("badge", expires_s=60),))).begun().in_service("files-1")
    story.read("service:files").whatever()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "files/badge", person).nothing()
    story.at(59.9).nothing().at(0.1).expect("open task files/badge")
    assert story.reason() == "it expired"
    assert "task files/badge" in story.pending("foundations")


def test_a_confirmed_task_expires_no_more_once_its_gate_has_passed(tell: Tell) -> None:
    tasks = (task("badge", expires_s=60),)
    services = (service("files", tasks=tasks), service("lis", "laboratory", tasks=tasks))
    content = hospital(server("files-1", "north", "files"), server("lis-1", "north", "lis"), services=services)
    story = tell(content).begun()
    for owner, gate in (("files", "foundations"), ("lis", LAB)):
        story.in_service(f"{owner}-1").read(f"service:{owner}").whatever()
        for person in ("technician-1", "operator-1"):
            story.order("task.done", f"{owner}/badge", person).whatever()
        story.passed(gate)
    story.at(61).whatever()
    assert {task.status for task in story.state.tasks.values()} == {"confirmed"}


def test_a_task_of_a_service_that_is_called_like_a_sites_isolation_isolates_nothing(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("isolate"),))).begun().in_service("files-1").read("service:files").whatever()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "files/isolate", person).nothing()
    assert story.state.tasks["files/isolate"].status == "confirmed"


def test_a_task_before_a_step_opens_as_soon_as_the_host_reached_the_step_before_it(tell: Tell) -> None:
    tasks = (task("mount", step="restore"), task("plug", step="reconnect"),
             task("tighten", step="reconnect", after=Wait(task="plug", wait_s=50)))  # fmt: skip
    content = hospital(classes=(plain_class("server", tasks=tasks),))
    story = tell(content).opened().finish("north/isolate/1").nothing()
    story.order("task.done", "lis-1/mount", "technician-1").nothing()
    story.order("task.done", "lis-1/mount", "operator-1").expect("issue lis-1/restore/1 restore")
    story.finish("lis-1/restore/1").expect("issue lis-1/inspect/1")
    story.finish("lis-1/inspect/1").expect("open task lis-1/plug").launched().sweep().nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "lis-1/plug", person).nothing()
    story.at(50).expect("open task lis-1/tighten")
    story.order("task.done", "lis-1/tighten", "technician-1").nothing()
    story.order("task.done", "lis-1/tighten", "operator-1").expect("issue lis-1/reconnect/1")


def test_a_task_that_content_no_longer_knows_holds_nothing_up_once_it_is_confirmed(tell: Tell) -> None:
    story = tell(two_waves(tasks=(task("database-checked"),))).begun()
    waves = dict(story.state.dirty_gates)
    story.state.tasks["files/witness-orders"] = TaskState("reported")
    confirm_task(story.state, "files/witness-orders", story.now_us)
    assert story.state.tasks.pop("files/witness-orders").status == "confirmed"
    assert story.state.dirty_gates == waves


def test_an_agreement_ends_the_witness_tasks_of_its_own_service_alone(tell: Tell) -> None:
    orders = [
        check(f"{one}-orders", "L3", service=one, probe="hl7", params={"ask": "order", "code": "K"})
        for one in ("files", "lis")
    ]
    story = tell(with_checks(two_waves(), *orders)).begun().in_service("files-1")
    assert story.state.tasks["files/witness-files-orders"].status == "open"
    agreed = {"owner": "head", "patient": "TEST-1", "routes": "none", "cleanup": "the vendor"}
    story.order("fact.agreement", "lis", "crisis-1", "operator-1", **agreed).nothing()
    assert "files/witness-files-orders" in story.state.tasks
    story.passed("foundations").in_service("lis-1").read("service:lis").whatever()
    assert "lis/witness-lis-orders" not in story.state.tasks, "what is agreed to is not witnessed"
