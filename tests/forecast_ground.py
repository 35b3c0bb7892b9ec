"""Presents to forecast from: a plan before its first record, and restarts that were lived for some time.

Never forecasts anything; the restart that is lived has its own luck, and its records are measured as a journal's are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.decision import codec
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened
from orchestrator.decision.orders import genesis_args
from orchestrator.decision.state import State
from orchestrator.engine.contents import keep
from orchestrator.engine.process import lay_out
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
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
from tests.small_estate import SMALL

SECOND = 1_000_000
HOUR_S = 3600
LONG_S = 60 * 24 * HOUR_S
START_US = 1_700_000_000 * SECOND
T0_US = START_US - 48 * HOUR_S * SECOND
PLANNED = Durations(sigma=0.0)


def present(content: Content | None = None) -> Present:
    """Before the first record, nothing measured."""
    content = content or small_estate()
    return Present(State(Estate(content, derive(content))), Measures(), START_US)


class Lived(World):
    """A restart that really happens; whatever is recorded is measured."""

    def __init__(self, estate: Estate, durations: Durations, faults: Faults, **more: Any) -> None:
        self.measures = Measures()
        self.records: list[tuple[int, Entry]] = []
        super().__init__(State(estate), START_US, Chance(7), durations, faults, **more)

    def decide(self, event: Any) -> list[Entry]:
        """Also measures and keeps the records."""
        estate = self.state.estate
        entries = super().decide(event)
        for entry in entries:
            self.measures.see(entry, estate, self.state.at_us)
            self.records.append((self.state.at_us, entry))
        return entries

    @property
    def spent_s(self) -> int:
        """Seconds since the beginning."""
        return (self.now_us - START_US) // SECOND

    @property
    def present(self) -> Present:
        """What is forecast from now."""
        return Present(self.state, self.measures, self.now_us)


def begun(
    content: Content, durations: Durations = PLANNED, faults: Faults = NONE, estate: Estate | None = None, **more: Any
) -> Lived:
    """A restart at its beginning, with everyone of the roster at work."""
    started = Lived(estate or Estate(content, derive(content)), durations, faults, **more)
    started.tell(Opened(1, "test", "test", content.digest))
    staff = Staff(started, Shifts(content.capacity.shifts), T0_US)
    first = [one.id for one in content.roster.persons][:2]
    staff.order(Wish("genesis", "roster", genesis_args(content)), first)
    return started


def lived(
    until: Callable[[Lived], bool], content: Content | None = None, durations: Durations = PLANNED, **more: Any
) -> Lived:
    """A restart once `until` holds."""
    world = begun(content or small_estate(), durations, **more)
    while not until(world):
        assert world.turn(), "nothing happens any more, and what was waited for has not come"
        assert world.spent_s < LONG_S, "what was waited for does not come"
    return world


def lived_s(seconds: int, content: Content | None = None, durations: Durations = PLANNED, **more: Any) -> Lived:
    """A restart after so many seconds."""
    return lived(lambda world: world.spent_s >= seconds, content, durations, **more)


def all_passed(world: World) -> bool:
    """Whether every gate has passed."""
    return all(wave.passed_us for wave in world.state.waves)


def state_folder(folder: Path, records: Sequence[tuple[int, Entry]]) -> Path:
    """A state folder of the small estate whose journal holds these records."""
    lay_out(folder)
    keep(SMALL, folder, usable(SMALL).digest)
    with Journal.create(folder / "journal.sqlite") as journal:
        journal.begin()
        for at_us, entry in records:
            journal.append(at_us, *codec.encode(entry))
        journal.commit()
    return folder
