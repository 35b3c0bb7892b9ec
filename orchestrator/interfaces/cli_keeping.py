"""The commands about the journal: prove it whole, check an export, copy the state folder.

Never writes to the journal; all work beside a live process and without one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.interfaces.auditing import audit
from orchestrator.interfaces.output import Commands, show
from orchestrator.interfaces.places import state_of
from orchestrator.journal.backup import JOURNAL, backup
from orchestrator.journal.export import export, verify_export
from orchestrator.journal.sqlite import Journal

OK, FINDINGS = 0, 1


def add(commands: Commands) -> None:
    """Declares audit, verify and backup."""
    parser = commands.add_parser("audit", description="Hashes, root, replay, invariants, one end per action.")
    parser.add_argument("--export", type=Path, metavar="FILE", help="also write every record as a line of text")
    parser.set_defaults(call=_audit)
    parser = commands.add_parser("verify", description="Check an exported journal, without a state folder.")
    parser.add_argument("file", type=Path)
    parser.set_defaults(call=_verify)
    parser = commands.add_parser("backup", description="Copy the state folder; its root is verified.")
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.set_defaults(call=_backup)


def _audit(options: argparse.Namespace) -> int:
    state_dir = state_of(options)
    found = audit(state_dir)
    if options.export is not None:
        with Journal.open(state_dir / JOURNAL, read_only=True) as journal:
            export(journal, options.export)
    lines = [
        f"Incident {found['incident']}: {found['records']} records, root {found['root']}.",
        "Every hash, the root and the replay verify.",
        f"Actions: {found['issued']} issued = {found['finished']} finished + {found['lost']} lost + "
        f"{found['cancelled']} cancelled + {found['open']} open; {found['late']} results came late.",
        f"Invariants: {found['invariants']}.",
        *(f"VIOLATION: {one}" for one in found["violations"]),
    ]
    show(options, found, "\n".join(lines))
    return FINDINGS if found["violations"] else OK


def _verify(options: argparse.Namespace) -> int:
    head = verify_export(options.file)
    show(options, head.as_json(), f"{head.size} records, root {head.root.hex()}: complete and unchanged.")
    return OK


def _backup(options: argparse.Namespace) -> int:
    done = backup(state_of(options), options.directory)
    document = {"path": str(done.path), "files": done.files, "left_out": list(done.left_out), **done.head.as_json()}
    show(options, document, done.sentence)
    return OK
