"""A manifest: which files a host holds, each with its SHA-256; and how it differs from the golden one of its class.

Never reads a file itself, and never calls a difference good or bad. Its bytes are what `sha256sum -z` prints, sorted,
so that `sha256sum -z --check` verifies one without this program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.errors import Refused

PATH_AT = 66  # 64 digits and two blanks
_LINE = re.compile(rb"[0-9a-f]{64}  .+", re.DOTALL)
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
Lines = frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines of a host's manifest that its golden one does not hold, and paths of the golden one the host lacks."""

    unknown: tuple[bytes, ...]
    changed: tuple[bytes, ...]
    missing: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.unknown) + len(self.changed) + len(self.missing)


def lines_of(printed: bytes) -> Lines:
    """The lines of `sha256sum -z`; one cut off or not of that form is left out, which the caller counts."""
    found = [line for line in printed.split(b"\0") if line]
    if found and not printed.endswith(b"\0"):
        found.pop()
    return frozenset(line for line in found if line[64:PATH_AT] == b"  ")


def to_bytes(lines: Iterable[bytes]) -> bytes:
    """The manifest as it is stored: the same bytes for the same files."""
    return b"".join(line + b"\0" for line in sorted(lines))


def from_bytes(content: bytes) -> Lines:
    """A stored manifest. Raises Refused for bytes that are none."""
    found = lines_of(content)
    if len(found) != content.count(b"\0") or not all(map(_LINE.fullmatch, found)):
        raise Refused("These bytes are no manifest.", rule="evidence.manifest")
    return found


def difference(lines: Lines, golden: Lines) -> Difference:
    """What is on the host and not in the golden manifest, and the other way round; sorted."""
    new, gone = lines - golden, golden - lines
    known = {line[PATH_AT:] for line in gone}
    here = {line[PATH_AT:] for line in new}
    return Difference(
        unknown=tuple(sorted(line for line in new if line[PATH_AT:] not in known)),
        changed=tuple(sorted(line for line in new if line[PATH_AT:] in known)),
        missing=tuple(sorted(known - here)),
    )


def restored(golden: Lines, differs: Difference) -> Lines:
    """The whole manifest of a host again."""
    away = {*differs.missing, *(line[PATH_AT:] for line in differs.changed)}
    kept = (line for line in golden if line[PATH_AT:] not in away) if away else golden
    return frozenset((*kept, *differs.unknown, *differs.changed))


def text_of(path: bytes) -> str:
    """A path as text, whatever its bytes: what is no UTF-8, and the backslash itself, stand as \\xNN."""
    return path.replace(b"\\", b"\\x5c").decode("utf-8", "backslashreplace")


def path_of(text: str) -> bytes:
    """The bytes of a path written by `text_of`."""
    return _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), text.encode())
