"""A disaster replays exactly, sees a mistake in the core, and shrinks what it found to a short story."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest

from orchestrator.decision import decide as deciding
from orchestrator.decision.commands import Command
from orchestrator.decision.events import Started
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.plans.files import usable
from orchestrator.simulation import scenario
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import ALL, NONE, Faults
from orchestrator.simulation.scenario import (
    Broken,
    Outcome,
    Setting,
    Violation,
    left,
    played,
    setting_of,
    shrunk,
    strikes,
)
from orchestrator.simulation.story import told
from orchestrator.simulation.troubles import Troubles
from tests.deliberate_faults import MISTAKES, made

REFERENCE = Path(__file__).parents[1]
CONTENT = invented(2, 40)
MANY = Faults(fails=0.1, lost=0.1, troubles=6.0)
HARD = Faults(fails=0.1, lost=0.1, twice=0.1, troubles=20.0)
LOST = "a lost action that keeps its slots"
TELL = "from tests.test_simulation_scenario import story; print(chr(10).join(story()))"


def digest(outcome: Outcome) -> str:
    return hashlib.sha256(repr(outcome.journal).encode()).hexdigest()


def found_first() -> Setting:
    """The first of many days of disaster in which something is found."""
    settings = (Setting(seed, CONTENT, HARD, days=1) for seed in range(30))
    return next(one for one in settings if played(one).violation)


@cache
def story() -> list[str]:
    """What a day's disaster tells of a mistake, shrunk."""
    with made(MISTAKES[LOST]):
        setting = shrunk(found_first())
        return told(setting, played(setting))


def test_a_seed_replays_a_disaster_exactly() -> None:
    setting = Setting(2, CONTENT, MANY)
    assert digest(played(setting)) == digest(played(setting))
    assert digest(played(setting)) != digest(played(replace(setting, seed=3)))


def test_every_eighth_seed_strikes_a_part_of_the_known_hospital_and_the_others_invented_ones() -> None:
    known = usable(REFERENCE)
    names = {host.id for host in known.inventory.hosts}
    part, drawn = setting_of(16, ALL, None, known), setting_of(17, ALL, None, known)
    assert {host.id for host in part.content.inventory.hosts} <= names
    assert not {host.id for host in drawn.content.inventory.hosts} & names
    assert setting_of(0, ALL, 5, known).content == setting_of(0, ALL, 5).content, "it has no part as small as that"
    assert setting_of(17, ALL, None, known) == drawn


def test_hosts_are_40_to_80_by_seed_or_as_many_as_asked() -> None:
    assert abs(len(setting_of(1, ALL).content.inventory.hosts) - 41) < 12
    assert abs(len(setting_of(1, ALL, 60).content.inventory.hosts) - 60) < 12


@pytest.mark.parametrize("faults", [NONE, MANY])
def test_a_right_core_ends_every_disaster_well(faults: Faults) -> None:
    outcome = played(Setting(2, CONTENT, faults))
    assert (outcome.violation, outcome.not_live) == (None, [])
    assert outcome.events > len(outcome.journal) > 500


def test_a_disaster_without_faults_ends_with_everyone_in_service(monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[State] = []
    monkeypatch.setattr(scenario, "left", lambda state: states.append(state) or left(state))
    played(Setting(2, CONTENT, NONE))
    assert set(states[-1].stage) == {Stage.IN_SERVICE}
    assert all(wave.passed_us for wave in states[-1].waves)


def test_a_core_that_falls_over_is_a_finding_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(state: State, now_us: int) -> Command | None:
        raise KeyError("nobody")

    monkeypatch.setattr(deciding, "_gates", fall)
    violation = played(Setting(2, CONTENT, NONE)).violation
    assert violation is not None
    assert violation.invariant == "crash"
    assert "KeyError in fall:" in violation.sentence


def test_records_that_give_another_state_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "apply", lambda state, entry, at_us: None)
    violation = played(Setting(2, CONTENT, NONE)).violation
    assert violation is not None
    assert (violation.invariant, violation.sentence) == ("8", "The same records give another state.")
    killed = played(Setting(2, CONTENT, Faults(killed=0.05))).violation
    assert killed is not None
    assert killed.event < violation.event


def test_who_is_never_in_service_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "CALM_DAYS_MAX", 0)
    outcome = played(replace(Setting(2, CONTENT, Faults(fails=0.5)), days=1))
    assert outcome.violation is None
    assert any(line.startswith("gate ") for line in outcome.not_live)
    assert any(re.match(r"[a-z0-9-]+ \([A-Z]+\): [A-Z]", line) for line in outcome.not_live)


def test_a_killed_core_goes_on_from_its_records() -> None:
    outcome = played(Setting(2, CONTENT, Faults(killed=0.01)))
    assert (outcome.violation, outcome.not_live) == (None, [])
    assert any(isinstance(entry, Started) for entry, _ in outcome.journal)


def test_a_finding_shrinks_to_the_faults_and_troubles_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def freeze(troubles: Troubles) -> None:
        if troubles.world.happened["failed"]:
            raise Broken(Violation("4", 1, "all", "Somebody froze after something had failed."))

    monkeypatch.setattr(Troubles, "_freeze", freeze)
    small = shrunk(found_first())
    assert [one.name for one in fields(Faults) if getattr(small.faults, one.name)] == ["fails", "troubles"]
    outcome = played(small)
    assert [name for _, name in outcome.troubles] == []
    assert len([1 for _, at_us in strikes(small) if at_us < small.stop_us]) == 1


def test_what_ends_well_is_not_shrunk() -> None:
    setting = Setting(2, CONTENT, NONE)
    assert shrunk(setting) is setting


def test_a_shrunk_story_is_short_and_always_the_same() -> None:
    lines = story()
    assert len(lines) < 40
    assert lines[1] == "What may go wrong: lost."
    assert lines[-1].startswith("Then invariant recount broke: Pool ")
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    said = subprocess.run([sys.executable, "-c", TELL], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == lines
