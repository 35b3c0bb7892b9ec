"""The analyst's desk: whom to verify next, and on one screen all there is to judge one host by.

Never shows what was said of a host's latest inspection, which the next reader reads blind, never concludes, and never
shows evidence without a record of it.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, cast

from orchestrator.client import Client
from orchestrator.errors import RelanceError
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.matching import Hit, Matcher
from orchestrator.evidence.reports import LEVELS
from orchestrator.interfaces import texts
from orchestrator.interfaces.cli_evidence import SHOWN, imported_lines, inspection_lines, note_read
from orchestrator.interfaces.documents import Desk, DeskHit, Earlier, EvidenceKept, Inspected, Queue, Why
from orchestrator.interfaces.output import Commands, clock, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.rematching import evidence_of, matcher_of
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.sqlite import Journal


def add(commands: Commands) -> None:
    """Declares queue."""
    parser = commands.add_parser("queue", description="What the analysts verify next, or one host's whole desk.")
    parser.add_argument("host", nargs="?", default="")
    parser.set_defaults(call=_queue)


def _queue(options: argparse.Namespace) -> int:
    client = Client(state_of(options))
    found: Queue = client.get("queue")
    if options.host:
        return _desk(options, client, found)
    show(options, found, texts.queue_text(found))
    return 0


def _desk(options: argparse.Namespace, client: Client, waiting: Queue) -> int:
    """Reads the host's evidence here, beside the live process, as every command about evidence does."""
    places = [one["host"] for one in waiting["hosts"]]
    place = places.index(options.host) + 1 if options.host in places else 0
    said = _said(options)  # first: an inspection that ends meanwhile is none of these
    why: Why = client.get("why", options.host)
    desk: Desk = {
        "why": why,
        "place": place,
        "seat": waiting["hosts"][place - 1] if place else None,
        "earlier": [one for one in said if one["inspection"] != why["inspection"]],
        "inspection": {},
        "imported": [],
        "hits": [],
        "hits_more": 0,
        "unmatched": [],
    }
    lines = _evidence(options, client, desk)
    show(options, desk, "\n".join([*_standing(desk), *_before(desk), *_found(desk), *lines]))
    return 0


def _said(options: argparse.Namespace) -> list[Earlier]:
    """Every verdict on the host that the journal holds."""
    with Journal.open(state_of(options) / JOURNAL, read_only=True) as journal:
        bodies = [(cast("Any", record.body), record.at_us) for record in journal.records_of("judged")]
    return [
        {
            "inspection": body["inspections"][options.host],
            "verdict": body["verdict"],
            "person": body["person"],
            "at_us": at_us,
        }
        for body, at_us in bodies
        if options.host in body["inspections"]
    ]


def _before(desk: Desk) -> list[str]:
    return [
        f"Earlier: {one['verdict']} on {one['inspection']} by {one['person']}, {clock(one['at_us'])}."
        for one in desk["earlier"]
    ]


def _evidence(options: argparse.Namespace, client: Client, desk: Desk) -> list[str]:
    """Puts the host's evidence and what the set in force finds in it on the desk; the lines that say what it is."""
    blobs = evidence_of(state_of(options))
    kept: EvidenceKept = client.get("evidence")
    try:
        matcher = matcher_of(kept, blobs)
    except RelanceError as error:
        matcher = None
        desk["unmatched"].append(error.sentence)
    lines: list[str] = []
    own: list[Inspected] = [one for one in kept["hosts"] if one["host"] == options.host]
    for one in own:
        note_read(client, one["evidence"])
        content = blobs.get(one["evidence"])
        seen = Evidence.from_bytes(content)
        desk["inspection"] = json.loads(content)
        _match(desk, matcher, seen)
        lines += inspection_lines(one, seen)
    for more in (one for one in kept["imported"] if one["host"] == options.host):
        note_read(client, more["evidence"])
        content = blobs.get(more["evidence"])
        seen = Evidence.from_bytes(content)
        desk["imported"].append({**more, "document": json.loads(content)})
        _match(desk, matcher, seen)
        lines += imported_lines(more, seen, matcher) if matcher else []
    return lines if own else ["No inspection: there is nothing to judge yet.", *lines]


def _match(desk: Desk, matcher: Matcher | None, seen: Evidence) -> None:
    """What cannot be matched is said beside what can: a desk shows all there is."""
    if matcher is None:
        return
    try:
        found = matcher.match(seen)
    except RelanceError as error:
        desk["unmatched"].append(error.sentence)
        return
    desk["hits"] = sorted([*desk["hits"], *map(_hit, found.hits)], key=lambda one: LEVELS.index(one["level"]))
    desk["hits_more"] += found.more
    desk["unmatched"] += found.unmatched


def _hit(hit: Hit) -> DeskHit:
    return {"level": hit.level, "kind": hit.kind, "value": hit.value, "where": hit.where, "origin": hit.origin}


def _standing(desk: Desk) -> list[str]:
    """Its turn, its seats, and what the rules say stands in its way."""
    seat = desk["seat"]
    if seat is None:
        return ["No verdict on this host is wanted now.", texts.why_text(desk["why"])]
    held = ", ".join(claim["person"] for claim in seat["claims"]) or "nobody"
    owed = ", owes an inspection while it is out" if seat["owed"] else ""
    return [
        f"Number {desk['place']} of the queue{owed}. Seats open: {seat['seats_open']}; claimed by {held}.",
        f"Plays {', '.join(seat['services']) or 'no service'} at {seat['site']}.",
        texts.why_text(desk["why"]),
    ]


def _found(desk: Desk) -> list[str]:
    hits = [
        f"{one['level']} indicator {one['kind']} {one['value']} at {one['where']} ({one['origin']})"
        for one in desk["hits"][:SHOWN]
    ]
    more = desk["hits_more"] + max(0, len(desk["hits"]) - SHOWN)
    return [
        "",
        *(hits or ["Indicators: nothing of the set in force was found in what was matched."]),
        *([f"indicators: {more} more"] if more else []),
        *(f"not matched: {what}" for what in desk["unmatched"]),
    ]
