"""Everything that can go wrong in the invented world, drawn by lot: legal or not, early, late, twice or nonsense."""

from __future__ import annotations

import random
from collections.abc import Callable

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.events import (
    Dispatched,
    Event,
    Finished,
    Judged,
    Jumped,
    Lost,
    Opened,
    Ordered,
    Reading,
    Rematched,
    Started,
    Swept,
    Woke,
)
from orchestrator.decision.orders import KINDS
from orchestrator.decision.stages import OUT, Stage
from orchestrator.inventory.model import Needs
from orchestrator.plans import changes
from orchestrator.plans.model import Content
from orchestrator.plans.review import without
from tests.estates import (
    FUNCTIONS,
    ROLES,
    check,
    server,
    service,
    with_checks,
    with_hosts,
    with_restart,
    with_services,
    workstation,
)
from tests.random_people import People
from tests.random_world import SECOND, SETS, START_US


def grown(content: Content, chance: random.Random, number: int) -> Content:
    """The content as people edit it in mid-incident: mostly more of everything, now and then a mistake."""
    inventory = content.inventory
    services = [one for one in inventory.services if one.kind == "inside"]
    where = chance.choice(("north", "south"))
    edit = chance.randrange(9)
    if edit <= 1:
        return with_hosts(content, server(f"new-{number}", where, chance.choice(services).id))
    if edit == 2:
        some = [workstation(f"new-ws-{number}-{one}", where, chance.choice(FUNCTIONS)) for one in range(3)]
        return with_hosts(content, *some)
    if edit == 3:
        later = f"later-{number}"
        needs = Needs(reconnect=(chance.choice(services).id,))
        content = with_services(content, service(later, chance.choice([None, *FUNCTIONS]), needs=needs))
        content = with_checks(content, check(f"{later}-works", service=later))
        return with_hosts(content, server(f"{later}-1", where, later))
    if edit == 4:
        one, other = chance.choice(services), chance.choice(services)
        needs = one.needs.model_copy(update={"reconnect": (*one.needs.reconnect, other.id)})
        return with_services(content, one.model_copy(update={"needs": needs}))
    if edit == 5:
        one = chance.choice(services)
        return with_services(content, one.model_copy(update={"quorum": chance.choice([1, 1, 2])}))
    if edit == 6:
        moved = chance.choice(inventory.hosts)
        return with_hosts(content, moved.model_copy(update={"address": f"10.250.0.{number % 250}"}))
    if edit == 7:
        return with_restart(
            content, posts_per_site=chance.randint(1, 4), leave_off=(chance.choice(inventory.hosts).id,)
        )
    return without(content, [chance.choice(inventory.hosts).id])


NEVER_REVOKED = ("operator-1", "it-director")
_WEIGHTS: dict[str, int] = {
    "wave.launch": 30,
    "fact.t0": 5,
    "fact.breach_closed": 12,
    "fact.outside": 8,
    "task.done": 20,
    "thaw": 8,
    "wave.resume": 8,
    "claim": 8,
    "host.retry": 14,
    "host.exclude": 2,
    "clock.confirm": 8,
    "roster.revoke": 1,
    "service.drop-need": 1,
    "genesis": 1,
    "indicators.force": 1,
    "content.change": 6,
    "functions.order": 2,
    "wave.split": 2,
}


class Incident(People):
    """One seed's history of troubles."""

    def trouble(self, steps: int) -> None:
        """Plays `steps` random events, and between them, more or less by seed, people who do what is asked."""
        self.genesis()
        help_share = self.chance.choice([0.05, 0.3, 0.6])
        acts: list[tuple[int, Callable[[], object]]] = [
            (30, self._some_answer),
            (12, self._some_sweep),
            (12, self._some_verdict),
            (3, self._some_match),
            (self.chance.choice([2, 8, 20]), self._some_order),
            (12, self._some_reading),
            (14, self._some_time),
            (2, self._some_repeat),
            (self.chance.choice([0, 0, 1]), self._some_jump),
            (1, lambda: self.feed(Started("0.1.0"))),
            (1, self._some_nonsense),
            (2, self._some_dispatch),
        ]
        weights = [weight for weight, _ in acts]
        for number in range(steps):
            if self.chance.random() < help_share:
                self.chance.choice(
                    [self.lift, self.answer_hosts, self.do_tasks, self.sign, self.look_around, self._all_answers]
                )()
            else:
                self.chance.choices([act for _, act in acts], weights)[0]()
            if number % 250 == 249:
                self.check_replay()
        self.check_replay()

    def _all_answers(self) -> None:
        self.now_us += SECOND
        for job in list(self.jobs.values()):
            if job.issue.action in self.jobs and job.outcome != "never" and job.due_us <= self.now_us:
                self.answer(job)

    def genesis(self) -> None:
        """The first records: the journal opens, two persons sign the roster."""
        self.feed(Opened(1, "0.1.0", "incident", "0" * 64))
        persons: list[Json] = [{"id": person, "roles": [role], "key": person} for person, role in ROLES.items()]
        persons.append({"id": "double", "roles": ["operator", "analyst"], "key": "double"})
        self.order("genesis", "roster", {"persons": persons, "indicator_set": SETS[0]}, "operator-1", "it-director")

    def _some_answer(self) -> None:
        due = [job for job in self.jobs.values() if job.outcome != "never" and job.due_us <= self.now_us]
        if due:
            self.answer(self.chance.choice(due))
        elif self.jobs and self.chance.random() < 0.1:
            job = self.chance.choice(list(self.jobs.values()))
            job.outcome = self.chance.choice(["lost", "cancelled", "failed"])
            self.answer(job)

    def _some_sweep(self) -> None:
        site_id = self.chance.choice(self.estate.sites)
        answered = [
            host
            for host in self.estate.hosts
            if self._site_of(host) == site_id and self.reachable.get(host, True) and self.chance.random() < 0.9
        ]
        if self.chance.random() < 0.02:
            answered.append(self.chance.choice(self.estate.hosts))
        begun_us = self.now_us - self.chance.choice([0, 1, 1, 2, 5]) * SECOND
        self.feed(Swept(site_id, begun_us, self.chance.random() < 0.85, answered))

    def _some_verdict(self) -> None:
        state, chance = self.state, self.chance
        wanted = [host for host in range(len(state.stage)) if quorum.seats_wanted(state, host)]
        seen = [host for host in range(len(state.stage)) if state.inspection[host]]
        pick = wanted if wanted and chance.random() < 0.8 else seen
        if not pick:
            return
        hosts = {chance.choice(pick) for _ in range(1 if chance.random() < 0.9 else 3)}
        judged = {self.estate.hosts[host]: state.inspection[host] for host in hosts}
        if chance.random() < 0.03:
            judged[self.estate.hosts[0]] = "no/inspect/1"
        verdict = chance.choices(("CLEAN", "SUSPECT", "INFECTED", "FINE"), (80, 8, 8, 1))[0]
        person = chance.choice(["analyst-1", "analyst-2", "analyst-3", "double", "operator-1", "nobody"])
        valid_s = chance.choice([2, 30, 150, 150, 150, 10**7])
        indicators = state.indicator_set if chance.random() < 0.95 else SETS[1]
        expires_us = self.signer_us() + valid_s * SECOND
        self.feed(Judged(verdict, dict(sorted(judged.items())), person, indicators, expires_us, "b"))

    def _some_match(self) -> None:
        """Answers about stored evidence; now and then of another set, or about a host nobody asks about."""
        state, chance = self.state, self.chance
        judged = [host for host in range(len(state.stage)) if state.inspection[host]]
        pick = sorted(state.rematch) if state.rematch and chance.random() < 0.9 else judged
        hosts = {chance.choice(pick) for _ in range(3)} if pick else set()
        inspections = {self.estate.hosts[host]: state.inspection[host] for host in sorted(hosts)}
        used = state.indicator_set if chance.random() < 0.9 else SETS[1]
        self.feed(Rematched(inspections, used, chance.choices(("no-hit", "hit", "unmatched", "?"), (80, 10, 10, 1))[0]))

    def _some_reading(self) -> None:
        chance = self.chance
        hosts = [f"host:{host}" for host in self.estate.hosts]
        released = [hosts[n] for n, stage in enumerate(self.state.stage) if stage in OUT]
        subjects = [one for one in self.estate.interval_us if not one.startswith("class:")]
        pool = chance.choice([released or hosts, subjects, subjects, hosts])
        for _ in range(chance.choice([1, 1, 3])):
            outcome = chance.choices(("PASS", "FAIL", "UNKNOWN"), (80, 12, 8))[0]
            self.feed(Reading(chance.choice(pool), outcome))

    def _some_time(self) -> None:
        timers = self.state.timers
        if timers and self.chance.random() < 0.5:
            self.now_us = max(self.now_us, min(timers[0][0], self.now_us + 100 * SECOND))
        else:
            self.now_us += self.chance.choice([1, 1, 2, 5, 30]) * SECOND
        self.feed(Woke())

    def _some_repeat(self) -> None:
        if self.past:
            self.feed(self.chance.choice(self.past))

    def _some_jump(self) -> None:
        self.feed(Jumped(self.chance.choice([-3600, -600, 600, 3600, 100_000]) * SECOND))

    def _some_dispatch(self) -> None:
        self.feed(Dispatched("restore.yml", [*list(self.state.open)[:3], "none/restore/9"]))

    def _some_nonsense(self) -> None:
        events: list[Event] = [
            Opened(1, "0.1.0", "again", ""),
            Reading("service:nowhere", "PASS"),
            Reading("host:ad-1", "MAYBE"),
            Swept("nowhere", self.now_us, True, []),
            Finished("ad-1/restore/99", "ok"),
            Finished(next(iter(self.state.open), "x/y/1"), "perhaps"),
            Lost("ghost/restore/1"),
        ]
        self.feed(self.chance.choice(events))

    def _some_order(self) -> None:
        kind, subject, args = self._an_order()
        head = 1 << 40 if self.chance.random() < 0.9 else max(0, self.state.seq - self.chance.randint(0, 40))
        expires = self.signer_us() + self.chance.choice([-1, 60, 3600, 3600, 3600]) * SECOND
        self.orders += 1
        people = [*ROLES, "double", "nobody"]
        for person in self.chance.sample(people, len(people)):
            order = self.state.orders.get(f"{self.orders:032x}")
            if (order is not None and order.done) or self.chance.random() < 0.03:
                return
            self.feed(Ordered(f"{self.orders:032x}", kind, subject, args, person, expires, head, "b"))

    def _an_order(self) -> tuple[str, str, dict[str, Json]]:
        chance = self.chance
        kind = chance.choices(list(KINDS), [_WEIGHTS.get(kind, 3) for kind in KINDS])[0]
        args: dict[str, Json] = {}
        subject = "roster"
        if kind.startswith("host.") or kind == "claim":
            subject, args = self._about_a_host(kind)
        elif kind in changes.KINDS:
            subject, args = self._a_change(kind)
        elif kind.startswith("wave."):
            subject = chance.choice(self.estate.waves).name
            args = {"after": chance.choice(self.estate.waves).name} if kind == "wave.after-removed" else {}
        elif kind in ("freeze", "thaw"):
            subject, args = self._a_scope(kind)
        elif kind.startswith("task."):
            subject = chance.choice([*self.state.tasks, "ad/none"])
        elif kind.startswith("service."):
            subject, args = chance.choice([*self.estate.services, "nowhere"]), {"k": chance.choice([0, 1, 1, "two"])}
        elif kind.startswith("fact."):
            subject, args = self._a_fact(kind)
        elif kind == "evidence.import":
            host = chance.choice([*self.estate.hosts, "nowhere"])
            taken = chance.choice(["offline", "outside", "host", "guessed"])
            args = {"tool": "scan", "taken": taken, "hosts": {host: f"{self.orders}"}}
        elif kind == "evidence.custody":
            subject, args = self._a_hand_over()
        elif kind == "indicators.force":
            subject = chance.choice(SETS)
        elif kind == "roster.add":
            person = f"analyst-{chance.randint(4, 6)}"
            good: Json = {"id": person, "roles": ["analyst"], "key": person}
            args = chance.choice([{"person": good}, {"person": {"id": "x"}}, {}, {"person": "x"}])
        elif kind == "roster.revoke":
            subject = chance.choice([person for person in ROLES if person not in NEVER_REVOKED])
        elif kind == "genesis":
            args = {"persons": [{"id": "operator-1", "roles": ["operator"], "key": "k"}, {"id": "crisis-1"}]}
        return kind, subject, args

    def _a_hand_over(self) -> tuple[str, dict[str, Json]]:
        """Of what somebody holds, most of the time from who holds it."""
        action = self.chance.choice([*self.state.custody, "ad-1/preserve/99"])
        known = self.state.custody.get(action)
        giver = known.hands[-1].holder if known and self.chance.random() < 0.8 else "nobody"
        return action, {"from": giver, "to": self.chance.choice(["police", "cert", ""]), "seal": "7"}

    def _about_a_host(self, kind: str) -> tuple[str, dict[str, Json]]:
        chance = self.chance
        picks: dict[str, Callable[[Stage], bool]] = {
            "host.recall": lambda stage: stage in OUT,
            "host.retry": lambda stage: stage is Stage.FAILED,
            "host.take-back": lambda stage: stage is Stage.EXCLUDED,
            "host.declare": lambda stage: stage in (Stage.BLOCKED, Stage.FAILED),
        }
        fitting = [host for host, stage in enumerate(self.state.stage) if picks.get(kind, lambda _: True)(stage)]
        host = self.estate.hosts[chance.choice(fitting or [0])] if chance.random() < 0.97 else "nowhere"
        args: dict[str, Json] = {}
        if kind == "host.retry" and chance.random() < 0.5:
            args = {"strategy": chance.choice(["restore", "reimage", "replace", "pray"])}
        elif kind == "host.declare":
            args = {"host_key": "ssh-ed25519 AAAA", "restore_point_us": chance.choice([1, self.now_us])}
        elif kind == "host.exception":
            args = {"until_us": self.signer_us() + chance.choice([60, 3600, 90_000]) * SECOND}
        elif kind == "host.exclude" and chance.random() < 0.3:
            args = {"even_if_last": True}
        elif kind in ("host.isolate", "host.recall") and host in self.estate.host_number:
            args = self.stops(self.estate.host_number[host])
        return host, args

    def _a_change(self, kind: str) -> tuple[str, dict[str, Json]]:
        chance, inventory = self.chance, self.estate.content.inventory
        if kind == "functions.order":
            known: list[Json] = [function.id for function in inventory.functions]
            chance.shuffle(known)
            return "functions", {"functions": chance.choice([known, known[:2], ["nowhere"], known + known])}
        if kind == "wave.split":
            wave = chance.choice(self.estate.plan.waves)
            services: list[Json] = [*chance.sample(wave.services, min(1, len(wave.services)))]
            sites: list[Json] = ["south"] if chance.random() < 0.3 else []
            return wave.name, {"name": f"part-{self.orders}", "services": services, "sites": sites}
        digest = f"{self.orders:064x}"
        self.state.contents[digest] = grown(self.estate.content, chance, self.orders).model_copy(
            update={"digest": digest}
        )
        return "content", {"digest": digest if chance.random() < 0.95 else "none"}

    def _a_scope(self, kind: str) -> tuple[str, dict[str, Json]]:
        chance = self.chance
        if kind == "thaw" and self.state.freezes and chance.random() < 0.8:
            return chance.choice(list(self.state.freezes)), {}
        args: dict[str, Json] = {"all_work": True} if chance.random() < 0.3 else {}
        if chance.random() < 0.2:
            args["hosts"] = [chance.choice(self.estate.hosts)]
        return chance.choice(["all", "site:north", "host:ad-1", "nowhere"]), args

    def _a_fact(self, kind: str) -> tuple[str, dict[str, Json]]:
        chance = self.chance
        if kind == "fact.t0":
            times: list[Json] = [START_US - 86_400 * SECOND, START_US, self.now_us - 50 * SECOND, "noon"]
            return "t0", {"at_us": chance.choice(times)}
        if kind == "fact.waiver":
            return chance.choice(["class:server", "host:ad-1", "host:lis-1", "class:none", "x"]), {}
        if kind == "fact.outside":
            return chance.choice(["reference-lab", "ad"]), {}
        if kind == "fact.withdraw":
            return chance.choice([*self.state.facts, "none"]), {}
        return kind.removeprefix("fact."), {}
