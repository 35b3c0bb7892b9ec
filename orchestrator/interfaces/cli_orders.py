"""The commands that give orders: one per common kind, `order make` for any, `order sign` for another's.

Never decides who may: the live process answers, and its refusal is printed as it came.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from orchestrator.canonical import INTEGER_MAX, Json, NotCanonical, decode
from orchestrator.client import Client
from orchestrator.errors import UsageError
from orchestrator.interfaces.output import Commands
from orchestrator.interfaces.places import estate_of, state_of
from orchestrator.interfaces.signing import (
    EXPIRES_H,
    add_sign_request,
    add_signer,
    carried_back,
    give_order,
    order_of,
    post_order,
    send_order,
)
from orchestrator.trust.statement import Order

FACTS = ("t0", "breach_closed", "waiver", "outside", "agreement", "accepted")
AGREED = {
    "patient": "the test patient's identifier",
    "routes": "which routes are blocked meanwhile, so that nothing reaches a ward",
    "cleanup": "who removes what was written, and when",
}
WITNESSED = {"witness": "who saw it go through", "case": "which sample or image", "minute": "when"}


def add(commands: Commands) -> None:
    """Declares them."""
    _add_order(commands)
    _add_wave(commands)
    _add_host(commands)
    _add_freeze(commands)
    _add_fact(commands)
    _add_work(commands)


def _add_order(commands: Commands) -> None:
    parts = commands.add_parser("order", description="Any order, and another's signature.").add_subparsers(
        required=True
    )
    parser = parts.add_parser("sign", description="Add your signature to an order that waits.")
    parser.add_argument("order", metavar="ID")
    add_signer(parser)
    parser.set_defaults(call=_sign)
    add_sign_request(parts, Order.from_bytes)
    parser = parts.add_parser("file", description="Hand in an order signed on another machine: FILE and FILE.sig.")
    parser.add_argument("request", type=Path, metavar="FILE")
    parser.add_argument("--person", required=True, help="who signed it")
    parser.set_defaults(call=_file)
    parser = parts.add_parser("give", description="Sign an order that was drafted (exposure --orders), and send it.")
    parser.add_argument("file", type=Path, metavar="FILE")
    add_signer(parser)
    parser.set_defaults(call=_give)
    parser = parts.add_parser("make", description="Give an order of any kind; `relance orders --kinds` lists them.")
    parser.add_argument("kind")
    parser.add_argument("subject")
    parser.add_argument("--arg", action="append", default=[], metavar="NAME=VALUE", help="VALUE is JSON, else text")
    parser.add_argument("--expires-h", default=str(EXPIRES_H), metavar="HOURS")
    add_signer(parser)
    parser.set_defaults(call=_make)


def _add_wave(commands: Commands) -> None:
    parser = commands.add_parser("wave", description="Launch a wave, hold it, or let it go on.")
    parser.add_argument("what", choices=("launch", "hold", "resume"))
    parser.add_argument("wave")
    add_signer(parser)
    parser.set_defaults(call=lambda options: give_order(options, f"wave.{options.what}", options.wave))


def _add_host(commands: Commands) -> None:
    parts = commands.add_parser("host", description="Decide about one host.").add_subparsers(required=True, dest="what")
    for what in ("retry", "exclude", "take-back", "declare", "recall", "isolate"):
        parser = parts.add_parser(what)
        parser.add_argument("host")
        add_signer(parser)
        parser.set_defaults(call=_host)
        if what == "retry":
            parser.add_argument("--strategy", choices=("restore", "reimage", "replace"))
        elif what == "exclude":
            parser.add_argument("--even-if-last", action="store_true", help="also where a service loses its quorum")
        elif what == "declare":
            parser.add_argument("--host-key", required=True, help="ssh-ed25519 AAAA...")
            parser.add_argument("--restore-point", required=True, metavar="TIME", help="2026-05-01T04:00:00Z")
        else:
            parser.add_argument("--stops", nargs="*", default=[], metavar="SERVICE", help="services you know it stops")


def _add_freeze(commands: Commands) -> None:
    for what in ("freeze", "thaw"):
        parser = commands.add_parser(what, description="Stop reconnects." if what == "freeze" else "End a freeze.")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--site")
        where.add_argument("--hosts", nargs="+", metavar="HOST")
        if what == "freeze":
            parser.add_argument("--all-work", action="store_true", help="restores and inspections too")
        else:
            where.add_argument("--reach", metavar="HOST", help="whom this host spoke with, once it was recalled")
        add_signer(parser)
        parser.set_defaults(call=_freeze, what=what)


def _add_fact(commands: Commands) -> None:
    parts = commands.add_parser("fact", description="What is signed as true.").add_subparsers(required=True)
    parser = parts.add_parser(
        "set",
        description="t0 TIME, breach_closed, waiver class:ID, outside|agreement SERVICE, accepted FUNCTION/SITE",
    )
    parser.add_argument("name", choices=FACTS)
    parser.add_argument("value", nargs="?", default="")
    parser.add_argument("--owner", default="", help="who accepts a function, or agrees that probes write to a service")
    for name, what in AGREED.items():
        parser.add_argument(f"--{name}", default="", help=f"of an agreement: {what}")
    add_signer(parser)
    parser.set_defaults(call=_set_fact)
    parser = parts.add_parser("withdraw", description="Withdraw a fact: breach_closed, outside:SERVICE, waiver:...")
    parser.add_argument("name")
    add_signer(parser)
    parser.set_defaults(call=lambda options: give_order(options, "fact.withdraw", options.name))


def _add_work(commands: Commands) -> None:
    parser = commands.add_parser("claim", description="Take a seat at a host before verifying it.")
    parser.add_argument("host")
    add_signer(parser)
    parser.set_defaults(call=lambda options: give_order(options, "claim", options.host))
    parser = commands.add_parser("task", description="Claim a task before setting out, report it done or failed.")
    parser.add_argument("what", choices=("claim", "done", "failed"))
    parser.add_argument("task")
    for name, what in WITNESSED.items():
        parser.add_argument(f"--{name}", default="", help=f"of a witness task: {what}")
    add_signer(parser)
    parser.set_defaults(call=_task)


def _task(options: argparse.Namespace) -> int:
    args = cast("dict[str, Json]", {name: getattr(options, name) for name in WITNESSED if getattr(options, name)})
    return give_order(options, f"task.{options.what}", options.task, args)


def _sign(options: argparse.Namespace) -> int:
    client = Client(state_of(options))
    return send_order(options, client, order_of(client, options.order))


def _file(options: argparse.Namespace) -> int:
    text, signature = carried_back(options.request)
    return post_order(options, Client(state_of(options)), Order.from_bytes(text), signature)


def _give(options: argparse.Namespace) -> int:
    try:
        text = options.file.read_bytes()
    except OSError as error:
        raise UsageError(f"{options.file} cannot be read: {error.strerror}.", rule="usage.file") from error
    return send_order(options, Client(state_of(options)), Order.from_bytes(text))


def _make(options: argparse.Namespace) -> int:
    args = dict(_argument(word) for word in options.arg)
    if options.kind == "genesis" and "persons" not in args:
        # Reading content is needed for this one order only.
        from orchestrator.interfaces.genesis import genesis_args

        args = {**genesis_args(estate_of(options)), **args}
    return give_order(options, options.kind, options.subject, args)


def _argument(word: str) -> tuple[str, Json]:
    name, equals, value = word.partition("=")
    if not equals:
        raise UsageError(f"{word!r} is not NAME=VALUE.", rule="usage.arg")
    try:
        return name, decode(value.encode())
    except NotCanonical:
        return name, value


def _host(options: argparse.Namespace) -> int:
    args: dict[str, Json] = {}
    if getattr(options, "strategy", None):
        args["strategy"] = options.strategy
    if getattr(options, "even_if_last", False):
        args["even_if_last"] = True
    if getattr(options, "stops", None):
        args["stops"] = options.stops
    if options.what == "declare":
        args = {"host_key": options.host_key, "restore_point_us": time_us(options.restore_point)}
    return give_order(options, f"host.{options.what}", options.host, args)


def _freeze(options: argparse.Namespace) -> int:
    args: dict[str, Json] = {}
    subject = f"site:{options.site}" if options.site else "all"
    if options.hosts:
        subject, args["hosts"] = "hosts", options.hosts
    elif getattr(options, "reach", None):
        subject = f"reach:{options.reach}"
    if getattr(options, "all_work", False):
        args["all_work"] = True
    return give_order(options, options.what, subject, args)


def _set_fact(options: argparse.Namespace) -> int:
    if options.name == "breach_closed":
        if options.value:
            raise UsageError(f"breach_closed takes no value; leave {options.value} away.", rule="usage.fact")
        return give_order(options, "fact.breach_closed", "breach_closed")
    if not options.value:
        raise UsageError(f"The fact {options.name} needs a value.", rule="usage.fact")
    if options.name == "t0":
        return give_order(options, "fact.t0", "t0", {"at_us": time_us(options.value)})
    named = {name: getattr(options, name) for name in ("owner", *AGREED) if getattr(options, name)}
    args = cast("dict[str, Json]", named)
    return give_order(options, f"fact.{options.name}", options.value, args)


def time_us(text: str) -> int:
    """A time as `2026-05-01T04:00:00Z` (or with an offset), in microseconds UTC. Raises UsageError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a time like 2026-05-01T04:00:00Z.", rule="usage.time") from error
    if at.tzinfo is None:
        raise UsageError(f"Say the zone of {text}: end it with Z or an offset like +02:00.", rule="usage.time")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    at_us = (at - epoch) // datetime.resolution
    if not 0 <= at_us <= INTEGER_MAX:
        raise UsageError(f"{text} cannot be kept: times lie between 1970 and 2255.", rule="usage.time")
    return at_us
