"""The command that imports what other tools found on hosts as evidence.

Never takes that a tool ran for a result, and never imports without a person's signature; the journal gets digests,
never what was found.
"""

from __future__ import annotations

import argparse
from hashlib import sha256
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.client import Client
from orchestrator.errors import Refused, UsageError
from orchestrator.evidence.document import TAKEN, Evidence
from orchestrator.evidence.importing import Source, evidence_of, known_hosts
from orchestrator.evidence.reports import FILE_BYTES_MAX, Report, read
from orchestrator.interfaces.documents import EvidenceKept
from orchestrator.interfaces.output import Commands, progress
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.rematching import evidence_of as store_of
from orchestrator.interfaces.rematching import levels, matcher_of
from orchestrator.interfaces.signing import add_signer, give_order
from orchestrator.journal.blobs import Blobs

EVERY = "-"
ORDER_HOSTS_MAX = 400  # as many as an order's bytes hold
NAMED_MAX = 10


def add(commands: Commands) -> None:
    """Declares findings import."""
    parts = commands.add_parser("findings", description="What other tools found on hosts.").add_subparsers(
        required=True
    )
    parser = parts.add_parser(
        "import", description="Keep a tool's report as evidence: Velociraptor JSON lines, ClamAV, THOR, Loki."
    )
    parser.add_argument("host", help=f"the host it is about; {EVERY} for every host it names")
    parser.add_argument("file", type=Path)
    how = "; ".join(f"{word}: {means}" for word, means in TAKEN.items())
    parser.add_argument("--taken", required=True, choices=tuple(TAKEN), help=f"how the tool looked: {how}")
    add_signer(parser)
    parser.set_defaults(call=_import)


def _import(options: argparse.Namespace) -> int:
    content = _content(options.file)
    source = Source(options.file.name, content, sha256(content).hexdigest(), options.taken)
    report = read(content, source.name)
    kept: EvidenceKept = Client(state_of(options)).get("evidence")
    found = [evidence_of(report, source, host) for host in _hosts(options.host, report, kept)]
    blobs = store_of(state_of(options), lambda: kept["bytes_max"])
    blobs.put(content)
    new = {seen.host: blobs.put(seen.to_bytes()) for seen in found}
    for host in {one["host"] for one in kept["imported"] if new.get(one["host"]) == one["evidence"]}:
        progress(f"{host}: imported already.")
        del new[host]
    if not new:
        raise Refused("All of this was imported already.", rule="evidence.twice")
    _tell(found, kept, blobs)
    code, names = 0, list(new)
    for start in range(0, len(names), ORDER_HOSTS_MAX):
        hosts: dict[str, Json] = {host: new[host] for host in names[start : start + ORDER_HOSTS_MAX]}
        args: dict[str, Json] = {"tool": report.tool, "taken": options.taken, "hosts": hosts}
        code = code or give_order(options, "evidence.import", source.sha256, args)
    return code


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)  # one more than is read: too large is said where formats are known
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", rule="usage.file") from error


def _hosts(asked: str, report: Report, kept: EvidenceKept) -> list[str]:
    """Whom to import for; names that are no host's are said."""
    known = frozenset(kept["estate"])
    if asked != EVERY:
        if asked not in known:
            raise UsageError(f"There is no host {asked}.", rule="usage.host", host=asked)
        return [asked]
    mine, strange = known_hosts(report, known)
    if strange:
        progress(f"Left out, no hosts of this estate ({len(strange)}): {', '.join(strange[:NAMED_MAX])}.")
    if not mine:
        raise Refused("This file names no host of this estate.", rule="evidence.no-result")
    return mine


def _tell(found: list[Evidence], kept: EvidenceKept, blobs: Blobs) -> None:
    """What was found, host by host, before anybody signs."""
    matcher = matcher_of(kept, blobs)
    for seen in found:
        progress(f"{seen.host}: {levels(seen, matcher)}")
        for what in seen.not_examined:
            progress(f"  not examined: {what}")
