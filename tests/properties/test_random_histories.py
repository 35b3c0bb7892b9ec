"""Random histories of a small hospital: no promise broken, no refusal that changes anything, and an end to every one.

A handful of seeds run always; RELANCE_SEEDS=A..B runs more, RELANCE_STEPS changes how long the troubles last.
"""

from __future__ import annotations

import os

import pytest

from tests.random_incidents import Incident

ROUNDS_MAX = 400
STEPS = int(os.environ.get("RELANCE_STEPS", "500"))
FIRST, _, LAST = os.environ.get("RELANCE_SEEDS", "0..9").partition("..")


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST or FIRST) + 1))
def test_troubles_break_no_promise_and_calm_brings_every_host_into_service(seed: int) -> None:
    incident = Incident(seed)
    incident.trouble(STEPS)
    stuck = incident.calm(ROUNDS_MAX)
    assert not stuck, f"{incident.story()}: {stuck}"
    incident.check_replay()


def test_the_troubles_are_worth_their_name() -> None:
    """Refusals, results that come late, releases and gates that pass all occur, or the histories would prove little."""
    incidents = [Incident(seed) for seed in (2, 4, 5)]
    for incident in incidents:
        incident.trouble(STEPS)
        assert incident.refused > 50
    kinds = {type(entry).__name__ for incident in incidents for entry, _ in incident.records}
    assert {"Late", "Lost", "EnterService", "StartSoak", "Ask"} <= kinds
