"""Who may order what: persons, roles, expiry, conflicts; and whose verdict is taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.canonical import Json
from orchestrator.decision.events import Judged, Opened, Ordered
from orchestrator.decision.orders import KINDS, genesis_args, missing, seats_of
from orchestrator.decision.parts import OrderState
from orchestrator.decision.stages import Stage
from orchestrator.errors import Conflict
from tests.estates import ROLES, server, workstation
from tests.storyline import LATEST, SECOND, SET, Story, Tell, hospital

LAB = "laboratory/slice"
POST = hospital(server("lis-1", "north", "lis"), workstation("ws-1", "north", "laboratory"))


def inspected(tell: Tell) -> Story:
    """The laboratory server waits for its verdicts."""
    return tell().begun().inspected("lis-1").sweep().nothing()


def person(name: str, *roles: str, **fields: Json) -> dict[str, Json]:
    """An entry of the roster."""
    return {"id": name, "roles": list(roles), "key": name, **fields}


# persons and roles


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_order_needs_persons_whose_roles_exist(kind: str) -> None:
    roles = {role for seat in KINDS[kind] for role in seat}
    assert roles <= set(ROLES.values())
    assert len(KINDS[kind]) in (1, 2)


@pytest.mark.parametrize(
    "kind",
    ["thaw", "service.lower-k", "wave.after-removed", "roster.add", "indicators.force", "host.exception",
     "fact.outside", "fact.t0", "fact.breach_closed", "host.declare", "service.drop-need", "host.take-back"],
)  # fmt: skip
def test_what_cannot_be_undone_takes_two_persons(kind: str) -> None:
    assert len(KINDS[kind]) == 2


def test_a_server_is_excluded_by_two_and_a_workstation_by_one(tell: Tell) -> None:
    story = tell(POST)
    assert len(seats_of(story.state, "host.exclude", "lis-1")) == 2
    assert len(seats_of(story.state, "host.exclude", "ws-1")) == 1
    assert len(seats_of(story.state, "host.exclude", "nobody")) == 2


def test_an_order_takes_effect_only_with_its_second_person(tell: Tell) -> None:
    story = tell().begun().order("freeze", "all", "analyst-1").nothing()
    story.sign("t1", "thaw", "all", "operator-1").nothing()
    assert missing(story.state, story.state.orders["t1"]).seats == [frozenset({"operator", "crisis", "it_director"})]
    assert story.state.freezes
    story.sign("t1", "thaw", "all", "crisis-1").nothing()
    assert not story.state.freezes


def test_one_person_never_fills_both_seats(tell: Tell) -> None:
    story = tell().begun().order("freeze", "all", "operator-1").sign("t1", "thaw", "all", "operator-1").nothing()
    story.refuses("orders.two-persons", lambda: story.sign("t1", "thaw", "all", "operator-1"))


def test_half_an_order_signed_by_a_person_who_was_revoked_since_counts_no_more(tell: Tell) -> None:
    story = tell().begun().order("freeze", "all", "operator-1").nothing().sign("t1", "thaw", "all", "operator-2")
    story.order("roster.revoke", "operator-2", "operator-1", "it-director").nothing()
    story.sign("t1", "thaw", "all", "crisis-1").nothing()
    assert story.state.freezes
    story.sign("t1", "thaw", "all", "operator-1").nothing()
    assert not story.state.freezes


def test_an_order_takes_as_many_persons_as_its_first_signature_found(tell: Tell) -> None:
    hosts = [server(f"lis-{number}", "north", "lis") for number in range(1, 6)]
    story = tell(hospital(*hosts)).begun().in_service(*(host.id for host in hosts)).whatever()
    for number in (1, 2, 3):
        story.order("host.recall", f"lis-{number}", "operator-1").whatever()
    story.sign("r4", "host.recall", "lis-4", "operator-1").nothing()
    story.later(1000).read("service:lis", "FAIL").nothing()
    story.sign("r4", "host.recall", "lis-4", "operator-2").expect("issue lis-4/isolate/1")


def test_two_of_the_same_role_do_not_stand_in_for_the_other(tell: Tell) -> None:
    story = tell().begun().sign("f1", "fact.breach_closed", "breach_closed", "analyst-1").nothing()
    story.refuses("orders.role", lambda: story.sign("f1", "fact.breach_closed", "breach_closed", "analyst-2"))


def test_whoever_fits_both_seats_leaves_the_seat_the_other_can_take(tell: Tell) -> None:
    story = tell().signed()
    order = OrderState("thaw", "all", {}, ["operator-1", "operator-2"], 0, KINDS["thaw"])
    assert missing(story.state, order).seats == []


@pytest.mark.parametrize(
    ("who", "rule"), [("stranger", "roster.person"), ("technician-1", "orders.role"), ("forensic-lead", "orders.role")]
)
def test_who_may_not_launch_is_refused_by_name(tell: Tell, who: str, rule: str) -> None:
    story = tell().opened()
    error = story.refuses(rule, lambda: story.order("wave.launch", LAB, who))
    assert who in error.sentence


def test_an_unknown_kind_of_order_is_refused(tell: Tell) -> None:
    story = tell().opened()
    story.refuses("orders.kind", lambda: story.order("wave.explode", LAB, "operator-1"))


def test_an_order_that_expired_is_refused(tell: Tell) -> None:
    story = tell().opened()
    stale = Ordered("a" * 32, "wave.launch", LAB, {}, "operator-1", story.now_us, LATEST, "")
    story.refuses("orders.expiry", lambda: story.send(stale))


# an id, once


def test_an_order_is_admitted_once(tell: Tell) -> None:
    story = tell().opened().sign("a1", "freeze", "all", "operator-1").nothing()
    story.refuses("orders.once", lambda: story.sign("a1", "freeze", "all", "operator-2"))


def test_another_order_cannot_borrow_an_id_that_waits_for_its_second_person(tell: Tell) -> None:
    story = tell().opened().order("freeze", "all", "operator-1").sign("a1", "thaw", "all", "operator-1").nothing()
    story.refuses("orders.id", lambda: story.sign("a1", "thaw", "site:north", "crisis-1"))


def test_an_order_conflicts_only_if_its_own_subject_changed_after_what_the_signer_saw(tell: Tell) -> None:
    story = tell(POST).begun().nothing()
    seen = story.state.seq
    story.finish("lis-1/restore/1").expect("issue lis-1/inspect/1")
    story.order("host.isolate", "ws-1", "operator-1", head=seen).expect("issue ws-1/isolate/1")
    error = story.refuses("orders.head", lambda: story.order("host.isolate", "lis-1", "operator-1", head=seen))
    assert isinstance(error, Conflict)
    assert error.facts["records"] == [{"seq": seen + 1, "kind": "finished"}, {"seq": seen + 2, "kind": "issued"}]
    story.order("host.isolate", "lis-1", "operator-1", head=story.state.seq).expect("issue lis-1/isolate/1")


def test_a_second_signature_conflicts_too_when_the_subject_changed_since(tell: Tell) -> None:
    story = tell().begun()
    seen = story.state.seq
    story.sign("e1", "host.exclude", "lis-1", "operator-1", head=seen, even_if_last=True).nothing()
    story.finish("lis-1/restore/1").expect("issue lis-1/inspect/1")
    story.refuses(
        "orders.head", lambda: story.sign("e1", "host.exclude", "lis-1", "crisis-1", head=seen, even_if_last=True)
    )


# the roster


def test_the_genesis_needs_two_of_the_persons_it_names(tell: Tell) -> None:
    story = tell().send(Opened(1, "1", "incident", "")).nothing()
    args = genesis_args(story.content)
    story.refuses("orders.genesis", lambda: story.sign("g1", "genesis", "roster", "stranger", **args))
    story.sign("g1", "genesis", "roster", "operator-1", **args).nothing()
    story.refuses("orders.two-persons", lambda: story.sign("g1", "genesis", "roster", "operator-1", **args))
    assert not story.state.roster
    story.sign("g1", "genesis", "roster", "analyst-1", **args)
    story.expect("issue north/isolate/1", "issue south/isolate/1")
    assert story.state.roster.keys() == ROLES.keys()


def test_a_second_genesis_is_refused_even_if_it_was_half_signed_before(tell: Tell) -> None:
    story = tell().send(Opened(1, "1", "incident", "")).nothing()
    usurper: dict[str, Json] = {"persons": [person("mallory", "operator"), person("eve", "it_director")]}
    story.sign("g2", "genesis", "roster", "mallory", **usurper).nothing()
    story.sign("g1", "genesis", "roster", "operator-1", "analyst-1", **genesis_args(story.content)).whatever()
    story.refuses("orders.genesis", lambda: story.sign("g2", "genesis", "roster", "eve", **usurper))


@pytest.mark.parametrize(
    "persons",
    [
        "everyone",
        ["operator-1"],
        [{"id": "operator-1", "roles": ["operator"]}],
        [{"id": "operator-1", "roles": [], "key": "k"}],
        [{"id": "operator-1", "roles": ["operator"], "key": "k", "valid_from_us": "now"}],
    ],
)
def test_a_roster_that_is_not_whole_is_refused(tell: Tell, persons: Json) -> None:
    story = tell().send(Opened(1, "1", "incident", "")).nothing()
    story.refuses("roster.form", lambda: story.sign("g1", "genesis", "roster", "operator-1", persons=persons))


def test_a_person_who_was_added_may_sign_within_their_time_and_not_after_revocation(tell: Tell) -> None:
    story = tell().opened()
    hour = 3600 * SECOND
    newcomer = person(
        "operator-9", "operator", valid_from_us=story.now_us + hour, valid_until_us=story.now_us + 2 * hour
    )
    story.order("roster.add", "operator-9", "operator-1", "it-director", person=newcomer).nothing()
    story.refuses("roster.validity", lambda: story.order("freeze", "all", "operator-9"))
    story.later(3600).order("freeze", "all", "operator-9").nothing()
    story.order("roster.revoke", "operator-9", "operator-1", "it-director").nothing()
    story.refuses("roster.revoked", lambda: story.order("freeze", "all", "operator-9"))
    story.later(3600)
    story.refuses("roster.revoked", lambda: story.order("freeze", "all", "operator-9"))


def test_nobodys_key_is_replaced_by_adding_them_again_and_whoever_was_revoked_stays_out(tell: Tell) -> None:
    story = tell().opened()

    def add(key: str, **fields: Json) -> Callable[[], Story]:
        newcomer = person("operator-9", "operator", **{"key": key, **fields})
        return lambda: story.order("roster.add", "operator-9", "operator-1", "it-director", person=newcomer)

    add("ssh-ed25519 AAAA", valid_until_us=story.now_us + 3600 * SECOND)()
    for other in ("ssh-ed25519 BBBB", "verify-required ssh-ed25519 AAAA"):
        story.refuses("roster.replaced", add(other))
        assert story.state.roster["operator-9"].key == "ssh-ed25519 AAAA"
    story.later(3600).refuses("roster.validity", lambda: story.order("freeze", "all", "operator-9"))
    add("ssh-ed25519 AAAA of their laptop")()
    story.order("freeze", "all", "operator-9").nothing()
    story.order("roster.revoke", "operator-9", "operator-1", "it-director").nothing()
    story.refuses("roster.revoked", add("ssh-ed25519 AAAA"))


def test_of_two_additions_under_one_id_the_second_replaces_nobody(tell: Tell) -> None:
    story = tell().opened()

    def sign(order: str, key: str, who: str) -> Story:
        return story.sign(order, "roster.add", "roster", who, person=person("operator-9", "operator", key=key))

    for order, key in (("first", "ssh-ed25519 AAAA"), ("second", "ssh-ed25519 BBBB")):
        sign(order, key, "operator-1").nothing()
    sign("first", "ssh-ed25519 AAAA", "it-director").nothing()
    story.refuses("roster.replaced", lambda: sign("second", "ssh-ed25519 BBBB", "it-director"))


# verdicts


def test_a_host_is_never_released_on_one_persons_word(tell: Tell) -> None:
    story = inspected(tell).verdicts("lis-1", "analyst-1").nothing()
    story.refuses("verdict.two-persons", lambda: story.verdicts("lis-1", "analyst-1"))
    story.at(3600).nothing().verdicts("lis-1", "analyst-2").expect("issue lis-1/reconnect/1")


def test_only_analysts_judge(tell: Tell) -> None:
    story = inspected(tell)
    story.refuses("verdict.role", lambda: story.verdicts("lis-1", "operator-2"))
    story.refuses("roster.person", lambda: story.verdicts("lis-1", "stranger"))


def test_a_verdict_is_one_of_three_words_under_the_set_in_force_and_for_a_fair_time(tell: Tell) -> None:
    story = inspected(tell)
    judged = {"lis-1": "lis-1/inspect/1"}
    good = story.now_us + 60 * SECOND
    limit_s = story.state.estate.timing.verdict_valid_s
    story.refuses("verdict.kind", lambda: story.verdicts("lis-1", "analyst-1", verdict="FINE"))
    story.refuses("verdict.set", lambda: story.send(Judged("CLEAN", judged, "analyst-1", "6" * 64, good, "")))
    story.refuses("verdict.expiry", lambda: story.verdicts("lis-1", "analyst-1", valid_s=0))
    story.refuses("verdict.expiry", lambda: story.verdicts("lis-1", "analyst-1", valid_s=limit_s + 61))
    story.refuses("verdict.host", lambda: story.send(Judged("CLEAN", {}, "analyst-1", SET, good, "")))
    story.refuses("verdict.host", lambda: story.send(Judged("CLEAN", {"x": "y"}, "analyst-1", SET, good, "")))


def test_a_verdict_counts_only_for_the_latest_inspection(tell: Tell) -> None:
    story = inspected(tell)
    for inspection in ("lis-1/inspect/0", ""):
        old = Judged("CLEAN", {"lis-1": inspection}, "analyst-1", SET, story.now_us + SECOND, "")
        story.refuses("verdict.inspection", lambda old=old: story.send(old))


def test_a_statement_on_several_hosts_is_admitted_whole_or_not_at_all(tell: Tell) -> None:
    posts = tuple(workstation(f"ws-{number}", "north", "laboratory") for number in (1, 2))
    story = (
        tell(hospital(*posts, server("lis-1", "north", "lis"), posts_per_site=2))
        .begun()
        .inspected("ws-1", "ws-2")
        .sweep()
        .nothing()
    )
    lot = {"ws-1": "ws-1/inspect/1", "ws-2": "ws-2/inspect/9"}
    expires_us = story.now_us + 3600 * SECOND
    story.refuses("verdict.inspection", lambda: story.send(Judged("CLEAN", lot, "analyst-1", SET, expires_us, "")))
    story.send(Judged("SUSPECT", {**lot, "ws-2": "ws-2/inspect/1"}, "analyst-1", SET, expires_us, ""))
    story.expect("issue ws-1/inspect/2", "issue ws-2/inspect/2")


def test_clean_is_not_asked_before_the_quarantine_is_proven_and_infected_always_counts(tell: Tell) -> None:
    story = tell().begun()
    for _ in range(3):
        story.sweep(control=False).nothing()
    story.finish("lis-1/restore/1").whatever().finish("lis-1/inspect/1").nothing()
    story.refuses("verdict.seat", lambda: story.verdicts("lis-1", "analyst-1"))
    story.verdicts("lis-1", "analyst-1", verdict="INFECTED").whatever()
    assert story.stage("lis-1") is Stage.RESTORING


def test_whoever_launched_a_wave_alone_does_not_judge_its_hosts_clean(tell: Tell) -> None:
    story = tell().signed()
    both = person("analyst-9", "analyst", "operator")
    story.order("roster.add", "analyst-9", "operator-1", "it-director", person=both).nothing()
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=1).nothing()
    story.order("fact.breach_closed", "breach_closed", "analyst-1", "it-director").nothing().isolated()
    story.order("wave.launch", LAB, "analyst-9").whatever()
    story.finish("lis-1/restore/1", restore_point_us=0).whatever().inspected("lis-1").sweep().whatever()
    story.refuses("verdict.separation", lambda: story.verdicts("lis-1", "analyst-9"))
    story.verdicts("lis-1", "analyst-9", verdict="SUSPECT").expect("issue lis-1/inspect/2")
    story.finish("lis-1/inspect/2").nothing().order("wave.launch", LAB, "operator-1").nothing()
    story.verdicts("lis-1", "analyst-9", "analyst-1").expect("issue lis-1/reconnect/1")


def test_a_reconnect_waits_until_somebody_else_than_the_judges_launched_the_wave(tell: Tell) -> None:
    story = tell().signed()
    for name in ("both-1", "both-2"):
        story.order(
            "roster.add", name, "operator-1", "it-director", person=person(name, "analyst", "operator")
        ).nothing()
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=1).nothing()
    story.order("fact.breach_closed", "breach_closed", "analyst-1", "it-director").nothing().isolated()
    story.order("wave.launch", LAB, "both-1").whatever().order("wave.launch", LAB, "both-2").whatever()
    story.finish("lis-1/restore/1", restore_point_us=0).whatever().inspected("lis-1").sweep().whatever()
    story.verdicts("lis-1", "both-1", "both-2").nothing().order("wave.launch", LAB, "operator-1")
    story.expect("issue lis-1/reconnect/1")


def test_seats_are_claimed_for_a_time_and_nobody_signs_in_anothers_place(tell: Tell) -> None:
    story = (
        inspected(tell).order("claim", "lis-1", "analyst-1").nothing().order("claim", "lis-1", "analyst-2").nothing()
    )
    story.refuses("seats.full", lambda: story.verdicts("lis-1", "analyst-3"))
    story.verdicts("lis-1", "analyst-1").nothing()
    story.refuses("seats.full", lambda: story.verdicts("lis-1", "analyst-3"))
    story.later(60).verdicts("lis-1", "analyst-3").expect("issue lis-1/reconnect/1")


def test_a_verdict_under_an_older_set_does_not_keep_its_author_from_judging_again(tell: Tell) -> None:
    story = inspected(tell).verdicts("lis-1", "analyst-1").nothing()
    story.order("indicators.force", "6" * 64, "analyst-1", "analyst-2").nothing()
    story.verdicts("lis-1", "analyst-1").nothing().verdicts("lis-1", "analyst-2").expect("issue lis-1/reconnect/1")
