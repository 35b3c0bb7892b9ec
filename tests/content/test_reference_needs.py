"""What the services of the reference estate need, and what people must do before they count.

Never derives waves; test_reference_plans.py does.
"""

from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest

from orchestrator.inventory.model import Service, Task
from orchestrator.plans.model import Content, HostClass


def test_every_service_inside_keeps_its_quorum_without_the_hosts_left_off(
    content: Content, services: dict[str, Service]
) -> None:
    players = Counter(
        name for host in content.inventory.hosts if host.id not in content.restart.leave_off for name in host.services
    )
    assert [s.id for s in services.values() if s.kind == "inside" and players[s.id] < s.quorum] == []
    assert [s.id for s in services.values() if s.kind == "outside" and players[s.id]] == []


def test_every_service_of_the_wards_is_used_or_needed_by_someone(
    content: Content, services: dict[str, Service], needs: nx.MultiDiGraph[str]
) -> None:
    used = {name for function in content.inventory.functions for name in function.services}
    softly = {name for each in (*services.values(), *content.classes) for name in each.needs.soft}
    alone = {s.id for s in services.values() if s.function and s.kind == "inside"} - used - softly
    assert {name for name in alone if not needs.in_degree(name)} <= {"patient-portal", "records-archive"}


def test_nothing_waits_in_a_circle_to_be_restored_or_inspected(needs: nx.MultiDiGraph[str]) -> None:
    early = nx.DiGraph((a, b) for a, b, step in needs.edges(keys=True) if step != "reconnect")
    assert nx.is_directed_acyclic_graph(early)


def test_only_members_of_one_unit_need_each_other(needs: nx.MultiDiGraph[str], services: dict[str, Service]) -> None:
    knots = [knot for knot in nx.strongly_connected_components(nx.DiGraph(needs)) if len(knot) > 1]
    units = [{services[name].unit for name in knot} for knot in knots]
    assert sorted(unit.pop() or "" for unit in units if len(unit) == 1) == ["identity", "integration", "voice"]
    assert len(units) == 3


def test_what_edr_and_backup_need_is_rebuilt_or_examined_offline(
    content: Content, classes: dict[str, HostClass], needs: nx.MultiDiGraph[str]
) -> None:
    first = {"edr", "backup-server", "backup-repository"}
    first |= {name for root in list(first) for name in nx.descendants(needs, root)}
    hosts = [host for host in content.inventory.hosts if first.intersection(host.services)]
    assert [host.id for host in hosts if classes[host.klass].cleanliness != "offline"] == []


def test_nothing_is_its_own_source(content: Content, classes: dict[str, HostClass]) -> None:
    sources: nx.DiGraph[str] = nx.DiGraph()
    for host in content.inventory.hosts:
        origin = classes[host.klass].source.partition(":")[2]
        sources.add_edges_from((service, origin) for service in host.services if origin)
    assert {"backup-repository", "hypervisors"} <= set(sources)
    assert nx.is_directed_acyclic_graph(sources)


@pytest.mark.parametrize(
    "service", ["hypervisors", "storage", "backup-repository", "backup-server", "imaging", "jump-hosts"]
)
def test_the_first_machines_come_from_verified_media(
    content: Content, classes: dict[str, HostClass], service: str
) -> None:
    sources = {classes[host.klass].source for host in content.inventory.hosts if service in host.services}
    assert sources == {"media"}


def test_hosts_examined_online_wait_for_what_examines_them(content: Content) -> None:
    online = [klass for klass in content.classes if klass.cleanliness == "online"]
    assert {klass.id for klass in online if "edr" not in klass.needs.inspect} == {"thin-client"}
    assert all("forensic-collector" in klass.needs.inspect for klass in online)


def test_quarantine_lets_hosts_reach_what_their_restore_and_inspection_need(
    content: Content, needs: nx.MultiDiGraph[str]
) -> None:
    asked = {target for _, target, step in needs.edges(keys=True) if step != "reconnect"}
    asked |= {name for klass in content.classes for name in (*klass.needs.restore, *klass.needs.inspect)}
    assert [site.id for site in content.inventory.sites if not asked <= set(site.quarantine_flows)] == []


def test_krbtgt_is_reset_twice_ten_hours_apart(services: dict[str, Service]) -> None:
    tasks = {task.id: task for task in services["directory-root"].tasks}
    waits = tasks["krbtgt-second-reset"].after
    assert waits is not None
    assert (waits.task, waits.wait_s) == ("krbtgt-first-reset", 36000)
    assert {"administrator-secrets", "dsrm-secrets", "trusts-renewed", "rid-pool-raised"} <= tasks.keys()
    assert [task.id for task in services["secrets-vault"].tasks] == ["service-secrets-renewed"]


def test_number_sequences_move_past_the_paper_and_do_not_stay_true_for_ever(tasks: tuple[Task, ...]) -> None:
    sequences = [task for task in tasks if task.id.endswith("-sequences-advanced")]
    assert len(sequences) == 6
    assert all(task.expires_s for task in sequences)


@pytest.mark.parametrize("service", ["lis", "ris", "records-app", "sql-shared"])
def test_a_clinical_database_is_checked_before_anyone_trusts_it(services: dict[str, Service], service: str) -> None:
    assert [task.id for task in services[service].tasks if task.id.endswith("-checked")]


def test_services_at_the_bedside_take_a_second_person_to_isolate(services: dict[str, Service]) -> None:
    live = {service.id for service in services.values() if service.care == "live"}
    assert {"icu-monitoring", "nurse-call", "fetal-monitoring", "blood-bank", "medication-lists"} <= live


@pytest.mark.parametrize("service", ["lis", "ris", "records-app", "prescribing"])
def test_a_clinical_service_is_read_before_it_is_written_to_and_its_owner_opens_writing(
    services: dict[str, Service], service: str
) -> None:
    tasks = {task.id: task for task in services[service].tasks}
    (writing,) = (task for task in tasks.values() if task.id.endswith("-writing-opened"))
    assert writing.by == "crisis"
    before = []
    task = writing
    while task.after is not None:
        task = tasks[task.after.task]
        before.append(task.id.partition("-")[2])
    assert before[-2:] == ["opened-read-only", "data-until-shown"]
    owed = {name for name in tasks if name.endswith(("-sequences-advanced", "-reconciled"))}
    assert {name.partition("-")[2] for name in owed} <= set(before), "before anybody writes"


def test_prescriptions_are_those_of_today_and_queues_go_by_a_decision_with_a_name(tasks: tuple[Task, ...]) -> None:
    names = {task.id: task.name.en for task in tasks}
    assert "active prescriptions" in names["prescriptions-reconciled"]
    queues = [name for task, name in names.items() if task.endswith("-queues-purged") and task != "hl7-queues-purged"]
    assert len(queues) == 3
    assert [name for name in queues if "decided by name" not in name] == []
