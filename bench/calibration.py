"""Measures whether forecasts are honest: how often what happened lies in the band made a quarter of the way in.

The truth is one the forecast does not know: medians off by a factor of 0.5 to 2 per class and step, heavier tails,
work that slows down day by day, an inventory that grows. Prints a line per seed on stderr, one JSON line at the end.

    python -m bench.calibration --seeds 0..99 --runs 50 --progress calibration.jsonl
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from math import exp, log
from pathlib import Path
from typing import Any

from orchestrator.decision.apply import apply
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened
from orchestrator.decision.orders import genesis_args
from orchestrator.decision.state import State
from orchestrator.inventory.model import Host
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.durations import WORK, Durations, planned_s
from orchestrator.simulation.estates import invented
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.folding import delays, folded, folded_content
from orchestrator.simulation.forecast import Forecaster, Present, back_us, waves_of
from orchestrator.simulation.measures import Measures
from orchestrator.simulation.people import Shifts, Wish, signers
from orchestrator.simulation.percentiles import percentile, times_s
from orchestrator.simulation.scale import scaled
from orchestrator.simulation.scenario import START_US, left
from orchestrator.simulation.staff import Staff
from orchestrator.simulation.world import Entry, World

ROOT = Path(__file__).parents[1]
SECOND = 1_000_000
HOUR = 3600 * SECOND
JUDGED = ("laboratory", "radiology", "medical-records")
GROWS_AT_H = (8, 24)


class Truth(World):
    """What really happens; keeps its journal."""

    records: list[tuple[Entry, int]]

    def decide(self, event: Any) -> list[Entry]:
        """Also notes the records."""
        entries = super().decide(event)
        self.records.extend((entry, self.state.at_us) for entry in entries)
        return entries


class Incident:
    """One seed's incident, played to its end."""

    def __init__(self, seed: int, known: Content) -> None:
        self.luck = random.Random(f"calibration/{seed}")
        hosts = self.luck.randint(100, 300)
        self.content = scaled(known, hosts) if seed % 2 else invented(seed, hosts)
        self.plan = derive(self.content)
        self.grown: dict[str, Content] = {}
        self._plain = self.content
        truth = self._truth(seed)
        self.records = truth.records
        known = [one for one in self.content.inventory.functions if one.id in JUDGED]
        estate = truth.state.estate
        self.back = {one.id: back_us(truth.state, one.id, waves_of(estate, one)).get("", 0) for one in known}

    def _truth(self, seed: int) -> Truth:
        estate = folded(self.content, self.plan)
        medians = {
            (klass.id, work): planned_s(klass, work) * exp(self.luck.uniform(log(0.5), log(2)))
            for klass in self.content.classes
            for work in WORK
        }
        durations = Durations(medians, sigma=0.4, heavy=0.1, drift=self.luck.uniform(0, 0.1), begun_us=START_US)
        faults = Faults(
            fails=self.luck.uniform(0.01, 0.08),
            suspect=self.luck.uniform(0.01, 0.1),
            infected=self.luck.uniform(0, 0.03),
            false_claim=0.05,
        )

        world = Truth(
            State(estate), START_US, Chance(1_000_000 + seed), durations, faults, delays(self.content, self.plan)
        )
        world.records = []
        world.tell(Opened(1, "0.1.0", "truth", self.content.digest))
        staff = Staff(world, Shifts(self.content.capacity.shifts), START_US - 48 * HOUR)
        first = [one.id for one in self.content.roster.persons][:2]
        staff.order(Wish("genesis", "roster", genesis_args(self.content)), first)
        for hour in GROWS_AT_H:
            world.at(START_US + hour * HOUR, self._grow, world, staff, hour)
        turns = 0
        while world.turn() and (turns % 256 or left(world.state)):
            turns += 1
        return world

    def _grow(self, world: Truth, staff: Staff, hour: int) -> None:
        """A quarter more hosts than there were, of the kinds that are there."""
        known = self._plain.inventory
        some = [self.luck.choice(known.hosts) for _ in range(len(self.content.inventory.hosts) // 4)]
        fresh = tuple(_twin(host, f"{hour}-{number}") for number, host in enumerate(some))
        digest = f"{hour:064x}"
        inventory = known.model_copy(update={"hosts": (*known.hosts, *fresh)})
        self._plain = self.grown[digest] = self._plain.model_copy(update={"inventory": inventory, "digest": digest})
        world.state.contents[digest] = folded_content(self._plain)
        everyone = list(world.state.roster)
        wish = Wish("content.change", "content", {"digest": digest})
        staff.order(wish, signers(world.state, wish, everyone))

    def present_at(self, at_us: int) -> Present:
        """What could be known then."""
        state, measures = State(Estate(self.content, self.plan)), Measures()
        state.contents.update(self.grown)
        for entry, entry_us in self.records:
            if entry_us > at_us:
                break
            measures.see(entry, state.estate, entry_us)
            apply(state, entry, entry_us)
        return Present(state, measures, at_us)


def _twin(host: Host, mark: str) -> Host:
    return host.model_copy(update={"id": f"new-{mark}"})


def judged(seed: int, known: Content, runs: int) -> dict[str, Any]:
    """One seed: for each function whether it came inside the band, and the band in hours."""
    began_s = time.process_time()
    incident = Incident(seed, known)
    found: dict[str, Any] = {"seed": seed}
    for name, came_us in incident.back.items():
        if not came_us:
            continue
        present = incident.present_at(START_US + (came_us - START_US) // 4)
        forecaster = Forecaster(present)
        times = times_s(present, [forecaster.future(number) for number in range(1, runs + 1)], name)
        came_s = (came_us - present.now_us) // SECOND
        low_s, middle_s, high_s = (percentile(times, percent) for percent in (10, 50, 90))
        found[name] = {
            "inside": low_s <= came_s <= high_s,
            "below": came_s < low_s,
            "came_h": round(came_s / 3600, 1),
            "band_h": [round(one / 3600, 1) for one in (low_s, middle_s, high_s)],
        }
    found["cpu_s"] = round(time.process_time() - began_s, 1)
    return found


def summed(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The table: per function how many seeds, the share inside, before and after the band, its median width."""
    table: dict[str, Any] = {}
    for name in JUDGED:
        rows = [one[name] for one in results if name in one]
        if rows:
            widths = sorted(row["band_h"][2] / max(row["band_h"][0], 0.1) for row in rows)
            table[name] = {
                "seeds": len(rows),
                "inside_percent": round(100 * sum(row["inside"] for row in rows) / len(rows)),
                "sooner_percent": round(100 * sum(row["below"] for row in rows) / len(rows)),
                "p90_over_p10": round(widths[len(widths) // 2], 2),
            }
    return {"bench": "calibration", "functions": table, "cpu_s": round(sum(one["cpu_s"] for one in results), 1)}


def main() -> None:
    """Judges the seeds; with a progress file it goes on where it was stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0..99")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--progress", type=Path)
    chosen = parser.parse_args()
    first, _, last = chosen.seeds.partition("..")
    results: dict[int, dict[str, Any]] = {}
    if chosen.progress and chosen.progress.exists():
        results = {one["seed"]: one for one in map(json.loads, chosen.progress.read_text().splitlines())}
    known = usable(ROOT)
    for seed in range(int(first), int(last) + 1):
        if seed in results:
            continue
        results[seed] = judged(seed, known, chosen.runs)
        print(json.dumps(results[seed]), file=sys.stderr, flush=True)
        if chosen.progress:
            with chosen.progress.open("a") as file:
                print(json.dumps(results[seed]), file=file)
    print(json.dumps(summed(list(results.values()))))


if __name__ == "__main__":
    main()
