"""What a tired person reads of a plan, what a program reads, and why a host stands where it stands."""

from __future__ import annotations

import json

import pytest

from orchestrator import canonical
from orchestrator.errors import UsageError
from orchestrator.inventory.model import Activity, Interface, Needs
from orchestrator.plans import plan_text
from orchestrator.plans.bound import Bound
from orchestrator.plans.bound_problem import function_bounds
from orchestrator.plans.model import Content, GateRule, Plan, Slice, Split, StepTimes, Timing
from orchestrator.plans.waves import derive
from tests.estates import (
    FUNCTIONS,
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
    workstation,
)


def hours_of(content: Content, plan: Plan) -> plan_text.Hours:
    """Hours of a plan: its true bounds, every function planned for six minutes later, one first restore."""
    bounds = function_bounds(content, plan)
    planned_s = {name: bound.bound_s + 360 for name, bound in bounds.items() if bound.bound_s}
    return plan_text.Hours(bounds, planned_s, {"north": ["ad-1"], "south": []})


def text_of(content: Content) -> str:
    """The plan as a person reads it."""
    plan = derive(content)
    return plan_text.as_text(content, plan, hours_of(content, plan))


def why(content: Content, host: str) -> str:
    """The reasons for a host's place as one text."""
    return "\n".join(plan_text.why_host(content, derive(content), host))


def line_of(text: str, word: str) -> str:
    """The first line that holds `word`, its spaces folded."""
    return next(" ".join(line.split()) for line in text.splitlines() if word in line)


def after_line_of(text: str, word: str) -> str:
    """The line below the first that holds `word`."""
    lines = text.splitlines()
    return lines[next(number for number, line in enumerate(lines) if word in line) + 1].strip()


def test_each_wave_is_a_line_with_its_care_its_hosts_and_the_gate_it_stands_behind() -> None:
    text = text_of(small_estate())
    assert text.splitlines()[0] == "14 hosts come back in 6 waves."
    assert line_of(text, "1  foundations") == "1 foundations what everything else needs 3 -"
    assert line_of(text, "radiology/slice  ") == "3 radiology/slice radiology 3 laboratory/slice"
    assert (
        line_of(text, "laboratory/rest-1  ") == "5 laboratory/rest-1 laboratory, first of the rest 1 laboratory/slice"
    )
    assert line_of(text, "laboratory/rest-2  ") == "6 laboratory/rest-2 laboratory, the rest 1 laboratory/rest-1"


def test_under_each_wave_stands_what_its_gate_asks() -> None:
    content = with_interfaces(
        small_estate(), Interface(id="to-lab", name=names("x"), source="lis", target="reference-lab", protocol="hl7")
    )
    text = text_of(content)
    assert after_line_of(text, "1  foundations") == "gate: 3 services; 3 passes over 6 s"
    assert after_line_of(text, "laboratory/slice  ") == "gate: 1 service, 1 of 1 post; 3 passes over 6 s; owed: to-lab"
    assert (
        after_line_of(text, "medical-records/slice") == "gate: 1 service, 1 interface, 2 of 2 posts; 3 passes over 6 s"
    )


def test_long_soaks_are_told_in_minutes_and_a_gate_without_anything_says_so() -> None:
    content = with_hosts(small_estate(timing=Timing(soak_s=900, passes=1)), server("lost-1", "north"))
    assert after_line_of(text_of(content), "unassigned") == "gate: nothing to judge; 1 pass over 15 min"


def test_the_crisis_cell_reads_what_becomes_possible_after_which_wave() -> None:
    content = small_estate()
    early = Activity(id="x-rays", name=names("X-rays"), functions=("radiology", "laboratory"), sites=("south",))
    never = Activity(id="flying", name=names("Flying"), functions=("no-such",), sites=("south",))
    more = content.inventory.model_copy(update={"activities": (*content.inventory.activities, early, never)})
    text = text_of(content.model_copy(update={"inventory": more}))
    lines = [line.strip() for line in text.splitlines()]
    assert lines.index("then possible: X-rays") < lines.index("then possible: Consultations")
    assert "Flying" not in text


def test_waves_of_no_function_and_waves_set_apart_are_named_too() -> None:
    split = Split(wave="radiology/slice", name="north", sites=("north",))
    content = with_hosts(small_estate(splits=(split,)), workstation("lost-1", "south", None))
    text = text_of(content)
    assert "hosts nobody has placed" in line_of(text, "unassigned/rest-1")
    assert line_of(text, "radiology/slice/north") == "7 radiology/slice/north radiology, set apart 1 radiology/slice"


def test_warnings_stand_at_the_end() -> None:
    assert text_of(small_estate()).splitlines()[-1].startswith("Warning: No posts are named for medical-records")
    nobody = Slice(posts={"north": (), "south": ()})
    assert "Warning" not in text_of(small_estate(slices=dict.fromkeys(FUNCTIONS, nobody)))


def test_the_json_has_exactly_the_agreed_keys() -> None:
    content = small_estate()
    plan = derive(content)
    document = plan_text.as_json(content, plan, hours_of(content, plan))
    assert list(document) == ["digest", "functions", "waves", "first_day"]
    assert document["first_day"] == {"north": ["ad-1"], "south": []}
    functions = json.loads(canonical.encode(document["functions"]))
    assert functions[0] == {
        "id": "laboratory",
        "rank": 0,
        "services": ["ad", "backup", "dns", "lis"],
        "hosts_needed": 4,
        "bound_s": 2886,
        "limited_by": "analysts",
        "planned_s": 3246,
    }
    waves = json.loads(canonical.encode(document["waves"]))
    assert waves[3] == {
        "name": "medical-records/slice",
        "function": "medical-records",
        "after": ["radiology/slice"],
        "services": ["ehr"],
        "hosts": ["ehr-1", "ehr-ws-1", "ehr-ws-2"],
        "gate": {
            "services": {"ehr": 1},
            "interfaces": ["lis-to-ehr"],
            "posts": ["ehr-ws-1", "ehr-ws-2"],
            "need": 2,
            "soak_s": 6,
            "passes": 3,
        },
    }


def test_beside_each_function_stands_when_it_is_planned_and_what_nothing_can_beat() -> None:
    lines = text_of(small_estate()).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("If the restart begins at 07:00"))
    assert lines[first + 1] == "  laboratory: planned 1.0 h, cannot be under 0.8 h; limited by analysts"
    assert [line.split(":")[0].strip() for line in lines[first + 1 : first + 4]] == list(FUNCTIONS)


def test_a_function_that_the_faultless_run_never_brings_back_has_a_bound_and_no_plan() -> None:
    content = small_estate()
    plan = derive(content)
    hours = plan_text.Hours(function_bounds(content, plan), {}, {})
    assert "  laboratory: cannot be under 0.8 h; limited by analysts" in plan_text.as_text(content, plan, hours)
    functions = json.loads(canonical.encode(plan_text.as_json(content, plan, hours)["functions"]))
    assert all("planned_s" not in one for one in functions)


def test_the_first_days_restores_are_listed_by_site_and_long_lists_are_cut_short() -> None:
    content = small_estate()
    plan = derive(content)
    day = {"north": [f"host-{number}" for number in range(1, 15)], "south": ["ad-1"]}
    text = plan_text.as_text(content, plan, plan_text.Hours({name: Bound(0, "") for name in FUNCTIONS}, {}, day))
    assert "Restored within the first day:" in text
    assert "  south: 1 host: ad-1\n" in text
    assert "  north: 14 hosts: host-1, " in text
    assert "host-12 and 2 more (all in --format json)" in text
    assert "host-13" not in text


def test_a_day_on_which_nothing_is_restored_has_no_list() -> None:
    content = small_estate()
    plan = derive(content)
    hours = plan_text.Hours(function_bounds(content, plan), {}, {})
    assert "first day" not in plan_text.as_text(content, plan, hours)


def test_a_function_with_nothing_to_bring_back_has_no_line_and_a_bound_of_zero() -> None:
    content = with_functions(small_estate(), function("gardens"))
    plan = derive(content)
    hours = hours_of(content, plan)
    assert "gardens" not in plan_text.as_text(content, plan, hours)
    assert hours.bounds["gardens"].bound_s == 0


def test_an_estate_without_functions_has_no_bounds() -> None:
    content = small_estate(order=(), pinned=())
    bare = content.model_copy(update={"inventory": content.inventory.model_copy(update={"functions": ()})})
    assert "cannot be under" not in text_of(bare)


def test_a_plan_without_hours_speaks_of_none() -> None:
    content = small_estate()
    plan = derive(content)
    assert "07:00" not in plan_text.as_text(content, plan)
    document = plan_text.as_json(content, plan)
    assert "first_day" not in document
    assert "bound_s" not in str(document)


def test_the_same_content_gives_the_same_words_and_the_same_json() -> None:
    content = small_estate(gates={"radiology/slice": GateRule(passes=1)})
    plans: list[Plan] = [derive(content), derive(content)]
    hours = [hours_of(content, plan) for plan in plans]
    documents = [plan_text.as_json(content, *one) for one in zip(plans, hours, strict=True)]
    assert canonical.encode(documents[0]) == canonical.encode(documents[1])
    assert plan_text.as_text(content, plans[0], hours[0]) == plan_text.as_text(content, plans[1], hours[1])


def test_a_foundation_host_is_explained_by_the_chain_of_needs_from_the_laboratory() -> None:
    assert why(small_estate(), "backup-1").splitlines() == [
        "It comes out in wave foundations, which follows nothing.",
        "Needed: laboratory uses lis, lis needs backup to restore (its hosts of class server do), "
        "backup-1 plays backup.",
        "backup is played by 1 host; its gate in foundations asks for 1.",
        "It is as urgent as laboratory, one of those counted on; 2 min of work hang on it, its own included.",
    ]


def test_a_post_beyond_those_its_gate_asks_for_is_told_that_it_may_be_done_without() -> None:
    content = with_restart(small_estate(), slices={}, posts_per_site=3)
    assert why(content, "lab-ws-3").splitlines()[-1].endswith("one of those counted on; its gate can do without it.")
    assert "hang on it" in why(content, "lab-ws-2")


def test_long_chains_are_told_in_hours() -> None:
    slow = host_class("workstation", kind="workstation", duration_s=StepTimes(restore=9000, inspect=60, reconnect=60))
    assert "2 h 32 min of work hang on it" in why(with_classes(small_estate(), slow), "lab-ws-2")


def test_a_surplus_server_is_told_that_it_is_beyond_those_counted_on() -> None:
    text = why(small_estate(), "lis-2")
    assert "lis is played by 2 hosts; its gate in laboratory/slice asks for 1." in text
    assert "as urgent as laboratory, beyond those counted on, so behind every slice" in text


def test_a_chain_may_go_through_a_unit_a_shared_host_or_the_workstations() -> None:
    content = with_services(small_estate(), service("dhcp", unit="directory"), service("stamps", "medical-records"))
    content = with_hosts(
        content,
        server("dhcp-1", "north", "dhcp"),
        server("stamps-1", "north", "stamps"),
        server("pacs-1", "south", "pacs", "stamps"),
    )
    assert "lis needs ad to reconnect, ad comes out with dhcp (unit directory), dhcp-1 plays dhcp" in why(
        content, "dhcp-1"
    )
    assert "pacs comes out with stamps (a host they share), stamps-1 plays stamps" in why(content, "stamps-1")
    logs_in = host_class("workstation", kind="workstation", needs=Needs(reconnect=("stamps",)))
    assert "the workstations of laboratory need stamps, stamps-1 plays stamps" in why(
        with_classes(content, logs_in), "stamps-1"
    )


def test_a_foundation_nobody_needs_by_name_is_explained_by_the_gate_all_wait_for() -> None:
    content = with_hosts(with_services(small_estate(), service("time")), server("time-1", "north", "time"))
    assert "every function waits for their gate" in why(content, "time-1")


def test_a_server_no_function_needs_says_so() -> None:
    content = with_hosts(
        with_services(small_estate(), service("archive", "radiology")), server("arc-1", "south", "archive")
    )
    assert "No function needs the services it plays." in why(content, "arc-1")


def test_posts_and_other_workstations_are_told_how_many_of_them_count() -> None:
    content = small_estate(slices={"laboratory": Slice(posts={"north": ("lab-ws-1", "lab-ws-2")})})
    assert "It is a post of laboratory at north; the gate asks for 2 of 2 there." in why(content, "lab-ws-2")
    assert "It is a workstation of laboratory at north; the gate asks for 1 of 1 there." in why(content, "lab-ws-3")


def test_hosts_without_a_service_or_function_are_told_what_is_missing() -> None:
    content = with_hosts(small_estate(), server("spare-1", "north", function="radiology"), server("lost-1", "north"))
    assert "It plays no service and completes radiology." in why(content, "spare-1")
    text = why(content, "lost-1")
    assert "It plays no service and belongs to no known function." in text
    assert "It comes after everything a function needs; 82 s of work hang on it" in text


def test_a_host_that_stays_off_is_told_who_said_so() -> None:
    content = with_classes(small_estate(leave_off=("lis-2",)), host_class("museum", strategies=("leave_off",)))
    content = with_hosts(content, server("old-1", "south", "pacs", klass="museum"))
    assert why(content, "lis-2") == "lis-2 stays off: restart.yaml names it under leave_off."
    assert why(content, "old-1") == "old-1 stays off: its class museum begins with leave_off."


def test_an_unknown_host_is_answered_with_the_nearest_known_names() -> None:
    with pytest.raises(UsageError, match=r"There is no host lab-ws-9\. Did you mean lab-ws-") as caught:
        why(small_estate(), "lab-ws-9")
    assert caught.value.facts["near"] == ["lab-ws-3", "lab-ws-2", "lab-ws-1"]
    with pytest.raises(UsageError, match=r"There is no host zzz\.$"):
        why(small_estate(), "zzz")


def test_the_most_urgent_function_that_needs_a_host_gives_the_reason() -> None:
    content = with_functions(small_estate(), function("radiology", "pacs", "ehr"))
    assert "Needed: radiology uses ehr, ehr-1 plays ehr." in why(content, "ehr-1")


def test_a_workstation_is_told_what_it_and_the_slice_of_its_function_wait_for() -> None:
    said = why(small_estate(), "lab-ws-3")
    assert "Its class workstation needs ad to reconnect." in said
    assert "laboratory works once laboratory/slice has brought back lis." in said
    content = with_classes(small_estate(), host_class("bare", kind="workstation"))
    content = with_hosts(content, workstation("pc-9", "north", None, klass="bare"))
    assert "Its class" not in why(content, "pc-9")
    assert "brought back" not in why(content, "pc-9")
