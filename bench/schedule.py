"""Measures how soon the core brings functions back, beside other schedules and a bound no schedule can beat.

Every rival plays the same estates with the same luck (rejections, failures, shifts); ratios are rival over ours, and
ours over the bound that knows every duration beforehand. Seeds follow from the last commit. Prints one JSON line
(with `--verbose` one for each estate before it) and asserts nothing; what was played is kept and not played again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from bench.barriers import Ruled, in_force
from bench.rivals import OURS, RIVALS, Rival, places, replaced
from orchestrator.decision.commands import EnterService
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened
from orchestrator.decision.orders import genesis_args
from orchestrator.decision.state import STEP, State
from orchestrator.plans.bound_problem import Given, bounds
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content, Person, Plan, Shift
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import WORK_NUMBER, Durations, drawn_us
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.folding import delays, folded
from orchestrator.simulation.forecast import back_us, waves_of
from orchestrator.simulation.people import Shifts, Wish
from orchestrator.simulation.scale import scaled
from orchestrator.simulation.scenario import left
from orchestrator.simulation.staff import Staff
from orchestrator.simulation.world import DURATION, READING, SECOND

ROOT = Path(__file__).parents[1]
HOUR_US = 3600 * SECOND
DAY_US = 24 * HOUR_US
START_US = 1_700_000_000 * SECOND // DAY_US * DAY_US
DAYS_MAX = 400
FAULTS = Faults(fails=0.03, unreachable=0.02, suspect=0.04, infected=0.01)
FUNCTIONS = ("laboratory", "radiology", "medical-records")
EVERYTHING = "everything"  # every host has come into service; like a gate that passed, no later recall undoes it
SETTLED = "settled"  # those recalled are back, too, and no inspection is owed
MOMENTS = (*FUNCTIONS, EVERYTHING, SETTLED)
ANALYSTS, TECHNICIANS = (4, 16), (6, 24)
STEPS = ("preserve", "restore", "inspect", "reconnect")
Times = dict[str, float]
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One estate, when its restart begins, and its luck."""

    name: str
    seed: int
    content: Content
    plan: Plan
    start_us: int


class Crew(Staff):
    """People whose pace is the work's own, whoever does it and whenever: so that rivals have the same luck."""

    def _read(self, person: str, host: int) -> None:
        world, state = self.world, self.world.state
        self._busy.add(person)
        spent_us = reading_us(state.estate, world.chance, host, state.attempts[host][STEP["inspect"]])
        world.at(world.now_us + spent_us, self._judge, person, host, state.inspection[host])

    def _work(self, person: str, key: str, duration_s: int) -> None:
        self._busy.add(person)
        self.world.at(self.world.now_us + duration_s * SECOND, self._report, person, key)


def reading_us(estate: Estate, chance: Chance, host: int, inspection: int) -> int:
    """What a reader needs for one inspection of a host."""
    klass = estate.group(host).klass
    return drawn_us(klass.reading_s * SECOND, Durations().spread("verdict"), chance.normal(READING, host, inspection))


def cases(content: Content, seed: int, many: int) -> Iterable[Case]:
    """Excerpts of `content` and invented estates in turn."""
    for number in range(many):
        chance = random.Random(f"{seed}/{number}")
        analysts, technicians = chance.randint(*ANALYSTS), chance.randint(*TECHNICIANS)
        if number % 2 == 0:
            hosts = chance.choice((300, 500, 800, 1200, len(content.inventory.hosts)))
            made, kind = staffed(scaled(content, hosts), analysts, technicians), "reference"
        else:
            hosts = chance.randint(150, 400)
            drawn = invented(seed + number, hosts, analysts, technicians)
            made, kind = staffed(timed_as(content, drawn), analysts, technicians), "invented"
        start_us = START_US + chance.randrange(24) * HOUR_US
        name = f"{number}: {kind}, {len(made.inventory.hosts)} hosts, {analysts} analysts, {technicians} technicians"
        yield Case(name, seed + number, made, derive(made), start_us)


def timed_as(content: Content, drawn: Content) -> Content:
    """The drawn estate with the timing of another, and the usual intervals between checks."""
    checks = tuple(check.model_copy(update={"interval_s": 60}) for check in drawn.checks)
    restart = drawn.restart.model_copy(update={"timing": content.restart.timing})
    return drawn.model_copy(update={"checks": checks, "restart": restart})


def staffed(content: Content, analysts: int, technicians: int) -> Content:
    """The same estate with so many analysts and technicians, by day or by night in turn, as are operators.

    Whoever else signs something is called when it is needed.
    """
    roles = {"analyst": analysts, "technician": technicians}
    persons = [one for one in content.roster.persons if not roles.keys() & set(one.roles)]
    for role, many in roles.items():
        persons += [Person(id=f"{role}-{number}", roles=(role,), key=persons[0].key) for number in range(1, many + 1)]
    sides: tuple[list[str], list[str]] = ([], [])
    for role in ("operator", *roles):
        for number, one in enumerate(one for one in persons if role in one.roles):
            sides[number % 2].append(one.id)
    hours = (("day", "07:00", "19:00"), ("night", "19:00", "07:00"))
    shifts = tuple(
        Shift(id=name, start=start, end=end, persons=tuple(side))
        for (name, start, end), side in zip(hours, sides, strict=True)
    )
    return content.model_copy(
        update={
            "roster": content.roster.model_copy(update={"persons": tuple(persons)}),
            "capacity": content.capacity.model_copy(update={"shifts": shifts}),
        }
    )


def play(case: Case, rival: Rival) -> Times:
    """Hours until each function, and the last host, is back; what never is, is missing."""
    with replaced(rival):
        return _play(case, rival)


def _play(case: Case, rival: Rival) -> Times:
    estate = folded(case.content, derive(case.content))
    state = State(estate)
    if rival.urgency is not None:
        state.urgency[:] = places(rival.urgency(estate))
    barrier = rival.barrier(state)
    with in_force(barrier):
        about = (state, case.start_us, Chance(case.seed), Durations(), FAULTS, delays(case.content, case.plan))
        world = Ruled(barrier, *about)
        first_us = first_entries(world)
        world.tell(Opened(1, "bench", "bench", case.content.digest))
        staff = Crew(world, Shifts(case.content.capacity.shifts), case.start_us - 2 * DAY_US)
        first = [one.id for one in case.content.roster.persons][:2]
        staff.order(Wish("genesis", "roster", genesis_args(case.content)), first)
        turns = 0
        while world.turn() and world.now_us < case.start_us + DAYS_MAX * DAY_US:
            turns += 1
            if turns % 256 == 0 and not left(state):
                break
    return _told(case, state, first_us)


def first_entries(world: Ruled) -> dict[str, int]:
    """Comes to hold when each host first came into service."""
    found: dict[str, int] = {}
    world.hears.setdefault(EnterService, []).append(lambda entry: found.setdefault(entry.host, world.now_us))
    return found


def _told(case: Case, state: State, first_us: Mapping[str, int]) -> Times:
    known = {one.id: one for one in case.content.inventory.functions}
    found = {
        each: back_us(state, each, waves_of(state.estate, known[each])).get("") for each in FUNCTIONS if each in known
    }
    if not left(state):
        found |= {EVERYTHING: max(first_us.values()), SETTLED: max(state.in_service_us)}
    return {each: (at_us - case.start_us) / HOUR_US for each, at_us in found.items() if at_us}


def bound_hours(case: Case, estate: Estate) -> Times:
    """Before when no schedule had it all back, knowing what everything takes the first time."""
    given = Given(start_s=(case.start_us - START_US) // SECOND, durations_s=first_durations_s(case, estate))
    functions, everything = bounds(case.content, case.plan, given)
    found = {each: functions[each].bound_s / 3600 for each in FUNCTIONS if each in functions}
    return found | dict.fromkeys((EVERYTHING, SETTLED), everything.bound_s / 3600)


def first_durations_s(case: Case, estate: Estate) -> dict[tuple[str, str], int]:
    """What each step of each host takes the first time."""
    chance, tables, watched = Chance(case.seed), Durations().tables(estate), delays(case.content, case.plan)
    found: dict[tuple[str, str], int] = {}
    for host, name in enumerate(estate.hosts):
        table = tables[estate.group_of[host]]
        for step in STEPS:
            drawn = drawn_us(*table[WORK_NUMBER[step]], chance.normal(DURATION, host, STEP[step], 1))
            found[name, step] = drawn // SECOND
        site = estate.site_of[host]
        first = tables[estate.group_of[estate.hosts_of_site[site][0]]][WORK_NUMBER["isolate"]]
        found[name, "isolate"] = drawn_us(*first, chance.normal(DURATION, -1 - site, STEP["isolate"], 1)) // SECOND
        found[name, "verdict"] = reading_us(estate, chance, host, 1) // SECOND
        found[name, "check"] = watched.get(f"class:{estate.group(host).klass.id}", (60 * SECOND, 0))[0] // SECOND
    return found


def measure(case: Case, rivals: Sequence[Rival]) -> Row:
    """All that is known of one estate."""
    began_s = time.process_time()
    hours = {rival.name: play(case, rival) for rival in rivals}
    played_s = time.process_time()
    bound = bound_hours(case, folded(case.content, case.plan))
    return {
        "estate": case.name,
        "seed": case.seed,
        "hours": {name: {each: round(value, 3) for each, value in times.items()} for name, times in hours.items()},
        "bound": {each: round(value, 3) for each, value in bound.items()},
        "cpu_s": round(played_s - began_s, 1),
        "bound_cpu_s": round(time.process_time() - played_s, 1),
    }


def summary(rows: Sequence[Row]) -> dict[str, object]:
    """By rival and function, median and 10th percentile of its time over ours; ours over the bound, with the 90th."""
    rivals = list(dict.fromkeys(name for row in rows for name in row["hours"] if name != OURS.name))
    over: dict[str, dict[str, object]] = {}
    for name in rivals:
        over[name] = {each: _ratios([_times(row, name, each) for row in rows]) for each in MOMENTS}
    bound = {
        each: _ratios([_over(row["hours"][OURS.name].get(each), row["bound"].get(each)) for row in rows])
        for each in MOMENTS
    }
    kinds = {
        kind: {
            name: {
                each: _ratios([_times(row, name, each) for row in rows if kind in row["estate"]]) for each in MOMENTS
            }
            for name in rivals
        }
        for kind in ("reference", "invented")
    }
    unfinished = {name: sum(SETTLED not in row["hours"][name] for row in rows) for name in (OURS.name, *rivals)}
    return {
        "over_ours": over,
        "ours_over_bound": bound,
        "by_kind": kinds,
        "unfinished": {name: count for name, count in unfinished.items() if count},
        "cpu_s": round(sum(row["cpu_s"] for row in rows), 1),
    }


def _times(row: Row, rival: str, each: str) -> float | None:
    return _over(row["hours"][rival].get(each), row["hours"][OURS.name].get(each))


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None


def _ratios(found: Iterable[float | None]) -> dict[str, float]:
    known = sorted(one for one in found if one is not None)
    if not known:
        return {}
    low, high = (known[round((len(known) - 1) * share)] for share in (0.1, 0.9))
    mean = geometric_mean(known)
    figures = {"median": median(known), "p10": low, "p90": high, "mean": mean}
    return {name: round(value, 3) for name, value in figures.items()} | {"estates": len(known)}


def kept_rows(path: Path) -> dict[tuple[str, int], Row]:
    """What an earlier run has measured."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {(row["estate"], row["seed"]): row for row in rows}


def last_commit() -> str:
    """The hash the seeds come from."""
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def is_changed() -> bool:
    """Whether the working tree is another than the commit's: then nothing is kept, and nothing kept is used."""
    said = subprocess.run(
        ["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return bool(said.stdout.strip())


def main() -> None:
    """Parse the options, play what was not played yet, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--estate", type=Path, default=ROOT)
    options.add_argument("--estates", type=int, default=30)
    options.add_argument("--commit", help="take the seeds from this hash, not from the last commit's")
    options.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()), help="folder of what was played")
    options.add_argument("--verbose", action="store_true", help="one line for each estate, too")
    given = options.parse_args()
    commit = given.commit or last_commit()
    path = Path(os.devnull) if is_changed() else given.kept / f"schedule-{last_commit()}-{commit[:12]}.jsonl"
    known, rows = kept_rows(path), []
    for case in cases(usable(given.estate), int(commit[:12], 16), given.estates):
        row = known.get((case.name, case.seed)) or measure(case, RIVALS)
        if (case.name, case.seed) not in known:
            with path.open("a") as kept:
                kept.write(json.dumps(row) + "\n")
        rows.append(row)
        if given.verbose:
            print(json.dumps({"bench": "schedule", **row}), flush=True)
    print(json.dumps({"bench": "schedule", "commit": commit, "estates": len(rows), **summary(rows)}))


if __name__ == "__main__":
    main()
