"""Measures what a restart of the engine costs: the replay of 200,000 records into a fresh state.

The records are those of one long incident: a faultless restart of the whole estate, then host after host recalled
(where that stops no care), inspected, judged and let out again until there are enough. The rival only parses the same
bytes as JSON. Prints one JSON line and asserts nothing; `--profile` shows where time goes.
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
from pathlib import Path

from orchestrator.decision import codec
from orchestrator.decision.commands import Issue
from orchestrator.decision.decide import decide
from orchestrator.decision.dryrun import SECOND, DryRun
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Finished
from orchestrator.decision.order_rules import stops
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.engine.recovery import applied_to
from orchestrator.journal.record import encode
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive

ROOT = Path(__file__).parents[1]
RECALL_EVERY_S = 400
KEPT = {"digest": "d", "medium": "disk", "holder": "store"}


class Incident(DryRun):
    """A faultless run that is journaled, and that can go on once everything is back."""

    def __init__(self, content: Content, journal: Journal) -> None:
        super().__init__(content, derive(content))
        self._journal = journal

    def go_on(self, records: int) -> None:
        """Restarts the estate, then recalls everybody again and again until the journal has that many records."""
        self._journal.begin()
        while self.state.seq < records:
            stuck = self.run()
            if stuck:
                raise SystemExit(f"The incident does not go on: {stuck[:3]}")
        self._journal.commit()

    def _open(self) -> None:
        if not self.state.seq:
            super()._open()
            return
        for host, stage in enumerate(self.state.stage):
            if stage is Stage.IN_SERVICE and not stops(self.state, host):
                self.now_us += RECALL_EVERY_S * SECOND
                self._order("host.recall", self.state.estate.hosts[host], {}, "operator-a")

    def _step(self, event: Event) -> None:
        self.steps += 1
        for entry in decide(self.state, event, self.now_us):
            kind, body = codec.encode(entry)
            self._journal.append(self.state.at_us, kind, body)
            if isinstance(entry, Issue):
                self._queue.append(Finished(entry.action, "ok", "", {**KEPT, "restore_point_us": 1, "host_key": "key"}))


def replayed(path: Path, estate: Estate) -> tuple[float, State]:
    """CPU seconds of opening the journal and applying every record, each verified."""
    state = State(estate)
    gc.collect()
    start = time.process_time()
    with Journal.open(path) as journal:
        replay(journal, applied_to(state, path.parent))
    return time.process_time() - start, state


def parsed(texts: list[bytes]) -> float:
    """CPU seconds of parsing the same bytes and nothing more."""
    gc.collect()
    start = time.process_time()
    for text in texts:
        json.loads(text)
    return time.process_time() - start


def measure(content: Content, folder: Path, records: int, rounds: int) -> dict[str, object]:
    """The best of a few rounds, ours and the rival's in turn; both read the same records."""
    path = folder / "state" / "journal.sqlite"
    with Journal.create(path) as journal:
        incident = Incident(content, journal)
        incident.go_on(records)
        texts = [encode(record) for record in journal.records()]
    best = rival = float("inf")
    for _ in range(rounds):
        spent, state = replayed(path, incident.state.estate)
        best, rival = min(best, spent), min(rival, parsed(texts))
    return {
        "bench": "replay",
        "hosts": len(content.inventory.hosts),
        "records": len(texts),
        "bytes_per_record": sum(map(len, texts)) // len(texts),
        "same_state": state.digest() == incident.state.digest(),
        "cpu_s": round(best, 3),
        "cpu_s_per_200000": round(best / len(texts) * 200_000, 3),
        "record_us": round(best / len(texts) * 1e6, 2),
        "rival_cpu_s": round(rival, 3),
        "times_rival": round(best / rival, 2),
    }


def by_function(path: Path, estate: Estate) -> None:
    """Where the time goes, on stderr."""
    profile = cProfile.Profile()
    profile.runcall(replayed, path, estate)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--estate", type=Path, default=ROOT)
    options.add_argument("--records", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--profile", action="store_true")
    given = options.parse_args()
    content = usable(given.estate)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(content, Path(folder), given.records, given.rounds)))
        if given.profile:
            by_function(Path(folder) / "state" / "journal.sqlite", Estate(content, derive(content)))


if __name__ == "__main__":
    main()
