"""What is done to a round: kills at points and at random, stops, a second core, a full disk, a failing fsync.

Never strikes a process that is not of the round. Each strike says whether there was anything to strike.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.torture import core, points, runner
from tests.torture.rounds import NEVER, Round

REACH_S = 0.8  # how long a point is waited for
# Kinds of strike, and how often each is drawn.
KINDS = {
    "core at a point": 10,
    "runner at a point": 8,
    "hand at a point": 6,
    "core at random": 2,
    "runner at random": 2,
    "group": 4,
    "core and runner": 5,
    "killed in SQLite": 1,
    "core stopped": 1,
    "runner stopped": 1,
    "second core": 1,
    "fsync failed": 1,
    "sync failed in SQLite": 1,
    "disk full": 1,
}
HAND_POINTS = ("session", "gate-asked", "gate-moved", "mark-begun", "work-done", "mark-ended")
OPENING, STARTING, LIVING = (points.named(one) for one in (core.OPENING, core.STARTING, core.LIVING))
RUNNER = points.named((*runner.PLACES, *runner.SETTLING))
POINTS = (*OPENING, *STARTING, *LIVING, *RUNNER, *HAND_POINTS)
UNWRITTEN = ("dispatched", "write-request", "request-file", "journal-append", "journal-commit")


def possible(own_disk: bool) -> list[str]:
    """The kinds that can be made here."""
    unable = set() if own_disk else {"disk full"}
    if not shutil.which("strace"):
        unable |= {"killed in SQLite", "sync failed in SQLite"}
    return [kind for kind in KINDS if kind not in unable]


class Striker:
    """Chooses and strikes. `reached`: how often each point was, and how often it was waited for in vain."""

    def __init__(self, round_: Round, chance: random.Random, reached: Counter[str]) -> None:
        self.round = round_
        self.chance = chance
        self.reached = reached
        self.kinds: dict[str, Callable[[], bool]] = {
            "core at a point": self.core_at_point,
            "runner at a point": self.runner_at_point,
            "hand at a point": self.hand_at_point,
            "core at random": self.core_at_random,
            "runner at random": self.runner_at_random,
            "group": self.group,
            "core and runner": self.core_and_runner,
            "killed in SQLite": lambda: self.in_sqlite("signal=KILL"),
            "core stopped": self.stopped_core,
            "runner stopped": self.stopped_runner,
            "second core": self.second_core,
            "fsync failed": self.failing_fsync,
            "sync failed in SQLite": lambda: self.in_sqlite("error=EIO"),
            "disk full": self.full_disk,
        }

    def some_kind(self) -> str:
        """A kind of strike, drawn by lot."""
        able = possible(self.round.own_disk)
        return self.chance.choices(able, [KINDS[kind] for kind in able])[0]

    def strike(self, kind: str) -> bool:
        """Strikes, if there is anything to strike."""
        done = self.kinds[kind]()
        if done:
            self.round.count("by_kind", kind)
        return done

    def rarest(self, named: Sequence[str]) -> str:
        """A point seldom reached so far, and seldom waited for in vain."""
        some = self.chance.sample(named, 4)
        return min(some, key=lambda point: self.reached[point] + self.reached[f"{point} in vain"])

    def plan(self, point: str, how: str, passes: int = 1) -> None:
        """From now on it happens at this point."""
        (self.round.root / "struck").unlink(missing_ok=True)
        part = self.round.root / "plan.part"
        part.write_text(json.dumps({"point": point, "pass": passes, "how": how}))
        part.rename(self.round.root / "plan")

    def struck(self, point: str, limit_s: float = REACH_S) -> int:
        """Waits for the plan to be carried out; the process it befell, 0 if none came by."""
        plan, told = self.round.root / "plan", self.round.root / "struck"
        self.round.until(lambda: not plan.exists(), limit_s)
        with suppress(FileNotFoundError):
            plan.unlink()
            self.reached[f"{point} in vain"] += 1
            return 0
        until_s = time.monotonic() + 5
        while not told.exists() and time.monotonic() < until_s:
            time.sleep(0.002)
        if not told.exists():  # ended by another before it could say so
            return 0
        self.reached[point] += 1
        self.round.count("points", point)
        return int(told.read_text())

    def core_at_point(self) -> bool:
        """The core dies at a point of its life; now and then the next one dies while it takes over."""
        point = self.rarest(LIVING)
        self.plan(point, self._death(), self.chance.choice((1, 1, 2, 3, 7)))
        if point.startswith("settle-dead"):
            self.strike("runner at random")
        if not self.struck(point):
            return False
        self.round.until(NEVER)
        if self.chance.random() < 0.2:
            time.sleep(0.4)  # the others go on meanwhile
        if self.chance.random() < 0.35:
            unwritten = point.partition(".")[0] in UNWRITTEN
            self._while_starting("remove-folder.before" if unwritten else self.rarest(STARTING))
        return True

    def _death(self) -> str:
        return self.chance.choice(("kill", "kill", "linger"))

    def _while_starting(self, point: str) -> None:
        self.plan(point, "kill")
        self.round.live()
        if self.struck(point, 0.1):
            self.round.until(NEVER)
            self.round.count("by_kind", "core at a point")

    def opening(self) -> bool:
        """The first core of a round dies while it opens the incident."""
        point = self.rarest(OPENING)
        self.plan(point, "kill")
        self.round.start()
        if not self.struck(point, 60):
            return False
        self.round.until(NEVER)
        self.round.count("by_kind", "core at a point")
        return True

    def runner_at_point(self) -> bool:
        """A runner dies at a point of its life; now and then one that settles what a dead one left."""
        point = self.rarest(RUNNER)
        self.plan(point, self._death(), self.chance.choice((1, 1, 2)))
        if point.startswith(("settle", "look", "end-all")) or self.chance.random() < 0.2:
            self.strike("runner at random")
        return bool(self.struck(point))

    def hand_at_point(self) -> bool:
        """What works on a host or at a gate dies, or who had it done; now and then the runners before it."""
        point, how = self.rarest(HAND_POINTS), self._death()
        self.plan(point, how)
        done = bool(self.struck(point))
        if done and how == "linger":
            for pid in self.round.processes("tests.torture.runner"):
                self._kill(pid)
                self.round.count("by_kind", "runner at random")
        return done

    def core_at_random(self) -> bool:
        """The core dies at any moment, half the time one of its first."""
        if self.chance.random() < 0.5:
            self._kill(self.round.pid)
            self.round.until(NEVER)
            self.round.count("by_kind", "core at random")
            self.round.start()
        time.sleep(self.chance.random() * 0.4)
        self._kill(self.round.pid)
        self.round.until(NEVER)
        return True

    def runner_at_random(self) -> bool:
        """A runner dies at any moment."""
        pids = self._a_runner()
        for pid in pids:
            self._kill(pid)
        return bool(pids)

    def group(self) -> bool:
        """A runner dies with its process group; the session that left the group was stopped, and goes on later."""
        self.plan("session", "stop")
        session = self.struck("session")
        for pid in self.round.processes("tests.torture.runner"):
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        time.sleep(self.chance.choice((0.1, 1.0)) if session else 0)
        if session in self.round.processes("session"):
            os.kill(session, signal.SIGCONT)
        return bool(session)

    def core_and_runner(self) -> bool:
        """Both die at once, in the midst of what they had done."""
        point = self.rarest(HAND_POINTS)
        self.plan(point, self.chance.choice(("wait", "wait", "linger")))
        done = bool(self.struck(point))
        for pid in (*self.round.processes("tests.torture.runner"), self.round.pid):
            self._kill(pid)
        self.round.until(NEVER)
        return done

    def stopped_core(self) -> bool:
        """The core is stopped for a while, at a point; a second one is refused meanwhile too."""
        point = self.rarest(LIVING)
        self.plan(point, "stop")
        pid = self.struck(point)
        if not pid:
            return False
        self.strike("second core")
        time.sleep(self.chance.choice((0.1, 0.5, 3.0)))
        os.kill(pid, signal.SIGCONT)
        return True

    def stopped_runner(self) -> bool:
        """A runner is stopped for a while, at a point; now and then the core dies meanwhile."""
        point = self.rarest(RUNNER)
        self.plan(point, "stop")
        pid = self.struck(point)
        if not pid:
            return False
        if self.chance.random() < 0.5:
            self.strike("core at random")
            self.round.live()
        time.sleep(self.chance.choice((0.1, 0.5, 3.0)))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        return True

    def second_core(self) -> bool:
        """Another core on the same state is refused and says who holds it."""
        pid = core.born(self.round.root)
        self.round.until(lambda: self.round.ended(pid) is not None, 60)
        code, first = self.round.ended(pid), self.round.ended()
        if code is None:
            self._kill(pid)
            self.round.wait_for(pid)
        if first is not None:  # of an earlier strike, so that the state was free
            return False
        said = self.round.root / f"end.{pid}"
        sentence = json.loads(said.read_bytes())["sentence"] if said.exists() else ""
        if code != 7 or f"held by process {self.round.pid}" not in sentence:
            self.round.find(f"A second core was not refused: it ended with {code} and said: {sentence}")
        return True

    def failing_fsync(self) -> bool:
        """An fsync of the core or of a runner fails, or there is no room for it."""
        point = self.chance.choice(
            ("core-fsync.before", "core-fsync.after", "runner-fsync.before", "result-line.before")
        )
        self.round.provoked = "an fsync that failed"
        self.plan(point, self.chance.choice(("EIO", "ENOSPC")), self.chance.choice((1, 1, 2, 4)))
        return bool(self.struck(point))

    def full_disk(self) -> bool:
        """No room is left under the state folder: the core stops closed, also at its next start, until there is.

        Only ever a small disk of the round's own: any other is everybody's.
        """
        if not (self.round.root / "disk").is_mount():
            return False
        self.round.provoked = "a full disk"
        filler = self.round.root / "disk" / "filler"
        _fill(filler)
        self.round.until(NEVER, 5)
        closed = self.round.ended() == 7
        if closed:
            self.round.start()
            self.round.provoked = "a full disk"
            self.round.until(self.round.is_up, 5)
        filler.unlink()
        return closed

    def in_sqlite(self, fate: str) -> bool:
        """The kernel refuses a sync that SQLite asks for, or the core dies in it."""
        words = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(self.round.pid), "-e", "trace=fsync,fdatasync"]
        self.round.provoked = "a sync that failed"
        tracer = subprocess.Popen(
            [*words, "-e", f"inject=fsync,fdatasync:{fate}:when=1"], stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.round.until(NEVER, 2)
        tracer.terminate()
        with suppress(subprocess.TimeoutExpired):
            tracer.wait(3)
        tracer.kill()  # one that hangs lets go of the core
        tracer.wait()
        return self.round.ended() is not None

    def _a_runner(self) -> list[int]:
        """A runner of the round, waited for a moment and let come to its work; empty where there is none."""
        self.round.until(lambda: self.round.processes("tests.torture.runner"), 0.4)
        time.sleep(self.chance.random() * 0.3)
        found = self.round.processes("tests.torture.runner")
        return [self.chance.choice(found)] if found else []

    def _kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _fill(filler: Path) -> None:
    """Takes all room there is."""
    with filler.open("wb") as file:
        size, step = 0, 1 << 24
        while step >= 4096:
            try:
                os.posix_fallocate(file.fileno(), size, step)
                size += step
            except OSError:
                step //= 2
