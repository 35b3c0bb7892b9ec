"""What verdicts, readings and sweeps change."""

from __future__ import annotations

import pytest

from orchestrator.decision.blockers import blockers
from orchestrator.decision.events import Rematched, Started
from orchestrator.decision.stages import IllegalEvent, Stage
from orchestrator.decision.state import CONNECTED, QUARANTINED, UNKNOWN
from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Content
from tests.estates import PRACTICE_TIMING, server, service
from tests.storyline import Story, Tell, hospital, plain_class

LAB = "laboratory/slice"
DEBT = "owe lis-1 it was inspected offline, before the online tools were in service"


def offline(**timing: int) -> Content:
    """The lone laboratory server, inspected offline, so that it owes an online inspection."""
    changed = PRACTICE_TIMING.model_copy(update=timing)
    return hospital(classes=(plain_class("server", cleanliness="offline"),), timing=changed)


def two_laboratories() -> Content:
    """The laboratory server, and behind its gate the radiology server."""
    services = (service("lis", "laboratory"), service("ris", "radiology"))
    hosts = (server("lis-1", "north", "lis"), server("ris-1", "north", "ris"))
    order = ("laboratory", "radiology")
    return hospital(*hosts, services=services, order=order, pinned=order)


def owing(tell: Tell) -> Story:
    """The host is out and was inspected online; its verdicts are missing."""
    story = tell(offline()).begun().bring("lis-1", Stage.RECONNECTING).finish("lis-1/reconnect/1")
    return story.expect(DEBT, "issue lis-1/inspect/2").finish("lis-1/inspect/2").nothing()


def connection(story: Story, host: str = "lis-1") -> int:
    """How the host stands to the production network."""
    return story.state.connection[story.host(host)]


# verdicts


def test_suspect_asks_for_a_new_inspection_and_the_third_in_a_row_ends_it(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever()
    for number in (2, 3):
        story.verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect(f"issue lis-1/inspect/{number}")
        story.finish(f"lis-1/inspect/{number}").nothing().verdicts("lis-1", "analyst-2").nothing()
    story.verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect("give up lis-1")
    assert story.reason() == "three inspections in a row were SUSPECT"
    story.order("host.retry", "lis-1", "operator-1").expect("issue lis-1/restore/2 restore")
    story.finish("lis-1/restore/2").expect("issue lis-1/inspect/4")


def test_a_release_in_between_ends_the_row_of_suspects(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever()
    for number in (2, 3):
        story.verdicts("lis-1", "analyst-1", verdict="SUSPECT").whatever().finish(f"lis-1/inspect/{number}").nothing()
    story.released("lis-1").order("host.recall", "lis-1", "operator-1", "crisis-1", stops=["lis"]).whatever()
    story.finish("lis-1/isolate/1").expect("issue lis-1/inspect/4").finish(
        "lis-1/inspect/4"
    ).nothing().sweep().nothing()
    story.verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect("issue lis-1/inspect/5")


def test_infected_by_one_person_brings_the_next_strategy_and_then_the_end(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1").nothing()
    story.verdicts("lis-1", "analyst-2", verdict="INFECTED")
    story.expect("change strategy lis-1 reimage", "issue lis-1/restore/2 reimage")
    story.finish("lis-1/restore/2").expect("issue lis-1/inspect/2").finish("lis-1/inspect/2").nothing()
    story.verdicts("lis-1", "analyst-2", verdict="INFECTED").expect("give up lis-1")
    story.order("host.retry", "lis-1", "operator-1").expect("issue lis-1/restore/3 reimage")


def test_a_debt_is_settled_by_the_required_persons_where_the_host_stands(tell: Tell) -> None:
    story = owing(tell).verdicts("lis-1", "analyst-1").nothing()
    assert story.state.obligations
    story.verdicts("lis-1", "analyst-2").nothing()
    assert not story.state.obligations
    assert (story.stage("lis-1"), connection(story)) == (Stage.RELEASED, CONNECTED)


def test_suspect_on_a_host_that_owes_asks_for_a_recall_and_inspects_again(tell: Tell) -> None:
    story = owing(tell).verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect("issue lis-1/inspect/3")
    assert story.asks("lis-1") == {"network": "SUSPECT while out: recall it"}
    story.finish("lis-1/inspect/3").nothing().verdicts("lis-1", "analyst-1", "analyst-2").expect("thaw reach:lis-1")
    assert not story.state.obligations


def test_infected_on_a_host_that_owes_asks_for_a_recall(tell: Tell) -> None:
    story = owing(tell).verdicts("lis-1", "analyst-1", verdict="INFECTED")
    story.expect("ask lis-1 network").at(60).nothing()
    assert story.state.obligations, (
        "only a recall and a new restore settle it: it is not inspected again where it stands"
    )


def test_a_recall_of_a_host_under_online_inspection_waits_for_its_lane(tell: Tell) -> None:
    story = owing(tell).verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect("issue lis-1/inspect/3")
    story.order("host.recall", "lis-1", "operator-1", "crisis-1", stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").nothing()
    assert story.stage("lis-1") is Stage.RESTORED
    story.finish("lis-1/inspect/3").expect("issue lis-1/inspect/4")


def test_a_recall_of_an_infected_host_that_an_older_core_still_inspects_where_it_stands_waits_for_its_lane() -> None:
    """Only a journal of an older core leads there, so it is put there by hand."""
    story = Story(offline()).begun().bring("lis-1", Stage.RECONNECTING).finish("lis-1/reconnect/1").whatever()
    story.state.infected_us[story.host("lis-1")] = story.now_us
    story.order("host.recall", "lis-1", "operator-1", "crisis-1", stops=["lis"]).whatever()
    story.finish("lis-1/isolate/1").nothing()
    assert story.stage("lis-1") is Stage.BLOCKED
    story.finish("lis-1/inspect/2").expect("change strategy lis-1 reimage", "issue lis-1/restore/2 reimage")


def test_a_debt_past_its_time_asks_an_operator(tell: Tell) -> None:
    story = owing(tell).at(600).expect("ask lis-1 owed")
    assert "overdue" in story.reason()
    story.at(600).nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    assert story.asks("lis-1") == {}


def test_an_analyst_who_changed_their_mind_says_suspect_though_two_said_clean(tell: Tell) -> None:
    story = tell().opened().isolated().inspected("lis-1").verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.verdicts("lis-1", "analyst-1", verdict="SUSPECT").expect("issue lis-1/inspect/2")
    story.finish("lis-1/inspect/2").nothing().verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.verdicts("lis-1", "analyst-3", verdict="SUSPECT").expect("issue lis-1/inspect/3")


def test_a_host_in_service_found_suspect_is_asked_about_inspected_where_it_stands_and_cleared_by_two(
    tell: Tell,
) -> None:
    story = tell(two_laboratories()).begun().passed("laboratory/slice").in_service("ris-1")
    story.verdicts("lis-1", "analyst-3", verdict="SUSPECT")
    story.expect("owe lis-1 it was found SUSPECT while out", "hold radiology/slice owed:lis-1", "issue lis-1/inspect/2")
    assert story.asks("lis-1") == {"network": "SUSPECT while out: recall it"}
    story.finish("lis-1/inspect/2").nothing().verdicts("lis-1", "analyst-1").nothing()
    story.verdicts("lis-1", "analyst-2").expect("unhold radiology/slice owed:lis-1", "thaw reach:lis-1")
    assert story.asks("lis-1") == {}


@pytest.mark.parametrize("how", ["marker", "suspect"])
def test_what_an_owed_inspection_finds_holds_the_waves_behind(tell: Tell, how: str) -> None:
    story = tell(two_laboratories()).begun().passed("laboratory/slice").in_service("ris-1").whatever()
    story.order("indicators.force", "6" * 64, "analyst-1", "forensic-lead").nothing()
    story.rematched("lis-1", outcome="unmatched").whatever()
    if how == "marker":
        story.finish("lis-1/inspect/2", marker=True).expect("hold radiology/slice owed:lis-1")
    else:
        story.finish("lis-1/inspect/2").nothing().verdicts("lis-1", "analyst-1", verdict="SUSPECT")
        story.expect("hold radiology/slice owed:lis-1", "issue lis-1/inspect/3")
    story.whatever()


def test_a_host_inspected_offline_is_inspected_online_once_the_online_tools_serve(tell: Tell) -> None:
    services = (service("edr", "laboratory"), service("lis", "laboratory"))
    hosts = (server("lis-1", "north", "lis"), server("edr-1", "north", "edr", klass="first"), server("x-1", "north"))
    online = plain_class("online", needs=Needs(inspect=("edr",)))
    classes = (plain_class("server", cleanliness="offline"), plain_class("first", cleanliness="offline"), online)
    story = tell(hospital(*hosts, services=services, classes=classes)).begun().whatever()
    story.bring("lis-1", Stage.RECONNECTING).finish("lis-1/reconnect/1").expect(DEBT)
    assert list(blockers(story.state, 0, "inspect", story.now_us)) == [("need", "edr")]
    story.bring("edr-1", Stage.RECONNECTING).finish("edr-1/reconnect/1")
    story.expect(DEBT.replace("lis", "edr"), "issue edr-1/inspect/2").in_service("edr-1").whatever()
    story.read("service:edr").expect("issue lis-1/inspect/2")


# a new indicator set


def judged_twice(tell: Tell) -> Story:
    """Two laboratory servers: one is in service, the other waits clean behind a hold; then a new set comes."""
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(content).begun().in_service("lis-1").inspected("lis-2")
    story.order("wave.hold", LAB, "operator-1").whatever().sweep().whatever()
    story.verdicts("lis-2", "analyst-1", "analyst-2").nothing()
    story.order("indicators.force", "6" * 64, "analyst-1", "analyst-3").nothing()
    assert story.state.rematch == {story.host("lis-1"), story.host("lis-2")}
    return story


def test_verdicts_stand_where_nothing_of_a_new_set_was_found(tell: Tell) -> None:
    story = judged_twice(tell).rematched("lis-1", "lis-2").nothing()
    assert not story.state.rematch
    assert not story.state.obligations
    story.order("wave.resume", LAB, "operator-1").expect("issue lis-2/reconnect/1")


def test_no_host_goes_out_on_verdicts_under_a_set_that_was_not_matched_yet(tell: Tell) -> None:
    story = judged_twice(tell).order("wave.resume", LAB, "operator-1").nothing()
    story.rematched("lis-2").expect("issue lis-2/reconnect/1")


def test_a_hit_in_quarantine_is_suspect_and_a_new_inspection_follows(tell: Tell) -> None:
    story = judged_twice(tell).rematched("lis-2", outcome="hit").expect("issue lis-2/inspect/2")
    assert story.state.suspects[story.host("lis-2")] == 1
    story.finish("lis-2/inspect/2").nothing().rematched("lis-2").nothing()
    assert story.state.rematch == {story.host("lis-1")}
    story.verdicts("lis-2", "analyst-1", "analyst-2").nothing()


def test_a_hit_on_a_host_that_is_out_asks_a_person_and_is_inspected_again_where_it_stands(tell: Tell) -> None:
    story = judged_twice(tell).rematched("lis-1", outcome="hit")
    story.expect("owe lis-1 it was found SUSPECT while out", "issue lis-1/inspect/2")
    assert story.asks("lis-1") == {"network": "SUSPECT while out: recall it"}


def test_an_answer_about_another_set_or_an_older_inspection_changes_nothing(tell: Tell) -> None:
    story = judged_twice(tell)
    before = story.state.digest()
    story.send(Rematched({"lis-2": "lis-2/inspect/1"}, "7" * 64, "hit")).nothing()
    story.send(Rematched({"lis-2": "lis-2/inspect/9", "nowhere": "x"}, "6" * 64, "hit")).nothing()
    assert story.state.digest() == before


def test_people_who_judged_under_the_new_set_need_no_machine_to_agree(tell: Tell) -> None:
    story = judged_twice(tell).verdicts("lis-2", "analyst-1", "analyst-3").nothing()
    assert story.state.rematch == {story.host("lis-1")}
    story.rematched("lis-2", outcome="hit").nothing()
    story.order("wave.resume", LAB, "operator-1").expect("issue lis-2/reconnect/1")


def test_a_match_completes_what_a_host_that_is_out_owes(tell: Tell) -> None:
    story = judged_twice(tell).verdicts("lis-1", "analyst-3", verdict="SUSPECT").whatever()
    story.finish("lis-1/inspect/2").nothing().verdicts("lis-1", "analyst-1").nothing()
    story.order("indicators.force", "7" * 64, "analyst-1", "analyst-3").nothing()
    story.verdicts("lis-1", "analyst-2").nothing().rematched("lis-1").expect("thaw reach:lis-1")
    assert not story.state.obligations


def test_an_answer_that_is_none_is_refused(tell: Tell) -> None:
    with pytest.raises(IllegalEvent):
        judged_twice(tell).rematched("lis-1", outcome="clean")


# readings


def test_a_host_enters_service_after_as_many_pass_in_a_row_as_its_plan_asks(tell: Tell) -> None:
    story = tell().begun().released("lis-1").read("host:lis-1").nothing().read("host:lis-1", "UNKNOWN").nothing()
    story.read("host:lis-1").nothing().read("host:lis-1", "FAIL").nothing().read("host:lis-1").nothing()
    story.read("host:lis-1").expect("enter service lis-1")


def test_readings_of_a_host_in_quarantine_do_not_count_for_its_release(tell: Tell) -> None:
    story = tell().begun().read("host:lis-1", times=5).nothing().released("lis-1").read("host:lis-1").nothing()
    story.read("host:lis-1").expect("enter service lis-1")


def test_a_host_whose_check_fails_for_too_long_worries_a_person_until_it_passes(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").read("host:lis-1", "FAIL").nothing()
    story.read("host:lis-1", "UNKNOWN").nothing().read("host:lis-1", "FAIL").nothing().at(27).nothing()
    story.at(1).expect("ask lis-1 check").at(60).nothing().read("host:lis-1").nothing()
    assert story.asks("lis-1") == {}
    story.read("host:lis-1", "FAIL").nothing().at(30).expect("ask lis-1 check")


def test_the_same_answer_again_is_no_record_where_nobody_counts_it(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").read("host:lis-1").nothing()
    assert not story.recorded
    story.read("host:lis-1", "FAIL").nothing().read("host:lis-1", "FAIL").nothing()
    assert not story.recorded
    story.passed("laboratory/slice").read("service:lis").nothing()
    assert not story.recorded, "its gate has passed"


# sweeps


def test_quarantine_is_proven_by_silence_only_if_the_control_answered(tell: Tell) -> None:
    story = tell().opened().sweep().nothing()
    assert connection(story) == UNKNOWN, "nobody isolated it yet"
    story.finish("north/isolate/1").whatever().sweep(control=False).nothing()
    assert connection(story) == UNKNOWN
    story.sweep().nothing()
    assert connection(story) == QUARANTINED
    story.sweep().nothing()
    assert not story.recorded, "nothing new"


def test_a_sweep_that_began_before_the_isolation_ended_proves_nothing(tell: Tell) -> None:
    story = tell().opened()
    story.finish("north/isolate/1").whatever()
    begun_us = story.now_us
    story.send_sweep("north", begun_us).nothing()
    assert connection(story) == UNKNOWN
    story.send_sweep("north", begun_us, "lis-1").nothing()
    assert connection(story) == CONNECTED
    assert story.state.isolated_us[story.host("lis-1")], "no isolation is called back by an answer of before"
    story.send_sweep("north", begun_us, "lis-1").nothing()
    assert not story.recorded


def test_a_host_that_answers_the_prober_loses_its_verdicts_and_is_inspected_anew_once_cut_off(tell: Tell) -> None:
    story = tell().opened().isolated().inspected("lis-1").verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.sweep(answered=("lis-1",)).expect("freeze site:north", "issue lis-1/isolate/1").later(3600)
    assert story.reason(0) == "cut off, and answered the outside prober: lis-1"
    story.finish("lis-1/isolate/1").expect("issue lis-1/inspect/2").sweep().nothing()
    story.order("wave.launch", "laboratory/slice", "operator-1").nothing()
    story.finish("lis-1/inspect/2").nothing().verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    assert list(blockers(story.state, 0, "reconnect", story.now_us)) == [("alarm", "site:north")]
    story.order("thaw", "site:north", "operator-1", "it-director").expect("issue lis-1/reconnect/1")


def test_infected_on_a_host_that_owes_is_not_taken_back_by_later_clean_verdicts(tell: Tell) -> None:
    story = owing(tell).verdicts("lis-1", "analyst-1", verdict="INFECTED").whatever()
    story.refuses("verdict.inspection", lambda: story.verdicts("lis-1", "analyst-2"))
    assert story.state.infected_us[story.host("lis-1")]
    assert story.state.freezes == {"reach:lis-1": "recall"}
    assert story.asks("lis-1") == {"network": "INFECTED while out: recall it"}
    story.order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").expect("change strategy lis-1 reimage", "issue lis-1/restore/2 reimage")


def test_an_alarm_stays_beside_a_stronger_freeze_and_above_a_weaker_one(tell: Tell) -> None:
    story = tell().opened().isolated().order("freeze", "site:north", "operator-1").nothing()
    story.sweep(answered=("lis-1",)).expect("freeze site:north", "issue lis-1/isolate/1")
    story.order("freeze", "site:north", "operator-1").nothing()
    assert story.state.freezes == {"site:north": "alarm"}
    story.order("freeze", "site:north", "operator-1", all_work=True).nothing()
    story.finish("lis-1/isolate/1").nothing().sweep(answered=("lis-1",))
    story.expect("freeze site:north", "issue lis-1/isolate/2")
    assert story.state.freezes == {"site:north": "all-work"}


def test_who_thaws_a_site_has_seen_the_alarm_that_froze_it(tell: Tell) -> None:
    story = tell().opened().isolated().order("freeze", "site:north", "operator-1").nothing()
    head = story.state.seq
    story.sweep(answered=("lis-1",)).expect("freeze site:north", "issue lis-1/isolate/1")
    story.refuses("orders.head", lambda: story.order("thaw", "site:north", "operator-1", head=head))


def test_an_inspection_during_which_the_host_was_connected_is_made_again(tell: Tell) -> None:
    story = tell().begun().bring("lis-1", Stage.INSPECTING).sweep(answered=("lis-1",)).expect("issue lis-1/isolate/1")
    story.finish("lis-1/inspect/1").nothing().finish("lis-1/isolate/1").expect("issue lis-1/inspect/2")
    story.sweep(answered=("lis-1",)).expect("issue lis-1/isolate/2").finish("lis-1/isolate/2").nothing()
    story.finish("lis-1/inspect/2").expect("issue lis-1/inspect/3")


def test_the_quarantine_falls_back_to_unknown_after_three_missed_sweeps(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever()
    story.sweep(control=False).nothing().sweep(control=False).nothing()
    assert connection(story) == QUARANTINED
    story.sweep(control=False).nothing()
    assert connection(story) == UNKNOWN
    story.refuses("verdict.seat", lambda: story.verdicts("lis-1", "analyst-1"))
    story.sweep(control=False).nothing()
    assert not story.recorded
    story.sweep().nothing().verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")


def test_after_a_start_each_quarantine_is_proven_anew_for_nobody_swept_meanwhile(tell: Tell) -> None:
    story = tell().opened().isolated().inspected("lis-1").verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.later(3600).send(Started("1")).nothing()
    assert connection(story) == UNKNOWN
    story.order("wave.launch", "laboratory/slice", "operator-1").nothing().sweep().expect("issue lis-1/reconnect/1")
    story.send(Started("1")).nothing().finish("lis-1/reconnect/1").nothing()


def test_a_host_that_is_out_may_answer_and_one_that_is_not_is_isolated(tell: Tell) -> None:
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(content).begun().released("lis-1").bring("lis-2", Stage.RECONNECTING)
    story.sweep(answered=("lis-1", "lis-2", "printer")).nothing()
    assert not story.recorded
    story.finish("lis-2/reconnect/1", "failed").expect("issue lis-2/isolate/1")
    story.sweep(answered=("lis-1", "lis-2")).nothing()
    assert connection(story, "lis-2") == CONNECTED


def test_a_failed_host_that_answers_is_isolated_too(tell: Tell) -> None:
    story = tell().begun().excluded("lis-1").sweep(answered=("lis-1",)).expect("issue lis-1/isolate/1")
    story.sweep(answered=("lis-1",)).nothing()
    story.finish("lis-1/isolate/1").nothing().sweep().nothing()
    assert connection(story) == QUARANTINED


def test_a_control_that_answers_again_proves_only_what_was_isolated(tell: Tell) -> None:
    story = tell().opened().sweep(control=False).nothing().sweep().nothing()
    assert story.recorded
    assert connection(story) == UNKNOWN
    story.sweep(answered=("lis-1",)).nothing().sweep(control=False).nothing().sweep(answered=("lis-1",)).nothing()
    assert connection(story) == CONNECTED


def test_an_answer_while_a_failed_isolation_waits_changes_nothing_about_the_wait(tell: Tell) -> None:
    story = tell().begun().order("host.isolate", "lis-1", "operator-1").expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1", "failed").nothing().sweep(answered=("lis-1",)).expect("issue lis-1/isolate/2")
    story.finish("lis-1/isolate/2", "failed").nothing().sweep(answered=("lis-1",)).nothing()
    story.at(1).expect("issue lis-1/isolate/3")


def test_after_a_fail_passes_are_counted_from_one(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    story.read("service:lis").whatever().read("service:lis", "FAIL").whatever()
    counted = []
    for _ in range(3):
        story.read("service:lis").whatever()
        counted.append(story.state.readings["service:lis"].passes)
    assert counted == [1, 2, 3]
