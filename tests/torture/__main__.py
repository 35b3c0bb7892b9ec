"""`make torture`: strikes the real engine a thousand times and prints one JSON line; 1 where anything was found.

Never counts a round before its audit. Made again after an interruption it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.torture.rounds import Round, become_parent_of_all
from tests.torture.strikes import POINTS, Striker, possible

KILLS = (
    "core at a point", "runner at a point", "hand at a point", "core at random", "runner at random", "group",
    "core and runner", "killed in SQLite",
)  # fmt: skip
LONG, SHORT, EACH_ROUNDS = 100, 30, 2  # strikes at a round at most; rounds in which each kind is tried
INTERRUPTED = 130
ENDS = ("issued", "finished", "lost", "cancelled", "open")
FOUND = ("started_twice", "missing", "violations")


def kills(by_kind: dict[str, int]) -> int:
    """How many processes were killed."""
    return sum(by_kind.get(kind, 0) for kind in KILLS)


class Torture:
    """Round after round, until enough was killed. `book` is what the rounds that are over came to."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.disks = become_parent_of_all()
        self._path = folder / "progress.json"
        self.book: dict[str, Any] = {
            "rounds": 0,
            "by_kind": {},
            "points": {},
            "findings": [],
            "wall_s": 0.0,
            "cpu_s": 0.0,
        }
        self.book |= dict.fromkeys((*ENDS, *FOUND), 0)
        if self._path.exists():
            self.book = json.loads(self._path.read_bytes())
        self.reached = Counter(self.book["points"])
        self._since = (time.monotonic(), _cpu_s())

    def run(self, wanted: int, each: bool) -> int:
        """Until so many are killed, and with `each` every kind of strike was tried; the exit code."""
        if not self.disks:
            say("No small disk can be mounted here: no disk is filled up.")
        if not shutil.which("strace"):
            say("There is no strace here: no sync fails inside SQLite.")
        while not self.book["findings"]:
            left = wanted - kills(self.book["by_kind"])
            if left <= 0 and not (each and self.missing() and self.book["rounds"] < EACH_ROUNDS):
                break
            try:
                self._round(left, each)
            except KeyboardInterrupt:
                self._keep()
                return INTERRUPTED
        print(json.dumps(self._document()))
        return 1 if self.book["findings"] else 0

    def missing(self, *tallies: dict[str, int]) -> list[str]:
        """The kinds of strike not made yet, neither in rounds that are over nor in these tallies."""
        return sorted({*possible(self.disks)}.difference(self.book["by_kind"], *tallies))

    def _round(self, wanted: int, each: bool) -> None:
        number = self.book["rounds"]
        chance = random.Random(f"{self.seed}/{number}")
        round_ = Round(self.folder / f"round-{number}", own_disk=self.disks and number % 2 == (not each))
        striker = Striker(round_, chance, self.reached)
        tally = round_.tally["by_kind"]
        if not tally and chance.random() < 0.5:
            striker.opening()
        for turn in range(SHORT if each else LONG):  # whoever never gets on is not struck for ever
            left = [kind for kind in self.missing(tally) if kind in possible(round_.own_disk)] if each else []
            if round_.findings or (kills(tally) >= wanted and not left) or not round_.live():
                break
            kind = left[turn % len(left)] if left else striker.some_kind()
            if striker.strike(kind):
                say(f"{kills(self.book['by_kind']) + kills(tally)} killed; round {number}: {kind}")
        found = round_.finish() if not round_.findings else None
        self._add(round_, dict(found) if found else {})
        round_.put_away()

    def _add(self, round_: Round, found: dict[str, Any]) -> None:
        book = self.book
        book["rounds"] += 1
        for name in ("by_kind", "points"):
            book[name] = dict(sorted((Counter(book[name]) + Counter(round_.tally[name])).items()))
        for name in ENDS:
            book[name] += found.get(name, 0)
        for kind, sentence in round_.findings:
            book[kind] += 1
            book["findings"].append(f"{round_.root.name}: {sentence}")
        self._keep()

    def _keep(self) -> None:
        """The book, with the time spent until now."""
        book, (wall_s, cpu_s) = self.book, self._since
        self._since = (time.monotonic(), _cpu_s())
        book["wall_s"] = round(book["wall_s"] + self._since[0] - wall_s, 1)
        book["cpu_s"] = round(book["cpu_s"] + self._since[1] - cpu_s, 1)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(book))
        part.rename(self._path)

    def _document(self) -> dict[str, Any]:
        unreached = [point for point in POINTS if point not in self.book["points"]]
        return {"bench": "torture", "kills": kills(self.book["by_kind"]), **self.book, "unreached": unreached}


def _cpu_s() -> float:
    """CPU seconds of this process and of all that ended below it."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def say(sentence: str) -> None:
    """Progress goes to standard error."""
    print(sentence, file=sys.stderr, flush=True)


def main() -> int:
    """Parse the options and strike."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--folder", type=Path, default=Path("drill-torture"))
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--each", action="store_true", help="every kind of strike once, if two rounds allow it")
    given = options.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Torture(folder, given.seed).run(given.kills, given.each)


if __name__ == "__main__":
    sys.exit(main())
