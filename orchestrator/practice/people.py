"""Plays the people of a drill: `python -m orchestrator.practice.people DIR` signs orders, verdicts, tasks.

Never decides what is ordered or by whom (`simulation/people` does, from the state the journal leads to) and never
touches the engine or the hosts except as people would: through the socket, and by hand at a site's switch (the
fleet's gate). Killed at any moment it starts again: what it had done stands in the journal.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from orchestrator.canonical import Json
from orchestrator.clock import SystemClock
from orchestrator.decision.apply import apply
from orchestrator.decision.stages import OUT, Stage
from orchestrator.decision.state import State
from orchestrator.engine.contents import first_state, read
from orchestrator.errors import RelanceError, Unusable
from orchestrator.journal.sqlite import Journal
from orchestrator.practice.analysts import (
    INDICATORS,
    Desk,
    disputed,
    left_for_later,
    left_to_its_lot,
    lots_to_open,
    readers,
    revocations,
    set_arrives,
    unfinished,
    verdict_on,
    whole_lots,
)
from orchestrator.practice.fleet_file import write_whole
from orchestrator.practice.rehearsal import PEOPLE
from orchestrator.practice.signing import NotAnswering, People, Refusal
from orchestrator.simulation.people import Wish, signers, wishes

ROUND_S = 0.3
SAME_AGAIN_US = 3_000_000  # nobody gives the same order again sooner
ANALYSTS = tuple(person for person, roles in PEOPLE.items() if "analyst" in roles)
TECHNICIANS = tuple(person for person, roles in PEOPLE.items() if "technician" in roles)
LAZY_ONE_IN = 3


@dataclass(slots=True)
class Memory:
    """What people remember: who judged which inspection under which set, and which host at all; whose false report
    was found out, what they ordered when."""

    judged: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    have_read: dict[str, set[str]] = field(default_factory=dict)
    found_out: set[str] = field(default_factory=set)
    ordered_us: dict[tuple[str, str, Json], int] = field(default_factory=dict)
    recalls: Counter[str] = field(default_factory=Counter)


class Drill:
    """The people of one drill folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plan = json.loads((root / "people.json").read_bytes())
        self.clock = SystemClock()
        self.people = People(root / "state", root / "keys", PEOPLE, self.clock)
        self.memory = Memory()
        self.desk = Desk(root / "state" / "evidence")
        self.dice = random.Random(self.plan["seed"])
        self._state: State | None = None

    def round(self) -> bool:
        """One look at everything; whether the drill is over."""
        self.people.look()
        ended = over(self.people.get("status"))  # asked before the reading: nothing that passed is left unsigned
        state = self._read_on()
        if not state.roster:
            self._try(Wish("genesis", "roster", self.plan["genesis"]), ("operator-1", "it-director"))
            self._read_on()
        told = revocations(state, self.plan, ended)
        lots = lots_to_open(state, self.plan)
        for wish in chain(wishes(state, self.plan["t0_us"]), lots, self._further_wishes(state), told):
            self._order(state, wish)
        if set_arrives(state, self.plan, ended):
            self._take_in_set(state)
        self._find_late(state)
        queue = self.people.get("queue")
        self._judge(self._read_on(), queue)
        for task in self.people.get("tasks"):
            self._work(task)
        return ended and not unfinished(self._read_on(), self.plan)

    def _read_on(self) -> State:
        """The state that the journal's records lead to by now."""
        folder = self.root / "state"
        state = self._state = self._state or first_state(folder)
        with Journal.open(folder / "journal.sqlite", read_only=True) as journal:
            for record in journal.records(state.seq + 1):
                apply(state, read(record, state, folder), record.at_us)
        return state

    def _further_wishes(self, state: State) -> Iterator[Wish]:
        """What a drill asks for besides: a waiver, functions accepted, another machine for who is recalled again."""
        for klass in self.plan["waived"]:
            if f"waiver:class:{klass}" not in state.facts:
                yield Wish("fact.waiver", f"class:{klass}")
        first_site = {one.id: one.sites[0] for one in state.estate.content.inventory.functions if one.sites}
        for planned, wave in zip(state.estate.waves, state.waves, strict=True):
            function, _, part = planned.name.partition("/")
            accepted = f"{function}/{first_site.get(function)}"
            if (
                part == "slice"
                and wave.passed_us
                and function in first_site
                and f"accepted:{accepted}" not in state.facts
            ):
                yield Wish("fact.accepted", accepted, {"owner": f"head of {function}"})
        for name in [name for name, often in self.memory.recalls.items() if often > 1]:
            host = state.estate.host_number[name]
            if state.stage[host] not in (*OUT, Stage.RECONNECTING) and not state.lanes[0][host]:
                yield Wish("host.retry", name, {"strategy": "replace"})

    def _order(self, state: State, wish: Wish) -> None:
        """Whoever may sign does; what it changed is read before the next wish."""
        about, now_us = (wish.kind, wish.subject, wish.args.get("image")), self.clock.now_us()
        others = [person for person in state.roster if person != wish.subject]  # nobody revokes themselves
        persons = signers(state, wish, self.dice.sample(others, len(others)))
        if now_us - self.memory.ordered_us.get(about, 0) < SAME_AGAIN_US or not persons:
            return
        self.memory.ordered_us[about] = now_us
        if self._try(wish, persons):
            self._read_on()
            if wish.kind == "host.recall":
                self.memory.recalls[wish.subject] += 1
            elif wish.args == {"strategy": "replace"}:
                del self.memory.recalls[wish.subject]

    def _judge(self, state: State, queue: dict[str, Any]) -> None:
        """Each analyst reads some hosts; nobody judges the same inspection twice under the same set."""
        for hosts in whole_lots(queue, self.plan):
            free = [person for person in ANALYSTS if person not in state.revoked]
            self._file("CLEAN", self.dice.choice(free), *hosts)
        for seat in queue["hosts"]:
            if left_to_its_lot(queue, seat):
                continue
            later = left_for_later(self.plan, seat["host"], queue["indicator_set"])
            if self.memory.recalls[seat["host"]] <= 1 and not later:
                self._read_seat(state, {**seat, "indicator_set": queue["indicator_set"]})

    def _read_seat(self, state: State, seat: dict[str, Any]) -> None:
        judged = self.memory.judged.setdefault((seat["inspection"], seat["indicator_set"]), set())
        earlier = self.memory.have_read.setdefault(seat["host"], set())
        free = [person for person in ANALYSTS if person not in judged and person not in state.revoked]
        found = self.desk.finds(seat["evidence"], seat["indicator_set"])
        disagree = disputed(state, self.plan, seat["host"])
        for person in readers(self.dice.sample(free, len(free)), earlier, seat["seats_open"]):
            time.sleep(self.plan["reading_s"])
            verdict = verdict_on(seat, self.plan["seed"], found=found, second=bool(judged) if disagree else None)
            judged.add(person)
            earlier.add(person)
            if not self._file(verdict, person, seat) or verdict != "CLEAN":
                break

    def _file(self, verdict: Literal["CLEAN", "SUSPECT", "INFECTED"], person: str, *seats: dict[str, Any]) -> bool:
        """Whether it was not refused; a refusal is read, and the next round looks again."""
        try:
            self.people.verdict(verdict, person, *seats)
        except Refusal as refusal:
            self._say(f"{person} on {', '.join(one['host'] for one in seats)}: {refusal.sentence}")
            return False
        return True

    def _take_in_set(self, state: State) -> None:
        """The CERT's indicators are imported and their cost is read by the commands anyone uses; two analysts sign."""
        file = self.root / "indicators.csv"
        write_whole(file, INDICATORS.encode())
        digest = self._relance("import", str(file))["digest"]
        told = self._relance("cost", digest)
        self._say(f"Before the new set was ordered into force its cost was read: {json.dumps(told)}")
        cost: dict[str, Json] = {name: count for name, count in told.items() if isinstance(count, int)}
        self._order(state, Wish("indicators.force", digest, cost))

    def _relance(self, *words: str) -> dict[str, Any]:
        """What a command about indicators answers; raises Unusable where it fails: nobody signs an unknown cost."""
        where = ("--estate", str(self.root / "estate"), "--state", str(self.root / "state"), "--format", "json")
        command = [sys.executable, "-m", "orchestrator.interfaces.cli", *where, "indicators", *words]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False, text=True)
        if done.returncode not in (0, 1):  # 1: the set hits something
            raise Unusable(f"relance indicators {words[0]} failed: {done.stdout.strip() or done.stderr.strip()}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def _find_late(self, state: State) -> None:
        """Where the drill has it so, one host is found infected after its release; what it may have done is read."""
        name = self.plan["late"]
        host = state.estate.host_number.get(name, -1)
        if host < 0 or state.stage[host] is not Stage.IN_SERVICE or f"reach:{name}" in state.touched:
            return
        seat = {"host": name, "inspection": state.inspection[host], "evidence": state.evidence[host]}
        try:
            self.people.verdict("INFECTED", ANALYSTS[0], {**seat, "indicator_set": state.indicator_set})
        except Refusal as refusal:
            self._say(f"{ANALYSTS[0]} on {name}: {refusal.sentence}")
            return
        for one in self.people.get("exposure", name)["hosts"]:
            self._say(f"{name} was found infected after its release: {one['host']} {', '.join(one['reasons'])}.")

    def _work(self, task: dict[str, Any]) -> None:
        """The first technician claims and reports, the second confirms; some reports are false and found out."""
        key = task["task"]
        if task["status"] == "reported":
            if task["confirm"] != "two-persons":
                return
            if self._lazy(key):
                self.memory.found_out.add(key)
                self._try(Wish("task.failed", key), (TECHNICIANS[1],))
                return
            other = TECHNICIANS[1] if task["reported_by"] != TECHNICIANS[1] else TECHNICIANS[0]
            self._try(Wish("task.done", key), (other,))
            return
        if key.endswith("/isolate"):
            self._cut_off(key.partition("/")[0])
        for kind in ("task.claim", "task.done"):
            self._try(Wish(kind, key), (TECHNICIANS[0],))

    def _lazy(self, key: str) -> bool:
        return (
            self.plan["lazy"]
            and key not in self.memory.found_out
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

    def _try(self, wish: Wish, persons: Sequence[str]) -> bool:
        """Whether it was not refused; a refusal is an answer: people read it and look again next round."""
        try:
            self.people.order(wish.kind, wish.subject, persons, wish.args)
        except Refusal as refusal:
            self._say(f"{wish.kind} {wish.subject}: {refusal.sentence}")
            return False
        return True

    def _say(self, sentence: str) -> None:
        print(sentence, flush=True)  # noqa: T201 - the people's log is their standard output


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
        with suppress(NotAnswering):
            if drill.round():
                return 0
            answered_s = time.monotonic()
        time.sleep(ROUND_S)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RelanceError as error:
        print(error.sentence, file=sys.stderr)  # noqa: T201 - its last words
        sys.exit(error.exit_code)
