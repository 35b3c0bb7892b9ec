"""The orders people may give: kind, whose signatures, and when each is admitted.

Never verifies a signature (`trust` does, before the order reaches the core) and never carries an order out
(`effects` does). Persons are counted, never keys. A refusal names its rule and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.events import Judged, Ordered
from orchestrator.decision.stages import GONE, OUT, Stage
from orchestrator.decision.state import OrderState, State
from orchestrator.errors import Conflict, Refused
from orchestrator.plans.model import Content

Seats = tuple[frozenset[str], ...]


def _seats(*roles: str) -> Seats:
    return tuple(frozenset(role.split("|")) for role in roles)


ANYONE = "operator|analyst|technician|crisis|forensic_lead|it_director"
LEADS = "operator|crisis|it_director"

# kind -> one entry per person needed: the roles any of which that person must hold (DESIGN 9).
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
    "task.done": _seats(ANYONE),
    "task.failed": _seats(ANYONE),
    "fact.t0": _seats("analyst", "it_director"),
    "fact.breach_closed": _seats("analyst", "it_director"),
    "fact.withdraw": _seats("analyst|it_director"),
    "fact.waiver": _seats("forensic_lead"),
    "fact.outside": _seats("operator", "analyst|it_director"),
    "fact.accepted": _seats("crisis"),
    "indicators.force": _seats("analyst", "analyst|forensic_lead"),
    "service.lower-k": _seats("operator", LEADS),
    "service.drop-need": _seats("operator", LEADS),
    "roster.add": _seats(ANYONE, "it_director|crisis|operator"),
    "roster.revoke": _seats(ANYONE, "it_director|crisis|operator"),
    "clock.confirm": _seats("operator"),
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
    """The persons an order of this kind on this subject needs; excluding a workstation needs one, a server two."""
    if kind == "host.exclude":
        host = state.estate.host_number.get(subject, -1)
        if host >= 0 and not state.estate.is_server[host]:
            return _seats("operator")
    return KINDS[kind]


def missing(state: State, order: OrderState) -> Missing:
    """Which seats no signer fills, under the assignment of persons to seats that leaves the fewest."""
    seats = seats_of(state, order.kind, order.subject)
    roles = [state.roster[person].roles for person in order.persons]
    best = list(seats)
    for places in permutations(range(len(seats)), min(len(roles), len(seats))):
        taken = {place for place, held in zip(places, roles, strict=False) if seats[place] & held}
        left = [seat for number, seat in enumerate(seats) if number not in taken]
        if len(left) < len(best):
            best = left
    return Missing(best)


def admit(state: State, event: Ordered, now_us: int) -> None:
    """Whether this signature may be added. Raises Refused or Conflict; changes nothing."""
    if event.kind not in KINDS:
        raise Refused(f"There is no order of kind {event.kind}.", rule="orders.kind", kind=event.kind)
    if event.expires_us <= now_us:
        raise Refused("The order has expired; make a new one.", rule="orders.expiry", order=event.order)
    if event.kind == "genesis":
        _admit_genesis(state, event)
        return
    _admit_person(state, event.person, now_us)
    known = state.orders.get(event.order)
    if known is not None:
        _admit_another(known, event)
    else:
        _refuse_conflict(state, event)
    _admit_role(state, known, event)
    rule = _RULES.get(event.kind)
    if rule is not None:
        rule(state, event, now_us)


def _admit_genesis(state: State, event: Ordered) -> None:
    known = state.orders.get(event.order)
    if state.roster and (known is None or known.done):
        raise Refused("The genesis roster was signed already.", rule="orders.genesis")
    persons = event.args.get("persons")
    named = [one.get("id") for one in persons if isinstance(one, dict)] if isinstance(persons, list) else []
    if event.person not in named:
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
    last = state.touched.get(event.subject)
    if last is not None and last[0] > event.head_size:
        raise Conflict(
            f"{event.subject} changed after what {event.person} saw: record {last[0]} ({last[1]}). "
            "Look again, then sign anew.",
            rule="orders.head",
            records=[{"seq": last[0], "kind": last[1]}],
        )


def _admit_role(state: State, known: OrderState | None, event: Ordered) -> None:
    before = OrderState(event.kind, event.subject, event.args, list(known.persons) if known else [], event.expires_us)
    left = missing(state, before).seats
    before.persons.append(event.person)
    if len(missing(state, before).seats) == len(left):
        wanted = " or ".join(sorted(left[0])) if left else "nobody"
        raise Refused(
            f"{event.person} has no role that this order needs ({wanted}).", rule="orders.role", kind=event.kind
        )


def _host(state: State, event: Ordered) -> int:
    host = state.estate.host_number.get(event.subject, -1)
    if host < 0:
        raise Refused(f"There is no host {event.subject}.", rule="orders.subject", subject=event.subject)
    return host


def _wave(state: State, event: Ordered) -> int:
    wave = state.estate.wave_number.get(event.subject, -1)
    if wave < 0:
        raise Refused(f"There is no wave {event.subject}.", rule="orders.subject", subject=event.subject)
    return wave


def _launch(state: State, event: Ordered, now_us: int) -> None:
    wave = _wave(state, event)
    if event.person in state.waves[wave].launchers:
        raise Refused(f"{event.person} launched {event.subject} already.", rule="waves.launch")
    for before in state.after[wave]:
        if not state.waves[before].launchers:
            name = state.estate.waves[before].name
            raise Refused(f"{event.subject} comes after {name}, which is not launched.", rule="waves.after", wave=name)


def _known_wave(state: State, event: Ordered, now_us: int) -> None:
    _wave(state, event)


def _after_removed(state: State, event: Ordered, now_us: int) -> None:
    wave = _wave(state, event)
    if state.estate.wave_number.get(str(event.args.get("after")), -1) not in state.after[wave]:
        raise Refused(f"{event.subject} does not come after {event.args.get('after')}.", rule="waves.after")


def _retry(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    strategy = event.args.get("strategy", "")
    if strategy and strategy not in ("restore", "reimage", "replace"):
        raise Refused(f"{strategy} is no strategy to retry with.", rule="hosts.strategy")
    if state.stage[host] is not Stage.FAILED and host not in state.asks:
        raise Refused(f"{event.subject} has not failed and asks for nothing.", rule="hosts.retry")
    if strategy and (state.stage[host] in OUT or state.lanes[0][host] or state.lanes[1][host]):
        raise Refused(f"{event.subject} is out or has work under way; recall it first.", rule="hosts.retry")


def _exclude(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if state.stage[host] in OUT or state.stage[host] is Stage.RECONNECTING:
        raise Refused(f"{event.subject} is out; recall it first.", rule="hosts.exclude")
    if state.stage[host] is Stage.EXCLUDED:
        raise Refused(f"{event.subject} is excluded already.", rule="hosts.exclude")
    for service in state.estate.services_of[host]:
        if len(state.candidates(service)) <= state.quorum[service] and state.stage[host] not in GONE:
            name = state.estate.services[service]
            if event.args.get("even_if_last") is not True:
                raise Refused(
                    f"Without {event.subject} the service {name} cannot reach its {state.quorum[service]} hosts. "
                    "Say so in the order (even_if_last), then lower k, drop the need or add a host.",
                    rule="hosts.quorum",
                    service=name,
                )


def _take_back(state: State, event: Ordered, now_us: int) -> None:
    if state.stage[_host(state, event)] is not Stage.EXCLUDED:
        raise Refused(f"{event.subject} is not excluded.", rule="hosts.exclude")


def _declare(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if state.stage[host] not in (Stage.BLOCKED, Stage.PRESERVED, Stage.FAILED) or state.lanes[0][host]:
        raise Refused(f"{event.subject} is being worked on; only a host at rest can be declared.", rule="hosts.declare")
    if not isinstance(event.args.get("host_key"), str) or not isinstance(event.args.get("restore_point_us"), int):
        raise Refused("A declaration names the host key and the restore point.", rule="hosts.declare")


def _recall(state: State, event: Ordered, now_us: int) -> None:
    if state.stage[_host(state, event)] not in OUT:
        raise Refused(f"{event.subject} is not out.", rule="hosts.recall")


def _isolate(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    harmed = [
        state.estate.services[service]
        for service in state.estate.services_of[host]
        if state.estate.live_care[service] or quorum.out_of(state, service) <= state.quorum[service]
    ]
    if state.stage[host] in OUT and harmed and event.args.get("stops") != harmed:
        raise Refused(
            f"Isolating {event.subject} stops {', '.join(harmed)}. Say so in the order (stops), having seen it.",
            rule="recall.care",
            stops=harmed,
        )


def _exception(state: State, event: Ordered, now_us: int) -> None:
    _host(state, event)
    until = event.args.get("until_us")
    if not isinstance(until, int) or not now_us < until <= now_us + 12 * 3600 * 1_000_000:
        raise Refused("An exception ends within 12 hours; until_us says when.", rule="exception.length")


def _claim(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if event.person in quorum.claims_open(state, host, now_us):
        raise Refused(f"{event.person} holds a seat at {event.subject} already.", rule="seats.person")
    if quorum.seats_open(state, host, now_us) == 0:
        raise Refused(f"{event.subject} has no open seat.", rule="seats.full")


def _task(state: State, event: Ordered, now_us: int) -> None:
    task = state.tasks.get(event.subject)
    if task is None or task.status == "closed":
        raise Refused(f"There is no open task {event.subject}.", rule="tasks.open", subject=event.subject)
    if event.kind == "task.done" and task.status == "confirmed":
        raise Refused(f"{event.subject} is confirmed already.", rule="tasks.open")
    if event.kind == "task.done" and task.status == "claimed" and task.claimed_by == event.person:
        raise Refused("A second person must confirm what you claimed.", rule="tasks.two-persons")


def _t0(state: State, event: Ordered, now_us: int) -> None:
    at_us = event.args.get("at_us")
    if not isinstance(at_us, int) or not 0 < at_us <= now_us:
        raise Refused("T0 is a time in the past (at_us, microseconds UTC).", rule="facts.t0")


def _withdraw(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.facts or event.subject == "t0":
        raise Refused(f"There is no fact {event.subject} to withdraw.", rule="facts.known")


def _outside(state: State, event: Ordered, now_us: int) -> None:
    service = state.estate.service_number.get(event.subject, -1)
    if service < 0 or not state.estate.outside[service]:
        raise Refused(f"{event.subject} is no outside service.", rule="facts.outside")


def _service(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.estate.service_number:
        raise Refused(f"There is no service {event.subject}.", rule="orders.subject")
    k = event.args.get("k")
    if event.kind == "service.lower-k" and (not isinstance(k, int) or k < 1):
        raise Refused("k is never below 1.", rule="services.quorum")


def _revoke(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.roster:
        raise Refused(f"{event.subject} is not in the roster.", rule="roster.person")


def _waiver(state: State, event: Ordered, now_us: int) -> None:
    kind, _, name = event.subject.partition(":")
    classes = {one.id for one in state.estate.content.classes}
    if not ((kind == "class" and name in classes) or (kind == "host" and name in state.estate.host_number)):
        raise Refused(f"A waiver is for class:ID or host:ID, not {event.subject}.", rule="facts.waiver")


_RULES: dict[str, Callable[[State, Ordered, int], None]] = {
    "wave.launch": _launch,
    "wave.hold": _known_wave,
    "wave.resume": _known_wave,
    "wave.after-removed": _after_removed,
    "host.retry": _retry,
    "host.exclude": _exclude,
    "host.take-back": _take_back,
    "host.declare": _declare,
    "host.recall": _recall,
    "host.isolate": _isolate,
    "host.exception": _exception,
    "claim": _claim,
    "task.done": _task,
    "task.failed": _task,
    "fact.t0": _t0,
    "fact.withdraw": _withdraw,
    "fact.waiver": _waiver,
    "fact.outside": _outside,
    "service.lower-k": _service,
    "service.drop-need": _service,
    "roster.revoke": _revoke,
}


def admit_verdict(state: State, event: Judged, now_us: int) -> None:
    """Whether a verdict may be filed: analyst, latest inspection, set in force, a seat. Raises Refused."""
    _admit_person(state, event.person, now_us)
    if "analyst" not in state.roster[event.person].roles:
        raise Refused(f"{event.person} is no analyst.", rule="verdict.role")
    if event.verdict not in (quorum.CLEAN, quorum.SUSPECT, quorum.INFECTED):
        raise Refused(f"{event.verdict} is no verdict.", rule="verdict.kind")
    if event.indicator_set != state.indicator_set:
        raise Refused("The verdict was given under another indicator set than the one in force.", rule="verdict.set")
    limit_us = now_us + state.estate.timing.verdict_valid_s * 1_000_000
    if not now_us < event.expires_us <= limit_us + 60_000_000:
        raise Refused(
            "The verdict has expired, or is meant to hold longer than the plan allows.", rule="verdict.expiry"
        )
    if not event.inspections:
        raise Refused("The verdict names no host.", rule="verdict.host")
    for name, inspection in event.inspections.items():
        _admit_judged_host(state, event, (name, inspection), now_us)


def _admit_judged_host(state: State, event: Judged, judged: tuple[str, str], now_us: int) -> None:
    name, inspection = judged
    host = state.estate.host_number.get(name, -1)
    if host < 0:
        raise Refused(f"There is no host {name}.", rule="verdict.host", host=name)
    if inspection != state.inspection[host] or not inspection:
        raise Refused(f"{inspection} is not the latest inspection of {name}.", rule="verdict.inspection", host=name)
    if event.verdict == quorum.INFECTED:
        return
    if not quorum.seats_wanted(state, host):
        raise Refused(f"No verdict is asked for on {name} now.", rule="verdict.seat", host=name)
    if any(verdict.person == event.person for verdict in state.verdicts[host] if verdict.expires_us > now_us):
        raise Refused(f"{event.person} judged {name} already; another person must.", rule="verdict.two-persons")
    if event.person not in quorum.claims_open(state, host, now_us) and not quorum.seats_open(state, host, now_us):
        raise Refused(f"{name} has no open seat.", rule="seats.full", host=name)
    wave = state.waves[state.wave_of[host]]
    if wave.launchers and len(wave.launchers) == 1 and event.person in wave.launchers:
        raise Refused(
            f"{event.person} launched the wave of {name} alone; another must judge.", rule="verdict.separation"
        )
