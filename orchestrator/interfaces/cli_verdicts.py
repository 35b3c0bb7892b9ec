"""The analysts' commands: sign a verdict on inspected hosts here, or carry it to another machine and file it after.

Never judges: it puts what the analyst says, and what the inspection says it did not examine, into a statement, shows
it, and signs it.
"""

from __future__ import annotations

import argparse
import unicodedata
from pathlib import Path
from typing import Any

from orchestrator.client import Client
from orchestrator.clock import SystemClock
from orchestrator.errors import Refused, RelanceError, UsageError
from orchestrator.evidence.document import Evidence
from orchestrator.interfaces.documents import Queue
from orchestrator.interfaces.output import Commands, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.rematching import evidence_of
from orchestrator.interfaces.signing import add_sign_request, add_signer, carried_back, carry_out, signed
from orchestrator.trust.statement import ITEMS_MAX, SUBJECTS_MAX, TEXT_CHARS_MAX, VERDICTS, Head, Statement, Subject


def add(commands: Commands) -> None:
    """Declares verdict sign, sign-request and file."""
    parts = commands.add_parser("verdict", description="What an analyst says of hosts.").add_subparsers(required=True)
    parser = parts.add_parser("sign", description="Sign a verdict on the latest inspections and file it.")
    parser.add_argument("verdict", choices=tuple(VERDICTS))
    parser.add_argument("hosts", nargs="*", metavar="HOST")
    parser.add_argument("--lot", default="", metavar="LOT", help="CLEAN for all of a lot at once, once its sample is")
    parser.add_argument("--method", required=True, help="how you looked, in one line")
    for option in ("--tool", "--examined", "--not-examined"):
        parser.add_argument(option, action="append", default=[], metavar="TEXT")
    add_signer(parser)
    parser.set_defaults(call=_sign)
    add_sign_request(parts, Statement.from_bytes)
    parser = parts.add_parser("file", description="File a verdict signed on another machine: FILE and FILE.sig.")
    parser.add_argument("request", type=Path, metavar="FILE")
    parser.set_defaults(call=_file)


def _sign(options: argparse.Namespace) -> int:
    if bool(options.hosts) == bool(options.lot) or (options.lot and options.verdict != "CLEAN"):
        raise UsageError("Name the hosts, or for CLEAN one lot.", rule="usage.lot")
    client = Client(state_of(options))
    head, queue = client.get("head"), client.get("queue")
    subjects = _of_lot(queue, options.lot) if options.lot else [_subject(client, host) for host in options.hosts]
    statement = _statement(options, head, queue, subjects)
    if options.offline:
        return carry_out(options, statement)
    return _post(options, client, statement, signed(options.key, statement))


def _statement(options: argparse.Namespace, head: Any, queue: Any, subjects: list[Subject]) -> Statement:
    return Statement(
        verdict=options.verdict,
        person=options.person,
        subjects=tuple(sorted(subjects, key=lambda one: one.host)),
        indicator_set=queue["indicator_set"],
        tools=tuple(options.tool),
        method=options.method,
        examined=tuple(options.examined),
        not_examined=_not_examined(options, subjects),
        head=Head(head["size"], head["root"]),
        expires_us=SystemClock().now_us() + queue["verdict_valid_s"] * 1_000_000,
        incident=head["incident"],
    )


def _not_examined(options: argparse.Namespace, subjects: list[Subject]) -> tuple[str, ...]:
    """What the inspections say they did not examine, then what the analyst adds; nobody can take anything away."""
    blobs = evidence_of(state_of(options))
    told: list[str] = []
    for one in subjects:
        try:
            told += Evidence.from_bytes(blobs.get(one.evidence)).not_examined
        except RelanceError:
            if options.verdict == "CLEAN":
                raise
            told.append(f"what {one.inspection} did not examine: its evidence cannot be read")
    found = list(dict.fromkeys([*options.not_examined, *map(_shown, told)]))
    more = f"{len(found) - ITEMS_MAX + 1} more, which the evidence named here lists"
    return tuple(found if len(found) <= ITEMS_MAX else [*found[: ITEMS_MAX - 1], more])


def _shown(told: str) -> str:
    """As it can stand under a signature: commands complain in any characters."""
    plain = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in told)
    return unicodedata.normalize("NFC", plain)[:TEXT_CHARS_MAX]


def _subject(client: Client, host: str) -> Subject:
    found = client.get("why", host)
    if not found["inspection"]:
        raise Refused(f"{host} has no inspection to judge.", rule="verdict.inspection", host=host)
    return Subject(host, found["inspection"], found["evidence"])


def _of_lot(queue: Queue, name: str) -> list[Subject]:
    """All that wait of a lot, with its sample, by the image they were made from."""
    lot = next((one for one in queue["lots"] if one["lot"] == name), None)
    if lot is None:
        known = ", ".join(one["lot"] for one in queue["lots"]) or "none"
        raise UsageError(f"There is no lot {name}; open are: {known}.", rule="usage.lot")
    if not lot["waiting"]:
        raise Refused(f"No host of {name} waits to be signed for.", rule="verdict.lot")
    unread = [one["host"] for one in lot["sample"] if not one["clean"]]
    if unread:
        raise Refused(f"Of the sample of {name} these are not CLEAN yet: {', '.join(unread)}.", rule="verdict.lot")
    hosts = [*lot["sample"], *lot["waiting"]][:SUBJECTS_MAX]  # whom one statement cannot hold, the next one names
    return [Subject(one["host"], one["inspection"], one["evidence"], lot["image"]) for one in hosts]


def _file(options: argparse.Namespace) -> int:
    text, signature = carried_back(options.request)
    return _post(options, Client(state_of(options)), Statement.from_bytes(text), signature)


def _post(options: argparse.Namespace, client: Client, statement: Statement, signature: str) -> int:
    text = statement.to_bytes().decode()
    taken = client.post("verdicts", verdict=text, person=statement.person, signature=signature)
    show(options, taken, f"{taken['kind']} on {taken['subject']}: filed.")
    return 0
