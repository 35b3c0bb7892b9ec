"""What the witness makes of people's orders: one person too few changes nothing, enough of them do."""

from __future__ import annotations

import pytest

from orchestrator.decision.commands import GiveUp, Issue, OpenTask
from orchestrator.decision.events import Epoch, Finished, Jumped
from tests.estates import server, service, with_hosts, with_services
from tests.forged_histories import (
    ALARM,
    RECONNECT,
    SLICE,
    UNPROVEN,
    UNSWEPT,
    clean,
    heard,
    order,
    orders,
    ready,
    seen,
    swept,
)
from tests.storyline import SECOND, Tell, hospital

UNCONFIRMED = "time moves and nobody confirmed the clock"
FROZEN = (4, "lis-1", "reconnects are frozen")


def test_a_freeze_ends_when_two_persons_thaw_it(tell: Tell) -> None:
    story = ready(tell)
    freeze = orders("freeze", "all", "operator-1")
    thaw = orders("thaw", "all", "operator-1", "it-director")
    assert seen(story, *freeze, thaw[0], clean(story), RECONNECT) == [FROZEN]
    assert seen(story, *freeze, *thaw, clean(story), RECONNECT) == []


def test_what_a_person_signed_before_they_were_revoked_is_half_an_order_no_more(tell: Tell) -> None:
    story = ready(tell)
    revoked = orders("roster.revoke", "operator-2", "operator-1", "it-director")
    freeze = orders("freeze", "all", "operator-1")
    thaw = orders("thaw", "all", "operator-2", "it-director")
    assert seen(story, *freeze, thaw[0], *revoked, thaw[1], clean(story), RECONNECT) == [FROZEN]
    assert seen(story, *freeze, thaw[0], thaw[1], *revoked, clean(story), RECONNECT) == []


def test_3_a_wave_launched_by_a_person_who_was_revoked_is_not_launched(tell: Tell) -> None:
    story = ready(tell)
    revoked = orders("roster.revoke", "operator-1", "operator-2", "it-director")
    assert seen(story, *revoked, clean(story), RECONNECT) == [(3, "lis-1", f"{SLICE} is not launched")]
    again = orders("wave.launch", SLICE, "operator-2")
    assert seen(story, *revoked, *again, clean(story), RECONNECT) == []


def test_a_freeze_of_all_work_and_one_of_named_hosts_stop_reconnects_too(tell: Tell) -> None:
    story = ready(tell)
    for freeze in (
        orders("freeze", "site:north", "operator-1", all_work=True),
        orders("freeze", "hosts", "operator-1", hosts=["lis-1", "lis-2"]),
        orders("freeze", "site:north", "operator-1", hosts=[]),
    ):
        assert seen(story, *freeze, clean(story), RECONNECT) == [FROZEN]
    elsewhere = orders("freeze", "hosts", "operator-1", hosts=["lis-2"])
    assert seen(story, *elsewhere, clean(story), RECONNECT) == []


def test_a_host_that_new_content_brings_waits_for_its_own_wave_and_its_own_proof(tell: Tell) -> None:
    base = hospital(server("ad-1", "north", "ad"), services=(service("ad"),))
    story = tell(base).begun().passed("foundations")
    content = with_hosts(story.content, server("ad-2", "north", "ad"))
    story.propose(content, "operator-1", "crisis-1").expect("issue ad-2/isolate/1").finish("ad-2/isolate/1").whatever()
    forged = Issue("ad-2/reconnect/1", "ad-2", "reconnect")
    said = [sentence for _, subject, sentence in seen(story, forged) if subject == "ad-2"]
    assert said == [
        "it is not proven to be in quarantine",
        "its proof of clean does not stand",
        "foundations/rest-1 is not launched",
    ]


def test_content_that_one_person_wants_is_not_in_force(tell: Tell) -> None:
    story = ready(tell)
    story.state.contents["1"] = with_services(story.content, service("lis", "laboratory", quorum=1, care="live"))
    change = orders("content.change", "content", "operator-1", "crisis-1", digest="1")
    witness = heard(story)
    witness.see(change[0], story.now_us)
    assert witness.books.services["lis"].care is None
    witness.see(change[1], story.now_us)
    assert witness.books.services["lis"].care == "live"


def test_a_quorum_that_an_order_lowered_stays_low_until_content_changes_it(tell: Tell) -> None:
    hosts = (server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(hospital(*hosts, services=(service("lis", "laboratory", quorum=2),))).begun()
    story.order("service.lower-k", "lis", "operator-1", "crisis-1", k=1).whatever()
    story.order("functions.order", "functions", "operator-1", "crisis-1", functions=["laboratory"]).whatever()
    assert heard(story).books.quorum["lis"] == 1
    story.propose(with_services(story.content, service("lis", "laboratory", quorum=1)), "operator-1", "crisis-1")
    assert heard(story).books.quorum["lis"] == 1


def test_a_hold_ends_when_the_wave_is_resumed(tell: Tell) -> None:
    story = ready(tell)
    hold, resume = orders("wave.hold", SLICE, "operator-1"), orders("wave.resume", SLICE, "operator-1")
    assert seen(story, *hold, *resume, clean(story), RECONNECT) == []
    assert seen(story, *resume, *hold, clean(story), RECONNECT) == [(3, "lis-1", f"{SLICE} is held: order")]


def test_a_wave_no_longer_waits_for_a_gate_that_two_persons_took_out_of_its_way(tell: Tell) -> None:
    hosts = (server("ad-1", "north", "ad"), server("lis-1", "north", "lis"))
    content = hospital(*hosts, services=(service("ad"), service("lis", "laboratory")))
    story = tell(content).begun().in_service("ad-1").inspected("lis-1").verdicts("lis-1", "analyst-1").whatever()
    removed = orders("wave.after-removed", SLICE, "operator-1", "crisis-1", after="foundations")
    closed = (3, "lis-1", "the gate of foundations has not passed")
    assert seen(story, removed[0], clean(story), RECONNECT) == [closed]
    assert seen(story, *removed, clean(story), RECONNECT) == []


@pytest.mark.parametrize("kind", ["host.declare", "host.take-back"])
def test_what_was_proven_before_a_host_was_declared_or_taken_back_counts_for_nothing(tell: Tell, kind: str) -> None:
    story = ready(tell)
    again = orders(kind, "lis-1", "operator-1", "it-director", restore_point_us=1)
    assert seen(story, clean(story), again[0], RECONNECT) == []
    assert seen(story, clean(story), *again, RECONNECT) == [UNPROVEN]


def test_a_jump_of_the_clock_stops_reconnects_until_a_person_confirms_it(tell: Tell) -> None:
    story = ready(tell).jump(600)
    doubted, moved = (4, "lis-1", "a clock jump is not confirmed"), Epoch(600 * SECOND)
    confirmed = orders("clock.confirm", "clock", "operator-1")
    assert seen(story, *confirmed, clean(story), RECONNECT) == [doubted], "not before time continues from it"
    assert seen(story, *confirmed, moved, clean(story), RECONNECT) == []
    assert seen(story, moved) == [(4, "clock", UNCONFIRMED)]
    assert seen(story, *confirmed, Epoch(601 * SECOND)) == [(4, "clock", UNCONFIRMED)]
    assert seen(story, *confirmed, Jumped(SECOND), Epoch(601 * SECOND)) == [(4, "clock", UNCONFIRMED)]


@pytest.mark.parametrize("seconds", [259_200, -259_200])
def test_after_an_epoch_a_verdict_is_judged_by_the_time_it_had_left(tell: Tell, seconds: int) -> None:
    for waited_s, broken in ((500, []), (600, [UNPROVEN])):
        story = tell().begun().inspected("lis-1").verdicts("lis-1", "analyst-1", valid_s=600).nothing()
        story.jump(seconds).nothing().clock_confirmed().nothing().later(waited_s)
        assert seen(story, clean(story), RECONNECT) == broken


def test_a_sweep_and_an_isolation_keep_their_order_over_an_epoch(tell: Tell) -> None:
    story = ready(tell).jump(-259_200).nothing().clock_confirmed().nothing()
    isolated = [Issue("lis-1/isolate/1", "lis-1", "isolate"), Finished("lis-1/isolate/1", "ok")]
    assert UNSWEPT in seen(story, *isolated, swept(story, 0), clean(story), RECONNECT)
    assert UNSWEPT not in seen(story, *isolated, swept(story, 1), clean(story), RECONNECT)


def test_9_the_isolation_of_a_site_does_not_reach_a_host_that_is_out(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    infected = clean(story, "analyst-3", verdict="INFECTED")
    assert seen(story, Issue("north/isolate/9", "north", "isolate"), infected) == [ALARM]


def test_9_a_host_that_answers_before_its_site_is_cut_off_waits_for_that_and_after_it_for_its_own(tell: Tell) -> None:
    story = tell().opened()
    infected = clean(story, "analyst-3", verdict="INFECTED", of="lis-1/inspect/1")
    answers = [swept(story, 1, "lis-1"), infected]
    assert seen(story, *answers) == []
    site = Finished("north/isolate/1", "ok")
    assert seen(story, site, *answers) == [ALARM]
    beside = OpenTask("north/isolate", "isolating it failed")
    assert seen(story, beside, *answers) == []
    assert seen(story, beside, site, *answers) == [ALARM]


def test_a_host_elsewhere_that_failed_for_good_leaves_no_place_to_be_taken_here(tell: Tell) -> None:
    story = ready(tell, hospital(server("lis-1", "north", "lis"), server("lis-2", "south", "lis")))
    assert seen(story, GiveUp("lis-2", "no strategy is left"), clean(story), RECONNECT) == []


def test_a_site_cut_off_by_hand_counts_once_a_second_person_saw_it(tell: Tell) -> None:
    story = tell().opened()
    failed, opened = Finished("north/isolate/1", "failed"), OpenTask("north/isolate", "isolating it failed")
    seeing = [
        order("task.done", "north/isolate", one, number * 32)
        for one, number in (("technician-1", "1"), ("operator-1", "2"))
    ]
    assert UNSWEPT in seen(story, failed, opened, seeing[0], swept(story, 1), RECONNECT)
    told = seen(story, failed, opened, *seeing, swept(story, 1), RECONNECT)
    assert UNSWEPT not in told
    assert UNPROVEN in told


def test_two_persons_who_did_a_task_of_a_host_break_no_promise(tell: Tell) -> None:
    story = ready(tell)
    opened = OpenTask("lis-1/replace", "its strategy is replace")
    done = [order("task.done", "lis-1/replace", one, one) for one in ("technician-1", "operator-1")]
    assert seen(story, opened, *done, clean(story), RECONNECT) == []


def test_what_the_owner_agreed_to_need_not_be_witnessed_any_more(tell: Tell) -> None:
    story = ready(tell)
    opened = [OpenTask("lis/witness-orders", "nobody agreed"), OpenTask("lis/database-checked", "it is its turn")]
    agreed = orders("fact.agreement", "lis", "crisis-1", "operator-1")
    witness = heard(story)
    for entry in (*opened, *agreed):
        witness.see(entry, story.now_us)
    books = witness.books
    assert set(books.task) == {"lis/database-checked"}
    assert "agreement:lis" in books.facts
