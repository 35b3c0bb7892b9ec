"""Signs documents at a person's own machine and hands them to the live process.

Never signs what it did not print in words, and never sends a key.
"""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
from pathlib import Path
from typing import Any

from orchestrator.canonical import Json
from orchestrator.client import Client
from orchestrator.clock import SystemClock
from orchestrator.errors import UsageError
from orchestrator.interfaces.output import progress, show
from orchestrator.interfaces.places import state_of
from orchestrator.trust.keys import BadKey, PrivateKey, load_private
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import ORDER_NAMESPACE, Head, Order, Statement, in_words

HOUR_US = 3600 * 1_000_000
EXPIRES_H, EXPIRES_H_MAX = 24, 8760


def add_signer(parser: argparse.ArgumentParser) -> None:
    """The options of every command that signs."""
    parser.add_argument("--key", required=True, type=Path, help="your private key file")
    parser.add_argument("--person", required=True, help="your id in the roster")


def give_order(options: argparse.Namespace, kind: str, subject: str, args: dict[str, Json] | None = None) -> int:
    """Makes an order about what the journal holds now, shows it in words, signs it and sends it."""
    hours = _hours(str(getattr(options, "expires_h", EXPIRES_H)))
    client = Client(state_of(options))
    return send_order(options, client, drafted(client, kind, subject, args or {}, hours))


def drafted(client: Client, kind: str, subject: str, args: dict[str, Json], hours: int = EXPIRES_H) -> Order:
    """An order about what the journal holds now, which nobody has signed."""
    head = client.get("head")
    return Order(
        incident=head["incident"],
        id=secrets.token_hex(16),
        kind=kind,
        subject=subject,
        args=args,
        expires_us=SystemClock().now_us() + hours * HOUR_US,
        head=Head(head["size"], head["root"]),
    )


def _hours(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= EXPIRES_H_MAX:
        raise UsageError(f"An order lasts whole hours from 1 to {EXPIRES_H_MAX}, not {text}.", rule="usage.expiry")
    return int(text)


def send_order(options: argparse.Namespace, client: Client, order: Order) -> int:
    """Signs an order as it stands and sends it; exit 4 comes as the error that says who is missing."""
    text = order.to_bytes()
    signature = sign(signer(options, order), ORDER_NAMESPACE, text)
    taken = client.post("orders", order=text.decode(), person=options.person, signature=signature)
    show(options, taken, f"{taken['kind']} {taken['subject']}: in effect (order {taken['id']}).")
    return 0


def signer(options: argparse.Namespace, document: Order | Statement) -> PrivateKey:
    """The person's key, once they were shown what it will sign."""
    key = unlocked(options.key)
    progress(in_words(document))
    return key


def unlocked(path: Path) -> PrivateKey:
    """The private key of a file; asks for its passphrase where there is one and somebody to ask."""
    try:
        return load_private(path)
    except BadKey as error:
        if error.rule != "key.passphrase" or not sys.stdin.isatty():
            raise
    return load_private(path, passphrase=getpass.getpass(f"Passphrase of {path}: ").encode())


def order_of(client: Client, name: str) -> Order:
    """The order of this id that waits for a signature."""
    found: Any = client.get("orders", name)
    return Order.from_bytes(found["document"].encode())
