"""One pass over an estate: what is read, derived and reviewed, and what is left when some hosts are blocked."""

from __future__ import annotations

from pathlib import Path

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


def test_the_review_of_content_alone_and_with_its_plan_agree_with_the_examination() -> None:
    content, _, where = load(SMALL)
    assert content is not None
    assert review(content, where, derive(content), SMALL) == list(examine(SMALL).findings)
    assert review(content, where, None, SMALL) == list(examine(SMALL).findings)


def test_content_built_in_memory_can_be_reviewed_too() -> None:
    found = review(usable(SMALL), Where(), None, SMALL)
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
