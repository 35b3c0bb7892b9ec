"""What the state is made of besides flat lists: verdicts, lots, debts, actions, readings, tasks, persons, orders.

Never decides, and never changes by itself: `apply` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.canonical import Json


@dataclass(slots=True)
class Verdict:
    """A filed verdict on a host's latest inspection, under `indicator_set` or rematched to it."""

    verdict: str
    person: str
    indicator_set: str
    expires_us: int
    at_us: int


@dataclass(slots=True)
class Lot:
    """Hosts made from one image at one site and inspected since an order opened it, and whom its seed drew of them."""

    seed: str
    members: set[int] = field(default_factory=set)
    drawn: set[int] = field(default_factory=set)
    condemned: bool = False


@dataclass(slots=True)
class Obligation:
    """Something owed on a host that is out."""

    cause: str
    deadline_us: int
    holds: bool


@dataclass(slots=True)
class OpenAction:
    """An action under way. `host` is -1 for the isolation of a site."""

    host: int
    site: int
    step: str
    strategy: str
    at_us: int
    pools: tuple[int, ...] = ()
    cancel_asked: bool = False
    dispatched: int = 0
    supersedes: str = ""


@dataclass(slots=True)
class Observed:
    """The last reading of a subject: outcome, since when, how many PASS in a row, and its time.

    `why` it is not PASS. `falls`: how often it fell from PASS, each time within the hour after the time before; the
    last was at `fell_us`.
    """

    outcome: str
    since_us: int
    at_us: int
    passes: int
    why: str = ""
    falls: int = 0
    fell_us: int = 0


@dataclass(slots=True)
class TaskState:
    """A task: open, reported done by `reported_by`, or confirmed at `confirmed_us`; `claimed_by` is on it until then.

    A claim ends at `claimed_until_us`, or with the first report. `seen`: of a witness task, who saw which case, when.
    """

    status: str = "closed"
    opened_us: int = 0
    reported_by: str = ""
    reported_us: int = 0
    claimed_by: str = ""
    claimed_until_us: int = 0
    confirmed_us: int = 0
    seen: str = ""


@dataclass(slots=True)
class Member:
    """A person of the roster as the journal knows it."""

    roles: frozenset[str]
    key: str
    valid_from_us: int
    valid_until_us: int


@dataclass(slots=True)
class OrderState:
    """An order and who signed it so far; `blob` is the digest of the first signature with the bytes it is under.

    `seats` are the persons it needs, as its first signature found them: one set of roles each.
    """

    kind: str
    subject: str
    args: dict[str, Json]
    persons: list[str]
    expires_us: int
    seats: tuple[frozenset[str], ...]
    done: bool = False
    blob: str = ""


@dataclass(slots=True)
class WaveState:
    """What happened to a wave. `launchers` empty: not launched; `passed_us` 0: gate not passed."""

    launchers: tuple[str, ...] = ()
    launched_us: int = 0
    soak_us: int = 0
    passed_us: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    horizon: bool = False
