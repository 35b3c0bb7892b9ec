"""The command about preserved evidence: shows who held it since when, and records a hand-over or a new seal.

Never moves evidence, and never says who holds it but by the journal.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.client import Client
from orchestrator.errors import Refused, UsageError
from orchestrator.interfaces.documents import Custody, PreservedKept
from orchestrator.interfaces.output import Commands, clock, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.signing import KEY_HELP, give_order


def add(commands: Commands) -> None:
    """Declares custody."""
    parser = commands.add_parser(
        "custody", description="Who holds what was preserved of a host. With --to or --seal: signs that it changed."
    )
    parser.add_argument("host")
    parser.add_argument("--to", metavar="HOLDER", help="who takes it over from who holds it")
    parser.add_argument("--seal", metavar="NUMBER", help='the seal from now on; "" where it was broken')
    parser.add_argument("--evidence", metavar="ACTION", help="which preserve it is of (else the latest)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--key", type=Path, help=KEY_HELP)
    how.add_argument("--offline", type=Path, metavar="DIR", help="carry it out to be signed on another machine")
    parser.add_argument("--person", help="your id in the roster")
    parser.set_defaults(call=_custody)


def _custody(options: argparse.Namespace) -> int:
    found: Custody = Client(state_of(options)).get("custody", options.host)
    if options.to is None and options.seal is None:
        show(options, found, "\n".join(_lines(found)))
        return 0
    if not (options.key or options.offline) or options.person is None:
        raise UsageError("A hand-over and a seal are signed: name --key and --person.", rule="usage.signer")
    kept = _chosen(found, options.evidence)
    last = kept["hands"][-1]
    args: dict[str, Json] = {
        "from": last["holder"],
        "to": last["holder"] if options.to is None else options.to,
        "seal": last["seal"] if options.seal is None else options.seal,
    }
    return give_order(options, "evidence.custody", kept["action"], args)


def _chosen(found: Custody, action: str | None) -> PreservedKept:
    kept = [one for one in found["preserved"] if action in (None, one["action"])]
    if not kept:
        raise Refused(f"Of {found['host']} nothing was preserved by {action or 'anybody'}.", rule="custody.evidence")
    return kept[-1]


def _lines(found: Custody) -> list[str]:
    """Each preserve, and under it hand by hand."""
    why = "it may be wiped" if found["kept"] else "it may not be wiped yet"
    if found["named"]:
        why += "; no waiver of its class covers it"
    lines = [f"{found['host']}: {len(found['preserved'])} times preserved; {why}."]
    for one in found["preserved"]:
        lines.append(f"{one['action']}: SHA-256 {one['digest']}, on {one['medium'] or 'no named medium'}")
        for hand in one["hands"]:
            seal = f"seal {hand['seal']}" if hand["seal"] else "no seal"
            signed = f", signed by {hand['person']}" if hand["person"] else ""
            lines.append(f"  {clock(hand['at_us'])}  {hand['holder']}, {seal}{signed}")
    return lines
