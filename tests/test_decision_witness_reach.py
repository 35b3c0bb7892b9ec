"""Whom a recall must freeze at least, as the witness reckons it anew, and that it sees a freeze that is missing."""

from __future__ import annotations

import pytest

from orchestrator.decision.commands import Command, Freeze, Issue, Thaw
from orchestrator.decision.events import Event, Finished
from orchestrator.decision.witness_reach import spoke_with
from orchestrator.inventory.model import Interface, Needs
from tests.estates import names, server, service, with_interfaces
from tests.forged_histories import RECALLED, RECONNECT, UNFROZEN, clean, heard, orders, ready, seen, swept
from tests.storyline import Story, Tell, hospital

INFECTED_OUT = (4, "lis-1", UNFROZEN)
ISOLATE = Issue("lis-1/isolate/1", "lis-1", "isolate")
FROZEN = Freeze("reach:lis-1", "INFECTED while out", [])


def connected(tell: Tell) -> Story:
    """All out but a radiology server that was restored from the backup server and judged by one person."""
    services = (
        service("backup"),
        service("lis", "laboratory", needs=Needs(reconnect=("backup",))),
        service("fax", "laboratory"),
        service("ris", "radiology", needs=Needs(restore=("backup",))),
    )
    hosts = [server(f"{one.id}-1", "north", one.id) for one in services]
    content = hospital(*hosts, services=services, order=("laboratory", "radiology"))
    link = Interface(id="orders", name=names("Orders"), source="fax", target="lis", protocol="hl7")
    story = tell(with_interfaces(content, link)).begun().passed("foundations").in_service("lis-1", "fax-1")
    return story.inspected("ris-1").whatever().verdicts("ris-1", "analyst-1").whatever()


@pytest.mark.parametrize(
    ("host", "met"),
    [
        ("backup-1", {"lis-1", "ris-1"}),
        ("lis-1", {"backup-1", "fax-1"}),
        ("fax-1", {"lis-1"}),
        ("ris-1", {"backup-1"}),
    ],
)
def test_a_host_spoke_with_what_it_uses_what_uses_it_and_the_ends_of_its_interfaces(
    tell: Tell, host: str, met: set[str]
) -> None:
    assert spoke_with(heard(connected(tell)).books, host) == met


def test_a_freeze_that_leaves_somebody_out_is_seen(tell: Tell) -> None:
    story = connected(tell)
    short = Freeze("reach:backup-1", "its recall was ordered", ["lis-1"])
    left_out = (4, "backup-1", "it spoke with ris-1, and they are not frozen")
    assert seen(story, short, freezes=True) == [left_out]
    assert seen(story, Freeze("reach:backup-1", "", ["lis-1", "ris-1"]), freezes=True) == []


def test_what_is_found_on_a_host_that_is_out_freezes_its_reach_in_the_same_transaction(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    suspect = clean(story, "analyst-3", verdict="SUSPECT")
    assert seen(story, suspect, freezes=True) == [INFECTED_OUT]
    assert seen(story, suspect, FROZEN, suspect, freezes=True) == []
    assert seen(story, ISOLATE, freezes=True) == [(4, "lis-1", RECALLED)]
    again = Issue("lis-1/isolate/2", "lis-1", "isolate")
    assert seen(story, suspect, FROZEN, ISOLATE, Finished(ISOLATE.action, "failed"), again, freezes=True) == []


def test_an_answer_of_a_host_that_is_cut_off_freezes_its_site(tell: Tell) -> None:
    story = ready(tell)
    answers, alarm = swept(story, 1, "lis-1"), Freeze("site:north", "lis-1 answered", [])
    assert seen(story, answers, freezes=True) == [(4, "north", UNFROZEN)]
    assert seen(story, answers, alarm, freezes=True) == []
    frozen = (4, "lis-1", "reconnects are frozen")
    assert seen(story, clean(story), alarm, RECONNECT) == [frozen]
    assert seen(story, clean(story), alarm, *orders("thaw", "site:north", "operator-1", "it-director"), RECONNECT) == []


def test_whom_a_recalled_host_spoke_with_comes_out_only_after_it_was_cut_off_and_two_thawed(tell: Tell) -> None:
    story = ready(
        tell,
        hospital(
            *(server(f"{one}-1", "north", one) for one in ("lis", "ad")),
            services=(service("lis", "laboratory"), service("ad", "laboratory")),
        ),
    )
    reached = (4, "lis-1", "it spoke with a host that is recalled")
    freeze = Freeze("reach:ad-1", "its recall was ordered", ["lis-1"])
    thawed = orders("thaw", "reach:ad-1", "operator-1", "it-director")
    history: list[Event | Command] = [clean(story), freeze]
    assert seen(story, *history, RECONNECT) == [reached]
    assert seen(story, *history, *thawed, RECONNECT) == [reached], "ad-1 was not cut off"


def test_the_core_thaws_a_reach_only_when_its_host_was_proven_clean(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    suspect, thaw = clean(story, "analyst-3", verdict="SUSPECT"), Thaw("reach:lis-1", "it was found CLEAN")
    unproven = (4, "lis-1", "its reach is thawed and it is not proven CLEAN")
    assert seen(story, suspect, FROZEN, thaw, freezes=True) == [unproven]
    again = Finished("lis-1/inspect/2", "ok")
    begun = Issue("lis-1/inspect/2", "lis-1", "inspect")
    both = [clean(story, one, of="lis-1/inspect/2") for one in ("analyst-1", "analyst-2")]
    assert seen(story, suspect, FROZEN, begun, again, *both, thaw, freezes=True) == []


def test_a_reach_is_frozen_anew_when_its_host_is_recalled_once_more(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1")
    cut_off = (FROZEN, ISOLATE, Finished(ISOLATE.action, "ok"))
    thawed = orders("thaw", "reach:lis-1", "operator-1", "it-director")
    witness = heard(story)
    for entry in cut_off:
        witness.see(entry, story.now_us)
    assert (witness.books.reach, witness.books.shut) == ({"lis-1": set()}, {"lis-1"})
    for entry in thawed:
        witness.see(entry, story.now_us)
    assert (witness.books.reach, witness.books.shut, witness.broken) == ({}, set(), [])
