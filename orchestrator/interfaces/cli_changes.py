"""The commands that change the plan of a running restart: new content, another order of functions, a wave set apart.

Never puts anything in force: each gives an order that waits for a second person.
"""

from __future__ import annotations

import argparse

from orchestrator.client import Client
from orchestrator.engine.contents import keep
from orchestrator.errors import UsageError
from orchestrator.interfaces.output import Commands, progress
from orchestrator.interfaces.places import estate_of, state_of
from orchestrator.interfaces.signing import add_signer, give_order
from orchestrator.plans.files import load, unusable


def add(commands: Commands) -> None:
    """Declares content."""
    parts = commands.add_parser("content", description="Change the plan in mid-incident.").add_subparsers(required=True)
    parser = parts.add_parser("propose", description="Order that the edited estate comes into force.")
    add_signer(parser)
    parser.set_defaults(call=_propose)
    parser = parts.add_parser("order", description="Order in which functions come back, the most urgent first.")
    parser.add_argument("functions", nargs="+", metavar="FUNCTION")
    add_signer(parser)
    parser.set_defaults(
        call=lambda options: give_order(options, "functions.order", "functions", {"functions": options.functions})
    )
    parser = parts.add_parser("split", description="Set services, or whole sites, of a wave apart into a later one.")
    parser.add_argument("wave")
    parser.add_argument("name", help="the new wave is called WAVE/NAME")
    parser.add_argument("--services", nargs="+", default=[], metavar="SERVICE")
    parser.add_argument("--sites", nargs="+", default=[], metavar="SITE")
    add_signer(parser)
    parser.set_defaults(call=_split)


def _propose(options: argparse.Namespace) -> int:
    """Keeps a copy beside the journal, then orders what the live process says it changes."""
    estate, client = estate_of(options), Client(state_of(options))
    content, findings, _ = load(estate)
    if content is None:
        raise unusable(findings)
    if content.digest == client.get("content-digest")["digest"]:
        raise UsageError(f"The content of {estate} is in force already.", rule="usage.content")
    keep(estate, state_of(options), content.digest)
    told = client.get("content", content.digest)
    for line in told["errors"]:
        progress(line)
    args = {name: told[name] for name in ("digest", "blocked", "changes")}
    return give_order(options, "content.change", "content", args)


def _split(options: argparse.Namespace) -> int:
    args = {"name": options.name, "services": options.services, "sites": options.sites}
    return give_order(options, "wave.split", options.wave, args)
