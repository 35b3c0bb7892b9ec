"""The pages of the witness's books: what is noted of a host, a wave, a subject, a task and an action.

Never decides what a record writes on them: `witness_books` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Filed:
    """One person's CLEAN on the latest inspection; `lot`: with its whole lot, without reading it."""

    indicator_set: str
    expires_us: int
    lot: bool = False


@dataclass(slots=True)
class HostBook:
    """One host as the records tell it; `isolating` from the first try of an isolation until one succeeds.

    `away`: failed or excluded now, whoever took its place. `unwiped`: declared as it was; `seen_apart`: since then, and
    since it was last outside, somebody looked at its disk offline or at it from outside.
    """

    preserved: bool = False
    inspection: str = ""
    clean: dict[str, Filed] = field(default_factory=dict)
    tainted: str = ""
    infected: bool = False
    answered_for: bool = False
    isolated_us: int = 0
    silent: bool = False
    connected: bool = False
    out: bool = False
    in_service: bool = False
    exception_us: int = 0
    point_us: int = 0
    under_way: dict[str, str] = field(default_factory=dict)
    must_isolate: bool = False
    isolating: bool = False
    away: bool = False
    unwiped: bool = False
    seen_apart: bool = False

    @property
    def serves(self) -> bool:
        """Whether it counts for its services: in service, and nobody found it infected."""
        return self.in_service and not self.infected


@dataclass(slots=True)
class WaveBook:
    """One wave as the records tell it; `soak` is (record, time) of the soak's start."""

    after: set[str]
    launchers: set[str] = field(default_factory=set)
    holds: set[str] = field(default_factory=set)
    soak: tuple[int, int] | None = None
    passed: bool = False


@dataclass(slots=True)
class SubjectBook:
    """The answers about one subject: how many PASS in a row, the last one's time, the records of the last FAIL and
    of the last answer after nobody had asked for more than two intervals."""

    in_a_row: int = 0
    outcome: str = ""
    at_us: int = 0
    failed_at: int = 0
    unwatched_at: int = 0


@dataclass(slots=True)
class TaskBook:
    """A task: who reported it done, and when it was confirmed (0: not)."""

    reported_by: str = ""
    confirmed_us: int = 0


@dataclass(slots=True)
class ActionBook:
    """An action under way; `cancelled` once it was asked to stop."""

    target: str
    step: str
    strategy: str = ""
    cancelled: bool = False
