"""The state: what is counted, what is digested, what the records alone rebuild."""

from __future__ import annotations

from orchestrator.decision.estate import Estate
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.plans.waves import derive
from tests.estates import server, service, small_estate, with_restart
from tests.storyline import Tell, hospital, plain_class


def test_equal_stories_give_equal_digests_and_every_record_changes_it(tell: Tell) -> None:
    one, other = tell(small_estate()), tell(small_estate())
    assert one.state.digest() == other.state.digest()
    one.begun().passed("foundations")
    assert one.state.digest() != other.state.digest()
    other.begun().passed("foundations")
    assert one.state.digest() == other.state.digest()


def test_what_was_only_looked_at_is_not_part_of_the_digest(tell: Tell) -> None:
    story = tell(small_estate()).begun()
    before = story.state.digest()
    story.at(5).nothing()
    assert story.state.digest() == before


def test_the_whole_small_hospital_is_rebuilt_from_its_records(tell: Tell) -> None:
    story = tell(small_estate()).begun()
    for wave in story.state.estate.waves:
        story.passed(wave.name)
    assert set(story.state.stage) == {Stage.IN_SERVICE}


def test_evidence_of_some_hosts_can_never_be_waived(tell: Tell) -> None:
    content = with_restart(hospital(classes=(plain_class("server"),)), no_waiver=("lis-1",))
    story = tell(content).opened().order("fact.waiver", "class:server", "forensic-lead").nothing()
    story.finish("north/isolate/1").expect("issue lis-1/preserve/1")
    story.order("fact.waiver", "host:lis-1", "forensic-lead").nothing()
    assert story.state.evidence_kept(0), "the forensic lead may still waive the one host by name"


def test_a_service_needs_its_quorum_in_service_and_is_good_only_while_it_reads_pass() -> None:
    content = hospital(services=(service("lis", "laboratory"),))
    state = State(Estate(content, derive(content)))
    state.stage[0] = Stage.IN_SERVICE
    state.refresh_service(0)
    assert (state.up[0], state.good[0]) == (True, False)


def test_who_is_excluded_by_order_has_failed_its_wave_and_too_many_of_them_hold_it(tell: Tell) -> None:
    hosts = [server(f"lis-{number}", "north", "lis") for number in range(1, 7)]
    story = tell(hospital(*hosts)).begun().excluded("lis-2", "lis-3", "lis-4")
    wave = story.state.waves[story.wave("laboratory/slice")]
    assert (wave.failures, wave.holds) == (3, {})
    story.excluded("lis-5")
    assert wave.holds.keys() == {"failures"}


def test_what_dashboards_count_is_counted(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    assert story.state.entered[Stage.IN_SERVICE] == 1
    assert sum(story.state.spent["restore"][:-1]) == 1
