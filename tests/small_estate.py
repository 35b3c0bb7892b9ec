"""The small estate of tests/content/small as files a test may damage, and what the readers then say.

Never touches the original: each test gets its own copy.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.inventory.sources import Finding, Severity
from orchestrator.plans.files import load
from orchestrator.plans.review import Examination, examine

SMALL = Path(__file__).parent / "content" / "small"


class SmallEstate:
    """Twelve hosts, three functions, two sites, in a folder `small` of the given one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "small"
        shutil.copytree(SMALL, self.path)

    def edit(self, file: str, old: str, new: str, count: int = 1) -> None:
        """Replaces text that must be there."""
        text = (self.path / file).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        (self.path / file).write_text(text.replace(old, new, count), encoding="utf-8")

    def append(self, file: str, text: str) -> None:
        """Adds text at the end of a file, or a new file."""
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)

    def line_of(self, file: str, text: str) -> int:
        """The number of the first line that holds `text`."""
        lines = (self.path / file).read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def loaded(self) -> list[Finding]:
        """What reading alone finds."""
        return load(self.path)[1]

    def examined(self) -> Examination:
        """What reading, deriving and reviewing find."""
        return examine(self.path)

    def said(self, severity: Severity = "error") -> list[str]:
        """The findings of one severity as `file:line message`, columns left out."""
        return [f"{one.file}:{one.line} {one.message}" for one in self.examined().findings if one.severity == severity]
