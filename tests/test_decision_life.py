"""The life of one host: what a result, a loss, a cancellation and an isolation lead to."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.decision.events import Dispatched, Finished
from orchestrator.decision.stages import IllegalEvent, Stage
from orchestrator.decision.state import CONNECTED, QUARANTINED, UNKNOWN
from orchestrator.inventory.model import Names, Task
from orchestrator.plans.model import Content, Strategy
from tests.storyline import OLD_POINT_US, SECOND, T0_US, Story, Tell, hospital, plain_class

SLICE = "laboratory/slice"


def lone(*strategies: Strategy, **fields: Any) -> Content:
    """The lone laboratory server with these strategies."""
    return hospital(classes=(plain_class("server", strategies=strategies or ("restore", "reimage"), **fields),))


def reconnecting(tell: Tell, content: Content | None = None) -> Story:
    """A story whose host is being reconnected."""
    return tell(content).begun().bring("lis-1", Stage.RECONNECTING)


def test_a_host_goes_from_blocked_to_in_service_step_by_step(tell: Tell) -> None:
    story = (
        tell(lone("restore", preservation="required"))
        .signed()
        .launched()
        .order("fact.t0", "t0", "analyst-1", "it-director", at_us=T0_US)
    )
    story.nothing().finish("north/isolate/1").expect("issue lis-1/preserve/1")
    story.finish("lis-1/preserve/1", digest="d1").expect("issue lis-1/restore/1 restore")
    story.finish("lis-1/restore/1").expect("issue lis-1/inspect/1")
    story.finish("lis-1/inspect/1", evidence="e1", marker=True).nothing()
    story.sweep().nothing().verdicts("lis-1", "analyst-1").nothing().verdicts("lis-1", "analyst-2").nothing()
    story.order("fact.breach_closed", "breach_closed", "analyst-1").nothing()
    story.sign(f"{story._orders:032x}", "fact.breach_closed", "breach_closed", "it-director")
    story.expect("issue lis-1/reconnect/1").finish("lis-1/reconnect/1").nothing()
    story.read("host:lis-1").nothing().read("host:lis-1").expect("enter service lis-1")
    host = story.host("lis-1")
    assert (story.state.evidence[host], story.state.marker[host]) == ("e1", True)
    assert story.state.host_key[host] == "key of lis-1/restore/1"
    assert story.state.connection[host] == CONNECTED


def test_nothing_is_wiped_before_its_evidence_is_kept(tell: Tell) -> None:
    story = tell(lone(preservation="required")).opened()
    story.finish("north/isolate/1").expect("issue lis-1/preserve/1").stop("lis-1/preserve/1")
    story.expect("issue lis-1/preserve/2")
    story.order("fact.waiver", "class:server", "forensic-lead").nothing()
    story.stop("lis-1/preserve/2").expect("issue lis-1/restore/1 restore")


def test_a_host_whose_waiver_is_withdrawn_is_preserved_after_all(tell: Tell) -> None:
    story = tell(lone(preservation="required")).opened().order("fact.waiver", "host:lis-1", "forensic-lead").nothing()
    story.finish("north/isolate/1").expect("issue lis-1/restore/1 restore")
    story.order("fact.withdraw", "waiver:host:lis-1", "analyst-1").nothing()
    story.finish("lis-1/restore/1", "failed").nothing().at(1).expect("issue lis-1/preserve/1")


def test_three_failed_tries_of_preserving_ask_a_person_and_a_retry_goes_on(tell: Tell) -> None:
    story = tell(lone(preservation="required")).opened().finish("north/isolate/1").expect("issue lis-1/preserve/1")
    story.finish("lis-1/preserve/1", "failed").nothing().at(0.9).nothing().at(0.1).expect("issue lis-1/preserve/2")
    story.finish("lis-1/preserve/2", "failed").nothing().at(1.9).nothing().at(0.1).expect("issue lis-1/preserve/3")
    story.finish("lis-1/preserve/3", "failed").expect("ask lis-1 host").at(60).nothing()
    story.order("host.retry", "lis-1", "operator-1").expect("issue lis-1/preserve/4")
    assert story.asks("lis-1") == {}


def test_three_failed_tries_of_a_restore_bring_the_next_strategy_and_then_the_end(tell: Tell) -> None:
    story = tell(lone()).begun().nothing()
    story.finish("lis-1/restore/1", "failed").nothing().at(1).expect("issue lis-1/restore/2 restore")
    story.finish("lis-1/restore/2", "failed").nothing().at(2).expect("issue lis-1/restore/3 restore")
    story.finish("lis-1/restore/3", "failed").expect("change strategy lis-1 reimage", "issue lis-1/restore/4 reimage")
    assert "3 tries" in story.reason(0)
    for number in (4, 5):
        story.finish(f"lis-1/restore/{number}", "failed").nothing().at(4).expect(
            f"issue lis-1/restore/{number + 1} reimage"
        )
    story.finish("lis-1/restore/6", "failed").expect("give up lis-1")
    assert story.stage("lis-1") is Stage.FAILED


def test_an_unreachable_host_is_asked_again_and_loses_no_try(tell: Tell) -> None:
    story = tell(lone()).begun()
    for number, wait_s in enumerate((2, 5, 5, 5, 5), 1):
        story.finish(f"lis-1/restore/{number}", "unreachable").expect(*["ask lis-1 reach"] if number == 3 else [])
        story.at(wait_s - 0.1).nothing().at(0.1).expect(f"issue lis-1/restore/{number + 1} restore")
    assert "could not be reached 3 times" in story.asks("lis-1")["reach"]
    story.finish("lis-1/restore/6").expect("issue lis-1/inspect/1")
    assert story.asks("lis-1") == {}
    story.finish("lis-1/inspect/1", "unreachable").nothing().at(2).expect("issue lis-1/inspect/2")


def test_a_cancelled_action_is_no_try(tell: Tell) -> None:
    story = tell(lone()).begun()
    for number in range(1, 6):
        story.stop(f"lis-1/restore/{number}").expect(f"issue lis-1/restore/{number + 1} restore")


def test_a_lost_restore_uses_a_try_and_the_next_one_supersedes_its_mark(tell: Tell) -> None:
    story = tell(lone()).begun().lose("lis-1/restore/1").nothing()
    story.at(1).expect("issue lis-1/restore/2 restore lis-1/restore/1")
    story.lose("lis-1/restore/2").nothing().at(2).expect("issue lis-1/restore/3 restore lis-1/restore/2")
    story.stop("lis-1/restore/3").expect("issue lis-1/restore/4 restore lis-1/restore/2")
    story.finish("lis-1/restore/4").expect("issue lis-1/inspect/1")
    assert story.state.superseded == {}


def test_every_try_names_the_lost_action_until_one_succeeds(tell: Tell) -> None:
    # Found by a drill: a try that never reached the host used the name up, and the mark then refused all others.
    story = tell(lone()).begun().lose("lis-1/restore/1").nothing()
    story.at(1).expect("issue lis-1/restore/2 restore lis-1/restore/1")
    story.finish("lis-1/restore/2", "failed").nothing()
    story.at(2).expect("issue lis-1/restore/3 restore lis-1/restore/1")


def test_a_result_that_arrives_after_its_action_was_lost_changes_nothing(tell: Tell) -> None:
    story = tell(lone()).begun().lose("lis-1/restore/1").nothing()
    story.finish("lis-1/restore/1").nothing()
    assert story.records[-1][1] == "late"
    assert story.stage("lis-1") is Stage.PRESERVED
    assert story.state.ended["lis-1/restore/1"] == "lost"
    with pytest.raises(IllegalEvent, match="has ended already"):
        story.lose("lis-1/restore/1")
    with pytest.raises(IllegalEvent, match="ever issued"):
        story.finish("lis-1/restore/9")


def test_an_invocation_is_noted_at_the_actions_it_carries(tell: Tell) -> None:
    story = tell(lone()).begun()
    assert story.state.open["lis-1/restore/1"].dispatched == 0
    story.send(Dispatched("restore.yml", ["lis-1/restore/1", "gone/restore/1"])).nothing()
    assert story.state.open["lis-1/restore/1"].dispatched == story.state.seq


def test_a_restore_younger_than_the_first_compromise_is_thrown_away(tell: Tell) -> None:
    story = tell(lone()).begun().finish("lis-1/restore/1", restore_point_us=T0_US)
    story.expect("condemn lis-1", "issue lis-1/restore/2 restore").finish("lis-1/restore/2", restore_point_us=T0_US)
    story.expect("condemn lis-1", "change strategy lis-1 reimage", "issue lis-1/restore/3 reimage")
    assert "no restore point older than T0" in story.reason(1)


def test_a_restore_point_that_nobody_names_counts_as_taken_now(tell: Tell) -> None:
    story = tell(lone()).begun().send(Finished("lis-1/restore/1", "ok", "", {"host_key": "key"}))
    story.expect("condemn lis-1", "issue lis-1/restore/2 restore")


def test_a_restore_without_a_host_key_and_a_preservation_without_a_digest_have_failed(tell: Tell) -> None:
    story = tell(lone(preservation="required")).begun().send(Finished("lis-1/preserve/1", "ok")).nothing()
    assert (
        story.records[-1][2]["sentence"]
        == "It ended well and does not name the digest of what it preserved and its medium or seal and who holds it."
    )
    story.at(1).expect("issue lis-1/preserve/2").finish("lis-1/preserve/2").expect("issue lis-1/restore/1 restore")
    story.finish("lis-1/restore/1", host_key="").nothing().at(1).expect("issue lis-1/restore/2 restore")
    assert story.state.tries[story.host("lis-1")][1] == 1


def test_a_reimage_has_no_restore_point_to_be_condemned_for(tell: Tell) -> None:
    story = tell(lone("reimage")).begun().finish("lis-1/restore/1", restore_point_us=T0_US)
    story.expect("issue lis-1/inspect/1")


def test_another_machine_is_put_in_place_though_the_old_one_was_not_preserved(tell: Tell) -> None:
    story = tell(lone("replace", preservation="required")).opened().isolated()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "lis-1/replace", person)
    story.expect("issue lis-1/restore/1 replace")
    assert story.state.preserved[story.host("lis-1")] == "", "the old machine keeps its evidence"


def test_what_people_did_before_a_restore_is_done_again_before_the_next(tell: Tell) -> None:
    mount, plug = (
        Task(id=one, name=Names(en=one, fr=one), step=step)
        for one, step in (("mount", "restore"), ("plug", "reconnect"))
    )
    story = tell(lone("restore", "replace", tasks=(mount, plug))).opened().isolated().whatever()

    def done(task: str) -> Story:
        for person in ("technician-1", "operator-1"):
            story.order("task.done", f"lis-1/{task}", person)
        return story

    done("mount").expect("issue lis-1/restore/1 restore").finish("lis-1/restore/1", "failed").nothing()
    story.at(1).expect("issue lis-1/restore/2 restore").finish("lis-1/restore/2", restore_point_us=T0_US)
    story.expect("condemn lis-1", "open task lis-1/mount")
    done("mount").expect("issue lis-1/restore/3 restore").finish("lis-1/restore/3").expect("issue lis-1/inspect/1")
    story.finish("lis-1/inspect/1").expect("open task lis-1/plug")
    done("plug").nothing().launched().sweep().nothing().verdicts("lis-1", "analyst-1", verdict="INFECTED")
    story.expect("change strategy lis-1 replace", "open task lis-1/mount", "open task lis-1/replace")
    done("mount").nothing()
    done("replace").expect("issue lis-1/restore/4 replace").finish("lis-1/restore/4").expect("issue lis-1/inspect/2")
    story.finish("lis-1/inspect/2").expect("open task lis-1/plug")


def test_three_failed_reconnects_ask_a_person(tell: Tell) -> None:
    story = reconnecting(tell)
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/reconnect/{number}", "failed").expect(f"issue lis-1/isolate/{number}")
        story.finish(f"lis-1/isolate/{number}").nothing().sweep().whatever().at(wait_s).whatever()
        assert story.state.lanes[1][story.host("lis-1")] == f"lis-1/reconnect/{number + 1}"
    story.finish("lis-1/reconnect/3", "failed").expect("issue lis-1/isolate/3", "ask lis-1 network")
    story.finish("lis-1/isolate/3").nothing().sweep().nothing().at(60).nothing()
    story.order("host.retry", "lis-1", "operator-1").expect("issue lis-1/reconnect/4")


@pytest.mark.parametrize("end", ["failed", "unreachable", "lost"])
def test_a_reconnect_that_ends_badly_may_have_opened_the_way_so_the_host_is_cut_off_and_swept_anew(
    tell: Tell, end: str
) -> None:
    story = reconnecting(tell)
    begun_us = story.now_us
    story.lose("lis-1/reconnect/1") if end == "lost" else story.finish("lis-1/reconnect/1", end)
    story.expect("issue lis-1/isolate/1")
    assert story.state.connection[story.host("lis-1")] == UNKNOWN
    story.at(5).nothing().sweep().nothing()
    assert story.state.connection[story.host("lis-1")] == UNKNOWN, "its silence proves no isolation of before"
    story.finish("lis-1/isolate/1").nothing().send_sweep("north", begun_us).nothing()
    story.sweep().expect("issue lis-1/reconnect/2")


def test_a_cancelled_reconnect_never_took_effect_and_needs_a_new_sweep_only(tell: Tell) -> None:
    story = reconnecting(tell).order("freeze", "all", "operator-1").expect("cancel lis-1/reconnect/1")
    story.stop("lis-1/reconnect/1").nothing().order("thaw", "all", "operator-1", "crisis-1").nothing()
    assert story.state.connection[story.host("lis-1")] == UNKNOWN
    story.sweep().expect("issue lis-1/reconnect/2")


def test_a_host_half_reconnected_that_answers_is_inspected_anew_once_it_is_cut_off(tell: Tell) -> None:
    story = reconnecting(tell).finish("lis-1/reconnect/1", "failed").expect("issue lis-1/isolate/1")
    story.sweep(answered=("lis-1",)).nothing()
    assert story.stage("lis-1") is Stage.RESTORED
    story.finish("lis-1/isolate/1").expect("issue lis-1/inspect/2").finish("lis-1/inspect/2").nothing()
    story.sweep().nothing().verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/2")


def test_a_host_found_suspect_while_it_is_being_reconnected_comes_back_and_is_inspected_again(tell: Tell) -> None:
    story = reconnecting(tell).verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect("cancel lis-1/reconnect/1")
    assert story.reason() == "the host was found suspect or infected"
    story.finish("lis-1/reconnect/1").expect("issue lis-1/isolate/1").finish("lis-1/isolate/1")
    story.expect("issue lis-1/inspect/2")


def test_a_suspect_host_whose_reconnect_was_stopped_in_time_is_inspected_again_in_quarantine(tell: Tell) -> None:
    story = reconnecting(tell).verdicts("lis-1", "analyst-3", verdict="SUSPECT").expect("cancel lis-1/reconnect/1")
    story.stop("lis-1/reconnect/1").expect("issue lis-1/inspect/2").finish("lis-1/inspect/2").nothing()
    story.sweep().nothing().verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/2")


def test_three_failed_inspections_ask_a_person(tell: Tell) -> None:
    story = tell(lone()).begun().finish("lis-1/restore/1").whatever()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/inspect/{number}", "failed").nothing().at(wait_s).expect(
            f"issue lis-1/inspect/{number + 1}"
        )
    story.finish("lis-1/inspect/3", "failed").expect("ask lis-1 host")


def test_a_host_found_infected_while_it_is_being_reconnected_is_isolated_and_preserved_anew(tell: Tell) -> None:
    story = reconnecting(tell, lone(preservation="required"))
    story.verdicts("lis-1", "analyst-3", verdict="INFECTED").expect("cancel lis-1/reconnect/1")
    story.finish("lis-1/reconnect/1").expect("issue lis-1/isolate/1", "change strategy lis-1 reimage")
    assert story.stage("lis-1") is Stage.BLOCKED
    story.finish("lis-1/isolate/1").expect("issue lis-1/preserve/2")
    story.finish("lis-1/preserve/2").expect("issue lis-1/restore/2 reimage")


@pytest.mark.parametrize("outcome", ["cancelled", "failed"])
def test_a_host_found_infected_whose_reconnect_did_not_happen_goes_to_its_next_strategy(
    tell: Tell, outcome: str
) -> None:
    story = reconnecting(tell).verdicts("lis-1", "analyst-3", verdict="INFECTED").expect("cancel lis-1/reconnect/1")
    if outcome == "cancelled":
        story.stop("lis-1/reconnect/1").expect("change strategy lis-1 reimage", "issue lis-1/restore/2 reimage")
    else:
        story.finish("lis-1/reconnect/1", "failed")
        story.expect("issue lis-1/isolate/1", "change strategy lis-1 reimage").finish("lis-1/isolate/1")
        story.expect("issue lis-1/restore/2 reimage")


def test_a_proof_that_falls_while_the_reconnect_is_under_way_withdraws_it(tell: Tell) -> None:
    story = reconnecting(tell).order("roster.revoke", "analyst-1", "operator-1", "it-director").nothing()
    story.finish("lis-1/reconnect/1").expect("issue lis-1/isolate/1")
    host = story.host("lis-1")
    assert (story.stage("lis-1"), story.state.connection[host]) == (Stage.RESTORED, CONNECTED)
    story.finish("lis-1/isolate/1").expect("issue lis-1/inspect/2").finish("lis-1/inspect/2").nothing()
    story.sweep().nothing()
    story.verdicts("lis-1", "analyst-2", "analyst-3").expect("issue lis-1/reconnect/2")


def test_missed_sweeps_do_not_withdraw_a_reconnect_under_way(tell: Tell) -> None:
    story = reconnecting(tell)
    for _ in range(4):
        story.sweep(control=False).nothing()
    story.finish("lis-1/reconnect/1").nothing()
    assert story.stage("lis-1") is Stage.RELEASED


def test_t0_moved_earlier_while_a_host_is_reconnected_makes_it_owe_an_inspection(tell: Tell) -> None:
    story = reconnecting(tell).order("fact.t0", "t0", "analyst-1", "it-director", at_us=OLD_POINT_US).nothing()
    story.finish("lis-1/reconnect/1").expect(
        "owe lis-1 its restore point is not older than the corrected T0", "issue lis-1/inspect/2"
    )


def test_a_recalled_host_is_proven_anew(tell: Tell) -> None:
    story = tell(lone()).begun().in_service("lis-1")
    story.order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").expect("issue lis-1/inspect/2")
    host = story.host("lis-1")
    assert (story.stage("lis-1"), story.state.verdicts[host], story.state.connection[host]) == (
        Stage.INSPECTING,
        [],
        UNKNOWN,
    )


def test_a_host_found_infected_while_out_is_recalled_preserved_anew_and_restored_otherwise(tell: Tell) -> None:
    story = tell(lone(preservation="required")).begun().in_service("lis-1")
    story.verdicts("lis-1", "analyst-3", verdict="INFECTED").expect("ask lis-1 network")
    assert story.asks("lis-1") == {"network": "INFECTED while out: recall it"}
    story.order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").expect("change strategy lis-1 reimage", "issue lis-1/preserve/2")
    assert story.asks("lis-1") == {}


def test_an_inspection_of_a_host_that_came_back_meanwhile_tells_nothing(tell: Tell) -> None:
    story = tell(lone(cleanliness="offline")).begun().bring("lis-1", Stage.RECONNECTING)
    story.finish("lis-1/reconnect/1").expect(
        "owe lis-1 it was inspected offline, before the online tools were in service", "issue lis-1/inspect/2"
    )
    story.order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").nothing()
    assert story.stage("lis-1") is Stage.RESTORED
    story.finish("lis-1/inspect/2").expect("issue lis-1/inspect/3")
    assert story.state.inspection[story.host("lis-1")] == ""


def test_a_failed_inspection_of_a_host_that_came_back_meanwhile_does_not_stop_it(tell: Tell) -> None:
    story = tell(lone(cleanliness="offline")).begun().released("lis-1").whatever()
    story.order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").nothing().finish("lis-1/inspect/2", "failed").nothing()
    story.at(1).expect("issue lis-1/inspect/3")


def test_isolating_one_host_is_tried_again_until_it_works_and_asks_for_hands_beside(tell: Tell) -> None:
    story = tell(lone()).begun()
    story.sweep(answered=("lis-1",)).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1", "failed").nothing().at(1).expect("issue lis-1/isolate/2")
    story.lose("lis-1/isolate/2").nothing().at(2).expect("issue lis-1/isolate/3")
    story.finish("lis-1/isolate/3", "unreachable").nothing().at(4).expect(
        "ask lis-1 isolation", "issue lis-1/isolate/4"
    )
    story.stop("lis-1/isolate/4").expect("issue lis-1/isolate/5")
    story.finish("lis-1/isolate/5").nothing()
    assert story.asks("lis-1") == {}


def test_an_isolation_ordered_while_a_failed_one_waits_starts_at_once(tell: Tell) -> None:
    story = tell(lone()).begun().sweep(answered=("lis-1",)).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1", "failed").nothing()
    story.order("host.isolate", "lis-1", "analyst-1").expect("issue lis-1/isolate/2")


def test_a_site_is_isolated_again_and_again_until_one_isolation_finished(tell: Tell) -> None:
    story = tell(lone()).signed()
    story.finish("north/isolate/1", "failed").nothing().at(1).expect("issue north/isolate/2")
    story.lose("north/isolate/2").nothing().at(2).expect("issue north/isolate/3")
    story.finish("north/isolate/3", "failed").expect("open task north/isolate").at(4).expect("issue north/isolate/4")
    story.stop("north/isolate/4").expect("issue north/isolate/5").finish("north/isolate/5", "failed").nothing()
    story.at(4).expect("issue north/isolate/6").finish("north/isolate/6").nothing()
    assert story.state.tasks["north/isolate"].status == "closed"
    story.refuses("tasks.open", lambda: story.order("task.done", "north/isolate", "technician-1"))


def test_two_witnesses_isolate_a_site_that_no_playbook_can(tell: Tell) -> None:
    content = hospital()
    sites = tuple(one.model_copy(update={"isolates_by": "witnesses"}) for one in content.inventory.sites)
    content = content.model_copy(update={"inventory": content.inventory.model_copy(update={"sites": sites})})
    story = tell(content).opened()
    assert not story.state.open
    story.order("task.done", "north/isolate", "technician-1").nothing()
    story.refuses("tasks.two-persons", lambda: story.order("task.done", "north/isolate", "technician-1"))
    story.order("task.done", "north/isolate", "operator-1").expect("issue lis-1/restore/1 restore")
    story.sweep().nothing()
    assert story.state.connection[story.host("lis-1")] == QUARANTINED
    assert story.state.tasks["north/isolate"].status == "confirmed"


def test_a_site_isolation_that_ends_late_says_nothing_of_a_host_that_is_out(tell: Tell) -> None:
    story = tell(lone()).opened().launched()
    for number, wait_s in ((1, 1), (2, 2), (3, 4)):
        story.finish(f"north/isolate/{number}", "failed").whatever().at(wait_s).whatever()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "north/isolate", person).whatever()
    story.released("lis-1")
    story.finish("north/isolate/4").nothing()
    assert story.state.isolated_us[story.host("lis-1")] == 0


@pytest.mark.parametrize(("took_s", "bound"), [(5, 1), (5.000001, 2), (30.000001, 3), (0, 0), (28_801, 11)])
def test_a_step_counts_among_those_that_took_as_long(tell: Tell, took_s: float, bound: int) -> None:
    """Five seconds count up to the bound of five, a microsecond more up to thirty; beyond eight hours stands last."""
    story = reconnecting(tell)
    story.later(took_s).finish("lis-1/reconnect/1").whatever()
    spent = story.state.spent["reconnect"]
    assert spent == [*(int(place == bound) for place in range(12)), round(took_s * SECOND)]
