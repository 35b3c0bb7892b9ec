"""What may go wrong has three strengths: nothing, some, all."""

from __future__ import annotations

from dataclasses import fields

from orchestrator.simulation.faults import ALL, BY_NAME, NONE, SOME, Faults

KINDS = [field.name for field in fields(Faults)]


def test_nothing_goes_wrong_unless_somebody_asks_for_it() -> None:
    assert Faults() == NONE
    assert all(getattr(NONE, kind) == 0 for kind in KINDS)


def test_all_faults_leave_no_kind_out() -> None:
    assert [kind for kind in KINDS if not getattr(ALL, kind)] == []


def test_some_faults_are_gentler_than_all() -> None:
    assert all(getattr(SOME, kind) <= getattr(ALL, kind) for kind in KINDS)
    assert SOME not in (NONE, ALL)


def test_probabilities_are_probabilities_and_an_action_ends_in_one_way() -> None:
    assert all(0 <= getattr(ALL, kind) <= 1 for kind in KINDS if kind != "troubles")
    assert ALL.fails + ALL.unreachable + ALL.hangs + ALL.lost + ALL.mute < 1


def test_each_strength_is_asked_for_by_its_name() -> None:
    assert BY_NAME == {"none": NONE, "some": SOME, "all": ALL}
