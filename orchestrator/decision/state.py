"""Everything the core knows at one moment, as flat lists indexed by the estate's numbers.

Never decides: `apply` writes it, everything else reads it. What is derived (agenda, ready queue) is not part of
the digest and is rebuilt by replay.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Iterable
from typing import Any

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.decision.codec import plain
from orchestrator.decision.custody import Preserved
from orchestrator.decision.estate import Estate
from orchestrator.decision.imported import Imported
from orchestrator.decision.parts import (
    Lot,
    Member,
    Obligation,
    Observed,
    OpenAction,
    OrderState,
    TaskState,
    Verdict,
    WaveState,
)
from orchestrator.decision.requirements import INSPECT, RECONNECT, RESTORE
from orchestrator.decision.stages import (
    BEFORE_RESTORE,
    BLOCKED,
    GONE,
    IN_SERVICE,
    INSPECTED,
    MOVING,
    RESTORED,
    RESTORING,
    Stage,
    Turn,
    after,
)
from orchestrator.plans.model import Content

UNKNOWN, QUARANTINED, CONNECTED = 0, 1, 2
CONNECTIONS = ("unknown", "quarantined", "connected")
STEPS = ("preserve", "restore", "inspect", "reconnect", "isolate")
STEP = {name: number for number, name in enumerate(STEPS)}
RECALLS_MAX = 3  # hosts that are out and may be isolated in a quarter of an hour on one person's word
TOUCHED_MAX = 10  # records about one subject that a conflict can list
UNQUEUED = (0, -1)  # (urgency, step) of a host that stands in no ready queue
LANE = {"preserve": 0, "restore": 0, "inspect": 0, "reconnect": 1, "isolate": 1}
FOREVER_US = (1 << 53) - 1
DURATION_BOUNDS_S = (1, 5, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800)


# What another estate brings along: everything that goes by wave or by what the plan chose.
PLANNED = frozenset(("waves", "wave_of", "joined", "posts", "ancestors", "after", "urgency", "chosen"))
# What replay rebuilds by itself: caches, agendas and queues.
DERIVED = frozenset(
    ("estate", "contents", "dirty", "dirty_sites", "dirty_gates", "horizon_agenda", "unready",
     "followers", "relapse_stale", "reconnects_stale", "ready", "queued", "judged", "live", "waiting_on", "timers",
     "posts_seen", "task_agenda")
)  # fmt: skip


class State:
    """The whole state. Fields named after the glossary; lists are indexed by host, service, site or wave number."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.contents: dict[str, Content] = {}
        self.seq = 0
        self.at_us = 0
        self.incident = ""
        self.indicator_set = ""
        self.facts: dict[str, dict[str, Json]] = {}
        self.freezes: dict[str, str] = {}  # of a reach: `recall` until its host is cut off, then `isolated`
        self.reach: dict[int, frozenset[int]] = {}  # frozen because of this host, which spoke with them
        self.alarmed: dict[int, list[str]] = {}  # by site: who answered though it was cut off, until that is recorded
        self.jump_us = 0
        self.clock_doubted = False
        self.clock_confirmed = False
        self.roster: dict[str, Member] = {}
        self.revoked: set[str] = set()
        self.lots: dict[str, Lot] = {}
        self.made: set[int] = set()  # wiped and made from an image, and never connected or suspected since
        self.lot_of: dict[int, str] = {}  # in which one the present inspection of a host stands
        self.by_lot: dict[int, set[str]] = {}  # who signed for the host with its whole lot
        self.recalls: deque[int] = deque(maxlen=RECALLS_MAX)
        self.orders: dict[str, OrderState] = {}
        self.touched: dict[str, list[tuple[int, str]]] = {}
        self.edges_removed: set[tuple[str, str]] = set()
        self._hosts(len(estate.hosts))
        self._services_and_waves(estate)
        self._agenda()

    def _hosts(self, count: int) -> None:
        self.stage = [BLOCKED] * count
        self.strategy: list[str] = [self.estate.group(host).klass.strategies[0] for host in range(count)]
        self.attempts = [[0] * len(STEPS) for _ in range(count)]
        self.tries = [[0] * len(STEPS) for _ in range(count)]
        self.unreachable = [0] * count
        self.preserved = [""] * count  # the digest of what was preserved
        self.custody: dict[str, Preserved] = {}  # by the action that preserved it, of all attempts
        self.restore_point_us = [0] * count
        self.late_points = [0] * count
        self.host_key = [""] * count
        self.image = [""] * count  # the digest of what it was restored from
        self.inspection, self.evidence = [""] * count, [""] * count
        self.marker = [False] * count
        self.imported: dict[int, list[Imported]] = {}
        self.seen_apart: set[int] = set()  # since declared, or back from outside: evidence it did not give itself
        self.verdicts: list[list[Verdict]] = [[] for _ in range(count)]
        self.rematch: set[int] = set()  # their evidence is to be matched against the set that came into force
        self.suspects, self.infected_us = [0] * count, [0] * count
        self.isolated_us = [0] * count
        self.connection = [UNKNOWN] * count
        self.lanes = [[""] * count, [""] * count]
        self.not_before_us = [[0] * count, [0] * count]
        self.asks: dict[int, dict[str, str]] = {}
        self.passes = [0] * count
        self.ever_passed_us = [0] * count
        self.in_service_us = [0] * count
        self.failing_us = [0] * count
        self.leaving: set[int] = set()
        self.obligations: dict[int, Obligation] = {}
        self.superseded: dict[int, str] = {}
        self.exceptions: dict[int, int] = {}
        self.claims: dict[int, dict[str, int]] = {}
        self.isolate_wanted: dict[int, str] = {}
        self.recheck: dict[int, str] = {}

    def _services_and_waves(self, estate: Estate) -> None:
        self.quorum = list(estate.quorum)
        self.up = [False] * len(estate.services)
        self.good = [False] * len(estate.services)
        self.dropped: set[int] = set()
        self.readings: dict[str, Observed] = {}
        self.waves = [WaveState() for _ in estate.waves]
        self.wave_of = list(estate.wave_of)
        self.joined: list[list[int]] = [[] for _ in estate.waves]
        self.posts = [[list(posts) for posts, _ in wave.posts] for wave in estate.waves]
        self.after = [set(wave.after) for wave in estate.waves]
        self.site_isolated_us = [0] * len(estate.sites)
        self.site_attempts = [0] * len(estate.sites)
        self.site_tries = [0] * len(estate.sites)
        self.site_not_before_us = [0] * len(estate.sites)
        self.site_lane = [""] * len(estate.sites)
        self.missed = [0] * len(estate.sites)
        pace = estate.timing.workstations_per_minute
        self.recent: list[deque[int]] = [deque(maxlen=pace) for _ in estate.sites]
        self.open: dict[str, OpenAction] = {}
        self.ended: dict[str, str] = {}
        # What dashboards count: turns into each stage; per step, finished actions by duration, then the sum (us).
        self.entered = [0] * len(Stage)
        self.spent = {step: [0] * (len(DURATION_BOUNDS_S) + 2) for step in STEPS}
        self.in_use = [0] * len(estate.pools)
        self.tasks: dict[str, TaskState] = {}
        self.urgency = list(estate.urgency)
        self.chosen = set(estate.chosen)
        self.quarantine_used = [0] * len(estate.sites)

    def _agenda(self) -> None:
        count = len(self.estate.hosts)
        self.dirty: dict[int, None] = dict.fromkeys(range(count))
        self.dirty_sites: dict[int, None] = dict.fromkeys(range(len(self.estate.sites)))
        self.dirty_gates: dict[int, None] = dict.fromkeys(range(len(self.waves)))
        self.set_ancestors(list(self.estate.ancestors))
        self.relapse_stale = True
        self.ready: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
        self.queued = [UNQUEUED] * count
        self.judged = (-1, "", 0, 0)  # the host queued last, its step, at which record and time
        self.live: list[tuple[int, int, int, tuple[int, ...]]] = []
        self.waiting_on: dict[int, list[tuple[int, int, int, tuple[int, ...]]]] = {}
        self.timers: list[tuple[int, str, int]] = []
        self.reconnects_stale = False
        self.posts_seen: dict[int, dict[int, tuple[int, int, int]]] = {}
        self.task_agenda: dict[str, None] = dict.fromkeys(self.estate.tasks)

    def adopt(self, estate: Estate) -> None:
        """Goes on over another estate, whose hosts, services and sites begin with the present ones in their order.

        What is counted is counted anew, everything stands on the agenda, and what was asked of time stays asked.
        """
        before, waves, timers, fresh = self.estate, self.waves, self.timers, State(estate)
        fresh.contents = self.contents
        for name, value in vars(fresh).items():
            if name in DERIVED or name in PLANNED:
                setattr(self, name, value)
            elif isinstance(value, list):
                _lengthen(getattr(self, name), value)
        known = {wave.name: one for wave, one in zip(before.waves, waves, strict=True)}
        self.waves = [known.get(wave.name, one) for wave, one in zip(estate.waves, fresh.waves, strict=True)]
        for wave, edges in zip(estate.waves, self.after, strict=True):
            edges -= {other for other in edges if (wave.name, estate.waves[other].name) in self.edges_removed}
        self.set_ancestors([self.ancestors_of(wave) for wave in range(len(self.waves))])
        pace = estate.timing.workstations_per_minute
        self.recent = [deque(recent, maxlen=pace) for recent in self.recent]
        self._count_anew()
        for at_us, what, number in timers:
            self._ask_again(before, at_us, what, number)

    def _count_anew(self) -> None:
        """Pools taken and room in the quarantines, from what is under way and where each host stands."""
        estate = self.estate
        self.in_use = [0] * len(estate.pools)
        for action in self.open.values():
            if action.host >= 0 and action.step != "isolate":
                action.pools = estate.group(action.host).pools[STEP[action.step]]
                for pool in action.pools:
                    self.in_use[pool] += 1
        self.quarantine_used = [0] * len(estate.sites)
        for host, stage in enumerate(self.stage):
            self.quarantine_used[estate.site_of[host]] += Stage.RESTORING <= stage <= Stage.INSPECTED

    def _ask_again(self, before: Estate, at_us: int, what: str, number: int) -> None:
        """A timer under the numbers of the new estate; gates ask anew, and a task may be gone."""
        if what == "task":
            number = self.estate.task_number.get(before.task_keys[number], -1)
        if what != "gate" and number >= 0:
            self.wake_at(at_us, what, number)

    def ancestors_of(self, wave: int) -> frozenset[int]:
        """All waves before this one, by the edges in force."""
        found: set[int] = set()
        todo = list(self.after[wave])
        while todo:
            one = todo.pop()
            found.add(one)
            todo.extend(self.after[one] - found)
        return frozenset(found)

    def set_ancestors(self, ancestors: list[frozenset[int]]) -> None:
        """Which waves stand before each wave, and so behind each; every horizon is drawn again."""
        self.ancestors = ancestors
        self.followers: list[list[int]] = [[] for _ in ancestors]
        for wave, before in enumerate(ancestors):
            for one in before:
                self.followers[one].append(wave)
        self.unready: set[int] = set(range(len(ancestors)))
        self.horizon_agenda: dict[int, None] = dict.fromkeys(range(len(ancestors)))

    def move(self, host: int, turn: Turn) -> None:
        """The one writer of a stage: looks the table up and keeps what is counted from stages."""
        was = self.stage[host]
        now = after(was, turn)
        self.stage[host] = now
        self.entered[now] += 1
        if now not in MOVING:  # what is under way is looked at when it ends
            self.dirty[host] = None
        held = RESTORING <= was <= INSPECTED
        holds = RESTORING <= now <= INSPECTED
        if held != holds:
            self._quarantine_changed(self.estate.site_of[host], 1 if holds else -1)
        if was >= INSPECTED or now >= INSPECTED:
            self.membership_changed(host)
        if was >= IN_SERVICE or now >= IN_SERVICE:
            self.gate_changed(host)

    def _quarantine_changed(self, site: int, by: int) -> None:
        """Counts the site's quarantine; who waits for room there looks again once there is some."""
        self.quarantine_used[site] += by
        if by < 0 and self.quarantine_used[site] + 1 == self.estate.quarantine_max[site]:
            self.look_again(self.estate.hosts_of_site[site], BEFORE_RESTORE)

    def look_again(self, hosts: Iterable[int], stages: tuple[Stage, ...]) -> None:
        """Something these hosts wait for in these stages has come; elsewhere it changes nothing for them."""
        stage = self.stage
        self.dirty.update([(host, None) for host in hosts if stage[host] in stages])

    def void_proof(self, host: int) -> None:
        """Nothing that was found or said about this host counts any more."""
        self.inspection[host] = ""
        self.verdicts[host] = []
        self.rematch.discard(host)
        self.claims.pop(host, None)
        self.lot_of.pop(host, None)
        self.by_lot.pop(host, None)

    def want_isolated(self, host: int, cause: str) -> None:
        """The host must be cut off."""
        self.isolate_wanted.setdefault(host, cause)
        self.dirty[host] = None

    def answered(self, host: int, lane: str) -> None:
        """What was asked about this lane has answered itself."""
        asks = self.asks.get(host)
        if asks is not None:
            asks.pop(lane, None)
            if not asks:
                del self.asks[host]

    def membership_changed(self, host: int) -> None:
        """Whoever counts this host looks again: its services, and its partners in a unit."""
        for service in self.estate.services_of[host]:
            self.refresh_service(service)
            unit = self.estate.unit[service]
            if unit:
                for member in self.estate.unit_members[unit]:
                    self.dirty.update(dict.fromkeys(self.estate.players[member]))

    def gate_changed(self, host: int) -> None:
        """The gate of the host's wave is judged again: one that counts there came, went or failed."""
        wave = self.wave_of[host]
        if wave >= 0:
            self.dirty_gates[wave] = None
            self.posts_seen.get(wave, {}).pop(self.estate.site_of[host], None)

    def refresh_service(self, service: int) -> None:
        """Recounts whether the service is in service (`up`) and also reads PASS at L2 (`good`)."""
        estate = self.estate
        subject = estate.subjects[service]
        observed = self.readings.get(subject)
        if estate.outside[service]:
            up = f"outside:{estate.services[service]}" in self.facts
            good = up and (observed is None or observed.outcome == "PASS")
            up = good
        else:
            stage, infected_us = self.stage, self.infected_us
            serving = [one for one in estate.players[service] if stage[one] is IN_SERVICE and not infected_us[one]]
            up = len(serving) >= self.quorum[service]
            good = up and observed is not None and observed.outcome == "PASS"
        if up is self.up[service] and good is self.good[service]:
            return
        if up and not self.up[service]:
            self.look_again(estate.dependents[RECONNECT][service], (INSPECTED,))
        if good and not self.good[service]:
            self._reads_pass(service)
        if up is not self.up[service]:
            self.horizon_agenda.update(dict.fromkeys(estate.gates_of_subject.get(subject, ())))
            self.reconnects_stale = self.reconnects_stale or not up
        self.up[service], self.good[service] = up, good
        wave = estate.wave_of_service[service]
        if wave >= 0:
            self.relapse_stale = self.relapse_stale or self.waves[wave].passed_us > 0
            self.dirty_gates[wave] = None
            self.task_agenda.update(dict.fromkeys(estate.waves[wave].tasks))

    def _reads_pass(self, service: int) -> None:
        """Hosts that stand right before a restore or an inspection for which they need this service look again."""
        self.look_again(self.estate.dependents[RESTORE][service], BEFORE_RESTORE)
        inspect, stage = self.estate.dependents[INSPECT][service], self.stage
        self.dirty.update((host, None) for host in inspect if stage[host] is RESTORED or host in self.obligations)

    def touch(self, subject: str, kind: str) -> None:
        """Notes that the record being applied changed `subject`; orders look the last ones up for conflicts."""
        known = self.touched.get(subject)
        if known is None:
            self.touched[subject] = [(self.seq, kind)]
            return
        known.append((self.seq, kind))
        if len(known) > TOUCHED_MAX:
            del known[0]

    def wake_at(self, at_us: int, what: str, number: int) -> None:
        """Asks to look at host, gate or site `number` again at `at_us`."""
        heapq.heappush(self.timers, (at_us, what, number))

    def members(self, wave: int) -> list[int]:
        """The hosts of a wave, with posts that joined it in place of failed ones."""
        hosts = (*self.estate.waves[wave].hosts, *self.joined[wave])
        return [host for host in hosts if self.wave_of[host] == wave]

    def candidates(self, service: int) -> list[int]:
        """Hosts that can still play the service."""
        stage, leaving = self.stage, self.leaving
        return [host for host in self.players(service) if stage[host] not in GONE and host not in leaving]

    def players(self, service: int) -> list[int]:
        """The hosts of a service, without those set apart behind its gate while that gate waits for the service."""
        players, home = self.estate.players[service], self.estate.wave_of_service[service]
        if home < 0 or self.waves[home].passed_us:
            return players
        return [host for host in players if self.wave_of[host] < 0 or home not in self.ancestors[self.wave_of[host]]]

    def confirmed_by(self, key: str) -> str:
        """The subject whose reading confirms this task; empty where two persons do: no check can, or can any more.

        What lost an end to an order of two persons (`drop-need`) may never be read again.
        """
        subject = self.estate.confirmed_by.get(key, "")
        if not subject or not self.dropped:
            return subject
        ends = self.estate.ends_of.get(subject) or (self.estate.service_number[subject.partition(":")[2]],)
        return subject if self.dropped.isdisjoint(ends) else ""

    def evidence_kept(self, host: int) -> bool:
        """Preserved, waived by the forensic lead for the host or its class, or kept in a machine that is replaced."""
        if self.preserved[host] or self.strategy[host] == "replace":
            return True
        name, klass = self.estate.hosts[host], self.estate.group(host).klass
        if f"waiver:host:{name}" in self.facts:
            return True
        if name in self.estate.content.restart.no_waiver:
            return False
        return klass.preservation == "waived" or f"waiver:class:{klass.id}" in self.facts

    def t0_us(self) -> int:
        """Time of the first compromise, microseconds; 0 while nobody signed it."""
        fact = self.facts.get("t0")
        value = fact["at_us"] if fact else 0
        return value if isinstance(value, int) else 0

    def digest(self) -> str:
        """SHA-256 (hex) of all that is not derived: equal for equal records, whoever replays them."""
        kept = {name: plain(value) for name, value in vars(self).items() if name not in DERIVED}
        return hashlib.sha256(canonical.encode(kept)).hexdigest()


def _lengthen(mine: list[Any], fresh: list[Any]) -> None:
    """Gives a list by host, service or site the entries it lacks; lists by lane hold such lists."""
    for one, other in zip(mine, fresh, strict=False):
        if isinstance(one, list):
            _lengthen(one, other)
    mine.extend(fresh[len(mine) :])
