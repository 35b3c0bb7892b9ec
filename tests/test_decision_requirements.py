"""Hosts that require the same form a group of numbers."""

from __future__ import annotations

import pytest

from orchestrator.decision.estate import Estate
from orchestrator.decision.requirements import HOST_STEPS, INSPECT, RECONNECT, RESTORE, Group
from orchestrator.errors import ContentError
from orchestrator.inventory.model import Names, Needs, Task
from orchestrator.plans.model import Content, Pool, StepPools
from orchestrator.plans.waves import derive
from tests.estates import host_class, server, service, small_estate, with_classes, with_hosts, with_pools, with_services


def group_of(content: Content, host: str) -> tuple[Estate, Group]:
    """The estate, and the group of one host."""
    estate = Estate(content, derive(content))
    return estate, estate.group(estate.host_number[host])


def named(estate: Estate, services: tuple[int, ...]) -> set[str]:
    """Service numbers as ids."""
    return {estate.services[one] for one in services}


def test_hosts_of_one_class_site_and_service_share_a_group() -> None:
    estate, _ = group_of(small_estate(), "lis-1")
    number = estate.group_of
    assert number[estate.host_number["lab-ws-1"]] == number[estate.host_number["lab-ws-2"]]
    assert number[estate.host_number["lis-1"]] != number[estate.host_number["lis-2"]], "another site"


def test_a_host_needs_what_its_class_its_services_and_its_source_need() -> None:
    needs = Needs(restore=("dns",), inspect=("backup",), reconnect=("ad",), soft=("reference-lab",))
    content = with_classes(small_estate(), host_class("server", source="repository:backup", needs=needs))
    estate, group = group_of(content, "lis-1")
    assert named(estate, group.needs[RESTORE]) == {"dns", "backup"}
    assert named(estate, group.needs[INSPECT]) == {"backup"}
    assert named(estate, group.needs[RECONNECT]) == {"ad"}
    assert named(estate, group.soft) == {"reference-lab"}


def test_needs_inside_the_unit_stand_apart_from_the_others() -> None:
    content = with_services(small_estate(), service("ad", unit="directory", needs=Needs(reconnect=("dns", "backup"))))
    content = with_hosts(content, server("ad-1", "north", "ad", klass="first-server"))
    content = with_services(content, service("backup"))
    estate, group = group_of(content, "ad-1")
    assert named(estate, group.unit_needs) == {"dns"}
    assert named(estate, group.needs[RECONNECT]) == {"backup"}


def test_a_host_that_plays_both_members_of_a_unit_waits_for_neither() -> None:
    _, group = group_of(small_estate(), "ad-1")
    assert group.unit_needs == ()


def test_tasks_of_class_and_service_stand_before_the_step_they_name() -> None:
    mount = Task(id="mount", name=Names(en="Mount", fr="Monter"), step="restore")
    plug = Task(id="plug", name=Names(en="Plug", fr="Brancher"), step="reconnect")
    content = with_classes(small_estate(), host_class("server", source="media", tasks=(mount,)))
    lis = next(one for one in content.inventory.services if one.id == "lis")
    content = with_services(content, lis.model_copy(update={"tasks": (plug,)}))
    estate, group = group_of(content, "lis-1")
    assert group.tasks == ((), (mount,), (), (plug,))
    assert {"lis-1/mount", "lis-2/plug"} <= estate.tasks.keys()


def test_a_pool_per_site_is_a_pool_of_each_site() -> None:
    pool = Pool(id="benches", name="Benches", per_site={"north": 7}, per_site_default=1)
    estate, group = group_of(with_pools(small_estate(), pool), "lab-ws-1")
    (north,) = group.pools[HOST_STEPS.index("restore")]
    assert (estate.pools[north].pool, estate.pools[north].size) == ("benches", 7)
    assert [slot.size for slot in estate.pools if slot.pool == "benches"] == [7, 1]


def test_a_pool_nobody_declared_is_an_error_that_names_it() -> None:
    content = with_classes(small_estate(), host_class("server", pools=StepPools(restore=("cranes",))))
    with pytest.raises(ContentError, match="cranes"):
        Estate(content, derive(small_estate()))


def test_a_pool_without_any_size_has_no_slot() -> None:
    estate, _ = group_of(with_pools(small_estate(), Pool(id="none", name="None")), "lis-1")
    assert {slot.size for slot in estate.pools if slot.pool == "none"} == {0}
