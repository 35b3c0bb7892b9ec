"""Setting a cut site or a service apart into a later wave, and what that must not tear."""

from __future__ import annotations

import pytest

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Content, Plan, Split
from orchestrator.plans.waves import derive
from tests.estates import (
    function,
    host_class,
    server,
    service,
    small_estate,
    with_classes,
    with_functions,
    with_hosts,
    with_restart,
    with_services,
)

LABORATORY = Split(wave="laboratory/slice", name="later", services=("labels",))


def two_lab_services(*splits: Split, needs: Needs | None = None) -> Content:
    """The small hospital whose laboratory also uses a label printer, lis with `needs`."""
    content = with_services(
        small_estate(splits=splits),
        service("labels", "laboratory"),
        service("lis", "laboratory", needs=needs or Needs(reconnect=("ad",))),
    )
    content = with_functions(content, function("laboratory", "lis", "labels", sites=("north",)))
    return with_hosts(content, server("labels-1", "north", "labels"), server("labels-2", "south", "labels"))


def refusal(content: Content) -> ContentError:
    """The error that refuses `content`."""
    with pytest.raises(ContentError) as caught:
        derive(content)
    return caught.value


def names_of(plan: Plan) -> list[str]:
    """The waves in order."""
    return [wave.name for wave in plan.waves]


def test_a_service_set_apart_has_a_wave_and_a_gate_of_its_own_behind_the_first() -> None:
    waves = {wave.name: wave for wave in derive(two_lab_services(LABORATORY)).waves}
    apart = waves["laboratory/slice/later"]
    assert apart.hosts == ("labels-1", "labels-2")
    assert apart.gate.services == {"labels": 1}
    assert (apart.after, apart.part, apart.function) == (("laboratory/slice",), "split", "laboratory")
    assert waves["laboratory/slice"].services == ("lis",)
    assert waves["radiology/slice"].after == ("laboratory/slice",), "nobody waits for what was set apart"


def test_a_cut_site_takes_its_hosts_and_posts_along_and_leaves_the_services() -> None:
    split = Split(wave="medical-records/slice", name="south", sites=("south",))
    plan = derive(small_estate(splits=(split,)))
    waves = {wave.name: wave for wave in plan.waves}
    assert waves["medical-records/slice"].gate.posts == {"north": ("ehr-ws-1",)}
    assert waves["medical-records/slice/south"].gate.posts == {"south": ("ehr-ws-2",)}
    assert waves["medical-records/slice/south"].gate.services == {}
    assert plan.ranks["ehr-ws-2"] == 5, "it is no longer of the slice"


def test_a_service_that_lives_at_the_cut_site_alone_is_set_apart_with_it() -> None:
    split = Split(wave="foundations", name="north", sites=("north",), services=("backup",))
    waves = {wave.name: wave for wave in derive(small_estate(splits=(split,))).waves}
    assert waves["foundations"].hosts == ("ad-2",)
    assert waves["foundations/north"].hosts == ("ad-1", "backup-1")
    assert waves["foundations/north"].gate.services == {"backup": 1}


def test_the_quorum_is_chosen_among_those_who_stay() -> None:
    content = with_hosts(small_estate(), server("backup-2", "south", "backup", klass="first-server"))
    plan = derive(with_restart(content, splits=(Split(wave="foundations", name="north", sites=("north",)),)))
    assert {"ad-2", "backup-2"} <= plan.quorum
    assert {"ad-1", "backup-1"}.isdisjoint(plan.quorum)


def test_a_cut_site_that_holds_the_quorum_is_refused() -> None:
    error = refusal(small_estate(splits=(Split(wave="radiology/slice", name="south", sites=("south",)),)))
    assert error.facts["services"] == ["pacs"]


def test_a_unit_is_never_torn() -> None:
    own = with_hosts(
        small_estate(splits=(Split(wave="foundations", name="names", services=("dns",)),)),
        server("ad-1", "north", "ad", klass="first-server"),
        server("ad-2", "south", "dns", klass="first-server"),
    )
    error = refusal(own)
    assert error.facts["waves"] == ["foundations", "foundations/names"]
    assert "Unit directory must come out in one wave" in error.sentence


def test_what_the_wave_itself_needs_cannot_be_set_apart() -> None:
    error = refusal(two_lab_services(LABORATORY, needs=Needs(reconnect=("labels",))))
    assert error.facts == {"service": "labels", "waves": ["laboratory/slice", "laboratory/slice/later"]}


def test_what_the_class_of_its_posts_needs_cannot_be_set_apart() -> None:
    posts = host_class("workstation", kind="workstation", needs=Needs(inspect=("labels",)))
    error = refusal(with_classes(two_lab_services(LABORATORY), posts))
    assert error.sentence.startswith("Class workstation in laboratory/slice needs labels")


def test_a_function_that_follows_may_wait_for_what_was_set_apart() -> None:
    content = with_services(
        two_lab_services(LABORATORY), service("pacs", "radiology", needs=Needs(reconnect=("labels",)))
    )
    assert "laboratory/slice/later" in names_of(derive(content))


def test_a_host_that_plays_both_a_service_set_apart_and_one_that_stays_is_refused() -> None:
    content = with_hosts(two_lab_services(LABORATORY), server("both-1", "north", "lis", "labels"))
    assert refusal(content).facts["host"] == "both-1"
    both = Split(wave="laboratory/slice", name="later", services=("labels", "lis"))
    assert "laboratory/slice/later" in names_of(derive(with_restart(content, splits=(both,))))


def test_what_was_set_apart_can_be_split_again() -> None:
    again = Split(wave="laboratory/slice/later", name="south", sites=("south",))
    waves = {wave.name: wave for wave in derive(two_lab_services(LABORATORY, again)).waves}
    assert waves["laboratory/slice/later/south"].hosts == ("labels-2",)
    assert waves["laboratory/slice/later/south"].after == ("laboratory/slice/later",)


@pytest.mark.parametrize(
    ("splits", "problem"),
    [
        ((Split(wave="laboratory", name="x", sites=("north",)),), "there is no wave laboratory"),
        ((LABORATORY, LABORATORY), "there is a wave laboratory/slice/later already"),
        ((Split(wave="laboratory/slice", name="x", services=("pacs",)),), "pacs does not come out in laboratory/slice"),
        ((Split(wave="laboratory/slice", name="x", sites=("nowhere",)),), "takes 0 of the 5 hosts"),
        ((Split(wave="laboratory/slice", name="x", sites=("north", "south")),), "takes 5 of the 5 hosts"),
    ],
)
def test_a_split_that_means_nothing_is_refused_in_words(splits: tuple[Split, ...], problem: str) -> None:
    assert problem in refusal(two_lab_services(*splits)).sentence
