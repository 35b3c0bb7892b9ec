"""How many hours analysts read before a hospital is back, as its plan has it."""

from __future__ import annotations

from collections import Counter

from orchestrator.plans.analyst_hours import in_words, shares
from orchestrator.plans.files import usable
from orchestrator.plans.model import LotRule, Roster
from tests.small_estate import SMALL

CONTENT = usable(SMALL)


def test_every_host_is_read_once_by_as_many_persons_as_its_class_asks() -> None:
    classes = {one.id: one for one in CONTENT.classes}
    hosts = CONTENT.inventory.hosts
    asked_s = sum(classes[host.klass].verdicts_required * classes[host.klass].reading_s for host in hosts)
    found = shares(CONTENT)
    assert sum(share.reading_s for share in found) == asked_s > 0
    assert sum(share.hosts for share in found) == len(hosts)
    assert [share.reading_s for share in found] == sorted((share.reading_s for share in found), reverse=True)


def test_a_host_that_stays_off_is_read_by_nobody() -> None:
    off = CONTENT.inventory.hosts[0]
    restart = CONTENT.restart.model_copy(update={"leave_off": (off.id,)})
    found = shares(CONTENT.model_copy(update={"restart": restart}))
    assert sum(share.hosts for share in found) == len(CONTENT.inventory.hosts) - 1


def test_a_class_without_hosts_costs_nothing_and_is_not_told() -> None:
    nobody = CONTENT.classes[0].model_copy(update={"id": "nobody"})
    content = CONTENT.model_copy(update={"classes": (*CONTENT.classes, nobody)})
    assert shares(content) == shares(CONTENT)


def test_one_person_or_two_is_said_of_each_class_and_the_sum_is_shared_among_the_analysts() -> None:
    first, *others = CONTENT.classes
    classes = (first.model_copy(update={"verdicts_required": 1, "reading_s": 3600}), *others)
    content = CONTENT.model_copy(update={"classes": classes})
    number = sum(host.klass == first.id for host in content.inventory.hosts)
    lines = in_words(content)
    assert f"  {first.id}: {number} hosts, 1 person each, {number}.0 hours" in lines
    analysts = sum("analyst" in person.roles for person in content.roster.persons)
    assert f"for each of {analysts}:" in lines[0]
    assert any(" 2 persons each" in line for line in lines)


def test_a_roster_without_analysts_is_told() -> None:
    lines = in_words(CONTENT.model_copy(update={"roster": Roster()}))
    assert lines[0].endswith("; the roster names no analyst:")


def test_of_a_class_judged_by_lots_the_first_of_each_site_are_read_and_then_one_in_so_many() -> None:
    klass = next(one for one in CONTENT.classes if one.kind == "workstation")
    hosts = tuple(host for host in CONTENT.inventory.hosts if host.klass == klass.id)
    at_sites = Counter(host.site for host in hosts)
    lots = klass.model_copy(update={"lots": True, "reading_s": 3600})
    restart = CONTENT.restart.model_copy(update={"lots": LotRule(first=1, one_in=2)})
    content = CONTENT.model_copy(update={"classes": (lots,), "restart": restart})
    (share,) = shares(content)
    assert share.read == sum(1 + (count - 1) // 2 for count in at_sites.values()) < share.hosts == len(hosts)
    assert share.reading_s == 3600 * (2 * share.read + len(at_sites))
    assert f", by lots: {share.read} of them read, 2 persons each" in in_words(content)[1]
