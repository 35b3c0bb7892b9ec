"""What the core decides: one class per kind of command, each journaled before any of its effects.

Never carries out anything: the engine hands `Issue` and `Cancel` to workers; the others only change the state.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Issue:
    """Start one action. `target` is a host id, or a site id for the isolation of a whole site."""

    action: str
    target: str
    step: str
    strategy: str = ""
    supersedes: str = ""


@dataclass(slots=True)
class Cancel:
    """Stop an action if its runner has not started."""

    action: str
    why: str


@dataclass(slots=True)
class EnterService:
    """The host's check passed often enough after its release."""

    host: str


@dataclass(slots=True)
class ChangeStrategy:
    """The class's next strategy takes over on this host."""

    host: str
    strategy: str
    why: str


@dataclass(slots=True)
class Condemn:
    """What was restored is from after the first compromise: it is wiped again."""

    host: str
    why: str


@dataclass(slots=True)
class Exclude:
    """An order to leave the host out takes effect: nothing is under way on it any more."""

    host: str


@dataclass(slots=True)
class GiveUp:
    """No strategy is left: the host has failed until a person says otherwise."""

    host: str
    why: str


@dataclass(slots=True)
class Ask:
    """A person must decide about this host; nothing more starts in the named lane until then."""

    host: str
    lane: str
    why: str


@dataclass(slots=True)
class Owe:
    """A host that is out owes an inspection until `deadline_us`; `holds` says whether successors wait for it."""

    host: str
    cause: str
    deadline_us: int
    holds: bool


@dataclass(slots=True)
class Freeze:
    """Reconnects stop: at `site:ID` after an alarm; for `reach:HOST` those of `hosts`, which that host spoke with."""

    scope: str
    why: str
    hosts: list[str]


@dataclass(slots=True)
class Thaw:
    """The freeze of a reach ends: why a recall was asked for was answered."""

    scope: str
    why: str


@dataclass(slots=True)
class StartSoak:
    """Everything a gate judges shows PASS: its soak begins."""

    wave: str


@dataclass(slots=True)
class BreakSoak:
    """Something a gate judges no longer holds: its soak starts anew."""

    wave: str
    why: str


@dataclass(slots=True)
class PassGate:
    """The gate passed on these fresh readings (subjects)."""

    wave: str
    subjects: list[str]


@dataclass(slots=True)
class Hold:
    """A wave releases nobody while this cause stands."""

    wave: str
    cause: str


@dataclass(slots=True)
class Unhold:
    """The cause went away."""

    wave: str
    cause: str


@dataclass(slots=True)
class OpenTask:
    """A task for people opens (again)."""

    task: str
    why: str


@dataclass(slots=True)
class ConfirmTask:
    """The machine source of a reported task reads PASS."""

    task: str


Command = (
    Issue
    | Cancel
    | EnterService
    | ChangeStrategy
    | Condemn
    | Exclude
    | GiveUp
    | Ask
    | Owe
    | Freeze
    | Thaw
    | StartSoak
    | BreakSoak
    | PassGate
    | Hold
    | Unhold
    | OpenTask
    | ConfirmTask
)
