"""What can happen: one class per kind of event that reaches the core from outside.

Never decides what an event means (`decide`, `apply`); never holds anything but JSON values, with ids as names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.canonical import Json


@dataclass(slots=True)
class Opened:
    """The first record of a journal: its format, its incident, the content's digest, the hosts its errors block."""

    format: int
    version: str
    incident: str
    content: str
    blocked: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Started:
    """A process took the journal over."""

    version: str


@dataclass(slots=True)
class Ordered:
    """One person's signature under an order; `blob` is the digest of the signed bytes and signature."""

    order: str
    kind: str
    subject: str
    args: dict[str, Json]
    person: str
    expires_us: int
    head_size: int
    blob: str


@dataclass(slots=True)
class Judged:
    """A filed verdict statement: `inspections` maps each host to the inspection the verdict judges."""

    verdict: str
    inspections: dict[str, str]
    person: str
    indicator_set: str
    expires_us: int
    blob: str


@dataclass(slots=True)
class Rematched:
    """Stored evidence was matched against the set in force: `hit`, `no-hit`, or `unmatched`, which says nothing.

    `inspections` maps each host of this outcome to the inspection that was matched, with all that was imported of it.
    """

    inspections: dict[str, str]
    indicator_set: str
    outcome: str


@dataclass(slots=True)
class Finished:
    """A worker reports the outcome (`ok`, `failed`, `unreachable`) of an action."""

    action: str
    outcome: str
    sentence: str = ""
    facts: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Lost:
    """An action had begun and its worker is gone: nobody knows how it ended."""

    action: str


@dataclass(slots=True)
class Cancelled:
    """An action was stopped before it took effect."""

    action: str


@dataclass(slots=True)
class Late:
    """A result that came after the action had ended; it changes nothing."""

    action: str
    outcome: str


@dataclass(slots=True)
class Dispatched:
    """The engine gave actions to one invocation, whose run folder carries this record's number."""

    playbook: str
    actions: list[str]


@dataclass(slots=True)
class Reading:
    """The outcome (`PASS`, `FAIL`, `UNKNOWN`) for a subject: `service:ID`, `interface:ID` or `host:ID`."""

    subject: str
    outcome: str
    sentence: str = ""


@dataclass(slots=True)
class Swept:
    """The outside prober asked every host of a site that is not out: who answered, and did the control target."""

    site: str
    begun_us: int
    control: bool
    answered: list[str]


@dataclass(slots=True)
class Jumped:
    """The wall clock jumped by `delta_us` against elapsed time; core time does not follow."""

    delta_us: int


@dataclass(slots=True)
class Epoch:
    """A person confirmed the clock: core time, and every time the core keeps, moves by `delta_us`."""

    delta_us: int


@dataclass(slots=True)
class Forecasted:
    """What was forecast at this record: p10, p50 and p90 in seconds from it, by function; it changes nothing."""

    runs: int
    functions: dict[str, list[int]]


@dataclass(slots=True)
class EvidenceRead:
    """Somebody logged in as `by` is shown evidence, or a sample, by digest; it changes nothing."""

    by: str
    evidence: list[str]


@dataclass(slots=True)
class Woke:
    """A timer the core had asked for is due."""


Event = (
    Opened
    | Started
    | Ordered
    | Judged
    | Rematched
    | Finished
    | Lost
    | Cancelled
    | Late
    | Dispatched
    | Reading
    | Swept
    | Jumped
    | Epoch
    | Forecasted
    | EvidenceRead
    | Woke
)
