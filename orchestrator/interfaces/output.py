"""Prints what a command found: text for a person, or exactly one JSON document, on one line, on stdout.

Never mixes the two: progress and questions go to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from orchestrator.errors import RelanceError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what `add_subparsers` returns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wants_json(words: Sequence[str]) -> bool:
    """Whether the words typed ask for JSON, even where they could not be understood otherwise."""
    return "--format=json" in words or ("--format", "json") in pairwise(words)


def show(options: argparse.Namespace, document: object, text: str) -> None:
    """Prints the document or the text, as `--format` says."""
    if options.format == "json":
        print(json.dumps(document, ensure_ascii=False))
    else:
        print(text.rstrip("\n"))


def complain(error: RelanceError, *, as_json: bool) -> int:
    """Prints a failure; returns its exit code."""
    if as_json:
        print(json.dumps(error.as_json(), ensure_ascii=False, default=str))
    else:
        rule = f" [{error.rule}]" if error.rule else ""
        print(f"{error.sentence}{rule}", file=sys.stderr)
    return error.exit_code


def progress(line: str) -> None:
    """Says something on the way, where it disturbs no document."""
    print(line, file=sys.stderr, flush=True)


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> list[str]:
    """Lines with the cells of the rows under each other."""
    found = [tuple(row) for row in rows]
    if not found:
        return []
    widths = [max(len(row[column]) for row in found) for column in range(len(found[0]))]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in found
    ]


def clock(at_us: int) -> str:
    """A time as people read it, UTC; a dash for none."""
    return f"{_EPOCH + timedelta(microseconds=at_us):%Y-%m-%d %H:%M:%S}" if at_us else "-"


def counted(counts: Mapping[str, int]) -> str:
    """`3 released, 4 in service`, leaving out zeros."""
    return ", ".join(f"{count} {name.replace('-', ' ').replace('_', ' ')}" for name, count in counts.items() if count)
