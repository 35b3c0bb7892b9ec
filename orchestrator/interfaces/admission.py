"""Turns a signed document into an event: whose signature it is, over exactly these bytes, about this incident.

The rules, in their order: the document is well formed; it is about this incident; the person's key, as the journal's
roster has it, signed these very bytes in the right namespace; what the signer saw is a prefix of this journal; the
bytes and the signature are stored before the record that names them. Content and indicator sets that an order
puts in force, and evidence it imports, are looked at again here. Never decides whether the person *may*, whether
the order is expired, was admitted before or conflicts: that is the core's (`decision.orders`), in its transaction.
"""

from __future__ import annotations

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.decision import codec
from orchestrator.decision.decide import Entry
from orchestrator.decision.events import Judged, Ordered
from orchestrator.decision.state import State
from orchestrator.errors import NeedsAnother, Refused, UsageError
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.sets import stored_set
from orchestrator.interfaces.documents import OrderText, Taken
from orchestrator.interfaces.live import Live
from orchestrator.interfaces.proposing import offer
from orchestrator.interfaces.views_people import missing_roles
from orchestrator.journal import anchor
from orchestrator.trust import signature, statement
from orchestrator.trust.keys import parse_public
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE, Order, Statement

KEPT_BYTES_MAX = 1 << 23


def admit_order(live: Live, text: bytes, person: str, armoured: str) -> Taken:
    """Adds a person's signature to an order, which is new or waits for it; what took effect.

    Raises NeedsAnother when the signature was stored and the order waits for another person; Refused, Conflict or one
    of their kinds when nothing changed.
    """
    order = Order.from_bytes(text)
    _same_incident(live, order.incident)
    key = _genesis_key(order, person) if order.kind == "genesis" else _key(live, person)
    signature.verify(armoured, ORDER_NAMESPACE, text, key)
    _saw_this_journal(live, order.head)
    _same_text(live, order.id, text)
    if order.kind in ("genesis", "roster.add"):
        _sound_keys(live, order)
    if order.kind == "content.change":
        offer(live, order)
    elif order.kind == "indicators.force":
        stored_set(live.blobs, order.subject)
    elif order.kind == "evidence.import":
        _kept_evidence(live, order)
    blob = live.blobs.put(_kept(text, person, armoured))
    if order.kind == "genesis" and live.read(lambda state, now_us: not state.roster):
        anchor.write(live.state_dir, text)
    entries = live.submit(
        Ordered(order.id, order.kind, order.subject, order.args, person, order.expires_us, order.head.size, blob)
    )
    missing = live.read(lambda state, now_us: missing_roles(state, state.orders[order.id]))
    if missing:
        who = " and ".join(" or ".join(seat) for seat in missing)
        raise NeedsAnother(
            f"Signed and stored; the order {order.id} waits for another person ({who}).",
            rule="orders.two-persons",
            order=order.id,
            missing_roles=missing,
        )
    return {"id": order.id, "kind": order.kind, "subject": order.subject, "records": _records(entries)}


def admit_verdict(live: Live, text: bytes, person: str, armoured: str) -> Taken:
    """Files a verdict. Raises Refused or one of its kinds when nothing changed."""
    verdict = Statement.from_bytes(text)
    _same_incident(live, verdict.incident)
    if verdict.person != person:
        raise Refused(f"The statement is {verdict.person}'s, not {person}'s.", rule="verdict.person")
    signature.verify(armoured, VERDICT_NAMESPACE, text, _key(live, person))
    _saw_this_journal(live, verdict.head)
    live.read(lambda state, now_us: _same_evidence(state, verdict))
    blob = live.blobs.put(_kept(text, person, armoured))
    inspections = {subject.host: subject.inspection for subject in verdict.subjects}
    entries = live.submit(Judged(verdict.verdict, inspections, person, verdict.indicator_set, verdict.expires_us, blob))
    hosts = ", ".join(inspections)
    return {"id": blob, "kind": f"verdict.{verdict.verdict.lower()}", "subject": hosts, "records": _records(entries)}


def order_text(live: Live, order: str) -> OrderText:
    """The exact bytes under an order that waits. Raises UsageError where none does."""
    blob = live.read(lambda state, now_us: _waiting_blob(state, order))
    if not blob:
        raise UsageError(f"No order {order} waits for a signature.", rule="usage.order", order=order)
    return {"order": order, "document": document_in(live.blobs.get(blob))}


def document_in(kept: bytes) -> str:
    """The signed text inside a stored signature."""
    value = canonical.decode(kept, size_max=KEPT_BYTES_MAX)
    return str(value["document"]) if isinstance(value, dict) else ""


def _kept(text: bytes, person: str, armoured: str) -> bytes:
    """One signature with the bytes it is under, as it is stored: enough to verify it again without the journal."""
    return canonical.encode({"document": text.decode("utf-8"), "person": person, "signature": armoured})


def _same_incident(live: Live, incident: str) -> None:
    if incident != live.incident:
        raise Refused(
            f"The document is about the incident {incident}; this is {live.incident}.", rule="orders.incident"
        )


def _key(live: Live, person: str) -> str:
    key = live.read(lambda state, now_us: state.roster[person].key if person in state.roster else "")
    if not key:
        raise Refused(f"{person} is not in the roster.", rule="roster.person", person=person)
    return key


def _genesis_key(order: Order, person: str) -> str:
    """The roster's first order is signed with the keys it brings; from then on the journal's count."""
    for one in _persons(order):
        if one.get("id") == person:
            return str(one.get("key", ""))
    raise Refused(f"{person} is not in the roster that is to be signed.", rule="orders.genesis", person=person)


def _kept_evidence(live: Live, order: Order) -> None:
    """What an import names is kept here and says of itself what the order says; other arguments are the core's."""
    hosts = order.args.get("hosts")
    live.blobs.get(order.subject)
    for host, digest in hosts.items() if isinstance(hosts, dict) else ():
        seen = Evidence.from_bytes(live.blobs.get(str(digest)))
        if (seen.host, seen.taken, seen.tool, seen.source.get("sha256")) != (
            host, order.args.get("taken"), order.args.get("tool"), order.subject
        ):  # fmt: skip
            raise Refused(f"The evidence named for {host} is not what this import says.", rule="evidence.other")


def _sound_keys(live: Live, order: Order) -> None:
    """Every key an order brings into the roster is strong enough, and nobody else's: one key means one person."""
    holders = live.read(
        lambda state, now_us: {parse_public(one.key).blob: person for person, one in state.roster.items()}
    )
    for one in _persons(order):
        person = str(one.get("id", ""))
        if holders.setdefault(parse_public(str(one.get("key", ""))).blob, person) != person:
            raise Refused(f"{person} is given the key of another person.", rule="roster.key", person=person)


def _persons(order: Order) -> list[dict[str, Json]]:
    """The persons an order brings; what is no list of persons is the core's to refuse."""
    named = order.args.get("persons") if order.kind == "genesis" else [order.args.get("person")]
    return [one for one in named if isinstance(one, dict)] if isinstance(named, list) else []


def _saw_this_journal(live: Live, head: statement.Head) -> None:
    if not live.known_head(head.size, bytes.fromhex(head.root)):
        raise Refused(
            f"What the signer saw (record {head.size}, root {head.root[:16]}...) is not part of this journal. "
            "Look at it again, then sign anew.",
            rule="orders.head-unknown",
            size=head.size,
            root=head.root,
        )


def _same_text(live: Live, order: str, text: bytes) -> None:
    """Everyone signs the same bytes: a second signature under other bytes is no second signature."""
    blob = live.read(lambda state, now_us: state.orders[order].blob if order in state.orders else "")
    if blob and document_in(live.blobs.get(blob)).encode("utf-8") != text:
        raise Refused("Another order carries this id.", rule="orders.id", order=order)


def _same_evidence(state: State, verdict: Statement) -> None:
    whole_lot = verdict.verdict == "CLEAN" and len(verdict.subjects) > 1
    for subject in verdict.subjects:
        host = state.estate.host_number.get(subject.host, -1)
        if host < 0 or state.inspection[host] != subject.inspection:
            continue  # the core refuses it with its own sentence
        if whole_lot and not subject.image:
            raise Refused(
                "Several hosts are called CLEAN at once only as one lot, by its image (verdict sign CLEAN --lot LOT). "
                "Sign for each by itself.",
                rule="verdict.image",
            )
        if subject.image not in ("", state.image[host]):
            raise Refused(
                f"{subject.host} was restored from another image than the one named.",
                rule="verdict.image",
                host=subject.host,
                image=state.image[host],
            )
        if state.evidence[host] != subject.evidence:
            raise Refused(
                f"The evidence named for {subject.host} is not what {subject.inspection} collected.",
                rule="verdict.evidence",
                host=subject.host,
                evidence=state.evidence[host],
            )


def _waiting_blob(state: State, order: str) -> str:
    one = state.orders.get(order)
    return one.blob if one is not None and not one.done else ""


def _records(entries: list[Entry]) -> list[str]:
    """The kinds of the records that followed, for whoever wants to know what an order set going."""
    return list(dict.fromkeys(codec.kind_of(type(entry)) for entry in entries))
