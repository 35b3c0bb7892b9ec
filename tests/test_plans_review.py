"""One pass over an estate: what is read, derived and reviewed, and what is left when some hosts are blocked."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.inventory.sources import Where, order
from orchestrator.plans.files import load, usable
from orchestrator.plans.review import examine, review, without
from orchestrator.plans.waves import derive
from tests.small_estate import SMALL, SmallEstate


def test_the_small_estate_has_no_error_and_its_plan_is_that_of_its_content() -> None:
    found = examine(SMALL)
    assert {one.severity for one in found.findings} == {"warning"}
    assert found.content == usable(SMALL)
    assert found.plan == derive(usable(SMALL))
    assert found.blocked == frozenset()


def test_the_review_of_content_agrees_with_the_examination() -> None:
    content, _, where = load(SMALL)
    assert content is not None
    assert review(content, where, SMALL) == list(examine(SMALL).findings)


def test_content_built_in_memory_can_be_reviewed_too() -> None:
    found = review(usable(SMALL), Where(), SMALL)
    assert {one.severity for one in found} == {"warning"}


def test_a_host_with_an_error_is_blocked_and_the_rest_is_planned(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/workstations.csv", "N1.14,laboratory", "N1.14,labratory")
    small.edit("inventory/workstations.csv", "10.10.20.3,", "ten,")
    found = small.examined()
    assert found.blocked == {"lab-n-2", "rad-n-1"}
    assert found.content is not None
    assert found.plan is not None
    released = {host for wave in found.plan.waves for host in wave.hosts}
    assert released == {host.id for host in found.content.inventory.hosts}
    assert released.isdisjoint(found.blocked)
    assert len(released) == 10


def test_a_blocked_post_of_a_slice_does_not_block_the_function(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/restart.yaml", "[lab-n-1]", "[lab-n-1, lab-n-2]")
    small.edit("inventory/workstations.csv", "lab-n-1,north", "lab-n-1,nord")
    plan = small.examined().plan
    assert plan is not None
    assert next(wave for wave in plan.waves if wave.name == "laboratory/slice").gate.posts == {"north": ("lab-n-2",)}


def test_blocking_the_last_host_of_a_service_blocks_the_estate_and_says_so(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/servers.csv", "ehr-1,south,", "ehr-1,sud,")
    found = small.examined()
    assert (found.content, found.plan) == (None, None)
    assert [one for one in found.findings if one.severity == "error" and not one.hosts]


def test_an_estate_wide_error_leaves_no_plan_but_the_whole_review(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/services.yaml", "kind: outside", "kind: inner")
    small.edit("inventory/functions.yaml", "services: [pacs]", "services: [pax]")
    found = small.examined()
    assert found.content is None
    assert len([one for one in found.findings if one.severity == "error"]) == 3
    assert list(found.findings) == sorted(found.findings, key=order)


@pytest.mark.parametrize(
    ("file", "broken"),
    [
        ("inventory/sites.yaml", "- {id: x\n"),
        ("inventory/services.yaml", "- {id: x\n"),
        ("inventory/functions.yaml", "- {id: x\n"),
        ("plans/classes.yaml", "- {id: x\n"),
        ("plans/capacity.yaml", "- {id: x\n"),
        ("plans/roster.yaml", "- {id: x\n"),
        ("checks/foundations.yaml", "- {id: x\n"),
        ("inventory/servers.csv", '"\n'),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error_and_hides_no_other(tmp_path: Path, file: str, broken: str) -> None:
    small = SmallEstate(tmp_path)
    small.append(file, broken)
    small.edit("plans/restart.yaml", "scenario:", "scenary:")
    assert sorted(said.partition(":")[0] for said in small.said()) == sorted([file, "plans/restart.yaml"])


def test_a_class_of_a_wrong_name_is_said_once_a_host(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/servers.csv", ",ehr,server,", ",ehr,sever,")
    assert [said for said in small.said() if "sever`" in said] == [
        "inventory/servers.csv:9 Host `ehr-1` names the class `sever`, which is nowhere; did you mean `server`?"
    ]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("scenario:", "splits: [{wave: foundations, name: later, services: [lis]}]\nscenario:",
         "plans/restart.yaml:2 The split foundations/later cannot be made: lis does not come out in foundations."),
        ("scenario:", "splits:\n  - {wave: laboratory/slice, name: a, sites: [south]}\n"
         "  - {wave: foundations, name: b, services: [dns]}\nscenario:",
         "plans/restart.yaml:3 The split laboratory/slice/a takes 0 of the"),
        ("scenario:", "splits: [{wave: foundations, name: b, services: [ad]}]\nscenario:",
         "plans/restart.yaml:2 dc-1 plays ad, set apart in foundations/b, and dns, which stays in foundations: "),
        ("{north: [rad-n-1]}", "{north: [rad-n-1, lab-n-2]}",
         "plans/restart.yaml:7 lab-n-2 is named as a post of radiology at north, but no workstation"),
    ],
)  # fmt: skip
def test_what_makes_waves_impossible_is_said_where_it_stands(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/restart.yaml", old, new)
    found = small.said()
    assert len(found) == 1
    assert found[0].startswith(sentence)


def test_a_unit_whose_services_the_waves_split_is_refused_with_the_waves(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/servers.csv", "NDC,ad dns,", "NDC,ad,")
    small.edit("inventory/servers.csv", "SDC,ad dns,", "SDC,dns,")
    small.edit("plans/restart.yaml", "scenario:", "splits: [{wave: foundations, name: b, services: [dns]}]\nscenario:")
    (said,) = small.said()
    assert said.startswith("plans/restart.yaml:2 ")
    assert "Unit directory must come out in one wave" in said
    assert "foundations/b" in said


def test_a_gate_rule_of_a_wave_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/restart.yaml", "scenario:", "gates: {laboratry/slice: {soak_s: 5}}\nscenario:")
    assert any(said.endswith("no such wave; did you mean laboratory/slice?") for said in small.said("warning"))


def test_a_secret_in_a_state_folder_elsewhere_is_looked_at_too(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (tmp_path / "state" / "secrets").mkdir(parents=True, mode=0o755)
    found = examine(small.path, tmp_path / "state").findings
    assert [one.file for one in found if "Others can reach this secret" in one.message] == ["../state/secrets"]


def test_what_the_plan_warns_of_is_a_warning_of_the_restart_file(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/restart.yaml", "  radiology: {posts: {north: [rad-n-1]}}\n", "")
    assert [said for said in small.said("warning") if said.startswith("plans/restart.yaml:2 No posts are named for")]


def test_an_empty_folder_is_three_sentences(tmp_path: Path) -> None:
    found = examine(tmp_path)
    assert len(found.findings) == 3
    assert all("`relance init` lays one down" in one.message for one in found.findings)


def test_without_hosts_means_without_them_everywhere() -> None:
    content = usable(SMALL)
    fewer = without(content, ["lab-n-1", "lis-1"])
    assert len(fewer.inventory.hosts) == len(content.inventory.hosts) - 2
    assert fewer.restart.slices["laboratory"].posts == {}
    assert without(content, []) == content
