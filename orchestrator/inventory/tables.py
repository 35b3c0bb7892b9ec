"""Turns the text of a CSV file into rows that know their line.

Never guesses a missing column: the header names the columns, in any order, with commas or (as some spreadsheets
save them) semicolons.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.inventory.sources import Place, Sources, nearest


@dataclass(slots=True)
class Table:
    """One file whose every row is known to have a cell for each of `columns`; `lines` has an entry for each row.

    The rows are read from the text again each time: those of a large estate would fill the memory they are fitted into.
    """

    file: str
    text: str
    columns: list[str]
    lines: list[int]

    def rows(self) -> Iterator[dict[str, str]]:
        """Each row, column name to text, without empty cells."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=_delimiter(self.text), strict=True)
        next(reader)
        for cells in reader:
            if len(cells) == len(self.columns):
                pairs = zip(self.columns, cells, strict=True)
                yield {name: cell for name, text in pairs if (cell := text.strip())}

    def place(self, path: tuple[str | int, ...]) -> Place:
        """The line of the row whose number comes first in `path`."""
        row = path[0] if path else -1
        known = isinstance(row, int) and 0 <= row < len(self.lines)
        return Place(self.file, self.lines[int(row)] if known else 1)


def read_table(sources: Sources, relative: str, columns: tuple[str, ...], required: tuple[str, ...]) -> Table | None:
    """The rows of a CSV file, or None after complaining about the file as a whole; bad rows are left out."""
    text = sources.text(relative)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not _header_fits(sources, relative, header, columns, required):
            return None
        table = Table(relative, text, header, [])
        for cells in reader:
            if len(cells) == len(header):
                table.lines.append(reader.line_num)
            elif cells:
                _complain_width(sources, Place(relative, reader.line_num), cells, header)
    except csv.Error as error:
        sources.complain(Place(relative, reader.line_num), f"This is not CSV: {error}.")
        return None
    return table


def _delimiter(text: str) -> str:
    first_line = text.partition("\n")[0]
    return ";" if ";" in first_line and "," not in first_line else ","


def _header_fits(
    sources: Sources, relative: str, header: list[str], columns: tuple[str, ...], required: tuple[str, ...]
) -> bool:
    problems = [f"there is no column `{name}`{nearest(name, columns)}" for name in header if name not in columns]
    problems += [f"the column `{name}` is missing." for name in required if name not in header]
    problems += [f"the column `{name}` stands twice." for name in sorted({n for n in header if header.count(n) > 1})]
    for problem in problems:
        sources.complain(Place(relative), f"In the header, {problem} The columns are {', '.join(columns)}.")
    return not problems


def _complain_width(sources: Sources, place: Place, cells: list[str], header: list[str]) -> None:
    # Only the host of this row is concerned, if the row names one.
    named = cells[header.index("id")].strip() if len(cells) > header.index("id") else ""
    message = f"The row has {len(cells)} cells and the header {len(header)}."
    sources.complain(place, message, hosts=(named,) if named else ())
