"""What differs between two contents, in words a person can sign."""

from __future__ import annotations

from orchestrator.inventory.model import Needs
from orchestrator.plans.differences import LINE_MAX, LISTED_MAX, NEW_MAX, differences
from orchestrator.plans.model import Split, Timing
from tests.estates import (
    server,
    service,
    small_estate,
    with_hosts,
    with_restart,
    with_services,
    without_hosts,
    workstation,
)


def test_the_same_content_differs_in_nothing() -> None:
    assert differences(small_estate(), small_estate()) == []


def test_a_changed_playbook_is_said_to_change_nothing_of_the_plan() -> None:
    other = small_estate().model_copy(update={"digest": "d" * 64})
    assert differences(small_estate(), other) == ["nothing that the plan reads: comments, documents or playbooks"]


def test_hosts_that_come_go_and_move_are_named() -> None:
    before = small_estate()
    after = without_hosts(with_hosts(before, server("lis-9", "north", "lis")), "lab-ws-3")
    after = with_hosts(after, server("lis-1", "south", "lis"))
    said = differences(before, after)
    assert "host, 1 new: lis-9" in said
    assert "host lab-ws-3: gone" in said
    moved = next(one for one in said if one.startswith("host lis-1: "))
    assert "site was north, becomes south" in moved


def test_a_thousand_new_workstations_are_counted_and_the_first_are_named() -> None:
    new = [workstation(f"new-{number:04}", "north", "laboratory") for number in range(1000)]
    (said,) = differences(small_estate(), with_hosts(small_estate(), *new))
    assert said.startswith("host, 1000 new: new-0000, new-0001")
    assert said.endswith("and 980 more")
    assert said.count("new-") == NEW_MAX


def test_a_service_says_which_need_it_gained_and_lost() -> None:
    before = with_services(small_estate(), service("lis", "laboratory", needs=Needs(reconnect=("ad", "backup"))))
    after = with_services(before, service("lis", "laboratory", needs=Needs(reconnect=("ad", "dns")), quorum=2))
    assert differences(before, after) == [
        "service lis: quorum was 1, becomes 2; needs.reconnect without backup, with dns"
    ]


def test_rules_of_the_restart_are_told_one_by_one() -> None:
    split = Split(wave="laboratory/slice", name="late", sites=("south",))
    after = with_restart(small_estate(), order=("radiology", "laboratory"), splits=(split,), timing=Timing(soak_s=60))
    said = differences(with_restart(small_estate(), order=("laboratory", "radiology"), timing=Timing()), after)
    assert "restart: order was laboratory, radiology, becomes radiology, laboratory" in said
    assert "restart: timing.soak_s was 900, becomes 60" in said
    assert any(one.startswith("restart: splits with {'wave': 'laboratory/slice'") for one in said)


def test_a_change_of_everything_is_cut_and_says_by_how_much() -> None:
    hosts = [workstation(f"ws-{number:04}", "north", "laboratory") for number in range(300)]
    before = with_hosts(small_estate(), *hosts)
    moved = [workstation(f"ws-{number:04}", "south", "radiology", room="R" * 200) for number in range(300)]
    said = differences(before, with_hosts(before, *moved))
    assert len(said) == LISTED_MAX + 1
    assert said[-1] == "and 200 more differences"
    assert max(map(len, said)) <= LINE_MAX
