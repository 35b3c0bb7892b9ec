"""The orders people may give: kind, whose signatures, and when each is admitted.

Never verifies a signature (`trust` does, before the order reaches the core) and never carries an order out
(`effects` does). Persons are counted, never keys. A refusal names its rule and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from orchestrator.canonical import Json
from orchestrator.decision import epoch, lots, quorum, seats
from orchestrator.decision.events import Judged, Ordered
from orchestrator.decision.order_rules import RULES, is_person, isolation_needs_second
from orchestrator.decision.parts import OrderState
from orchestrator.decision.state import State
from orchestrator.errors import Conflict, Refused
from orchestrator.plans.model import Content

Seats = tuple[frozenset[str], ...]


def _seats(*roles: str) -> Seats:
    return tuple(frozenset(role.split("|")) for role in roles)


ANYONE = "operator|analyst|technician|crisis|forensic_lead|it_director"
LEADS = "operator|crisis|it_director"

# kind -> one entry per person needed: the roles any of which that person must hold.
KINDS: dict[str, Seats] = {
    "genesis": _seats(ANYONE, ANYONE),
    "wave.launch": _seats("operator"),
    "wave.hold": _seats("operator|analyst|crisis"),
    "wave.resume": _seats("operator"),
    "wave.after-removed": _seats("operator", "crisis"),
    "freeze": _seats("operator|analyst|crisis|it_director"),
    "thaw": _seats("operator", LEADS),
    "host.retry": _seats("operator"),
    "host.exclude": _seats("operator", LEADS),
    "host.take-back": _seats("operator", LEADS),
    "host.declare": _seats("operator", "analyst|it_director"),
    "host.recall": _seats("operator|analyst"),
    "host.isolate": _seats("operator|analyst"),
    "host.exception": _seats("operator", "crisis"),
    "claim": _seats("analyst"),
    "task.claim": _seats(ANYONE),
    "task.done": _seats(ANYONE),
    "task.failed": _seats(ANYONE),
    "fact.t0": _seats("analyst", "it_director"),
    "fact.breach_closed": _seats("analyst", "it_director"),
    "fact.withdraw": _seats("analyst|it_director"),
    "fact.waiver": _seats("forensic_lead"),
    "fact.outside": _seats("operator", "analyst|it_director"),
    "fact.agreement": _seats("crisis|it_director", "operator"),
    "fact.accepted": _seats("crisis"),
    "lot.open": _seats("analyst"),
    "evidence.import": _seats("analyst|forensic_lead"),
    "evidence.custody": _seats("forensic_lead|analyst|technician|operator"),
    "indicators.force": _seats("analyst", "analyst|forensic_lead"),
    "service.lower-k": _seats("operator", LEADS),
    "service.drop-need": _seats("operator", LEADS),
    "roster.add": _seats(ANYONE, "it_director|crisis|operator"),
    "roster.revoke": _seats(ANYONE, "it_director|crisis|operator"),
    "clock.confirm": _seats("operator"),
    "content.change": _seats("operator", LEADS),
    "functions.order": _seats("operator", "crisis"),
    "wave.split": _seats("operator", LEADS),
}


EMPTY_SET = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of nothing


def genesis_args(content: Content) -> dict[str, Json]:
    """The arguments of the first order: the roster of the plan with its key bytes, and the indicator set in force."""
    persons: list[Json] = [
        {"id": person.id, "roles": list(person.roles), "key": person.key} for person in content.roster.persons
    ]
    return {"persons": persons, "indicator_set": EMPTY_SET}


@dataclass(slots=True)
class Missing:
    """What an order still waits for: the sets of roles, one for each further person."""

    seats: list[frozenset[str]]


def seats_of(state: State, kind: str, subject: str) -> Seats:
    """The persons an order of this kind on this subject needs; more where the subject says so."""
    if kind == "host.exclude":
        host = state.estate.host_number.get(subject, -1)
        if host >= 0 and not state.estate.is_server[host]:
            return _seats("operator")
    if kind in ("host.isolate", "host.recall"):
        host = state.estate.host_number.get(subject, -1)
        if host >= 0 and isolation_needs_second(state, host):
            return _seats("operator|analyst", "operator|analyst|crisis|it_director")
    return KINDS[kind]


def missing(state: State, order: OrderState) -> Missing:
    """Which seats no signer fills, under the assignment of persons to seats that leaves the fewest.

    Whoever was revoked since they signed fills none.
    """
    seats = order.seats
    best = list(seats)
    roles = [state.roster[person].roles for person in order.persons if person not in state.revoked]
    if not roles:
        return Missing(best)
    for places in permutations(range(len(seats)), min(len(roles), len(seats))):
        left = list(seats)
        for place, held in zip(places, roles, strict=False):
            if seats[place] & held:
                left.remove(seats[place])
        if len(left) < len(best):
            best = left
    return Missing(best)


def admit(state: State, event: Ordered, now_us: int) -> None:
    """Whether this signature may be added. Raises Refused or Conflict; changes nothing."""
    if event.kind not in KINDS:
        raise Refused(f"There is no order of kind {event.kind}.", rule="orders.kind", kind=event.kind)
    if epoch.expired(state, event.expires_us, now_us):
        raise Refused("The order has expired; make a new one.", rule="orders.expiry", order=event.order)
    if event.kind == "genesis":
        _admit_genesis(state, event)
        return
    _admit_person(state, event.person, now_us)
    known = state.orders.get(event.order)
    if known is not None:
        _admit_another(known, event)
    _refuse_conflict(state, event)
    _admit_role(state, known, event)
    rule = RULES.get(event.kind)
    if rule is not None:
        rule(state, event, now_us)


def _admit_genesis(state: State, event: Ordered) -> None:
    known = state.orders.get(event.order)
    if state.roster:
        raise Refused("The genesis roster was signed already.", rule="orders.genesis")
    persons = event.args.get("persons")
    if not isinstance(persons, list) or not all(is_person(one) for one in persons):
        raise Refused("A roster lists persons, each with id, roles and key.", rule="roster.form")
    if event.person not in [one["id"] for one in persons if isinstance(one, dict)]:
        raise Refused(f"{event.person} is not in the roster that is to be signed.", rule="orders.genesis")
    if known is not None:
        _admit_another(known, event)


def _admit_person(state: State, person: str, now_us: int) -> None:
    member = state.roster.get(person)
    if member is None:
        raise Refused(f"{person} is not in the roster.", rule="roster.person", person=person)
    if person in state.revoked:
        raise Refused(f"{person} was revoked.", rule="roster.revoked", person=person)
    if not member.valid_from_us <= now_us < member.valid_until_us:
        raise Refused(f"{person} is outside their time in the roster.", rule="roster.validity", person=person)


def _admit_another(known: OrderState, event: Ordered) -> None:
    if known.done:
        raise Refused("This order took effect already.", rule="orders.once", order=event.order)
    if event.person in known.persons:
        raise Refused(f"{event.person} signed this order already; another person must.", rule="orders.two-persons")
    if (known.kind, known.subject, known.args) != (event.kind, event.subject, event.args):
        raise Refused("Another order carries this id.", rule="orders.id", order=event.order)


def _refuse_conflict(state: State, event: Ordered) -> None:
    since = [one for one in state.touched.get(event.subject, ()) if one[0] > event.head_size]
    if since:
        told = ", ".join(f"record {seq} ({kind})" for seq, kind in since)
        raise Conflict(
            f"{event.subject} changed after what {event.person} saw: {told}. Look again, then sign anew.",
            rule="orders.head",
            records=[{"seq": seq, "kind": kind} for seq, kind in since],
        )


def _admit_role(state: State, known: OrderState | None, event: Ordered) -> None:
    persons = list(known.persons) if known else []
    seats = known.seats if known else seats_of(state, event.kind, event.subject)
    before = OrderState(event.kind, event.subject, event.args, persons, event.expires_us, seats)
    left = missing(state, before).seats
    before.persons.append(event.person)
    if len(missing(state, before).seats) == len(left):
        wanted = " or ".join(sorted(left[0])) if left else "nobody"
        raise Refused(
            f"{event.person} has no role that this order needs ({wanted}).", rule="orders.role", kind=event.kind
        )


def admit_verdict(state: State, event: Judged, now_us: int) -> None:
    """Whether a verdict may be filed: analyst, latest inspection, set in force, a seat. Raises Refused."""
    _admit_person(state, event.person, now_us)
    if "analyst" not in state.roster[event.person].roles:
        raise Refused(f"{event.person} is no analyst.", rule="verdict.role")
    if event.verdict not in (quorum.CLEAN, quorum.SUSPECT, quorum.INFECTED):
        raise Refused(f"{event.verdict} is no verdict.", rule="verdict.kind")
    if event.indicator_set != state.indicator_set:
        raise Refused("The verdict was given under another indicator set than the one in force.", rule="verdict.set")
    if not quorum.ends_us(state, event.expires_us, now_us):
        raise Refused(
            "The verdict has expired, or is meant to hold longer than the plan allows.", rule="verdict.expiry"
        )
    if not event.inspections:
        raise Refused("The verdict names no host.", rule="verdict.host")
    lot = lots.called_clean(state, event)
    drawn = {state.estate.hosts[host] for host in lot.drawn} if lot is not None else set()
    for judged in event.inspections.items():
        _admit_judged_host(state, event, judged, now_us, read=event.verdict == quorum.CLEAN and judged[0] not in drawn)
    if event.verdict == quorum.CLEAN and len(event.inspections) > 1:
        lots.admit(state, event, now_us)


def _admit_judged_host(state: State, event: Judged, judged: tuple[str, str], now_us: int, *, read: bool) -> None:
    """What is said of one host; only where it is called CLEAN itself, not for its lot, it takes a seat (`read`)."""
    name, inspection = judged
    host = state.estate.host_number.get(name, -1)
    if host < 0:
        raise Refused(f"There is no host {name}.", rule="verdict.host", host=name)
    if inspection != state.inspection[host] or not inspection:
        raise Refused(f"{inspection} is not the latest inspection of {name}.", rule="verdict.inspection", host=name)
    if not read:
        return
    if not quorum.seats_wanted(state, host):
        raise Refused(f"No verdict is asked for on {name} now.", rule="verdict.seat", host=name)
    if not quorum.vouched(state, host):
        raise Refused(
            f"{name} was not wiped: what it says of itself proves nothing. Import evidence that was taken offline or "
            "from outside since it was declared, then judge it.",
            rule="verdict.own-word",
            host=name,
        )
    if event.person in quorum.counting(state, host, now_us):
        raise Refused(f"{event.person} judged {name} already; another person must.", rule="verdict.two-persons")
    if event.person not in seats.claims_open(state, host, now_us) and not seats.seats_open(state, host, now_us):
        raise Refused(f"{name} has no open seat.", rule="seats.full", host=name)
    if quorum.launchers(state, state.wave_of[host]) == [event.person]:
        raise Refused(
            f"{event.person} launched the wave of {name} alone; another must judge.", rule="verdict.separation"
        )
