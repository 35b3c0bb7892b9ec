"""The people of an invented world: one piece of work at a time, on duty only, and now and then wrong."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from orchestrator.decision.events import Judged, Ordered, Rematched
from orchestrator.decision.quorum import seats_wanted
from orchestrator.plans.model import Content
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.people import Shifts
from orchestrator.simulation.scenario import Outcome, Setting, played
from tests.estates import small_estate
from tests.forecast_ground import SECOND, all_passed, begun

CONTENT = invented(2, 40)


@cache
def told(**faults: float) -> Outcome:
    outcome = played(Setting(2, CONTENT, Faults(**faults), days=2))
    assert (outcome.violation, outcome.not_live) == (None, [])
    return outcome


def _verdicts(outcome: Outcome) -> list[tuple[Judged, int]]:
    return [(one, at_us) for one, at_us in outcome.journal if isinstance(one, Judged)]


def _orders(outcome: Outcome, *kinds: str) -> list[Ordered]:
    return [one for one, _ in outcome.journal if isinstance(one, Ordered) and one.kind in kinds]


def test_where_nobody_errs_every_verdict_is_clean_and_every_host_has_all_it_needs() -> None:
    verdicts = [one for one, _ in _verdicts(told())]
    assert {one.verdict for one in verdicts} == {"CLEAN"}
    needed = {one.id: one.verdicts_required for one in CONTENT.classes}
    judged = [host for one in verdicts for host in one.inspections]
    assert all(judged.count(host.id) >= needed[host.klass] for host in CONTENT.inventory.hosts)


def test_no_host_is_judged_twice_by_one_person_though_somebody_tries() -> None:
    outcome = told(second_key=0.5)
    assert outcome.happened["second_key"] > 5
    valid_us = CONTENT.restart.timing.verdict_valid_s * 1_000_000
    last_us: dict[tuple[str, ...], int] = {}
    for one, at_us in _verdicts(outcome):
        signed = (one.person, *one.inspections.values())
        assert at_us - last_us.get(signed, at_us - valid_us) >= valid_us, "only where the first one has expired"
        last_us[signed] = at_us


def test_a_reader_begins_nothing_while_another_reading_is_under_way() -> None:
    times: dict[str, list[int]] = {}
    for one, at_us in _verdicts(told()):
        times.setdefault(one.person, []).append(at_us)
    assert len(times) >= 2
    assert all(later - sooner >= 60_000_000 for at in times.values() for sooner, later in pairwise(at))


def test_analysts_reject_and_disagree() -> None:
    assert {one.verdict for one, _ in _verdicts(told(suspect=0.2))} == {"CLEAN", "SUSPECT"}
    assert {one.verdict for one, _ in _verdicts(told(infected=0.1))} == {"CLEAN", "INFECTED"}
    inspections: dict[str, set[str]] = {}
    for one, _ in _verdicts(told(wrong=0.2)):
        for inspection in one.inspections.values():
            inspections.setdefault(inspection, set()).add(one.verdict)
    assert {"CLEAN", "SUSPECT"} in inspections.values()


def test_somebody_takes_a_CLEAN_back_hours_later() -> None:
    outcome = told(withdrawn=0.3)
    clean = {(one.person, *one.inspections.values()) for one, _ in _verdicts(outcome) if one.verdict == "CLEAN"}
    doubted = [(one.person, *one.inspections.values()) for one, _ in _verdicts(outcome) if one.verdict == "SUSPECT"]
    assert doubted
    assert set(doubted) <= clean


def test_work_said_done_and_not_done_is_found_out_and_done_again() -> None:
    honest, lying = told(), told(false_claim=0.5)
    assert _orders(honest, "task.failed") == []
    assert lying.happened["false_claim"] > 0
    done = len(_orders(lying, "task.done")) + len(_orders(lying, "task.failed"))
    assert done > len(_orders(honest, "task.done"))


def test_a_report_is_confirmed_by_somebody_else() -> None:
    by_task: dict[str, list[str]] = {}
    for one in _orders(told(), "task.done"):
        by_task.setdefault(one.subject, []).append(one.person)
    assert any(len(persons) > 1 for persons in by_task.values())
    assert all(len(persons) == len(set(persons)) for persons in by_task.values() if len(persons) == 2)


def _with_shifts() -> Content:
    found = (invented(seed, 40) for seed in range(20))
    return next(one for one in found if one.capacity.shifts)


def test_who_has_gone_home_for_the_night_begins_no_reading() -> None:
    content = _with_shifts()
    outcome = played(Setting(1, content, Faults()))
    shifts = Shifts(content.capacity.shifts)
    longest_us = 3 * 3600 * 1_000_000  # what was begun in time is finished
    known = {person for shift in content.capacity.shifts for person in shift.persons}
    verdicts = [(one, at_us) for one, at_us in _verdicts(outcome) if one.person in known]
    assert verdicts
    for one, at_us in verdicts:
        assert any(shifts.present(one.person, at_us - back_us) for back_us in range(0, longest_us, 600_000_000))


def test_fresh_people_come_when_faults_have_ended() -> None:
    added = _orders(told(fails=0.3), "roster.add")
    assert added
    roles = [role for one in added for role in one.args["person"]["roles"]]  # type: ignore[index,call-overload]
    assert {"operator", "analyst", "technician", "crisis", "it_director"} <= set(roles)


def test_a_host_whose_wave_comes_into_the_horizon_is_read_as_soon_as_a_reader_is_free() -> None:
    world = begun(small_estate())
    wanted_us: dict[str, int] = {}
    waited_us: dict[str, int] = {}

    def judged(event: Judged) -> None:
        for host in event.inspections:
            waited_us.setdefault(host, world.now_us - wanted_us.get(host, world.now_us))

    world.hears.setdefault(Judged, []).append(judged)
    while not all_passed(world):
        assert world.turn()
        for host, name in enumerate(world.state.estate.hosts):
            if seats_wanted(world.state, host):
                wanted_us.setdefault(name, world.now_us)
    reading_us = max(klass.reading_s for klass in small_estate().classes) * SECOND
    assert max(waited_us.values()) < 3 * reading_us, "no host waits for more than the two that were before it"


def test_under_every_new_indicator_set_evidence_is_matched_and_whoever_it_leaves_unread_is_read_again() -> None:
    """Who said CLEAN under an earlier set is asked again: a host once waited for ever for two such verdicts."""
    outcome = told(troubles=20.0, hit=0.2, unmatched=0.4, unanswered=0.2)
    assert outcome.happened["unanswered"]
    matched = [one for one, _ in outcome.journal if isinstance(one, Rematched)]
    assert {one.outcome for one in matched} == {"hit", "no-hit", "unmatched"}
    said: dict[tuple[str, ...], set[str]] = {}
    for one, _ in _verdicts(outcome):
        said.setdefault((one.person, *one.inspections.values()), set()).add(one.indicator_set)
    assert max(map(len, said.values())) > 1
