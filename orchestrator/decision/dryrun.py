"""Proves that a plan can finish: the core itself, in a world without faults where every person answers at once.

Never measures time: soaks, waits and durations are shrunk, because only the order of things is asked about. What is
still not in service when nothing moves any more is reported with what it waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.commands import Issue
from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Finished, Judged, Opened, Ordered, Reading, Swept, Woke
from orchestrator.decision.explain import Reason, gate_why, put, why
from orchestrator.decision.gates import lacks, pending
from orchestrator.decision.stages import GONE, Stage
from orchestrator.decision.state import QUARANTINED, State
from orchestrator.plans.model import Content, Plan, Timing

SECOND = 1_000_000
NO_SET = "0" * 64
PEOPLE: dict[str, list[Json]] = {
    "operator-a": ["operator"],
    "operator-b": ["operator"],
    "analyst-a": ["analyst"],
    "analyst-b": ["analyst"],
    "analyst-c": ["analyst"],
    "director": ["it_director", "crisis", "forensic_lead"],
}


def shrunk(content: Content) -> Content:
    """The same content where nothing takes long: no soak, one PASS, no pace."""
    timing = Timing(
        soak_s=0, passes=1, in_service_passes=1, waits_s=(1,), workstations_per_minute=1_000_000,
        verdict_valid_s=10**8, obligation_s=10**8,
    )  # fmt: skip
    return content.model_copy(update={"restart": content.restart.model_copy(update={"timing": timing, "gates": {}})})


class DryRun:
    """One faultless run. `stuck` tells, after `run`, what waits for itself."""

    def __init__(self, content: Content, plan: Plan) -> None:
        waves = tuple(
            wave.model_copy(update={"gate": wave.gate.model_copy(update={"soak_s": 0, "passes": 1})})
            for wave in plan.waves
        )
        self.state = State(Estate(shrunk(content), plan.model_copy(update={"waves": waves})))
        self.now_us = SECOND
        self.steps = 0
        self._queue: deque[Event] = deque()
        self._orders = 0

    def run(self) -> list[tuple[str, Reason]]:
        """Runs to the end; what is `stuck` then."""
        self._open()
        while True:
            while self._queue:
                self._step(self._queue.popleft())
            before = self.steps
            for event in self._people():
                self._step(event)
            if self._queue or self.steps > before:
                continue
            if not self._look_around() and not self._next_timer():
                return self.stuck()

    def _step(self, event: Event) -> None:
        self.steps += 1
        for entry in decide(self.state, event, self.now_us):
            if isinstance(entry, Issue):
                facts: dict[str, Json] = {"restore_point_us": 1, "host_key": "key", "digest": "digest"}
                facts |= {"medium": "medium", "holder": "holder"}
                self._queue.append(Finished(entry.action, "ok", "", facts))

    def _open(self) -> None:
        persons: list[Json] = [{"id": person, "roles": roles, "key": person} for person, roles in PEOPLE.items()]
        self._step(Opened(1, "dry run", "dry-run", ""))
        self._order("genesis", "roster", {"persons": persons, "indicator_set": NO_SET}, "operator-a", "director")
        self._order("fact.t0", "t0", {"at_us": self.now_us}, "analyst-a", "director")
        self._order("fact.breach_closed", "breach_closed", {}, "analyst-a", "director")
        for service, outside in enumerate(self.state.estate.outside):
            if outside:
                self._order("fact.outside", self.state.estate.services[service], {}, "operator-a", "analyst-a")
        args: dict[str, Json] = dict.fromkeys(("owner", "patient", "routes", "cleanup"), "test")
        for owner in sorted({key.partition("/")[0] for key in self.state.estate.witness_task.values()}):
            self._order("fact.agreement", owner, args, "director", "operator-a")
        for wave in self.state.estate.waves:
            self._order("wave.launch", wave.name, {}, "operator-a")

    def _order(self, kind: str, subject: str, args: dict[str, Json], *persons: str) -> None:
        self._orders += 1
        for person in persons:
            self._step(Ordered(f"{self._orders:032x}", kind, subject, args, person, 1 << 52, 1 << 40, ""))

    def _people(self) -> Iterator[Event]:
        """Verdicts and task reports that are asked for now, two persons each."""
        for host in range(len(self.state.stage)):
            if quorum.seats_wanted(self.state, host):
                missing = quorum.verdicts_missing(self.state, host, self.now_us)
                signed = quorum.counting(self.state, host, self.now_us)
                free = [person for person in ("analyst-a", "analyst-b", "analyst-c") if person not in signed]
                judged = {self.state.estate.hosts[host]: self.state.inspection[host]}
                for person in free[:missing]:
                    yield Judged(quorum.CLEAN, judged, person, NO_SET, self.now_us + SECOND * 10**7, "")
        for key, task in list(self.state.tasks.items()):
            by_check = key in self.state.estate.confirmed_by
            if task.status == "open":
                for person in ("operator-a", "operator-b")[: 1 if by_check else 2]:
                    self._orders += 1
                    yield Ordered(f"{self._orders:032x}", "task.done", key, {}, person, 1 << 52, 1 << 40, "")

    def _look_around(self) -> bool:
        """Sweeps, host checks and the readings of open gates, all good; whether any changed something."""
        before = self.state.seq
        estate, self.now_us = self.state.estate, self.now_us + SECOND
        for site, hosts in enumerate(estate.hosts_of_site):
            if any(self.state.isolated_us[host] and self.state.connection[host] != QUARANTINED for host in hosts):
                self._step(Swept(estate.sites[site], self.now_us, True, []))
        for host, stage in enumerate(self.state.stage):
            if stage is Stage.RELEASED:
                self._step(Reading(f"host:{estate.hosts[host]}", "PASS"))
        for subject in self._asked():
            self._step(Reading(subject, "PASS"))
        return self.state.seq > before

    def _asked(self) -> list[str]:
        """The subjects whose reading, or whose age, is what an open gate waits for."""
        asked: set[str] = set()
        for number, wave in enumerate(self.state.waves):
            if wave.launchers and not wave.passed_us:
                waits = list(lacks(self.state, number, self.now_us)) or pending(self.state, number, self.now_us)
                asked.update(subject for code, subject in waits if code in ("unread", "fails", "passes", "stale"))
        asked.update(
            self.state.estate.confirmed_by.get(key, "")
            for key, task in self.state.tasks.items()
            if task.status == "reported"
        )
        return sorted(asked & self.state.estate.interval_us.keys())

    def _next_timer(self) -> bool:
        if not self.state.timers or self.state.timers[0][0] > SECOND * 10**7:
            return False
        self.now_us = max(self.now_us, self.state.timers[0][0])
        self._step(Woke())
        return True

    def stuck(self) -> list[tuple[str, Reason]]:
        """The gates that cannot pass, then the hosts that cannot get on, each with its first reason; tasks first.

        Gates and hosts that merely wait for another gate or for hosts are left out, unless nothing else is left.
        """
        state, moot = self.state, {"gate", "horizon"}
        gates = [
            (wave.name, (gate_why(state, number, self.now_us) or [put(state, ("gate", wave.name))])[0])
            for number, wave in enumerate(state.estate.waves)
            if not state.waves[number].passed_us and all(state.waves[one].passed_us for one in state.ancestors[number])
        ]
        hosts = [
            (name, why(state, host, self.now_us) or [put(state, ("under-way", name))]) for host, name in self._late()
        ]
        roots = [(name, reasons[0]) for name, reasons in hosts if moot.isdisjoint(one.code for one in reasons)]
        roots.sort(key=lambda one: one[1].code != "task")
        found = [one for one in gates if one[1].code not in ("service", "posts")] + roots
        return found or gates or [(name, reasons[0]) for name, reasons in hosts]

    def _late(self) -> list[tuple[int, str]]:
        """The hosts that are not in service though the plan wants them there, or still owe an inspection."""
        state, done = self.state, (Stage.IN_SERVICE, *GONE)
        return [
            (host, name)
            for host, name in enumerate(state.estate.hosts)
            if host in state.obligations or (state.stage[host] not in done and state.wave_of[host] >= 0)
        ]
