"""The analysts of a drill: what they conclude, who reads, when a key is lost, and when new indicators arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.checks.indicators import IndicatorSet, read_csv
from orchestrator.decision.commands import Ask
from orchestrator.decision.estate import Estate
from orchestrator.decision.orders import EMPTY_SET
from orchestrator.decision.parts import Lot, Member, Obligation, Verdict
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import FOREVER_US, State
from orchestrator.errors import RelanceError
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import Difference
from orchestrator.journal.blobs import Blobs
from orchestrator.plans.waves import derive
from orchestrator.practice.analysts import (
    INDICATORS,
    Desk,
    disputed,
    left_for_later,
    left_to_its_lot,
    lots_to_open,
    readers,
    revocations,
    set_arrives,
    unfinished,
    verdict_on,
    whole_lots,
)
from orchestrator.practice.ransomware import DORMANT, DORMANT_BYTES
from tests.estates import small_estate

NEW = "a" * 64


def seat(**changes: Any) -> dict[str, Any]:
    return {"host": "lis-1", "inspection": "lis-1/inspect/1", "marker": False, **changes}


def story(**changes: Any) -> dict[str, Any]:
    return {"seed": 1, "late": "", "dormant": [], "disputed": [], "revoked": "", "lots": [], **changes}


@pytest.fixture
def state() -> State:
    content = small_estate()
    state = State(Estate(content, derive(content)))
    state.indicator_set = EMPTY_SET
    return state


def put(state: State, stage: Stage, *hosts: str) -> None:
    for host in hosts:
        state.stage[state.estate.host_number[host]] = stage


# what they conclude


def test_a_marker_is_infected_whoever_reads_it() -> None:
    assert {verdict_on(seat(marker=True, host=f"h-{n}"), n) for n in range(50)} == {"INFECTED"}


def test_what_the_set_in_force_finds_is_infected_even_where_readers_disagree() -> None:
    assert verdict_on(seat(), 1, found=True, second=False) == "INFECTED"


def test_a_first_look_is_now_and_then_not_enough_and_a_second_one_is() -> None:
    hosts = [f"h-{number}" for number in range(400)]
    first = [verdict_on(seat(host=host, inspection=f"{host}/inspect/1"), 1) for host in hosts]
    again = [verdict_on(seat(host=host, inspection=f"{host}/inspect/2"), 1) for host in hosts]
    assert 0 < first.count("SUSPECT") < 40
    assert set(again) == {"CLEAN"}
    assert first == [verdict_on(seat(host=host, inspection=f"{host}/inspect/1"), 1) for host in hosts], "by the seed"


def test_where_readers_disagree_the_first_says_clean_and_the_second_suspect() -> None:
    hosts = [f"h-{number}" for number in range(100)]
    assert {verdict_on(seat(host=host), 1, second=False) for host in hosts} == {"CLEAN"}
    assert {verdict_on(seat(host=host), 1, second=True) for host in hosts} == {"SUSPECT"}


def test_readers_disagree_once_and_never_about_a_host_that_is_out(state: State) -> None:
    put(state, Stage.INSPECTED, "lis-1", "pacs-1")
    asked = story(disputed=["lis-1"])
    assert disputed(state, asked, "lis-1")
    assert not disputed(state, asked, "pacs-1")
    put(state, Stage.IN_SERVICE, "lis-1")
    assert not disputed(state, asked, "lis-1")
    put(state, Stage.INSPECTED, "lis-1")
    state.suspects[state.estate.host_number["lis-1"]] = 1
    assert not disputed(state, asked, "lis-1")


def test_whoever_has_not_read_a_host_before_reads_it_first() -> None:
    assert readers(["one", "two", "three"], {"one", "two"}, 2) == ["three", "one"]
    assert readers(["one"], {"one"}, 2) == ["one"], "better the same again than nobody"


def test_the_new_set_finds_what_sleeps_in_real_evidence_and_the_empty_one_looks_at_nothing(tmp_path: Path) -> None:
    blobs, wanted = Blobs(tmp_path, packed=True), IndicatorSet()
    assert wanted.add(read_csv(INDICATORS, "indicators.csv")) == []
    digest, desk = blobs.put(wanted.to_bytes()), Desk(tmp_path)
    line = wanted.values["sha256"].copy().popitem()[0].encode() + b"  opt/other-name"
    sleeps, well = (
        blobs.put(Evidence(host, host, differs=Difference(lines, (), ())).to_bytes())
        for host, lines in (("lis-1", (line,)), ("pacs-1", ()))
    )
    for _ in range(2):
        assert [desk.finds(one, digest) for one in (sleeps, well)] == [True, False]
    assert not desk.finds(sleeps, EMPTY_SET)
    with pytest.raises(RelanceError):
        desk.finds(NEW, digest)


def test_the_indicators_name_the_very_file_that_is_planted() -> None:
    wanted = IndicatorSet()
    wanted.add(read_csv(INDICATORS, "indicators.csv"))
    assert wanted.values["name"].keys() == {DORMANT.rpartition("/")[2]}
    assert b"implant" in DORMANT_BYTES


# when a key is lost


def judged(state: State, person: str, *hosts: str) -> None:
    for host in hosts:
        verdict = Verdict("CLEAN", person, EMPTY_SET, FOREVER_US, 0)
        state.verdicts[state.estate.host_number[host]].append(verdict)


def revoked(state: State, *, ended: bool = False) -> list[str]:
    return [f"{one.kind} {one.subject}" for one in revocations(state, story(revoked="analyst-4"), ended)]


def test_a_key_is_lost_in_mid_drill_where_hosts_inside_and_outside_rest_on_its_word(state: State) -> None:
    state.roster["analyst-4"] = Member(frozenset(("analyst",)), "", 0, FOREVER_US)
    hosts = list(state.estate.hosts)
    third = -(-len(hosts) // 3)
    judged(state, "analyst-4", hosts[0], hosts[-1])
    put(state, Stage.INSPECTED, hosts[-1])
    put(state, Stage.IN_SERVICE, *hosts[: third - 1])
    assert revoked(state) == [], "too early"
    put(state, Stage.IN_SERVICE, *hosts[:third])
    assert revoked(state) == ["roster.revoke analyst-4"]
    put(state, Stage.IN_SERVICE, hosts[-1])
    assert revoked(state) == [], "better while one waits in quarantine"
    put(state, Stage.IN_SERVICE, *hosts[: -(-2 * len(hosts) // 3)])
    assert revoked(state) == ["roster.revoke analyst-4"]
    state.revoked.add("analyst-4")
    assert revoked(state) == []


def test_at_the_latest_a_key_is_lost_at_the_end_and_without_that_fault_never(state: State) -> None:
    state.roster["analyst-4"] = Member(frozenset(("analyst",)), "", 0, FOREVER_US)
    assert revoked(state) == []
    assert revoked(state, ended=True) == ["roster.revoke analyst-4"]
    assert list(revocations(state, story(), True)) == []
    state.roster.clear()
    assert revoked(state, ended=True) == []


# when new indicators arrive


def test_the_set_arrives_when_one_host_is_in_service_and_the_other_waits_for_its_readers(state: State) -> None:
    asked = story(dormant=["lis-1", "pacs-1"])
    assert not set_arrives(state, asked, False)
    put(state, Stage.IN_SERVICE, "lis-1")
    assert not set_arrives(state, asked, False)
    put(state, Stage.INSPECTED, "pacs-1")
    assert set_arrives(state, asked, False)
    put(state, Stage.EXCLUDED, "lis-1", "pacs-1")
    assert set_arrives(state, asked, False), "nobody waits for a host that was given up"
    state.indicator_set = NEW
    assert not set_arrives(state, asked, True), "it did"


def test_without_that_fault_no_set_arrives(state: State) -> None:
    assert not set_arrives(state, story(), True)
    assert set_arrives(state, story(dormant=["lis-1"]), True)


def test_the_second_host_waits_for_the_set_and_the_first_does_not() -> None:
    asked = story(dormant=["lis-1", "pacs-1"])
    assert [left_for_later(asked, name, EMPTY_SET) for name in ("lis-1", "pacs-1", "dns-1")] == [False, True, False]
    assert not left_for_later(asked, "pacs-1", NEW)


# what is still to come


def test_a_drill_goes_on_while_something_of_its_story_or_something_owed_is_still_to_come(state: State) -> None:
    host = state.estate.host_number["lis-1"]
    put(state, Stage.IN_SERVICE, "lis-1")
    assert not unfinished(state, story())
    assert not unfinished(state, story(late="pacs-1")), "nobody waits for a host that was given up"
    for asked in (story(revoked="analyst-4"), story(dormant=["lis-1"]), story(late="lis-1")):
        assert unfinished(state, asked)
    state.revoked.add("analyst-4")
    state.indicator_set = NEW
    state.touch("reach:lis-1", "freeze")
    assert not unfinished(state, story(revoked="analyst-4", dormant=["lis-1"], late="lis-1"))
    state.rematch.add(host)
    assert unfinished(state, story())
    state.rematch.clear()
    state.obligations[host] = Obligation("its exception ended", 1, False)
    assert unfinished(state, story())
    state.obligations.clear()
    state.asks[host] = {"network": Ask("lis-1", "network", "recall it").why}
    assert unfinished(state, story())
    put(state, Stage.EXCLUDED, "lis-1")
    assert not unfinished(state, story())


# lots


def lot(**changes: Any) -> dict[str, Any]:
    sample, waiting = [{"host": "ws-1", "clean": True}], [{"host": "ws-2", "clean": False}]
    known = {"lot": "north/ab", "image": "ab", "seen": 9, "first": 1, "condemned": False, "signable": True}
    return {**known, "sample": sample, "waiting": waiting, **changes}


def queue(*lots: dict[str, Any], asked: tuple[str, ...] = ("ws-2",)) -> dict[str, Any]:
    return {"indicator_set": EMPTY_SET, "lots": list(lots), "hosts": [{"host": one} for one in asked]}


def test_each_lot_is_opened_once_with_a_seed_of_its_own_when_there_is_a_roster(state: State) -> None:
    known = story(lots=[["north", "ab"], ["south", "ab"]])
    assert list(lots_to_open(state, known)) == []
    state.roster["analyst-1"] = Member(frozenset(("analyst",)), "", 0, FOREVER_US)
    first, second = lots_to_open(state, known)
    assert (first.kind, first.subject, second.subject) == ("lot.open", "north", "south")
    assert first.args["seed"] != second.args["seed"]
    state.lots["north/ab"] = Lot("seed")
    assert [wish.subject for wish in lots_to_open(state, known)] == ["south"]


def test_a_statement_on_a_lot_names_its_sample_and_who_waits_but_nobody_who_is_left_for_later() -> None:
    (hosts,) = whole_lots(queue(lot()), story())
    assert [(one["host"], one["image"], one["indicator_set"]) for one in hosts] == [
        ("ws-1", "ab", EMPTY_SET),
        ("ws-2", "ab", EMPTY_SET),
    ]
    for silent in (lot(signable=False), lot(waiting=[])):
        assert list(whole_lots(queue(silent), story())) == []
    assert list(whole_lots(queue(lot()), story(dormant=["ws-9", "ws-2"]))) == []


def test_a_host_of_a_lot_is_read_only_where_its_lot_cannot_soon_be_signed_for() -> None:
    def left(known: dict[str, Any], *, asked: tuple[str, ...] = ("ws-2",)) -> bool:
        return left_to_its_lot(queue(known, asked=asked), {"host": "ws-2", "lot": "north/ab"})

    assert left(lot())
    assert not left(lot(waiting=[])), "drawn, or read by one already: found by a drill that waited for ever"
    assert not left(lot(condemned=True))
    assert not left(lot(first=10))
    unread = lot(sample=[{"host": "ws-1", "clean": False}])
    assert left(unread, asked=("ws-1", "ws-2"))
    assert not left(unread)
    assert not left_to_its_lot(queue(lot()), {"host": "ws-2", "lot": ""})
