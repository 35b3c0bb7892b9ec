"""What needs what, and which services wait for each other."""

from __future__ import annotations

from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Content
from orchestrator.plans.needs import Need, build, closure, find_cycles, function_roots, left_off
from tests.estates import (
    host_class,
    server,
    service,
    small_estate,
    with_classes,
    with_hosts,
    with_restart,
    with_services,
)


def only_cycle(content: Content) -> dict[str, object]:
    """The facts of the one cycle of `content`."""
    (error,) = find_cycles(build(content))
    return {**error.facts, "sentence": error.sentence}


def test_the_small_hospital_has_no_cycle_although_ad_and_dns_need_each_other() -> None:
    assert list(find_cycles(build(small_estate()))) == []


def test_a_restored_server_needs_the_repository_it_is_restored_from() -> None:
    graph = build(small_estate())
    assert graph.needs["lis"] == {"backup": Need("restore", "server"), "ad": Need("reconnect")}


def test_soft_needs_and_outside_services_are_no_needs() -> None:
    graph = build(small_estate())
    assert "reference-lab" not in graph.needs["lis"]
    assert "reference-lab" not in graph.services


def test_a_hypervisor_as_source_counts_like_a_repository() -> None:
    content = with_services(small_estate(), service("hypervisor"))
    content = with_classes(content, host_class("server", source="hypervisor:hypervisor"))
    assert build(content).needs["lis"]["hypervisor"] == Need("restore", "server")


def test_the_laboratory_brings_along_what_its_workstations_log_in_with() -> None:
    graph = build(small_estate())
    assert function_roots(graph, "laboratory", ("lis",)) == {"lis", "ad"}
    assert closure(graph, {"lis"}, set()) == {"lis", "ad", "dns", "backup"}
    assert closure(graph, {"lis"}, {"ad", "backup"}) == {"lis"}


def test_services_that_share_a_host_come_out_together() -> None:
    content = with_services(small_estate(), service("label-printing", "radiology"))
    content = with_hosts(content, server("lis-1", "north", "lis", "label-printing"))
    assert "label-printing" in closure(build(content), {"lis"}, set())


def test_hosts_are_left_off_by_name_or_by_class() -> None:
    content = with_restart(small_estate(), leave_off=("lis-2",))
    content = with_classes(content, host_class("museum", strategies=("leave_off",)))
    content = with_hosts(content, server("old-1", "south", "pacs", klass="museum"))
    assert left_off(content) == {"lis-2", "old-1"}
    graph = build(content)
    assert [host.id for host in graph.players["lis"]] == ["lis-1"]
    assert [host.id for host in graph.players["pacs"]] == ["pacs-1"]


def test_a_directory_that_is_restored_from_a_repository_that_logs_in_to_it_is_told_with_its_path() -> None:
    content = with_classes(small_estate(), host_class("first-server", source="repository:backup"))
    content = with_services(content, service("backup", needs=Needs(reconnect=("ad",))))
    facts = only_cycle(content)
    assert facts["path"] in (["ad", "backup", "ad"], ["backup", "ad", "backup"], ["backup", "backup"])
    assert "needs backup to restore (class first-server)" in str(facts["sentence"])


def test_nothing_is_its_own_source() -> None:
    content = with_hosts(small_estate(), server("backup-1", "north", "backup", klass="server"))
    assert only_cycle(content)["path"] == ["backup", "backup"]


def test_reconnect_needs_in_a_circle_are_an_error_outside_a_unit() -> None:
    content = small_estate()
    for name, needed in (("ad", "dns"), ("dns", "ad")):
        content = with_services(content, service(name, needs=Needs(reconnect=(needed,))))
    facts = only_cycle(content)
    assert facts["path"] == ["ad", "dns", "ad"]
    assert facts["steps"] == ["reconnect", "reconnect"]
    assert "make them one unit" in str(facts["sentence"])


def test_a_unit_does_not_excuse_a_circle_through_a_restore_need() -> None:
    content = with_services(small_estate(), service("dns", unit="directory", needs=Needs(restore=("ad",))))
    assert only_cycle(content)["steps"] == ["restore", "reconnect"]


def test_a_circle_through_inspection_is_told_too() -> None:
    content = with_services(small_estate(), service("edr", needs=Needs(inspect=("pacs",))))
    content = with_services(content, service("pacs", "radiology", needs=Needs(reconnect=("edr",))))
    assert only_cycle(content)["path"] == ["edr", "pacs", "edr"]


def test_second_domain_controllers_may_be_restored_when_the_first_one_is_rebuilt_from_media() -> None:
    content = with_services(small_estate(), service("backup", needs=Needs(reconnect=("ad",))))
    content = with_hosts(content, server("ad-2", "south", "ad", "dns", klass="server"))
    graph = build(content)
    assert graph.needs["ad"]["backup"] == Need("restore", "server", hard=False)
    assert list(find_cycles(graph)) == []


def test_a_domain_controller_whose_quorum_needs_the_restored_one_waits_for_ever() -> None:
    directory = service("ad", unit="directory", quorum=2, needs=Needs(reconnect=("dns",)))
    content = with_services(small_estate(), directory, service("backup", needs=Needs(reconnect=("ad",))))
    content = with_hosts(content, server("ad-2", "south", "ad", "dns", klass="server"))
    assert only_cycle(content)["path"] == ["ad", "backup", "ad"]


def test_two_separate_circles_are_two_errors() -> None:
    content = with_services(
        small_estate(),
        service("ad", needs=Needs(reconnect=("dns",))),
        service("pacs", "radiology", needs=Needs(reconnect=("ehr",))),
        service("ehr", "medical-records", needs=Needs(restore=("pacs",))),
    )
    paths = [error.facts["path"] for error in find_cycles(build(content))]
    assert paths == [["ad", "dns", "ad"], ["ehr", "pacs", "ehr"]]


def test_the_earliest_step_at_which_a_service_is_needed_counts() -> None:
    content = with_classes(small_estate(), host_class("scanned", needs=Needs(inspect=("ad",), reconnect=("dns",))))
    content = with_hosts(content, *(server(name, "north", "lis", klass="scanned") for name in ("lis-1", "lis-2")))
    assert build(content).needs["lis"] == {"ad": Need("inspect", "scanned"), "dns": Need("reconnect", "scanned")}


def test_references_to_nothing_are_passed_over() -> None:
    content = with_services(small_estate(), service("lis", "laboratory", needs=Needs(restore=("no-such-service",))))
    content = with_hosts(content, server("lis-1", "north", "lis", "no-such-service", klass="no-such-class"))
    assert set(build(content).needs["lis"]) == {"backup"}
