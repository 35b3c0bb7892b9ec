"""The lab's commands: `relance lab up|status|break|down`.

Never runs a drill: `relance drill --lab` does, in the lab that stands in the same folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.interfaces.output import Commands, columns, progress, show

OK = 0


def add(commands: Commands) -> None:
    """Declares lab."""
    parser = commands.add_parser("lab", description="Real services on hosts of their own, to break and bring back.")
    parser.add_argument("what", choices=("up", "status", "break", "down"))
    parser.add_argument("--state", default=argparse.SUPPRESS, help="the lab's folder, else ./drill-lab")
    parser.set_defaults(call=_lab)


def _lab(options: argparse.Namespace) -> int:
    from orchestrator.practice import lab

    root, what = Path(options.state or lab.FOLDER).absolute(), options.what
    if what == "up":
        lab.up(root, progress)
    if what == "break":
        struck = lab.strike(root)
        show(options, {"struck": struck}, f"{struck} hosts are encrypted, and their services killed.")
    elif what == "down":
        lab.down(root)
        show(options, {"down": True}, "The lab is gone.")
    else:
        found = lab.status(root)
        rows = [(name, *(str(cell) for cell in host.values())) for name, host in found["hosts"].items()]
        lines = columns([("host", "service", "address", "network", "disk", "processes"), *rows])
        lines += ["They run " + ", ".join(f"{name} {version}" for name, version in found["packages"].items()) + "."]
        lines += [f"Step into one with {root}/fleet/enter/HOST COMMAND..., into the engine's place with .../control."]
        show(options, found, "\n".join(lines))
    return OK
