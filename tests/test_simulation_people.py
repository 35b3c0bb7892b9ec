"""People answer what the state asks: who is on duty, who signs, and which orders come first."""

from __future__ import annotations

import pytest

from orchestrator.decision.stages import Stage
from orchestrator.plans.model import Shift
from orchestrator.simulation.people import TRIES_BEFORE_REPLACING, Shifts, Wish, answer, signers, wishes
from tests.estates import check, server, service, with_checks, with_hosts, with_services, workstation
from tests.storyline import START_US, T0_US, Story, Tell, hospital, plain_class

HOUR_US = 3_600_000_000
PAIR = ("operator-1", "crisis-1")
MIDNIGHT_US = START_US - START_US % (24 * HOUR_US)
SHIFTS = Shifts(
    (
        Shift(id="day", start="07:00", end="19:00", persons=("ada",)),
        Shift(id="night", start="19:00", end="07:00", persons=("bob", "eve")),
        Shift(id="late", start="17:00", end="20:00", persons=("eve",)),
    )
)


@pytest.mark.parametrize(("hour", "present"), [(3, "bob eve"), (12, "ada"), (18, "ada eve"), (19, "bob eve")])
def test_who_is_on_duty_follows_the_shifts_over_midnight(hour: int, present: str) -> None:
    assert [
        one for one in ("ada", "bob", "eve") if SHIFTS.present(one, MIDNIGHT_US + hour * HOUR_US)
    ] == present.split()


def test_whoever_stands_in_no_shift_is_always_there() -> None:
    assert SHIFTS.present("zoe", START_US)
    assert Shifts(()).present("ada", START_US)


def test_shifts_change_at_their_hours_and_local_time_is_an_offset() -> None:
    assert SHIFTS.next_change_us(MIDNIGHT_US + 8 * HOUR_US) == MIDNIGHT_US + 17 * HOUR_US
    assert SHIFTS.next_change_us(MIDNIGHT_US + 20 * HOUR_US) == MIDNIGHT_US + 31 * HOUR_US
    assert Shifts(()).next_change_us(START_US) is None
    ahead = Shifts((Shift(id="day", start="07:00", end="19:00", persons=("ada",)),), offset_s=3600)
    assert ahead.present("ada", MIDNIGHT_US + 6 * HOUR_US)
    assert ahead.next_change_us(MIDNIGHT_US) == MIDNIGHT_US + 6 * HOUR_US


def test_an_order_of_two_finds_two_persons_of_its_roles(tell: Tell) -> None:
    state = tell().opened().whatever().state
    wish = Wish("fact.breach_closed", "breach_closed")
    assert signers(state, wish, ["operator-1", "it-director", "analyst-2"]) == ("analyst-2", "it-director")
    assert signers(state, wish, ["operator-1", "it-director"]) == ()
    assert signers(state, wish, ["stranger", "analyst-1"]) == ()


def test_somebody_revoked_signs_nothing(tell: Tell) -> None:
    story = tell().opened().whatever()
    story.order("roster.revoke", "operator-1", "crisis-1", "it-director").whatever()
    assert signers(story.state, Wish("wave.launch", "laboratory/slice"), ["operator-1", "operator-2"]) == (
        "operator-2",
    )


def _wished(story: Story) -> list[str]:
    return [" ".join((one.kind, one.subject)) for one in wishes(story.state, T0_US)]


def test_first_the_facts_then_the_launches(tell: Tell) -> None:
    story = tell(hospital(services=(service("lis", "laboratory"), service("lab", "laboratory", kind="outside"))))
    story.signed().whatever()
    assert _wished(story) == [
        "fact.t0 t0",
        "fact.breach_closed breach_closed",
        "fact.outside lab",
        "wave.launch laboratory/slice",
    ]


def test_owners_agree_that_probes_write_before_anybody_must_witness_it(tell: Tell) -> None:
    order = check("lis-orders", "L3", service="lis", probe="hl7", params={"ask": "order", "code": "K"})
    story = tell(with_checks(hospital(), order)).signed().whatever()
    (wish,) = (one for one in wishes(story.state, T0_US) if one.kind == "fact.agreement")
    assert wish.subject == "lis"
    persons = signers(story.state, wish, ["crisis-1", "operator-1"])
    story.order(wish.kind, wish.subject, *persons, **wish.args).whatever()
    assert "fact.agreement lis" not in _wished(story)


def test_what_stops_everybody_is_lifted_before_anything_else(tell: Tell) -> None:
    story = tell().begun().whatever()
    story.order("freeze", "all", "operator-1").order("wave.hold", "laboratory/slice", "operator-1").jump(600)
    assert _wished(story) == ["clock.confirm clock", "thaw all", "wave.resume laboratory/slice"]


def test_the_reach_of_a_recalled_host_is_thawed_once_it_is_cut_off(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"])
    assert "thaw reach:lis-1" not in _wished(story.whatever())
    assert "thaw reach:lis-1" in _wished(story.finish("lis-1/isolate/1").whatever())


def test_a_service_without_hosts_is_dropped_and_one_with_too_few_is_lowered(tell: Tell) -> None:
    hosts = (server("lis-1", "north", "lis"), server("pacs-1", "north", "pacs"), server("pacs-2", "north", "pacs"))
    services = (service("lis", "laboratory"), service("pacs", "laboratory", quorum=2))
    story = tell(hospital(*hosts, services=services)).begun().whatever().excluded("lis-1", "pacs-1")
    wanted = [(one.kind, one.subject, one.args) for one in wishes(story.state, T0_US)]
    assert wanted == [("service.drop-need", "lis", {}), ("service.lower-k", "pacs", {"k": 1})]
    story.whatever()


def test_a_gate_whose_posts_are_all_gone_is_gone_around(tell: Tell) -> None:
    posts = [workstation(f"ws-{number}", "north", name) for number, name in enumerate(("laboratory", "radiology"))]
    hosts = (server("lis-1", "north", "lis"), server("pacs-1", "north", "pacs"), *posts)
    services = (service("lis", "laboratory"), service("pacs", "radiology"))
    story = tell(hospital(*hosts, services=services, pinned=("laboratory", "radiology")))
    story.begun().whatever().excluded("ws-0").whatever()
    around = [one for one in wishes(story.state, T0_US) if one.kind == "wave.after-removed"]
    assert [one.args["after"] for one in around] == ["laboratory/slice"] * len(around)


def test_a_failed_host_is_tried_again_and_in_the_end_with_another_machine(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", strategies=("restore",)),))).begun().whatever()
    for attempt in range(1, 4):
        story.finish(f"lis-1/restore/{attempt}", "failed").whatever().at(3600).whatever()
    assert story.stage("lis-1") is Stage.FAILED
    assert [(one.kind, one.args) for one in wishes(story.state, T0_US)] == [("host.retry", {})]
    story.state.attempts[0][1] = TRIES_BEFORE_REPLACING
    assert [one.args for one in wishes(story.state, T0_US)] == [{"strategy": "replace"}]
    story.state.attempts[0][1] = 3


def test_a_host_whose_inspections_never_succeed_gets_another_machine_in_the_end(tell: Tell) -> None:
    story = tell().begun().bring("lis-1", Stage.RESTORING).finish("lis-1/restore/1").whatever()
    for attempt in range(1, TRIES_BEFORE_REPLACING + 1):
        asked = [one.args for one in wishes(story.state, T0_US)]
        for wish in wishes(story.state, T0_US):
            story.order(wish.kind, wish.subject, "operator-1", **wish.args).whatever()
        assert asked == ([{}] if attempt == 4 else [])
        story.finish(f"lis-1/inspect/{attempt}", "failed").whatever().at(3600).whatever()
    assert [one.args for one in wishes(story.state, T0_US)] == [{"strategy": "replace"}]


def test_who_is_out_is_asked_again_and_keeps_its_machine_however_often_its_inspection_failed(tell: Tell) -> None:
    """Seed 98: another machine was wanted for a host in service, which is refused, and nobody inspected it again."""
    state = tell().begun().in_service("lis-1").whatever().state
    host = state.estate.host_number["lis-1"]
    state.asks[host], state.attempts[host][2] = {"host": "inspect failed 3 times"}, TRIES_BEFORE_REPLACING
    assert [(one.kind, one.args) for one in wishes(state, T0_US)] == [("host.retry", {})]
    state.asks.pop(host)
    state.attempts[host][2] = 1


def test_who_is_out_and_infected_is_taken_back_with_what_that_stops(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").verdicts("lis-1", "analyst-3", verdict="INFECTED").whatever()
    (wish,) = wishes(story.state, T0_US)
    assert (wish.kind, wish.subject) == ("host.recall", "lis-1")
    assert story.order(wish.kind, wish.subject, "operator-1", "analyst-1", **wish.args).whatever().state.asks
    assert list(wishes(story.state, T0_US)) == [], "nobody orders it again while it is being cut off"


@pytest.mark.parametrize(
    ("stage", "asks", "kind"),
    [
        (Stage.IN_SERVICE, {"network": "infected"}, "host.recall"),
        (Stage.RELEASED, {"check": "fails"}, "host.recall"),
        (Stage.IN_SERVICE, {"owed": "overdue"}, ""),
        (Stage.RESTORED, {"host": "three tries failed"}, "host.retry"),
        (Stage.FAILED, {"host": "three tries failed"}, ""),
    ],
)
def test_each_question_has_the_order_that_answers_it(stage: Stage, asks: dict[str, str], kind: str) -> None:
    assert answer(stage, asks) == kind


def test_a_gate_that_bars_the_last_hosts_of_a_relapsed_service_is_gone_around(tell: Tell) -> None:
    """Seed 25: what was left of the service stood behind a gate whose own services needed it."""
    content = hospital(server("dns-1", "north", "dns"), services=(service("dns"),))
    story = tell(content).begun().passed("foundations")
    found = with_services(with_hosts(content, server("found-1", "north", "found")), service("found"))
    found = with_checks(found, check("found-works", service="found"))
    story.propose(found, *PAIR).whatever().launched("foundations/rest-1")
    story.propose(with_hosts(found, server("dns-2", "north", "dns")), *PAIR).whatever().launched("foundations/rest-2")
    assert _wished(story) == [], "as long as another host serves nobody minds"
    story.order("host.recall", "dns-1", *PAIR, stops=["dns"]).whatever().finish("dns-1/isolate/1").whatever()
    assert _wished(story) == ["thaw reach:dns-1"]
    story.order("thaw", "reach:dns-1", *PAIR).whatever()
    story.excluded("dns-1").whatever()
    around = [one for one in wishes(story.state, T0_US) if one.kind == "wave.after-removed"]
    assert [(one.subject, one.args) for one in around] == [("foundations/rest-2", {"after": "foundations/rest-1"})]
    story.order("wave.after-removed", "foundations/rest-2", *PAIR, after="foundations/rest-1").whatever()
    assert _wished(story) == []
