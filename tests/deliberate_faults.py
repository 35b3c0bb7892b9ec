"""Mistakes made on purpose in the core's rules, one at a time, to prove that the simulator can see them.

Never touches who watches: invariants, witness and recount keep the right functions, so that what they share with the
core by name alone cannot blind them. Holding slots back for higher classes is not in the product, so neither is its
mistake.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from orchestrator.decision import admit, blockers, capacity, decide, findings, gates, life, lots, orders, quorum
from orchestrator.decision.commands import BreakSoak, Command
from orchestrator.decision.events import Finished, Judged, Lost
from orchestrator.decision.parts import OpenAction
from orchestrator.decision.state import QUARANTINED, UNKNOWN, State
from orchestrator.simulation.staff import SECOND_KEY

WATCHERS = ("invariants", "recount", "witness", "witness_books", "witness_lots", "witness_orders", "witness_reach")
Make = Callable[[Any], Any]


class Bed:
    """Where mistakes are planted: a function is swapped wherever the core knows it, and put back at the end."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def swap(self, owner: ModuleType | type, name: str, make: Make) -> None:
        """The core goes on with what `make` makes of the right function."""
        right = getattr(owner, name)
        wrong = make(right)
        if isinstance(owner, type):
            self._put(owner, name, right, wrong)
            return
        for module in _core():
            for key, value in list(vars(module).items()):
                if value is right:
                    self._put(module, key, right, wrong)
                elif isinstance(value, dict) and any(one is right for one in value.values()):
                    self._put_in(value, right, wrong)

    def clear(self) -> None:
        """Everything is as it was."""
        for undo in reversed(self._undo):
            undo()

    def _put(self, owner: ModuleType | type, name: str, right: object, wrong: object) -> None:
        setattr(owner, name, wrong)
        self._undo.append(lambda: setattr(owner, name, right))

    def _put_in(self, table: dict[Any, Any], right: object, wrong: object) -> None:
        keys = [key for key, value in table.items() if value is right]
        table.update(dict.fromkeys(keys, wrong))
        self._undo.append(lambda: table.update(dict.fromkeys(keys, right)))


def _core() -> list[ModuleType]:
    prefix = "orchestrator.decision."
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(prefix) and name.removeprefix(prefix) not in WATCHERS
    ]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: what is wrong, and how it is made."""

    wrong: str
    make: Callable[[Bed], None]


@contextmanager
def made(mistake: Mistake) -> Iterator[None]:
    """The core of this process makes the mistake as long as the block runs."""
    bed = Bed()
    try:
        mistake.make(bed)
        yield
    finally:
        bed.clear()


def _but(*codes: str) -> Make:
    """The blockers without these codes."""

    def make(right: Any) -> Any:
        return lambda *asked: (one for one in right(*asked) if one[0] not in codes)

    return make


def _keys_counted(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def by_key(state: State, event: Judged, *more: Any) -> None:
            named = f"{event.person} {SECOND_KEY}" if event.blob == SECOND_KEY else event.person
            right(state, replace(event, person=named), *more)

        return by_key

    bed.swap(findings, "judged", make)
    bed.swap(orders, "_admit_judged_host", make)


def _unknown_passes(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def pending(state: State, wave: int, now_us: int) -> Iterator[gates.Lack]:
            for code, subject in right(state, wave, now_us):
                if code != "passes" or state.readings[subject].outcome != "UNKNOWN":
                    yield code, subject

        return pending

    bed.swap(gates, "pending", make)


def _partner_forgotten(bed: Bed) -> None:
    def membership_changed(state: State, host: int) -> None:
        for service in state.estate.services_of[host]:
            state.refresh_service(service)

    bed.swap(State, "membership_changed", lambda _: membership_changed)


def _released_twice(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def release(state: State, pools: capacity.Signature) -> None:
            right(state, pools)
            for pool in pools:
                state.in_use[pool] -= 1

        return release

    bed.swap(capacity, "release", make)


def _stale_verdict(bed: Bed) -> None:
    def void_proof(state: State, host: int) -> None:
        state.inspection[host] = ""
        state.claims.pop(host, None)

    bed.swap(State, "void_proof", lambda _: void_proof)


def _freeze_leaks(bed: Bed) -> None:
    def make(right: Any) -> Any:
        return lambda *asked: (one for one in right(*asked) if not one[1].startswith("site:"))

    bed.swap(blockers, "freeze_blockers", make)


def _not_preserved(bed: Bed) -> None:
    def make(right: Any) -> Any:
        return lambda *asked: "restore" if right(*asked) == "preserve" else right(*asked)

    bed.swap(blockers, "next_step", make)
    bed.swap(blockers, "_restore", _but("evidence"))


def _straggler(bed: Bed) -> None:
    def needed(state: State, wave: int, number: int) -> int:
        return min(state.estate.waves[wave].posts[number][1], -(-2 * len(state.posts[wave][number]) // 3))

    bed.swap(gates, "_posts_needed", lambda _: needed)


def _late_applied(bed: Bed) -> None:
    def admit_result(right: Any) -> Any:
        def admitted(state: State, event: Any) -> Any:
            return event if isinstance(event, Finished) and event.action in state.ended else right(state, event)

        return admitted

    def close(right: Any) -> Any:
        def closed(state: State, name: str, how: str) -> OpenAction:
            if name in state.open:
                return right(state, name, how)  # type: ignore[no-any-return]
            target, step, _ = name.split("/")
            host = state.estate.host_number.get(target, -1)
            site = state.estate.site_number[target] if host < 0 else state.estate.site_of[host]
            return OpenAction(host, site, step, "", state.at_us)

        return closed

    bed.swap(admit, "_admit_result", admit_result)
    bed.swap(life, "_close", close)


def _jump_expires(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def judged_later(state: State, about: Any, now_us: int, **more: Any) -> Any:
            return right(state, about, now_us + max(0, state.jump_us), **more)

        return judged_later

    bed.swap(decide, "_task", make)
    bed.swap(decide, "_out", make)
    bed.swap(gates, "examine", make)
    bed.swap(quorum, "counting", make)


def _unknown_is_quarantined(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def but_unit(state: State, host: int, now_us: int) -> Iterator[blockers.Blocker]:
            unknown = state.connection[host] == UNKNOWN
            return (one for one in right(state, host, now_us) if not (unknown and one[0] == "quarantine"))

        return but_unit

    bed.swap(blockers, "but_unit", make)


def _cure_held(bed: Bed) -> None:
    bed.swap(blockers, "_exempt", lambda _: lambda *asked: False)


def _all_anew(bed: Bed) -> None:
    def unit_wants(state: State, host: int, now_us: int) -> bool | None:
        group = state.estate.group(host)
        if not group.unit_needs:
            return None
        services = {*group.unit_needs, *(one for one in group.services if state.estate.unit[one])} - state.dropped
        if all(state.up[service] for service in services):
            return True
        for service in services:
            players = state.estate.players[service]
            if sum(blockers.could_follow(state, one, now_us) for one in players) < state.quorum[service]:
                return False
        return any(quorum.out_of(state, service) < state.quorum[service] for service in group.services)

    bed.swap(blockers, "unit_wants", lambda _: unit_wants)


def _owed_in_quarantine(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def seats_wanted(state: State, host: int) -> bool:
            cut_off = state.connection[host] == QUARANTINED
            return bool(right(state, host)) and (cut_off or host not in state.obligations)

        return seats_wanted

    bed.swap(quorum, "seats_wanted", make)


def _waits_for_a_point(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def spent(state: State, host: int) -> Command | None:
            command: Command | None = right(state, host)
            return None if "restore point" in str(getattr(command, "why", "")) else command

        return spent

    bed.swap(decide, "_strategy_spent", make)


def _revoked_counts(bed: Bed) -> None:
    def counting(state: State, host: int, now_us: int, *, expired_too: bool = False) -> set[str]:
        at_us = 0 if expired_too else now_us
        valid = [one for one in state.verdicts[host] if one.expires_us > at_us and one.verdict == quorum.CLEAN]
        return {one.person for one in valid if one.indicator_set == state.indicator_set}

    bed.swap(quorum, "counting", lambda _: counting)


def _nobody_wakes(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def wake_at(state: State, at_us: int, what: str, number: int) -> None:
            if what != "host":
                right(state, at_us, what, number)

        return wake_at

    bed.swap(State, "wake_at", make)


def _start_proves(bed: Bed) -> None:
    bed.swap(findings, "started", lambda _: lambda *told: None)


def _soak_outlives(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def examine(state: State, wave: int, now_us: int) -> Command | None:
            command: Command | None = right(state, wave, now_us)
            return None if isinstance(command, BreakSoak) else command

        return examine

    bed.swap(gates, "examine", make)


def _lost_keeps(bed: Bed) -> None:
    def make(right: Any) -> Any:
        def lost(state: State, event: Lost, at_us: int) -> None:
            pools = state.open[event.action].pools
            right(state, event, at_us)
            for pool in pools:
                state.in_use[pool] += 1

        return lost

    bed.swap(life, "lost", make)


def _sample_unread(bed: Bed) -> None:
    bed.swap(lots, "is_clean", lambda right: lambda state, host, now_us: True)


def _never_condemned(bed: Bed) -> None:
    bed.swap(lots, "condemn", lambda right: lambda state, host: None)


MISTAKES = {
    "a lot signed for before its sample is read": Mistake(
        "Whoever was drawn from a lot is taken for CLEAN before anybody has read it.", _sample_unread
    ),
    "a lot that outlives an infected host": Mistake(
        "INFECTED on a host of a lot takes nothing back that was said of all of it.", _never_condemned
    ),
    "quorum counts keys instead of persons": Mistake(
        "Whoever signs a second time with another key is taken for a second person.", _keys_counted
    ),
    "gate passes on UNKNOWN": Mistake("A reading that says UNKNOWN keeps no gate from passing.", _unknown_passes),
    "recall forgets a unit partner": Mistake(
        "Who shares a unit with a host that came or went does not look again.", _partner_forgotten
    ),
    "pool released twice": Mistake("Each action that ends gives its slots back twice.", _released_twice),
    "stale verdict accepted after a re-restore": Mistake(
        "Verdicts outlive the inspection and the restore they judged.", _stale_verdict
    ),
    "freeze leaks a reconnect": Mistake("A freeze of a site stops no reconnect.", _freeze_leaks),
    "preservation skipped": Mistake("Hosts are restored before their evidence is preserved.", _not_preserved),
    "straggler never leaves the denominator": Mistake(
        "A post that is gone for good goes on counting among those of which two thirds must work.", _straggler
    ),
    "late result applied": Mistake(
        "A result that comes after its action's end is applied all the same.", _late_applied
    ),
    "expiry by an unconfirmed clock jump": Mistake(
        "Verdicts, tasks, exceptions and soaks end by a jump of the clock that nobody confirmed.", _jump_expires
    ),
    "connection unknown treated as quarantined": Mistake(
        "A host of which nobody knows whether it is cut off may be reconnected.", _unknown_is_quarantined
    ),
    "a relapse hold that binds its own cure": Mistake(
        "The hosts of a relapsed service, and of what it needs, are held by its relapse.", _cure_held
    ),
    "a unit that wants two clean partners when one is out": Mistake(
        "Hosts of a unit that are out already do not count towards k.", _all_anew
    ),
    "an obligation whose seat needs quarantine": Mistake(
        "The seats of a host that is inspected where it stands open only in quarantine.", _owed_in_quarantine
    ),
    "a strategy that waits for a restore point that cannot exist": Mistake(
        "A host without a restore point older than T0 never goes on to its next strategy.", _waits_for_a_point
    ),
    "a revoked person's verdict goes on counting": Mistake(
        "Who counts verdicts forgets to ask whether their signer was revoked.", _revoked_counts
    ),
    "a wait that nobody ends": Mistake("No host is looked at again when its time has come.", _nobody_wakes),
    "a start that proves the quarantine": Mistake(
        "What a sweep had proven still counts after a time without a process.", _start_proves
    ),
    "a soak that outlives a FAIL": Mistake("A soak goes on though what it watches reads FAIL.", _soak_outlives),
    "a lost action that keeps its slots": Mistake("Who is lost gives no slot of its pools back.", _lost_keeps),
}
