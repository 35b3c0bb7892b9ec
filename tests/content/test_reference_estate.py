"""What the worked reference estate promises: a hospital group that could exist, complete and without contradiction.

Never tests the readers or the review themselves, only what stands in the files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from orchestrator.inventory import files
from orchestrator.inventory.model import Service, Task
from orchestrator.plans.model import Content
from orchestrator.plans.review import Examination

FUNCTIONS = {
    "laboratory", "radiology", "medical-records", "nuclear-medicine", "patient-identity", "blood-bank", "pharmacy",
    "prescriptions", "sterilisation", "emergency", "intensive-care", "theatres", "coronary-angiography", "oncology",
    "dialysis", "maternity", "consultations", "collection-centres", "temporary-centres", "telephony", "care-homes",
    "psychiatric-home", "creches", "administration",
}  # fmt: skip
FOUNDATIONS = {
    "clean-network", "hypervisors", "storage", "backup-repository", "backup-server", "directory-root", "directory",
    "dns", "dhcp", "ntp", "pki", "edr", "imaging", "jump-hosts",
}  # fmt: skip


def test_the_review_finds_no_error_and_nothing_unknown(examination: Examination) -> None:
    assert [str(one) for one in examination.findings if one.severity != "warning"] == []


def test_the_only_warnings_are_single_hosts_that_small_departments_really_have(examination: Examination) -> None:
    told = [one.message for one in examination.findings]
    assert [message for message in told if "its only host" not in message] == []
    assert len(told) <= 5


def test_the_group_has_six_hospitals_a_polyclinic_homes_and_creches(content: Content) -> None:
    kinds = Counter(site.kind for site in content.inventory.sites)
    assert kinds == {"hospital": 6, "polyclinic": 1, "nursing-home": 4, "psychiatric-home": 1, "creche": 3}


def test_there_are_exactly_200_servers_and_1500_workstations(content: Content) -> None:
    assert Counter(host.kind for host in content.inventory.hosts) == {"server": 200, "workstation": 1500}


def test_about_forty_devices_stand_under_the_hands_of_vendors_and_biomedical_engineers(content: Content) -> None:
    assert 35 <= len(content.inventory.devices) <= 50
    assert {device.owner for device in content.inventory.devices} == {"vendor", "biomedical"}


def test_a_device_names_a_task_that_somebody_has_to_do(content: Content, tasks: tuple[Task, ...]) -> None:
    known = {task.id for task in tasks}
    named = {device.vendor_task for device in content.inventory.devices} - {""}
    assert named
    assert named <= known


def test_every_function_a_hospital_would_ask_for_is_there(content: Content) -> None:
    assert {function.id for function in content.inventory.functions} >= FUNCTIONS


def test_the_foundations_hold_the_trusted_core_and_belong_to_no_ward(services: dict[str, Service]) -> None:
    assert {name for name in FOUNDATIONS if services[name].function is None} == FOUNDATIONS


def test_there_are_at_least_seventy_services_inside_and_some_outside(services: dict[str, Service]) -> None:
    kinds = Counter(service.kind for service in services.values())
    assert kinds["inside"] >= 70
    assert kinds["outside"] >= 10


def test_classes_are_few_and_of_both_systems(content: Content) -> None:
    assert 8 <= len(content.classes) <= 14
    assert {(klass.kind, klass.os) for klass in content.classes} == {
        (kind, system) for kind in ("server", "workstation") for system in ("linux", "windows")
    }


def test_no_id_means_two_things(content: Content, tasks: tuple[Task, ...]) -> None:
    inventory = content.inventory
    ids = [each.id for each in (*inventory.sites, *inventory.hosts, *inventory.devices)]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    assert len(tasks) == len({task.id for task in tasks})


def test_no_two_things_answer_at_one_address(content: Content) -> None:
    sites, hosts = content.inventory.sites, content.inventory.hosts
    edges = [text for site in sites for text in (site.prober, site.control, site.gate)]
    taken = [text.split(":")[0] for text in edges]
    taken += [where for host in hosts for where in (host.address, host.management)]
    assert [where for where, count in Counter(taken).items() if count > 1] == []


def test_every_host_and_edge_lies_in_the_networks_of_its_site(content: Content) -> None:
    networks = {site.id: [IPv4Network(text) for text in site.networks] for site in content.inventory.sites}
    places = [(host.site, where) for host in content.inventory.hosts for where in (host.address, host.management)]
    for site in content.inventory.sites:
        places += [(site.id, where.split(":")[0]) for where in (site.prober, site.control, site.gate)]
    assert [one for one in places if not any(IPv4Address(one[1]) in network for network in networks[one[0]])] == []


def test_every_machine_can_be_told_apart(content: Content) -> None:
    macs = [host.mac for host in content.inventory.hosts]
    serials = [host.serial for host in content.inventory.hosts if host.serial]
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", mac) for mac in macs)
    assert len(set(macs)) == len(macs)
    assert len(set(serials)) == len(serials)


def test_every_server_plays_a_service_and_every_workstation_stands_somewhere_for_a_function(content: Content) -> None:
    servers = [host for host in content.inventory.hosts if host.kind == "server"]
    workstations = [host for host in content.inventory.hosts if host.kind == "workstation"]
    assert all(host.services and host.function is None for host in servers)
    assert all(host.function and host.room and host.bench and not host.services for host in workstations)


def test_a_workstation_is_carried_to_a_bench_of_a_site_that_has_one(content: Content) -> None:
    bench = next(pool for pool in content.capacity.pools if pool.id == "bench")
    assert set(bench.per_site) == {site.id for site in content.inventory.sites}
    assert {host.bench for host in content.inventory.hosts if host.bench} <= set(bench.per_site)


def test_small_sites_have_their_own_small_servers_and_two_hospitals_the_data_centres(content: Content) -> None:
    count = Counter(host.site for host in content.inventory.hosts if host.kind == "server")
    assert {site for site, many in count.items() if many > 40} == {"north", "south"}
    assert len(count) >= 12


def test_every_function_uses_services_and_has_posts_at_each_of_its_sites(content: Content) -> None:
    posts: dict[str, set[str]] = defaultdict(set)
    for host in content.inventory.hosts:
        if host.function:
            posts[host.function].add(host.site)
    assert [function.id for function in content.inventory.functions if not function.services] == []
    assert {function.id: set(function.sites) for function in content.inventory.functions} == posts


def test_activities_name_functions_that_exist_and_care_is_never_without_the_laboratory(content: Content) -> None:
    activities = {activity.id: activity for activity in content.inventory.activities}
    assert len(activities) >= 10
    assert {"consultations", "scheduled-operations", "scheduled-radiology", "collection-centres"} <= activities.keys()
    assert "laboratory" in activities["urgent-care"].functions


def test_people_read_everything_in_english_and_in_french(content: Content, tasks: tuple[Task, ...]) -> None:
    inventory = content.inventory
    both = [each.name for each in (*inventory.sites, *inventory.functions, *inventory.activities, *tasks)]
    both += [each.name for each in (*inventory.services, *inventory.interfaces)]
    same = {name.en for name in both if name.en == name.fr}
    assert same <= {"Consultations", "Administration", "Prescriptions", "Admissions", "Crèches"}


@pytest.mark.parametrize("table", ["servers", "workstations", "devices"])
def test_tables_are_sorted_so_that_a_change_is_one_line(estate: Path, table: str) -> None:
    rows = (estate / f"inventory/{table}.csv").read_text(encoding="utf-8").splitlines()[1:]
    ids = [row.partition(",")[0] for row in rows]
    assert ids == sorted(ids)


@pytest.mark.parametrize("folder", ["inventory", "plans", "checks"])
def test_each_folder_explains_its_files_and_what_to_run_after_a_change(estate: Path, folder: str) -> None:
    readme = (estate / folder / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in (estate / folder).iterdir() if path.suffix in (".yaml", ".csv")}
    # The files of checks/ are one per function and explained together.
    shown = {"foundations.yaml", "cleanliness/"} if folder == "checks" else names
    assert [name for name in sorted(shown) if f"`{name}`" not in readme] == []
    assert "relance review" in readme
    assert "relance plan" in readme


def test_every_column_of_the_tables_is_explained(estate: Path) -> None:
    readme = (estate / "inventory/README.md").read_text(encoding="utf-8")
    columns = {*files.SERVER_COLUMNS, *files.WORKSTATION_COLUMNS, *files.DEVICE_COLUMNS}
    assert [name for name in sorted(columns) if f"`{name}`" not in readme] == []


def test_the_numbers_in_the_readme_are_those_of_the_files(content: Content, estate: Path) -> None:
    readme = (estate / "inventory/README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)\.\w+` \|.*\| ([\d,]+) \|$", readme, re.MULTILINE))
    inventory = content.inventory
    kinds = Counter(f"{host.kind}s" for host in inventory.hosts)
    lists = ("sites", "functions", "activities", "services", "interfaces", "devices")
    real = {name: len(getattr(inventory, name)) for name in lists} | kinds
    assert {name: int(count.replace(",", "")) for name, count in told.items()} == real
