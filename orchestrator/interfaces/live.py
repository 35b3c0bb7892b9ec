"""What the interfaces need of a running engine (`engine.loop.Engine` is one).

Never does anything itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from orchestrator.decision.decide import Entry
from orchestrator.decision.events import Event
from orchestrator.decision.state import State
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.record import Head
from orchestrator.plans.model import Content

T = TypeVar("T")


class Live(Protocol):
    """A live engine, seen from outside its thread."""

    @property
    def incident(self) -> str:
        """The incident this journal is about."""
        ...

    @property
    def backup(self) -> str:
        """What came of the last backup, in a sentence."""
        ...

    @property
    def dropbox(self) -> str:
        """Where check-ins are taken; empty: nowhere."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Where bytes too large for a record are kept."""
        ...

    @property
    def state_dir(self) -> Path:
        """The state folder of the incident."""
        ...

    def offer(self, content: Content) -> None:
        """Gives the core content that an order may put in force."""
        ...

    def submit(self, event: Event) -> list[Entry]:
        """Admits an event; the records that followed, on disk."""
        ...

    def read(self, fn: Callable[[State, int], T]) -> T:
        """Runs `fn(state, now_us)` between turns."""
        ...

    def head(self) -> Head:
        """The journal's committed head."""
        ...

    def known_head(self, size: int, root: bytes) -> bool:
        """Whether `(size, root)` is a prefix of this journal."""
        ...
