"""A small invented world around the core: workers that fail, get lost or never answer; all from a seed.

After each event the witness, the recount and the promise of refusals (nothing changes) are checked. `random_people`
adds people who do what is asked of them, `random_incidents` everything that can go wrong.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from orchestrator.canonical import Json
from orchestrator.decision.apply import apply
from orchestrator.decision.codec import decode, encode
from orchestrator.decision.commands import Cancel, Command, Issue
from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import (
    Cancelled,
    Epoch,
    Event,
    Finished,
    Lost,
)
from orchestrator.decision.recount import forgotten, recount
from orchestrator.decision.stages import IllegalEvent
from orchestrator.decision.state import State
from orchestrator.decision.witness import Witness
from orchestrator.errors import Conflict, Refused
from orchestrator.inventory.model import Needs, Task
from orchestrator.plans.model import Content, Pool
from orchestrator.plans.waves import derive
from tests.estates import (
    PRACTICE_TIMING,
    check,
    host_class,
    names,
    server,
    service,
    site,
    small_estate,
    with_checks,
    with_classes,
    with_hosts,
    with_pools,
    with_restart,
    with_services,
    with_sites,
    with_tier0_tasks,
    workstation,
)

SECOND = 1_000_000
START_US = 1_700_000_000 * SECOND
SETS = ("0" * 64, "1" * 64, "2" * 64)
FAULTS = ("failed", "unreachable", "lost", "never")


@dataclass
class Job:
    """What a worker was asked to do, and when and how it will answer."""

    issue: Issue
    due_us: int
    outcome: str


def varied_estate(chance: random.Random) -> Content:
    """The small hospital with some of its rules drawn by lot."""
    content = small_estate()
    if chance.random() < 0.4:
        content = with_tier0_tasks(content)
    if chance.random() < 0.3:
        content = with_sites(content, site("south", isolates_by="witnesses"))
    if chance.random() < 0.4:
        content = with_sites(content, site("north", quarantine_hosts_max=chance.randint(1, 3)))
    if chance.random() < 0.4:
        content = with_pools(content, Pool(id="inspections", name="Inspections", size=1))
        content = with_pools(content, Pool(id="releases", name="Releases under way", size=chance.randint(1, 2)))
    if chance.random() < 0.4:
        content = with_services(
            content,
            service("ad", unit="directory", quorum=2, needs=Needs(reconnect=("dns",))),
            service("lis", "laboratory", quorum=2, needs=Needs(reconnect=("ad", "backup"))),
        )
    if chance.random() < 0.4:
        queues = Task(id="purge", name=names("Purge queues"), step="reconnect", expires_s=chance.choice([None, 90]))
        content = with_services(
            content, service("pacs", "radiology", needs=Needs(inspect=("dns",), reconnect=("ad",)), tasks=(queues,))
        )
    if chance.random() < 0.3:
        checked = Task(id="database", name=names("Database check"), confirm="check:ehr-works")
        content = with_services(
            content, service("ehr", "medical-records", needs=Needs(reconnect=("ad",)), tasks=(checked,))
        )
    if chance.random() < 0.3:
        content = with_classes(
            content,
            host_class(
                "workstation", kind="workstation", verdicts_required=2, counts_for_s=60, needs=Needs(reconnect=("ad",))
            ),
        )
    if chance.random() < 0.3:
        content = with_hosts(content, server("edge-1", "south", "edge"), workstation("spare-ws-1", "south", None))
        content = with_services(content, service("edge", needs=Needs(reconnect=("ad", "reference-lab"))))
        content = with_checks(content, check("edge-works", service="edge"))
    if chance.random() < 0.3:
        timing = PRACTICE_TIMING.model_copy(update={"workstations_per_minute": 1, "verdict_valid_s": 200})
        content = with_restart(content, timing=timing)
    return content


class World:
    """One seed's history. `records` is its journal."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        content = varied_estate(self.chance)
        self.first = Estate(content, derive(content))
        self.state = State(self.first)
        self.witness = Witness(self.first, self.state.contents)
        self.records: list[tuple[Event | Command, int]] = []
        self.now_us = START_US
        self.jobs: dict[str, Job] = {}
        self.reachable: dict[str, bool] = {}
        self.past: list[Event] = []
        self.orders = 0
        self.steps = 0
        self.refused = 0
        self.calm_now = False
        self.faults = self.chance.choice([0.03, 0.15, 0.4])
        self._digest = ""

    @property
    def estate(self) -> Estate:
        """The estate in force."""
        return self.state.estate

    # What happens to the core

    def feed(self, event: Event) -> bool:
        """One event; whether the core took it. What it refuses must leave no trace."""
        self.steps += 1
        before = self._digest or self.state.digest()
        try:
            entries = decide(self.state, event, self.now_us)
        except (Refused, Conflict, IllegalEvent):
            self.refused += 1
            self._digest = before
            assert self.state.digest() == before, f"{self.story()}: refused {event} and changed"
            return False
        self._digest = "" if entries else before
        at_us = self.state.at_us if entries else self.now_us
        for entry in entries:
            self.records.append((entry, at_us))
            self.witness.see(entry, at_us)
            self._work(entry)
        self.check()
        if self.state.clock_confirmed:
            self._epoch()
        return True

    def _epoch(self) -> None:
        """The clock was confirmed: time continues from it, for the workers too."""
        delta_us = self.state.jump_us
        assert self.feed(Epoch(delta_us)), self.story()
        self.now_us += delta_us
        for job in self.jobs.values():
            job.due_us += delta_us

    def signer_us(self) -> int:
        """The time by the clock of who signs now: the core's, or one that jumped."""
        return self.now_us + (self.state.jump_us if self.steps % 2 else 0)

    def check(self) -> None:
        """The witness is content and every count agrees."""
        self.witness.settle(self.state.at_us)
        assert not self.witness.broken, f"{self.story()}: {self.witness.broken[0]}"
        wrong = recount(self.state)
        assert not wrong, f"{self.story()}: {wrong}"
        idle = forgotten(self.state)
        assert not idle, f"{self.story()}: {idle}"

    def check_replay(self) -> None:
        """Invariant 8: the same records give the same state, byte for byte, through the codec."""
        again = State(self.first)
        again.contents = self.state.contents
        for entry, at_us in self.records:
            apply(again, decode(*encode(entry)), at_us)
        assert again.digest() == self.state.digest(), f"{self.story()}: replay gives another state"

    def story(self) -> str:
        """Where to find this moment again, and the last records before it."""
        last = "\n  ".join(f"{at_us / SECOND:.1f} {entry}" for entry, at_us in self.records[-12:])
        return f"seed {self.seed}, step {self.steps}\n  {last}\n"

    def _work(self, entry: Event | Command) -> None:
        if isinstance(entry, Issue):
            faulty = not self.calm_now and self.chance.random() < self.faults
            outcome = self.chance.choice(FAULTS) if faulty else "ok"
            delay_s = 1 if self.calm_now else self.chance.choice([0, 1, 1, 3, 10])
            self.jobs[entry.action] = Job(entry, self.now_us + delay_s * SECOND, outcome)
        elif isinstance(entry, Cancel) and self.chance.random() < 0.7 and entry.action in self.jobs:
            self.jobs[entry.action].outcome = "cancelled"
            self.jobs[entry.action].due_us = self.now_us

    # Workers

    def answer(self, job: Job) -> None:
        """The worker's answer reaches the core."""
        del self.jobs[job.issue.action]
        action = job.issue.action
        event: Event = Finished(action, job.outcome, "", self.facts(job.issue))
        if job.outcome == "lost":
            event = Lost(action)
        elif job.outcome == "cancelled":
            event = Cancelled(action)
        if job.outcome in ("ok", "lost"):
            self._take_effect(job.issue, sure=job.outcome == "ok")
        self.past.append(event)
        self.feed(event)

    def _take_effect(self, issue: Issue, *, sure: bool) -> None:
        if issue.step not in ("isolate", "reconnect") or not (sure or self.chance.random() < 0.5):
            return
        targets = [issue.target]
        if issue.target in self.estate.site_number:
            targets = [host for host in self.estate.hosts if self._site_of(host) == issue.target]
        for host in targets:
            self.reachable[host] = issue.step == "reconnect"

    def _site_of(self, host: str) -> str:
        return self.estate.sites[self.estate.site_of[self.estate.host_number[host]]]

    def facts(self, issue: Issue) -> dict[str, Json]:
        """What a successful step reports."""
        young = issue.step == "restore" and not self.calm_now and self.chance.random() < 0.2
        point_us = self.now_us if young else 1
        return {
            "restore_point_us": point_us,
            "host_key": f"key of {issue.action}",
            "digest": "d",
            "evidence": "e",
            "medium": "m",
            "holder": "h",
        }
