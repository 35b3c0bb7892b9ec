"""What a journal measures: how long work took, how often it failed, what readers said; and nothing else."""

from __future__ import annotations

from math import exp, log

import pytest

from orchestrator.decision.commands import EnterService, Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Dispatched, Epoch, Event, Finished, Judged, Lost
from orchestrator.plans.waves import derive
from orchestrator.simulation.durations import Durations
from orchestrator.simulation.measures import LEAST_S, READING_MAX_S, Measures, Tally
from tests.estates import small_estate
from tests.forecast_ground import SECOND, all_passed, lived

CONTENT = small_estate()
ESTATE = Estate(CONTENT, derive(CONTENT))


class Journal:
    """Records told one after the other, in seconds."""

    def __init__(self) -> None:
        self.measures = Measures()

    def tells(self, at_s: int, entry: Event | Issue) -> Journal:
        self.measures.see(entry, ESTATE, at_s * SECOND)
        return self

    def issues(self, at_s: int, action: str) -> Journal:
        return self.tells(at_s, Issue(action, action.partition("/")[0], action.split("/")[1]))

    def inspects(self, at_s: int, host: str) -> Journal:
        action = f"{host}/inspect/1"
        return self.issues(at_s, action).tells(at_s, Finished(action, "ok", "", {"evidence": "e"}))

    def judges(self, at_s: int, person: str, *hosts: str, verdict: str = "CLEAN") -> Journal:
        judged = {host: f"{host}/inspect/1" for host in hosts}
        return self.tells(at_s, Judged(verdict, judged, person, "0" * 64, 1 << 60, "b"))

    def median_s(self, klass: str, work: str) -> float:
        tally = self.measures.work[klass, work]
        return exp(tally.total / tally.count)


def test_a_restore_is_measured_from_its_issue_to_its_end_for_its_class() -> None:
    journal = Journal().issues(100, "lis-1/restore/1").issues(110, "lis-2/restore/1")
    journal.tells(160, Finished("lis-1/restore/1", "ok")).tells(350, Finished("lis-2/restore/1", "ok"))
    assert journal.measures.many("server", "restore") == 2
    assert journal.median_s("server", "restore") == pytest.approx(120)
    assert journal.measures.many("workstation", "restore") == 0
    assert journal.measures.ended == {"restore": 2}


@pytest.mark.parametrize("end", [Finished("lis-1/restore/1", "failed"), Lost("lis-1/restore/1")])
def test_what_failed_or_was_lost_counts_as_a_failed_try_and_measures_no_duration(end: Event) -> None:
    measures = Journal().issues(100, "lis-1/restore/1").tells(160, end).measures
    assert (measures.ended, measures.failed, measures.work) == ({"restore": 1}, {"restore": 1}, {})


def test_what_people_took_back_is_no_try() -> None:
    measures = Journal().issues(100, "lis-1/restore/1").tells(101, Cancelled("lis-1/restore/1")).measures
    assert (measures.ended, measures.failed) == ({}, {})


def test_isolating_a_whole_site_is_no_measure_of_a_class() -> None:
    measures = Journal().issues(1, "north/isolate/1").tells(9, Finished("north/isolate/1", "ok")).measures
    assert (measures.ended, measures.work) == ({}, {})


def test_an_end_without_a_known_beginning_measures_nothing() -> None:
    assert Journal().tells(9, Finished("lis-1/restore/1", "ok")).measures.ended == {}


def test_a_reader_needs_about_the_pause_between_two_verdicts() -> None:
    journal = Journal().inspects(10, "lis-1").inspects(20, "lis-2").judges(100, "analyst-1", "lis-1")
    assert journal.measures.many("server", "verdict") == 0, "nobody knows when the first reading began"
    journal.judges(700, "analyst-1", "lis-2")
    assert journal.median_s("server", "verdict") == pytest.approx(600)


def test_a_reader_who_waited_for_the_inspection_began_when_it_was_there() -> None:
    journal = Journal().judges(0, "analyst-1", "lis-1").judges(10, "analyst-1", "lis-1")
    journal = Journal().inspects(1, "lis-1").judges(10, "analyst-1", "lis-1").inspects(500, "lis-2")
    assert journal.judges(560, "analyst-1", "lis-2").median_s("server", "verdict") == pytest.approx(60)


def test_a_night_between_two_verdicts_was_no_reading_and_a_whole_batch_is_none_either() -> None:
    journal = Journal().inspects(1, "lis-1").inspects(2, "lis-2").judges(10, "analyst-1", "lis-1")
    journal.judges(11 + READING_MAX_S, "analyst-1", "lis-2").judges(20 + READING_MAX_S, "analyst-1", "lis-1", "lis-2")
    assert journal.measures.many("server", "verdict") == 0
    assert journal.measures.verdicts == {"CLEAN": 3}


def test_a_corrected_clock_changes_no_duration() -> None:
    journal = Journal().inspects(10, "lis-1").judges(20, "analyst-1", "lis-1").issues(30, "lis-2/restore/1")
    journal.tells(-1000, Epoch(-1030 * SECOND)).tells(-940, Finished("lis-2/restore/1", "ok"))
    assert journal.median_s("server", "restore") == pytest.approx(60)


def test_hosts_that_were_run_together_scatter_about_their_batch_and_not_about_the_next_one() -> None:
    journal = Journal()
    for begun_s, spent_s, hosts in ((0, 100, ("lis-1", "lis-2")), (1000, 400, ("pacs-1", "ehr-1"))):
        actions = [f"{host}/restore/1" for host in hosts]
        for action in actions:
            journal.issues(begun_s, action)
        journal.tells(begun_s + 5, Dispatched("restore.yml", actions))
        for action in actions:
            journal.tells(begun_s + spent_s, Finished(action, "ok"))
    tally = journal.measures.work["server", "restore"]
    assert (tally.count, len(tally.batches)) == (4, 2)
    assert tally.within == pytest.approx(0)
    assert tally.squares - tally.total**2 / tally.count > 1


def test_what_was_never_given_out_in_batches_scatters_about_the_mean_of_all() -> None:
    tally = Tally()
    for spent_s in (50, 70, 200):
        tally.add(spent_s)
    assert tally.within == pytest.approx(tally.squares - tally.total**2 / tally.count)


def test_how_long_probes_take_to_bring_a_released_host_into_service_is_measured_for_its_class() -> None:
    journal = Journal().issues(100, "lis-1/reconnect/1").tells(130, Finished("lis-1/reconnect/1", "ok"))
    journal.tells(-870, Epoch(-1000 * SECOND)).tells(-790, EnterService("lis-1"))
    assert exp(journal.measures.serving["server"].total) == pytest.approx(80)
    journal.tells(-700, EnterService("lis-1")).tells(-700, EnterService("lis-2"))
    assert journal.measures.serving["server"].count == 1, "nobody saw when these were released"


def test_shares_begin_at_what_was_expected_and_end_at_what_was_seen() -> None:
    journal = Journal()
    assert journal.measures.share("SUSPECT", 0.04, 40) == pytest.approx(0.04)
    assert journal.measures.failing(0.03, 40) == pytest.approx(0.03)
    for number in range(400):
        verdict = "SUSPECT" if number % 2 else "CLEAN"
        journal.judges(number, "analyst-1", "lis-1", verdict=verdict)
        journal.issues(number, "lis-1/restore/1").tells(number + 1, Finished("lis-1/restore/1", "failed"))
    assert 0.4 < journal.measures.share("SUSPECT", 0.04, 40) < 0.5
    assert 0.9 < journal.measures.failing(0.03, 40) < 1


def test_work_that_took_no_time_at_all_counts_as_a_moment() -> None:
    tally = Tally()
    tally.add(0.0)
    assert (tally.count, tally.total, tally.squares) == (1, log(LEAST_S), log(LEAST_S) ** 2)


def test_a_restart_that_goes_as_planned_measures_what_was_planned() -> None:
    measures = lived(all_passed, durations=Durations(sigma=0.0)).measures
    for (klass, work), tally in measures.work.items():
        if work != "verdict":
            planned_s = getattr(next(one for one in CONTENT.classes if one.id == klass).duration_s, work)
            assert tally.total / tally.count == pytest.approx(log(planned_s), abs=0.01), (klass, work)
    assert measures.many("server", "restore") >= 4
    assert measures.many("workstation", "verdict") >= 1
