"""The command that opens a lot: from now on workstations made from an image at a site are judged together.

Never judges anything: `verdict sign CLEAN --lot` does, and whoever signs it.
"""

from __future__ import annotations

import argparse
import secrets

from orchestrator.interfaces.output import Commands
from orchestrator.interfaces.signing import add_signer, give_order


def add(commands: Commands) -> None:
    """Declares lot."""
    parts = commands.add_parser("lot", description="Judge workstations of one image together.").add_subparsers(
        required=True
    )
    parser = parts.add_parser("open", description="Before the first is inspected: the seed of the sample is drawn now.")
    parser.add_argument("site", metavar="SITE")
    parser.add_argument("image", metavar="IMAGE", help="the SHA-256 of the signed image, 64 hex digits")
    add_signer(parser)
    parser.set_defaults(call=_open)


def _open(options: argparse.Namespace) -> int:
    args = {"image": options.image.lower(), "seed": secrets.token_hex(16)}
    return give_order(options, "lot.open", options.site, args)
