"""Troubles that people and the world add to a restart: orders nobody needed, accidents, changes of mind.

Never checks what becomes of them. Each is drawn from luck of its own, so leaving one out changes no other.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.events import Dispatched, Judged, Jumped
from orchestrator.decision.order_rules import stops
from orchestrator.decision.requirements import RECONNECT
from orchestrator.decision.stages import BEFORE_RESTORE, OUT, Stage
from orchestrator.inventory.model import Host, Needs
from orchestrator.plans.model import Content
from orchestrator.simulation.people import Wish, signers

if TYPE_CHECKING:
    from orchestrator.simulation.staff import Staff

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY_US = 24 * HOUR
NEVER_REVOKED = 2  # of each role so many stay


class Troubles:
    """What can be done to one restart; `strike` does one of them."""

    def __init__(self, staff: Staff) -> None:
        self.staff = staff
        self.world = staff.world
        self.luck = random.Random(0)
        self._number = 0
        self._acts: list[tuple[int, Callable[[], object]]] = [
            (3, self._hold),
            (3, self._freeze),
            (2, self._revoke),
            (9, self._indicators),
            (2, self._grow),
            (2, self._drought),
            (2, self._reorder),
            (2, self._move_t0),
            (3, self._replace),
            (3, self._recall),
            (3, self._relapse),
            (2, self._jump),
            (1, self._withdraw),
            (2, self._exclude),
            (1, self._scrap),
            (1, self._declare),
            (1, self._exception),
            (1, self._split),
            (1, self._waive),
            (1, self._go_around),
            (1, self._dispatch),
            (1, self._lower),
            (1, self._drop),
            (2, self._burn),
        ]

    def strike(self, number: int, luck: random.Random) -> str:
        """One trouble, as its luck wants it, and its name; what the core refuses changes nothing."""
        self._number, self.luck = number, luck
        act = luck.choices([act for _, act in self._acts], [weight for weight, _ in self._acts])[0]
        act()
        return act.__name__.strip("_").replace("_", " ")

    def _order(self, kind: str, subject: str, args: dict[str, Json] | None = None) -> bool:
        """An order of whoever may give it, also from home."""
        state, wish = self.world.state, Wish(kind, subject, args or {})
        everyone = [one for one in state.roster if one not in state.revoked]
        self.luck.shuffle(everyone)
        return self.staff.order(wish, signers(state, wish, everyone) or ("nobody",))

    def _host(self, *stages: Stage) -> int:
        """A host in one of these stages, any if there is none."""
        among = [host for host, stage in enumerate(self.world.state.stage) if not stages or stage in stages]
        return self.luck.choice(among or list(range(len(self.world.state.stage))))

    def _name(self, host: int) -> str:
        return self.world.state.estate.hosts[host]

    def _hold(self) -> None:
        self._order("wave.hold", self.luck.choice(self.world.state.estate.waves).name)

    def _freeze(self) -> None:
        estate = self.world.state.estate
        scope = self.luck.choice(["all", f"site:{self.luck.choice(estate.sites)}", f"host:{self._name(self._host())}"])
        self._order("freeze", scope, {"all_work": True} if self.luck.random() < 0.3 else {})

    def _revoke(self) -> None:
        """A key is lost, and its person's word with it; somebody new comes some hours later."""
        state = self.world.state
        person = self.luck.choice(list(state.roster))
        role = min(state.roster[person].roles)
        others = [one for one, held in state.roster.items() if role in held.roles and one not in state.revoked]
        if len(others) > NEVER_REVOKED:
            self._order("roster.revoke", person)
            self.world.at(self.world.now_us + 6 * HOUR, self._hire, role, f"new-{self._number}")

    def _hire(self, role: str, name: str) -> None:
        self._order("roster.add", "roster", {"person": {"id": name, "roles": [role], "key": f"key of {name}"}})

    def _indicators(self) -> None:
        self._order("indicators.force", f"{self.luck.randrange(1, 1000):064x}")

    def _grow(self) -> None:
        """The inventory grows, up to its double at once, and now and then by a service nobody had written down."""
        content, luck = self.world.state.estate.content, self.luck
        known = content.inventory
        many = len(known.hosts) // luck.choice((1, 2, 4, 8, 16, 64, 64)) or 1
        fresh = [_twin(luck.choice(known.hosts), f"{self._number}-{number}") for number in range(many)]
        services = known.services
        if luck.random() < 0.4:
            wanted = luck.choice([one.id for one in services if one.kind == "inside"])
            like = luck.choice([one for one in known.hosts if one.services])
            name = f"found-{self._number}"
            needs = Needs(reconnect=(wanted,))
            service = {"id": name, "unit": None, "quorum": 1, "tasks": (), "kind": "inside", "needs": needs}
            services = (*services, services[0].model_copy(update=service))
            fresh.append(_twin(like, f"{self._number}-x").model_copy(update={"services": (name,)}))
        update = {"hosts": (*known.hosts, *fresh), "services": services}
        self._change(content.model_copy(update={"inventory": known.model_copy(update=update)}))

    def _drought(self) -> None:
        """A pool is at zero for a while."""
        content, luck = self.world.state.estate.content, self.luck
        running = [one for one in content.capacity.pools if one.size or one.per_site_default]
        if not running:
            return
        pool = luck.choice(running)
        none: dict[str, object] = {"size": 0} if pool.size is not None else {"per_site_default": 0, "per_site": {}}
        self._pool(pool.id, none)
        back = {"size": pool.size, "per_site_default": pool.per_site_default, "per_site": pool.per_site}
        self.world.at(self.world.now_us + luck.randint(1, 10) * HOUR, self._pool, pool.id, back)

    def _pool(self, name: str, update: dict[str, object]) -> None:
        content = self.world.state.estate.content
        pools = tuple(one.model_copy(update=update) if one.id == name else one for one in content.capacity.pools)
        capacity = content.capacity.model_copy(update={"pools": pools})
        self._number += 1
        self._change(content.model_copy(update={"capacity": capacity}))

    def _change(self, content: Content) -> None:
        digest = f"{self._number:08x}{len(self.world.state.contents):056x}"
        self.world.state.contents[digest] = content.model_copy(update={"digest": digest})
        self._order("content.change", "content", {"digest": digest})

    def _reorder(self) -> None:
        known: list[Json] = [one.id for one in self.world.state.estate.content.inventory.functions]
        self.luck.shuffle(known)
        self._order("functions.order", "functions", {"functions": known})

    def _move_t0(self) -> None:
        """T0 is corrected: mostly earlier, and with restore points of one second after 1970 that condemns a lot."""
        at_us = self.staff.t0_us - self.luck.randint(-12, 48) * HOUR
        self._order("fact.t0", "t0", {"at_us": at_us})

    def _replace(self) -> None:
        host = self._host(Stage.RESTORED, Stage.INSPECTED, Stage.FAILED, *BEFORE_RESTORE)
        strategy = self.luck.choice(("replace", "reimage", "restore"))
        self._order("host.retry", self._name(host), {"strategy": strategy})

    def _recall(self) -> None:
        host = self._host(*OUT)
        harmed: list[Json] = list(stops(self.world.state, host))
        self._order(self.luck.choice(("host.recall", "host.isolate")), self._name(host), {"stops": harmed})

    def _relapse(self) -> None:
        """A host that is out is found infected, or at least suspect."""
        state = self.world.state
        host = self._host(*OUT)
        people = [one for one, held in state.roster.items() if "analyst" in held.roles and one not in state.revoked]
        if state.inspection[host] and people:
            verdict = self.luck.choice((quorum.INFECTED, quorum.INFECTED, quorum.SUSPECT))
            judged = {self._name(host): state.inspection[host]}
            ends_us = self.world.now_us + HOUR
            self.world.tell(Judged(verdict, judged, self.luck.choice(people), state.indicator_set, ends_us, "b"))

    def _jump(self) -> None:
        self.world.tell(Jumped(self.luck.choice((-7200, -600, 600, 7200, 100_000)) * SECOND))

    def _withdraw(self) -> None:
        self._order("fact.withdraw", self.luck.choice([*self.world.state.facts, "none"]))

    def _exclude(self) -> None:
        """A host is left out; often somebody wants it back later."""
        name = self._name(self._host())
        self._order("host.exclude", name, {"even_if_last": True} if self.luck.random() < 0.3 else {})
        if self.luck.random() < 0.7:
            self.world.at(self.world.now_us + self.luck.randint(1, 24) * HOUR, self._take_back, name)

    def _scrap(self) -> None:
        """All posts of a slice at one site but one are left out for good."""
        state = self.world.state
        places = [posts for wave in state.posts for posts in wave if len(posts) > 1]
        for post in self.luck.choice(places)[1:] if places else ():
            self._order("host.exclude", self._name(post), {"even_if_last": True})

    def _take_back(self, name: str) -> None:
        self._order("host.take-back", name)

    def _declare(self) -> None:
        point_us = self.luck.choice((1, self.world.now_us))
        args: dict[str, Json] = {"host_key": "ssh-ed25519 AAAA", "restore_point_us": point_us}
        self._order("host.declare", self._name(self._host(Stage.FAILED, *BEFORE_RESTORE)), args)

    def _exception(self) -> None:
        host = self._host(Stage.INSPECTED)
        self._order("host.exception", self._name(host), {"until_us": self.world.now_us + 6 * HOUR})

    def _split(self) -> None:
        state, luck = self.world.state, self.luck
        wave = luck.choice(state.estate.plan.waves)
        services: list[Json] = [*luck.sample(wave.services, min(1, len(wave.services)))]
        sites: list[Json] = [luck.choice(state.estate.sites)] if luck.random() < 0.3 else []
        self._order("wave.split", wave.name, {"name": f"part-{self._number}", "services": services, "sites": sites})

    def _waive(self) -> None:
        klass = self.luck.choice(self.world.state.estate.content.classes).id
        self._order("fact.waiver", f"class:{klass}")

    def _go_around(self) -> None:
        waves = self.world.state.estate.waves
        self._order("wave.after-removed", self.luck.choice(waves).name, {"after": self.luck.choice(waves).name})

    def _dispatch(self) -> None:
        self.world.tell(Dispatched("restore.yml", list(self.world.state.open)[:3]))

    def _lower(self) -> None:
        self._order("service.lower-k", self.luck.choice(self.world.state.estate.services), {"k": 1})

    def _drop(self) -> None:
        """Two persons decide to do without a service."""
        self._order("service.drop-need", self.luck.choice(self.world.state.estate.services))

    def _burn(self) -> None:
        """A room burns: the hosts of a service are lost for good, and others come in their place."""
        state, luck = self.world.state, self.luck
        estate, known = state.estate, state.estate.content.inventory
        inside = [number for number, players in enumerate(estate.players) if players]
        passed = [one for one in inside if state.waves[estate.wave_of_service[one]].passed_us]
        service = luck.choice(passed or inside)
        burnt, needing = estate.players[service], estate.dependents[RECONNECT][service]
        like = [*burnt, *(luck.sample(needing, 1) if needing else ())]
        fresh = tuple(_twin(known.hosts[one], f"{self._number}-{number}") for number, one in enumerate(like))
        inventory = known.model_copy(update={"hosts": (*known.hosts, *fresh)})
        self._change(estate.content.model_copy(update={"inventory": inventory}))
        for host in burnt:
            harmed: list[Json] = list(stops(state, host))
            self._order("host.recall", self._name(host), {"stops": harmed})
            self.world.at(self.world.now_us + luck.randint(1, 6) * HOUR, self._leave_out, self._name(host))

    def _leave_out(self, name: str) -> None:
        self._order("host.exclude", name, {"even_if_last": True})


def _twin(host: Host, mark: str) -> Host:
    """Another place like this one."""
    low, high = sum(mark.encode()) % 250, len(mark)
    update = {"id": f"new-{mark}", "address": f"10.9.{high}.{low}", "management": f"10.8.{high}.{low}"}
    return host.model_copy(update=update)
