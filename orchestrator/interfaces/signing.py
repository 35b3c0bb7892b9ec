"""Signs documents at a person's own machine, or carries them to one on a stick, and hands them to the live process.

Never signs what it did not print in words, made from the very bytes it signs, and never sends a key.
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.canonical import Json
from orchestrator.client import Client
from orchestrator.clock import SystemClock
from orchestrator.errors import Refused, UsageError
from orchestrator.interfaces.documents import Request, SignedRequest
from orchestrator.interfaces.output import progress, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.ssh_keygen import held_elsewhere, sign_elsewhere
from orchestrator.journal import anchor
from orchestrator.trust.keys import BadKey, PrivateKey, load_private
from orchestrator.trust.signature import ARMOUR_CHARS_MAX, sign
from orchestrator.trust.statement import (
    ORDER_NAMESPACE,
    STATEMENT_BYTES_MAX,
    VERDICT_NAMESPACE,
    Head,
    Order,
    Statement,
    in_words,
)

HOUR_US = 3600 * 1_000_000
EXPIRES_H, EXPIRES_H_MAX = 24, 8760
KEY_HELP = "your private key, or a public key whose private half an agent holds, or a security key's file"


def add_signer(parser: argparse.ArgumentParser) -> None:
    """The options of every command that signs."""
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--key", type=Path, help=KEY_HELP)
    how.add_argument("--offline", type=Path, metavar="DIR", help="carry it out to be signed on another machine")
    parser.add_argument("--person", required=True, help="your id in the roster")


def add_sign_request(parts: Any, read: Callable[[bytes], Order | Statement]) -> None:
    """Declares `sign-request`, which needs no state and no live process."""
    parser = parts.add_parser("sign-request", description="Sign what was carried here; writes FILE.sig beside it.")
    parser.add_argument("request", type=Path, metavar="FILE")
    parser.add_argument("--key", type=Path, required=True, help=KEY_HELP)
    parser.set_defaults(call=lambda options: _sign_request(options, read))


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
    """Signs an order as it stands and sends it, or carries it out; exit 4 is the error that names who is missing."""
    if options.offline:
        return carry_out(options, order)
    return post_order(options, client, order, signed(options.key, order))


def post_order(options: argparse.Namespace, client: Client, order: Order, signature: str) -> int:
    """Sends an order with one person's signature."""
    text = order.to_bytes()
    if order.kind == "genesis":
        progress(f"The anchor of this incident, to note on paper: {anchor.digest_of(text)}")
    taken = client.post("orders", order=text.decode(), person=options.person, signature=signature)
    show(options, taken, f"{taken['kind']} {taken['subject']}: in effect (order {taken['id']}).")
    return 0


def signed(key: Path, document: Order | Statement) -> str:
    """The person's signature, once they were shown what it will be under and did not turn away."""
    namespace = ORDER_NAMESPACE if isinstance(document, Order) else VERDICT_NAMESPACE
    return signed_text(key, namespace, document.to_bytes(), in_words(document))


def signed_text(key: Path, namespace: str, text: bytes, words: str) -> str:
    """The same for any text that these words describe."""
    progress(words)
    holder = held_elsewhere(key)
    if not holder:
        return sign(_unlocked(key), namespace, text)
    if holder == "agent":
        _agreed()
    else:
        progress("Touch the security key when it asks for it.")
    return sign_elsewhere(key, holder, namespace, text)


def _unlocked(path: Path) -> PrivateKey:
    """The private key of a file; whoever sits there types its passphrase, or, where it has none, agrees."""
    try:
        key = load_private(path)
    except BadKey as error:
        if error.rule != "key.passphrase" or not sys.stdin.isatty():
            raise
        return load_private(path, passphrase=getpass.getpass(f"Passphrase of {path}: ").encode())
    _agreed()
    return key


def _agreed() -> None:
    if not sys.stdin.isatty():
        return
    progress("Type yes to sign this:")
    if sys.stdin.readline().strip() != "yes":
        raise Refused("Nothing was signed.", rule="signing.declined")


def carry_out(options: argparse.Namespace, document: Order | Statement) -> int:
    """Writes the very bytes to sign into a folder, such as a stick; nothing is signed and nothing filed."""
    text, what = document.to_bytes(), "order" if isinstance(document, Order) else "verdict"
    digest = hashlib.sha256(text).hexdigest()
    path = options.offline / f"{what}-{digest[:12]}-{options.person}.json"
    _write_new(path, text)
    progress(in_words(document))
    told: Request = {"request": str(path), "sha256": digest}
    person = f" --person {options.person}" if what == "order" else ""
    words = [
        f"Not signed yet: {path}, SHA-256 {digest}.",
        f"On the signer's machine:  relance {what} sign-request {path.name} --key KEY   (it must show this SHA-256)",
        f"Then back here:           relance {what} file {path.name}{person}",
    ]
    show(options, told, "\n".join(words))
    return 0


def _sign_request(options: argparse.Namespace, read: Callable[[bytes], Order | Statement]) -> int:
    text = _read(options.request, STATEMENT_BYTES_MAX)
    digest = hashlib.sha256(text).hexdigest()
    progress(f"SHA-256 {digest}: sign only if the machine it comes from showed the same.")
    path = beside(options.request)
    if path.exists():
        raise UsageError(f"{path} exists: this request is signed. File it, or take it away.", rule="usage.file")
    _write_new(path, signed(options.key, read(text)).encode("ascii"))
    told: SignedRequest = {"signature": str(path), "sha256": digest}
    show(options, told, f"Signed: {path}. Carry it back with {options.request.name}.")
    return 0


def carried_back(request: Path) -> tuple[bytes, str]:
    """The bytes of a request and the signature beside it, as they came back."""
    text, signature = _read(request, STATEMENT_BYTES_MAX), _read(beside(request), ARMOUR_CHARS_MAX)
    return text, signature.decode("ascii", "replace")


def beside(request: Path) -> Path:
    """Where a request's signature lies: where `ssh-keygen -Y sign` would write it too."""
    return request.with_name(f"{request.name}.sig")


def _read(path: Path, size_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size_max + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", rule="usage.file") from error


def _write_new(path: Path, content: bytes) -> None:
    """A stick is pulled out early: what is told to be on it is on it."""
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", rule="usage.file") from error


def order_of(client: Client, name: str) -> Order:
    """The order of this id that waits for a signature."""
    found: Any = client.get("orders", name)
    return Order.from_bytes(found["document"].encode())
