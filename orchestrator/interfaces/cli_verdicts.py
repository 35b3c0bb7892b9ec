"""The analysts' commands: sign a verdict on inspected hosts, or file one signed on another machine.

Never judges and never looks at evidence: it puts what the analyst says into a statement, shows it, and signs it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from orchestrator.client import Client
from orchestrator.clock import SystemClock
from orchestrator.errors import Refused, UsageError
from orchestrator.interfaces.output import Commands, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.signing import add_signer, signer
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import VERDICT_NAMESPACE, VERDICTS, Head, Statement, Subject


def add(commands: Commands) -> None:
    """Declares verdict sign and verdict file."""
    parts = commands.add_parser("verdict", description="What an analyst says of hosts.").add_subparsers(required=True)
    parser = parts.add_parser("sign", description="Sign a verdict on the latest inspections and file it.")
    parser.add_argument("verdict", choices=tuple(VERDICTS))
    parser.add_argument("hosts", nargs="+", metavar="HOST")
    parser.add_argument("--method", required=True, help="how you looked, in one line")
    for option in ("--tool", "--examined", "--not-examined"):
        parser.add_argument(option, action="append", default=[], metavar="TEXT")
    parser.add_argument("--out", type=Path, metavar="PREFIX", help="write PREFIX.json and PREFIX.sig, file nothing")
    add_signer(parser)
    parser.set_defaults(call=_sign)
    parser = parts.add_parser("file", description="File a statement signed elsewhere.")
    parser.add_argument("statement", type=Path)
    parser.add_argument("signature", type=Path)
    parser.set_defaults(call=_file)


def _sign(options: argparse.Namespace) -> int:
    client = Client(state_of(options))
    statement = _statement(
        options, client.get("head"), client.get("queue"), [_subject(client, host) for host in options.hosts]
    )
    text = statement.to_bytes()
    signature = sign(signer(options, statement), VERDICT_NAMESPACE, text)
    if options.out is None:
        return _post(options, client, text, (options.person, signature))
    written = [options.out.with_name(f"{options.out.name}.{kind}") for kind in ("json", "sig")]
    for path, content in zip(written, (text, signature.encode()), strict=True):
        try:
            path.write_bytes(content)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.", rule="usage.file") from error
    show(options, {"files": [str(path) for path in written]}, f"Signed: {written[0]} and {written[1]}.")
    return 0


def _statement(options: argparse.Namespace, head: Any, queue: Any, subjects: list[Subject]) -> Statement:
    return Statement(
        verdict=options.verdict,
        person=options.person,
        subjects=tuple(sorted(subjects, key=lambda one: one.host)),
        indicator_set=queue["indicator_set"],
        tools=tuple(options.tool),
        method=options.method,
        examined=tuple(options.examined),
        not_examined=tuple(options.not_examined),
        head=Head(head["size"], head["root"]),
        expires_us=SystemClock().now_us() + queue["verdict_valid_s"] * 1_000_000,
        incident=head["incident"],
    )


def _subject(client: Client, host: str) -> Subject:
    found = client.get("why", host)
    if not found["inspection"]:
        raise Refused(f"{host} has no inspection to judge.", rule="verdict.inspection", host=host)
    return Subject(host, found["inspection"], found["evidence"])


def _file(options: argparse.Namespace) -> int:
    try:
        text, signature = options.statement.read_bytes(), options.signature.read_text("ascii")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"The files cannot be read: {error}.", rule="usage.file") from error
    person = Statement.from_bytes(text).person
    return _post(options, Client(state_of(options)), text, (person, signature))


def _post(options: argparse.Namespace, client: Client, text: bytes, signed: tuple[str, str]) -> int:
    taken = client.post("verdicts", verdict=text.decode(), person=signed[0], signature=signed[1])
    show(options, taken, f"{taken['kind']} on {taken['subject']}: filed.")
    return 0
