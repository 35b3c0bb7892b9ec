"""The words for how things come back: classes, capacity, roster, restart rules; and the waves derived from them.

Never derives anything: `plans.priority` and `plans.waves` do.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from orchestrator.checks.model import Check
from orchestrator.inventory.model import Account, Id, Inventory, Needs, Strict, Task, Text

Strategy = Literal["restore", "reimage", "replace", "leave_off"]
Role = Literal["operator", "analyst", "technician", "crisis", "forensic_lead", "it_director"]
Hour = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Day = Annotated[str, StringConstraints(pattern=r"^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$")]
Seconds = Annotated[int, Field(ge=0)]
# Below the system drive of a Windows host; what can be written by most comes first, should the bound on files be met.
# Not Windows/WinSxS: its 100,000 copies of what stands in System32 alone would take half of that bound.
WINDOWS_PATHS = (
    *("Users", "ProgramData", "Program Files", "Program Files (x86)"),
    *("Windows/Temp", "Windows/Tasks", "Windows/SYSVOL", "Windows/System32", "Windows/SysWOW64"),
)
# The beginning of every public key line; `trust` judges whether the key is strong enough.
_KEY = (
    r"^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|(verify-required )?sk-(ssh-ed25519|ecdsa-sha2-nistp256)"
    r"@openssh\.com) AAAA[A-Za-z0-9+/]{60,}={0,2}( .*)?$"
)


class StepTimes(Strict):
    """Seconds per step: a duration to plan with, or a limit to cancel at."""

    preserve: int = Field(default=600, ge=1)
    restore: int = Field(default=3600, ge=1)
    inspect: int = Field(default=600, ge=1)
    reconnect: int = Field(default=60, ge=1)
    isolate: int = Field(default=60, ge=1)


class StepPools(Strict):
    """The pools one action of each step takes a slot of."""

    preserve: tuple[Id, ...] = ()
    restore: tuple[Id, ...] = ()
    inspect: tuple[Id, ...] = ()
    reconnect: tuple[Id, ...] = ()


class Playbooks(Strict):
    """File names in `plans/playbooks/` per step or strategy."""

    preserve: str = "preserve.yml"
    restore: str = "restore.yml"
    reimage: str = "reimage.yml"
    reconnect: str = "reconnect.yml"
    isolate: str = "isolate.yml"


class Login(Strict):
    """How SSH reaches hosts of a class: on the host itself and on its management path."""

    user: Account = "relance"
    port: int = Field(default=22, ge=1, le=65535)
    management_user: Account = "relance"
    management_port: int = Field(default=22, ge=1, le=65535)


class HostClass(Strict):
    """What hosts of one kind have in common.

    `source` is `media`, `spare`, `repository:SERVICE` or `hypervisor:SERVICE`. `counts_for_s`: how long a
    workstation that once passed keeps counting at a gate while it is off. `reading_s`: what one analyst needs to read
    an inspection and sign a verdict. `lots`: workstations that were wiped and made anew from one image may be signed
    for at once, after a hand sample. `edr`: the process an inspection looks for (as in /proc/PID/comm, or the
    program's file name on Windows; empty: none).
    """

    id: Id
    name: Text
    kind: Literal["server", "workstation"]
    os: Literal["linux", "windows"]
    source: str = Field(pattern=r"^(media|spare|(repository|hypervisor):[a-z0-9][a-z0-9.-]{0,62})$")
    cleanliness: Literal["offline", "online"]
    strategies: tuple[Strategy, ...] = Field(min_length=1)
    verdicts_required: int = Field(default=2, ge=1, le=3)
    lots: bool = False
    preservation: Literal["required", "waived"] = "required"
    needs: Needs = Needs()
    tasks: tuple[Task, ...] = ()
    pools: StepPools = StepPools()
    playbooks: Playbooks = Playbooks()
    login: Login = Login()
    duration_s: StepTimes = StepTimes()
    limit_s: StepTimes = StepTimes(preserve=7200, restore=14400, inspect=1800, reconnect=300, isolate=300)
    counts_for_s: int = Field(default=172800, ge=60)
    reading_s: int = Field(default=900, ge=1)
    edr: str = Field(default="", max_length=63)


class Pool(Strict):
    """A limited resource: `size` everywhere together, or `per_site` with a default."""

    id: Id
    name: Text
    size: int | None = Field(default=None, ge=0)
    per_site: dict[Id, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    per_site_default: int | None = Field(default=None, ge=0)


class Shift(Strict):
    """Who is there, from and to as local hours `HH:MM`."""

    id: Id
    start: Hour
    end: Hour
    persons: tuple[Id, ...]


class Capacity(Strict):
    """`plans/capacity.yaml`."""

    pools: tuple[Pool, ...] = ()
    shifts: tuple[Shift, ...] = ()


class Person(Strict):
    """A person of the roster by role name, never by a person's name; `key` is one OpenSSH public key line."""

    id: Id
    roles: tuple[Role, ...] = Field(min_length=1)
    key: str = Field(pattern=_KEY)
    valid_from: Day = ""
    valid_until: Day = ""


class Roster(Strict):
    """`plans/roster.yaml`: the genesis of who may sign."""

    persons: tuple[Person, ...] = ()


class Timing(Strict):
    """Durations in seconds that rules speak of; a drill scales them down."""

    soak_s: int = Field(default=900, ge=0)
    passes: int = Field(default=3, ge=1)
    in_service_passes: int = Field(default=3, ge=1)
    host_fail_s: int = Field(default=900, ge=1)
    sweep_s: int = Field(default=60, ge=1)
    tries: int = Field(default=3, ge=1)
    waits_s: tuple[Seconds, ...] = Field(default=(60, 300, 900), min_length=1)
    unreachable_s: tuple[Seconds, ...] = Field(default=(120, 900), min_length=1)
    verdict_valid_s: int = Field(default=259200, ge=60)
    claim_s: int = Field(default=3600, ge=10)
    obligation_s: int = Field(default=259200, ge=60)
    workstations_per_minute: int = Field(default=5, ge=1)


class GateRule(Strict):
    """Overrides of a wave's gate."""

    soak_s: int | None = Field(default=None, ge=0)
    passes: int | None = Field(default=None, ge=1)
    without_interfaces: tuple[Id, ...] = ()


class Slice(Strict):
    """The posts of a function's slice wave, per site; a site without an entry gives the default number."""

    posts: dict[Id, tuple[Id, ...]] = Field(default_factory=dict)


class Split(Strict):
    """Services of a wave, and all its hosts at these sites, set apart into a later wave `WAVE/NAME`."""

    wave: Text
    name: Id
    services: tuple[Id, ...] = ()
    sites: tuple[Id, ...] = ()


class Inspection(Strict):
    """What an inspection looks at on a host: folders below `root`, and file names that ransomware leaves.

    `windows_paths` are the folders of a Windows host, below its system drive.
    `evidence_bytes_max` bounds the evidence store; signed documents and indicator sets are kept beyond it.
    """

    root: str = "/"
    paths: tuple[str, ...] = ("etc", "usr/local", "home", "root", "opt", "srv", "var/spool/cron", "boot")
    windows_paths: tuple[str, ...] = WINDOWS_PATHS
    markers: tuple[str, ...] = ("RANSOM_NOTE.txt", "*.locked", "implant")
    evidence_bytes_max: int = Field(default=1 << 36, ge=1 << 20)


class LotRule(Strict):
    """The hand sample of a lot: the `first` hosts of each image at each site are read, then one in `one_in`."""

    first: int = Field(default=5, ge=1)
    one_in: int = Field(default=20, ge=1)


class Restart(Strict):
    """`plans/restart.yaml`: the recorded order and rules of this restart."""

    scenario: Literal["restore-vital-services", "regain-control", "durable-control"] = "restore-vital-services"
    order: tuple[Id, ...] = ()
    pinned: tuple[Id, ...] = ()
    slices: dict[Id, Slice] = Field(default_factory=dict)
    posts_per_site: int = Field(default=3, ge=1)
    canary: int = Field(default=10, ge=1)
    gates: dict[str, GateRule] = Field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    leave_off: tuple[Id, ...] = ()
    no_waiver: tuple[Id, ...] = ()
    timing: Timing = Timing()
    inspection: Inspection = Inspection()
    lots: LotRule = LotRule()


class Content(Strict):
    """Everything people edit, read once; `digest` is the SHA-256 (hex) over all its files."""

    inventory: Inventory
    checks: tuple[Check, ...] = ()
    classes: tuple[HostClass, ...] = ()
    capacity: Capacity = Capacity()
    roster: Roster = Roster()
    restart: Restart = Restart()
    digest: str = ""


class Gate(Strict):
    """What must hold for a wave to have passed: k per service, interfaces, and `need` of the `posts` per site."""

    services: dict[str, int] = Field(default_factory=dict)
    interfaces: tuple[str, ...] = ()
    owed_interfaces: tuple[str, ...] = ()
    posts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    need: dict[str, int] = Field(default_factory=dict)
    soak_s: int = 0
    passes: int = 1


class Wave(Strict):
    """What an operator launches. `part` is `foundations`, `slice`, `rest-N` or `split`; `after` holds wave names."""

    name: str
    function: str | None
    part: str
    rank: int
    after: tuple[str, ...]
    services: tuple[str, ...]
    hosts: tuple[str, ...]
    gate: Gate


class Plan(Strict):
    """The waves, topologically then by rank, and the priority class of each host (0 is most urgent).

    `ranks` maps host id to its inherited function rank; `quorum` names the hosts that were chosen for a quorum or
    slice, and so inherit it in full; `tail_s` is the longest remaining chain behind the host, in seconds: for what a
    service has beyond its quorum and one spare its own work alone, for posts beyond those a gate asks for 0. Both maps
    hold every host, those that stay off too (they come last and stand in no wave).
    """

    digest: str
    waves: tuple[Wave, ...]
    ranks: dict[str, int]
    quorum: frozenset[str]
    tail_s: dict[str, int]
    warnings: tuple[str, ...] = ()
