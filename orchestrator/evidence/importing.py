"""Makes evidence of hosts from another tool's report: one document for each host it says something of.

Never takes a report for a host it does not name as empty proof: nothing found counts only where the file names the
host and says how many files were looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orchestrator.errors import Refused
from orchestrator.evidence.document import Evidence, Taken
from orchestrator.evidence.manifest import Difference
from orchestrator.evidence.reports import FINDINGS_MAX, TEXT_CHARS_MAX, Found, Report

NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class Source:
    """A tool's file: its name here, its bytes and their digest, and how the tool looked."""

    name: str
    content: bytes
    sha256: str
    taken: Taken


def evidence_of(report: Report, source: Source, host: str) -> Evidence:
    """What the report says of one host. Raises Refused where that is nothing."""
    names = [name for name in report.hosts if host in _spellings(name)]
    if not names and "" not in report.hosts:
        told = ", ".join([*report.hosts][:NAMED_MAX])
        more = f" and {len(report.hosts) - NAMED_MAX} more" if len(report.hosts) > NAMED_MAX else ""
        raise Refused(
            f"{source.name} has no result for {host}; it tells of {told}{more}. That a tool ran elsewhere is no "
            "evidence.",
            rule="evidence.no-result",
            host=host,
        )
    if len(names) > 1:
        told = " and ".join(names)
        raise Refused(f"{source.name} tells of {told}: which of them {host} is, nobody knows.", rule="evidence.names")
    found = report.hosts[names[0] if names else ""]
    named = bool(names) or _in_paths(source.content, host)
    if not len(found) and not (named and found.scanned):
        lacks = "how many files were looked at" if named else "which host it is about"
        raise Refused(
            f"{source.name} shows nothing found on {host} and does not say {lacks}: that a tool ran is no evidence.",
            rule="evidence.nothing-looked-at",
            host=host,
        )
    return _document(report, source, host, (found, named))


def known_hosts(report: Report, known: Collection[str]) -> tuple[list[str], list[str]]:
    """Hosts of the estate that a report tells of; and the names in it that are no host's."""
    if "" in report.hosts:
        raise Refused(f"A {report.tool} log names no host: say which one it is about.", rule="evidence.which-host")
    mine: dict[str, None] = {}
    strange: list[str] = []
    for name in report.hosts:
        host = next((one for one in _spellings(name) if one in known), "")
        if host:
            mine[host] = None
        else:
            strange.append(name)
    return list(mine), strange


def _document(report: Report, source: Source, host: str, about: tuple[Found, bool]) -> Evidence:
    found, named = about
    return Evidence(
        action="import",
        host=host,
        taken=source.taken,
        tool=report.tool,
        files=found.scanned or len(found.files),
        differs=Difference(tuple(sorted(found.files)), (), ()),
        lists={level: tuple(lines) for level, lines in found.lists.items() if lines},
        not_examined=tuple(_missing(report, found, named=named)),
        source={"name": source.name, "format": report.format, "sha256": source.sha256},
    )


def _missing(report: Report, found: Found, *, named: bool) -> Iterator[str]:
    if not named:
        yield "whose file it is: it names no host, the importer does"
    if not report.whole:
        yield "what was left when it stopped: the report does not tell its end"
    if found.scanned is None:
        yield "how many files were looked at: the report does not say"
    if found.errors:
        yield f"{found.errors} things the tool could not read"
    if found.beyond:
        yield f"{found.beyond} findings beyond the first {FINDINGS_MAX}"
    if found.cut:
        yield f"the rest of {found.cut} findings beyond their first {TEXT_CHARS_MAX} characters"
    if len(found.files) >= FINDINGS_MAX:
        yield f"digests beyond the first {FINDINGS_MAX}"
    yield "files without a SHA-256, names of what starts by itself, YARA rules: no indicator is matched on them"


def _spellings(name: str) -> tuple[str, str]:
    """How a tool may write a host's id: in capitals, with a domain behind it."""
    low = name.lower().rstrip(".")
    return low, low.partition(".")[0]


def _in_paths(content: bytes, host: str) -> bool:
    """Whether a path in the report has a folder of the host's name: where its disk was mounted."""
    return re.search(rb"(?i)[/\\]" + re.escape(host.encode()) + rb"[/\\:]", content) is not None
