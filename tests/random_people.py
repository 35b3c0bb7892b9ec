"""People of the invented world who answer what the core asks: launch, sign, thaw, retry, replace, recall.

Nothing here is random: with no faults left, round after round of it must bring every host into service.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.blockers import blockers, next_step
from orchestrator.decision.events import Judged, Ordered, Reading, Swept, Woke
from orchestrator.decision.stages import OUT, Stage
from tests.random_world import SECOND, START_US, World

OLD_T0_US = START_US - 2 * 86_400 * SECOND


@dataclass
class Staff:
    """Who answers: an operator, a director, a crisis lead, and analysts."""

    operator: str
    director: str
    crisis: str
    analysts: tuple[str, ...]


DAY = Staff("operator-1", "it-director", "crisis-1", ("analyst-1", "analyst-2", "analyst-3", "double"))
NIGHT = Staff("op-new", "it-director", "lead-new", ("an-new-1", "an-new-2", "double"))


class People(World):
    """The world with people in it."""

    staff = DAY

    def order(self, kind: str, subject: str, args: dict[str, Json], *persons: str) -> bool:
        """An order by these persons; whether the last signature was admitted."""
        self.orders += 1
        done = False
        for person in persons:
            expires_us = self.signer_us() + 3600 * SECOND
            done = self.feed(Ordered(f"{self.orders:032x}", kind, subject, args, person, expires_us, 1 << 40, "b"))
        return done

    def calm(self, rounds: int) -> list[str]:
        """Faults end and people answer. Returns who is still not in service after so many rounds, and why."""
        self.calm_now = True
        for job in self.jobs.values():
            job.outcome = "lost" if job.outcome == "never" else job.outcome
        self._reinforce()
        for number in range(rounds):
            self.now_us += SECOND
            for job in list(self.jobs.values()):
                if job.issue.action in self.jobs:
                    self.answer(job)
            self.round()
            if not self.left():
                return []
            if number % 10 == 9 and self.state.timers:
                self.now_us = max(self.now_us, self.state.timers[0][0])
        return [f"{self.estate.hosts[host]} {self.why(host)}" for host in self.left()]

    def round(self) -> None:
        """Everyone does once what is asked of them."""
        self.lift()
        self.save_quorums()
        self.answer_hosts()
        self.do_tasks()
        self.sign()
        self.look_around()
        self.feed(Woke())

    def left(self) -> list[int]:
        """Hosts that are neither in service nor excluded nor left off."""
        done = (Stage.IN_SERVICE, Stage.EXCLUDED)
        stages = enumerate(self.state.stage)
        return [host for host, stage in stages if stage not in done and self.state.wave_of[host] >= 0]

    def why(self, host: int) -> str:
        """What a host that is stuck waits for."""
        step = next_step(self.state, host)
        found = list(blockers(self.state, host, step, self.now_us)) if step else []
        return f"{self.state.stage[host].name} {step} {found} {self.state.asks.get(host, {})}"

    def _reinforce(self) -> None:
        """Fresh people for those who were revoked."""
        roles: dict[str, list[Json]] = {
            "op-new": ["operator"],
            "an-new-1": ["analyst"],
            "an-new-2": ["analyst"],
            "lead-new": ["crisis", "forensic_lead"],
        }
        for person, held in roles.items():
            args: dict[str, Json] = {"person": {"id": person, "roles": held, "key": person}}
            assert self.order("roster.add", "roster", args, "operator-1", "it-director"), self.story()
        self.staff = NIGHT

    def lift(self) -> None:
        """What stops everybody: the clock, freezes, missing facts, holds, unlaunched waves."""
        state, staff = self.state, self.staff
        if state.clock_doubted:
            self.order("clock.confirm", "clock", {}, staff.operator)
        for scope in list(state.freezes):
            self.order("thaw", scope, {}, staff.operator, staff.director)
        if "t0" not in state.facts:
            self.order("fact.t0", "t0", {"at_us": OLD_T0_US}, staff.analysts[0], staff.director)
        if "breach_closed" not in state.facts:
            self.order("fact.breach_closed", "breach_closed", {}, staff.analysts[0], staff.director)
        for number, outside in enumerate(self.estate.outside):
            if outside and f"outside:{self.estate.services[number]}" not in state.facts:
                self.order("fact.outside", self.estate.services[number], {}, staff.operator, staff.director)
        for number, wave in enumerate(state.waves):
            name = self.estate.waves[number].name
            if set(wave.launchers) <= {"double"}:
                self.order("wave.launch", name, {}, "operator-1")
            if {"order", "failures"} & wave.holds.keys():
                self.order("wave.resume", name, {}, staff.operator)

    def save_quorums(self) -> None:
        """What exclusions made impossible is lowered, dropped, or gone around."""
        state, staff = self.state, self.staff
        for number, name in enumerate(self.estate.services):
            if self.estate.outside[number] or number in state.dropped:
                continue
            able = sum(state.stage[host] is not Stage.EXCLUDED for host in self.estate.players[number])
            if able == 0:
                self.order("service.drop-need", name, {}, staff.operator, staff.director)
            elif able < state.quorum[number]:
                self.order("service.lower-k", name, {"k": able}, staff.operator, staff.director)
        for number, wave in enumerate(self.estate.waves):
            for posts in state.posts[number]:
                if posts and all(state.stage[post] is Stage.EXCLUDED for post in posts):
                    self._go_around(number, wave.name)

    def _go_around(self, number: int, name: str) -> None:
        for later, edges in enumerate(self.state.after):
            if number in edges:
                wave = self.estate.waves[later].name
                self.order("wave.after-removed", wave, {"after": name}, self.staff.operator, self.staff.crisis)

    def answer_hosts(self) -> None:
        """Failed hosts are retried, in the end with another machine; who is out and doubtful is recalled."""
        state, staff = self.state, self.staff
        for host, stage in enumerate(list(state.stage)):
            name, asks = self.estate.hosts[host], state.asks.get(host, {})
            if stage is Stage.FAILED:
                spent = state.attempts[host][1] > 6
                self.order("host.retry", name, {"strategy": "replace"} if spent else {}, staff.operator)
            elif stage in OUT and "network" in asks:
                self.order("host.recall", name, self.stops(host), staff.operator, staff.analysts[0])
            elif asks:
                self.order("host.retry", name, {}, staff.operator)

    def stops(self, host: int) -> dict[str, Json]:
        """The services that stop without this host, as the order must say them."""
        stopped: list[Json] = [
            self.estate.services[one]
            for one in self.estate.services_of[host]
            if quorum.out_of(self.state, one) - (not self.state.infected_us[host]) < self.state.quorum[one]
        ]
        return {"stops": stopped}

    def do_tasks(self) -> None:
        """Open tasks are done, and confirmed by a second person where no machine does."""
        for key, task in list(self.state.tasks.items()):
            if task.status == "open" or (task.status == "reported" and key not in self.estate.confirmed_by):
                self.order("task.done", key, {}, self.staff.operator)
                self.order("task.done", key, {}, self.staff.director)

    def sign(self) -> None:
        """CLEAN for every host that waits for it."""
        state = self.state
        valid_us = self.now_us + self.estate.timing.verdict_valid_s * SECOND
        for host in range(len(state.stage)):
            if not quorum.vouched(state, host):
                found: Json = {self.estate.hosts[host]: f"disk {self.orders}"}
                args: dict[str, Json] = {"tool": "scan", "taken": "offline", "hosts": found}
                self.order("evidence.import", "disk", args, self.staff.analysts[0])
            for person in self.staff.analysts:
                if quorum.seats_wanted(state, host) and quorum.verdicts_missing(state, host, self.now_us):
                    judged = {self.estate.hosts[host]: state.inspection[host]}
                    self.feed(Judged("CLEAN", judged, person, state.indicator_set, valid_us, "b"))

    def look_around(self) -> None:
        """Sweeps that tell the truth; everything that is out works."""
        for number, name in enumerate(self.estate.sites):
            there = [self.estate.hosts[host] for host in self.estate.hosts_of_site[number]]
            self.feed(Swept(name, self.now_us, True, [host for host in there if self.reachable.get(host, True)]))
        subjects = [one for one in self.estate.interval_us if not one.startswith("class:")]
        hosts = [f"host:{self.estate.hosts[host]}" for host, stage in enumerate(self.state.stage) if stage in OUT]
        for subject in [*subjects, *hosts]:
            self.feed(Reading(subject, "PASS"))
