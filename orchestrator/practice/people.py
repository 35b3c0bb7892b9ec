"""Plays the people of a drill: `python -m orchestrator.practice.people DIR` signs facts, launches, verdicts, tasks.

Never touches the engine or the hosts except as people would: through the socket, and by hand at a site's switch
(the fleet's gate). Killed at any moment it starts again: what it had done stands in the journal.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.clock import SystemClock
from orchestrator.errors import RelanceError, Unusable
from orchestrator.practice.fleet_file import write_whole
from orchestrator.practice.rehearsal import PEOPLE
from orchestrator.practice.signing import NotAnswering, People, Refusal

ROUND_S = 0.3
ANALYSTS = tuple(person for person, roles in PEOPLE.items() if "analyst" in roles)
OPERATORS = tuple(person for person, roles in PEOPLE.items() if "operator" in roles)
TECHNICIANS = tuple(person for person, roles in PEOPLE.items() if "technician" in roles)
SUSPECT_ONE_IN = 40
LAZY_ONE_IN = 3


@dataclass(slots=True)
class Memory:
    """What people remember: who judged which inspection, how often each host was answered, what was accepted."""

    judged: dict[str, set[str]] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    retried_us: dict[str, int] = field(default_factory=dict)
    to_replace: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)


class Drill:
    """The people of one drill folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plan = json.loads((root / "people.json").read_bytes())
        self.clock = SystemClock()
        self.people = People(root / "state", root / "keys", PEOPLE, self.clock)
        self.memory = Memory()
        self.dice = random.Random(self.plan["seed"])
        self._opened = False

    def round(self) -> bool:
        """One look at everything; whether the drill is over."""
        self.people.look()
        if not self._opened:
            self._open()
        status = self.people.get("status")
        self._launch(status)
        self._judge(self.people.get("queue"))
        for task in self.people.get("tasks"):
            self._work(task)
        self._answer(status)
        self._accept(status)
        return over(status)

    def forget(self) -> None:
        """The engine went away: the facts are offered again when it is back."""
        self._opened = False

    def _open(self) -> None:
        """The facts of the first morning; those that stand already are refused, which is fine."""
        genesis = self.plan["genesis"]
        self._try("genesis", "roster", ("operator-1", "it-director"), genesis)
        self.people.look()
        self._try("fact.t0", "t0", ("analyst-1", "it-director"), {"at_us": self.plan["t0_us"]})
        self._try("fact.breach_closed", "breach_closed", ("analyst-2", "it-director"))
        for klass in self.plan["waived"]:
            self._try("fact.waiver", f"class:{klass}", ("forensic-lead",))
        for service in self.plan["outside"]:
            self._try("fact.outside", service, ("operator-2", "analyst-3"))
        self._opened = True

    def _launch(self, status: dict[str, Any]) -> None:
        """Waves are launched in their order by the two operators in turn; failures are looked at and resumed."""
        for number, wave in enumerate(status["waves"]):
            if wave["state"] == "not_launched":
                self._try("wave.launch", wave["name"], (OPERATORS[number % 2],))
            elif {"failures", "order"} & set(wave["holds"]):
                self._try("wave.resume", wave["name"], (OPERATORS[number % 2],))

    def _judge(self, queue: dict[str, Any]) -> None:
        """Each analyst reads some hosts; nobody judges the same inspection twice."""
        for seat in queue["hosts"]:
            if seat["host"] in self.memory.to_replace:
                continue
            judged = self.memory.judged.setdefault(seat["inspection"], set())
            free = [person for person in ANALYSTS if person not in judged]
            for person in self.dice.sample(free, min(len(free), seat["seats_open"])):
                time.sleep(self.plan["reading_s"])
                judged.add(person)
                verdict = verdict_on(seat, self.plan["seed"])
                try:
                    self.people.verdict(verdict, person, {**seat, "indicator_set": queue["indicator_set"]})
                except Refusal as refusal:
                    self._say(f"{person} on {seat['host']}: {refusal.sentence}")
                    break
                if verdict != "CLEAN":
                    break

    def _work(self, task: dict[str, Any]) -> None:
        """The first technician claims and reports, the second confirms; some reports are false and found out."""
        key = task["task"]
        if task["status"] == "reported":
            if task["confirm"] != "two-persons":
                return
            if self._lazy(key):
                self.memory.answered[f"lazy {key}"] = 1
                self._try("task.failed", key, (TECHNICIANS[1],))
                return
            other = TECHNICIANS[1] if task["reported_by"] != TECHNICIANS[1] else TECHNICIANS[0]
            self._try("task.done", key, (other,))
            return
        if key.endswith("/isolate"):
            self._cut_off(key.partition("/")[0])
        for kind in ("task.claim", "task.done"):
            self._try(kind, key, (TECHNICIANS[0],))

    def _lazy(self, key: str) -> bool:
        return (
            self.plan["lazy"]
            and f"lazy {key}" not in self.memory.answered
            and random.Random(f"{self.plan['seed']} {key}").randrange(LAZY_ONE_IN) == 0
        )

    def _cut_off(self, site: str) -> None:
        """The witnesses go to the site's switch themselves."""
        gate = self.plan["gates"][site]
        command = ["ssh", "-F", "none", "-i", str(self.root / "state/secrets/ssh_key"), "-p", str(gate["port"])]
        for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=none",
                       f"UserKnownHostsFile={self.root / 'fleet/known_hosts'}"):  # fmt: skip
            command += ["-o", option]
        command += [f"{gate['user']}@{gate['address']}", f"relance-gate isolate-site {site}/isolate/0 {site}"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
        if done.returncode:
            self._say(f"The switch of {site} cannot be set by hand: {done.stderr.strip()}")

    def _answer(self, status: dict[str, Any]) -> None:
        """Every failed host and every question is answered: again, then by another strategy, in the end by replace."""
        for host in status["failed"]:
            self._retry(host)
        for asked in status["asks"]:
            if asked["lane"] == "owed":
                continue
            self._answer_ask(asked["host"], asked["lane"])
        for host in sorted(self.memory.to_replace):
            self._replace(host)

    def _answer_ask(self, host: str, lane: str) -> None:
        why = self.people.get("why", host)
        if why["stage"] in ("released", "in_service"):
            if lane in ("check", "network"):
                self._recall(host)
        elif not why["under_way"]:
            self._retry(host)

    def _recall(self, host: str) -> None:
        """Takes a host back; what that stops is shown first and then named in the order."""
        persons = (OPERATORS[0], ANALYSTS[0], OPERATORS[1])
        self.memory.answered[host] = self.memory.answered.get(host, 0) + 1
        if self.memory.answered[host] > 1:
            self.memory.to_replace.add(host)
        try:
            self.people.order("host.recall", host, persons, {})
        except Refusal as refusal:
            if "stops" not in refusal.facts:
                self._say(f"host.recall {host}: {refusal.sentence}")
                return
            self._try("host.recall", host, persons, {"stops": refusal.facts["stops"]})

    def _replace(self, host: str) -> None:
        """A host that keeps failing after its release gets another machine once it is back in quarantine."""
        why = self.people.get("why", host)
        if why["stage"] in ("released", "in_service", "reconnecting") or why["under_way"]:
            return
        self._try("host.retry", host, (OPERATORS[1],), {"strategy": "replace"})
        self.memory.to_replace.discard(host)

    def _accept(self, status: dict[str, Any]) -> None:
        """The crisis cell accepts a function once its slice is through its gate."""
        for wave in status["waves"]:
            function = wave["function"]
            passed = wave["name"] == f"{function}/slice" and wave["state"] == "passed"
            if passed and function not in self.memory.accepted:
                self.memory.accepted.add(function)
                self._try("fact.accepted", function, ("crisis-1",))

    def _retry(self, host: str) -> None:
        """First the same again, then always another machine."""
        turn = self.memory.answered.get(host, 0)
        if self.clock.now_us() - self.memory.retried_us.get(host, 0) < 3_000_000:
            return
        self.memory.answered[host] = turn + 1
        self.memory.retried_us[host] = self.clock.now_us()
        self._try("host.retry", host, (OPERATORS[turn % 2],), {"strategy": "replace"} if turn else {})

    def _try(self, kind: str, subject: str, persons: tuple[str, ...], args: dict[str, Any] | None = None) -> None:
        """A refusal is an answer: people read it and look again next round."""
        try:
            self.people.order(kind, subject, persons, args or {})
        except Refusal as refusal:
            self._say(f"{kind} {subject}: {refusal.sentence}")

    def _say(self, sentence: str) -> None:
        print(sentence, flush=True)  # noqa: T201 - the people's log is their standard output


def verdict_on(seat: dict[str, Any], seed: int) -> Literal["CLEAN", "SUSPECT", "INFECTED"]:
    """What a reader concludes: a marker is INFECTED; now and then a first look is not enough."""
    if seat["marker"]:
        return "INFECTED"
    doubtful = random.Random(f"{seed} {seat['host']}").randrange(SUSPECT_ONE_IN) == 0
    return "SUSPECT" if doubtful and seat["inspection"].endswith("/inspect/1") else "CLEAN"


def over(status: dict[str, Any]) -> bool:
    """Whether every host of a wave that is not excluded is in service, and every gate has passed."""
    waves = status["waves"]
    back = sum(wave["in_service"] for wave in waves) + status["hosts"]["excluded"]
    return back >= sum(wave["hosts"] for wave in waves) and all(wave["state"] == "passed" for wave in waves)


@contextmanager
def alone(lock: Path, sentence: str) -> Iterator[None]:
    """Holds a lock file; raises Unusable with `sentence` where another process does."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unusable(sentence) from error
        yield
    finally:
        os.close(handle)


def main() -> int:
    """Plays until the drill is over, or nobody answers for two minutes."""
    root = Path(sys.argv[1])
    with alone(root / "people.lock", "Other people play in this drill already."):
        write_whole(root / "people.pid", str(os.getpid()).encode())
        return _play(Drill(root))


def _play(drill: Drill) -> int:
    answered_s = time.monotonic()
    while time.monotonic() - answered_s < 120:
        try:
            if drill.round():
                return 0
            answered_s = time.monotonic()
        except NotAnswering:
            drill.forget()
        time.sleep(ROUND_S)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RelanceError as error:
        print(error.sentence, file=sys.stderr)  # noqa: T201 - its last words
        sys.exit(error.exit_code)
