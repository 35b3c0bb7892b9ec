"""Forecasts when each function is back: many futures of the same core from one present, told as percentiles.

Never knows better than its measures: what was not measured is drawn from the plan's figures with their doubt, and
the result says on what it rests. Never writes the present it starts from.
"""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.decision.commands import Issue, PassGate
from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened, Ordered
from orchestrator.decision.orders import genesis_args
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.inventory.model import Function
from orchestrator.plans.model import Content, Plan, Wave
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import Durations
from orchestrator.simulation.folding import delays, folded
from orchestrator.simulation.measures import Measures
from orchestrator.simulation.outlook import Outlook, left_to_come
from orchestrator.simulation.people import Shifts
from orchestrator.simulation.scenario import left
from orchestrator.simulation.staff import Staff
from orchestrator.simulation.world import World

SECOND = 1_000_000
DAY_US = 86_400 * SECOND
HORIZON_DAYS = 400
LOOK_EVERY = 256
MEASURED_MIN = 5
WHOLE_EVERY = 10  # the end of everything lies far behind the last function, and is told from fewer futures


@dataclass(slots=True)
class Present:
    """What is forecast from: a state (its own from now on), what was measured, the time, who is there when."""

    state: State
    measures: Measures
    now_us: int
    utc_offset_s: int = 0
    more: dict[str, int] = field(default_factory=dict)  # further persons by role, as a what-if adds them


@dataclass(frozen=True, slots=True)
class Future:
    """One future, in microseconds core time: when each function was back (by site, and `""` for all of it), and, where
    it was played to its end (`whole`), when everything was and when each host came into service.

    What never was back within the horizon is missing, or 0. What is not whole was played without the hosts that no
    function waits for.
    """

    functions: dict[str, dict[str, int]]
    whole: bool
    everything_us: int
    hosts_us: list[int]


class Forecaster:
    """Plays futures of one present. The same number gives the same luck, whatever was asked before."""

    def __init__(self, present: Present) -> None:
        state, content = copied(present.state), present.state.estate.content
        self.present = present
        self.estate = folded(content, state.estate.plan)
        _open(state, present.now_us)
        self.outlook = Outlook(self.estate, present.measures, left_to_come(state))
        self._waves = {one.id: waves_of(state.estate, one) for one in content.inventory.functions}
        self._delays = self.outlook.waits(delays(content, state.estate.plan))
        self._shifts = Shifts(content.capacity.shifts, present.utc_offset_s)
        self._frozen = _frozen(state)
        _leave_out(state, self._waves)
        self._without = _frozen(state)

    def future(self, number: int) -> Future:
        """Plays one future until every function is back; every tenth, the first among them, to its end."""
        with _uncollected():
            return self._played(number)

    def _played(self, number: int) -> Future:
        chance, present, whole = Chance(number), self.present, number % WHOLE_EVERY == 1
        state = _thawed(self._frozen if whole else self._without, self.estate)
        durations = self.outlook.drawn(chance, present.now_us)
        world = World(state, present.now_us, chance, durations, self.outlook.faults, self._delays)
        self._begin(world)
        end_us, turns, gates = present.now_us + HORIZON_DAYS * DAY_US, 0, self._gates(world)
        while (whole or gates) and world.turn() and world.now_us < end_us:
            turns += 1
            if whole and turns % LOOK_EVERY == 0 and not left(world.state):
                break
        world.hears.clear()  # what is heard and due names the world itself: it goes at once, and nothing is collected
        world.due.clear()
        return self._told(world.state, whole=whole)

    def rehearsal(self) -> Rehearsal:
        """The one future in which nothing fails and nothing takes longer than planned."""
        present, first_day = self.present, {site: list[str]() for site in self.estate.sites}
        state = _thawed(self._frozen, self.estate)
        world = World(state, present.now_us, Chance(0), Durations(sigma=0.0), folded=self._delays)

        def issued(command: Issue) -> None:
            if command.step == "restore" and world.now_us < present.now_us + DAY_US:
                host = self.estate.host_number[command.target]
                first_day[self.estate.sites[self.estate.site_of[host]]].append(command.target)

        world.hears[Issue].append(issued)
        self._begin(world)
        gates = self._gates(world)
        while gates and world.turn():
            pass
        functions = {name: back_us(world.state, name, waves).get("", 0) for name, waves in self._waves.items()}
        back_s = {name: (at_us - present.now_us) // SECOND for name, at_us in functions.items() if at_us}
        return Rehearsal(back_s, first_day)

    def _gates(self, world: World) -> set[int]:
        """The waves whose gates a function still waits for: it empties itself as they pass."""
        waves = {wave for waves in self._waves.values() for wave in waves if not world.state.waves[wave].passed_us}

        def passed(command: PassGate) -> None:
            waves.discard(self.estate.wave_number[command.wave])

        world.hears.setdefault(PassGate, []).append(passed)
        return waves

    def _begin(self, world: World) -> None:
        """Everyone goes on where they are."""
        staff = Staff(world, self._shifts, self.present.now_us - 2 * DAY_US)
        staff.hire(self.present.more)

    def _told(self, state: State, *, whole: bool) -> Future:
        functions = {name: back_us(state, name, waves) for name, waves in self._waves.items()}
        if not whole:
            return Future(functions, False, 0, [])
        stages = zip(state.stage, state.in_service_us, strict=True)
        hosts = [at_us for stage, at_us in stages if stage is Stage.IN_SERVICE]
        passed = [wave.passed_us for wave in state.waves]
        last_us = 0 if left(state) else max([*hosts, *passed, self.present.now_us])
        return Future(functions, True, last_us, sorted(hosts))


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A restart in which all goes as planned: seconds until each function, and the first day's restores by site."""

    functions_s: dict[str, int]
    first_day: dict[str, list[str]]


def rehearsed(content: Content, plan: Plan, begins_s: int) -> Rehearsal:
    """Plays a plan once without faults, every duration as planned; it begins `begins_s` seconds after midnight."""
    began_us = 7 * DAY_US + begins_s * SECOND
    present = Present(State(Estate(content, plan)), Measures(), began_us)
    forecaster = Forecaster(present)
    return forecaster.rehearsal()


def waves_of(estate: Estate, function: Function) -> frozenset[int]:
    """The waves whose gates make the function back: its slice's, and those of the services it uses."""
    waves = {number for number, wave in enumerate(estate.plan.waves) if _is_slice(wave, function.id)}
    waves |= {estate.wave_of_service[estate.service_number[service]] for service in function.services}
    return frozenset(waves - {-1})


def _is_slice(wave: Wave, function: str) -> bool:
    return wave.function == function and wave.part == "slice"


def back_us(state: State, function: str, waves: frozenset[int]) -> dict[str, int]:
    """When the function was back, by site, and under `""` when its gates had passed; what is not back is missing.

    A site has it once the gates have passed and the posts its slice's gate asks for there work.
    """
    estate = state.estate
    passed = [state.waves[wave].passed_us for wave in waves]
    if not all(passed):
        return {}
    gate_us = max(passed, default=0)
    found = {"": gate_us}
    for wave in waves:
        if not _is_slice(estate.plan.waves[wave], function):
            continue
        for posts, (_, need) in zip(state.posts[wave], estate.waves[wave].posts, strict=True):
            serving = sorted(state.in_service_us[post] for post in posts if state.stage[post] is Stage.IN_SERVICE)
            if posts and len(serving) >= need:
                found[estate.sites[estate.site_of[posts[0]]]] = max(gate_us, serving[need - 1] if need else 0)
    return found


@contextmanager
def _uncollected() -> Iterator[None]:
    """A future is all garbage at its end and hardly any before: no collection walks the estate meanwhile."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _open(state: State, now_us: int) -> None:
    """Where nothing has happened yet the incident begins; where no roster is signed yet, that of the plan is."""
    content = state.estate.content
    if not state.seq:
        decide(state, Opened(1, "forecast", "forecast", content.digest), now_us, checked=False)
    if not state.roster:
        args, ends_us = genesis_args(content), now_us + HORIZON_DAYS * DAY_US
        for person in [one.id for one in content.roster.persons][:2]:
            signed = Ordered("genesis", "genesis", "roster", args, person, ends_us, 1 << 40, "b")
            decide(state, signed, now_us, checked=False)


def _leave_out(state: State, functions: Mapping[str, frozenset[int]]) -> None:
    """Takes those hosts out that no function waits for and whose way back has not begun.

    They take of pools and readers only what the more urgent leave: on the reference they move no function by one
    percent. So none is left to stand in for a post that fails for good, which hardly any does: people try it again.
    """
    estate = state.estate
    waves = frozenset[int]().union(*functions.values())
    waves = waves.union(*(state.ancestors[wave] for wave in waves))
    for host, wave in enumerate(state.wave_of):
        begun = state.stage[host] or state.lanes[1][host] or host in state.leaving
        if wave not in waves and not estate.services_of[host] and not begun:
            state.stage[host], state.wave_of[host] = Stage.EXCLUDED, -1


def _frozen(state: State) -> bytes:
    """The state without its estate, to be copied often."""
    estate, contents = state.estate, state.contents
    state.estate, state.contents = None, {}  # type: ignore[assignment]
    try:
        return pickle.dumps(state, pickle.HIGHEST_PROTOCOL)
    finally:
        state.estate, state.contents = estate, contents


def copied(state: State) -> State:
    """A state of its own over the same estate."""
    copy = _thawed(_frozen(state), state.estate)
    copy.contents = dict(state.contents)
    return copy


def _thawed(frozen: bytes, estate: Estate) -> State:
    state: State = pickle.loads(frozen)  # noqa: S301 - our own bytes, of this very process
    state.estate = estate
    return state


def futures(forecaster: Forecaster, runs: int, said: Callable[[int], None]) -> Iterator[Future]:
    """So many futures, numbered from 1; `said` hears of each."""
    for number in range(1, runs + 1):
        yield forecaster.future(number)
        said(number)
