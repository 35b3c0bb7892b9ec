"""One look at one host as a document: what was seen, how it was taken, and what was not examined.

Never concludes anything, and never holds a file's content: samples and whole manifests are kept beside it by digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.errors import Refused
from orchestrator.evidence.manifest import Difference, path_of, text_of

# By the host itself: its own kernel and tools answered, and a host that was not wiped may lie.
Taken = Literal["offline", "outside", "host"]
TAKEN: dict[str, str] = {
    "offline": "offline, from its disk",
    "outside": "from outside",
    "host": "by the host itself",
}
NOTHING = Difference((), (), ())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one inspection, or one tool's run, found on one host.

    `golden` is the digest of the manifest `differs` is counted from; without one, `manifest` names the host's own.
    `samples` are the files that were fetched: path and digest. `restore_point_us` and `t0_us` are 0 where not known.
    `source` is empty for an inspection; of what was imported it tells the tool's file: `name`, `format`, `sha256`.
    """

    action: str
    host: str
    klass: str = ""
    strategy: str = ""
    taken: Taken = "host"
    tool: str = "relance inspection"
    host_key: str = ""
    files: int = 0
    golden: str = ""
    manifest: str = ""
    differs: Difference = NOTHING
    markers: tuple[str, ...] = ()
    samples: tuple[tuple[str, str], ...] = ()
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edr: str = ""
    edr_running: bool | None = None
    restore_point_us: int = 0
    t0_us: int = 0
    not_examined: tuple[str, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)

    @property
    def age_before_t0_s(self) -> int | None:
        """How much older than the first compromise the restore point is; negative: younger; None: not known."""
        if not (self.restore_point_us and self.t0_us):
            return None
        return (self.t0_us - self.restore_point_us) // 1_000_000

    def to_bytes(self) -> bytes:
        """The canonical document, whose digest a verdict names."""
        return canonical.encode(
            {
                "version": 2,
                "action": self.action,
                "host": self.host,
                "class": self.klass,
                "strategy": self.strategy,
                "taken": self.taken,
                "tool": self.tool,
                "host_key": self.host_key,
                "files": self.files,
                "golden": self.golden,
                "manifest": self.manifest,
                "unknown": _pairs(self.differs.unknown),
                "changed": _pairs(self.differs.changed),
                "missing": [text_of(path) for path in self.differs.missing],
                "markers": [*self.markers],
                "samples": [[*one] for one in self.samples],
                "lists": {name: [*found] for name, found in self.lists.items()},
                "edr": {"name": self.edr, "running": self.edr_running},
                "restore_point": {
                    "at_us": self.restore_point_us,
                    "t0_us": self.t0_us,
                    "older_than_t0_s": self.age_before_t0_s,
                },
                "not_examined": [*self.not_examined],
                **({"source": dict(self.source)} if self.source else {}),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Evidence:
        """Reads a stored document, whose digest was verified: plain JSON is enough. Raises Refused for any other."""
        try:
            found: dict[str, Any] = json.loads(content)
            if found["version"] != 2:
                raise ValueError(f"version {found['version']!r}")
            return cls(
                **{name: found[name] for name in _PLAIN},
                klass=found["class"],
                differs=Difference(
                    _lines(found["unknown"]),
                    _lines(found["changed"]),
                    tuple(path_of(path) for path in found["missing"]),
                ),
                markers=tuple(found["markers"]),
                samples=tuple((path, digest) for path, digest in found["samples"]),
                lists={name: tuple(one) for name, one in found["lists"].items()},
                edr=found["edr"]["name"],
                edr_running=found["edr"]["running"],
                restore_point_us=found["restore_point"]["at_us"],
                t0_us=found["restore_point"]["t0_us"],
                not_examined=tuple(found["not_examined"]),
                source=found.get("source", {}),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"This is no evidence of this version: {error}.", rule="evidence.format") from error


_PLAIN = ("action", "host", "strategy", "taken", "tool", "host_key", "files", "golden", "manifest")


def _pairs(lines: Iterable[bytes]) -> list[Json]:
    return [[text_of(line[66:]), line[:64].decode("ascii")] for line in lines]


def _lines(pairs: Iterable[tuple[str, str]]) -> tuple[bytes, ...]:
    return tuple(b"%s  %s" % (digest.encode("ascii"), path_of(path)) for path, digest in pairs)
