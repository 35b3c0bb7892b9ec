"""What random histories found in the core, each told again as a short story with the seed that showed it first."""

from __future__ import annotations

from functools import partial

from orchestrator.canonical import Json
from orchestrator.decision.stages import Stage
from tests.estates import server, service
from tests.storyline import SECOND, Tell, hospital, plain_class

PERSON: dict[str, Json] = {"id": "analyst-9", "roles": ["analyst"], "key": "k"}


def test_two_jumps_that_cancel_out_still_wait_for_a_person_to_confirm_the_clock(tell: Tell) -> None:
    """Seed 5: ten minutes forward and ten back added up to nothing, and reconnects went on by themselves."""
    story = tell().begun().inspected("lis-1").jump(600).jump(-600)
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.clock_confirmed().expect("issue lis-1/reconnect/1")


def test_a_waiver_that_is_withdrawn_makes_its_hosts_preserve_their_evidence_at_once(tell: Tell) -> None:
    """Seed 17: hosts that waited for a restore under a waiver stood still for ever once it was withdrawn."""
    needing = service("lis", "laboratory")
    classes = (plain_class("server", preservation="required", source="repository:backup"),)
    content = hospital(
        server("backup-1", "north", "backup", klass="first"),
        server("lis-1", "north", "lis"),
        services=(service("backup"), needing),
        classes=(*classes, plain_class("first")),
    )
    story = tell(content).opened()
    story.order("fact.waiver", "host:lis-1", "forensic-lead").isolated()
    assert story.stage("lis-1") is Stage.BLOCKED
    story.order("fact.withdraw", "waiver:host:lis-1", "analyst-1").expect("issue lis-1/preserve/1")


def test_infected_on_a_host_that_is_out_is_asked_about_by_a_record(tell: Tell) -> None:
    """Seed 21: the question stood in the state alone; neither the journal nor an audit could show who was alarmed."""
    story = tell().begun().in_service("lis-1")
    story.verdicts("lis-1", "analyst-3", verdict="INFECTED").expect("ask lis-1 network")
    story.order("host.retry", "lis-1", "operator-1").expect("ask lis-1 network")


def test_a_roster_that_is_no_roster_is_refused_before_anything_changes(tell: Tell) -> None:
    """Seeds 1, 3 and 9: entries without roles or persons broke the core in the middle of a record."""
    story = tell()
    young = {**PERSON, "id": "operator-1", "valid_from_us": "x"}
    rosters: list[Json] = [["operator-1"], [{"id": "operator-1"}], [young]]
    for roster in rosters:
        story.refuses("roster.form", partial(story.order, "genesis", "roster", "operator-1", persons=roster))
    story.signed()
    people: list[Json] = [{"id": "x"}, "x", None]
    for person in people:
        story.refuses("roster.form", partial(story.order, "roster.add", "roster", "operator-1", person=person))


def test_the_genesis_roster_is_signed_once_though_another_was_half_signed(tell: Tell) -> None:
    """A second genesis with one signature could be completed after the first was in force, and replaced the roster."""
    story = tell()
    persons: list[Json] = [{**PERSON, "id": name} for name in ("operator-1", "it-director")]
    story.sign("e" * 32, "genesis", "roster", "operator-1", persons=persons)
    story.sign("f" * 32, "genesis", "roster", "operator-1", "it-director", persons=persons).whatever()
    late = partial(story.sign, "e" * 32, "genesis", "roster", "it-director", persons=persons)
    story.refuses("orders.genesis", late)


def test_a_freeze_of_a_place_that_does_not_exist_is_refused(tell: Tell) -> None:
    """It was admitted, froze nothing, and told nobody."""
    story = tell().begun().whatever()
    for subject in ("north", "site:nowhere", "host:nobody"):
        story.refuses("freeze.scope", lambda subject=subject: story.order("freeze", subject, "operator-1"))
    story.refuses("freeze.scope", lambda: story.order("freeze", "all", "operator-1", hosts=["nobody"]))


def test_a_thaw_of_what_is_not_frozen_is_refused_and_says_what_is(tell: Tell) -> None:
    """Two persons thawed `all`, nothing changed, and the site stayed frozen behind their backs."""
    story = tell().begun().order("freeze", "site:north", "operator-1").whatever()
    error = story.refuses("freeze.thaw", lambda: story.order("thaw", "all", "operator-1"))
    assert error.sentence == "all is not frozen; frozen is site:north."
    story.order("freeze", "hosts", "operator-1", hosts=["lis-1"]).whatever()
    story.order("thaw", "hosts", "operator-1", "crisis-1", hosts=["lis-1"]).nothing()
    story.order("thaw", "site:north", "operator-1", "crisis-1").nothing()
    error = story.refuses("freeze.thaw", lambda: story.order("thaw", "all", "operator-1"))
    assert "frozen is nothing" in error.sentence


def test_a_weaker_freeze_does_not_thaw_a_stronger_one(tell: Tell) -> None:
    """One person's freeze of reconnects replaced a freeze of all work, which only two persons may thaw."""
    story = tell().begun().whatever()
    story.order("freeze", "all", "operator-1", all_work=True).whatever()
    story.order("freeze", "all", "operator-2").whatever()
    assert story.state.freezes == {"all": "all-work"}


def test_an_excluded_host_comes_back_by_two_persons_never_by_a_retry(tell: Tell) -> None:
    """A question left at an excluded host let one operator take it back."""
    story = tell().begun().whatever().inspected("lis-1")
    story.order("host.exclude", "lis-1", "operator-1", "it-director", even_if_last=True).whatever()
    story.refuses("hosts.retry", lambda: story.order("host.retry", "lis-1", "operator-1"))
    assert story.stage("lis-1") is Stage.EXCLUDED


def test_a_released_host_found_infected_does_not_enter_service(tell: Tell) -> None:
    """Seed 303: its check went on passing, so it counted for its service while a recall was asked for."""
    story = tell().begun().released("lis-1")
    story.verdicts("lis-1", "analyst-3", verdict="INFECTED").expect("ask lis-1 network")
    story.read("host:lis-1", times=5).nothing()
    assert story.stage("lis-1") is Stage.RELEASED


def test_a_host_that_came_back_is_preserved_anew_before_it_is_wiped(tell: Tell) -> None:
    """Seed 3: recalled without INFECTED, then retried with reimage, it was wiped under its first, old evidence."""
    content = hospital(classes=(plain_class("server", preservation="required"),))
    story = tell(content).begun().in_service("lis-1")
    story.order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"]).whatever()
    story.finish("lis-1/isolate/1").expect("issue lis-1/inspect/2")
    for tried in (2, 3, 4):
        story.finish(f"lis-1/inspect/{tried}", "failed").whatever().at(10).whatever()
    story.order("host.retry", "lis-1", "operator-1", strategy="reimage").expect("issue lis-1/preserve/2")


def test_infected_is_asked_about_though_suspect_was_asked_before(tell: Tell) -> None:
    """Seed 1044: the question left by SUSPECT hid the one that INFECTED must raise."""
    story = tell(hospital(classes=(plain_class("server", cleanliness="offline"),))).begun().in_service("lis-1")
    story.finish("lis-1/inspect/2").verdicts("lis-1", "analyst-3", verdict="SUSPECT").expect("issue lis-1/inspect/3")
    story.finish("lis-1/inspect/3").verdicts("lis-1", "analyst-3", verdict="INFECTED")
    story.expect("ask lis-1 network")
    assert story.asks("lis-1") == {"network": "INFECTED while out: recall it"}
    story.at(60).nothing()
    assert story.state.obligations, "found by a drill: it was inspected and judged again and again until it was cut off"


def test_an_exception_never_stands_in_for_both_verdicts(tell: Tell) -> None:
    """Incident 21: none still held when the reconnect ended; the core took it back, and the witness had let it go."""
    story = tell().begun().inspected("lis-1").sweep().whatever()
    until_us = story.now_us + 3600 * SECOND
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).nothing()
    story.verdicts("lis-1", "analyst-1", valid_s=60).expect("issue lis-1/reconnect/1").later(61)
    story.finish("lis-1/reconnect/1").expect("issue lis-1/isolate/1")
