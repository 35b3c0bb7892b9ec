"""The fleet's append-only logs: one line per thing that really happened to a host or at a gate.

Never rewrites a line. A line is `WORD ACTION AT_US DETAIL...`; a host's and a gate's state is what its log says, so
there is no second file that could disagree with it after a kill.

Host: `begin A t SUPERSEDED|-`, `end A t OUTCOME`, `run A t TOOL`, `ran A t TOOL OUTCOME FACTS`, `cut A t TOOL` (the run
ended without a result), `fault - t KIND WHERE`, `replaced A t`. Gate: `isolate A t HOST`, `isolate-site A t SITE`,
`reconnect A t HOST`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log."""

    word: str
    action: str
    at_us: int
    detail: tuple[str, ...] = ()

    def line(self) -> bytes:
        """The line as it stands in the file."""
        return (" ".join((self.word, self.action, str(self.at_us), *self.detail)) + "\n").encode()


@dataclass(slots=True)
class HostRecord:
    """What a host's log says: its mark, what its action said, what runs now, which faults have shown."""

    action: str = ""
    state: str = "none"
    outcome: str = ""
    running: dict[str, str] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    restores: int = 0
    replaced: bool = False
    faults: dict[tuple[str, str], int] = field(default_factory=dict)

    def apply(self, entry: Entry) -> None:
        """Takes one line into account; words it does not know change nothing."""
        match entry.word:
            case "begin":
                self.action, self.state, self.outcome, self.facts = entry.action, "begun", "", {}
            case "end":
                self.state, self.outcome = "ended", entry.detail[0]
            case "run":
                self.running[entry.action] = entry.detail[0]
                self.restores += entry.detail[0].startswith("restore:")
            case "ran":
                self.running.pop(entry.action, None)
                if entry.action == self.action:
                    self.facts |= json.loads(entry.detail[2])
            case "cut":
                self.running.pop(entry.action, None)
            case "fault":
                key = (entry.detail[0], entry.detail[1])
                self.faults[key] = self.faults.get(key, 0) + 1
            case "replaced":
                self.replaced = True


def facts_word(facts: dict[str, object]) -> str:
    """Facts as one word of a line: JSON in which every space is escaped."""
    return json.dumps(facts, separators=(",", ":")).replace(" ", "\\u0020")


def append(path: Path, entry: Entry) -> None:
    """Adds one line in one write."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, entry.line())
    finally:
        os.close(handle)


def entries(path: Path) -> Iterator[Entry]:
    """The lines of a log, oldest first; nothing when there is no log yet."""
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        words = line.split(" ")
        if len(words) >= 3 and words[2].isdigit():
            yield Entry(words[0], words[1], int(words[2]), tuple(words[3:]))


def record_of(path: Path) -> HostRecord:
    """The state a host's log describes."""
    record = HostRecord()
    for entry in entries(path):
        record.apply(entry)
    return record
