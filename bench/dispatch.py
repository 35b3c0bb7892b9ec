"""Measures what Relance itself costs per action: journal, decision and dispatch, with workers that do nothing.

The real engine turns on the real journal over a faultless restart: batches are gathered, run folders written, results
read back as events; only the runners are missing, and time is invented. What the invented people and probes cost is
counted too. The rival appends the same records to a plain SQLite table in as many commits. Prints one JSON line and
asserts nothing; `--profile` shows where time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.journal import append_rival
from orchestrator.decision.dryrun import SECOND, DryRun
from orchestrator.decision.events import Event
from orchestrator.decision.stages import OUT
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import Dispatcher, Places
from orchestrator.engine.hands import LiveHands
from orchestrator.engine.loop import Engine
from orchestrator.engine.process import lay_out
from orchestrator.engine.rematch import Rematching
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.record import encode
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.workers.base import Outcome, Request

ROOT = Path(__file__).parents[1]
TURN_US = SECOND // 2
FACTS: dict[str, Any] = {"restore_point_us": 1, "host_key": "ssh-ed25519 AAAA", "digest": "0" * 64}
FACTS |= {"medium": "disk", "holder": "store"}


class NoWork:
    """A worker for which everything ends well at once."""

    def __init__(self) -> None:
        self._ended: list[Outcome] = []

    def submit(self, run_dir: Path, requests: Sequence[Request]) -> None:
        """Every action of the batch has ended."""
        self._ended += [Outcome(request.action, "ok", "", FACTS) for request in requests]

    def cancel(self, action: str) -> None:
        """Too late, always."""

    def poll(self) -> list[Outcome]:
        """What ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def live(self) -> list[Path]:
        """Nothing goes on."""
        return []

    def close(self) -> None:
        """Nothing to end."""


class World(DryRun):
    """People, probes and time. Stands where the watch stands; asks only when nothing else happened."""

    def __init__(self, content: Content) -> None:
        super().__init__(content, derive(content))
        self.told: list[Event] = []
        self.turns = 0
        self._open()

    def poll(self, state: State, now_us: int) -> list[Event]:
        """What people and probes say now; time goes on by half a second, or to the next timer."""
        self.turns += 1
        self.now_us += TURN_US
        told, self.told = [*self.told, *self._people()], []
        if not told and not state.open:
            self._look_around()  # told in the next turn: no sweep begins later than the turn that hears of it
            if not self.told and state.timers:
                self.now_us = max(self.now_us, state.timers[0][0])
        return told

    def close(self) -> None:
        """Nothing to end."""

    def _step(self, event: Event) -> None:
        self.told.append(event)


class WorldClock:
    """The engine's clock: the world's time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now_us(self) -> int:
        """The world's time."""
        return self._world.now_us

    elapsed_us = now_us

    def sleep_s(self, duration_s: float) -> None:
        """Nobody waits."""


def over(state: State, now_us: int) -> bool:
    """Whether everything is in service again and every gate has passed."""
    return all(wave.passed_us for wave in state.waves) and all(
        stage in OUT for host, stage in enumerate(state.stage) if state.wave_of[host] >= 0
    )


def restart(content: Content, state_dir: Path) -> tuple[float, World, list[bytes]]:
    """CPU seconds of the engine over a whole restart, the world it was in, and the bytes of every record."""
    lay_out(state_dir)
    world = World(content)
    places = Places(state_dir / "playbooks", state_dir / "runs", state_dir / "key", state_dir / "known_hosts")
    dispatcher = Dispatcher(places, NoWork(), NoWork())
    hands = LiveHands(dispatcher, world, Rematching(Blobs(state_dir / "evidence")))
    engine = Engine(state_dir, world.state, hands, WorldClock(world))
    gc.collect()
    start = time.process_time()
    engine.start(lambda: (Journal.create(state_dir / "journal.sqlite"), []))
    while not engine.read(over):  # each look also lets the engine turn at once
        pass
    spent = time.process_time() - start
    engine.stop()
    with Journal.open(state_dir / "journal.sqlite") as journal:
        return spent, world, [encode(record) for record in journal.records()]


def measure(content: Content, folder: Path, rounds: int) -> dict[str, object]:
    """The best of a few rounds, ours and the rival's in turn."""
    best = rival = float("inf")
    for number in range(rounds):
        spent, world, texts = restart(content, folder / str(number))
        batch = max(1, len(texts) // world.turns)
        best = min(best, spent)
        rival = min(rival, append_rival(folder / f"plain-{number}.sqlite", texts, batch))
    actions = sum(sum(attempts) for attempts in world.state.attempts) + sum(world.state.site_attempts)
    return {
        "bench": "dispatch",
        "hosts": len(content.inventory.hosts),
        "actions": actions,
        "records": len(texts),
        "turns": world.turns,
        "cpu_ms_per_action": round(best / actions * 1e3, 3),
        "rival_ms_per_action": round(rival / actions * 1e3, 3),
        "times_rival": round(best / rival, 2),
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--estate", type=Path, default=ROOT)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--profile", action="store_true")
    given = options.parse_args()
    content = usable(given.estate)
    with tempfile.TemporaryDirectory() as folder:
        if given.profile:
            profile = cProfile.Profile()
            turning = Engine._run
            Engine._run = lambda engine: profile.runcall(turning, engine)  # the engine turns in a thread of its own
            restart(content, Path(folder) / "profiled")
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(30)
        else:
            print(json.dumps(measure(content, Path(folder), given.rounds)))


if __name__ == "__main__":
    main()
