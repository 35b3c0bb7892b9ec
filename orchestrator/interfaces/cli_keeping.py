"""The commands about the journal: prove it whole, check an export, copy the state folder.

Never writes to the journal; all work beside a live process and without one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from orchestrator import canonical
from orchestrator.errors import UsageError
from orchestrator.interfaces.auditing import audit
from orchestrator.interfaces.handing_over import hand_over
from orchestrator.interfaces.output import Commands, show
from orchestrator.interfaces.places import state_of
from orchestrator.journal.backup import JOURNAL, backup
from orchestrator.journal.disk import refused_by_disk
from orchestrator.journal.export import verify_export
from orchestrator.journal.proof import head_of, prove, verify_proof
from orchestrator.journal.sqlite import Journal
from orchestrator.trust import verifier

OK, FINDINGS, REFUSED = 0, 1, 3


def add(commands: Commands) -> None:
    """Declares audit, verify and backup."""
    parser = commands.add_parser("audit", description="Hashes, root, anchor, replay, invariants, one end per action.")
    parser.add_argument(
        "--since", type=head_of, metavar="SIZE:ROOT", help="exit 1 unless it continues this printed head"
    )
    parser.add_argument("--anchor", metavar="DIGEST", default="", help="exit 1 unless the genesis is the one on paper")
    parser.add_argument("--export", type=Path, metavar="DIR", help="also write a folder that verifies without Relance")
    parser.add_argument(
        "--proof", type=int, metavar="RECORD", help="also prove that this record is under --since (or now)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the proof goes")
    parser.set_defaults(call=_audit)
    parser = commands.add_parser("verify", description="Check a reconnect's bundle, an exported journal, or a proof.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--anchor", metavar="DIGEST", help="the file is a bundle; SHA-256 of the genesis order's text")
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="the journal, or its export, that a bundle rests on"
    )
    parser.add_argument("--now", action="store_true", help="judge a bundle by the whole journal, not as of its head")
    parser.add_argument("--head", type=head_of, metavar="SIZE:ROOT", help="the file is a proof under this printed head")
    parser.set_defaults(call=_verify)
    parser = commands.add_parser("backup", description="Copy the state folder; its root is verified.")
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.set_defaults(call=_backup)


def _audit(options: argparse.Namespace) -> int:
    state_dir = state_of(options)
    if (options.proof is None) != (options.out is None):
        raise UsageError("--proof and --out go together: which record, and into which file.", rule="usage.proof")
    found = audit(state_dir, options.since, options.anchor)
    if options.export is not None:
        hand_over(state_dir, options.export)
    if options.proof is not None:
        _prove(state_dir, options)
    lines = [
        f"Incident {found['incident']}: {found['records']} records. Head, to print and keep: {found['head']}",
        "Every hash, the root and the replay verify.",
        f"Anchor, as on paper: {found['anchor'] or 'no genesis is in force'}",
        f"Actions: {found['issued']} issued = {found['finished']} finished + {found['lost']} lost + "
        f"{found['cancelled']} cancelled + {found['open']} open; {found['late']} results came late.",
        f"Invariants: {found['invariants']}.",
        *(f"VIOLATION: {one}" for one in found["violations"]),
    ]
    show(options, found, "\n".join(lines))
    return FINDINGS if found["violations"] else OK


def _prove(state_dir: Path, options: argparse.Namespace) -> None:
    with Journal.open(state_dir / JOURNAL, read_only=True) as journal:
        proof = prove(journal, options.proof, options.since or journal.head)
    try:
        options.out.write_bytes(canonical.encode(proof))
    except OSError as error:
        raise refused_by_disk(error, options.out) from error


def _verify(options: argparse.Namespace) -> int:
    if (options.anchor is None) != (options.journal is None):
        raise UsageError("A bundle is checked with --anchor and --journal.", rule="usage.bundle")
    if options.anchor is not None:
        return _release(options)
    if options.head is not None:
        seq = verify_proof(options.file, options.head)
        show(
            options,
            {"record": seq, "head": str(options.head)},
            f"Record {seq} stands in the journal of {options.head}.",
        )
        return OK
    head = verify_export(options.file)
    show(options, head.as_json(), f"{head.size} records, root {head.root.hex()}: complete and unchanged.")
    return OK


def _backup(options: argparse.Namespace) -> int:
    done = backup(state_of(options), options.directory)
    document = {"path": str(done.path), "files": done.files, "left_out": list(done.left_out), **done.head.as_json()}
    show(options, document, done.sentence)
    return OK


def _release(options: argparse.Namespace) -> int:
    """Every rule of the release check as a line; exit 3 where one refuses."""
    try:
        bundle = json.loads(options.file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{options.file} is no bundle: {error}.", rule="usage.bundle") from error
    (lines,) = verifier.check([bundle], options.journal, options.anchor, now=options.now)
    accepted = all(line.holds for line in lines)
    document = {"accepted": accepted, "rules": [line._asdict() for line in lines]}
    told = [f"{'holds  ' if line.holds else 'REFUSED'}  {line.rule}: {line.sentence}" for line in lines]
    show(
        options, document, "\n".join((*told, "Accepted." if accepted else "Refused: this host may not be reconnected."))
    )
    return OK if accepted else REFUSED
