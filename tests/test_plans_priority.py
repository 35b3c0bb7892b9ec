"""Who is urgent: the functions' ranks, what inherits them, and how much hangs on each host."""

from __future__ import annotations

from orchestrator.inventory.model import Needs
from orchestrator.plans import priority
from orchestrator.plans.model import Content, Plan, StepTimes
from orchestrator.plans.needs import build
from orchestrator.plans.waves import derive
from tests.estates import (
    function,
    host_class,
    server,
    service,
    small_estate,
    with_classes,
    with_functions,
    with_hosts,
    with_restart,
    with_services,
    workstation,
)


def inherited(content: Content) -> dict[str, int]:
    """The rank each service inherits."""
    ranks = priority.function_ranks(content)
    return priority.service_ranks(priority.layers(build(content), ranks), ranks)


def counted(plan: Plan, *hosts: str) -> list[str]:
    """Those of `hosts` that the plan counts on."""
    return [host for host in hosts if host in plan.quorum]


def test_the_recorded_order_ranks_the_functions() -> None:
    content = small_estate(order=("radiology", "laboratory", "medical-records"))
    assert priority.function_ranks(content) == {"radiology": 0, "laboratory": 1, "medical-records": 2}


def test_functions_the_order_does_not_name_come_after_by_their_ids() -> None:
    content = with_functions(small_estate(order=("radiology", "radiology", "no-such")), function("administration"))
    assert list(priority.function_ranks(content)) == ["radiology", "administration", "laboratory", "medical-records"]


def test_what_the_laboratory_needs_is_as_urgent_as_the_laboratory() -> None:
    chain = (
        service("lis", "laboratory", needs=Needs(reconnect=("sql",))),
        service("sql", "medical-records", needs=Needs(inspect=("scanner",))),
        service("scanner", "medical-records"),
    )
    content = with_hosts(
        with_services(small_estate(), *chain), server("sql-1", "north", "sql"), server("scan-1", "north", "scanner")
    )
    found = inherited(content)
    assert [found[each] for each in ("lis", "sql", "scanner", "pacs", "ehr")] == [0, 0, 0, 1, 2]


def test_a_service_two_functions_need_takes_the_more_urgent_rank() -> None:
    logs_in = Needs(reconnect=("ad", "sql"))
    content = with_services(
        small_estate(),
        service("sql", "medical-records"),
        service("ehr", "medical-records", needs=logs_in),
        service("pacs", "radiology", needs=logs_in),
    )
    assert inherited(with_hosts(content, server("sql-1", "north", "sql")))["sql"] == 1


def test_a_soft_need_passes_no_urgency_on() -> None:
    content = with_services(small_estate(), service("lis", "laboratory", needs=Needs(soft=("ehr",))))
    assert inherited(content)["ehr"] == 2


def test_every_function_waits_for_the_foundations_so_all_of_them_are_most_urgent() -> None:
    content = with_hosts(with_services(small_estate(), service("time")), server("time-1", "north", "time"))
    assert inherited(content)["time"] == 0


def test_a_service_nobody_needs_comes_after_every_slice_with_its_function() -> None:
    content = with_services(small_estate(), service("archive", "radiology"), service("stray", "no-such-function"))
    content = with_hosts(content, server("arc-1", "south", "archive"), server("stray-1", "south", "stray"))
    found = inherited(content)
    assert (found["archive"], found["stray"]) == (4, 6)


def test_only_the_quorum_inherits_and_the_surplus_comes_behind_every_slice() -> None:
    plan = derive(small_estate())
    assert (plan.ranks["lis-1"], plan.ranks["lis-2"]) == (0, 3)
    assert (plan.ranks["pacs-1"], plan.ranks["ehr-1"]) == (1, 2)
    assert counted(plan, "lis-1", "lis-2") == ["lis-1"]


def test_posts_inherit_and_other_workstations_do_not() -> None:
    plan = derive(small_estate())
    assert [plan.ranks[f"lab-ws-{number}"] for number in (1, 2, 3)] == [0, 3, 3]
    assert counted(plan, "lab-ws-1", "lab-ws-2", "lab-ws-3") == ["lab-ws-1"]


def test_hosts_of_no_known_function_and_hosts_left_off_come_last() -> None:
    content = with_hosts(small_estate(leave_off=("pacs-2",)), workstation("lost-1", "south", None))
    plan = derive(with_hosts(content, server("pacs-2", "south", "pacs")))
    assert (plan.ranks["lost-1"], plan.ranks["pacs-2"]) == (6, 6)
    assert plan.tail_s["pacs-2"] == 0
    assert set(plan.ranks) == set(plan.tail_s)


def test_a_host_that_plays_several_needed_services_is_preferred() -> None:
    content = with_hosts(small_estate(), server("ad-0", "north", "ad", klass="first-server"))
    plan = derive(content)
    assert counted(plan, "ad-0", "ad-1", "ad-2") == ["ad-1"]


def test_a_host_counted_for_one_service_fills_a_place_in_the_others() -> None:
    pair = service("lis", "laboratory", quorum=2, needs=Needs(reconnect=("ad",)))
    content = with_services(small_estate(), pair, service("labels", "laboratory"))
    content = with_functions(content, function("laboratory", "lis", "labels", sites=("north",)))
    content = with_hosts(
        content,
        server("lis-0", "north", "labels"),
        server("lis-1", "north", "lis", "labels"),
        server("lis-3", "south", "lis"),
    )
    assert counted(derive(content), "lis-0", "lis-1", "lis-2", "lis-3") == ["lis-1", "lis-2"]


def test_a_host_at_the_site_of_a_more_urgent_function_is_preferred() -> None:
    content = with_hosts(small_estate(), server("a-lis", "south", "lis"))
    assert counted(derive(content), "a-lis", "lis-1", "lis-2") == ["lis-1"]
    everywhere = with_functions(content, function("laboratory", "lis", sites=("north", "south")))
    assert counted(derive(everywhere), "a-lis", "lis-1", "lis-2") == ["a-lis"]


def test_the_tail_is_the_longest_chain_behind_a_host_its_own_work_included() -> None:
    plan = derive(small_estate())
    one = 60 + 20 + 2
    assert plan.tail_s["lab-ws-1"] == plan.tail_s["lis-1"] == one
    assert plan.tail_s["backup-1"] == 2 * one, "servers are restored from it"
    assert plan.tail_s["ad-1"] == one + 2 + one, "the repository is reconnected with the directory, then servers follow"


def test_a_slow_workstation_class_lengthens_the_tail_of_what_its_inspection_needs() -> None:
    slow = host_class(
        "workstation",
        kind="workstation",
        needs=Needs(inspect=("ad", "no-such")),
        duration_s=StepTimes(restore=100, inspect=5000, reconnect=10),
    )
    tail_s = derive(with_classes(small_estate(), slow)).tail_s
    assert tail_s["ad-2"] == 82 + 5010, "it may be restored before"
    assert tail_s["lab-ws-3"] == 5110


def test_nothing_hangs_on_what_a_service_has_beyond_its_quorum_and_one_spare() -> None:
    more = [server(f"ad-{number}", "north", "ad", klass="first-server") for number in (3, 4)]
    plan = derive(with_hosts(small_estate(), *more))
    assert counted(plan, "ad-1", "ad-2", "ad-3", "ad-4") == ["ad-1"]
    assert plan.tail_s["ad-1"] == plan.tail_s["ad-2"] == 166
    assert plan.tail_s["ad-3"] == plan.tail_s["ad-4"] == 82, "the others do not go before what is still missing"


def test_one_host_is_the_spare_of_all_services_it_plays() -> None:
    content = with_services(small_estate(), service("time", None))
    hosts = [server(f"ad-{number}", "north", "ad", "dns", "time", klass="first-server") for number in (1, 2, 3)]
    plan = derive(with_hosts(content, *hosts))
    assert [plan.tail_s[host.id] for host in hosts] == [166, 166, 82]


def test_the_third_post_of_a_site_is_as_urgent_as_its_slice_and_comes_after_the_two_that_count() -> None:
    content = with_restart(small_estate(), slices={}, posts_per_site=3)
    plan = derive(content)
    assert [plan.ranks[f"lab-ws-{number}"] for number in (1, 2, 3)] == [0, 0, 0]
    assert [plan.tail_s[f"lab-ws-{number}"] for number in (1, 2, 3)] == [82, 82, 0]
    assert counted(plan, "lab-ws-3") == ["lab-ws-3"]


def test_a_host_whose_class_is_unknown_takes_no_time_here() -> None:
    content = with_hosts(small_estate(), server("lis-2", "south", "lis", klass="no-such-class"))
    assert derive(content).tail_s["lis-2"] == 0


def test_an_estate_that_knows_no_function_still_has_a_plan() -> None:
    content = small_estate()
    bare = content.model_copy(update={"inventory": content.inventory.model_copy(update={"functions": ()})})
    plan = derive(with_restart(bare, slices={}))
    assert plan.ranks["ad-1"] == 0
    assert set(plan.ranks.values()) == {0}
    assert [wave.name for wave in plan.waves] == ["foundations", "unassigned/rest-1"]
