"""Which verdicts count, who is clean, and who may have launched."""

from __future__ import annotations

from orchestrator.decision import quorum
from orchestrator.decision.blockers import blockers
from orchestrator.decision.stages import Stage
from tests.estates import server, service
from tests.storyline import SECOND, Story, Tell, hospital, plain_class


def judged(tell: Tell, *persons: str, valid_s: int = 600) -> Story:
    """The lone server, held in quarantine, with CLEAN of these persons."""
    story = tell().begun().inspected("lis-1").order("wave.hold", "laboratory/slice", "operator-1").whatever()
    return story.sweep().whatever().verdicts("lis-1", *persons, valid_s=valid_s).nothing()


def missing(story: Story) -> int:
    """How many verdicts the lone server lacks now."""
    return quorum.verdicts_missing(story.state, 0, story.now_us)


def test_persons_are_counted_and_their_verdicts_expire(tell: Tell) -> None:
    story = judged(tell, "analyst-1").verdicts("lis-1", "analyst-2", valid_s=60).nothing()
    assert missing(story) == 0
    assert missing(story.later(60)) == 1
    assert missing(story.later(540)) == 2


def test_only_clean_counts_towards_clean(tell: Tell) -> None:
    story = judged(tell, "analyst-1", "analyst-2")
    for verdict, lacking in (("SUSPECT", 1), ("INFECTED", 1), ("CLEAN", 0)):
        story.state.verdicts[0][0].verdict = verdict
        assert missing(story) == lacking


def test_a_verdict_signed_again_replaces_the_one_that_expired(tell: Tell) -> None:
    story = judged(tell, "analyst-1", valid_s=60).later(60).verdicts("lis-1", "analyst-1", valid_s=60).nothing()
    assert [one.person for one in story.state.verdicts[0]] == ["analyst-1"]
    assert missing(story) == 1


def test_a_host_is_clean_only_where_it_stands_in_proven_quarantine(tell: Tell) -> None:
    story = judged(tell, "analyst-1", "analyst-2")
    assert quorum.is_clean(story.state, 0, story.now_us)
    for _ in range(3):
        story.sweep(control=False).nothing()
    assert not quorum.is_clean(story.state, 0, story.now_us)


def test_a_class_may_ask_for_three_persons_or_for_one(tell: Tell) -> None:
    for required in (1, 3):
        story = tell(hospital(classes=(plain_class("server", verdicts_required=required),)))
        story.begun().inspected("lis-1").sweep().whatever()
        persons = ("analyst-1", "analyst-2", "analyst-3")[:required]
        for person in persons[:-1]:
            story.verdicts("lis-1", person).nothing()
        story.verdicts("lis-1", persons[-1]).expect("issue lis-1/reconnect/1")


def test_a_launch_by_a_person_who_was_revoked_since_counts_no_more(tell: Tell) -> None:
    story = judged(tell).order("roster.revoke", "operator-1", "operator-2", "it-director").nothing()
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    assert "launch" in [code for code, _ in blockers(story.state, 0, "reconnect", story.now_us)]
    story.order("wave.launch", "laboratory/slice", "operator-2").nothing()
    story.order("wave.resume", "laboratory/slice", "operator-2").expect("issue lis-1/reconnect/1")


def test_an_exception_alone_releases_nobody(tell: Tell) -> None:
    story = judged(tell)
    until_us = story.now_us + 3600 * SECOND
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).nothing()
    assert missing(story) == 2
    story.verdicts("lis-1", "analyst-1").nothing()
    assert missing(story) == 0
    assert missing(story.later(3600)) == 1, "the exception ended"


def test_whoever_is_out_or_on_the_way_counts_for_its_service(tell: Tell) -> None:
    story = tell(hospital(server("a", "north", "lis"), server("b", "north", "lis"))).begun()
    assert quorum.out_of(story.state, 0) == 0
    assert quorum.out_of(story.bring("a", Stage.RECONNECTING).state, 0) == 1
    assert quorum.out_of(story.in_service("b").state, 0) == 2


def test_what_a_service_lacks_without_a_host_is_named(tell: Tell) -> None:
    services = (service("lis", "laboratory", quorum=2), service("lab", "laboratory"))
    content = hospital(server("a", "north", "lis", "lab"), server("b", "north", "lis", "lab"), services=services)
    story = tell(content).begun()
    assert quorum.lacking_without(story.state, 0) == ["lis"]
    story.order("service.drop-need", "lis", "operator-1", "crisis-1").whatever()
    assert quorum.lacking_without(story.state, 0) == []


def test_nobody_is_asked_for_a_verdict_on_a_host_that_stands_in_no_wave(tell: Tell) -> None:
    story = judged(tell)
    assert quorum.seats_wanted(story.state, 0)
    wave, story.state.wave_of[0] = story.state.wave_of[0], -1
    assert not quorum.seats_wanted(story.state, 0)
    story.state.wave_of[0] = wave
