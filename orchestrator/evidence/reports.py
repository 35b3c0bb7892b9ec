"""Reads what other tools wrote: Velociraptor's rows, ClamAV logs, THOR and Loki reports, each line by line.

Never takes that a tool ran for a finding, never guesses a format, and never drops a line in silence: one that does
not fit refuses the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import Refused
from orchestrator.evidence.manifest import path_of

FILE_BYTES_MAX = 1 << 26
LINE_CHARS_MAX = 1 << 20
FINDINGS_MAX = 5_000  # of one host
TEXT_CHARS_MAX = 2_000
# The lists of imported evidence, worst first; a row is a fact that its tool did not judge.
LEVELS = ("alert", "warning", "notice", "row")
FORMATS = "Velociraptor JSON lines with ClientId and Fqdn, ClamAV, THOR (text, JSON lines), Loki (text)"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_LOGGED = re.compile(
    r"(<\d+>)?(\w{3} +\d+ [\d:]{8}|\d{8}T[\d:]+Z|\d{4}-\d\d-\d\dT\S+) (?P<host>[^\s/]+)(/\S+)? "
    r"(?P<tool>THOR|LOKI): (?P<level>\w+): MODULE: (?P<module>\S+) MESSAGE: (?P<text>.*)"
)
_FILE_IN_TEXT = re.compile(
    r"FILE(?P<no>_\d+)?: (?P<path>.+?) (?:[A-Z][A-Z0-9_]*: .*?)??SHA256(?P=no)?: (?P<sha>[0-9a-fA-F]{64})\b"
)
# How many files a THOR report says it scanned, in whatever line it says so.
_SCANNED = re.compile(r"(?i)\bscanned[ _](?:files|elements)[ :=\"]+(\d+)|\b(\d+) (?:files|elements) scanned\b")
# Modules that tell of the tool itself.
_OWN_MODULES = frozenset(("init", "startup", "results", "report", "control", "update", "upgrade", "license"))
_CLAM = re.compile(
    r"(?:\w{3} \w{3} +\d+ [\d:]{8} \d{4} -> )?(?P<path>.+?): "
    r"(?:(?P<found>\S+(?:\([^)]*\))?) FOUND|(?P<good>OK|Empty file|Excluded|Symbolic link)"
    r"|(?P<error>.*ERROR)|(?P<moved>(?:moved|copied) to .*|Removed\.))"
)
_CLAM_OTHER = re.compile(r"-+|WARNING: .*|LibClamAV (Warning|Error|info): .*|ERROR: .*|Running as user .*|Scanning .*")
_CLAM_SUMMARY = re.compile(r"(?P<name>[A-Z][A-Za-z ]+): +(?P<value>.*)")
_SUMMARY = "----------- SCAN SUMMARY -----------"
# What Velociraptor says about its own work: a row of nothing else says only that the hunt ran.
_HUNT_RAN = frozenset(
    (
        *("clientid", "client_id", "fqdn", "hostname", "flowid", "flow_id", "_flowid", "huntid", "hunt_id", "_huntid"),
        *("_source", "flow", "state", "status", "timestamp", "_ts", "duration", "lastactive", "started", "ended"),
        *("starttime", "endtime", "startedtime", "endedtime", "totaluploadedbytes", "totalcollectedrows"),
    )
)
_PATHS = ("ospath", "fullpath", "path", "exe", "file", "filename", "name")


@dataclass(slots=True)
class Found:
    """What a report says of one host; `scanned` None: it does not say how many files were looked at."""

    lists: dict[str, list[str]] = field(default_factory=lambda: {level: [] for level in LEVELS})
    files: set[bytes] = field(default_factory=set)
    scanned: int | None = None
    ran: int = 0  # lines that say only that the tool ran
    errors: int = 0
    beyond: int = 0
    cut: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.lists.values()))

    def add(self, level: str, number: int, text: str) -> None:
        """A finding, with the line it stands on."""
        if len(self) >= FINDINGS_MAX:
            self.beyond += 1
            return
        self.cut += len(text) > TEXT_CHARS_MAX
        self.lists[level].append(f"line {number}: {_readable(text[:TEXT_CHARS_MAX])}")

    def add_file(self, path: str, sha256: str) -> None:
        """A file whose digest is told; its path as all evidence writes paths."""
        plain = _readable(path).replace("\\", "/").lstrip("/")
        if plain and len(self.files) < FINDINGS_MAX:
            self.files.add(b"%s  %s" % (sha256.lower().encode("ascii"), path_of(plain)))


@dataclass(slots=True)
class Report:
    """A tool's file as it was read, by the names it gives to hosts; ClamAV names none: its only one is empty."""

    tool: str
    format: str
    hosts: dict[str, Found] = field(default_factory=dict)
    whole: bool = True  # the tool says that it came to its end, where it ever does

    def of(self, name: str) -> Found:
        """What is said of the host of this name."""
        return self.hosts.setdefault(name.lower(), Found())


def read(content: bytes, name: str) -> Report:
    """The report in a file. Raises Refused, naming file and line, for what is unknown, too large or damaged."""
    if len(content) > FILE_BYTES_MAX:
        raise Refused(f"{name} has {len(content)} bytes; at most {FILE_BYTES_MAX} are read.", rule="reports.size")
    lines = [*_lines(content, name)]
    if not lines:
        raise Refused(f"{name} is empty: that a tool ran is no evidence.", rule="reports.empty")
    for fits, reader in _READERS:
        if fits(lines):
            return reader(lines, name)
    raise Refused(f"{name} is of no format that is read: {FORMATS}.", rule="reports.format")


def _lines(content: bytes, name: str) -> Iterator[tuple[int, str]]:
    """The lines that say anything, with their numbers."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise Refused(f"{name} line {number} is no UTF-8 text.", rule="reports.text", line=number) from error
        if len(text) > LINE_CHARS_MAX:
            sentence = f"{name} line {number} has more than {LINE_CHARS_MAX} characters."
            raise Refused(sentence, rule="reports.line", line=number)
        if text:
            yield number, text


Lines = list[tuple[int, str]]


def _bad(name: str, number: int, what: str, tool: str) -> Refused:
    return Refused(f"{name} line {number} is {what} of {tool}.", rule="reports.line", file=name, line=number)


def _objects(lines: Lines, name: str, tool: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, text in lines:
        row = _object(text)
        if row is None:
            raise _bad(name, number, "no JSON object", tool)
        yield number, row


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_velociraptor(lines: Lines) -> bool:
    first = _object(lines[0][1]) or {}
    return "ClientId" in first and "Fqdn" in first


def _velociraptor(lines: Lines, name: str) -> Report:
    """Rows of a hunt or of collections, each naming its client."""
    report = Report("Velociraptor", "JSON lines")
    for number, row in _objects(lines, name, report.tool):
        if not isinstance(row.get("ClientId"), str) or not isinstance(row.get("Fqdn"), str):
            raise _bad(name, number, "no row with ClientId and Fqdn", report.tool)
        found = report.of(row["Fqdn"] or row["ClientId"])
        told = {key: value for key, value in row.items() if key.lower() not in _HUNT_RAN}
        if not any(value not in (None, "", [], {}) for value in told.values()):
            found.ran += 1
            continue
        artifact = f"{row['_Source']}: " if isinstance(row.get("_Source"), str) else ""
        found.add("row", number, artifact + json.dumps(told, ensure_ascii=False, sort_keys=True))
        for path, digest in _hashed(told, ""):
            found.add_file(path, digest)
    return report


def _hashed(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every file in a row whose SHA-256 stands beside or below its path."""
    if isinstance(value, list):
        for one in value:
            yield from _hashed(one, path)
    elif isinstance(value, dict):
        low = {key.lower(): one for key, one in value.items()}
        path = next((low[key] for key in _PATHS if isinstance(low.get(key), str) and low[key]), path)
        if isinstance(low.get("sha256"), str) and _SHA256.fullmatch(low["sha256"]):
            yield path, low["sha256"]
        for one in value.values():
            yield from _hashed(one, path)


def _is_thor_json(lines: Lines) -> bool:
    first = _object(lines[0][1]) or {}
    return "log_version" in first and ("hostname" in first or isinstance(first.get("meta"), dict))


def _thor_json(lines: Lines, name: str) -> Report:
    """THOR's JSON of versions 1, 2 (flat) and 3 (who and where below `meta`)."""
    report = Report("THOR", "JSON lines")
    for number, row in _objects(lines, name, report.tool):
        about = row["meta"] if isinstance(row.get("meta"), dict) else row
        host, level = about.get("hostname"), about.get("level")
        if not (isinstance(host, str) and host and isinstance(level, str) and isinstance(row.get("message"), str)):
            raise _bad(name, number, "no event with hostname, level and message", report.tool)
        told = {key: one for key, one in row.items() if key not in ("meta", "log_version", "time", "hostname")}
        text = json.dumps(told, ensure_ascii=False, sort_keys=True)
        _logged(report.of(host), number, (level, str(about.get("module")), text))
        for path, digest in _hashed(told, ""):
            report.of(host).add_file(path, digest)
    return report


def _logged(found: Found, number: int, event: tuple[str, str, str]) -> None:
    """One event of THOR or Loki: a finding, an error, or a word of the tool about itself."""
    level, module, text = event[0].lower(), event[1].lower(), event[2]
    counted = _SCANNED.search(text)
    if counted is not None:
        found.scanned = (found.scanned or 0) + int(counted[1] or counted[2])
    if level == "error":
        found.errors += 1
    elif level in LEVELS and module not in _OWN_MODULES:
        found.add(level, number, f"{event[1]}: {text}")
    else:
        found.ran += 1


def _is_logged(lines: Lines) -> bool:
    return _LOGGED.fullmatch(lines[0][1]) is not None


def _thor_or_loki(lines: Lines, name: str) -> Report:
    """The text logs of THOR and Loki, which are one format."""
    first = _LOGGED.fullmatch(lines[0][1])
    tool = {"THOR": "THOR", "LOKI": "Loki"}[first["tool"] if first else "THOR"]
    report = Report(tool, "text log", whole=tool == "THOR")
    for number, text in lines:
        line = _LOGGED.fullmatch(text)
        if line is None or line["tool"].lower() != tool.lower():
            raise _bad(name, number, "no line", f"a {tool} log")
        found = report.of(line["host"])
        _logged(found, number, (line["level"], line["module"], line["text"]))
        for file in _FILE_IN_TEXT.finditer(line["text"]):
            found.add_file(file["path"], file["sha"])
        report.whole = report.whole or line["text"].startswith("Finished LOKI Scan")
    return report


def _is_clamav(lines: Lines) -> bool:
    heard = (text for _, text in lines if not _CLAM_OTHER.fullmatch(text))
    first = next(heard, "")
    return any(text == _SUMMARY for _, text in lines) or _CLAM.fullmatch(first) is not None


def _clamav(lines: Lines, name: str) -> Report:
    """What clamscan or clamdscan printed, or their log: one line a file, then a summary."""
    report = Report("ClamAV", "log", whole=False)
    found, looked, said, infected, within = report.of(""), 0, 0, None, False
    for number, text in lines:
        if text == _SUMMARY:
            within = report.whole = True
        elif (file := _CLAM.fullmatch(text)) is not None:
            within = False
            looked += not (file["error"] or file["moved"])
            found.errors += file["error"] is not None
            if file["found"]:
                found.add("alert", number, f"{file['found']} in {file['path']}")
        elif within and (count := _CLAM_SUMMARY.fullmatch(text)) is not None:
            if count["name"] in ("Scanned files", "Infected files") and not count["value"].isdecimal():
                raise _bad(name, number, "no count", "a ClamAV summary")
            said += int(count["value"]) if count["name"] == "Scanned files" else 0
            if count["name"] == "Infected files":
                infected = (infected or 0) + int(count["value"])
        elif not _CLAM_OTHER.fullmatch(text):
            raise _bad(name, number, "no line", "a ClamAV log")
        else:
            found.errors += text.startswith(("ERROR: ", "LibClamAV Error: "))
    alerts = len(found.lists["alert"]) + found.beyond
    if infected is not None and infected > alerts:
        raise Refused(
            f"{name} counts {infected} infected files and shows {alerts}: a part of it is missing.",
            rule="reports.cut",
        )
    found.scanned = said or looked or None
    return report


_READERS: tuple[tuple[Callable[[Lines], bool], Callable[[Lines, str], Report]], ...] = (
    (_is_velociraptor, _velociraptor),
    (_is_thor_json, _thor_json),
    (_is_logged, _thor_or_loki),
    (_is_clamav, _clamav),
)


def _readable(text: str) -> str:
    """Text that can be stored and shown: no control characters, no lone surrogates."""
    plain = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return plain.encode("utf-8", "backslashreplace").decode("utf-8")
