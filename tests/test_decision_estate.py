"""Content and plan as numbers: who plays what, which gate asks what, who comes first."""

from __future__ import annotations

from typing import Any

from orchestrator.decision.estate import Estate
from orchestrator.inventory.model import Names, Needs, Task, Wait
from orchestrator.plans.model import Content, StepTimes
from orchestrator.plans.waves import derive
from tests.estates import (
    check,
    host_class,
    server,
    service,
    small_estate,
    with_checks,
    with_classes,
    with_hosts,
    with_restart,
    with_services,
    with_tier0_tasks,
    workstation,
)


def compiled(content: Content | None = None) -> Estate:
    """The small hospital in numbers."""
    content = content or small_estate()
    return Estate(content, derive(content))


def task(task_id: str, **fields: Any) -> Task:
    """A task for a technician."""
    return Task(id=task_id, name=Names(en=task_id, fr=task_id), **fields)


def test_players_sites_and_waves_are_known_by_number() -> None:
    estate = compiled()
    lis = estate.service_number["lis"]
    assert [estate.hosts[host] for host in estate.players[lis]] == ["lis-1", "lis-2"]
    assert {estate.hosts[host] for host in estate.hosts_of_site[estate.site_number["south"]]} == {
        "ad-2", "lis-2", "pacs-1", "rad-ws-2", "ehr-ws-2"
    }  # fmt: skip
    slice_wave = estate.waves[estate.wave_number["laboratory/slice"]]
    assert {estate.hosts[host] for host in slice_wave.hosts} == {"lis-1", "lis-2", "lab-ws-1"}
    assert estate.wave_of_service[lis] == estate.wave_number["laboratory/slice"]
    assert estate.wave_of_service[estate.service_number["reference-lab"]] == -1


def test_every_ancestor_of_a_wave_is_known() -> None:
    estate = compiled()
    last = estate.wave_number["medical-records/slice"]
    names = {estate.waves[wave].name for wave in estate.ancestors[last]}
    assert names == {"foundations", "laboratory/slice", "radiology/slice"}
    assert estate.ancestors[estate.wave_number["foundations"]] == frozenset()


def test_a_gate_hears_of_its_services_and_its_interfaces() -> None:
    estate = compiled()
    gate = estate.wave_number["medical-records/slice"]
    for subject in ("service:ehr", "interface:lis-to-ehr"):
        assert estate.gates_of_subject[subject] == [gate]


def test_a_service_knows_whom_a_relapse_would_harm() -> None:
    estate = compiled()
    harmed = {estate.waves[wave].name for wave in estate.waves_needing[estate.service_number["ad"]]}
    assert harmed == {
        "laboratory/slice", "radiology/slice", "medical-records/slice", "laboratory/rest-1", "laboratory/rest-2"
    }  # fmt: skip


def test_the_cure_of_a_service_is_itself_and_all_it_needs() -> None:
    needs = Needs(reconnect=("lis",))
    estate = compiled(with_services(small_estate(), service("pacs", "radiology", needs=needs)))
    cure = {estate.services[one] for one in estate.closure[estate.service_number["pacs"]]}
    assert cure == {"pacs", "lis", "ad", "backup", "dns"}


def test_the_foundations_come_before_all_and_the_rest_of_a_function_last() -> None:
    estate = compiled()
    urgency = {host: estate.urgency[number] for host, number in estate.host_number.items()}
    assert urgency["backup-1"] < urgency["lis-1"] < urgency["pacs-1"] < urgency["ehr-1"]
    assert urgency["lab-ws-1"] < urgency["lab-ws-2"]
    assert sorted(urgency.values()) == list(range(14))


def test_a_host_that_stays_off_stands_in_no_wave() -> None:
    estate = compiled(small_estate(leave_off=("lis-2",)))
    assert estate.wave_of[estate.host_number["lis-2"]] == -1


def test_tasks_know_their_gate_their_predecessor_and_what_confirms_them() -> None:
    content = with_tier0_tasks(small_estate())
    lis = next(one for one in content.inventory.services if one.id == "lis")
    tasks = (task("by-service", confirm="check:lis-works"), task("by-link", confirm="check:results-arrive"),
             task("by-class", confirm="check:server-up"))  # fmt: skip
    estate = compiled(with_services(content, lis.model_copy(update={"tasks": tasks})))
    assert estate.waves[estate.wave_number["foundations"]].tasks == ("ad/krbtgt-1", "ad/krbtgt-2")
    assert estate.tasks_after == {"ad/krbtgt-1": ["ad/krbtgt-2"]}
    assert estate.confirmed_by == {"lis/by-service": "service:lis", "lis/by-link": "interface:lis-to-ehr"}
    assert estate.tasks_confirmed_by["service:lis"] == ["lis/by-service"]
    assert estate.tasks["ad/krbtgt-2"].spec.after == Wait(task="krbtgt-1", wait_s=3)
    assert "north/isolate" in estate.tasks


def test_a_subject_is_as_slow_as_its_slowest_check() -> None:
    content = with_checks(small_estate(), check("lis-slow", service="lis").model_copy(update={"interval_s": 30}))
    estate = compiled(with_restart(content))
    assert estate.interval_us["service:lis"] == 30_000_000
    assert estate.interval_us["interface:lis-to-ehr"] == 2_000_000
    assert estate.interval_us["class:server"] == 2_000_000


def test_services_may_need_each_other_in_a_circle_without_end() -> None:
    content = with_hosts(
        small_estate(),
        server("ad-1", "north", "ad", klass="first-server"),
        server("ad-2", "south", "dns", klass="first-server"),
    )
    estate = compiled(content)
    directory = frozenset({estate.service_number["ad"], estate.service_number["dns"]})
    assert estate.closure[estate.service_number["backup"]] >= directory


def test_a_server_whose_gate_bars_the_next_wave_goes_before_slower_workstations_of_that_wave() -> None:
    """By the tail alone an archive waited behind hundreds of workstations that its own gate kept in quarantine."""
    content = with_services(small_estate(), service("portal", "laboratory"))
    posts = [workstation(f"slow-ws-{number:02}", "north", "laboratory") for number in range(20)]
    content = with_hosts(content, server("portal-1", "north", "portal"), *posts)
    slow = StepTimes(preserve=10, restore=90_000, inspect=20, reconnect=2, isolate=2)
    estate = compiled(with_classes(content, host_class("workstation", kind="workstation", duration_s=slow)))
    urgency = {host: estate.urgency[number] for host, number in estate.host_number.items()}
    last = estate.plan.waves[estate.wave_number["laboratory/rest-2"]]
    assert "portal-1" in estate.plan.waves[estate.wave_number["laboratory/rest-1"]].hosts
    assert all(urgency["portal-1"] < urgency[post] for post in last.hosts)


def test_within_a_slice_a_slow_post_goes_before_the_quick_servers_its_wave_waits_for() -> None:
    """All that a slice needs is as urgent as the slice: there the longest way decides, not the wave."""
    slow = StepTimes(preserve=10, restore=90_000, inspect=20, reconnect=2, isolate=2)
    estate = compiled(with_classes(small_estate(), host_class("workstation", kind="workstation", duration_s=slow)))
    assert estate.urgency[estate.host_number["lab-ws-1"]] == 0
