"""Decides what the people of an incident do next, from what the core's state asks of them.

Never acts and never draws lots: the same state gets the same answer. `staff` carries the answers out in invented time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import is_

from orchestrator.canonical import Json
from orchestrator.decision import orders, quorum
from orchestrator.decision.decide import being_isolated
from orchestrator.decision.order_rules import stops
from orchestrator.decision.stages import GONE, OUT, Stage
from orchestrator.decision.state import State
from orchestrator.plans.model import Shift

DAY_S = 86_400
SECOND = 1_000_000
TRIES_BEFORE_REPLACING = 6
# What owners of services agree to.
AGREED: dict[str, Json] = {
    "patient": "TEST-RELANCE",
    "routes": "none leads to a ward",
    "cleanup": "the owner, once the gate has passed",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """An order somebody should give now."""

    kind: str
    subject: str
    args: dict[str, Json] = field(default_factory=dict)


class Shifts:
    """Who is there at which time of the day; whoever stands in no shift always is. Hours are UTC plus `offset_s`."""

    def __init__(self, shifts: Sequence[Shift], offset_s: int = 0) -> None:
        self._offset_s = offset_s
        self._hours: dict[str, list[tuple[int, int]]] = {}
        for shift in shifts:
            for person in shift.persons:
                self._hours.setdefault(person, []).append((_second(shift.start), _second(shift.end)))
        self._changes = sorted({hour for hours in self._hours.values() for both in hours for hour in both})

    def present(self, person: str, at_us: int) -> bool:
        """Whether the person is on duty."""
        hours = self._hours.get(person)
        now_s = (at_us // SECOND + self._offset_s) % DAY_S
        return hours is None or any(
            start <= now_s < end if start < end else not end <= now_s < start for start, end in hours
        )

    def next_change_us(self, at_us: int) -> int | None:
        """When somebody comes or goes next; None where nobody ever does."""
        if not self._changes:
            return None
        now_s = at_us // SECOND + self._offset_s
        midnight_s = now_s - now_s % DAY_S
        later = [day + hour for day in (midnight_s, midnight_s + DAY_S) for hour in self._changes if day + hour > now_s]
        return (min(later) - self._offset_s) * SECOND


def _second(hour: str) -> int:
    hours, minutes = hour.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def signers(state: State, wish: Wish, present: Sequence[str]) -> tuple[str, ...]:
    """One person of those `present` for each signature the order needs; empty while somebody is missing."""
    seats = orders.seats_of(state, wish.kind, wish.subject)
    return _seated(state, seats, [one for one in present if one in state.roster and one not in state.revoked])


def _seated(state: State, seats: Sequence[frozenset[str]], free: list[str]) -> tuple[str, ...]:
    if not seats:
        return ()
    for person in free:
        if state.roster[person].roles & seats[0]:
            others = _seated(state, seats[1:], [one for one in free if one != person])
            if len(others) == len(seats) - 1:
                return (person, *others)
    return ()


def wishes(state: State, t0_us: int) -> Iterator[Wish]:
    """Every order that the state asks for now: what stops everybody first, then waves, quorums and hosts.

    `t0_us` is what is known of the first compromise.
    """
    yield from _for_everybody(state, t0_us)
    yield from _for_waves(state)
    yield from _for_quorums(state)
    yield from _for_cures(state)
    yield from _for_hosts(state)
    yield from _for_unwiped(state)


def _for_everybody(state: State, t0_us: int) -> Iterator[Wish]:
    if state.clock_doubted and not state.clock_confirmed:
        yield Wish("clock.confirm", "clock")
    for scope, mode in list(state.freezes.items()):
        if mode != "recall":  # else its host must be recalled first, or found CLEAN
            yield Wish("thaw", scope)
    if "t0" not in state.facts:
        yield Wish("fact.t0", "t0", {"at_us": t0_us})
    if "breach_closed" not in state.facts:
        yield Wish("fact.breach_closed", "breach_closed")
    for name in compress(state.estate.services, state.estate.outside):
        if f"outside:{name}" not in state.facts:
            yield Wish("fact.outside", name)
    for name in sorted({key.partition("/")[0] for key in state.estate.witness_task.values()}):
        if f"agreement:{name}" not in state.facts:
            yield Wish("fact.agreement", name, {**AGREED, "owner": f"head of {name}"})


def _for_waves(state: State) -> Iterator[Wish]:
    revoked, waves = state.revoked, state.estate.waves
    for number, wave in enumerate(state.waves):
        if not wave.launchers or revoked.issuperset(wave.launchers):  # none launched it, or none who still counts
            if all(state.waves[before].launchers for before in state.after[number]):
                yield Wish("wave.launch", waves[number].name)
        elif wave.holds and {"order", "failures"} & wave.holds.keys():
            yield Wish("wave.resume", waves[number].name)


def _for_quorums(state: State) -> Iterator[Wish]:
    """A service that lost its candidates for good is lowered or dropped, a gate whose posts are gone is gone around."""
    if not _left_out(state):
        return
    for number, name in enumerate(state.estate.services):
        if state.estate.outside[number] or number in state.dropped:
            continue
        able = sum(state.stage[host] is not Stage.EXCLUDED for host in state.players(number))
        if able == 0:
            yield Wish("service.drop-need", name)
        elif able < state.quorum[number]:
            yield Wish("service.lower-k", name, {"k": able})
    for number, posts_of_sites in enumerate(state.posts):
        if any(posts and all(state.stage[post] is Stage.EXCLUDED for post in posts) for posts in posts_of_sites):
            for later, edges in enumerate(state.after):
                if number in edges and not state.waves[number].passed_us:
                    waves = state.estate.waves
                    yield Wish("wave.after-removed", waves[later].name, {"after": waves[number].name})


def _left_out(state: State) -> bool:
    """Whether a host that the plan wants back is excluded."""
    if not state.entered[Stage.EXCLUDED]:
        return False
    # Asked at each round of each future: no bytecode runs for a host.
    return max(compress(state.wave_of, map(is_, state.stage, repeat(Stage.EXCLUDED))), default=-1) >= 0


def _for_cures(state: State) -> Iterator[Wish]:
    """A relapsed service whose last hosts stand behind a gate that does not pass: that gate is gone around."""
    estate, waves = state.estate, state.waves
    for service, home in enumerate(estate.wave_of_service):
        if state.up[service] or service in state.dropped or home < 0 or not waves[home].passed_us:
            continue
        able = [host for host in state.candidates(service) if state.wave_of[host] >= 0]
        behind = {
            host: state.wave_of[host]
            for host in able
            if any(not waves[one].passed_us for one in state.ancestors[state.wave_of[host]])
        }
        if len(able) - len(behind) < state.quorum[service]:
            barred = {one for wave in behind.values() for one in (wave, *state.ancestors[wave])}
            for wave in sorted(barred):
                for edge in sorted(one for one in state.after[wave] if not waves[one].passed_us):
                    args: dict[str, Json] = {"after": estate.waves[edge].name}
                    yield Wish("wave.after-removed", estate.waves[wave].name, args)


def _for_hosts(state: State) -> Iterator[Wish]:
    """Failed hosts are tried again, in the end with another machine; who is out and doubtful is taken back."""
    failed = enumerate(state.stage) if Stage.FAILED in state.stage else ()
    for host in [host for host, stage in failed if stage is Stage.FAILED]:
        yield _retry(state, host)
    for host, asks in list(state.asks.items()):
        kind = answer(state.stage[host], asks)
        if kind == "host.recall":
            if not being_isolated(state, host):
                yield Wish(kind, state.estate.hosts[host], {"stops": list(stops(state, host))})
        elif kind:
            yield _retry(state, host)


def _for_unwiped(state: State) -> Iterator[Wish]:
    """The disk of a host that others brought back is looked at elsewhere, and what was found imported."""
    unwiped = enumerate(state.strategy) if "declared" in state.strategy else ()
    for host, strategy in unwiped:
        if strategy == "declared" and not quorum.vouched(state, host) and state.stage[host] not in GONE:
            evidence: dict[str, Json] = {state.estate.hosts[host]: f"disk {len(state.imported.get(host, ()))}"}
            yield Wish("evidence.import", "disk", {"tool": "scan", "taken": "offline", "hosts": evidence})


def _retry(state: State, host: int) -> Wish:
    """The same again; another machine for one that was restored or inspected too often for that to be bad luck."""
    spent = state.stage[host] not in OUT and max(state.attempts[host][1:3]) >= TRIES_BEFORE_REPLACING
    return Wish("host.retry", state.estate.hosts[host], {"strategy": "replace"} if spent else {})


def answer(stage: Stage, asks: dict[str, str]) -> str:
    """The kind of order that answers what is asked about a host; empty where only a verdict does."""
    if stage in OUT and ("network" in asks or "check" in asks):
        return "host.recall"
    return "" if stage in GONE or asks.keys() <= {"owed"} else "host.retry"
