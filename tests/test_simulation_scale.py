"""A small estate taken out of a large one still makes sense: whole functions, quorums, nothing pointing at nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content, Split
from orchestrator.plans.needs import left_off
from orchestrator.plans.review import examine
from orchestrator.plans.waves import derive
from orchestrator.practice.rehearsal import write_estate
from orchestrator.simulation.scale import POSTS_PER_SITE, practised, scaled
from tests.estates import small_estate
from tests.small_estate import SMALL

REFERENCE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def reference() -> Content:
    return usable(REFERENCE)


@pytest.fixture(scope="module")
def few(reference: Content) -> Content:
    return scaled(reference, 60)


def test_an_estate_that_fits_is_taken_as_it_is() -> None:
    content = small_estate()
    assert scaled(content, len(content.inventory.hosts)) is content


@pytest.mark.parametrize("hosts", [60, 300])
def test_the_reference_estate_scales_to_about_the_number_asked(reference: Content, hosts: int) -> None:
    content = scaled(reference, hosts)
    assert 0.8 * hosts <= len(content.inventory.hosts) <= hosts


def test_every_service_that_is_kept_has_its_quorum(few: Content) -> None:
    content = few
    off = left_off(content)
    for service in content.inventory.services:
        if service.kind != "outside":
            players = [h for h in content.inventory.hosts if service.id in h.services and h.id not in off]
            assert len(players) >= service.quorum, service.id


def test_the_most_urgent_function_is_kept_first_and_more_hosts_bring_more_functions(
    reference: Content, few: Content
) -> None:
    many = scaled(reference, 300)
    kept = [{function.id for function in content.inventory.functions} for content in (few, many)]
    assert reference.restart.order[0] in kept[0]
    assert len(kept[0]) < len(kept[1])


def test_nothing_points_at_what_was_left_out(reference: Content) -> None:
    content = scaled(reference, 90)
    inventory = content.inventory
    services = {service.id for service in inventory.services}
    functions = {function.id for function in inventory.functions}
    sites = {site.id for site in inventory.sites}
    for host in inventory.hosts:
        assert set(host.services) <= services
        assert host.function is None or host.function in functions
        assert host.site in sites
    for service in inventory.services:
        for step in type(service.needs).model_fields:
            assert set(getattr(service.needs, step)) <= services
    assert {end for one in inventory.interfaces for end in (one.source, one.target)} <= services
    assert set(content.restart.order) | set(content.restart.slices) <= functions
    assert {check.service for check in content.checks if check.service} <= services
    assert {host.klass for host in inventory.hosts} == {one.id for one in content.classes}


def test_what_is_left_is_derived_and_reviewed_without_an_error(few: Content, tmp_path: Path) -> None:
    content = few
    assert derive(content).waves
    write_estate(content, REFERENCE / "plans" / "playbooks", tmp_path)
    assert [str(one) for one in examine(tmp_path).findings if one.severity == "error"] == []


def test_the_posts_of_a_slice_stay_together(reference: Content, few: Content) -> None:
    content = few
    for function in content.inventory.functions:
        posts = [host for host in content.inventory.hosts if host.function == function.id]
        if any(host.function == function.id for host in reference.inventory.hosts):
            assert posts, function.id
    assert POSTS_PER_SITE == 3


@pytest.mark.parametrize(("estate", "few"), [(SMALL, 3), (REFERENCE, 30)])
def test_too_few_hosts_for_the_most_urgent_function_are_refused_saying_how_many_it_needs(
    estate: Path, few: int
) -> None:
    content = usable(estate)
    with pytest.raises(UsageError) as refusal:
        scaled(content, few)
    least = refusal.value.facts["least"]
    assert isinstance(least, int)
    assert refusal.value.sentence == f"{few} hosts are too few: laboratory needs at least {least}."
    enough = scaled(content, least)
    assert len(enough.inventory.hosts) == least
    assert enough.inventory.functions[0].id == "laboratory", "nothing else is practised in its place"
    with pytest.raises(UsageError):
        scaled(content, least - 1)


def test_what_is_practised_and_what_is_left_out_or_moved_is_said(reference: Content, few: Content) -> None:
    split = Split(wave="laboratory/rest-1", name="later")
    whole = reference.model_copy(update={"restart": reference.restart.model_copy(update={"splits": (split,)})})
    said = " ".join(practised(whole, few))
    assert f"{len(few.inventory.functions)} of {len(reference.inventory.functions)} functions: laboratory" in said
    assert "60 of 1700 hosts" in said
    assert "The splits of the plan are left out." in said
    mine = {service.id: service.function for service in reference.inventory.services}
    moved = [service.id for service in few.inventory.services if service.function != mine[service.id]]
    assert moved
    assert all(service in said for service in moved)
    assert len(practised(reference, reference)) == 2
