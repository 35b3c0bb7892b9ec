"""What of a hospital bounds its restart: steps, needs, pools, analysts, tasks, gates, and what is done already."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.inventory.model import Task
from orchestrator.plans.bound import Bound, Job, Problem
from orchestrator.plans.bound_problem import Given, build, function_bounds
from orchestrator.plans.model import Capacity, Content, Shift, Timing
from orchestrator.plans.waves import derive
from tests.estates import host_class, names, service, small_estate, with_classes, with_services, with_tier0_tasks

GIVEN = Given()


def bound(content: Content, function: str = "laboratory", given: Given = GIVEN) -> Bound:
    """The bound of one function."""
    return function_bounds(content, derive(content), given)[function]


def problem(content: Content, given: Given = GIVEN) -> Problem:
    """The problem of a content and its plan."""
    return build(content, derive(content), given)


def job(found: Problem, host: str) -> Job:
    """The job that `host` gave its name."""
    return next(each for each in found.jobs if each.name == host)


def quick(content: Content) -> Content:
    """The small hospital with readings of a second, so that steps are what counts."""
    return with_classes(content, *(each.model_copy(update={"reading_s": 1}) for each in content.classes))


def shifts(content: Content, *found: tuple[str, str, tuple[str, ...]]) -> Content:
    """The hospital with these shifts."""
    made = tuple(Shift(id=f"s{n}", start=start, end=end, persons=who) for n, (start, end, who) in enumerate(found))
    return content.model_copy(update={"capacity": Capacity(pools=content.capacity.pools, shifts=made)})


def test_without_contention_a_function_waits_for_its_chain_and_the_soaks() -> None:
    content = quick(small_estate())
    dns_s = 2 + 10 + 60 + 20 + 1 + 2 + 2  # isolate, preserve, restore, inspect, read, reconnect, a second pass
    backup_s = dns_s + 2 + 2  # it is ready by then and only reconnects
    lis_s = backup_s + 60 + 20 + 1 + 2 + 2  # preserved long before
    assert bound(content, given=replace(GIVEN, gates=False)) == Bound(lis_s, "durations")


def test_gates_make_everything_later_and_the_pinned_functions_follow_each_other() -> None:
    content = small_estate()
    free = function_bounds(content, derive(content), replace(GIVEN, gates=False))
    gated = function_bounds(content, derive(content))
    assert all(gated[each].bound_s > free[each].bound_s for each in free)
    assert gated["laboratory"].bound_s < gated["radiology"].bound_s < gated["medical-records"].bound_s


def test_hosts_alike_are_one_job_and_those_of_later_waves_none() -> None:
    found = problem(small_estate())
    assert {each.name for each in found.jobs} == {
        "ad-1", "ad-2", "backup-1", "lis-1", "lis-2", "pacs-1", "ehr-1",
        "lab-ws-1", "rad-ws-1", "rad-ws-2", "ehr-ws-1", "ehr-ws-2",
    }  # fmt: skip


def test_the_foundations_gate_waits_for_the_tasks_of_its_services() -> None:
    plain = bound(quick(small_estate()))
    tasks = bound(quick(with_tier0_tasks(small_estate(), wait_s=5000)))
    assert plain.bound_s == 186 + 6
    assert tasks.bound_s == 97 + (1800 + 5000 + 1800) + 2 + 2 + 6  # the server has long been ready to go out
    done = replace(GIVEN, done=frozenset({"ad/krbtgt-1", "ad/krbtgt-2"}))
    assert bound(quick(with_tier0_tasks(small_estate(), wait_s=5000)), given=done) == plain


def test_the_wait_between_two_tasks_begins_with_their_service_and_the_other_tasks_with_all_of_the_gate() -> None:
    content = quick(with_tier0_tasks(small_estate(), wait_s=10))
    found = problem(content)
    gate = next(one for one in found.milestones if one.name == "gate foundations")
    after = {found.milestones[number].name: last_s for number, last_s in gate.after}
    assert after["service ad"] == 1800 + 10 + 1800
    assert after["services foundations"] == 1800


def test_a_task_before_a_step_stands_between_preserving_and_restoring() -> None:
    carry = Task(id="carry", name=names("carry"), step="restore", duration_s=700)
    ready = Task(id="plug", name=names("plug"), step="reconnect", duration_s=900)
    klass = host_class("workstation", kind="workstation", preservation="waived", tasks=(carry, ready))
    content = with_classes(small_estate(), klass)
    lasts = [op.duration_s for op in job(problem(content), "lab-ws-1").ops]
    assert lasts[:4] == [2, 700, 60, 20]
    assert 900 in lasts
    done = replace(GIVEN, done=frozenset({"lab-ws-1/carry"}))
    assert 700 not in [op.duration_s for op in job(problem(content, done), "lab-ws-1").ops]


def test_durations_may_be_given_for_a_class_or_for_one_host() -> None:
    given = replace(GIVEN, durations_s={("server", "restore"): 500, ("lis-1", "restore"): 300, ("lis-1", "verdict"): 7})
    found = problem(small_estate(), given)
    assert [op.duration_s for op in job(found, "lis-1").ops][2:5] == [300, 20, 7]
    assert [op.duration_s for op in job(found, "lis-2").ops][2:5] == [500, 20, 900]


def test_what_a_host_has_done_is_not_asked_again_and_a_passed_gate_holds_nobody() -> None:
    left: dict[str, tuple[str, ...]] = dict.fromkeys(("ad-1", "ad-2", "backup-1"), ())
    given = replace(GIVEN, left={**left, "lis-1": ("verdict", "reconnect", "check")}, passed=frozenset({"foundations"}))
    found = problem(small_estate(), given)
    assert job(found, "ad-1").ops == ()
    assert sum(use.count for op in job(found, "lis-1").ops for use in op.uses if use.resource == 0) == 1
    assert bound(small_estate(), given=given).bound_s < bound(small_estate()).bound_s


def test_hosts_that_are_gone_count_for_nothing() -> None:
    content = quick(small_estate())
    assert bound(content, given=replace(GIVEN, gone=frozenset({"lis-1"}))).bound_s >= bound(content).bound_s
    assert "lis-1" not in {each.name for each in problem(content, replace(GIVEN, gone=frozenset({"lis-1"}))).jobs}


def test_only_analysts_of_a_shift_read_where_there_are_shifts() -> None:
    content = small_estate()
    everybody = content.model_copy(update={"capacity": Capacity(pools=content.capacity.pools)})
    assert problem(everybody).resources[0].most == 3
    one = shifts(content, ("07:00", "19:00", ("analyst-1",)), ("19:00", "07:00", ("analyst-2", "operator-1")))
    assert (problem(one).resources[0].most, problem(one).resources[0].turns) == (1, ())


def test_a_begin_at_night_waits_for_those_who_come_in_the_morning() -> None:
    content = shifts(small_estate(), ("08:00", "20:00", ("analyst-1", "analyst-2")))
    at_ten = replace(GIVEN, start_s=10 * 3600)
    assert problem(content, at_ten).resources[0].turns == ((0, 2), (36000, 0), (50400, 0), (79200, 2))
    night = bound(content, given=replace(GIVEN, start_s=20 * 3600))
    assert night.bound_s >= 12 * 3600 + 900
    assert night.limited_by == "analysts"
    assert bound(content, given=at_ten).bound_s < 12 * 3600


def test_a_hospital_without_analysts_or_places_is_bounded_all_the_same() -> None:
    nobody = shifts(small_estate(), ("07:00", "19:00", ("operator-1",)))
    assert problem(nobody, replace(GIVEN, start_s=0)).resources[0].most == 1


def test_a_machine_that_is_replaced_is_not_preserved() -> None:
    spare = host_class("server", source="spare", strategies=("replace", "reimage"), cleanliness="online")
    assert [op.duration_s for op in job(problem(with_classes(small_estate(), spare)), "lis-1").ops][:2] == [2, 60]


def test_a_function_without_a_slice_of_its_own_is_back_with_what_it_uses() -> None:
    content = small_estate()
    uses = content.inventory.functions[2].model_copy(update={"id": "archive", "services": ("ad",)})
    inventory = content.inventory.model_copy(update={"functions": (*content.inventory.functions, uses)})
    content = content.model_copy(update={"inventory": inventory})
    assert 0 < bound(content, "archive").bound_s < bound(content).bound_s


def test_a_service_without_a_check_of_its_class_is_seen_every_minute() -> None:
    content = quick(small_estate(timing=Timing(soak_s=6, in_service_passes=3)))
    unchecked = content.model_copy(update={"checks": ()})
    assert job(problem(content), "lis-1").ops[-1].duration_s == 2 * 2
    assert job(problem(unchecked), "lis-1").ops[-1].duration_s == 2 * 60


def test_an_outside_service_holds_nobody() -> None:
    content = with_services(small_estate(), service("reference-lab", "laboratory", kind="outside"))
    assert not any("reference-lab" in each.name for each in problem(content).milestones)
