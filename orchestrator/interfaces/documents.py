"""The shapes of what people and dashboards read: one type per document, the source of their JSON Schemas.

Never computes anything; `views` fills them.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

WaveWord = Literal["not_launched", "open", "soaking", "passed", "held"]
FunctionWord = Literal["stopped", "paper", "degraded", "back"]
FUNCTION_WORDS: tuple[FunctionWord, ...] = ("stopped", "paper", "degraded", "back")
WAVE_WORDS: tuple[WaveWord, ...] = ("not_launched", "open", "soaking", "passed", "held")


class Waiting(TypedDict):
    """One thing that stands in the way, in words, and who can lift it."""

    code: str
    subject: str
    sentence: str
    who: str


class Wave(TypedDict):
    """How far a wave is; times are microseconds UTC, 0 for not yet. `waits` says what its gate lacks, or what
    relapsed or flaps since it passed."""

    name: str
    function: str | None
    state: WaveWord
    hosts: int
    in_service: int
    failed: int
    launched_us: int
    soak_ends_us: int
    passed_us: int
    holds: list[str]
    waits: list[Waiting]


class Function(TypedDict):
    """What a ward knows, per site; `accepted` names the owner who accepted it there."""

    id: str
    name: str
    ready_percent: int
    sites: dict[str, FunctionWord]
    accepted: dict[str, str]


class Pool(TypedDict):
    """A limited resource; `site` is empty where it is one for all."""

    pool: str
    site: str
    in_use: int
    size: int


class Rates(TypedDict):
    """How many hosts entered service; `hosts_an_hour` is the pace of the last hour, or since the first launch."""

    hosts_an_hour: int
    in_service_last_hour: int
    in_service_last_day: int


class Asked(TypedDict):
    """A question about a host that a person must answer."""

    host: str
    lane: str
    why: str


class Owed(TypedDict):
    """An inspection owed on a host that is out."""

    host: str
    cause: str
    deadline_us: int
    overdue: bool
    holds: bool


class Held(Waiting):
    """What stands in the way of how many hosts of launched waves; the words are those of the example."""

    hosts: int
    example: str


class Excepted(TypedDict):
    """A host for which an exception stands in for a verdict, until a person judges it or the exception ends."""

    host: str
    until_us: int


class Status(TypedDict):
    """The whole restart at one moment."""

    incident: str
    content: str
    at_us: int
    records: int
    last_event_us: int
    frozen: dict[str, str]
    clock_jump_us: int
    clock_doubted: bool
    hosts: dict[str, int]
    waves: list[Wave]
    functions: list[Function]
    pools: list[Pool]
    rates: Rates
    under_way: dict[str, int]
    asks: list[Asked]
    failed: list[str]
    obligations: list[Owed]
    exceptions: list[Excepted]
    orders_waiting: int
    waits: list[Held]


class Why(TypedDict):
    """One host: where it stands, what is under way, and why it is not further."""

    host: str
    stage: str
    connection: str
    strategy: str
    wave: str
    verdicts_missing: int
    exception_until_us: int
    inspection: str
    evidence: str
    marker: bool
    under_way: list[str]
    reasons: list[Waiting]


class Exposed(TypedDict):
    """A host that may be infected because `source` is; `out`: it is connected now; `stops`: what isolating it stops."""

    host: str
    source: str
    distance: int
    stage: str
    out: bool
    server: bool
    reasons: list[str]
    stops: list[str]


class Exposure(TypedDict):
    """Whom a host may have infected, or shares its infection with. Proposed to people; nothing is isolated by it."""

    host: str
    stage: str
    infected_us: int
    in_service_us: int
    hosts: list[Exposed]
    not_examined: list[str]


class Claim(TypedDict):
    """Who holds a seat, until when."""

    person: str
    until_us: int


class Seat(TypedDict):
    """A host that waits for verdicts. What others said about it is not shown."""

    host: str
    site: str
    services: list[str]
    wave: str
    inspection: str
    evidence: str
    marker: bool
    owed: bool
    exception_until_us: int
    seats_open: int
    claims: list[Claim]
    lot: str
    drawn: bool


class LotHost(TypedDict):
    """A host that the statement on a lot names; `clean` by enough persons."""

    host: str
    inspection: str
    evidence: str
    clean: bool


class LotSeen(TypedDict):
    """A lot: `sample` are those drawn of it, `waiting` those that one signature lets out once all of the sample are
    clean (`signable`); `seen` hosts were inspected since it was opened, and the first `first` are always drawn."""

    lot: str
    image: str
    seen: int
    first: int
    condemned: bool
    signable: bool
    sample: list[LotHost]
    waiting: list[LotHost]


class Queue(TypedDict):
    """The analysts' list, what unblocks most first, and the lots that may be signed for at once."""

    incident: str
    indicator_set: str
    verdict_valid_s: int
    hosts: list[Seat]
    lots: list[LotSeen]


class Inspected(TypedDict):
    """A host's latest inspection; `verdicts` CLEAN ones count now, of `verdicts_required`; `reading_s` each takes."""

    host: str
    klass: str
    out: bool
    inspection: str
    evidence: str
    marker: bool
    verdicts: int
    verdicts_required: int
    reading_s: int


class ImportedKept(TypedDict):
    """What another tool found on a host: digests of the evidence and of the tool's file; who imported it, when."""

    host: str
    evidence: str
    file: str
    tool: str
    taken: str
    person: str
    at_us: int


class Hand(TypedDict):
    """Since when who holds what was preserved, under which seal; `person` signed it, empty for the first holder."""

    holder: str
    seal: str
    person: str
    at_us: int


class PreservedKept(TypedDict):
    """What one preserve kept of a host, and its chain of custody, the first hand first."""

    action: str
    digest: str
    medium: str
    hands: list[Hand]


class Custody(TypedDict):
    """What was preserved of a host; `kept` says whether it may be wiped now; no class waiver covers `named` hosts."""

    host: str
    kept: bool
    named: bool
    preserved: list[PreservedKept]


class EvidenceKept(TypedDict):
    """The latest inspection of every host that has one, what was imported, and the indicator set in force.

    `estate` are the ids of all hosts; `stored_bytes` of `bytes_max` are taken.
    """

    indicator_set: str
    hosts_without: int
    hosts: list[Inspected]
    imported: list[ImportedKept]
    estate: list[str]
    bytes_max: int
    stored_bytes: int


class Task(TypedDict):
    """What a person must do; `confirm` is `two-persons` or the check that must read PASS.

    `claimed_by` says who is on it, until when; `reported_by` who says it is done, while that waits for confirmation;
    `seen`, of a witness task, who saw which case when.
    """

    task: str
    name: str
    name_fr: str
    by: str
    site: str
    room: str
    bench: str
    status: Literal["open", "reported"]
    reported_by: str
    claimed_by: str
    claimed_until_us: int
    opened_us: int
    confirm: str
    seen: str


class Order(TypedDict):
    """An order that waits; each entry of `missing_roles` is one further person, who holds one of these roles."""

    order: str
    kind: str
    subject: str
    args: dict[str, Any]
    persons: list[str]
    expires_us: int
    missing_roles: list[list[str]]


class OrderText(TypedDict):
    """The exact text of an order that waits, to be signed by another person."""

    order: str
    document: str


class Kind(TypedDict):
    """A kind of order and whom it needs: one entry per person, the roles any of which will do; `note`: or else."""

    kind: str
    seats: list[list[str]]
    note: str


class Head(TypedDict):
    """What a signer sees of the journal."""

    incident: str
    size: int
    root: str


class Taken(TypedDict):
    """An order that took effect, or a verdict that was filed."""

    id: str
    kind: str
    subject: str
    records: list[str]


class CheckIn(TypedDict):
    """A script for one host to check in with once; `token_sha256` is what the inspection it becomes will name."""

    host: str
    name: str
    script: str
    sha256: str
    token_sha256: str
    until_us: int


class Proposal(TypedDict):
    """Content that may be put in force: the hosts its errors leave out, what it changes, and the errors."""

    digest: str
    blocked: list[str]
    changes: list[str]
    errors: list[str]


class Found(TypedDict):
    """One finding of `relance review`."""

    severity: Literal["error", "warning", "debt"]
    file: str
    line: int
    message: str


class Request(TypedDict):
    """What was carried out to be signed elsewhere: the file, and the SHA-256 of its bytes."""

    request: str
    sha256: str


class SignedRequest(TypedDict):
    """What was signed on another machine: the signature's file, and the SHA-256 of the bytes it is under."""

    signature: str
    sha256: str


class DeskHit(TypedDict):
    """An indicator of the set in force, found in a piece of evidence; `level` says how much that says."""

    level: str
    kind: str
    value: str
    where: str
    origin: str


class Earlier(TypedDict):
    """A verdict on an inspection before the latest."""

    inspection: str
    verdict: str
    person: str
    at_us: int


class Desk(TypedDict):
    """All an analyst judges a host by. `place` is its turn in the queue, 0 and no `seat` where no verdict is wanted;
    `inspection` and `imported` are the evidence documents; `unmatched` is what no indicator was held against."""

    why: Why
    place: int
    seat: Seat | None
    earlier: list[Earlier]
    inspection: dict[str, object]
    imported: list[dict[str, object]]
    hits: list[DeskHit]
    hits_more: int
    unmatched: list[str]


class Explained(TypedDict):
    """One check in words; `hosts` are asked at `port`, every `interval_s`. `writes`: only at a gate, if agreed."""

    check: str
    subject: str
    level: str
    level_means: str
    probe: str
    parameters: str
    question: str
    proof: str
    gap: str
    writes: bool
    hosts: list[str]
    port: int
    interval_s: int
    timeout_s: int


class ChecksExplained(TypedDict):
    """What `checks explain` prints."""

    checks: list[Explained]


class LabHost(TypedDict):
    """How one host of the lab stands: its side of the switch, its disk, how many processes it runs."""

    service: str
    address: str
    network: Literal["production", "quarantine"]
    disk: Literal["whole", "encrypted", "wiped"]
    processes: int


class LabStatus(TypedDict):
    """What `lab up` and `lab status` print; `running`: the process that owns the hosts' services lives."""

    running: bool
    hosts: dict[str, LabHost]
    packages: dict[str, str]
