"""How invented analysts judge workstations by lots: one opens it, the sample is read, then one signs for the rest.

Never holds a host back: whoever stands in no lot that can be signed for, or soon can, is read like any other.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

from orchestrator.canonical import Json
from orchestrator.decision import lots, quorum
from orchestrator.decision.events import Judged
from orchestrator.decision.parts import Lot
from orchestrator.decision.seats import seats_open
from orchestrator.decision.stages import INSPECTED
from orchestrator.decision.state import State
from orchestrator.simulation.durations import WORK_NUMBER
from orchestrator.simulation.people import Wish
from orchestrator.simulation.world import READING, SECOND, World


def to_open(state: State, host: int) -> Wish | None:
    """The order that opens the lot of a host that was just made anew; None where it is open, or there are none."""
    estate, image = state.estate, state.image[host]
    site = estate.sites[estate.site_of[host]]
    if host not in state.made or not estate.group(host).klass.lots or lots.key(site, image) in state.lots:
        return None
    args: dict[str, Json] = {"image": image, "seed": sha256(f"{site} {image} {state.seq}".encode()).hexdigest()}
    return Wish("lot.open", site, args)


class Readers(Protocol):
    """The analysts, as `Staff` has them at work."""

    def want(self, host: int) -> None:
        """A host waits for readers, if it still does."""

    def want_first(self, host: int, other: int) -> None:
        """A host is to be read as urgently as another one."""

    def assign(self) -> None:
        """Whoever is free takes the next seat."""


class LotReading:
    """Who signs for which lot now; `busy` are at work. The readers come with each call: nothing here names them, so
    that a future that is over goes at once, and nothing is collected."""

    def __init__(self, world: World, busy: set[str]) -> None:
        self.world, self.busy = world, busy
        self._waiting: dict[str, set[int]] = {}  # hosts that will be signed for, or looked at again
        self._signing: set[str] = set()

    def takes(self, readers: Readers, host: int, person: str) -> bool:
        """Whether a host need not be read: its lot is being signed for, its sample read, or `person` signs now."""
        state = self.world.state
        name = state.lot_of.get(host, "")
        lot = state.lots.get(name)
        if lot is None or host in lot.drawn or lot.condemned or state.verdicts[host]:
            return False
        if name not in self._signing:
            if lots.signable(state, lot, self.world.now_us):
                self._sign(readers, host, name, person)
            elif not self._read_sample(readers, host, lot):
                return False
        self._waiting.setdefault(name, set()).add(host)
        return True

    def _read_sample(self, readers: Readers, host: int, lot: Lot) -> bool:
        """Whether those drawn are read now, as urgently as this host: no more of them than hosts that wait for it."""
        state, now_us = self.world.state, self.world.now_us
        waiting = self._waiting.get(state.lot_of[host], set())
        unread = [one for one in lot.drawn if not lots.is_clean(state, one, now_us)]
        if len(unread) > len(waiting) + 1 or len(lot.members) < state.estate.content.restart.lots.first:
            return False
        if not all(quorum.seats_wanted(state, one) and seats_open(state, one, now_us) for one in unread):
            return False
        for one in sorted(unread):
            readers.want_first(one, host)
        return True

    def _sign(self, readers: Readers, host: int, name: str, person: str) -> None:
        """What one reads before signing takes as long as one host."""
        world, state = self.world, self.world.state
        of = world.tables[state.estate.group_of[host]][WORK_NUMBER["verdict"]]
        luck = world.chance.normal(READING, host, state.attempts[host][2], 1 << 20)
        self._signing.add(name)
        self.busy.add(person)
        world.at(world.now_us + world.durations.drawn_us(of, luck, world.now_us), self._signed, readers, person, name)

    def _signed(self, readers: Readers, person: str, name: str) -> None:
        world, state = self.world, self.world.state
        self.busy.discard(person)
        self._signing.discard(name)
        lot, ends_us = state.lots[name], world.now_us + state.estate.timing.verdict_valid_s * SECOND
        members = [one for one in sorted(lot.members - lot.drawn) if self._takes_part(one, name, person)]
        if members and person not in state.revoked and lots.signable(state, lot, world.now_us):
            hosts = [*members, *sorted(lot.drawn)]
            judged = {state.estate.hosts[one]: state.inspection[one] for one in hosts}
            world.tell(Judged(quorum.CLEAN, judged, person, state.indicator_set, ends_us, "b"))
            for one in members:
                world.at(ends_us, readers.want, one)
        self.look_again(readers, name)

    def _takes_part(self, host: int, name: str, person: str) -> bool:
        state, now_us = self.world.state, self.world.now_us
        here = state.lot_of.get(host) == name and state.stage[host] is INSPECTED
        return here and person not in quorum.counting(state, host, now_us) and seats_open(state, host, now_us) > 0

    def look_again(self, readers: Readers, name: str) -> None:
        """A host of the sample was read, or the lot was signed for: who waited for that wants a seat, if still any."""
        for host in sorted(self._waiting.pop(name, ())):
            readers.want(host)
        readers.assign()
