"""Runs the core itself through a faultless restart, second by second, and notes when each function is back.

Never an exact optimum: it is one schedule of the core, which no bound may exceed.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.commands import Issue
from orchestrator.decision.decide import decide
from orchestrator.decision.dryrun import NO_SET
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Finished, Judged, Opened, Ordered, Reading, Swept, Woke
from orchestrator.decision.stages import OUT
from orchestrator.decision.state import State
from orchestrator.interfaces.views_functions import functions
from orchestrator.plans.model import Content, Plan

SECOND = 1_000_000
LONG = 200_000 * SECOND


class TimedHospital:
    """People work without a pause and in any order; every step takes exactly what its class says."""

    def __init__(self, content: Content, plan: Plan, chance: random.Random) -> None:
        self.state = State(Estate(content, plan))
        self.content, self.chance = content, chance
        self.second = 0
        self.back_s: dict[str, int] = {}
        self.passed_s: dict[str, int] = {}
        self.up_s: dict[str, int] = {}
        self._due: list[tuple[int, int, Event]] = []
        self._count = 0
        self._reading: dict[str, int] = {}
        self._read: set[tuple[str, str]] = set()
        self._working: set[str] = set()
        self._asked: dict[str, int] = {}
        self._site_s = {
            site.id: min(
                (one.duration_s.isolate for one in content.classes for host in content.inventory.hosts
                 if host.site == site.id and host.klass == one.id), default=1
            )
            for site in content.inventory.sites
        }  # fmt: skip

    def run(self, limit_s: int) -> dict[str, int]:
        """When each function was back, in seconds; those that were not by `limit_s` are missing."""
        self._open()
        while self.second < limit_s and len(self.back_s) < len(self.content.inventory.functions):
            while self._turn():
                pass
            self._note()
            self.second += 1
            self._step(Woke())
        return self.back_s

    def _turn(self) -> bool:
        before = self.state.seq
        while self._due and self._due[0][0] <= self.second:
            self._step(heapq.heappop(self._due)[2])
        for event in [*self._around(), *self._people()]:
            self._step(event)
        return self.state.seq > before

    def _step(self, event: Event) -> None:
        for entry in decide(self.state, event, (self.second + 1) * SECOND):
            if isinstance(entry, Issue):
                facts: dict[str, Json] = {"restore_point_us": 1, "host_key": "key", "digest": "digest"}
                facts |= {"medium": "disk", "holder": "store"}
                self._later(self._takes_s(entry), Finished(entry.action, "ok", "", facts))

    def _takes_s(self, entry: Issue) -> int:
        host = self.state.estate.host_number.get(entry.target, -1)
        if host < 0:
            return self._site_s[entry.target]
        return int(getattr(self.state.estate.group(host).klass.duration_s, entry.step))

    def _later(self, wait_s: int, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._due, (self.second + wait_s, self._count, event))

    def _open(self) -> None:
        analysts: list[Json] = [
            {"id": each.id, "roles": ["analyst"], "key": each.id} for each in self.content.roster.persons
        ]
        others: list[Json] = [
            {"id": "operator-a", "roles": ["operator"], "key": "operator-a"},
            {"id": "director", "roles": ["it_director", "crisis", "forensic_lead"], "key": "director"},
        ]
        self._step(Opened(1, "timed", "timed", ""))
        persons = [*analysts, *others]
        self._order("genesis", "roster", {"persons": persons, "indicator_set": NO_SET}, "operator-a", "director")
        self._order("fact.t0", "t0", {"at_us": SECOND}, "analyst-0", "director")
        self._order("fact.breach_closed", "breach_closed", {}, "analyst-0", "director")
        for wave in self.state.estate.waves:
            self._order("wave.launch", wave.name, {}, "operator-a")

    def _order(self, kind: str, subject: str, args: dict[str, Json], *persons: str) -> None:
        self._count += 1
        for person in persons:
            self._step(Ordered(f"{self._count:032x}", kind, subject, args, person, 1 << 52, 1 << 40, ""))

    def _around(self) -> Iterator[Event]:
        """Sweeps every second; checks of hosts and services that are out at once, then at their interval."""
        estate, state = self.state.estate, self.state
        for site, hosts in enumerate(estate.hosts_of_site):
            if self._asks(f"sweep {site}", SECOND) and any(state.isolated_us[host] for host in hosts):
                yield Swept(estate.sites[site], (self.second + 1) * SECOND, True, [])
        for host, stage in enumerate(state.stage):
            klass = f"class:{estate.group(host).klass.id}"
            if stage in OUT and self._asks(f"host:{estate.hosts[host]}", estate.interval_us.get(klass, 60 * SECOND)):
                yield Reading(f"host:{estate.hosts[host]}", "PASS")
        for service, name in enumerate(estate.services):
            out = sum(state.stage[host] in OUT for host in estate.players[service])
            if out >= state.quorum[service] and self._asks(f"service:{name}", SECOND):
                yield Reading(f"service:{name}", "PASS")

    def _asks(self, subject: str, interval_us: int) -> bool:
        if self._asked.get(subject, 0) > self.second:
            return False
        self._asked[subject] = self.second + interval_us // SECOND
        return True

    def _people(self) -> Iterator[Event]:
        for host in self.chance.sample(range(len(self.state.stage)), len(self.state.stage)):
            if quorum.seats_wanted(self.state, host):
                self._read_host(host)
        for key, task in list(self.state.tasks.items()):
            if task.status == "open" and key not in self._working:
                self._working.add(key)
                spec = self.state.estate.tasks[key].spec
                for person in ("operator-a", "director"):
                    self._count += 1
                    done = Ordered(f"{self._count:032x}", "task.done", key, {}, person, 1 << 52, 1 << 40, "")
                    self._later(spec.duration_s, done)
        return
        yield

    def _read_host(self, host: int) -> None:
        """Free analysts take the seats that are open, each reading one host at a time."""
        inspection = self.state.inspection[host]
        takers = sum(one == inspection for one, _ in self._read)
        wanted = self.state.estate.group(host).klass.verdicts_required - takers
        for person in self.content.roster.persons:
            if (
                wanted > 0
                and self._reading.get(person.id, 0) <= self.second
                and (inspection, person.id) not in self._read
            ):
                wanted -= 1
                self._read.add((inspection, person.id))
                reading_s = self.state.estate.group(host).klass.reading_s
                self._reading[person.id] = self.second + reading_s
                judged = {self.state.estate.hosts[host]: inspection}
                expires_us = (self.second + 1) * SECOND + LONG
                self._later(reading_s, Judged(quorum.CLEAN, judged, person.id, NO_SET, expires_us, ""))

    def _note(self) -> None:
        for function in functions(self.state):
            if set(function["sites"].values()) == {"back"}:
                self.back_s.setdefault(function["id"], self.second)
