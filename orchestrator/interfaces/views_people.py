"""The documents people work from: why a host waits, the analysts' queue, the technicians' tasks, waiting orders.

Never shows one analyst what another said about a host that is still being judged.
"""

from __future__ import annotations

from orchestrator.decision import epoch, explain, orders, quorum, seats
from orchestrator.decision.exposure import exposure
from orchestrator.decision.order_rules import stops
from orchestrator.decision.parts import OrderState, TaskState
from orchestrator.decision.stages import OUT
from orchestrator.decision.state import State
from orchestrator.errors import UsageError
from orchestrator.interfaces.documents import (
    Custody,
    EvidenceKept,
    Exposure,
    Inspected,
    Kind,
    Order,
    Queue,
    Seat,
    Task,
    Why,
)
from orchestrator.interfaces.views_lots import lot_seen

SECOND = "2 persons when it stops a service, or is the fourth within 15 minutes"
NOTES = {"host.exclude": "1 person (operator) for a workstation", "host.isolate": SECOND, "host.recall": SECOND}


def why(state: State, now_us: int, name: str) -> Why:
    """Why a host is not further. Raises UsageError for a host that is not in the estate."""
    host = _number(state, name)
    standing = explain.standing(state, host, now_us)
    reasons = explain.why(state, host, now_us)
    return {
        "host": name,
        "stage": str(standing["stage"]),
        "connection": str(standing["connection"]),
        "strategy": str(standing["strategy"]),
        "wave": str(standing["wave"]),
        "verdicts_missing": int(standing["verdicts_missing"]),
        "exception_until_us": state.exceptions.get(host, 0),
        "inspection": state.inspection[host],
        "evidence": state.evidence[host],
        "marker": state.marker[host],
        "under_way": [lane[host] for lane in state.lanes if lane[host]],
        "reasons": [
            {"code": one.code, "subject": one.subject, "sentence": one.sentence, "who": one.who} for one in reasons
        ],
    }


NOT_EXAMINED = (
    "traffic that no need and no interface declares",
    "credentials of which no service says that its hosts hold them",
    "hosts that were out earlier and are not now",
)


def exposed(state: State, name: str, distance_max: int) -> Exposure:
    """Whom a host may have infected. Raises UsageError for a host that is not in the estate."""
    host = _number(state, name)
    hosts = state.estate.hosts
    return {
        "host": name,
        "stage": state.stage[host].name.lower(),
        "infected_us": state.infected_us[host],
        "in_service_us": state.in_service_us[host],
        "hosts": [
            {
                "host": hosts[one.host],
                "source": hosts[one.source],
                "distance": one.distance,
                "stage": state.stage[one.host].name.lower(),
                "out": state.stage[one.host] in OUT,
                "server": state.estate.is_server[one.host],
                "reasons": list(one.reasons),
                "stops": stops(state, one.host),
            }
            for one in exposure(state, host, distance_max)
        ],
        "not_examined": list(NOT_EXAMINED),
    }


def _number(state: State, name: str) -> int:
    host = state.estate.host_number.get(name, -1)
    if host < 0:
        raise UsageError(f"There is no host {name}.", rule="usage.host", host=name)
    return host


def queue(state: State, now_us: int) -> Queue:
    """Hosts that wait for verdicts: obligations that hold others, then urgency, then other obligations."""
    wanted = [
        host
        for host in range(len(state.stage))
        if quorum.seats_wanted(state, host) and quorum.verdicts_missing(state, host, now_us)
    ]
    wanted.sort(key=lambda host: (_turn(state, host), state.urgency[host]))
    return {
        "incident": state.incident,
        "indicator_set": state.indicator_set,
        "verdict_valid_s": state.estate.timing.verdict_valid_s,
        "hosts": [_seat(state, host, now_us) for host in wanted],
        "lots": [lot_seen(state, name, now_us) for name in state.lots],
    }


def _turn(state: State, host: int) -> int:
    owed = state.obligations.get(host)
    if owed is None:
        return 1
    return 0 if owed.holds else 2


def _seat(state: State, host: int, now_us: int) -> Seat:
    estate, wave = state.estate, state.wave_of[host]
    claims = seats.claims_open(state, host, now_us)
    return {
        "host": estate.hosts[host],
        "site": estate.sites[estate.site_of[host]],
        "services": [estate.services[service] for service in estate.services_of[host]],
        "wave": estate.waves[wave].name if wave >= 0 else "",
        "inspection": state.inspection[host],
        "evidence": state.evidence[host],
        "marker": state.marker[host],
        "owed": host in state.obligations,
        "exception_until_us": state.exceptions.get(host, 0),
        "seats_open": seats.seats_open(state, host, now_us),
        "claims": [{"person": person, "until_us": until} for person, until in claims.items()],
        "lot": (lot := state.lot_of.get(host, "")),
        "drawn": bool(lot) and host in state.lots[lot].drawn,
    }


def custody(state: State, host: str) -> Custody:
    """What was preserved of a host, and who held it. Raises UsageError for a host that is not in the estate."""
    number = _number(state, host)
    mine = [name for name in state.custody if name.partition("/")[0] == host]
    return {
        "host": host,
        "kept": state.evidence_kept(number),
        "named": host in state.estate.content.restart.no_waiver,
        "preserved": [
            {
                "action": name,
                "digest": state.custody[name].digest,
                "medium": state.custody[name].medium,
                "hands": [
                    {"holder": one.holder, "seal": one.seal, "person": one.person, "at_us": one.at_us}
                    for one in state.custody[name].hands
                ],
            }
            for name in mine
        ],
    }


def evidence_kept(state: State, now_us: int) -> EvidenceKept:
    """What there is to match indicators against, host by host."""
    found = [_inspected(state, host, now_us) for host in range(len(state.stage)) if state.evidence[host]]
    return {
        "indicator_set": state.indicator_set,
        "hosts_without": len(state.stage) - len(found),
        "hosts": found,
        "imported": [
            {
                "host": state.estate.hosts[host],
                "evidence": one.evidence,
                "file": one.file,
                "tool": one.tool,
                "taken": one.taken,
                "person": one.person,
                "at_us": one.at_us,
            }
            for host, imported in state.imported.items()
            for one in imported
        ],
        "estate": list(state.estate.hosts),
        "bytes_max": state.estate.content.restart.inspection.evidence_bytes_max,
        "stored_bytes": 0,
    }


def _inspected(state: State, host: int, now_us: int) -> Inspected:
    klass = state.estate.group(host).klass
    return {
        "host": state.estate.hosts[host],
        "klass": klass.id,
        "out": state.stage[host] in OUT,
        "inspection": state.inspection[host],
        "evidence": state.evidence[host],
        "marker": state.marker[host],
        "verdicts": len(quorum.counting(state, host, now_us)),
        "verdicts_required": quorum.required(state, host, quorum.counting(state, host, now_us)),
        "reading_s": klass.reading_s,
    }


def tasks(state: State, now_us: int, site: str = "") -> list[Task]:
    """What people must do now, by site, bench and room. Raises UsageError for a site that is not in the estate."""
    if site and site not in state.estate.site_number:
        raise UsageError(f"There is no site {site}.", rule="usage.site", site=site)
    found = [
        _task(state, key, task, now_us) for key, task in state.tasks.items() if task.status in ("open", "reported")
    ]
    found = [one for one in found if not site or one["site"] in (site, "")]
    return sorted(found, key=lambda one: (one["site"], one["bench"], one["room"], one["task"]))


def _task(state: State, key: str, task: TaskState, now_us: int) -> Task:
    known = state.estate.tasks.get(key)
    site, room, bench = _place(state, key)
    claimed = bool(task.claimed_by) and task.claimed_until_us > now_us
    machine = f"Put another machine in the place of {key.partition('/')[0]}"
    return {
        "task": key,
        "name": known.spec.name.en if known else machine,
        "name_fr": known.spec.name.fr if known else f"Remplacer la machine de {key.partition('/')[0]}",
        "by": known.spec.by if known else "technician",
        "site": site,
        "room": room,
        "bench": bench,
        "status": "reported" if task.status == "reported" else "open",
        "reported_by": task.reported_by,
        "claimed_by": task.claimed_by if claimed else "",
        "claimed_until_us": task.claimed_until_us if claimed else 0,
        "opened_us": task.opened_us,
        "confirm": known.spec.confirm if known and state.confirmed_by(key) else "two-persons",
        "seen": task.seen,
    }


def _place(state: State, key: str) -> tuple[str, str, str]:
    """Where a task is done: the host's place, the site itself, or the one site all hosts of the service stand at."""
    owner, estate = key.partition("/")[0], state.estate
    if owner in estate.host_number:
        host = estate.content.inventory.hosts[estate.host_number[owner]]
        return host.site, host.room, host.bench or ""
    if owner in estate.site_number:
        return owner, "", ""
    players = estate.players[estate.service_number[owner]] if owner in estate.service_number else []
    sites = {estate.sites[estate.site_of[host]] for host in players}
    return (sites.pop() if len(sites) == 1 else ""), "", ""


def waiting_orders(state: State, now_us: int) -> list[Order]:
    """Orders that wait for another signature and have not expired, the oldest first."""
    return [
        {
            "order": name,
            "kind": one.kind,
            "subject": one.subject,
            "args": one.args,
            "persons": list(one.persons),
            "expires_us": one.expires_us,
            "missing_roles": missing_roles(state, one),
        }
        for name, one in state.orders.items()
        if not one.done and not epoch.expired(state, one.expires_us, now_us)
    ]


def missing_roles(state: State, order: OrderState) -> list[list[str]]:
    """One entry per further person: the roles any of which that person must hold."""
    if order.done:
        return []
    if order.kind == "genesis":  # there is no roster yet to look roles up in
        seats = list(orders.KINDS["genesis"][len(order.persons) :])
    else:
        seats = orders.missing(state, order).seats
    return [sorted(seat) for seat in seats]


def kinds() -> list[Kind]:
    """Every kind of order and whom it needs."""
    return [
        {"kind": kind, "seats": [sorted(seat) for seat in seats], "note": NOTES.get(kind, "")}
        for kind, seats in sorted(orders.KINDS.items())
    ]
