"""Matches stored evidence against one indicator set: what of the set was found where, and what could not be matched.

Never concludes: a hit is a fact for people, and no hit means only that nothing of the set was among what was examined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from ipaddress import ip_address

from orchestrator.checks.indicators import IndicatorSet
from orchestrator.errors import RelanceError
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import PATH_AT, text_of
from orchestrator.evidence.scanning import Scanner

HITS_MAX = 100
# The lists of an inspection in which names, domains and addresses are looked for.
PERSISTENCE = (
    *("services", "timers", "cron", "at_jobs", "shell_startup", "boot_modules", "modules"),
    *("scheduled_tasks", "run_keys", "startup", "logon_scripts", "wmi_subscriptions"),
    *("backup_jobs", "directory"),
)
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")
_ADDRESS = re.compile(r"[0-9a-f:]*[.:][0-9a-f]*[.:][0-9a-f:.]+")
_SUFFIX = re.compile(r"\.(service|timer)$")


# How much a hit says: a digest is that file, a name may be another's.
LEVEL_OF = {"sha256": "alert", "yara": "alert", "domain": "warning", "address": "warning", "persistence": "warning"}


@dataclass(frozen=True, slots=True)
class Hit:
    """One indicator found: where it stands in the evidence, and who asked for it."""

    kind: str
    value: str
    where: str
    origin: str

    @property
    def level(self) -> str:
        """How much it says: `alert`, `warning` or `notice`."""
        return LEVEL_OF.get(self.kind, "notice")

    def __str__(self) -> str:
        return f"{self.kind} {self.value} at {self.where} ({self.origin})"


@dataclass(frozen=True, slots=True)
class Matched:
    """What a set says about one piece of evidence: the first hits, how many more, and what could not be matched."""

    hits: tuple[Hit, ...]
    more: int
    unmatched: tuple[str, ...]


class Matcher:
    """One indicator set made ready; a golden manifest is matched once, however many hosts differ from it."""

    def __init__(self, wanted: IndicatorSet, blob: Callable[[str], bytes]) -> None:
        self._values = wanted.values
        self._blob = blob
        self._digests = {value.encode("ascii") for value in wanted.values["sha256"]}
        self._names = {value.encode() for value in wanted.values["name"]}
        self._globs = [
            (_literal(value), re.compile(_glob(value)), value, origin)
            for value, origin in wanted.values["glob"].items()
        ]
        self._scanner = Scanner(wanted.rules) if wanted.rules else None
        self._manifests: dict[str, list[tuple[bytes, Hit]]] = {}
        self._scanned: dict[str, list[str]] = {}
        # Hosts of a class say the same in most lines.
        self._known: dict[tuple[str, str], tuple[Hit, ...]] = {}

    def match(self, seen: Evidence) -> Matched:
        """Everything of the set in this evidence."""
        unmatched: list[str] = []
        hits = tuple(dict.fromkeys((*self._files(seen), *self._lists(seen), *self._rules(seen, unmatched))))
        if self._scanner and not seen.samples:
            unmatched.append("YARA rules: no file was fetched")
        return Matched(hits[:HITS_MAX], len(hits[HITS_MAX:]), tuple(unmatched))

    def _files(self, seen: Evidence) -> Iterator[Hit]:
        differs = seen.differs
        yield from (hit for _, hit in self._paths(b"\0".join((*differs.unknown, *differs.changed, b""))))
        base = seen.golden or seen.manifest
        if not base:
            return
        if base not in self._manifests:
            self._manifests[base] = list(self._paths(self._blob(base)))
        if self._manifests[base]:
            away = {*differs.missing, *(line[PATH_AT:] for line in differs.changed)}
            yield from (hit for path, hit in self._manifests[base] if path not in away)
        if seen.manifest:
            del self._manifests[base]  # this host's alone

    def _paths(self, content: bytes) -> Iterator[tuple[bytes, Hit]]:
        """The paths in a manifest that fit, with what they fit; a whole manifest passes here, so no line is undone
        that need not be."""
        lines = content.split(b"\0")
        lines.pop()
        for kind, fits in (("sha256", self._of_digests(lines)), ("name", self._of_names(lines))):
            for value, line in fits:
                text = value.decode("utf-8", "backslashreplace")
                yield line[PATH_AT:], Hit(kind, text, text_of(line[PATH_AT:]), self._values[kind][text])
        for literal, pattern, text, origin in self._globs:
            if literal in content:
                for line in lines:
                    if pattern.match(line, PATH_AT):
                        yield line[PATH_AT:], Hit("glob", text, text_of(line[PATH_AT:]), origin)

    def _of_digests(self, lines: list[bytes]) -> list[tuple[bytes, bytes]]:
        wanted = self._digests
        return [(line[:64], line) for line in lines if line[:64] in wanted] if wanted else []

    def _of_names(self, lines: list[bytes]) -> list[tuple[bytes, bytes]]:
        wanted = self._names
        if not wanted:
            return []
        # Behind the last slash, or behind the digest where there is none: 64 digits and a blank hold no slash.
        named = [(line[(line.rfind(b"/") + 1) or PATH_AT :], line) for line in lines]
        return [one for one in named if one[0] in wanted]

    def _lists(self, seen: Evidence) -> Iterator[Hit]:
        known = self._known
        for name, lines in seen.lists.items():
            if name != "patch_level":  # versions look like names
                for line in lines:
                    if (name, line) not in known:
                        known[name, line] = (*self._persistence(name, line), *self._network(name, line.lower()))
                    yield from known[name, line]

    def _persistence(self, name: str, line: str) -> Iterator[Hit]:
        wanted = self._values["persistence"] if name in PERSISTENCE else {}
        path = line.partition(":")[0]
        entry = path.rpartition("/")[2]
        for value in dict.fromkeys((entry, _SUFFIX.sub("", entry))):
            if value in wanted:
                yield Hit("persistence", value, f"{name}: {path}", wanted[value])

    def _network(self, name: str, line: str) -> Iterator[Hit]:
        where = f"{name}: {line[:200]}"
        domains, addresses = self._values["domain"], self._values["address"]
        for found in _NAME.findall(line) if domains else ():
            labels = found.split(".")
            for at in range(len(labels) - 1):
                value = ".".join(labels[at:])
                if value in domains:
                    yield Hit("domain", value, where, domains[value])
        for found in _ADDRESS.findall(line) if addresses else ():
            value = _address(found) or _address(found.rpartition(":")[0])  # a port behind it
            if value in addresses:
                yield Hit("address", value, where, addresses[value])

    def _rules(self, seen: Evidence, unmatched: list[str]) -> Iterator[Hit]:
        if self._scanner is None:
            return
        for path, digest in seen.samples:
            if digest not in self._scanned:
                try:
                    self._scanned[digest] = self._scanner.hits(self._blob(digest))
                except RelanceError as error:
                    unmatched.append(f"YARA rules on {path}: {error.sentence}")
                    continue
            yield from (Hit("yara", rule, path, "YARA") for rule in self._scanned[digest])


def _glob(pattern: str) -> bytes:
    """A pattern on the last part of a path, or on the whole path where it holds a slash."""
    if "/" in pattern:
        return rb"\.?/?" + translate(pattern.lstrip("/")).encode()
    return rb"(?s:.*/)?" + translate(pattern).replace(".*", "[^/]*").encode()


def _literal(pattern: str) -> bytes:
    """The longest run of plain letters of a pattern: what does not hold it cannot fit."""
    return max(re.split(r"\[.*\]|[*?\[]", pattern.lstrip("/")), key=len).encode()


def _address(text: str) -> str:
    try:
        found = ip_address(text.strip("."))
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
