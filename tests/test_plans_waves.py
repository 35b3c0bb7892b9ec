"""In which wave each host comes back, what each wave follows, and what its gate asks."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Host, Interface, Inventory, Needs, Service
from orchestrator.plans.model import Content, GateRule, Plan, Slice, Wave
from orchestrator.plans.waves import derive
from tests.estates import (
    function,
    host_class,
    names,
    server,
    service,
    small_estate,
    with_classes,
    with_functions,
    with_hosts,
    with_interfaces,
    with_restart,
    with_services,
    without_hosts,
    workstation,
)

BARE = small_estate().model_copy(update={"inventory": Inventory(sites=small_estate().inventory.sites)})
SLICES = ("laboratory/slice", "radiology/slice", "medical-records/slice")


def waves_of(content: Content) -> dict[str, Wave]:
    """The waves by name, in order."""
    return {wave.name: wave for wave in derive(content).waves}


def refusal(content: Content) -> ContentError:
    """The error that refuses `content`."""
    with pytest.raises(ContentError) as caught:
        derive(content)
    return caught.value


def link(link_id: str, source: str, target: str) -> Interface:
    """An HL7 interface."""
    return Interface(id=link_id, name=names(link_id), source=source, target=target, protocol="hl7")


def many_posts(count: int, **restart: object) -> Content:
    """The small hospital with `count` more radiology workstations in the north, and as many in the south."""
    hosts = [
        workstation(f"x-{site}-{number}", site, "radiology") for site in ("north", "south") for number in range(count)
    ]
    return with_hosts(small_estate(**restart), *hosts)


def test_the_foundations_come_first_then_the_functions_in_their_order() -> None:
    assert list(waves_of(small_estate())) == ["foundations", *SLICES, "laboratory/rest-1", "laboratory/rest-2"]


def test_pinned_functions_follow_each_others_slice_and_never_each_others_last_pc() -> None:
    after = {wave.name: wave.after for wave in derive(small_estate()).waves}
    assert after == {
        "foundations": (),
        "laboratory/slice": ("foundations",),
        "radiology/slice": ("laboratory/slice",),
        "medical-records/slice": ("radiology/slice",),
        "laboratory/rest-1": ("laboratory/slice",),
        "laboratory/rest-2": ("laboratory/rest-1",),
    }


def test_functions_that_are_not_pinned_follow_the_foundations_only() -> None:
    waves = waves_of(small_estate(pinned=("laboratory", "medical-records")))
    assert waves["radiology/slice"].after == ("foundations",)
    assert waves["medical-records/slice"].after == ("laboratory/slice",)


def test_pins_written_in_another_order_follow_the_recorded_order_and_say_so() -> None:
    plan = derive(small_estate(pinned=("radiology", "laboratory")))
    assert {wave.name: wave.after for wave in plan.waves}["radiology/slice"] == ("laboratory/slice",)
    assert any("in the order of restart.yaml: laboratory, radiology" in warning for warning in plan.warnings)


def test_a_slice_brings_all_hosts_of_its_services_and_only_its_posts() -> None:
    wave = waves_of(small_estate())["laboratory/slice"]
    assert wave.services == ("lis",)
    assert wave.hosts == ("lab-ws-1", "lis-1", "lis-2")


def test_the_foundations_bring_whatever_they_need_even_from_a_function() -> None:
    content = with_services(
        small_estate(),
        service("backup", needs=Needs(restore=("sql",))),
        service("sql", "medical-records"),
    )
    content = with_hosts(content, server("sql-1", "north", "sql", klass="first-server"))
    assert "sql-1" in waves_of(content)["foundations"].hosts


def test_a_later_function_s_service_comes_out_with_the_first_function_that_needs_it() -> None:
    content = with_services(small_estate(), service("lis", "laboratory", needs=Needs(reconnect=("ehr",))))
    waves = waves_of(content)
    assert waves["laboratory/slice"].services == ("ehr", "lis")
    assert waves["medical-records/slice"].services == ()
    assert waves["medical-records/slice"].hosts == ("ehr-ws-1", "ehr-ws-2")


def test_a_service_the_posts_log_in_with_comes_out_before_or_with_them() -> None:
    content = with_services(small_estate(), service("print", "medical-records"))
    content = with_hosts(content, server("print-1", "north", "print"))
    content = with_classes(content, host_class("workstation", kind="workstation", needs=Needs(reconnect=("print",))))
    assert "print" in waves_of(content)["laboratory/slice"].services


def test_an_outside_service_belongs_to_no_wave() -> None:
    assert all("reference-lab" not in wave.services for wave in derive(small_estate()).waves)


def test_a_function_without_anything_of_its_own_is_no_wave_and_breaks_no_chain() -> None:
    bare = with_functions(small_estate(), function("radiology", "lis"))
    content = without_hosts(bare, "rad-ws-1", "rad-ws-2")
    waves = waves_of(content)
    assert "radiology/slice" not in waves
    assert waves["medical-records/slice"].after == ("laboratory/slice",)
    assert waves["radiology/rest-1"].after == ("laboratory/slice",), "its own pacs still comes back"


def test_an_estate_without_foundations_starts_with_its_slices() -> None:
    content = without_hosts(small_estate(), "ad-1", "ad-2", "backup-1")
    alone = [service(each.id, each.function) for each in content.inventory.services if each.function]
    content = content.model_copy(update={"inventory": content.inventory.model_copy(update={"services": tuple(alone)})})
    content = with_classes(content, host_class("server"), host_class("workstation", kind="workstation"))
    waves = waves_of(without_hosts(content))
    assert next(iter(waves)) == "laboratory/slice"
    assert waves["laboratory/slice"].after == ()


def test_services_a_function_owns_but_nobody_needs_come_with_its_completion() -> None:
    content = with_services(small_estate(), service("archive", "laboratory"))
    content = with_hosts(content, server("arc-1", "south", "archive"))
    wave = waves_of(content)["laboratory/rest-1"]
    assert wave.hosts == ("arc-1", "lab-ws-2")
    assert wave.gate.services == {"archive": 1}


def test_hosts_nobody_has_placed_come_last() -> None:
    content = with_hosts(
        small_estate(),
        workstation("lost-1", "south", None),
        workstation("lost-2", "south", "no-such-function"),
        server("lost-3", "north"),
    )
    *_, last = derive(content).waves
    assert (last.name, last.function, last.after) == ("unassigned/rest-1", None, ("foundations",))
    assert last.hosts == ("lost-1", "lost-2", "lost-3")


def test_hosts_left_off_stand_in_no_wave() -> None:
    plan = derive(small_estate(leave_off=("lis-2", "lab-ws-3")))
    assert {"lis-2", "lab-ws-3"}.isdisjoint(host for wave in plan.waves for host in wave.hosts)


def test_the_first_workstations_of_each_site_are_taken_with_a_warning() -> None:
    plan = derive(many_posts(4, posts_per_site=3))
    gate = next(wave for wave in plan.waves if wave.name == "radiology/slice").gate
    assert gate.posts == {
        "north": ("rad-ws-1", "x-north-0", "x-north-1"),
        "south": ("rad-ws-2", "x-south-0", "x-south-1"),
    }
    assert gate.need == {"north": 2, "south": 2}
    assert any(warning.startswith("No posts are named for radiology at north, south") for warning in plan.warnings)
    assert not any("for laboratory" in warning for warning in plan.warnings)


@pytest.mark.parametrize(("posts", "need"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4)])
def test_two_thirds_of_the_posts_of_a_site_rounded_up_must_work(posts: int, need: int) -> None:
    gate = waves_of(many_posts(9, posts_per_site=posts))["radiology/slice"].gate
    assert gate.need == {"north": need, "south": need}


def test_a_site_may_be_named_without_posts() -> None:
    waves = waves_of(small_estate(slices={"radiology": Slice(posts={"north": ("rad-ws-1", "rad-ws-1"), "south": ()})}))
    assert waves["radiology/slice"].gate.posts == {"north": ("rad-ws-1",)}
    assert waves["radiology/rest-1"].hosts == ("rad-ws-2",)


@pytest.mark.parametrize("post", ["rad-ws-2", "ehr-ws-1", "pacs-1", "nobody"])
def test_a_post_must_be_a_workstation_of_that_function_and_site(post: str) -> None:
    error = refusal(small_estate(slices={"radiology": Slice(posts={"north": (post,)})}))
    assert error.facts == {"host": post, "function": "radiology", "site": "north"}


def test_the_canary_is_spread_over_the_sites_and_the_rest_follows_it() -> None:
    waves = waves_of(many_posts(5, canary=3))
    assert waves["radiology/rest-1"].hosts == ("x-north-0", "x-north-1", "x-south-0")
    assert len(waves["radiology/rest-2"].hosts) == 7
    assert waves["radiology/rest-2"].after == ("radiology/rest-1",)
    assert waves["radiology/rest-1"].gate.need == {"north": 2, "south": 1}


def test_without_more_hosts_than_the_canary_there_is_no_second_part() -> None:
    waves = waves_of(many_posts(2, canary=10))
    assert len(waves["radiology/rest-1"].hosts) == 4
    assert "radiology/rest-2" not in waves


def test_an_interface_is_judged_where_its_second_end_comes_out() -> None:
    waves = waves_of(with_interfaces(small_estate(), link("ehr-to-ad", "ehr", "ad"), link("dns-to-ad", "dns", "ad")))
    assert waves["medical-records/slice"].gate.interfaces == ("ehr-to-ad", "lis-to-ehr")
    assert waves["foundations"].gate.interfaces == ("dns-to-ad",)
    assert waves["laboratory/slice"].gate.interfaces == ()


def test_an_interface_to_an_outside_service_is_owed() -> None:
    content = with_interfaces(small_estate(), link("to-reference", "lis", "reference-lab"))
    content = with_interfaces(content, link("nowhere", "reference-lab", "no-such"))
    waves = waves_of(content)
    assert waves["laboratory/slice"].gate.owed_interfaces == ("to-reference",)
    assert all("nowhere" not in wave.gate.owed_interfaces for wave in waves.values())


def test_a_gate_may_be_set_otherwise_and_what_it_then_leaves_out_is_owed() -> None:
    rule = GateRule(soak_s=99, passes=7, without_interfaces=("lis-to-ehr",))
    waves = waves_of(small_estate(gates={"medical-records/slice": rule, "radiology/slice": GateRule()}))
    gate = waves["medical-records/slice"].gate
    assert (gate.soak_s, gate.passes, gate.interfaces, gate.owed_interfaces) == (99, 7, (), ("lis-to-ehr",))
    assert (waves["radiology/slice"].gate.soak_s, waves["radiology/slice"].gate.passes) == (6, 3)


def test_a_rule_for_a_gate_that_does_not_exist_is_warned_about() -> None:
    plan = derive(small_estate(gates={"laboratory": GateRule()}))
    assert any("the gate of laboratory, and there is no such wave" in warning for warning in plan.warnings)


def test_services_that_wait_for_each_other_have_no_plan() -> None:
    content = with_services(small_estate(), service("lis", "laboratory", needs=Needs(restore=("lis",))))
    assert refusal(content).facts["path"] == ["lis", "lis"]


def test_a_quorum_larger_than_what_comes_back_has_no_plan() -> None:
    content = with_services(small_estate(leave_off=("lis-2",)), service("lis", "laboratory", quorum=2))
    error = refusal(without_hosts(content, "pacs-1"))
    assert error.facts["services"] == ["lis", "pacs"]
    assert "lis needs 2 hosts in its wave and has 1" in error.sentence


def test_a_service_without_hosts_that_nobody_needs_stays_out_with_a_warning() -> None:
    plan = derive(with_services(small_estate(), service("museum", "laboratory")))
    assert all("museum" not in wave.services for wave in plan.waves)
    assert "museum has no host that comes back and nothing needs it: it stays out." in plan.warnings


def random_service(number: int, draw: st.DrawFn) -> Service:
    """A service that needs only services of lower numbers."""
    lower = st.sets(st.sampled_from([f"s{each}" for each in range(number)]), max_size=2) if number else st.just(set())
    needs = Needs(restore=tuple(sorted(draw(lower))), reconnect=tuple(sorted(draw(lower))))
    return service(
        f"s{number}",
        draw(st.sampled_from((None, "f0", "f1", "f2", "f3"))),
        quorum=draw(st.integers(1, 2)),
        needs=needs,
        unit=draw(st.sampled_from((None, None, "pair", "trio"))),
    )


@st.composite
def estates(draw: st.DrawFn) -> Content:
    """Estates of up to nine services whose needs make no circle, with shared hosts, units and odd workstations."""
    services = [random_service(number, draw) for number in range(draw(st.integers(1, 9)))]
    ids = [each.id for each in services]
    sites = st.sampled_from(("north", "south"))
    hosts: list[Host] = []
    for each in services:
        hosts += [server(f"{each.id}-{copy}", draw(sites), each.id) for copy in range(draw(st.integers(2, 3)))]
    for number in range(draw(st.integers(0, 2))):
        shared = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=3, unique=True))
        hosts.append(server(f"shared-{number}", draw(sites), *shared))
    for number in range(draw(st.integers(0, 12))):
        hosts.append(workstation(f"w-{number}", draw(sites), draw(st.sampled_from((None, "f0", "f1", "f3")))))
    functions = [
        function(f"f{number}", *draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))) for number in range(4)
    ]
    logs_in = Needs(reconnect=(draw(st.sampled_from(ids)),))
    order = draw(st.permutations(["f0", "f1", "f2", "f3"]))
    content = with_restart(
        BARE,
        order=tuple(order[: draw(st.integers(0, 4))]),
        pinned=tuple(sorted(draw(st.sets(st.sampled_from(order))), key=order.index)),
        slices={},
        leave_off=tuple(draw(st.sets(st.sampled_from([host.id for host in hosts if host.id[0] == "w"] or ["none"])))),
    )
    content = with_classes(content, host_class("server"), host_class("workstation", kind="workstation", needs=logs_in))
    return with_hosts(with_functions(with_services(content, *services), *functions), *hosts)


def ancestors(plan: Plan, wave: str) -> set[str]:
    """Every wave that stands before `wave`."""
    after = {each.name: each.after for each in plan.waves}
    found: set[str] = set()
    waiting = list(after[wave])
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting.extend(after[name])
    return found


@settings(max_examples=100, deadline=None)
@given(estates())
def test_in_any_estate_every_host_comes_back_in_exactly_one_wave(content: Content) -> None:
    placed = sorted(host for wave in derive(content).waves for host in wave.hosts)
    assert placed == sorted(host.id for host in content.inventory.hosts if host.id not in content.restart.leave_off)


@settings(max_examples=100, deadline=None)
@given(estates())
def test_in_any_estate_no_need_points_behind_its_own_gate(content: Content) -> None:
    plan = derive(content)
    home = {service: wave.name for wave in plan.waves for service in wave.services}
    place = {host: wave.name for wave in plan.waves for host in wave.hosts}
    needs = {each.id: each.needs for each in content.inventory.services}
    classes = {each.id: each.needs for each in content.classes}
    for host in content.inventory.hosts:
        if host.id in place:
            for asked in (classes[host.klass], *(needs[each] for each in host.services)):
                for needed in (*asked.restore, *asked.reconnect):
                    assert place[host.id] not in ancestors(plan, home[needed])


@settings(max_examples=100, deadline=None)
@given(estates())
def test_in_any_estate_every_gate_can_be_met_by_its_own_wave(content: Content) -> None:
    players = {host.id: host.services for host in content.inventory.hosts}
    for wave in derive(content).waves:
        for name, quorum in wave.gate.services.items():
            assert sum(name in players[host] for host in wave.hosts) >= quorum
        for site, posts in wave.gate.posts.items():
            assert set(posts) <= set(wave.hosts)
            assert 1 <= wave.gate.need[site] <= len(posts)


@settings(max_examples=100, deadline=None)
@given(estates())
def test_in_any_estate_units_and_shared_hosts_stay_together_and_the_waves_are_a_tree_in_order(content: Content) -> None:
    plan = derive(content)
    home = {service: wave.name for wave in plan.waves for service in wave.services}
    units = {(each.unit, home[each.id]) for each in content.inventory.services if each.unit is not None}
    assert len(units) == len({unit for unit, _ in units})
    for host in content.inventory.hosts:
        assert len({home[each] for each in host.services}) <= 1
    seen: set[str] = set()
    for wave in plan.waves:
        assert len(wave.after) <= 1
        assert seen.issuperset(wave.after)
        seen.add(wave.name)


@settings(max_examples=50, deadline=None)
@given(estates(), st.randoms(use_true_random=False))
def test_in_any_estate_the_order_of_the_files_changes_nothing(content: Content, chance: Random) -> None:
    hosts, services = list(content.inventory.hosts), list(content.inventory.services)
    chance.shuffle(hosts)
    chance.shuffle(services)
    shuffled = content.inventory.model_copy(update={"hosts": tuple(hosts), "services": tuple(services)})
    assert derive(content.model_copy(update={"inventory": shuffled})) == derive(content)


@settings(max_examples=50, deadline=None)
@given(estates())
def test_in_any_estate_nothing_is_less_urgent_than_what_waits_for_it(content: Content) -> None:
    plan = derive(with_restart(content, pinned=()))
    best = {
        each.id: min(plan.ranks[host.id] for host in content.inventory.hosts if each.id in host.services)
        for each in content.inventory.services
    }
    for each in content.inventory.services:
        for needed in (*each.needs.restore, *each.needs.reconnect):
            assert best[needed] <= best[each.id]
