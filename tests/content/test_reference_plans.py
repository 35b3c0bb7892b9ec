"""How the reference estate comes back: its checks, people, capacity, and the waves that follow from the files.

Never tests how waves are derived, only which ones a hospital gets from these files.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from orchestrator.checks.model import references
from orchestrator.plans.model import Content, Plan

PINNED = ("laboratory", "radiology", "medical-records")


def test_a_task_confirmed_by_a_link_is_judged_at_the_same_gate(content: Content, plan: Plan) -> None:
    """Otherwise the gate would wait for a reading that is only asked for behind it."""
    checks = {check.id: check for check in content.checks}
    wave_of = {service: wave for wave in plan.waves for service in wave.services}
    for service in content.inventory.services:
        for task in service.tasks:
            if task.confirm.startswith("check:"):
                assert checks[task.confirm.removeprefix("check:")].interface in wave_of[service.id].gate.interfaces


def test_every_service_inside_has_a_read_that_means_something_and_every_link_a_transaction(content: Content) -> None:
    levels = {(check.service or check.interface or check.klass, check.level) for check in content.checks}
    assert [s.id for s in content.inventory.services if s.kind == "inside" and (s.id, "L2") not in levels] == []
    assert [link.id for link in content.inventory.interfaces if (link.id, "L3") not in levels] == []


def test_a_port_that_accepts_is_never_taken_for_a_service_that_works(content: Content) -> None:
    assert {check.level for check in content.checks if check.probe == "tcp"} == {"L0"}


def test_a_page_that_merely_answers_is_no_proof(content: Content) -> None:
    pages = [check for check in content.checks if check.probe == "http"]
    assert {check.level for check in pages} == {"L2", "L3"}
    assert [check.id for check in pages if not check.params.get("path") or not check.params.get("contains")] == []


def test_every_class_has_one_host_check_and_linux_hosts_must_show_their_key(content: Content) -> None:
    probes = [(check.klass, check.probe) for check in content.checks if check.klass]
    expected = {"linux": "ssh", "windows": "tcp"}
    assert sorted(probes) == sorted((klass.id, expected[klass.os]) for klass in content.classes)


def test_each_function_has_a_file_of_checks_that_names_it(content: Content, estate: Path) -> None:
    names = {path.stem for path in (estate / "checks").glob("*.yaml")}
    assert names == {function.id for function in content.inventory.functions} | {"foundations"}
    for path in (estate / "checks").glob("*.yaml"):
        subject = "null" if path.stem == "foundations" else path.stem
        assert f"\nfunction: {subject}\n" in path.read_text(encoding="utf-8")


def test_nobody_is_in_the_roster_by_name_and_every_key_is_of_one_person(content: Content) -> None:
    persons = content.roster.persons
    for person in persons:
        assert re.fullmatch(rf"{person.roles[0].replace('_', '-')}-\d", person.id)
        assert isinstance(load_ssh_public_key(person.key.encode()), Ed25519PublicKey)
    assert len({person.key.split()[1] for person in persons}) == len(persons)
    roles = Counter(role for person in persons for role in person.roles)
    assert roles["operator"] >= 3
    assert (roles["analyst"], roles["technician"], roles["crisis"], roles["it_director"]) == (4, 6, 2, 1)
    assert 1 <= roles["forensic_lead"] <= 2


def test_every_shift_has_an_operator_two_analysts_and_someone_to_sign_with(content: Content) -> None:
    role_of = {person.id: person.roles[0] for person in content.roster.persons}
    assert {name for shift in content.capacity.shifts for name in shift.persons} == set(role_of)
    for shift in content.capacity.shifts:
        here = Counter(role_of[name] for name in shift.persons)
        assert min(here["operator"], here["crisis"], here["forensic_lead"]) >= 1
        assert here["analyst"] >= 2


def test_releases_are_paced_and_every_pool_is_used(content: Content) -> None:
    pools = {pool.id: pool for pool in content.capacity.pools}
    steps = ("preserve", "restore", "inspect", "reconnect")
    used = {name for klass in content.classes for step in steps for name in getattr(klass.pools, step)}
    assert pools["releases"].size == 20
    assert used == pools.keys()


def test_an_action_is_given_more_time_than_it_takes(content: Content) -> None:
    for klass in content.classes:
        for step in ("preserve", "restore", "inspect", "reconnect", "isolate"):
            assert getattr(klass.limit_s, step) >= 2 * getattr(klass.duration_s, step), (klass.id, step)


def test_the_order_names_every_function_and_the_laboratory_comes_first(content: Content) -> None:
    restart = content.restart
    assert sorted(restart.order) == sorted(function.id for function in content.inventory.functions)
    assert restart.pinned == restart.order[:3] == PINNED


def test_every_function_names_the_posts_its_wards_need_first(content: Content, plan: Plan) -> None:
    assert plan.warnings == ()
    hosts = {host.id: host for host in content.inventory.hosts}
    for function in content.inventory.functions:
        posts = content.restart.slices[function.id].posts
        assert set(posts) == set(function.sites)
        for site, names in posts.items():
            assert len(set(names)) == len(names) >= 3
            assert {(hosts[name].function, hosts[name].site) for name in names} == {(function.id, site)}


def test_every_host_stands_in_one_wave_except_those_left_off(content: Content, plan: Plan) -> None:
    placed = Counter(host for wave in plan.waves for host in wave.hosts)
    assert set(placed.values()) == {1}
    assert {host.id for host in content.inventory.hosts} - placed.keys() == set(content.restart.leave_off)


def test_the_way_to_the_laboratory_is_short(plan: Plan) -> None:
    waves = {wave.name: wave for wave in plan.waves}
    first, laboratory = waves["foundations"], waves["laboratory/slice"]
    servers = [host for host in laboratory.hosts if host.startswith("srv-")]
    assert laboratory.after == ("foundations",)
    assert len(first.hosts) <= 60
    assert 15 <= len(servers) <= 40


def test_the_laboratory_takes_the_interface_engine_and_patient_identity_with_it_and_no_more_than_it_needs(
    plan: Plan,
) -> None:
    laboratory = next(wave for wave in plan.waves if wave.name == "laboratory/slice")
    assert {"hl7-engine", "integration-broker", "identity-index", "sql-shared"} <= set(laboratory.services)
    assert not {"admissions", "records-app", "pacs-archive", "file", "mail"}.intersection(laboratory.services)


def test_the_gate_of_the_laboratory_judges_its_links_and_owes_those_to_the_outside(plan: Plan) -> None:
    gate = next(wave for wave in plan.waves if wave.name == "laboratory/slice").gate
    assert {"gateways-to-middleware", "middleware-to-lis", "engine-to-lis", "identity-to-lis"} <= set(gate.interfaces)
    assert gate.owed_interfaces == ("lis-to-reference",)
    assert set(gate.posts) >= {"north", "south", "east", "west", "park", "hill"}


def test_each_function_is_asked_what_a_clinician_would_ask(content: Content) -> None:
    function_of = {service.id: service.function for service in content.inventory.services}
    target_of = {link.id: link.target for link in content.inventory.interfaces}
    asked: dict[str | None, set[tuple[str, str]]] = {}
    for check in content.checks:
        service = check.service or target_of.get(check.interface or "", "")
        asked.setdefault(function_of.get(service), set()).add((check.probe, check.asks))
    assert asked["laboratory"] >= {("mssql", ""), ("hl7", "ack"), ("hl7", "order"), ("fhir", "search")}
    assert asked["radiology"] >= {("dicom", "echo"), ("dicom", "study"), ("dicom", "worklist"), ("dicom", "store")}
    assert asked["medical-records"] >= {("http", ""), ("fhir", "search"), ("mssql", "")}
    assert asked[None] >= {("dns", ""), ("ntp", ""), ("ldap", "root"), ("kerberos", ""), ("smb", "")}


def test_a_database_is_asked_for_its_newest_row_so_that_an_old_backup_shows(content: Content) -> None:
    databases = [check for check in content.checks if check.probe == "mssql"]
    assert len(databases) >= 4
    assert [check.id for check in databases if not check.params.get("age_max_s")] == []


def test_every_secret_a_check_names_is_listed_where_people_read_what_to_lay_down(
    content: Content, estate: Path
) -> None:
    readme = (estate / "checks/README.md").read_text(encoding="utf-8")
    named = {name for check in content.checks for name in references(check.probe, check.params).values()}
    assert named
    assert [name for name in sorted(named) if f"`{name.removeprefix('file:')}`" not in readme] == []
