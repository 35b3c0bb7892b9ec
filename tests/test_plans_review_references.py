"""Whatever content names must be somewhere; if not, the nearest known name is offered."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.plans.files import usable
from orchestrator.plans.review_references import references
from tests.small_estate import SMALL, SmallEstate

SERVICES = "inventory/services.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("inventory/sites.yaml", "quarantine_flows: [hypervisor", "quarantine_flows: [hypervizor",
         "Site `north` names the service `hypervizor`, which is nowhere; did you mean `hypervisor`?"),
        ("inventory/functions.yaml", "services: [pacs]", "services: [pac]",
         "Function `radiology` names the service `pac`, which is nowhere; did you mean `pacs`?"),
        ("inventory/functions.yaml", "sites: [south]", "sites: [sud]",
         "Function `medical-records` names the site `sud`, which is nowhere."),
        ("inventory/activities.yaml", "functions: [radiology]", "functions: [radiologie]",
         "Activity `scheduled-radiology` names the function `radiologie`, which is nowhere; did you mean `radiology`?"),
        ("inventory/activities.yaml", "sites: [north]", "sites: [nord]",
         "Activity `scheduled-radiology` names the site `nord`, which is nowhere; did you mean `north`?"),
        ("inventory/interfaces.yaml", "target: ehr", "target: her",
         "Interface `results` names the service `her`, which is nowhere"),
        (SERVICES, "function: laboratory", "function: labo",
         "Service `lis` names the function `labo`, which is nowhere"),
        (SERVICES, "soft: [lab-vendor]", "soft: [lab-vender]",
         "Service `lis` names the service `lab-vender`, which is nowhere; did you mean `lab-vendor`?"),
        (SERVICES, "task: krbtgt-first", "task: krbtgt-frist",
         "Service `ad` names the task `krbtgt-frist`, which is nowhere; did you mean `krbtgt-first`?"),
        (SERVICES, "        by: operator\n  - id: pacs", "        confirm: check:lis\n  - id: pacs",
         "Service `lis` names the check `lis`, which is nowhere"),
        ("inventory/devices.csv", "vendor,laboratory,", "vendor,laboratory,paper-number",
         "Device `chemistry-1` names the task `paper-number`, which is nowhere; did you mean `paper-numbers`?"),
        ("inventory/devices.csv", "laboratory,", "labratory,",
         "Device `chemistry-1` names the function `labratory`, which is nowhere; did you mean `laboratory`?"),
        ("checks/laboratory.yaml", "service: lis", "service: lsi",
         "Check `lis-reads-an-order` names the service `lsi`, which is nowhere; did you mean `lis`?"),
        ("checks/foundations.yaml", "class: workstation", "class: workstaton",
         "Check `workstation-answers` names the class `workstaton`, which is nowhere; did you mean `workstation`?"),
        ("plans/classes.yaml", "source: repository:backup", "source: repository:backups",
         "Class `directory-server` names the service `backups`, which is nowhere; did you mean `backup`?"),
        ("plans/classes.yaml", "inspect: [edr], reconnect: [ad, dns]}\n    pools: {preserve: [bench]",
         "inspect: [edr], reconnect: [ad, dns]}\n    pools: {preserve: [bank]",
         "Class `workstation` names the pool `bank`, which is nowhere"),
        ("plans/capacity.yaml", "per_site: {north: 2,", "per_site: {north: 2, nord: 2,",
         "Pool `bench` names the site `nord`, which is nowhere; did you mean `north`?"),
        ("plans/capacity.yaml", "persons: [operator-1,", "persons: [operator-7,",
         "Shift `day` names the person `operator-7`, which is nowhere; did you mean `operator-"),
        ("plans/restart.yaml", "order: [laboratory,", "order: [laboratories,",
         "This names the function `laboratories`, which is nowhere; did you mean `laboratory`?"),
        ("plans/restart.yaml", "[lab-n-1]", "[lab-n-7]",
         "This names the host `lab-n-7`, which is nowhere; did you mean `lab-n-"),
        ("plans/restart.yaml", "scenario:", "leave_off: [old-1]\nscenario:",
         "This names the host `old-1`, which is nowhere"),
        ("plans/restart.yaml", "scenario:", "gates: {laboratory/slice: {without_interfaces: [result]}}\nscenario:",
         "This names the interface `result`, which is nowhere; did you mean `results`?"),
    ],
)  # fmt: skip
def test_a_name_that_is_nowhere_is_told_where_it_stands_with_the_nearest_known(
    tmp_path: Path, file: str, old: str, new: str, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    found = [one for one in small.examined().findings if one.message.startswith(sentence)]
    assert len(found) == 1
    assert (found[0].severity, found[0].file, found[0].hosts) == ("error", file, ())
    assert new.split("\n")[0].rsplit("[")[-1].split(",")[0].strip("]} ") in (
        (small.path / file).read_text(encoding="utf-8").splitlines()[found[0].line - 1] + new
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "host"),
    [
        ("inventory/servers.csv", "lis-1,north", "lis-1,nord", "lis-1"),
        ("inventory/servers.csv", ",lis,server", ",lis lsi,server", "lis-1"),
        ("inventory/servers.csv", ",lis,server", ",lis,serveur", "lis-1"),
        ("inventory/workstations.csv", "N1.14,laboratory", "N1.14,labratory", "lab-n-2"),
    ],
)
def test_a_wrong_name_in_a_row_blocks_only_its_host(tmp_path: Path, file: str, old: str, new: str, host: str) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    named = [one for one in small.examined().findings if "which is nowhere" in one.message]
    assert [(one.file, one.hosts) for one in named] == [(file, (host,))]


def test_a_refused_entry_is_one_finding_and_not_one_more_per_mention(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(SERVICES, "  - id: edr", "  - id: edr\n    color: red")
    assert not [said for said in small.said() if "nowhere" in said]


def test_every_list_of_the_content_is_looked_at() -> None:
    kinds = {(reference.about[0], reference.kind) for reference in references(usable(SMALL))}
    assert kinds == {
        ("host", "site"), ("host", "class"), ("host", "function"), ("host", "service"), ("device", "site"),
        ("device", "function"), ("site", "service"), ("function", "service"), ("function", "site"),
        ("activity", "function"), ("activity", "site"), ("interface", "service"), ("service", "function"),
        ("service", "service"), ("service", "task"), ("check", "service"), ("check", "interface"),
        ("check", "class"), ("class", "service"), ("class", "pool"), ("pool", "site"), ("shift", "person"),
        ("restart", "function"), ("restart", "site"), ("restart", "host"),
    }  # fmt: skip
