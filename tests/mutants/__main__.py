"""`make mutants`: writes one small mistake after another into the core and asks its tests; one JSON line at the end.

Never changes a file: mistakes live in forks. Made again after an interruption it goes on where it was: what a mistake
came to stands in a book, a line each, and counts while its file is unchanged. Mistakes come in a shuffled order, so
that the first N are a fair sample.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.judges import ARGUMENTS, CORE, Judges, judging
from tests.mutants.points import Mutant, mutants, shuffled, written

KNOWN = Path(__file__).with_name("equivalent.json")


def digest(path: Path) -> str:
    """Short, and other for another text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def change(mutant: Mutant) -> tuple[str, str]:
    """The lines before and after, without those that stay."""
    source = (CORE / mutant.file).read_text()
    before, after = source.splitlines(), written(mutant, source).splitlines()
    while before and after and before[0] == after[0]:
        del before[0], after[0]
    while before and after and before[-1] == after[-1]:
        del before[-1], after[-1]
    return " ".join(map(str.strip, before)), " ".join(map(str.strip, after))


def interval(killed: int, judged: int) -> list[float]:
    """Wilson's 95 % interval of a share, in percent."""
    if not judged:
        return [0.0, 100.0]
    share, z = killed / judged, 1.96
    middle = share + z * z / (2 * judged)
    half = z * math.sqrt(share * (1 - share) / judged + z * z / (4 * judged * judged))
    return [round(100 * (middle + sign * half) / (1 + z * z / judged), 1) for sign in (-1, 1)]


class Book:
    """What each mistake came to, on disk as soon as it is known."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests = {one.name: digest(one) for one in CORE.glob("*.py")}
        lines = path.read_text().splitlines() if path.exists() else []
        entries = [json.loads(line) for line in lines if line.endswith("}")]
        self.known = {one["mutant"]: one for one in entries if one["digest"] == self._digests.get(one["file"])}

    def add(self, mutant: Mutant, how: str, by: str) -> None:
        """One line, at once."""
        before, after = change(mutant) if how == "survived" else ("", "")
        entry = {"mutant": mutant.name, "file": mutant.file, "digest": self._digests[mutant.file], "line": mutant.at[0],
                 "how": how, "by": by, "before": before, "after": after}  # fmt: skip
        self.known[mutant.name] = entry
        with self._path.open("a") as out:
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")


def reasons() -> set[tuple[str, str, str]]:
    """The mistakes that change nothing, as file, before and after."""
    return {(one["file"], one["before"], one["after"]) for one in json.loads(KNOWN.read_text())}


def summed(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures: invalid mistakes (no Python) count nowhere, a mistake that never ends counts as killed."""
    known = reasons()
    per_file: dict[str, Counter[str]] = defaultdict(Counter)
    for one in entries:
        if one["how"] != "invalid":
            same = one["how"] == "survived" and (one["file"], one["before"], one["after"]) in known
            per_file[one["file"]].update(["mutants", "equivalent" if same else one["how"]])
    total = sum(per_file.values(), Counter[str]())
    dead, judged = total["killed"] + total["timeout"], total["mutants"]
    names = ("mutants", "killed", "survived", "timeout", "equivalent")
    return {
        **{name: total[name] for name in names},
        "killed_percent": round(100 * dead / max(judged, 1), 1),
        "interval_95": interval(dead, judged),
        "killed_percent_without_equivalent": round(100 * dead / max(judged - total["equivalent"], 1), 1),
        "files": {file: {name: counts[name] for name in names} for file, counts in sorted(per_file.items())},
    }


class Run:
    """Takes the place of the tests' own loop once they are collected."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judges every mistake that is not in the book yet."""
        options, book = self._options, Book(self._options.book)
        every = shuffled([one for path in sorted(CORE.glob("*.py")) for one in mutants(path)], options.seed)
        chosen = [one for one in every if options.only in one.file][: options.sample or len(every)]
        open_ones = [one for one in chosen if self._is_open(book, one)]
        print(f"{len(every)} mistakes, {len(chosen)} chosen, {len(open_ones)} to judge", file=sys.stderr, flush=True)
        judges = Judges(session.items, options.seeds) if open_ones else None
        for number, mutant in enumerate(open_ones, 1):
            assert judges
            book.add(mutant, *judges.judge(mutant))
            entry = book.known[mutant.name]
            seen = entry["by"] or f"{entry['before']}  ->  {entry['after']}"
            line = f"{number}/{len(open_ones)} {mutant.file}:{mutant.at[0]} {entry['how']}: {seen}"
            print(line, file=sys.stderr, flush=True)
        print(json.dumps(summed([book.known[one.name] for one in chosen])))
        return True

    def _is_open(self, book: Book, mutant: Mutant) -> bool:
        known = book.known.get(mutant.name)
        if known is None or known["how"] != "survived" or not self._options.again:
            return known is None
        return (known["file"], known["before"], known["after"]) not in reasons()


def main(words: list[str]) -> int:
    """Reads the options and lets pytest collect the tests that judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--book", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--sample", type=int, default=0, help="so many mistakes; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--seeds", type=int, default=4, help="disasters that judge what the tests let pass")
    parser.add_argument("--only", default="", help="mistakes in files whose name holds this word")
    parser.add_argument("--again", action="store_true", help="judge anew what survived without a reason")
    options = parser.parse_args(words)
    return int(pytest.main([*ARGUMENTS, *map(str, judging())], plugins=[Run(options)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
