"""The invented world around the core: time, workers, probers and probes; the core inside is the one that runs live.

Never decides what the core decides and never reads a clock: time is whatever is due next. What people do stands in
`staff`, what is checked in `scenario`. All luck comes from `Chance`, keyed by what it is about.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.canonical import Json
from orchestrator.decision.commands import Cancel, Command, EnterService, Issue
from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Event, Finished, Lost, Ordered, Reading, Rematched, Swept, Woke
from orchestrator.decision.stages import IN_SERVICE, OUT, RECONNECTING, RELEASED, IllegalEvent
from orchestrator.decision.state import QUARANTINED, STEP, State
from orchestrator.errors import Conflict, Refused
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import WORK_NUMBER, Durations, remaining_us
from orchestrator.simulation.faults import NONE, Faults
from orchestrator.simulation.folding import LEFT
from orchestrator.simulation.images import images

SECOND = 1_000_000
HOUR, MINUTE = 3600 * SECOND, 60 * SECOND
HANDED_OUT_US = 2 * SECOND
GENTLE = 4  # as the live probes: what no gate waits for is asked four times less often
# What a draw is about, so that no two questions share their luck.
OUTCOME, DURATION, AGAIN, POINT, FLAP, SILENCE, ANSWER, VERDICT, READING, CLAIM, KEY, DOUBT, MATCH = range(13)
OUTCOMES = ("failed", "unreachable", "hangs", "lost", "mute", "ok")
MATCHES = ("hit", "unmatched", "unanswered", "no-hit")
Entry = Event | Command
REFUSALS = (Refused, Conflict, IllegalEvent)


@dataclass(slots=True)
class Job:
    """What a worker does: from `begun_us` on a cancel comes too late. Durations count from the issue, as measured."""

    issue: Issue
    host: int
    begun_us: int
    outcome: str


class World:
    """One invented future of one state. `now_us` is core time; `due` what happens next."""

    def __init__(
        self,
        state: State,
        now_us: int,
        chance: Chance,
        durations: Durations | None = None,
        faults: Faults = NONE,
        folded: dict[str, tuple[int, int]] | None = None,
    ) -> None:
        self.state, self.now_us = state, now_us
        self.chance, self.faults = chance, faults
        self._odds = _summed((faults.fails, faults.unreachable, faults.hangs, faults.lost, faults.mute))
        self._match_odds = _summed((faults.hit, faults.unmatched, faults.unanswered))
        self.durations = durations or Durations()
        # Where polls are folded: until the first that is left of each subject, from it to the last; microseconds.
        self.folded = folded
        self.due: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.jobs: dict[str, Job] = {}
        self.steps = self.refused = 0
        self.happened: Counter[str] = Counter()  # how often each fault struck
        self.pointless = faults.pointless  # what backups there are does not change when faults end
        self.images = images(state)
        self.untrue: set[str] = set()  # tasks said done that are not
        self.silent_until_us: dict[int, int] = {}
        self.failing_until_us: dict[str, int] = {}
        self.answers: list[bool] = []
        self.hears: dict[type, list[Callable[[Any], None]]] = {
            Issue: [self._issued],
            Cancel: [self._cancelled],
            EnterService: [self._entered],
            Ordered: [self._ordered],
        }
        self._asked: set[str] = set()
        self._sweeping: set[int] = set()
        self._looking: set[int] = set()
        self._count, self._matching = 0, False
        self._learn()
        self._settle_in()

    # Time

    def at(self, at_us: int, what: Callable[..., None], *about: Any) -> None:
        """Lets something happen at a time; what is due at the same time happens in the order it was asked for."""
        self._count += 1
        heapq.heappush(self.due, (at_us, self._count, what, about))

    def turn(self) -> bool:
        """The next thing happens; False where nothing ever will."""
        timers, due = self.state.timers, self.due
        if self.folded is not None:
            self._pass_over()
        if due and (not timers or due[0][0] <= timers[0][0]):
            at_us, _, what, about = heapq.heappop(due)
            if at_us > self.now_us:
                self.now_us = at_us
            what(*about)
        elif timers:
            self.now_us = max(self.now_us, timers[0][0])
            self.tell(Woke())
        else:
            return False
        return True

    def _pass_over(self) -> None:
        """Drops timers that nothing comes of: a verdict that expires on a host in service which owes nothing."""
        state, timers = self.state, self.state.timers
        while timers and timers[0][1] == "host":
            host = timers[0][2]
            quiet = host not in state.obligations and host not in state.recheck and host not in state.exceptions
            if state.stage[host] is not IN_SERVICE or not quiet or host in state.asks or state.failing_us[host]:
                return
            heapq.heappop(timers)

    def tell(self, event: Event) -> bool:
        """The core hears of an event; whether it took it."""
        self.steps += 1
        try:
            entries = self.decide(event)
        except REFUSALS:
            self.refused += 1
            return False
        changed = self.state.estate is not self._estate
        if changed:
            self._learn()
        for entry in entries:
            for hear in self.hears.get(type(entry), ()):
                hear(entry)
        if changed:
            self._settle_in()
        return True

    def decide(self, event: Event) -> list[Entry]:
        """What the core makes of it."""
        return decide(self.state, event, self.now_us, checked=self.folded is None)

    def shift(self, delta_us: int) -> None:
        """Core time was moved, and all that is due with it."""
        self.now_us += delta_us
        self.due = [(at_us + delta_us, *rest) for at_us, *rest in self.due]  # type: ignore[misc]
        for job in self.jobs.values():
            job.begun_us += delta_us
        for until in (self.silent_until_us, self.failing_until_us):
            for key in until:
                until[key] += delta_us  # type: ignore[index]

    def calm(self) -> None:
        """Faults end; what they have begun ends by itself."""
        self.faults = NONE
        self.untrue.clear()
        self.silent_until_us.clear()
        self.failing_until_us.clear()

    def _learn(self) -> None:
        """Takes the state's estate over."""
        self._estate = self.state.estate
        self.tables = self.durations.tables(self._estate)
        isolated_us = self.state.isolated_us
        self.answers += [not isolated_us[host] for host in range(len(self.answers), len(isolated_us))]
        self._links = _links(self._estate)

    def _settle_in(self) -> None:
        """Goes on with what the state holds: at the beginning, after content changed, after the core was rebuilt."""
        state = self.state
        for host, stage in enumerate(state.stage):
            if stage is RELEASED or (stage is IN_SERVICE and self.folded is None):
                self._released(host)
            elif stage is not IN_SERVICE and state.isolated_us[host] and state.connection[host] != QUARANTINED:
                self.sweep_soon(self._estate.site_of[host])
        self._watch_all()
        self._match_soon()
        for name in state.open:
            if name not in self.jobs:
                self._go_on(name)

    # Workers

    def _issued(self, command: Issue) -> None:
        host, step = self._estate.host_number.get(command.target, -1), STEP[command.step]
        if host < 0:
            site = self._estate.site_number[command.target]
            key = (-1 - site, step, self.state.site_attempts[site])
        else:
            key = (host, step, self.state.attempts[host][step])
        outcome = "ok"
        if self.faults is not NONE:
            outcome = OUTCOMES[self.chance.pick(self._odds, OUTCOME, *key)]
            self.happened[outcome] += 1
        job = Job(command, host, self.now_us + HANDED_OUT_US, outcome)
        self.jobs[command.action] = job
        self.at(self._ends_us(job, key), self._ends, command.action, key)

    def _ends_us(self, job: Job, key: tuple[int, ...]) -> int:
        """When the world hears of the job's end."""
        host = job.host if job.host >= 0 else self._someone(-1 - key[0])
        of = self.tables[self._estate.group_of[host]][WORK_NUMBER[job.issue.step]]
        spent_us = self.durations.drawn_us(of, self.chance.normal(DURATION, *key), self.now_us)
        if job.outcome in ("hangs", "mute"):
            spent_us = getattr(self._estate.group(host).klass.limit_s, job.issue.step) * SECOND
        elif job.outcome == "lost":
            spent_us = int(spent_us * self.chance.share(AGAIN, *key))
        return self.now_us + spent_us

    def _someone(self, site: int) -> int:
        """A host of the site: its class says how long isolating takes."""
        hosts = self._estate.hosts_of_site[site]
        return hosts[0] if hosts else 0

    def _ends(self, action: str, key: tuple[int, ...]) -> None:
        job = self.jobs.pop(action, None)
        if job is None:
            return
        if job.outcome in ("lost", "mute"):
            self._nobody_hears(job, self.chance.share(AGAIN, *key))
            return
        outcome = "failed" if job.outcome == "hangs" else job.outcome
        if outcome == "ok":
            self._take_effect(job)
        event = Finished(action, outcome, "", self._facts(job, key) if outcome == "ok" else {})
        self.tell(event)
        if self.faults.twice and (luck := self.chance.share(AGAIN, *key)) < self.faults.twice:
            self.happened["twice"] += 1
            self.at(self.now_us + int(luck * 40 * HOUR), self._again, event)
        host, step = job.host, job.issue.step
        if step == "isolate" and outcome == "ok":
            self.sweep_soon(self._estate.site_of[host] if host >= 0 else -1 - key[0])
        elif step == "reconnect" and host >= 0 and self.state.stage[host] is RELEASED:
            self._released(host)
        elif host >= 0 and self._unproven(host):
            self.sweep_soon(self._estate.site_of[host])

    def _nobody_hears(self, job: Job, luck: float) -> None:
        """A result that never arrives, or long after the action was given up; what was lost may be done or not."""
        action = job.issue.action
        if job.outcome == "mute" or luck < 0.5:
            self._take_effect(job)
        self.tell(Lost(action))
        if luck < self.faults.late:
            self.happened["late"] += 1
            self.at(self.now_us + int(luck * HOUR), self._again, Finished(action, "ok", "", {"digest": "late"}))

    def _again(self, event: Event) -> None:
        self.tell(event)

    def _facts(self, job: Job, key: tuple[int, ...]) -> dict[str, Json]:
        """What a successful step reports. A later try asks for an older point than the one that was too young."""
        if job.issue.step == "restore":
            point_us = self.now_us if self._is_young(job, key) else 1
            made = self.images.get(self._estate.group(job.host).klass.id, {})
            return {"restore_point_us": point_us, "host_key": f"key of {job.issue.action}", **made}
        return {"digest": "d", "medium": "m", "holder": "h", "evidence": "e"}

    def _is_young(self, job: Job, key: tuple[int, ...]) -> bool:
        """Whether it restores from a point after T0."""
        if self.pointless and job.issue.strategy == "restore" and self.chance.share(POINT, job.host) < self.pointless:
            self.happened["pointless"] += 1
            return True
        if not self.faults.young or self.state.late_points[job.host]:
            return False  # a later try gets its older turn
        young = self.chance.share(POINT, *key) < self.faults.young
        self.happened["young"] += young
        return young

    def _take_effect(self, job: Job) -> None:
        step = job.issue.step
        if step == "isolate":
            self.cut_off([job.host] if job.host >= 0 else self._quarantined_by(job.issue.target))
        elif step == "reconnect":
            self.answers[job.host] = True

    def _quarantined_by(self, site: str) -> list[int]:
        """What the isolation of a site reaches: all its hosts that are not out."""
        stage = self.state.stage
        hosts = self._estate.hosts_of_site[self._estate.site_number[site]]
        return [host for host in hosts if stage[host] not in OUT and stage[host] is not RECONNECTING]

    def cut_off(self, hosts: list[int]) -> None:
        """These hosts answer nobody outside any more."""
        for host in hosts:
            self.answers[host] = False

    def cut_off_site(self, site: str) -> None:
        """People pulled the site's plug."""
        self.cut_off(self._quarantined_by(site))
        self.sweep_soon(self._estate.site_number[site])

    def _cancelled(self, command: Cancel) -> None:
        job = self.jobs.get(command.action)
        if job is not None and self.now_us < job.begun_us:
            del self.jobs[command.action]
            self.at(self.now_us + SECOND, self._stopped, command.action)

    def _stopped(self, action: str) -> None:
        self.tell(Cancelled(action))
        host = self._estate.host_number.get(action.partition("/")[0], -1)
        if host >= 0 and self._unproven(host):
            self.sweep_soon(self._estate.site_of[host])

    def _go_on(self, name: str) -> None:
        """An action that was under way when this future began: what it still takes, given what it took already."""
        action = self.state.open[name]
        target, _, rest = name.partition("/")
        job = Job(Issue(name, target, action.step, action.strategy), action.host, self.now_us, "ok")
        self.jobs[name] = job
        key = (action.host if action.host >= 0 else -1 - action.site, STEP[action.step], int(rest.rpartition("/")[2]))
        host = job.host if job.host >= 0 else self._someone(action.site)
        of = self.tables[self._estate.group_of[host]][WORK_NUMBER[action.step]]
        spent_us = remaining_us(of, self.now_us - action.at_us, self.chance.share(DURATION, *key))
        self.at(self.now_us + spent_us, self._ends, name, key)

    # Probers and probes

    def sweep_soon(self, site: int) -> None:
        """The prober asks the site's hosts at its next turn."""
        if site not in self._sweeping:
            self._sweeping.add(site)
            self.at(self.now_us + self._estate.timing.sweep_s * SECOND, self._sweep, site)

    def _sweep(self, site: int) -> None:
        self._sweeping.discard(site)
        state, faults = self.state, self.faults
        silent = self._is_silent(site)
        answered = []
        if not silent:
            for host in self._estate.hosts_of_site[site]:
                if state.stage[host] in OUT:
                    continue
                odd = faults.answers and self.chance.share(ANSWER, host, self.now_us) < faults.answers
                if odd:
                    self.happened["answers"] += 1
                if odd or self.answers[host]:
                    answered.append(self._estate.hosts[host])
        self.tell(Swept(self._estate.sites[site], self.now_us - SECOND, not silent, answered))
        if silent or self.folded is None or any(self._unproven(host) for host in self._estate.hosts_of_site[site]):
            self.sweep_soon(site)

    def _unproven(self, host: int) -> bool:
        """Whether the host was cut off and no sweep has shown it yet."""
        state = self.state
        return state.connection[host] != QUARANTINED and state.isolated_us[host] > 0 and state.stage[host] not in OUT

    def _is_silent(self, site: int) -> bool:
        """Whether nobody there answers the prober, its control target neither, for some hours."""
        luck = self.chance.share(SILENCE, site, self.now_us) if self.faults.silent else 1.0
        if luck < self.faults.silent:
            self.happened["silent"] += 1
            self.silent_until_us[site] = self.now_us + int(luck / self.faults.silent * 8 * HOUR)
        return self.silent_until_us.get(site, 0) > self.now_us

    def _entered(self, command: EnterService) -> None:
        for service in self._estate.services_of[self._estate.host_number[command.host]]:
            if self.state.up[service]:
                self._watch(service)

    def _ordered(self, order: Ordered) -> None:
        """A service may be up because less is asked of it; a new indicator set is matched."""
        if order.kind.startswith("service."):
            self._watch_all()
        elif order.kind == "indicators.force":
            self._match_soon()

    def _match_soon(self, wait_us: int = MINUTE) -> None:
        if self.state.rematch and not self._matching:
            self._matching = True
            self.at(self.now_us + wait_us, self._match)

    def _match(self) -> None:
        """Stored evidence is matched; what nobody heard of is matched again in an hour."""
        state = self.state
        judged = {state.estate.hosts[host]: state.inspection[host] for host in sorted(state.rematch)}
        if self.faults is NONE:
            self.tell(Rematched(judged, state.indicator_set, "no-hit"))
        else:
            for name, inspection in judged.items():
                self._match_one(name, inspection)
        self._matching = False
        self._match_soon(HOUR)

    def _match_one(self, name: str, inspection: str) -> None:
        key = (MATCH, self._estate.host_number[name], self.now_us)
        outcome = MATCHES[self.chance.pick(self._match_odds, *key)]
        self.happened[outcome] += 1
        if outcome != "unanswered":
            event = Rematched({name: inspection}, self.state.indicator_set, outcome)
            self.at(self.now_us + int(self.chance.share(*key, 1) * 2 * HOUR), self._again, event)

    def _watch_all(self) -> None:
        for service, up in enumerate(self.state.up):
            if up:
                self._watch(service)

    def _watch(self, service: int) -> None:
        """A service that is up is asked, and each interface whose other end is up, too."""
        self._ask(f"service:{self._estate.services[service]}")
        for subject, ends in self._links.get(service, ()):
            if all(self.state.up[end] for end in ends):
                self._ask(subject)

    def _ask(self, subject: str) -> None:
        if subject not in self._asked:
            self._asked.add(subject)
            self.at(self.now_us + self._first_us(subject), self._poll, subject)

    def ask_once_more(self, subject: str) -> None:
        """A probe looks at a subject that somebody has just worked on."""
        if self.folded is not None:
            self._asked.discard(subject)
            self._ask(subject)

    def _first_us(self, subject: str) -> int:
        if self.folded is not None:
            return self.folded.get(subject, (MINUTE, 0))[0]
        return self._estate.interval_us.get(subject, MINUTE)

    def _poll(self, subject: str) -> None:
        outcome = self._answer(subject)
        self.tell(Reading(subject, outcome))
        if self.folded is None:
            gates = self._estate.gates_of_subject.get(subject, ())
            waited_for = any(not self.state.waves[wave].passed_us for wave in gates)
            pause_us = self._estate.interval_us.get(subject, MINUTE) * (1 if waited_for else GENTLE)
            self.at(self.now_us + pause_us, self._poll, subject)
        elif outcome != "PASS":
            self.at(self.now_us + self._first_us(subject), self._poll, subject)
        elif self._counted_on(subject):
            self.at(self.now_us + self.folded[subject][1], self._poll, subject)

    def _counted_on(self, subject: str) -> bool:
        """Whether a gate still waits for the last of the polls that are left of this subject."""
        gates, observed = self._estate.gates_of_subject.get(subject, ()), self.state.readings.get(subject)
        return (
            self.folded is not None
            and self.folded.get(subject, (0, 0))[1] > 0
            and (observed is None or observed.passes < LEFT)
            and any(not self.state.waves[wave].passed_us for wave in gates)
        )

    def _answer(self, subject: str) -> str:
        """What a probe reads: the truth, unless the check flaps."""
        kind, _, name = subject.partition(":")
        if self.faults.flaps and self.failing_until_us.get(subject, 0) < self.now_us:
            luck = self.chance.share(FLAP, self.now_us, len(subject), sum(subject.encode()))
            if luck < self.faults.flaps:
                self.happened["flaps"] += 1
                self.failing_until_us[subject] = self.now_us + int(luck / self.faults.flaps * 4 * HOUR)
        if self.failing_until_us.get(subject, 0) > self.now_us:
            return "UNKNOWN" if self.failing_until_us[subject] // SECOND % 2 else "FAIL"
        if any(key in self.untrue for key in self._estate.tasks_confirmed_by.get(subject, ())):
            return "FAIL"
        service = self._estate.service_number.get(name, -1) if kind == "service" else -1
        works = service < 0 or self._estate.outside[service] or self.state.up[service]
        return "PASS" if works else "FAIL"

    def _released(self, host: int) -> None:
        if host not in self._looking:
            self._looking.add(host)
            subject = f"class:{self._estate.group(host).klass.id}"
            self.at(self.now_us + self._first_us(subject), self._look, host)

    def _look(self, host: int) -> None:
        """The check of a host that is out; once in service it is asked often enough to go on counting."""
        self._looking.discard(host)
        if self.state.stage[host] not in OUT:
            return
        self.tell(Reading(f"host:{self._estate.hosts[host]}", self._answer(f"host:{self._estate.hosts[host]}")))
        if self.folded is None:
            klass = self._estate.group(host).klass
            serves = self.state.stage[host] is IN_SERVICE and not self.state.failing_us[host]
            pause_us = klass.counts_for_s * SECOND // 4 if serves else self._first_us(f"class:{klass.id}")
            self._looking.add(host)
            self.at(self.now_us + pause_us, self._look, host)


def _summed(odds: tuple[float, ...]) -> tuple[float, ...]:
    total, found = 0.0, []
    for one in odds:
        total += one
        found.append(total)
    return tuple(found)


def _links(estate: Estate) -> dict[int, list[tuple[str, tuple[int, int]]]]:
    """For each service the interfaces it is an end of, with both ends."""
    found: dict[int, list[tuple[str, tuple[int, int]]]] = {}
    for subject, ends in estate.ends_of.items():
        for end in set(ends):
            found.setdefault(end, []).append((subject, ends))
    return found
