"""What a drill replaces in an estate is what it says it replaces; needs, quorums, waves and gates stay."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.review import examine
from orchestrator.plans.waves import derive
from orchestrator.practice import rehearsal
from orchestrator.practice.fleet_file import PRESETS, FleetFile, load
from orchestrator.practice.rehearsal import (
    PEOPLE,
    REPLACED,
    Ports,
    fleet_file,
    rehearse,
    with_dormant,
    with_faults,
    write_estate,
)
from orchestrator.trust import keys
from tests.small_estate import SMALL

PORTS = Ports(ssh=20_022, http=20_080)
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    return {person: keys.generate(folder / person).line for person in PEOPLE}


@pytest.fixture(scope="module")
def original() -> Content:
    return usable(SMALL)


@pytest.fixture(scope="module")
def content(original: Content, public: dict[str, str]) -> Content:
    return rehearse(original, public, "drill", PORTS)


@pytest.fixture(scope="module")
def fleet(content: Content) -> FleetFile:
    return fleet_file(content, 5, "ssh-ed25519 AAAA", PORTS, 10 * HOUR_US)


def test_everything_is_on_loopback_and_every_address_is_used_once(content: Content) -> None:
    inventory = content.inventory
    used = [address for host in inventory.hosts for address in (host.address, host.management)]
    used += [part.partition(":")[0] for site in inventory.sites for part in (site.gate, site.prober, site.control)]
    assert all(ip_address(address).is_loopback for address in used)
    assert len(used) == len(set(used))


def test_a_place_has_an_address_of_its_own_up_to_seventeen_hundred_and_beyond() -> None:
    addresses = [rehearsal._address(16, number) for number in range(70_000)]
    assert len(set(addresses)) == len(addresses)
    assert all(ip_address(address).is_loopback for address in addresses)


def test_needs_quorums_units_waves_and_verdicts_stay_as_they_are(original: Content, content: Content) -> None:
    for before, after in zip(original.inventory.services, content.inventory.services, strict=True):
        assert (after.needs, after.quorum, after.unit) == (before.needs, before.quorum, before.unit)
    for one, other in zip(original.classes, content.classes, strict=True):
        assert (one.needs, one.verdicts_required, one.strategies) == (
            other.needs,
            other.verdicts_required,
            other.strategies,
        )
    waves = [[(wave.name, wave.hosts, wave.after) for wave in derive(each).waves] for each in (original, content)]
    assert waves[0] == waves[1]


def test_a_practice_soak_still_takes_three_readings_and_five_seconds(content: Content) -> None:
    assert content.restart.timing.soak_s >= 5
    assert content.restart.timing.passes >= 3
    assert any("soak 5 s and 3 readings" in line for line in REPLACED)


def test_every_timing_that_is_replaced_is_said(original: Content, content: Content) -> None:
    said = " ".join(REPLACED)
    before, after = original.restart.timing.model_dump(), content.restart.timing.model_dump()
    assert {name for name in after if before[name] != after[name]} <= rehearsal._TIMING.keys()
    for words in ("gate rules", "no shifts", "2 PASS bring a host", "20 s of FAIL", "sweep goes out every 2 s",
                  "60 s for a claim", "2 to 5 s for an unreachable", "between tasks",
                  "stopped after 60 s"):  # fmt: skip
        assert words in said


def test_tasks_follow_each_other_within_seconds_and_keep_their_order(original: Content, content: Content) -> None:
    waits = [
        (before.after, after.after)
        for one, other in zip(original.inventory.services, content.inventory.services, strict=True)
        for before, after in zip(one.tasks, other.tasks, strict=True)
    ]
    (wait,) = [(before, after) for before, after in waits if before]
    assert wait[0]
    assert wait[1]
    assert (wait[0].task, wait[0].wait_s, wait[1].wait_s) == (wait[1].task, 36_000, 3)


def test_every_check_asks_the_practice_host_where_the_fleet_answers(content: Content) -> None:
    for check in content.checks:
        assert (check.probe, check.port) == ("http", PORTS.http)
        assert check.params["path"] == (f"/l3/{check.interface}" if check.interface else f"/l2/{check.id}")


def test_the_fleet_has_a_host_for_every_place_and_answers_each_of_its_checks(
    content: Content, fleet: FleetFile
) -> None:
    assert [host.id for host in fleet.hosts] == [host.id for host in content.inventory.hosts]
    checks = {check.id for check in content.checks if not check.interface}
    assert {check for host in fleet.hosts for check in host.checks} == checks
    lis = next(host for host in fleet.hosts if host.id == "lis-1")
    assert set(lis.checks) == {"server-answers", "lis-reads-an-order"}


def test_links_end_at_the_hosts_that_play_the_services_and_vendors_answer_for_themselves(
    content: Content, fleet: FleetFile
) -> None:
    (link,) = [link for link in fleet.links if link.id == "results"]
    interface = next(one for one in content.inventory.interfaces if one.id == "results")
    players = [host.id for host in content.inventory.hosts if interface.target in host.services]
    assert list(link.target) == players
    assert [one.id for one in fleet.outside] == ["outside.lab-vendor"]


def test_restore_points_lie_before_the_attack(fleet: FleetFile) -> None:
    assert fleet.restore_point_us == 9 * HOUR_US


def test_faults_are_drawn_from_the_seed_and_every_kind_asked_for_is_there(fleet: FleetFile) -> None:
    first, again, other = (with_faults(fleet, ("refuse", "drop"), seed) for seed in (1, 1, 2))
    assert first == again
    assert [host.id for host in first.hosts if host.faults] != [host.id for host in other.hosts if host.faults]
    assert {fault.kind for host in first.hosts for fault in host.faults} == {"refuse", "drop"}


def test_no_fault_and_faults_of_people_leave_the_hosts_alone(fleet: FleetFile) -> None:
    assert with_faults(fleet, (), 1) is fleet
    assert with_faults(fleet, ("lazy-technician",), 1) is fleet


def test_what_sleeps_lies_where_it_is_put_and_no_other_fault_beside_it(fleet: FleetFile) -> None:
    asleep = fleet.hosts[0].id
    faulty = with_faults(with_dormant(fleet, [asleep]), PRESETS, 1, spared := [fleet.hosts[1].id])
    kinds = {host.id: [fault.kind for fault in host.faults] for host in faulty.hosts}
    assert [host for host, found in kinds.items() if "dormant" in found] == [asleep]
    assert kinds[asleep] == ["dormant"]
    assert len([found for found in kinds.values() if found]) == 1 + min(len(PRESETS), len(fleet.hosts) - 2)
    assert not kinds[spared[0]], "what happens to it later is part of the story"


def test_the_written_estate_reads_back_as_it_was_and_review_finds_no_error(content: Content, tmp_path: Path) -> None:
    write_estate(content, SMALL / "plans" / "playbooks", tmp_path / "estate")
    read = usable(tmp_path / "estate")
    assert (read.inventory, read.classes, read.restart) == (content.inventory, content.classes, content.restart)
    assert [str(one) for one in examine(tmp_path / "estate").findings if one.severity == "error"] == []


def test_the_fleet_file_reads_back_as_it_was(fleet: FleetFile, tmp_path: Path) -> None:
    fleet.save(tmp_path)
    assert load(tmp_path) == fleet
