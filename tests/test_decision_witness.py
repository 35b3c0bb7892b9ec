"""The witness sees each broken promise in a forged history, names it, and says nothing about an honest one."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.decision.commands import (
    Ask,
    BreakSoak,
    Cancel,
    Command,
    ConfirmTask,
    EnterService,
    GiveUp,
    Hold,
    Issue,
    OpenTask,
    Owe,
    PassGate,
    StartSoak,
    Unhold,
)
from orchestrator.decision.events import Cancelled, Event, Finished, Judged, Lost, Reading, Rematched, Woke
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Names, Needs, Task
from orchestrator.plans.model import Pool
from tests.estates import PRACTICE_TIMING, check, server, service, with_checks, with_pools, workstation
from tests.forged_histories import (
    ALARM,
    RECALLED,
    RECONNECT,
    SLICE,
    UNFROZEN,
    UNPROVEN,
    clean,
    heard,
    needing,
    order,
    orders,
    ready,
    seen,
)
from tests.storyline import OLD_POINT_US, SECOND, SET, T0_US, Story, Tell, hospital, plain_class


def test_an_honest_restart_has_nothing_to_say_about(tell: Tell) -> None:
    story = tell().begun().passed(SLICE)
    assert heard(story).broken == []


def test_1_a_reconnect_on_one_verdict_of_two_is_seen(tell: Tell) -> None:
    assert seen(ready(tell), RECONNECT) == [(1, "lis-1", "its proof of clean does not stand")]


def test_1_two_verdicts_of_one_person_are_one(tell: Tell) -> None:
    story = ready(tell)
    assert seen(story, clean(story, "analyst-1"), RECONNECT) == [(1, "lis-1", "its proof of clean does not stand")]


def test_1_a_verdict_that_does_not_outlive_the_reconnect_counts_for_nothing(tell: Tell) -> None:
    story = ready(tell)
    short = clean(story)
    short.expires_us = story.now_us + SECOND
    assert seen(story, short, RECONNECT) == [(1, "lis-1", "its proof of clean does not stand")]


def test_1_verdicts_of_a_person_revoked_since_or_under_another_set_count_for_nothing(tell: Tell) -> None:
    story = ready(tell)
    revoked = [order("roster.revoke", "analyst-1", one) for one in ("operator-1", "it-director")]
    assert seen(story, clean(story), *revoked, RECONNECT) == [(1, "lis-1", "its proof of clean does not stand")]
    forced = [order("indicators.force", "6" * 64, one) for one in ("analyst-3", "forensic-lead")]
    assert seen(story, clean(story), *forced, RECONNECT) == [(1, "lis-1", "its proof of clean does not stand")]


def test_1_what_was_matched_makes_verdicts_stand_or_fall(tell: Tell) -> None:
    """Matched must be the latest inspection, against the set in force."""
    story = ready(tell)
    forced = [order("indicators.force", "6" * 64, one) for one in ("analyst-3", "forensic-lead")]
    bare = [(1, "lis-1", "its proof of clean does not stand")]

    def told(inspection: str, used: str, outcome: str) -> list[tuple[int, str, str]]:
        return seen(story, clean(story), *forced, Rematched({"lis-1": inspection}, used, outcome), RECONNECT)

    assert told("lis-1/inspect/1", "6" * 64, "no-hit") == []
    assert told("lis-1/inspect/1", "6" * 64, "unmatched") == told("lis-1/inspect/1", "6" * 64, "hit") == bare
    other = (1, "lis-1", "other evidence is matched than its verdicts judge, or against another set")
    assert told("lis-1/inspect/1", "7" * 64, "no-hit") == [other, *bare]
    assert told("lis-1/inspect/0", "6" * 64, "unmatched") == [other, *bare]


def test_1_an_exception_stands_in_for_the_second_verdict_only(tell: Tell) -> None:
    story = ready(tell)
    until_us = story.now_us + 3600 * SECOND
    excepted = [order("host.exception", "lis-1", one, until_us=until_us) for one in ("operator-1", "crisis-1")]
    assert seen(story, *excepted, RECONNECT) == []
    none_yet = tell().begun().inspected("lis-1")
    assert seen(none_yet, *excepted, RECONNECT) == [(1, "lis-1", "its proof of clean does not stand")]


def test_1_an_exception_is_too_little_where_the_only_verdict_has_expired_meanwhile(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever()
    until_us = story.now_us + 3600 * SECOND
    story.order("host.exception", "lis-1", "operator-1", "crisis-1", until_us=until_us).nothing()
    story.verdicts("lis-1", "analyst-1", valid_s=60).whatever().later(61)
    silence = "its proof fell during the reconnect and no isolate followed"
    assert seen(story, Finished("lis-1/reconnect/1", "ok")) == [(1, "lis-1", silence)]


def test_1_a_reconnect_of_a_host_that_answered_the_prober_is_seen(tell: Tell) -> None:
    story = ready(tell).sweep(answered=("lis-1",)).whatever()
    assert (1, "lis-1", "it is not proven to be in quarantine") in seen(story, clean(story), RECONNECT)


def test_1_a_proof_that_fell_during_the_reconnect_needs_an_isolate_at_once(tell: Tell) -> None:
    story = tell().begun().bring("lis-1", Stage.RECONNECTING)
    fell: list[Event | Command] = [clean(story, verdict="SUSPECT"), Finished("lis-1/reconnect/1", "ok")]
    silence = "its proof fell during the reconnect and no isolate followed"
    assert seen(story, *fell) == [(1, "lis-1", silence)]
    assert seen(story, *fell, Issue("lis-1/isolate/1", "lis-1", "isolate")) == []
    kept = seen(story, *fell, EnterService("lis-1"), Issue("lis-1/isolate/1", "lis-1", "isolate"))
    assert kept == [(1, "lis-1", "it enters service without a release that stands")]


def test_2_a_reconnect_before_the_service_it_needs_is_seen(tell: Tell) -> None:
    story = ready(tell, needing())
    assert seen(story, clean(story), RECONNECT) == [(2, "lis-1", "ad, which it needs, is not in service")]
    dropped = [order("service.drop-need", "ad", one) for one in ("operator-1", "it-director")]
    assert seen(story, *dropped, clean(story), RECONNECT) == []


def test_2_a_service_is_there_once_as_many_of_its_hosts_serve_as_its_quorum_asks(tell: Tell) -> None:
    services = (service("ad", "laboratory", quorum=2), service("lis", "laboratory", needs=Needs(reconnect=("ad",))))
    hosts = (server("ad-1", "north", "ad"), server("ad-2", "north", "ad"), server("lis-1", "north", "lis"))
    story = tell(hospital(*hosts, services=services)).begun().in_service("ad-1")
    story.inspected("lis-1").verdicts("lis-1", "analyst-1").whatever()
    short = (2, "lis-1", "ad, which it needs, is not in service")
    assert seen(story, clean(story), RECONNECT) == [short]
    lower = orders("service.lower-k", "ad", "operator-1", "it-director", k=1)
    assert seen(story, lower[0], clean(story), RECONNECT) == [short]
    assert seen(story, *lower, clean(story), RECONNECT) == []


def test_2_an_outside_service_is_there_by_the_word_of_two_and_while_it_does_not_read_fail(tell: Tell) -> None:
    story = ready(tell, needing("reference-lab"))
    away = (2, "lis-1", "reference-lab, which it needs, is not in service")
    assert seen(story, clean(story), RECONNECT) == [away]
    back = orders("fact.outside", "reference-lab", "operator-1", "it-director")
    assert seen(story, back[0], clean(story), RECONNECT) == [away]
    assert seen(story, *back, clean(story), RECONNECT) == []
    assert seen(story, *back, Reading("service:reference-lab", "FAIL"), clean(story), RECONNECT) == [away]


def test_2_a_unit_comes_out_only_with_enough_clean_partners(tell: Tell) -> None:
    services = (
        service("ad", "laboratory", unit="directory"),
        service("lis", "laboratory", unit="directory", needs=Needs(reconnect=("ad",))),
    )
    content = hospital(server("ad-1", "north", "ad"), server("lis-1", "north", "lis"), services=services)
    story = ready(tell, content)
    assert seen(story, clean(story), RECONNECT) == [(2, "lis-1", "its unit's ad has too few clean hosts")]


def test_3_a_reconnect_of_a_wave_nobody_launched_is_seen(tell: Tell) -> None:
    story = tell().opened().isolated().inspected("lis-1").verdicts("lis-1", "analyst-1").whatever()
    assert seen(story, clean(story), RECONNECT) == [(3, "lis-1", f"{SLICE} is not launched")]


def test_3_a_reconnect_of_a_held_wave_is_seen_and_one_under_way_must_be_stopped(tell: Tell) -> None:
    story = ready(tell)
    held = order("wave.hold", SLICE, "operator-1")
    assert seen(story, held, clean(story), RECONNECT) == [(3, "lis-1", f"{SLICE} is held: order")]
    going = (3, "lis-1", f"lis-1/reconnect/1 goes on though {SLICE} is held: order")
    assert seen(story, clean(story), RECONNECT, held) == [going]
    assert seen(story, clean(story), RECONNECT, held, Cancel("lis-1/reconnect/1", "held")) == []


def test_3_a_wave_held_by_a_relapse_releases_only_what_cures_it(tell: Tell) -> None:
    services = (
        service("lis", "laboratory"),
        service("ehr", "laboratory", needs=Needs(inspect=("lis",))),
        service("pacs", "laboratory"),
    )
    hosts = (server(f"{each.id}-1", "north", each.id) for each in services)
    story = ready(tell, hospital(*hosts, services=services))
    for cured in ("lis", "ehr"):
        assert seen(story, Hold(SLICE, f"relapse:{cured}"), clean(story), RECONNECT) == []
    other = Hold(SLICE, "relapse:pacs")
    held = (3, "lis-1", f"{SLICE} is held: relapse:pacs")
    assert seen(story, other, clean(story), RECONNECT) == [held]
    assert seen(story, other, Unhold(SLICE, "relapse:pacs"), clean(story), RECONNECT) == []


def test_3_what_a_relapsed_service_is_restored_from_cures_it_too(tell: Tell) -> None:
    services = (service("lis", "laboratory"), service("pacs", "laboratory"))
    hosts = (server("lis-1", "north", "lis"), server("pacs-1", "north", "pacs", klass="restored"))
    classes = (plain_class("server"), plain_class("restored", source="repository:lis"))
    story = ready(tell, hospital(*hosts, services=services, classes=classes))
    assert seen(story, Hold(SLICE, "relapse:pacs"), clean(story), RECONNECT) == []


def test_3_a_post_comes_out_before_its_wave_only_in_place_of_one_that_is_gone(tell: Tell) -> None:
    hosts = (server("lis-1", "north", "lis"), *(workstation(f"ws-{one}", "north", "laboratory") for one in (1, 2)))
    story = tell(hospital(*hosts, posts_per_site=1)).opened().isolated().launched(SLICE)
    story.in_service("lis-1").inspected("ws-2").whatever()
    proven = Judged("CLEAN", {"ws-2": "ws-2/inspect/1"}, "analyst-2", SET, story.now_us + 3600 * SECOND, "blob")
    early: list[Event | Command] = [proven, Issue("ws-2/reconnect/1", "ws-2", "reconnect")]
    assert seen(story, *early) == [(3, "ws-2", "laboratory/rest-1 is not launched")]
    assert seen(story, GiveUp("lis-1", "no strategy is left"), *early) == [
        (3, "ws-2", "laboratory/rest-1 is not launched")
    ]
    gone = GiveUp("ws-1", "no strategy is left")
    assert seen(story, gone, *early) == []
    back = orders("host.retry", "ws-1", "operator-1")
    assert seen(story, gone, *back, *early) == [], "its place was taken"
    once_gone = [GiveUp("ws-2", "no strategy is left"), *orders("host.retry", "ws-2", "operator-1")]
    assert seen(story, *once_gone, gone, *back, *early) == [], "who was gone once may take a place, too"


def test_3_a_reconnect_behind_a_closed_gate_is_seen(tell: Tell) -> None:
    content = hospital(
        server("ad-1", "north", "ad"),
        server("lis-1", "north", "lis"),
        services=(service("ad"), service("lis", "laboratory")),
    )
    story = tell(content).begun().in_service("ad-1").inspected("lis-1").verdicts("lis-1", "analyst-1").whatever()
    assert seen(story, clean(story), RECONNECT) == [(3, "lis-1", "the gate of foundations has not passed")]


def test_3_a_launcher_who_signed_everything_alone_does_not_count(tell: Tell) -> None:
    story = tell().opened().isolated().inspected("lis-1").verdicts("lis-1", "analyst-1").whatever()
    launched = order("wave.launch", SLICE, "analyst-1")
    assert seen(story, launched, clean(story), RECONNECT) == [(3, "lis-1", "its launchers all signed for it")]


@pytest.mark.parametrize("scope", ["all", "site:north", "host:lis-1"])
def test_4_a_reconnect_under_a_freeze_is_seen(tell: Tell, scope: str) -> None:
    story = ready(tell)
    frozen = order("freeze", scope, "operator-1")
    assert seen(story, frozen, clean(story), RECONNECT) == [(4, "lis-1", "reconnects are frozen")]
    elsewhere = order("freeze", "site:south", "operator-1")
    assert seen(story, elsewhere, clean(story), RECONNECT) == []


def test_4_a_reconnect_with_an_open_breach_or_a_doubted_clock_is_seen(tell: Tell) -> None:
    story = ready(tell)
    opened = order("fact.withdraw", "breach_closed", "analyst-1")
    assert seen(story, opened, clean(story), RECONNECT) == [(4, "lis-1", "the breach is not closed")]
    story.jump(600)
    assert seen(story, clean(story), RECONNECT) == [(4, "lis-1", "a clock jump is not confirmed")]


def test_5_an_action_starts_once_ends_once_and_has_its_lane_alone(tell: Tell) -> None:
    story = tell().begun()  # lis-1/restore/1 is under way
    again = Issue("lis-1/restore/1", "lis-1", "restore", "restore")
    twice = seen(story, Finished("lis-1/restore/1", "failed"), again)
    assert twice == [(5, "lis-1/restore/1", "an action id starts twice")]
    beside = seen(story, Issue("lis-1/inspect/1", "lis-1", "inspect"))
    assert beside == [(5, "lis-1", "two actions are under way in its host lane")]
    ended = seen(story, Lost("lis-1/restore/1"), Cancelled("lis-1/restore/1"))
    assert ended == [(5, "lis-1/restore/1", "it ends a second time")]
    ghost = seen(story, Finished("lis-1/restore/7", "ok"))
    assert ghost == [(5, "lis-1/restore/7", "it ends and never began")]
    assert seen(story, Lost("lis-1/restore/7")) == ghost


def test_5_a_site_is_isolated_by_one_action_at_a_time(tell: Tell) -> None:
    story = tell().opened()
    assert seen(story, Issue("north/isolate/2", "north", "isolate")) == [
        (5, "north", "two isolations of one site are under way")
    ]


@pytest.mark.parametrize(("pace", "after_s", "said"), [(1, 59, 2), (1, 60, 0), (2, 0, 0)])
def test_6_a_pace_beyond_its_limit_is_seen(tell: Tell, pace: int, after_s: int, said: int) -> None:
    posts = [workstation(f"ws-{number}", "north", "laboratory") for number in (1, 2)]
    timing = PRACTICE_TIMING.model_copy(update={"workstations_per_minute": pace})
    story = tell(hospital(server("lis-1", "north", "lis"), *posts, timing=timing)).begun()
    witness = heard(story)
    witness.see(Issue("ws-1/reconnect/1", "ws-1", "reconnect"), story.now_us)
    witness.see(Issue("ws-2/reconnect/1", "ws-2", "reconnect"), story.now_us + after_s * SECOND)
    seen_6 = [one.sentence for one in witness.broken if one.invariant == 6]
    assert seen_6 == [f"{said} workstations are released within a minute"] * bool(said)


def test_6_a_pool_beyond_its_size_is_seen(tell: Tell) -> None:
    hosts = [server(f"lis-{number}", "north", "lis") for number in (1, 2, 3)]
    content = with_pools(hospital(*hosts), Pool(id="backup-streams", name="Backup streams", size=2))
    story = tell(content).begun()
    third = Issue("lis-3/restore/1", "lis-3", "restore", "restore")
    assert seen(story, third) == [(6, "backup-streams", "3 of 2 are in use")]


def test_9_infected_and_connected_without_anybody_asked_is_seen(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    infected = clean(story, "analyst-3", verdict="INFECTED")
    alarm = ALARM
    assert seen(story, infected) == [alarm]
    assert seen(story, infected, Woke(), Woke()) == [alarm]
    assert seen(story, infected, Issue("lis-1/isolate/1", "lis-1", "isolate")) == []
    assert seen(story, infected, order("host.recall", "lis-1", "operator-1")) == [alarm]  # too late: a record later
    assert seen(story, order("host.recall", "lis-1", "operator-1"), infected) == [alarm]  # decided before it was known
    assert seen(story, infected, Ask("lis-1", "network", "isolate it or keep it?")) == []


def test_10_a_wipe_without_evidence_is_seen(tell: Tell) -> None:
    content = hospital(classes=(plain_class("server", preservation="required"),))
    story = tell(content).begun()  # lis-1/preserve/1 is under way
    wipe = Issue("lis-1/restore/1", "lis-1", "restore", "restore")
    bare = (10, "lis-1", "it is wiped without preservation or waiver")
    assert seen(story, Finished("lis-1/preserve/1", "failed"), wipe) == [bare]
    assert seen(story, Finished("lis-1/preserve/1", "ok", "", {"digest": "d", "seal": "7", "holder": "h"}), wipe) == []
    waived = order("fact.waiver", "class:server", "forensic-lead")
    assert seen(story, Finished("lis-1/preserve/1", "lost"), waived, wipe) == []
    strange = Issue("lis-1/restore/1", "lis-1", "restore", "declared")
    assert seen(
        story, Finished("lis-1/preserve/1", "ok", "", {"digest": "d", "seal": "7", "holder": "h"}), strange
    ) == [(10, "lis-1", "'declared' is no strategy")]


def test_11_a_device_is_never_acted_on(tell: Tell) -> None:
    story = tell().begun()
    stranger = [(11, "mri-1", "it is no host or site of the estate")]
    assert seen(story, Issue("mri-1/restore/1", "mri-1", "restore", "restore")) == stranger


def gated(tell: Tell, *tasks: Task) -> Story:
    """`lis-1` and a post serve; the gate has seen no PASS of `lis` yet, and waits for these tasks."""
    hosts = (server("lis-1", "north", "lis"), workstation("lab-ws-1", "north", "laboratory"))
    content = hospital(*hosts, services=(service("lis", "laboratory", tasks=tasks),))
    content = with_checks(content, check("lis-works", service="lis").model_copy(update={"interval_s": 60}))
    return tell(content).begun().in_service("lis-1", "lab-ws-1").whatever()


PASS, FAIL, UNKNOWN = (Reading("service:lis", outcome) for outcome in ("PASS", "FAIL", "UNKNOWN"))
PASSED = PassGate(SLICE, ["service:lis"])


def gate(tell: Tell, *before: Event | Command, wait_s: int = 60, tasks: tuple[Task, ...] = ()) -> list[str]:
    """What the witness says of a gate that passes after these records and a wait."""
    story = gated(tell, *tasks)
    witness = heard(story)
    for entry in before:
        witness.see(entry, story.now_us)
        story.now_us += SECOND
    witness.see(Woke(), story.now_us)
    story.now_us += wait_s * SECOND
    witness.see(PASS, story.now_us)
    witness.see(PASSED, story.now_us)
    told = [broken for broken in witness.broken if broken.sentence not in (UNFROZEN, RECALLED)]
    assert {broken.invariant for broken in told} <= {3}
    return [broken.sentence for broken in told]


def test_a_gate_passes_on_three_passes_over_its_soak(tell: Tell) -> None:
    assert gate(tell, PASS, PASS, PASS, StartSoak(SLICE)) == []


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ((PASS, StartSoak(SLICE)), "service:lis reads PASS, not PASS in a row"),
        ((PASS, PASS, StartSoak(SLICE), UNKNOWN), "service:lis reads PASS, not PASS in a row"),
        ((PASS, StartSoak(SLICE), FAIL, PASS, PASS), "service:lis read FAIL during the soak"),
        ((PASS, PASS, PASS), "its gate passes before its soak is over"),
        ((PASS, PASS, PASS, StartSoak(SLICE), BreakSoak(SLICE, "FAIL")), "its gate passes before its soak is over"),
    ],
)
def test_a_gate_that_passes_otherwise_is_seen(tell: Tell, before: tuple[Event | Command, ...], sentence: str) -> None:
    assert gate(tell, *before) == [sentence]


def test_a_gate_never_passes_on_unknown_stale_or_missing_readings(tell: Tell) -> None:
    story = gated(tell)
    soaked: list[Event | Command] = [PASS, PASS, PASS, StartSoak(SLICE)]
    witness = heard(story)
    for entry in soaked:
        witness.see(entry, story.now_us)
    story.now_us += 60 * SECOND
    witness.see(UNKNOWN, story.now_us)
    witness.see(PASSED, story.now_us)
    assert [one.sentence for one in witness.broken] == ["service:lis reads UNKNOWN, not PASS in a row"]
    stale = heard(story)
    for entry in soaked:
        stale.see(entry, story.now_us)
    stale.see(PASSED, story.now_us + 121 * SECOND)
    stale.see(PassGate(SLICE, []), story.now_us + 121 * SECOND)
    assert {one.invariant for one in stale.broken} == {3}
    assert [one.sentence for one in stale.broken] == [
        "the reading of service:lis is stale",
        "its gate passes unlaunched or twice",
        "its gate passes without a reading of service:lis",
    ]


def test_a_gate_that_passes_over_a_soak_that_nobody_watched_is_seen(tell: Tell) -> None:
    soaked = (PASS, PASS, PASS, StartSoak(SLICE), PASS)
    assert gate(tell, *soaked, wait_s=110) == []
    unwatched = "nobody watched service:lis during the soak"
    assert gate(tell, *soaked, wait_s=130) == ["service:lis reads PASS, not PASS in a row", unwatched]
    assert gate(tell, *soaked, Reading("service:lis", "UNKNOWN")) == ["service:lis reads PASS, not PASS in a row"]


def test_a_gate_that_passes_while_its_host_or_its_post_is_infected_is_seen(tell: Tell) -> None:
    soaked = (PASS, PASS, PASS, StartSoak(SLICE))
    for host, sentence in (
        ("lis-1", "its gate passes while lis is not in service"),
        ("lab-ws-1", "its gate passes with 0 posts at north"),
    ):
        infected = Judged("INFECTED", {host: f"{host}/inspect/1"}, "analyst-3", SET, 1 << 52, "blob")
        cutting = Issue(f"{host}/isolate/1", host, "isolate")
        assert gate(tell, *soaked, infected, cutting) == [sentence]


@pytest.mark.parametrize("point_us", [T0_US, T0_US + SECOND])
def test_1_a_reconnect_of_a_host_whose_restore_point_is_not_older_than_t0_is_seen(tell: Tell, point_us: int) -> None:
    young = (1, "lis-1", "its restore point is not known to be older than T0")
    story = ready(tell)
    earlier = orders("fact.t0", "t0", "analyst-1", "it-director", at_us=OLD_POINT_US)
    assert seen(story, earlier[0], clean(story), RECONNECT) == []
    assert seen(story, *earlier, clean(story), RECONNECT) == [young]
    declared = orders("host.declare", "lis-1", "operator-1", "it-director", restore_point_us=point_us)
    assert young in seen(story, *declared, clean(story), RECONNECT)


@pytest.mark.parametrize(
    ("taken", "imported", "found"),
    [
        ("host", "", [UNPROVEN]),
        ("host", "host", [UNPROVEN]),
        ("host", "offline", []),
        ("host", "outside", []),
        ("offline", "", []),
        ("outside", "", []),
    ],
)
def test_1_a_reconnect_of_a_host_that_was_not_wiped_by_its_own_word_alone_is_seen(
    tell: Tell, taken: str, imported: str, found: list[tuple[int, str, str]]
) -> None:
    declared = orders("host.declare", "lis-1", "operator-1", "it-director", restore_point_us=OLD_POINT_US)
    inspected = [
        Issue("lis-1/inspect/2", "lis-1", "inspect"),
        Finished("lis-1/inspect/2", "ok", "", {"taken": taken}),
    ]
    looked = (
        [order("evidence.import", "file", "analyst-1", hosts={"lis-1": "disk"}, taken=imported)] if imported else []
    )
    story = ready(tell)
    verdicts = [clean(story, who, of="lis-1/inspect/2") for who in ("analyst-1", "analyst-2")]
    assert seen(story, *declared, *inspected, *looked, *verdicts, RECONNECT) == found
    restored = [
        Issue("lis-1/restore/3", "lis-1", "restore", "reimage"),
        Finished("lis-1/restore/3", "ok", "", {"host_key": "k"}),
    ]
    assert seen(story, *declared, *restored, *inspected, *verdicts, RECONNECT) == [], "wiped since"


def test_a_gate_that_passes_while_a_host_of_it_is_back_in_quarantine_is_seen(tell: Tell) -> None:
    gone: list[Event | Command] = [
        Issue("lis-1/isolate/1", "lis-1", "isolate"),
        Finished("lis-1/isolate/1", "ok"),
        Issue("lab-ws-1/isolate/1", "lab-ws-1", "isolate"),
        Finished("lab-ws-1/isolate/1", "ok"),
    ]
    assert gate(tell, PASS, PASS, PASS, StartSoak(SLICE), *gone) == [
        "its gate passes while lis is not in service",
        "its gate passes with 0 posts at north",
    ]


def test_a_gate_that_passes_without_its_only_post_which_is_gone_for_good_is_seen(tell: Tell) -> None:
    """The last post of a site never leaves the count."""
    cut = Issue("lab-ws-1/isolate/1", "lab-ws-1", "isolate")
    gone = (cut, Finished(cut.action, "ok"), GiveUp("lab-ws-1", "no strategy is left"))
    assert gate(tell, PASS, PASS, PASS, StartSoak(SLICE), *gone) == ["its gate passes with 0 posts at north"]


@pytest.mark.parametrize("kind", ["host.retry", "host.take-back", "host.declare"])
def test_a_post_that_nobody_stood_in_for_counts_again_once_it_is_back(tell: Tell, kind: str) -> None:
    hosts = [workstation(f"ws-{one}", "north", "laboratory") for one in range(1, 4)]
    content = hospital(server("lis-1", "north", "lis"), *hosts, posts_per_site=3)
    story = tell(content).begun().in_service("lis-1", "ws-1").read("service:lis", times=3).nothing()
    lost = [GiveUp(one, "no strategy is left") for one in ("ws-2", "ws-3")]
    back = [
        one for host in ("ws-2", "ws-3") for one in orders(kind, host, "operator-1", "it-director", restore_point_us=1)
    ]
    passing: list[Event | Command] = [StartSoak(SLICE), PassGate(SLICE, ["service:lis"])]
    early = (3, SLICE, "its gate passes before its soak is over")
    assert seen(story, *lost, *passing) == [early]
    assert seen(story, *lost, *back, *passing) == [early, (3, SLICE, "its gate passes with 1 posts at north")]


SOAKED = (PASS, PASS, PASS, StartSoak(SLICE), OpenTask("lis/purge", "its gate soaks"))
UNDONE = "its gate passes while task lis/purge is not done"
CLAIMED = order("task.done", "lis/purge", "technician-1", "1" * 32)
SECONDED = order("task.done", "lis/purge", "operator-1", "2" * 32)


def task(**fields: Any) -> tuple[Task]:
    """The one task that the laboratory's gate waits for."""
    return (Task(id="purge", name=Names(en="Purge", fr="Purger"), **fields),)


def test_a_gate_that_passes_before_two_persons_did_its_task_is_seen(tell: Tell) -> None:
    again = order("task.done", "lis/purge", "technician-1", "3" * 32)
    failed = order("task.failed", "lis/purge", "operator-1", "4" * 32)
    assert gate(tell, *SOAKED[:-1], tasks=task()) == [UNDONE]
    assert gate(tell, *SOAKED, tasks=task()) == [UNDONE]
    assert gate(tell, *SOAKED, CLAIMED, again, tasks=task()) == [UNDONE]
    assert gate(tell, *SOAKED, CLAIMED, SECONDED, tasks=task()) == []
    assert gate(tell, *SOAKED, CLAIMED, SECONDED, failed, tasks=task()) == [UNDONE]


def test_a_gate_that_passes_on_a_task_whose_time_is_over_is_seen(tell: Tell) -> None:
    done = (*SOAKED, CLAIMED, SECONDED)
    assert gate(tell, *done, tasks=task(expires_s=90)) == []
    assert gate(tell, *done, wait_s=90, tasks=task(expires_s=90)) == [UNDONE]


def test_a_gate_waits_for_no_task_of_a_service_that_was_dropped(tell: Tell) -> None:
    dropped = orders("service.drop-need", "lis", "operator-1", "crisis-1")
    assert gate(tell, *SOAKED[:-1], *dropped, tasks=task()) == []


def test_4_a_task_that_is_done_opens_again_only_once_it_has_expired(tell: Tell) -> None:
    story = gated(tell, *task(expires_s=90))
    witness, opened = heard(story), OpenTask("lis/purge", "it expired")
    for entry in (opened, CLAIMED, SECONDED, opened):
        witness.see(entry, story.now_us)
    sentence = "it is done and opens again before it expires"
    assert [(one.invariant, one.subject, one.sentence) for one in witness.broken] == [(4, "lis/purge", sentence)]
    for entry in (CLAIMED, SECONDED):
        witness.see(entry, story.now_us)
    witness.see(opened, story.now_us + 90 * SECOND)
    assert len(witness.broken) == 1


def test_4_an_exception_that_is_ended_before_its_time_is_seen(tell: Tell) -> None:
    story = ready(tell)
    until_us = story.now_us + 3600 * SECOND
    excepted = [order("host.exception", "lis-1", one, until_us=until_us) for one in ("operator-1", "crisis-1")]
    ended = Owe("lis-1", "its exception ended", until_us, holds=True)
    assert seen(story, *excepted, ended) == [(4, "lis-1", "its exception is ended before its time")]
    assert seen(story, *excepted, Owe("lis-1", "the indicator set changed", until_us, holds=False)) == []
    story.later(3600)
    assert seen(story, *excepted, ended) == []


def test_a_task_with_a_machine_source_is_done_by_no_number_of_persons(tell: Tell) -> None:
    sourced = task(confirm="check:lis-works")
    assert gate(tell, *SOAKED, CLAIMED, SECONDED, tasks=sourced) == [UNDONE]
    assert gate(tell, *SOAKED, CLAIMED, ConfirmTask("lis/purge"), tasks=sourced) == []
