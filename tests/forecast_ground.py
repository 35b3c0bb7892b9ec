"""Presents to forecast from: a plan before its first record, and restarts that were lived for some time.

Never forecasts anything; the restart that is lived has its own luck, and its records are measured as a journal's are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened
from orchestrator.decision.orders import genesis_args
from orchestrator.decision.state import State
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import Durations
from orchestrator.simulation.faults import NONE, Faults
from orchestrator.simulation.forecast import Present
from orchestrator.simulation.measures import Measures
from orchestrator.simulation.people import Shifts, Wish
from orchestrator.simulation.staff import Staff
from orchestrator.simulation.world import Entry, World
from tests.estates import small_estate

SECOND = 1_000_000
HOUR_S = 3600
START_US = 1_700_000_000 * SECOND
T0_US = START_US - 48 * HOUR_S * SECOND
PLANNED = Durations(sigma=0.0)


def present(content: Content | None = None) -> Present:
    """Before the first record, nothing measured."""
    content = content or small_estate()
    return Present(State(Estate(content, derive(content))), Measures(), START_US)


class Lived(World):
    """A restart that really happens; whatever is recorded is measured."""

    measures: Measures

    def decide(self, event: Any) -> list[Entry]:
        """Also measures the records."""
        estate = self.state.estate
        entries = super().decide(event)
        for entry in entries:
            self.measures.see(entry, estate, self.state.at_us)
        return entries


def begun(content: Content, durations: Durations = PLANNED, faults: Faults = NONE, **world: Any) -> Lived:
    """A restart at its beginning, with everyone of the roster at work."""
    started = Lived(State(Estate(content, derive(content))), START_US, Chance(7), durations, faults, **world)
    started.measures = Measures()
    started.tell(Opened(1, "test", "test", content.digest))
    staff = Staff(started, Shifts(content.capacity.shifts), T0_US)
    first = [one.id for one in content.roster.persons][:2]
    staff.order(Wish("genesis", "roster", genesis_args(content)), first)
    return started


def lived(
    until: Callable[[State, int], bool], content: Content | None = None, durations: Durations = PLANNED, **more: Any
) -> Present:
    """The present once `until` (of the state, and of the seconds since the beginning) holds."""
    world = begun(content or small_estate(), durations, **more)
    while not until(world.state, (world.now_us - START_US) // SECOND):
        assert world.turn(), "nothing happens any more, and what was waited for has not come"
    return Present(world.state, world.measures, world.now_us)


def lived_s(seconds: int, content: Content | None = None, durations: Durations = PLANNED, **more: Any) -> Present:
    """The present after so many seconds of a restart."""
    return lived(lambda _, spent_s: spent_s >= seconds, content, durations, **more)
