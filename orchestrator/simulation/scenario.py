"""One seeded disaster from beginning to end: first nothing bad may happen, then, with faults off, all must come back.

Never repairs anything: what it finds it tells with its seed, which replays it exactly. The safety phase checks the
incremental invariants with every record, the naive ones every thousand; the liveness phase has a limit in simulated
time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from orchestrator.decision.apply import apply
from orchestrator.decision.codec import decode, encode
from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Epoch, Event, Opened, Reading, Started, Swept
from orchestrator.decision.explain import gate_why, why
from orchestrator.decision.invariants import InvariantBroken
from orchestrator.decision.orders import genesis_args
from orchestrator.decision.recount import forgotten, recount
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import DERIVED, FOREVER_US, State
from orchestrator.decision.witness import Witness
from orchestrator.errors import UsageError
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.estates import invented, varied
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.people import Shifts, Wish
from orchestrator.simulation.scale import scaled
from orchestrator.simulation.staff import Staff
from orchestrator.simulation.troubles import Troubles
from orchestrator.simulation.world import Entry, World

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY_US = 24 * HOUR
START_US = 1_700_000_000 * SECOND
FULL_EVERY = 1000
CALM_DAYS_MAX = 40
SLACK_US = 6 * HOUR  # a calmer disaster may come to the same finding somewhat later
KILL = 100  # what a draw is about, beside those of `world`


@dataclass(frozen=True, slots=True)
class Setting:
    """All that a disaster follows from. `skip` leaves out the troubles of these numbers.

    With `stop_us` the world ends there: no liveness phase follows.
    """

    seed: int
    content: Content
    faults: Faults
    days: int = 3
    skip: frozenset[int] = frozenset()
    stop_us: int = 0


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: which, at which record, and what happened, in a sentence."""

    invariant: str
    event: int
    subject: str
    sentence: str


@dataclass(slots=True)
class Outcome:
    """How a disaster ended. `not_live`: who was still not in service, and why.

    `happened` counts the faults that struck; `troubles` tells when which trouble did.
    """

    events: int
    journal: list[tuple[Entry, int]]
    violation: Violation | None
    not_live: list[str]
    happened: Counter[str]
    troubles: list[tuple[int, str]]


class Broken(Exception):
    """The run has found what it was looking for."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.sentence)
        self.violation = violation


class Disaster(World):
    """A world that keeps its journal, is watched, and whose core may be killed before any turn.

    A turn is one transaction: killed inside it, the core would lose the same records as killed before it.
    """

    def __init__(self, estate: Estate, chance: Chance, faults: Faults) -> None:
        self.first = estate
        self.records: list[tuple[Entry, int]] = []
        self.troubles: list[tuple[int, str]] = []
        self._seen = 0
        self._witness: Witness
        super().__init__(State(estate), START_US, chance, faults=faults)
        self._witness = Witness(estate, self.state.contents)

    def tell(self, event: Event) -> bool:
        """Also lets time continue once a person confirmed a clock that had jumped."""
        took = super().tell(event)
        if self.state.clock_confirmed and not isinstance(event, Epoch):
            delta_us = self.state.jump_us
            super().tell(Epoch(delta_us))
            self.shift(delta_us)
        return took

    def decide(self, event: Event) -> list[Entry]:
        """What the core makes of it, unless it dies first."""
        if self.faults.killed and self.chance.share(KILL, self.steps) < self.faults.killed:
            self.happened["killed"] += 1
            self._die()
            if isinstance(event, Reading | Swept):
                return []
        entries = decide(self.state, event, self.now_us)
        at_us = self.state.at_us
        self.records.extend((entry, at_us) for entry in entries)
        if len(self.records) - self._seen >= FULL_EVERY:
            self.look_over()
        return entries

    def _die(self) -> None:
        """The core is rebuilt from its records; runs go on by themselves, inspections died with it."""
        rebuilt = self.replayed()
        if _told(rebuilt) != _told(self.state):  # as the digest, and ten times as fast
            self.broke("8", "journal", "The same records give another state.")
        self.state = rebuilt
        entries = decide(self.state, Started("0.1.0"), self.now_us)
        self.records.extend((entry, self.state.at_us) for entry in entries)
        for entry in entries:
            for hear in self.hears.get(type(entry), ()):
                hear(entry)
        for name, action in self.state.open.items():
            if action.step == "inspect" and self.jobs.pop(name, None) is not None:
                self.at(self.now_us, self._stopped, name)

    def replayed(self) -> State:
        """The state as a journal would give it back."""
        state = State(self.first)
        state.contents = self.state.contents
        for entry, at_us in self.records:
            apply(state, decode(*encode(entry)), at_us)
        return state

    def look_over(self) -> None:
        """The naive invariants over all records since the last look. Raises Broken."""
        for entry, at_us in self.records[self._seen :]:
            self._witness.see(entry, at_us)
        self._seen = len(self.records)
        self._witness.settle(self.state.at_us)
        for one in self._witness.broken[:1]:
            self.broke(str(one.invariant), one.subject, one.sentence, one.seq)
        for sentence in (*recount(self.state), *forgotten(self.state))[:1]:
            self.broke("recount", "state", sentence)

    def broke(self, invariant: str, subject: str, sentence: str, event: int = 0) -> None:
        """Ends the run with what was found."""
        raise Broken(Violation(invariant, event or len(self.records), subject, sentence))


def _told(state: State) -> dict[str, object]:
    """All that the digest of a state is of."""
    return {name: value for name, value in vars(state).items() if name not in DERIVED}


def setting_of(seed: int, faults: Faults, hosts: int | None = None, known: Content | None = None) -> Setting:
    """The disaster of a seed: every eighth strikes an excerpt of the `known` content, the others invented hospitals.

    Without `hosts` there are 40 to 80 of them.
    """
    count = 40 + seed % 41 if hosts is None else hosts
    if known is not None and seed % 8 == 0:
        try:
            return Setting(seed, varied(scaled(known, count), random.Random(seed)), faults)
        except UsageError:  # it has no part as small as that
            pass
    people = max(4, count // 50)
    return Setting(seed, invented(seed, count, people, people), faults)


def played(setting: Setting) -> Outcome:
    """Plays one disaster to its end."""
    world = Disaster(Estate(setting.content, derive(setting.content)), Chance(setting.seed), setting.faults)
    violation, not_live = None, []
    try:
        staff = _begun(world, setting)
        _safety(world, staff, setting)
        not_live = [] if setting.stop_us else _liveness(world, staff, len(setting.content.inventory.hosts))
        world.look_over()
        if world.replayed().digest() != world.state.digest():
            world.broke("8", "journal", "The same records give another state.")
    except Broken as broken:
        violation = broken.violation
    except InvariantBroken as broken:
        subject = str(broken.facts.get("subject", "core"))
        rule = (broken.rule or "").removeprefix("invariant.")
        violation = Violation(rule, len(world.records), subject, broken.sentence)
    except Exception as error:  # noqa: BLE001 - a core that falls over is a finding, whatever felled it
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}" if where else ""
        violation = Violation("crash", len(world.records), "core", f"{type(error).__name__} in {line}: {error}")
    return Outcome(world.steps, world.records, violation, not_live, world.happened, world.troubles)


def _begun(world: Disaster, setting: Setting) -> Staff:
    """The first morning: the journal opens, two persons sign the roster, everyone goes to work."""
    content = setting.content
    world.tell(Opened(1, "0.1.0", f"seed {setting.seed}", content.digest))
    staff = Staff(world, Shifts(content.capacity.shifts), START_US - 2 * DAY_US)
    first = [one.id for one in content.roster.persons][:2]
    staff.order(Wish("genesis", "roster", genesis_args(content)), first)
    for site in range(len(content.inventory.sites)):
        world.sweep_soon(site)
    return staff


def _safety(world: Disaster, staff: Staff, setting: Setting) -> None:
    """Days of faults and troubles, or less where everything is back before."""
    troubles = Troubles(staff)

    def strike(number: int, luck: random.Random) -> None:
        world.troubles.append((world.now_us, troubles.strike(number, luck)))

    for number, at_us in strikes(setting):
        world.at(at_us, strike, number, random.Random(f"{setting.seed}/{number}"))
    end_us = setting.stop_us or world.now_us + setting.days * DAY_US
    while world.now_us < end_us and world.turn():
        pass


def strikes(setting: Setting) -> Iterator[tuple[int, int]]:
    """The number and time of each trouble that is not left out."""
    return ((number, at_us) for number, at_us in enumerate(_moments(setting)) if number not in setting.skip)


def _moments(setting: Setting) -> Iterator[int]:
    """When troubles strike: a Poisson stream over the days."""
    luck = random.Random(f"{setting.seed}/moments")
    at_us, end_us = float(START_US), START_US + setting.days * DAY_US
    while setting.faults.troubles:
        at_us += luck.expovariate(setting.faults.troubles / DAY_US)
        if at_us >= end_us:
            return
        yield int(at_us)


def _liveness(world: Disaster, staff: Staff, planned: int) -> list[str]:
    """Faults end and people answer. Who is still not in service when the limit is reached, and why.

    Where more hosts came than were `planned`, and people with them did not, the limit is as much longer.
    """
    world.calm()
    staff.calm()
    end_us, turns = world.now_us + CALM_DAYS_MAX * DAY_US * len(world.state.stage) // planned, 0
    while world.now_us < end_us:
        turns += 1
        if not world.turn() or (turns % 100 == 0 and not left(world.state)):
            break
    return [] if not left(world.state) else explained(world)


def left(state: State) -> bool:
    """Whether a host is not yet in service that can be, a gate has not passed that can, or an inspection is owed."""
    done = (Stage.IN_SERVICE, Stage.EXCLUDED)
    if state.obligations or any(_can_pass(state, wave) for wave in reversed(range(len(state.waves)))):
        return True  # the last wave most often says so at once
    return any(stage not in done and state.wave_of[host] >= 0 for host, stage in enumerate(state.stage))


def _can_pass(state: State, wave: int) -> bool:
    """A gate that has not passed; one whose posts at a site were all left out never will, and is gone around."""
    lost = any(posts and all(state.stage[post] is Stage.EXCLUDED for post in posts) for posts in state.posts[wave])
    return not state.waves[wave].passed_us and not lost


def explained(world: World) -> list[str]:
    """Each wave and host that waits, with its first reasons."""
    state, now_us = world.state, world.now_us
    gates = [
        f"gate {state.estate.waves[number].name}: "
        + " ".join(one.sentence for one in gate_why(state, number, now_us)[:3])
        for number, wave in enumerate(state.waves)
        if _can_pass(state, number) and all(state.waves[one].passed_us for one in state.ancestors[number])
    ]
    hosts = [
        f"{state.estate.hosts[host]} ({stage.name}): " + " ".join(one.sentence for one in why(state, host, now_us)[:3])
        for host, stage in enumerate(state.stage)
        if stage not in (Stage.IN_SERVICE, Stage.EXCLUDED) or host in state.obligations
    ]
    return [*gates[:3], *hosts[:5]]


def shrunk(setting: Setting) -> Setting:
    """The same finding with few kinds of faults and few troubles (delta debugging, greedy), and nothing after it."""
    found = played(setting)
    if found.violation is None and not found.not_live:
        return setting
    same = _mark(found)
    if found.violation:
        setting = _calmer(setting, same, replace(setting, stop_us=found.journal[-1][1] + SLACK_US))
    for _ in range(2):
        setting = _fewer_troubles(setting, same)
        for field in fields(Faults):
            setting = _calmer(setting, same, replace(setting, faults=replace(setting.faults, **{field.name: 0.0})))
    return setting


def _fewer_troubles(setting: Setting, same: tuple[str, bool]) -> Setting:
    """Halves of the troubles are left out, then quarters, down to single ones."""
    moments = [number for number, at_us in strikes(setting) if at_us < (setting.stop_us or FOREVER_US)]
    setting = _calmer(setting, same, replace(setting, skip=setting.skip | {number for number, _ in strikes(setting)}))
    size = len(moments) // 2
    while size:
        for start in range(0, len(moments), size):
            setting = _calmer(setting, same, replace(setting, skip=setting.skip | {*moments[start : start + size]}))
        size //= 2
    return setting


def _calmer(setting: Setting, same: tuple[str, bool], calmer: Setting) -> Setting:
    """The calmer one where it finds the same."""
    return calmer if calmer != setting and _mark(played(calmer)) == same else setting


def _mark(outcome: Outcome) -> tuple[str, bool]:
    """What makes two findings the same."""
    return (outcome.violation.invariant if outcome.violation else "", bool(outcome.not_live))
