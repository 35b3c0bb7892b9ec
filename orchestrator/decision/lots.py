"""Lots: workstations made from one image at one site, of which a hand sample is read and the others signed for at once.

Never lets in a host that was not wiped, or about which anything was suspected since; never counts verdicts (`quorum`
does). Whatever is doubtful about a lot leaves its hosts to be read one by one, like any other.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NoReturn

from orchestrator.decision import quorum
from orchestrator.decision.events import Judged
from orchestrator.decision.parts import Lot
from orchestrator.decision.stages import INSPECTED, OUT, RECONNECTING
from orchestrator.decision.state import State
from orchestrator.errors import Refused

WIPED = ("reimage", "replace")


def key(site: str, image: str) -> str:
    """What a lot is known by: where it is made, and from what (the image's SHA-256, hex)."""
    return f"{site}/{image}"


def join(state: State, host: int) -> None:
    """A host whose inspection has just ended stands in the open lot of its image, and may be drawn for reading.

    Drawn are the first ones, then one in so many: by a digest over the lot's seed, journaled before, and the evidence.
    """
    estate = state.estate
    name = key(estate.sites[estate.site_of[host]], state.image[host])
    lot = state.lots.get(name)
    if lot is None or lot.condemned or host not in state.made or not estate.group(host).klass.lots:
        return
    state.lot_of[host] = name
    lot.members.add(host)
    rule = estate.content.restart.lots
    drawn = sha256(f"{lot.seed} {state.inspection[host]} {state.evidence[host]}".encode()).digest()
    if len(lot.members) <= rule.first or int.from_bytes(drawn[:8], "big") % rule.one_in == 0:
        lot.drawn.add(host)


def called_clean(state: State, event: Judged) -> Lot | None:
    """The lot of which several hosts are called CLEAN at once; None where a verdict is nothing of the kind."""
    if event.verdict != quorum.CLEAN or len(event.inspections) < 2:
        return None
    hosts = [state.estate.host_number.get(name, -1) for name in event.inspections]
    names = [state.lot_of[host] for host in hosts if host in state.lot_of]
    return state.lots[names[0]] if names else None


def signable(state: State, lot: Lot, now_us: int) -> bool:
    """Whether its other hosts may be signed for at once: enough were drawn, and all of them are CLEAN."""
    enough = len(lot.members) >= state.estate.content.restart.lots.first
    return enough and not lot.condemned and all(is_clean(state, host, now_us) for host in lot.drawn)


def is_clean(state: State, host: int, now_us: int) -> bool:
    """Whether enough persons have read one that was drawn; once it is out, what they said then stands.

    An exception lets the host itself out, and stands in for no reader of its lot.
    """
    if state.stage[host] in OUT:
        return bool(state.inspection[host]) and host not in state.exceptions
    here = state.stage[host] in (INSPECTED, RECONNECTING) and not state.infected_us[host]
    read = len(quorum.counting(state, host, now_us))
    return here and read >= state.estate.group(host).klass.verdicts_required


def admit(state: State, event: Judged, now_us: int) -> None:
    """Several hosts are called CLEAN at once only as one lot, with all that were drawn of it. Raises Refused."""
    lot, estate = called_clean(state, event), state.estate
    first = estate.content.restart.lots.first
    hosts = [estate.host_number[name] for name in event.inspections]
    for host in hosts:
        if lot is None or (host not in lot.drawn and state.lots.get(state.lot_of.get(host, "")) is not lot):
            _refuse(state, host, "stands in no lot, or in another than the rest; sign for each host by itself")
        elif lot.condemned:
            _refuse(state, host, "is of a lot in which a host was found INFECTED: each is read by itself")
        elif len(lot.members) < first:
            _refuse(state, host, f"is one of the first {first} of its lot, and those are read")
    for host in sorted(lot.drawn if lot is not None else ()):
        if not is_clean(state, host, now_us):
            _refuse(state, host, "was drawn from the lot, and is not CLEAN by enough persons")
        elif host not in hosts:
            _refuse(state, host, "was drawn from the lot: the statement names it, too")


def _refuse(state: State, host: int, why: str) -> NoReturn:
    name = state.estate.hosts[host]
    raise Refused(f"{name} {why}.", rule="verdict.lot", host=name)


def condemn(state: State, host: int) -> None:
    """One that was found INFECTED takes the word back that was given for all of its lot at once."""
    for name, lot in state.lots.items():
        if host in lot.members and not lot.condemned:
            lot.condemned = True
            for other in sorted(lot.members):
                if state.lot_of.get(other) == name and other in state.by_lot:
                    _reopen(state, other)


def _reopen(state: State, host: int) -> None:
    """In quarantine its seats are open again; on its way out its proof falls; out, it owes an inspection."""
    persons = state.by_lot.pop(host)
    state.verdicts[host] = [one for one in state.verdicts[host] if one.person not in persons]
    state.touch(state.estate.hosts[host], "lot condemned")
    state.dirty[host] = None
    if state.stage[host] in OUT:
        state.recheck[host] = "a host of its lot was found INFECTED"
    elif state.stage[host] is RECONNECTING:
        state.reconnects_stale = True
    else:
        state.membership_changed(host)
