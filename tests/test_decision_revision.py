"""A plan that changes under a running restart: what is launched stays, what is new finds its place, nothing is lost."""

from __future__ import annotations

import pytest

from orchestrator.canonical import Json
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import UNKNOWN
from orchestrator.inventory.model import Needs, Task
from orchestrator.plans.model import Content, Pool, Split
from orchestrator.plans.review import without
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
    with_restart,
    with_services,
    workstation,
)
from tests.storyline import Story, Tell, hospital, plain_class, words

PAIR = ("operator-1", "crisis-1")


def two_functions() -> Content:
    """A directory for all, a laboratory and a radiology, each with a workstation."""
    return hospital(
        server("ad-1", "north", "ad"),
        server("lis-1", "north", "lis"),
        server("pacs-1", "north", "pacs"),
        workstation("lab-ws-1", "north", "laboratory"),
        workstation("rad-ws-1", "north", "radiology"),
        services=(
            service("ad"),
            service("lis", "laboratory", needs=Needs(reconnect=("ad",))),
            service("pacs", "radiology", needs=Needs(reconnect=("ad",))),
        ),
        order=("laboratory", "radiology"),
        pinned=("laboratory", "radiology"),
    )


def waves(story: Story) -> dict[str, list[str]]:
    """The waves in order, with their members."""
    estate, state = story.state.estate, story.state
    return {
        wave.name: sorted(estate.hosts[host] for host in state.members(number))
        for number, wave in enumerate(estate.waves)
    }


def test_a_new_server_joins_the_launched_wave_of_its_service_while_its_gate_is_open(tell: Tell) -> None:
    story = tell(two_functions()).opened().launched("foundations")
    story.propose(with_hosts(two_functions(), server("ad-2", "south", "ad")), *PAIR).nothing()
    assert waves(story)["foundations"] == ["ad-1", "ad-2"]


def test_a_new_server_of_a_wave_that_has_passed_comes_out_behind_it(tell: Tell) -> None:
    story = tell(two_functions()).opened().isolated().launched("foundations").passed("foundations")
    story.propose(with_hosts(two_functions(), server("ad-2", "south", "ad")), *PAIR).whatever()
    assert waves(story)["foundations"] == ["ad-1"]
    assert waves(story)["foundations/rest-1"] == ["ad-2"]
    assert story.state.waves[story.wave("foundations")].passed_us, "a gate that has passed stays passed"
    story.launched("foundations/rest-1").in_service("ad-2")


def test_new_workstations_come_out_behind_the_launched_waves_of_their_function(tell: Tell) -> None:
    content = two_functions()
    story = tell(content).opened().launched("foundations", "laboratory/slice")
    more = with_hosts(content, workstation("lab-ws-0", "north", "laboratory"))
    story.propose(more, *PAIR).nothing()
    assert waves(story)["laboratory/slice"] == ["lab-ws-1", "lis-1"]
    assert waves(story)["laboratory/rest-1"] == ["lab-ws-0"]
    story.launched("laboratory/rest-1")
    story.propose(with_hosts(more, workstation("lab-ws-2", "north", "laboratory")), *PAIR).nothing()
    assert waves(story)["laboratory/rest-2"] == ["lab-ws-2"]


def test_what_is_not_launched_is_planned_anew(tell: Tell) -> None:
    story = tell(two_functions()).opened().launched("foundations")
    story.order("functions.order", "functions", *PAIR, functions=["radiology", "laboratory"]).nothing()
    assert list(waves(story)) == ["foundations", "radiology/slice", "laboratory/slice"]
    estate = story.state.estate
    assert estate.plan.waves[2].after == ("radiology/slice",)
    assert story.state.urgency[story.host("pacs-1")] < story.state.urgency[story.host("lis-1")]


def test_a_launched_laboratory_waits_for_nobody_whom_the_new_order_puts_before_it(tell: Tell) -> None:
    story = tell(two_functions()).opened().launched("foundations", "laboratory/slice")
    story.order("functions.order", "functions", *PAIR, functions=["radiology", "laboratory"]).nothing()
    estate = story.state.estate
    after = {wave.name: wave.after for wave in estate.plan.waves}
    assert after["laboratory/slice"] == ("foundations",)
    assert after["radiology/slice"] == ("foundations",)


@pytest.mark.parametrize("order", ["laboratory", ["nowhere"], ["laboratory", "laboratory"]])
def test_an_order_of_functions_names_functions_each_once(tell: Tell, order: Json) -> None:
    story = tell(two_functions()).opened()
    story.refuses("content.order", lambda: story.order("functions.order", "functions", *PAIR, functions=order))


def test_one_person_changes_no_content_and_content_that_is_not_kept_cannot_be_ordered(tell: Tell) -> None:
    story = tell(two_functions()).opened()
    story.propose(with_hosts(two_functions(), server("ad-2", "south", "ad")), "operator-1").nothing()
    assert "ad-2" not in story.state.estate.host_number
    story.refuses("content.unknown", lambda: story.order("content.change", "content", "operator-1", digest="0"))


@pytest.mark.parametrize(
    ("lost", "left"),
    [
        ("host", without(two_functions(), ["lab-ws-1", "rad-ws-1"])),
        ("service", with_services(two_functions(), service("pacs2", "radiology"))),
    ],
)
def test_nothing_leaves_the_content_in_mid_incident(tell: Tell, lost: str, left: Content) -> None:
    before = with_services(two_functions(), service("old", "radiology")) if lost == "service" else two_functions()
    before = with_hosts(before, server("old-1", "north", "old")) if lost == "service" else before
    story = tell(before).opened()
    left = with_hosts(left, server("old-1", "north", "pacs2")) if lost == "service" else left
    refused = story.refuses("content.lost", lambda: story.propose(left, *PAIR))
    assert refused.sentence.startswith(f"The {lost} ")


def test_a_service_does_not_change_its_kind_in_mid_incident(tell: Tell) -> None:
    story = tell(two_functions()).opened()
    outside = with_services(two_functions(), service("pacs", "radiology", kind="outside"))
    story.refuses("content.kind", lambda: story.propose(outside, *PAIR))


def test_a_member_of_a_launched_wave_is_not_left_off_by_content(tell: Tell) -> None:
    story = tell(two_functions()).opened().launched("foundations", "laboratory/slice")
    off = with_restart(two_functions(), leave_off=("lab-ws-1",))
    refused = story.refuses("content.left-off", lambda: story.propose(off, *PAIR))
    assert "laboratory/slice" in refused.sentence
    story.propose(with_restart(two_functions(), leave_off=("rad-ws-1",)), *PAIR).whatever()


def test_content_that_allows_no_plan_is_refused_with_the_plans_own_sentence(tell: Tell) -> None:
    story = tell(two_functions()).opened()
    two = with_services(two_functions(), service("lis", "laboratory", quorum=2, needs=Needs(reconnect=("ad",))))
    refused = story.refuses("waves.quorum", lambda: story.propose(two, *PAIR))
    assert "lis needs 2 hosts" in refused.sentence


def test_a_new_need_that_points_behind_its_own_gate_is_refused(tell: Tell) -> None:
    story = tell(two_functions()).opened().launched("foundations", "laboratory/slice")
    late = with_services(
        two_functions(),
        service("labels", "laboratory"),
        service("lis", "laboratory", needs=Needs(reconnect=("ad", "labels"))),
    )
    late = with_checks(with_hosts(late, server("labels-1", "north", "labels")), check("labels-work", service="labels"))
    refused = story.refuses("waves.behind", lambda: story.propose(late, *PAIR))
    assert "lis in laboratory/slice needs labels" in refused.sentence


def test_a_new_service_of_a_launched_function_has_a_wave_and_a_gate_behind_it(tell: Tell) -> None:
    story = tell(two_functions()).opened().launched("foundations", "laboratory/slice")
    more = with_services(two_functions(), service("labels", "laboratory"))
    more = with_checks(with_hosts(more, server("labels-1", "north", "labels")), check("labels-work", service="labels"))
    story.propose(more, *PAIR).nothing()
    estate = story.state.estate
    apart = next(wave for wave in estate.plan.waves if wave.name == "laboratory/rest-1")
    assert (apart.services, apart.after) == (("labels",), ("laboratory/slice",))


def test_a_restart_goes_on_to_its_end_over_changed_content(tell: Tell) -> None:
    content = two_functions()
    story = tell(content).opened().isolated().launched("foundations").released("ad-1")
    more = with_hosts(content, server("lis-2", "south", "lis"), workstation("lab-ws-2", "south", "laboratory"))
    story.propose(more, *PAIR).whatever()
    story.passed("foundations").launched("laboratory/slice", "radiology/slice")
    story.passed("laboratory/slice")
    story.in_service("lis-1", "lis-2", "pacs-1", "lab-ws-1", "lab-ws-2", "rad-ws-1")


def test_a_host_that_is_new_at_an_isolated_site_is_cut_off_by_itself(tell: Tell) -> None:
    story = tell(two_functions()).opened().isolated()
    story.propose(with_hosts(two_functions(), server("ad-2", "south", "ad")), *PAIR)
    story.expect("issue ad-2/isolate/1")
    story.finish("ad-2/isolate/1").whatever()


@pytest.mark.parametrize("address", ["10.99.0.1", "10.0.0.1"])
def test_a_host_that_moved_is_no_longer_proven_to_be_in_quarantine(tell: Tell, address: str) -> None:
    story = tell(two_functions()).opened().isolated()
    assert story.state.connection[story.host("lis-1")] != UNKNOWN
    story.propose(with_hosts(two_functions(), server("lis-1", "north", "lis", address=address)), *PAIR).whatever()
    assert story.state.connection[story.host("lis-1")] == UNKNOWN
    assert "lis-1/isolate/1" in story.state.open


def test_a_host_that_is_out_stays_out_when_its_address_is_corrected(tell: Tell) -> None:
    story = tell(two_functions()).begun().in_service("ad-1")
    story.propose(with_hosts(two_functions(), server("ad-1", "north", "ad", address="10.99.0.1")), *PAIR).whatever()
    assert story.stage("ad-1") is Stage.IN_SERVICE
    assert "ad-1/isolate/1" not in story.state.open


def test_a_host_of_another_class_begins_with_that_classs_way_back(tell: Tell) -> None:
    story = tell(two_functions()).opened()
    other = with_classes(two_functions(), plain_class("bare", strategies=("reimage", "replace")))
    story.propose(with_hosts(other, server("lis-1", "north", "lis", klass="bare")), *PAIR).nothing()
    assert story.state.strategy[story.host("lis-1")] == "reimage"


def test_a_quorum_lowered_by_order_stays_low_until_the_content_says_otherwise(tell: Tell) -> None:
    content = with_hosts(two_functions(), server("ad-2", "south", "ad"), server("ad-3", "south", "ad"))
    content = with_services(content, service("ad", quorum=2))
    story = tell(content).opened()
    story.order("service.lower-k", "ad", "operator-1", "crisis-1", k=1).whatever()
    story.propose(with_hosts(content, server("pacs-2", "south", "pacs")), *PAIR).whatever()
    assert story.state.quorum[story.service("ad")] == 1
    story.propose(with_hosts(with_services(content, service("ad", quorum=3)), server("pacs-2", "south", "pacs")), *PAIR)
    story.whatever()
    assert story.state.quorum[story.service("ad")] == 3


def test_an_edge_that_two_persons_removed_does_not_come_back_with_new_content(tell: Tell) -> None:
    story = tell(two_functions()).opened()
    story.order("wave.after-removed", "radiology/slice", *PAIR, after="laboratory/slice").whatever()
    story.propose(with_hosts(two_functions(), server("pacs-2", "south", "pacs")), *PAIR).whatever()
    number = story.wave("radiology/slice")
    assert story.state.after[number] == set()
    assert story.state.ancestors[number] == frozenset()


def test_slots_are_counted_anew_when_pools_change_under_running_work(tell: Tell) -> None:
    story = tell(two_functions()).opened().isolated()
    running = sum(action.step == "restore" for action in story.state.open.values())
    assert running > 0
    content = with_pools(two_functions(), Pool(id="streams", name="Streams", size=1))
    klass = content.classes[0].model_copy(
        update={"pools": content.classes[0].pools.model_copy(update={"restore": ("streams",)})}
    )
    story.propose(with_classes(content, klass), *PAIR).whatever()
    streams = next(number for number, slot in enumerate(story.state.estate.pools) if slot.pool == "streams")
    assert story.state.in_use[streams] == sum(
        action.step == "restore" and story.state.estate.is_server[action.host] for action in story.state.open.values()
    )


def test_waits_and_soaks_that_were_asked_of_time_go_on_under_the_new_plan(tell: Tell) -> None:
    tasks = (Task(id="purge", name=names("Purge"), expires_s=90),)
    content = with_services(two_functions(), service("ad", tasks=tasks))
    story = tell(content).opened().isolated().launched("foundations").in_service("ad-1")
    story.read("service:ad").expect("start soak foundations", "open task ad/purge")
    story.order("task.done", "ad/purge", "operator-1").order("task.done", "ad/purge", "operator-2").nothing()
    story.propose(with_hosts(content, server("pacs-2", "south", "pacs")), *PAIR).whatever()
    woken = {(what, number) for _, what, number in story.state.timers}
    assert ("task", story.state.estate.task_number["ad/purge"]) in woken
    story.at(91).expect("open task ad/purge")


def test_a_gate_that_soaks_passes_under_the_new_plan_when_its_soak_is_over(tell: Tell) -> None:
    story = tell(two_functions()).opened().isolated().launched("foundations").in_service("ad-1")
    story.read("service:ad").whatever().read("service:ad", times=2).nothing()
    story.propose(with_hosts(two_functions(), server("pacs-2", "south", "pacs")), *PAIR).whatever()
    story.at(2).nothing().read("service:ad").nothing().at(1)
    assert next(words(one) for one in story.left) == "pass gate foundations"
    story.whatever()


def test_a_task_that_left_the_content_is_forgotten(tell: Tell) -> None:
    tasks = (Task(id="purge", name=names("Purge"), expires_s=90),)
    story = tell(with_services(two_functions(), service("ad", tasks=tasks))).opened().isolated()
    story.launched("foundations").in_service("ad-1").read("service:ad").whatever()
    story.order("task.done", "ad/purge", "operator-1").order("task.done", "ad/purge", "operator-2").nothing()
    story.propose(two_functions(), *PAIR).whatever()
    story.at(91).whatever()
    assert story.state.tasks["ad/purge"].status == "confirmed"


def test_a_post_that_stood_in_for_a_failed_one_keeps_its_place(tell: Tell) -> None:
    content = hospital(
        server("lis-1", "north", "lis"),
        *(workstation(f"lab-ws-{number}", "north", "laboratory") for number in range(1, 6)),
        services=(service("lis", "laboratory"),),
    )
    story = tell(content).opened().isolated().launched("laboratory/slice").excluded("lab-ws-1")
    assert "lab-ws-2" in waves(story)["laboratory/slice"]
    story.propose(with_hosts(content, server("lis-2", "south", "lis")), *PAIR).whatever()
    assert waves(story)["laboratory/slice"] == ["lab-ws-1", "lab-ws-2", "lis-1", "lis-2"]
    posts = story.state.estate.plan.waves[story.wave("laboratory/slice")].gate.posts
    assert posts["north"] == ("lab-ws-2",)


def test_a_post_that_fails_before_the_change_is_replaced_in_waves_planned_anew(tell: Tell) -> None:
    content = hospital(
        server("lis-1", "north", "lis"),
        *(workstation(f"lab-ws-{number}", "north", "laboratory") for number in range(1, 6)),
        services=(service("lis", "laboratory"),),
    )
    story = tell(content).opened().isolated().excluded("lab-ws-1")
    story.propose(with_hosts(content, server("lis-2", "south", "lis")), *PAIR).whatever()
    assert "lab-ws-2" in waves(story)["laboratory/slice"]


# splits by order


def cluster() -> Content:
    """A laboratory whose database and application need each other and come out together."""
    return hospital(
        server("db-1", "north", "db"),
        server("lis-1", "north", "lis"),
        services=(
            service("db", "laboratory", unit="lab"),
            service("lis", "laboratory", unit="lab", needs=Needs(reconnect=("db",))),
        ),
    )


def test_a_unit_that_cannot_come_out_whole_is_split_and_its_partner_goes_ahead(tell: Tell) -> None:
    story = tell(cluster()).begun().inspected("lis-1").verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.order("wave.split", "laboratory/slice", *PAIR, name="database", services=["db"], sites=[])
    story.expect("issue lis-1/reconnect/1")
    assert waves(story) == {"laboratory/slice": ["lis-1"], "laboratory/slice/database": ["db-1"]}
    estate = story.state.estate
    assert estate.plan.waves[0].gate.services == {"lis": 1}
    assert estate.groups[estate.group_of[story.host("lis-1")]].soft == (story.service("db"),)


def test_what_was_set_apart_stays_apart_when_content_changes_again(tell: Tell) -> None:
    story = tell(cluster()).begun()
    story.order("wave.split", "laboratory/slice", *PAIR, name="database", services=["db"], sites=[]).whatever()
    content = story.state.estate.content
    story.propose(with_hosts(content, server("db-2", "south", "db")), *PAIR).whatever()
    assert waves(story) == {"laboratory/slice": ["lis-1"], "laboratory/slice/database": ["db-1", "db-2"]}


def test_what_something_else_of_the_wave_needs_cannot_be_set_apart(tell: Tell) -> None:
    content = with_services(two_functions(), service("dns"), service("ad", needs=Needs(reconnect=("dns",))))
    content = with_checks(with_hosts(content, server("dns-1", "north", "dns")), check("dns-works", service="dns"))
    story = tell(content).opened().launched("foundations")
    refused = story.refuses(
        "waves.behind", lambda: story.order("wave.split", "foundations", *PAIR, name="x", services=["dns"], sites=[])
    )
    assert "ad in foundations needs dns" in refused.sentence


def test_a_wave_that_has_passed_is_not_split_and_a_split_says_what_it_takes(tell: Tell) -> None:
    story = tell(two_functions()).opened().isolated().launched("foundations").passed("foundations")
    refused = story.refuses(
        "waves.split", lambda: story.order("wave.split", "foundations", *PAIR, name="x", services=["ad"], sites=[])
    )
    assert "the gate of foundations has passed" in refused.sentence
    story.refuses("content.split", lambda: story.order("wave.split", "laboratory/slice", *PAIR, services=["lis"]))


def test_a_split_that_stands_in_the_content_is_made_once(tell: Tell) -> None:
    split = Split(wave="laboratory/slice", name="south", sites=("south",))
    content = with_hosts(two_functions(), workstation("lab-ws-2", "south", "laboratory"))
    content = with_restart(content, splits=(split,))
    story = tell(content).opened().launched("foundations", "laboratory/slice")
    story.propose(with_hosts(content, server("pacs-2", "south", "pacs")), *PAIR).nothing()
    assert waves(story)["laboratory/slice/south"] == ["lab-ws-2"]
    assert small_estate().restart.splits == ()


# what a change must never let out


def test_a_reconnect_whose_host_was_set_apart_into_a_wave_that_is_not_launched_is_stopped(tell: Tell) -> None:
    content = with_hosts(two_functions(), server("lis-2", "south", "lis"))
    story = tell(content).begun().passed("foundations").inspected("lis-2")
    story.verdicts("lis-2", "analyst-1", "analyst-2").expect("issue lis-2/reconnect/1")
    story.order("wave.split", "laboratory/slice", *PAIR, name="south", services=[], sites=["south"])
    assert "cancel lis-2/reconnect/1" in [words(one) for one in story.left]
    story.whatever().stop("lis-2/reconnect/1").whatever()
    story.sweep("south").nothing()
    assert story.stage("lis-2") is Stage.INSPECTED, "its new wave is not launched"


def test_a_reconnect_that_ends_when_content_asks_for_more_verdicts_is_withdrawn(tell: Tell) -> None:
    story = tell(two_functions()).begun().inspected("ad-1")
    story.verdicts("ad-1", "analyst-1", "analyst-2").expect("issue ad-1/reconnect/1")
    story.propose(with_classes(two_functions(), plain_class("server", verdicts_required=3)), *PAIR).whatever()
    story.finish("ad-1/reconnect/1")
    assert "issue ad-1/isolate/1" in [words(one) for one in story.left]
    story.whatever()
    assert story.stage("ad-1") is Stage.RESTORED
