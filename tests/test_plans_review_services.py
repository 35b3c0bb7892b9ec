"""Services that could never come into service, and those that hang by one thread, are found in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_estate import SmallEstate

SERVICES = "inventory/services.yaml"
CLASSES = "plans/classes.yaml"
BACKUP = "needs: {restore: [hypervisor]}\n  - id: ad"


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        # quorums
        ("inventory/servers.csv", "ehr-1,south,SDC,ehr,", "ehr-1,south,SDC,pacs,",
         f"{SERVICES}:42 No host that comes back plays the service `ehr`."),
        ("plans/restart.yaml", "scenario:", "leave_off: [ehr-1]\nscenario:",
         f"{SERVICES}:42 No host that comes back plays the service `ehr`."),
        (SERVICES, "    unit: directory\n    needs: {reconnect: [dns]}",
         "    quorum: 3\n    unit: directory\n    needs: {reconnect: [dns]}",
         f"{SERVICES}:10 The service `ad` needs 3 hosts in service, and 2 play it."),
        # checks
        ("checks/laboratory.yaml", "level: L2", "level: L1",
         f"{SERVICES}:30 The service `lis` has no check of L2 or L3, so no gate can ever pass it."),
        ("checks/medical-records.yaml", "interface: results, level: L3", "service: ehr, level: L3",
         "inventory/interfaces.yaml:3 The interface `results` has no L3 check, so no gate can pass it."),
        ("checks/foundations.yaml", "class: workstation", "class: server",
         f"{CLASSES}:29 The class `workstation` has no check, so none of its 4 hosts can ever be in service."),
        ("inventory/functions.yaml", "services: [pacs]", "services: []",
         "inventory/functions.yaml:7 The function `radiology` has no check on any of its services; "
         "nothing shows that it works."),
        ("checks/laboratory.yaml", "service: lis, level: L2", "service: lis, level: L2, probe: tcp, port: 80}\n"
         "  - {id: line-answers, service: lab-vendor, level: L2",
         "checks/laboratory.yaml:4 `lab-vendor` is outside and has no host to ask: its signed fact alone counts."),
        # circles
        (SERVICES, BACKUP, BACKUP.replace("restore: [hypervisor]", "restore: [hypervisor], inspect: [edr]"),
         f"{SERVICES}:11 These services wait for each other and none can come first: "
         "ad needs backup to restore (class directory-server), backup needs edr to inspect, "
         "edr needs dns to reconnect, dns needs ad to reconnect."),
        (SERVICES, "name: {en: Hypervisor, fr: Hyperviseur}",
         "name: {en: Hypervisor, fr: Hyperviseur}\n    needs: {inspect: [backup]}",
         f"{SERVICES}:8 These services wait for each other and none can come first: "
         "backup needs hypervisor to restore, hypervisor needs backup to inspect."),
        (SERVICES, "restore: [hypervisor], reconnect: [dns]", "restore: [hypervisor], inspect: [lis]",
         f"{SERVICES}:26 These services wait for each other and none can come first: "
         "edr needs lis to inspect, lis needs edr to inspect (class server)."),
        (SERVICES, "name: {en: Image archive, fr: Archive d'images}\n    function: radiology\n    needs: {reconnect: [",
         "name: {en: Image archive, fr: Archive d'images}\n    function: radiology\n    needs: {reconnect: [pacs, ",
         f"{SERVICES}:41 These services wait for each other and none can come first: pacs needs pacs to reconnect."),
        (SERVICES, "    unit: directory\n    needs: {reconnect: [ad]}", "    needs: {reconnect: [ad]}",
         f"{SERVICES}:11 These services wait for each other and none can come first: "
         "ad needs dns to reconnect, dns needs ad to reconnect."),
        (SERVICES, "needs: {reconnect: [ad]}\n  - id: edr", "needs: {restore: [ad]}\n  - id: edr",
         f"{SERVICES}:23 These services wait for each other and none can come first: "
         "dns needs ad to restore, ad needs dns to reconnect."),
        # sources
        (CLASSES, "source: media\n    cleanliness: offline", "source: repository:backup\n    cleanliness: offline",
         f"{CLASSES}:7 A source leads to itself: backup comes from backup. "
         "Rebuild the first of them from media or a spare."),
        # tasks
        (SERVICES, "      - id: krbtgt-second", "      - id: krbtgt-first",
         f"{SERVICES}:16 The task `krbtgt-first` stands twice in service `ad`."),
        (SERVICES, "        by: operator\n      - id: krbtgt-second",
         "        by: operator\n        after: {task: krbtgt-second}\n      - id: krbtgt-second",
         f"{SERVICES}:13 Tasks wait for each other: krbtgt-first -> krbtgt-second -> krbtgt-first."),
        (SERVICES, "fr: Avancer les numéros au-delà de ceux utilisés sur papier}",
         "fr: Avancer les numéros}\n        after: {task: krbtgt-first}",
         f"{SERVICES}:37 The task `paper-numbers` can never open: it waits for `krbtgt-first`, which is no task of "
         "service `lis` before the same gate or step."),
        (SERVICES, "        after: {task: krbtgt-first, wait_s: 36000}",
         "        step: restore\n        after: {task: krbtgt-first, wait_s: 36000}",
         f"{SERVICES}:20 The task `krbtgt-second` can never open: it waits for `krbtgt-first`"),
        # first hosts
        (CLASSES, "source: media\n    cleanliness: offline", "source: media\n    cleanliness: online",
         f"{SERVICES}:5 Others are rebuilt from or examined by `backup` or what needs it, so its hosts must be "
         "examined offline, and these are of an online class: bk-1."),
        (CLASSES, "source: repository:backup\n    cleanliness: offline",
         "source: repository:backup\n    cleanliness: online",
         f"{SERVICES}:8 Others are rebuilt from or examined by `ad` or what needs it, so its hosts must be examined "
         "offline, and these are of an online class: dc-1, dc-2."),
    ],
)  # fmt: skip
def test_what_could_never_work_is_an_error_at_its_line(
    tmp_path: Path, file: str, old: str, new: str, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    found = small.said()
    assert [said for said in found if said.startswith(sentence)], found


def test_a_unit_may_go_round_through_reconnect_needs(tmp_path: Path) -> None:
    assert SmallEstate(tmp_path).said() == []


def test_a_source_that_leads_to_itself_over_others_tells_the_whole_way(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(CLASSES, "source: media\n    cleanliness: offline", "source: hypervisor:lis\n    cleanliness: offline")
    (said,) = [said for said in small.said() if "A source leads to itself" in said]
    assert "backup comes from lis, lis comes from backup" in said


def test_a_first_host_from_media_breaks_a_circle_when_it_fills_the_quorum(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/servers.csv", "dc-2,south,SDC,ad dns,directory-server", "dc-2,south,SDC,ad dns,server")
    assert small.said() == []
    assert any("of an online class: dc-2." in said for said in small.said("warning"))
    small.edit("inventory/servers.csv", "dc-1,north,NDC,ad dns,directory-server", "dc-1,north,NDC,ad dns,server")
    assert any("needs edr to inspect (class server)" in said for said in small.said())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("kind: outside", "kind: outside\n    needs: {soft: [lis]}",
         f"{SERVICES}:30 A soft need closes a circle, lab-vendor -> lis -> lab-vendor: "
         "one of them will work without the other for a while."),
        ("    unit: directory\n    needs: {reconnect: [ad]}", "    unit: directori\n    needs: {soft: [ad]}",
         f"{SERVICES}:22 `dns` is alone in the unit `directori`; did you mean `directory`?"),
    ],
)  # fmt: skip
def test_what_works_but_deserves_a_thought_is_a_warning(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    small = SmallEstate(tmp_path)
    small.edit(SERVICES, old, new)
    assert sentence in small.said("warning")


def test_a_service_whose_loss_stops_others_is_a_single_point_of_failure(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    points = [said for said in small.said("warning") if "Without" in said]
    assert f"{SERVICES}:5 Without its only host, `backup` stops, and with it ad, dns, ehr, lis, pacs." in points
    assert not [said for said in points if "`ad`" in said or "`ehr`" in said]
    small.edit(SERVICES, "    unit: directory\n    needs: {reconnect: [ad]}",
               "    quorum: 2\n    unit: directory\n    needs: {reconnect: [ad]}")  # fmt: skip
    assert [said for said in small.said("warning") if "Without any of its 2 hosts, `dns` stops" in said]


def test_a_unit_split_over_waves_is_an_error(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.append("plans/restart.yaml", "splits:\n  - {wave: foundations, name: later, services: [dns]}\n")
    found = small.said()
    assert len(found) == 1
    assert found[0].startswith(f"plans/restart.yaml:{small.line_of('plans/restart.yaml', 'later')} ")
    assert "dns" in found[0]


def test_a_soft_need_of_a_class_closes_a_circle_too(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(CLASSES, "inspect: [edr], reconnect: [ad, dns]}", "inspect: [edr], reconnect: [ad, dns], soft: [lis]}")
    assert not [said for said in small.said("warning") if "circle" in said]
    small.edit(SERVICES, "soft: [lab-vendor]", "soft: [lab-vendor, ehr]")
    assert [said.partition("circle, ")[2] for said in small.said("warning") if "circle" in said] == [
        "ehr -> lis -> ehr: one of them will work without the other for a while."
    ]
