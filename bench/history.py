"""Plays an incident that happened, on assumptions written down, beside what other decisions would have changed.

Never searches for the assumptions that fit: each stands in `examples/history/assumptions.json` with its reason, and
the result is compared with the few figures that were published. Writes `curve.csv` and `curve.svg` there and prints one
JSON line.

    python -m bench.history
"""

from __future__ import annotations

import csv
import json
import random
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.barriers import Barrier, Ruled, StrictWaves, in_force
from bench.schedule import staffed
from orchestrator.decision.events import Opened
from orchestrator.decision.orders import genesis_args
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content, HostClass, Pool, StepPools
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import Durations
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.folding import delays, folded, folded_content
from orchestrator.simulation.forecast import back_us, waves_of
from orchestrator.simulation.people import Shifts, Wish, signers
from orchestrator.simulation.staff import Staff

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "history"
SECOND = 1_000_000
DAY_US = 86_400 * SECOND
START_US = 20_000 * DAY_US + 6 * 3600 * SECOND  # six in the morning after the night of the attack
FUNCTIONS = ("laboratory", "radiology", "medical-records", "consultations")
HANDS = "hands"
Curve = list[int]  # hosts in service at the end of each day


class History:
    """The incident under one set of assumptions and one way to work."""

    def __init__(self, known: Content, assumed: dict[str, Any], *, ahead: bool = False) -> None:
        self.assumed, self.ahead = assumed, ahead
        self.content = _as_it_was(known, assumed)
        self.plan = derive(self.content)

    def play(self, seed: int) -> tuple[Curve, dict[str, float]]:
        """Hosts in service day by day, and the day each function was back."""
        state = State(folded(self.content, self.plan))
        barrier = (Barrier if self.ahead else StrictWaves)(state)
        with in_force(barrier):
            faults = Faults(fails=self.assumed["fails"], suspect=self.assumed["suspect"])
            world = Ruled(barrier, state, START_US, Chance(seed), Durations(), faults, delays(self.content, self.plan))
            world.tell(Opened(1, "history", "history", self.content.digest))
            staff = Staff(world, Shifts(self.content.capacity.shifts), START_US - 2 * DAY_US)
            first = [one.id for one in self.content.roster.persons][:2]
            staff.order(Wish("genesis", "roster", genesis_args(self.content)), first)
            for number, change in enumerate(self.assumed["changes"]):
                world.at(START_US + change["day"] * DAY_US, self._change, staff, number, change)
            while world.now_us < START_US + self.assumed["days"] * DAY_US and world.turn():
                pass
        return _curve(state, self.assumed["days"]), _days(state)

    def _change(self, staff: Staff, number: int, change: dict[str, int]) -> None:
        """More people come, and machines are found that nobody had listed."""
        state = staff.world.state
        content, luck = state.estate.content, random.Random(number)
        known = content.inventory
        places = [host for host in known.hosts if host.kind == "workstation"]
        fresh = [
            luck.choice(places).model_copy(update={"id": f"found-{number}-{place}"})
            for place in range(change.get("found", 0))
        ]
        pools = tuple(
            pool.model_copy(update={"size": change[HANDS]}) if pool.id == HANDS and HANDS in change else pool
            for pool in content.capacity.pools
        )
        digest = f"{number + 1:064x}"
        update = {"inventory": known.model_copy(update={"hosts": (*known.hosts, *fresh)}), "digest": digest}
        capacity = content.capacity.model_copy(update={"pools": pools})
        state.contents[digest] = folded_content(content.model_copy(update={**update, "capacity": capacity}))
        wish = Wish("content.change", "content", {"digest": digest})
        staff.order(wish, signers(state, wish, list(state.roster)))


def _as_it_was(known: Content, assumed: dict[str, Any]) -> Content:
    """The reference estate with the people and the pace that are assumed; the same hands do every restore."""
    classes = tuple(_by_hand(klass, assumed) for klass in known.classes)
    hands = Pool(id=HANDS, name="Pairs of hands that reinstall", size=assumed["hands"])
    capacity = known.capacity.model_copy(update={"pools": (*known.capacity.pools, hands)})
    content = known.model_copy(update={"classes": classes, "capacity": capacity})
    return staffed(content, assumed["analysts"], assumed["technicians"])


def _by_hand(klass: HostClass, assumed: dict[str, Any]) -> HostClass:
    """Hours of one person, stretched over the hours of the day in which nobody works."""
    stretched = 24 / assumed["hours_a_day"]
    kind = "workstation" if klass.kind == "workstation" else "server"
    restore_s = int(assumed[f"{kind}_hours"] * 3600 * stretched)
    return klass.model_copy(
        update={
            "duration_s": klass.duration_s.model_copy(update={"restore": restore_s}),
            "pools": StepPools(**{**klass.pools.model_dump(), "restore": (HANDS,)}),
            "reading_s": int(assumed[f"{kind}_reading_minutes"] * 60),
        }
    )


def _curve(state: State, days: int) -> Curve:
    stages = zip(state.stage, state.in_service_us, strict=True)
    times = sorted(at_us for stage, at_us in stages if stage is Stage.IN_SERVICE)
    return [bisect_right(times, START_US + day * DAY_US) for day in range(days + 1)]


def _days(state: State) -> dict[str, float]:
    known = {one.id: one for one in state.estate.content.inventory.functions}
    found = {name: back_us(state, name, waves_of(state.estate, known[name])).get("", 0) for name in FUNCTIONS}
    return {name: round((at_us - START_US) / DAY_US, 1) for name, at_us in found.items() if at_us}


def variants(assumed: dict[str, Any]) -> dict[str, tuple[dict[str, Any], bool]]:
    """What is compared: as it was, and one decision changed at a time; whether restores run ahead of their wave."""
    more = {**assumed, "hands": 2 * assumed["hands"], "changes": [_doubled(one) for one in assumed["changes"]]}
    return {
        "as it was": (assumed, False),
        "twice the analysts": ({**assumed, "analysts": 2 * assumed["analysts"]}, False),
        "twice the hands": (more, False),
        "restored ahead in quarantine": (assumed, True),
        "ahead, and twice the analysts": ({**assumed, "analysts": 2 * assumed["analysts"]}, True),
    }


def _doubled(change: dict[str, int]) -> dict[str, int]:
    return {**change, HANDS: 2 * change[HANDS]} if HANDS in change else change


def picture(curves: dict[str, Curve], facts: Sequence[dict[str, Any]]) -> str:
    """The curves and the published figures, as an SVG of its own."""
    wide, high, left, top = 720, 340, 60, 30
    days, most = len(next(iter(curves.values()))) - 1, max(max(curve) for curve in curves.values())
    inks = ("#000000", "#1b9e77", "#d95f02", "#7570b3", "#e7298a")
    dashes = ("none", "1 3", "8 4", "8 3 2 3", "14 4")  # told apart on a black and white print, too

    def place(day: float, count: float) -> str:
        return f"{left + day / days * wide:.1f},{top + high - count / most * high:.1f}"

    parts = [f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" fill="none" stroke="#999"/>']
    for number, (name, curve) in enumerate(curves.items()):
        points = " ".join(place(day, count) for day, count in enumerate(curve))
        drawn = f'fill="none" stroke="{inks[number]}" stroke-width="2" stroke-dasharray="{dashes[number]}"'
        parts.append(f'<polyline points="{points}" {drawn}/>')
        y = top + 20 + 16 * number
        parts.append(f'<polyline points="{left + 10},{y - 4} {left + 50},{y - 4}" {drawn}/>')
        parts.append(f'<text x="{left + 58}" y="{y}">{name}</text>')
    for fact in facts:
        x, y = place(fact["day"], fact["machines"]).split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="none" stroke="#c00" stroke-width="2"/>')
    parts += [
        f'<text x="{left + wide * day / days:.0f}" y="{top + high + 18}" text-anchor="middle">day {day}</text>'
        for day in range(0, days + 1, 5)
    ]
    parts.append(f'<text x="{left - 6}" y="{top + 5}" text-anchor="end">{most}</text>')
    size = f"0 0 {wide + 2 * left} {high + 2 * top + 10}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-family="sans-serif" font-size="12">'
    return head + "".join(parts) + "</svg>\n"


def main() -> None:
    """Plays all variants with the same luck."""
    assumed = json.loads((FOLDER / "assumptions.json").read_text())
    known = usable(ROOT)
    curves, days = {}, {}
    for name, (changed, ahead) in variants(assumed["incident"]).items():
        curves[name], days[name] = History(known, changed, ahead=ahead).play(assumed["seed"])
    with (FOLDER / "curve.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("day", *curves))
        rows.writerows(zip(range(assumed["incident"]["days"] + 1), *curves.values(), strict=True))
    (FOLDER / "curve.svg").write_text(picture(curves, assumed["published"]))
    said = {
        f"day {fact['day']}": {"published": fact["machines"], "played": curves["as it was"][fact["day"]]}
        for fact in assumed["published"]
    }
    ends = {name: curve[-1] for name, curve in curves.items()}
    print(json.dumps({"bench": "history", "compared": said, "functions_back_on_day": days, "machines_at_end": ends}))


if __name__ == "__main__":
    main()
