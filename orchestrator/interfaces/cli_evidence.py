"""The commands about evidence: show a host's, make its manifest golden for its class, sweep all for dormant triggers.

Never asks a host anything: what an inspection kept is what counts. Never shows evidence to a person without a record of
it, and never writes a sample that could be run.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
from pathlib import Path

from orchestrator.client import Client
from orchestrator.errors import Refused, RelanceError, UsageError
from orchestrator.evidence import manifest
from orchestrator.evidence.document import TAKEN, Evidence
from orchestrator.evidence.dormant import SWEEPS, sweep
from orchestrator.evidence.golden import Golden
from orchestrator.evidence.matching import Matcher
from orchestrator.evidence.reports import LEVELS
from orchestrator.interfaces.documents import EvidenceKept, ImportedKept, Inspected
from orchestrator.interfaces.output import Commands, clock, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.rematching import evidence_of, levels, matcher_of
from orchestrator.journal.blobs import Blobs

OK, FINDINGS = 0, 1
SHOWN = 50


def add(commands: Commands) -> None:
    """Declares evidence, golden and sweep."""
    parser = commands.add_parser(
        "evidence", description="What the latest inspection of a host saw, what was imported, and what not."
    )
    parser.add_argument("host")
    parser.add_argument("--sample", default="", metavar="PATH", help="a fetched file; needs --out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the sample goes, 0600; may be malware")
    parser.set_defaults(call=_show)
    parts = commands.add_parser("golden", description="What the files of a class of hosts should be.").add_subparsers(
        required=True
    )
    parser = parts.add_parser(
        "take", description="From now on hosts of this class are told by what differs from this one."
    )
    parser.add_argument("host", help="found CLEAN by everyone its class asks for")
    parser.add_argument("--class", dest="klass", required=True, metavar="CLASS")
    parser.set_defaults(call=_take)
    parser = commands.add_parser(
        "sweep", description="Look through all stored evidence; exit 1 where something is found."
    )
    parser.add_argument("name", choices=SWEEPS, help="; ".join(f"{name}: {one.means}" for name, one in SWEEPS.items()))
    parser.set_defaults(call=_sweep)


def _show(options: argparse.Namespace) -> int:
    client, blobs = Client(state_of(options)), evidence_of(state_of(options))
    kept: EvidenceKept = client.get("evidence")
    mine = [one for one in kept["imported"] if one["host"] == options.host]
    room = f"Evidence store: {kept['stored_bytes']} of {kept['bytes_max']} bytes."
    if not mine or options.sample:
        return _show_inspection(options, blobs, _inspected(kept, options.host), ([], [room]))
    matcher = matcher_of(kept, blobs)
    documents: list[object] = []
    lines: list[str] = []
    for one in mine:
        note_read(client, one["evidence"])
        content = blobs.get(one["evidence"])
        seen = Evidence.from_bytes(content)
        documents.append({**one, "document": json.loads(content)})
        lines += imported_lines(one, seen, matcher)
    lines.append(room)
    if all(one["host"] != options.host for one in kept["hosts"]):
        show(options, {"host": options.host, "imported": documents}, "\n".join(["No inspection.", *lines]))
        return OK
    return _show_inspection(options, blobs, _inspected(kept, options.host), (documents, lines))


def _show_inspection(
    options: argparse.Namespace, blobs: Blobs, one: Inspected, imported: tuple[list[object], list[str]]
) -> int:
    note_read(Client(state_of(options)), one["evidence"])
    content = blobs.get(one["evidence"])
    seen = Evidence.from_bytes(content)
    if options.sample:
        return _write_sample(options, blobs, seen)
    show(
        options,
        {**json.loads(content), "imported": imported[0]},
        "\n".join([*inspection_lines(one, seen), *imported[1]]),
    )
    return OK


def imported_lines(one: ImportedKept, seen: Evidence, matcher: Matcher) -> list[str]:
    """Where it comes from, what it holds, then what was not examined."""
    hits = matcher.match(seen).hits
    found = [f"{level} {line}" for level in LEVELS for line in seen.lists.get(level, ())]
    return [
        f"Imported {clock(one['at_us'])} by {one['person']}: {seen.tool} {seen.source['format']} "
        f"{seen.source['name']} (SHA-256 {one['file']}), taken {TAKEN[seen.taken]}, evidence {one['evidence']}.",
        levels(seen, matcher),
        *(f"{hit.level} indicator {hit}" for level in LEVELS for hit in hits if hit.level == level),
        *found[:SHOWN],
        *([f"{len(found) - SHOWN} more (--format json shows all)"] if len(found) > SHOWN else []),
        *(f"not examined: {what}" for what in seen.not_examined),
    ]


def note_read(client: Client, *digests: str) -> None:
    """Has the live process journal who is shown what; without that nothing is shown."""
    client.post("reads", by=getpass.getuser(), evidence=[*dict.fromkeys(digests)])


def _write_sample(options: argparse.Namespace, blobs: Blobs, seen: Evidence) -> int:
    digest = dict(seen.samples).get(options.sample, "")
    if not digest or options.out is None:
        known = ", ".join(path for path, _ in seen.samples[:10]) or "none"
        raise UsageError(
            f"Name a fetched file and --out FILE. Fetched from {options.host}: {known}.", rule="usage.sample"
        )
    note_read(Client(state_of(options)), digest)
    try:
        fd = os.open(options.out, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(blobs.get(digest))
    except OSError as error:
        raise UsageError(f"{options.out} cannot be written: {error.strerror}.", rule="usage.file") from error
    show(
        options, {"file": str(options.out), "sha256": digest}, f"Written: {options.out} ({digest}). It may be malware."
    )
    return OK


def inspection_lines(one: Inspected, seen: Evidence) -> list[str]:
    """What differs first, then what was not examined."""
    age_s = seen.age_before_t0_s
    edr = {None: "not looked for", True: "runs", False: "does NOT run"}[seen.edr_running]
    lines = [
        f"{seen.host}, {seen.action}, taken {TAKEN[seen.taken]}: {seen.files} files, evidence {one['evidence']}.",
        f"Restore point: {'age not known' if age_s is None else f'{age_s / 3600:.1f} h before T0'}. EDR: {edr}.",
        f"Golden manifest: {seen.golden or 'none, every file counts as unknown'}.",
        *(f"MARKER {path}" for path in seen.markers),
    ]
    differs = seen.differs
    for word, paths in (
        ("unknown", [line[manifest.PATH_AT :] for line in differs.unknown]),
        ("changed", [line[manifest.PATH_AT :] for line in differs.changed]),
        ("missing", list(differs.missing)),
    ):
        lines += [f"{word} {manifest.text_of(path)}" for path in paths[:SHOWN]]
        if len(paths) > SHOWN:
            lines.append(f"{word}: {len(paths) - SHOWN} more (--format json shows all)")
    return [*lines, *(f"not examined: {what}" for what in seen.not_examined)]


def _take(options: argparse.Namespace) -> int:
    one = _inspected(Client(state_of(options)).get("evidence"), options.host)
    if one["klass"] != options.klass:
        raise Refused(f"{options.host} is of the class {one['klass']}.", rule="golden.class")
    if one["verdicts"] < one["verdicts_required"]:
        raise Refused(
            f"{options.host} counts as clean with {one['verdicts_required']} verdicts and has {one['verdicts']}: what "
            "is golden is not looked at again, so people read it whole first.",
            rule="golden.clean",
        )
    blobs = evidence_of(state_of(options))
    golden = Golden(state_of(options), blobs)
    seen = Evidence.from_bytes(blobs.get(one["evidence"]))
    if not (seen.golden or seen.manifest):
        raise Refused(f"The evidence of {options.host} holds no manifest.", rule="golden.manifest")
    whole = golden.lines(seen.manifest) if seen.manifest else manifest.restored(golden.lines(seen.golden), seen.differs)
    digest = golden.take(options.klass, whole)
    told = {"class": options.klass, "host": options.host, "digest": digest, "files": len(whole)}
    show(options, told, f"{len(whole)} files of {options.host} are golden for {options.klass}: {digest}.")
    return OK


def _sweep(options: argparse.Namespace) -> int:
    kept: EvidenceKept = Client(state_of(options)).get("evidence")
    blobs = evidence_of(state_of(options))
    found = sweep(options.name, ((one["host"], _read(blobs, one["evidence"])) for one in kept["hosts"]))
    found.known += kept["hosts_without"]
    shown = [one["evidence"] for one in kept["hosts"] if one["host"] in found.hits]
    if shown:
        note_read(Client(state_of(options)), *shown)
    lines = [f"  {host}: {line}" for host, lines in found.hits.items() for line in lines]
    lines += [f"  not examined: {host}: {why}" for host, why in found.unexamined.items()]
    if kept["hosts_without"]:
        lines.append(f"  not examined: {kept['hosts_without']} hosts without an inspection")
    show(options, {**found.as_json(), "hosts_without": kept["hosts_without"]}, "\n".join([found.sentence, *lines]))
    return FINDINGS if found.hits else OK


def _read(blobs: Blobs, digest: str) -> Evidence | str:
    try:
        return Evidence.from_bytes(blobs.get(digest))
    except RelanceError as error:
        return error.sentence


def _inspected(kept: EvidenceKept, host: str) -> Inspected:
    for one in kept["hosts"]:
        if one["host"] == host:
            return one
    raise UsageError(f"{host} has no inspection.", rule="usage.host", host=host)
