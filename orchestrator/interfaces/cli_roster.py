"""The commands that change who may sign: add a person for some days, or revoke one.

Never puts anybody in or out: each gives an order that waits for a second person.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from orchestrator.canonical import Json
from orchestrator.clock import SystemClock
from orchestrator.errors import UsageError
from orchestrator.interfaces.output import Commands
from orchestrator.interfaces.signing import HOUR_US, add_signer, give_order
from orchestrator.plans.model import Role
from orchestrator.trust.keys import FILE_BYTES_MAX, parse_public

# Who comes to help goes again; whoever stays is added anew, by two who then still know them.
DAYS, DAYS_MAX = 14, 365


def add(commands: Commands) -> None:
    """Declares roster."""
    parts = commands.add_parser("roster", description="Change who may sign, by two persons.").add_subparsers(
        required=True
    )
    parser = parts.add_parser("add", description="Add a person; their time ends by itself.")
    parser.add_argument("member", metavar="ID", help="a role and a number, never a name")
    parser.add_argument("--public-key", required=True, type=Path, metavar="FILE", help="their .pub file")
    parser.add_argument("--roles", required=True, nargs="+", choices=get_args(Role))
    parser.add_argument("--days", type=int, default=DAYS, help=f"how long they may sign; {DAYS} unless said")
    add_signer(parser)
    parser.set_defaults(call=_add)
    parser = parts.add_parser("revoke", description="From now on what this person signed counts no more.")
    parser.add_argument("member", metavar="ID")
    add_signer(parser)
    parser.set_defaults(call=lambda options: give_order(options, "roster.revoke", options.member))


def _add(options: argparse.Namespace) -> int:
    if not 1 <= options.days <= DAYS_MAX:
        raise UsageError(f"A person is added for 1 to {DAYS_MAX} days, not {options.days}.", rule="usage.days")
    try:
        with options.public_key.open("rb") as file:
            line = file.read(FILE_BYTES_MAX).decode("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{options.public_key} cannot be read: {error}.", rule="usage.file") from error
    public = parse_public(line)
    until_us = SystemClock().now_us() + options.days * 24 * HOUR_US
    person: dict[str, Json] = {
        "id": options.member,
        "roles": list(options.roles),
        "key": f"verify-required {public.line}" if public.pin else public.line,
        "fingerprint": public.fingerprint,
        "valid_until_us": until_us,
    }
    return give_order(options, "roster.add", options.member, {"person": person})
