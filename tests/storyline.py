"""Tells a hospital's story to the decision core: this arrives, that must leave, nothing else.

Never stands in for the core: every event goes through `decide`, every command must be expected before the next event,
and at the end the records alone must rebuild the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.apply import apply
from orchestrator.decision.codec import decode, encode, kind_of
from orchestrator.decision.commands import Command
from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import (
    Cancelled,
    Epoch,
    Event,
    Finished,
    Judged,
    Jumped,
    Lost,
    Opened,
    Ordered,
    Reading,
    Rematched,
    Swept,
    Woke,
)
from orchestrator.decision.gates import lacks, pending
from orchestrator.decision.stages import GONE, Stage
from orchestrator.decision.state import QUARANTINED, State
from orchestrator.errors import RelanceError
from orchestrator.inventory.model import Host, Inventory, Service
from orchestrator.plans.model import Content, HostClass, Strategy
from orchestrator.plans.waves import derive
from tests.estates import ROLES, check, function, host_class, server, service, site, small_estate

SECOND = 1_000_000
START_US = 1_700_000_000 * SECOND
T0_US = START_US - 86_400 * SECOND
OLD_POINT_US = T0_US - 86_400 * SECOND
SET = "5" * 64
LATEST = 1 << 40  # a head beyond every record: the signer saw everything
ANALYSTS = ("analyst-1", "analyst-2", "analyst-3")
UNWORDED = ("why", "target", "step", "subjects", "deadline_us", "holds")
MANY = 500


def hospital(
    *hosts: Host, services: tuple[Service, ...] = (), classes: tuple[HostClass, ...] = (), **restart: Any
) -> Content:
    """A hospital of these hosts and services; by default one laboratory server `lis-1` of class `server`."""
    base = small_estate(**{"slices": {}, **restart})
    hosts = hosts or (server("lis-1", "north", "lis"),)
    services = services or (service("lis", "laboratory"),)
    classes = classes or (plain_class("server"), plain_class("workstation", kind="workstation", verdicts_required=1))
    used = {each.function for each in services} | {host.function for host in hosts}
    functions = tuple(
        function(each, *(one.id for one in services if one.function == each)) for each in sorted(used - {None}, key=str)
    )
    inventory = Inventory(sites=(site("north"), site("south")), functions=functions, services=services, hosts=hosts)
    checks = (
        *(check(f"{one.id}-works", service=one.id) for one in services),
        *(check(f"{one.id}-up", "L1", klass=one.id) for one in classes),
    )
    return base.model_copy(update={"inventory": inventory, "classes": classes, "checks": checks})


def plain_class(class_id: str, **fields: Any) -> HostClass:
    """A class inspected online, whose evidence may be lost, so that its life is short."""
    strategies: tuple[Strategy, ...] = ("restore", "reimage")
    return host_class(
        class_id, **{"cleanliness": "online", "preservation": "waived", "strategies": strategies, **fields}
    )


def words(command: Command) -> str:
    """`issue lis-1/restore/1 reimage`, `ask lis-1 network`: the command without its reasons."""
    told = [getattr(command, field.name) for field in fields(command) if field.name not in UNWORDED]
    return " ".join([kind_of(type(command)).replace("_", " "), *(str(each) for each in told if each)])


class Story:
    """One incident from its first record. Times are seconds since its start; commands are asserted as words."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.plan = derive(content)
        self.state = State(Estate(content, self.plan))
        self.now_us = START_US
        self.records: list[tuple[int, str, dict[str, Json]]] = []
        self.left: list[Command] = []
        self.last: list[Command] = []
        self.recorded = False
        self._orders = 0

    # what arrives

    def send(self, event: Event) -> Story:
        """An event arrives; whatever left before must have been expected."""
        assert not self.left, f"nobody expected: {[words(one) for one in self.left]}"
        entries = decide(self.state, event, self.now_us)
        self.recorded = bool(entries) and not isinstance(entries[0], Command)
        commands = entries[1:] if self.recorded else entries
        self.left = [one for one in commands if isinstance(one, Command)]
        self.last = list(self.left)
        self.records.extend((self.state.at_us, *encode(one)) for one in entries)
        return self

    def at(self, seconds: float) -> Story:
        """Time passes; the timers that are due wake the core."""
        self.now_us += round(seconds * SECOND)
        return self.send(Woke())

    def later(self, seconds: float) -> Story:
        """Time passes and nobody looks."""
        self.now_us += round(seconds * SECOND)
        return self

    def order(self, kind: str, subject: str, *persons: str, head: int = LATEST, **args: Json) -> Story:
        """Each person signs the same order."""
        self._orders += 1
        return self.sign(f"{self._orders:032x}", kind, subject, *persons, head=head, **args)

    def sign(self, order: str, kind: str, subject: str, *persons: str, head: int = LATEST, **args: Json) -> Story:
        """Persons sign the order of this id."""
        for person in persons:
            expires_us = self.now_us + 3600 * SECOND
            self.send(Ordered(order, kind, subject, dict(args), person, expires_us, head, "blob"))
        return self

    def propose(self, content: Content, *persons: str) -> Story:
        """Persons order that other content comes into force."""
        digest = f"{len(self.state.contents) + 1:064x}"
        self.state.contents[digest] = content.model_copy(update={"digest": digest})
        return self.order("content.change", "content", *persons, digest=digest)

    def finish(self, action: str, outcome: str = "ok", **facts: Json) -> Story:
        """A worker reports what its step must, unless told otherwise: a restore an old point and a host key."""
        if outcome == "ok" and "/preserve/" in action:
            facts = {"digest": f"digest of {action}", "medium": "disk", "holder": "store", **facts}
        if outcome == "ok" and "/restore/" in action:
            facts = {"restore_point_us": OLD_POINT_US, "host_key": f"key of {action}", **facts}
        return self.send(Finished(action, outcome, "", facts))

    def lose(self, action: str) -> Story:
        """A worker is gone and nobody knows how its action ended."""
        return self.send(Lost(action))

    def stop(self, action: str) -> Story:
        """An action was stopped before it took effect."""
        return self.send(Cancelled(action))

    def verdicts(self, host: str, *persons: str, verdict: str = "CLEAN", valid_s: int = 86_400) -> Story:
        """Each person files a verdict on the host's latest inspection."""
        for person in persons:
            judged = {host: self.state.inspection[self.host(host)]}
            indicators = self.state.indicator_set
            self.send(Judged(verdict, judged, person, indicators, self.now_us + valid_s * SECOND, "blob"))
        return self

    def rematched(self, *hosts: str, outcome: str = "no-hit") -> Story:
        """The latest inspections of these hosts were matched against the set in force."""
        inspections = {host: self.state.inspection[self.host(host)] for host in hosts}
        return self.send(Rematched(inspections, self.state.indicator_set, outcome))

    def sweep(self, site_id: str = "north", answered: tuple[str, ...] = (), *, control: bool = True) -> Story:
        """A second later the prober asks the site from outside."""
        self.now_us += SECOND
        return self.send(Swept(site_id, self.now_us, control, list(answered)))

    def send_sweep(self, site_id: str, begun_us: int, *answered: str) -> Story:
        """The result of a sweep that began earlier arrives."""
        return self.send(Swept(site_id, begun_us, True, list(answered)))

    def read(self, subject: str, outcome: str = "PASS", times: int = 1) -> Story:
        """The subject is read, `times` times, a second apart."""
        for _ in range(times):
            self.now_us += SECOND
            self.send(Reading(subject, outcome))
        return self

    def jump(self, seconds: int) -> Story:
        """The wall clock jumps, and the engine says so; core time does not follow."""
        return self.send(Jumped(seconds * SECOND))

    def clock_confirmed(self) -> Story:
        """An operator confirms the clock, and the engine lets time continue from it."""
        delta_us = self.state.jump_us
        self.order("clock.confirm", "clock", "operator-1").nothing().send(Epoch(delta_us))
        self.now_us += delta_us
        return self

    # what must leave

    def expect(self, *commands: str) -> Story:
        """Exactly these commands left since the last event, in this order.

        What a recall or an alarm freezes is left out by stories that name no freeze.
        """
        told = [words(one) for one in self.left]
        if not any(one.startswith("freeze ") for one in commands):
            told = [one for one in told if not one.startswith("freeze ")]
        assert told == list(commands)
        self.left = []
        return self

    def nothing(self) -> Story:
        """Nothing left."""
        return self.expect()

    def reason(self, number: int = -1) -> str:
        """Why the core said what it said last."""
        return str(getattr(self.last[number], "why", ""))

    def whatever(self) -> Story:
        """What left is another story's business."""
        self.left = []
        return self

    def refuses(self, rule: str, tell: Callable[[], object]) -> RelanceError:
        """What `tell` sends is refused by `rule`, and nothing changes."""
        before = self.state.digest()
        with pytest.raises(RelanceError) as caught:
            tell()
        assert caught.value.rule == rule, caught.value.sentence
        assert self.state.digest() == before, "a refusal changed the state"
        return caught.value

    # where things stand

    def host(self, name: str) -> int:
        """The number of a host."""
        return self.state.estate.host_number[name]

    def stage(self, name: str) -> Stage:
        """Where a host stands."""
        return self.state.stage[self.host(name)]

    def wave(self, name: str) -> int:
        """The number of a wave."""
        return self.state.estate.wave_number[name]

    def service(self, name: str) -> int:
        """The number of a service."""
        return self.state.estate.service_number[name]

    def asks(self, name: str) -> dict[str, str]:
        """What the core asks about a host, per lane."""
        return self.state.asks.get(self.host(name), {})

    def lacks(self, wave: str) -> list[str]:
        """What the gate of a wave lacks to soak."""
        return [" ".join(lack) for lack in lacks(self.state, self.wave(wave), self.now_us)]

    def pending(self, wave: str) -> list[str]:
        """What a soaking gate waits for."""
        return [" ".join(lack) for lack in pending(self.state, self.wave(wave), self.now_us)]

    # chapters that many stories begin with; what leaves in them is not asserted

    def signed(self) -> Story:
        """The journal is opened and two persons sign the roster."""
        self.send(Opened(1, "1", "incident", self.content.digest)).whatever()
        persons: list[Json] = [{"id": one, "roles": [role], "key": one} for one, role in ROLES.items()]
        self._quiet("genesis", "roster", "operator-1", "it-director", persons=persons, indicator_set=SET)
        return self

    def opened(self) -> Story:
        """Genesis signed, T0 known, the breach closed."""
        self.signed()
        self._quiet("fact.t0", "t0", "analyst-1", "it-director", at_us=T0_US)
        self._quiet("fact.breach_closed", "breach_closed", "analyst-1", "it-director")
        return self

    def isolated(self, *sites: str) -> Story:
        """The sites are cut off, and the prober finds every host of them silent."""
        for each in sites or self.state.estate.sites:
            lane = self.state.site_lane[self.state.estate.site_number[each]]
            if lane:
                self.finish(lane).whatever()
            self.sweep(each).whatever()
        return self

    def launched(self, *waves: str) -> Story:
        """An operator launches the waves, by default all."""
        for each in waves or tuple(wave.name for wave in self.state.estate.waves):
            self._quiet("wave.launch", each, "operator-1")
        return self

    def begun(self) -> Story:
        """Opened, isolated, every wave launched."""
        return self.opened().isolated().launched()

    def bring(self, name: str, stage: Stage) -> Story:
        """Everything goes well for one host until it stands at `stage`."""
        for _ in range(MANY):
            if self.stage(name) is stage:
                return self
            self._help(name)
        raise AssertionError(f"{name} is {self.stage(name).name}, and {stage.name} does not come")

    def inspected(self, *names: str) -> Story:
        """The hosts are restored and inspected."""
        for name in names:
            self.bring(name, Stage.INSPECTED)
        return self

    def released(self, *names: str) -> Story:
        """The hosts are proven clean and reconnected."""
        for name in names:
            self.bring(name, Stage.RELEASED)
        return self

    def in_service(self, *names: str) -> Story:
        """The hosts are released and their checks pass."""
        for name in names:
            self.bring(name, Stage.IN_SERVICE)
        return self

    def excluded(self, *names: str) -> Story:
        """The hosts are left out by order of two, whatever runs on them is stopped."""
        for name in names:
            persons = ("operator-1", "crisis-1") if self.state.estate.is_server[self.host(name)] else ("operator-1",)
            self._quiet("host.exclude", name, *persons, even_if_last=True)
            while self.stage(name) is not Stage.EXCLUDED:
                lanes = [lane[self.host(name)] for lane in self.state.lanes]
                self.stop(next(one for one in lanes if one)).whatever()
        return self

    def passed(self, wave: str) -> Story:
        """The hosts of the wave are brought into service and its gate passes."""
        number = self.wave(wave)
        alive = [host for host in self.state.members(number) if self.state.stage[host] not in GONE]
        self.in_service(*(self.state.estate.hosts[host] for host in alive))
        gate = self.state.estate.waves[number]
        subjects = [f"service:{self.state.estate.services[each]}" for each, _ in gate.services]
        for _ in range(MANY):
            if self.state.waves[number].passed_us:
                return self
            for subject in [*subjects, *gate.interfaces]:
                self.read(subject).whatever()
            self.at(1).whatever()
        raise AssertionError(f"the gate of {wave} does not pass: {self.lacks(wave)} {self.pending(wave)}")

    def end(self) -> None:
        """Nothing is left unsaid, and the records alone rebuild the state, byte for byte."""
        assert not self.left, f"nobody expected: {[words(one) for one in self.left]}"
        again = State(Estate(self.content, self.plan))
        again.contents = self.state.contents
        for at_us, kind, body in self.records:
            apply(again, decode(kind, body), at_us)
        assert again.digest() == self.state.digest(), "the records do not rebuild the state"

    def _quiet(self, kind: str, subject: str, *persons: str, **args: Json) -> None:
        self._orders += 1
        for person in persons:
            self.sign(f"{self._orders:032x}", kind, subject, person, **args).whatever()

    def _help(self, name: str) -> None:
        host = self.host(name)
        under_way = [lane[host] for lane in self.state.lanes if lane[host]]
        if under_way:
            self.finish(under_way[0]).whatever()
        elif self.state.stage[host] is Stage.RELEASED:
            self.read(f"host:{name}").whatever()
        elif self.state.isolated_us[host] and self.state.connection[host] != QUARANTINED:
            self.sweep(self.state.estate.sites[self.state.estate.site_of[host]]).whatever()
        elif quorum.seats_wanted(self.state, host) and quorum.verdicts_missing(self.state, host, self.now_us):
            counted = quorum.counting(self.state, host, self.now_us)
            self.verdicts(name, next(one for one in ANALYSTS if one not in counted)).whatever()
        else:
            others = [name for name, action in self.state.open.items() if action.step != "reconnect"]
            self.finish(others[0]).whatever() if others else self.at(1).whatever()


Tell = Callable[..., Story]


@pytest.fixture
def tell() -> Iterator[Tell]:
    """Begins stories; each must end with nothing unsaid."""
    stories: list[Story] = []

    def begin(content: Content | None = None, **restart: Any) -> Story:
        stories.append(Story(content or hospital(**restart)))
        return stories[-1]

    yield begin
    for each in stories:
        each.end()
