"""Cut down to some services, content refers to nothing that was cut away."""

from __future__ import annotations

from orchestrator.inventory.model import Function, Service
from orchestrator.plans.excerpt import excerpt
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content, Restart
from orchestrator.plans.review_references import references
from tests.small_estate import SMALL


def cut(*services: str, classes: tuple[str, ...] = ("server", "workstation"), **restart: object) -> Content:
    content = usable(SMALL)
    content = content.model_copy(update={"restart": content.restart.model_copy(update=restart)})
    known: dict[str, Service] = {each.id: each for each in content.inventory.services}
    functions: dict[str, Function] = {}
    return excerpt(content, {name: known[name] for name in services}, functions, classes)


def test_needs_functions_checks_and_interfaces_follow_the_services() -> None:
    kept = cut("lis", "ad", "dns")
    services = {each.id: each for each in kept.inventory.services}
    assert services["lis"].needs.reconnect == ("ad", "dns")
    assert [each.id for each in kept.inventory.functions] == ["laboratory"]
    assert kept.inventory.interfaces == ()
    assert {check.id for check in kept.checks} == {
        "server-answers", "workstation-answers", "ad-answers", "ad-synchronised", "dns-resolves", "lis-reads-an-order",
    }  # fmt: skip
    assert [activity.functions for activity in kept.inventory.activities] == [("laboratory",)]


def test_outside_services_come_along_with_those_who_need_them() -> None:
    assert [each.id for each in cut("lis").inventory.services] == ["lis", "lab-vendor"]
    assert [each.id for each in cut("pacs").inventory.services] == ["pacs"]


def test_a_class_whose_source_is_gone_is_installed_from_media() -> None:
    gone, kept = cut("lis"), cut("lis", "backup")
    assert next(each.source for each in gone.classes if each.id == "server") == "media"
    assert next(each.source for each in kept.classes if each.id == "server") == "repository:backup"


def test_an_interface_stays_when_both_its_ends_do() -> None:
    assert [each.id for each in cut("lis", "ehr").inventory.interfaces] == ["results"]


def test_a_task_whose_machine_source_is_gone_is_confirmed_by_two_persons() -> None:
    content = usable(SMALL)
    task = content.inventory.services[2].tasks[0].model_copy(update={"confirm": "check:edr-reports"})
    service = content.inventory.services[2].model_copy(update={"tasks": (task,)})
    kept = excerpt(content, {"ad": service}, {}, ())
    assert kept.inventory.services[0].tasks[0].confirm == "two-persons"


def test_pools_of_sites_that_are_gone_keep_their_smallest_size_as_default() -> None:
    pools = {pool.id: pool for pool in cut("lis").capacity.pools}
    assert (pools["bench"].per_site, pools["bench"].per_site_default) == ({}, 1)
    assert pools["storage"].size == 4


def test_the_order_keeps_the_functions_that_stay_and_forgets_names_of_hosts() -> None:
    kept = cut("pacs", "ehr", leave_off=("lab-n-1",))
    assert kept.restart == Restart(order=("radiology", "medical-records"), pinned=("radiology", "medical-records"))


def test_nothing_refers_to_what_was_cut_away() -> None:
    kept = cut("lis", "ehr", "dns")
    ids = {each.id for each in (*kept.inventory.services, *kept.inventory.functions, *kept.inventory.interfaces)}
    ids |= {each.id for each in (*kept.checks, *kept.classes, *kept.capacity.pools, *kept.roster.persons)}
    ids |= {task.id for each in kept.inventory.services for task in each.tasks}
    left = {(one.kind, one.target) for one in references(kept) if one.target not in ids}
    assert {kind for kind, _ in left} == {"site"}
