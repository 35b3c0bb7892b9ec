"""Invented hospitals: always the same for a seed, of every shape, and such that they could restart."""

from __future__ import annotations

import random

import pytest

from orchestrator.decision.dryrun import DryRun
from orchestrator.errors import ContentError
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.simulation import estates
from orchestrator.simulation.estates import invented, varied
from tests.storyline import hospital


@pytest.fixture(scope="module")
def twenty() -> list[Content]:
    return [invented(seed, 40 + seed * 2) for seed in range(20)]


def test_the_same_seed_gives_the_same_hospital_and_another_seed_another() -> None:
    assert invented(3, 40) == invented(3, 40)
    assert invented(3, 40) != invented(4, 40)


def test_hospitals_have_about_as_many_hosts_as_asked(twenty: list[Content]) -> None:
    for seed, content in enumerate(twenty):
        assert abs(len(content.inventory.hosts) - (40 + seed * 2)) <= 12


def test_every_one_of_them_restarts_where_nothing_goes_wrong(twenty: list[Content]) -> None:
    for content in twenty[:4]:
        assert DryRun(content, derive(content)).run() == []


def test_every_rule_the_core_must_bear_is_drawn_somewhere(twenty: list[Content]) -> None:
    services = [service for content in twenty for service in content.inventory.services]
    tasks = [task for service in services for task in service.tasks]
    sites = [site for content in twenty for site in content.inventory.sites]
    drawn = {
        "unit": any(one.unit for one in services),
        "quorum of two": any(one.quorum == 2 for one in services),
        "outside": any(one.kind == "outside" for one in services),
        "live care": any(one.care == "live" for one in services),
        "early need": any(one.needs.inspect for one in services),
        "task of a gate": any(one.step == "gate" for one in tasks),
        "task of a step": any(one.step == "reconnect" for one in tasks),
        "task that waits": any(one.after for one in tasks),
        "task that expires": any(one.expires_s for one in tasks),
        "task a check confirms": any(one.confirm.startswith("check:") for one in tasks),
        "witnesses": any(one.isolates_by == "witnesses" for one in sites),
        "small quarantine": any(one.quarantine_hosts_max for one in sites),
        "host of two services": any(len(host.services) == 2 for one in twenty for host in one.inventory.hosts),
        "interface": any(one.inventory.interfaces for one in twenty),
        "pinned": any(one.restart.pinned for one in twenty),
        "shifts": any(one.capacity.shifts for one in twenty),
        "no shifts": any(not one.capacity.shifts for one in twenty),
        "one verdict": any(host.verdicts_required == 1 for one in twenty for host in one.classes),
    }
    assert [what for what, found in drawn.items() if not found] == []


def test_as_many_analysts_and_technicians_as_asked() -> None:
    roles = [role for person in invented(1, 40, analysts=7, technicians=2).roster.persons for role in person.roles]
    assert (roles.count("analyst"), roles.count("technician")) == (7, 2)


def test_a_known_hospital_under_other_rules_is_still_the_same_hospital() -> None:
    known = hospital()
    rules = {varied(known, random.Random(seed)).restart.timing for seed in range(10)}
    assert len(rules) > 5
    changed = varied(known, random.Random(1))
    assert changed.inventory.hosts == known.inventory.hosts
    assert changed.inventory.services == known.inventory.services
    assert varied(known, random.Random(1)) == changed


def test_where_no_estate_can_restart_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Content:
        raise ContentError("no plan")

    monkeypatch.setattr(estates, "derive", broken)
    with pytest.raises(ContentError, match="that can restart was found for seed 1"):
        invented(1, 40)
