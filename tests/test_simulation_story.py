"""A story says in sentences what the hospital was, what went wrong, and what came just before the finding."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from orchestrator.decision.commands import Issue, Unhold
from orchestrator.decision.events import Finished, Ordered, Reading, Swept
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import NONE, Faults
from orchestrator.simulation.scenario import Outcome, Setting, Violation, played
from orchestrator.simulation.story import LAST, sentence, told

CONTENT = invented(2, 40)
SETTING = Setting(2, CONTENT, Faults(fails=0.05, troubles=3.0))


@cache
def outcome() -> Outcome:
    return played(SETTING)


def test_a_story_begins_with_the_hospital_and_what_may_go_wrong() -> None:
    lines = told(SETTING, outcome())
    inventory = CONTENT.inventory
    assert lines[0] == f"A hospital of {len(inventory.hosts)} hosts with {len(inventory.services)} services."
    assert lines[1] == "What may go wrong: fails, troubles."
    assert told(replace(SETTING, faults=NONE), outcome())[1] == "What may go wrong: nothing."


def test_it_names_each_trouble_with_its_hour() -> None:
    lines = [line for line in told(SETTING, outcome()) if ": trouble: " in line]
    assert [line.partition(": trouble: ")[2] for line in lines] == [f"{name}." for _, name in outcome().troubles]
    assert lines
    assert all(line.startswith("Hour ") for line in lines)


def test_it_tells_the_last_records_that_name_what_the_finding_is_about() -> None:
    subject = CONTENT.inventory.hosts[0].id
    found = replace(outcome(), violation=Violation("1", 7, subject, "It was reconnected without a proof."))
    lines = told(SETTING, found)
    about = [line for line in lines if line.startswith("Hour ") and ": trouble: " not in line]
    assert 0 < len(about) <= LAST
    assert all(subject in line for line in about)
    assert lines[-1] == "Then invariant 1 broke: It was reconnected without a proof."


def test_it_ends_with_who_never_came_into_service() -> None:
    found = replace(outcome(), not_live=["lis-1 (RESTORED): nobody inspects it", "gate lab: no reading"])
    assert told(SETTING, found)[-2:] == [
        "Never in service: lis-1 (RESTORED): nobody inspects it",
        "Never in service: gate lab: no reading",
    ]


def test_a_reading_that_passes_and_a_sweep_that_nobody_answered_are_not_worth_a_line() -> None:
    entries = [
        (Reading("service:lis", "PASS"), 0),
        (Swept("north", 0, True, []), 0),
        (Reading("service:lis", "FAIL"), 0),
    ]
    lines = told(SETTING, replace(outcome(), journal=[*entries], not_live=[]))
    assert [line for line in lines if "reading" in line] == ["Hour -472222.22: reading service:lis, FAIL."]


def test_a_record_is_told_by_its_kind_and_by_what_it_names() -> None:
    assert sentence(Ordered("1", "wave.hold", "lab", {}, "ada", 0, 0, "")) == "ada signs wave.hold on lab."
    assert sentence(Issue("lis-1/restore/1", "lis-1", "restore", "reimage")) == (
        "issue lis-1/restore/1, lis-1, restore, reimage."
    )
    assert sentence(Finished("lis-1/restore/1", "failed")) == "finished lis-1/restore/1, failed."
    assert sentence(Unhold("lab", "order")) == "unhold lab, order."
    assert sentence(Swept("north", 5, False, ["lis-1"])) == "swept north, control False, answered ['lis-1']."
