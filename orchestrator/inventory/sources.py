"""Reads the bytes of content files once, and collects what is wrong with them and where each entry stands.

Never raises for what a file holds and never follows a link: every problem becomes a finding, a plain sentence
with file and line.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from orchestrator.canonical import Json

Severity = Literal["error", "warning", "debt"]
FOLDERS = ("inventory", "plans", "checks")
SIZE_BYTES_MAX = 64 << 20

# Where an entry would stand that no file holds.
_HOMES = {
    "site": "inventory/sites.yaml",
    "function": "inventory/functions.yaml",
    "activity": "inventory/activities.yaml",
    "service": "inventory/services.yaml",
    "interface": "inventory/interfaces.yaml",
    "host": "inventory/servers.csv",
    "device": "inventory/devices.csv",
    "check": "checks",
    "class": "plans/classes.yaml",
    "pool": "plans/capacity.yaml",
    "shift": "plans/capacity.yaml",
    "person": "plans/roster.yaml",
    "restart": "plans/restart.yaml",
}


class Place(NamedTuple):
    """A file relative to the estate, a line from 1, and for YAML a column from 1."""

    file: str
    line: int = 1
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in content. `hosts` are those it blocks; an error with none of them blocks the whole estate."""

    severity: Severity
    file: str
    line: int
    column: int | None
    message: str
    hosts: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """What `review --format json` prints of it."""
        return {"severity": self.severity, "file": self.file, "line": self.line, "message": self.message}

    def __str__(self) -> str:
        column = "" if self.column is None else f":{self.column}"
        return f"{self.file}:{self.line}{column}: {self.severity}: {self.message}"


def order(finding: Finding) -> tuple[str, int, int, str]:
    """Sort key: by file, then line, then column."""
    return finding.file, finding.line, finding.column or 0, finding.message


def finding(severity: Severity, place: Place, message: str, hosts: Iterable[str] = ()) -> Finding:
    """A finding at `place`, in letters any terminal can print."""
    return Finding(severity, _printable(place.file), place.line, place.column, _printable(message), tuple(hosts))


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean ...?` with the known name closest to `name`, else a full stop."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{found[0]}`?" if found else "."


class Positioned(Protocol):
    """A parsed file that knows where its parts stand."""

    def place(self, path: tuple[str | int, ...]) -> Place:
        """Where the value reached by `path` stands, or the closest thing around it."""
        ...


class Where:
    """Which file and line each id of each kind stands at, also for entries that were refused."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, tuple[Positioned, tuple[str | int, ...]]]] = {}
        # Kinds of which a whole file could not be read: what is not there may well stand in it.
        self.unread: set[str] = set()

    def add(self, kind: str, name: str, document: Positioned, path: tuple[str | int, ...]) -> Place | None:
        """Remembers an entry; the place of an earlier one of the same name, if there is one."""
        entries = self._entries.setdefault(kind, {})
        if name in entries:
            return self.place(kind, name)
        entries[name] = (document, path)
        return None

    def place(self, kind: str, name: str, *path: str | int) -> Place:
        """Where the entry (or the part of it that `path` leads to) stands; its file when unknown."""
        entry = self._entries.get(kind, {}).get(name)
        return Place(_HOMES.get(kind, ".")) if entry is None else entry[0].place(entry[1] + path)

    def names(self, kind: str) -> Iterable[str]:
        """All ids of one kind that content names, valid or not."""
        return self._entries.get(kind, {}).keys()


@dataclass(slots=True)
class Sources:
    """One pass over an estate: its files, their digests, the findings so far."""

    estate: Path
    findings: list[Finding] = field(default_factory=list)
    where: Where = field(default_factory=Where)
    digests: dict[str, str] = field(default_factory=dict)

    def complain(self, place: Place, message: str, hosts: Iterable[str] = (), severity: Severity = "error") -> None:
        """Adds a finding."""
        self.findings.append(finding(severity, place, message, hosts))

    def text(self, relative: str, size_bytes_max: int = SIZE_BYTES_MAX) -> str | None:
        """The UTF-8 text of a file, or None after complaining."""
        data = self.bytes(relative, size_bytes_max)
        if data is None:
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.complain(Place(relative, line), "This line holds bytes that are not UTF-8; save the file as UTF-8.")
            return None

    def bytes(self, relative: str, size_bytes_max: int = SIZE_BYTES_MAX) -> bytes | None:
        """The bytes of a file, noted in the digest; None after complaining (not a file, unreadable, too big)."""
        path = self.estate / relative
        try:
            if not relative.isprintable():
                self.complain(Place(relative), "The name of this file holds what is no letter in UTF-8; rename it.")
                return None
            if path.is_symlink() or not path.is_file():
                self.complain(
                    Place(relative),
                    "This is no plain file, or a folder nobody can open; content holds no links and no devices.",
                )
                return None
            if (size_bytes := path.stat().st_size) > size_bytes_max:
                self.complain(Place(relative), f"The file has {size_bytes} bytes; at most {size_bytes_max} are read.")
                return None
            data = path.read_bytes()
        except OSError as error:
            self.complain(Place(relative), f"The file cannot be read: {error.strerror}.")
            return None
        self.digests[relative] = hashlib.sha256(data).hexdigest()
        return data

    def choose(self, stem: str, suffixes: tuple[str, ...] = (".yaml", ".json")) -> str | None:
        """The one existing file `stem` with one of the suffixes; None if there is none, complaining if several."""
        found = [stem + suffix for suffix in suffixes if os.path.lexists(self.estate / (stem + suffix))]
        if len(found) > 1:
            self.complain(Place(found[1]), f"`{found[0]}` says the same; keep one of the two files.")
        return found[0] if found else None

    def digest(self) -> str:
        """SHA-256 over the path and the SHA-256 of every content file, sorted; reads those not read so far."""
        for relative in content_files(self.estate):
            if relative not in self.digests:
                self.bytes(relative)
        lines = "".join(f"{digest}  {relative}\n" for relative, digest in sorted(self.digests.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def content_files(estate: Path) -> Iterator[str]:
    """Every file of the three folders that acts, relative to the estate: all of `plans/playbooks/`, and elsewhere
    all but READMEs, generated schemas and hidden files."""
    found: list[Path] = []
    shut: list[OSError] = []
    for folder in FOLDERS:
        for base, folders, files in os.walk(estate / folder, onerror=shut.append):
            found += [Path(base, name) for name in files]
            found += [path for name in folders if (path := Path(base, name)).is_symlink()]
    # A folder that is a link or cannot be opened counts as a file, so that reading it is refused.
    found += [Path(error.filename) for error in shut]
    for relative in sorted(path.relative_to(estate) for path in found):
        if _acts(relative.parts):
            yield relative.as_posix()


def _acts(parts: tuple[str, ...]) -> bool:
    """A playbook may include any file beside it, whatever its name; nothing reads notes elsewhere."""
    if parts[:2] == ("plans", "playbooks"):
        return True
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return not hidden and parts[1] != "schema" and not parts[-1].startswith("README")


def blocks_everything(findings: Iterable[Finding]) -> list[Finding]:
    """The errors that concern the whole estate; `run` refuses to start on any of them."""
    return [one for one in findings if one.severity == "error" and not one.hosts]
