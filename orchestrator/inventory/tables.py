"""Turns the text of a CSV file into rows that know their line.

Never guesses a missing column: the header names the columns, in any order, with commas or (as some spreadsheets
save them) semicolons.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from orchestrator.inventory.sources import Place, Sources, nearest


@dataclass(slots=True)
class Table:
    """The rows of one file, each column name to text, without empty cells; `lines` runs beside `rows`."""

    file: str
    rows: list[dict[str, str]]
    lines: list[int]

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
    first_line = text.partition("\n")[0]
    delimiter = ";" if ";" in first_line and "," not in first_line else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    table = Table(relative, [], [])
    try:
        header = [name.strip() for name in next(reader, [])]
        if not _header_fits(sources, relative, header, columns, required):
            return None
        for cells in reader:
            if len(cells) == len(header):
                pairs = zip(header, cells, strict=True)
                table.rows.append({name: cell for name, text in pairs if (cell := text.strip())})
                table.lines.append(reader.line_num)
            elif cells:
                _complain_width(sources, Place(relative, reader.line_num), cells, header)
    except csv.Error as error:
        sources.complain(Place(relative, reader.line_num), f"This is not CSV: {error}.")
        return None
    return table


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
