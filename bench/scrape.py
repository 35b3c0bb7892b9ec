"""Measures one scrape of /metrics at 1,700 hosts: CPU and bytes, collected alone and served over HTTP.

The state is that of a whole restart behind it. The rival is prometheus_client's own text of a registry that just holds
as many samples with the same labels. Prints one JSON line and asserts nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.state import State
from orchestrator.interfaces.metrics import Metrics, measure
from orchestrator.interfaces.serving import serve
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive

ROOT = Path(__file__).parents[1]
SCRAPER = "import sys, urllib.request\nfor _ in range(int(sys.argv[2])): urllib.request.urlopen(sys.argv[1]).read()"


class AtRest:
    """A live process whose engine does nothing but lend its state."""

    def __init__(self, state: State, now_us: int) -> None:
        self._state, self._now_us = state, now_us

    def read(self, fn: Callable[[State, int], Any]) -> Any:
        """Runs `fn` on the state."""
        return fn(self._state, self._now_us)


def static(state: State, now_us: int) -> CollectorRegistry:
    """A registry that holds every sample of ours as a gauge that never changes."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for metric in measure(state, now_us):
        for sample in metric.samples:
            if sample.name not in gauges:
                labels = tuple(sample.labels)
                gauges[sample.name] = Gauge(sample.name, metric.documentation, labels, registry=registry)
            gauge = gauges[sample.name]
            (gauge.labels(**sample.labels) if sample.labels else gauge).set(sample.value)
    return registry


def spent_ms(fn: Callable[[], object], times: int) -> float:
    """CPU milliseconds of one of so many calls."""
    gc.collect()
    start = time.process_time()
    for _ in range(times):
        fn()
    return (time.process_time() - start) / times * 1e3


def served_ms(live: AtRest, times: int) -> float:
    """CPU milliseconds this process spends on answering one scrape of another process."""
    with tempfile.TemporaryDirectory() as folder, serve(live, Path(folder), 0) as listening:
        command = [sys.executable, "-c", SCRAPER, f"{listening.url}/metrics"]
        subprocess.run([*command, "2"], check=True)  # the first answer imports and warms
        return spent_ms(lambda: subprocess.run([*command, str(times)], check=True), 1) / times


def figures(content: Content, times: int, rounds: int) -> dict[str, object]:
    """The best of a few rounds of each, taken in turn."""
    run = DryRun(content, derive(content))
    run.run()
    live = AtRest(run.state, run.now_us)
    metrics, registry = Metrics(live), static(run.state, run.now_us)
    best: dict[str, float] = {}
    for _ in range(rounds):
        one = {
            "cpu_ms": spent_ms(metrics.text, times),
            "served_cpu_ms": served_ms(live, times),
            "rival_cpu_ms": spent_ms(lambda: generate_latest(registry), times),
        }
        best = {name: min(value, best.get(name, value)) for name, value in one.items()}
    text = metrics.text()
    return {
        "bench": "scrape",
        "hosts": len(content.inventory.hosts),
        "samples": sum(not line.startswith(b"#") for line in text.splitlines()),
        "bytes": len(text),
        **{name: round(value, 2) for name, value in best.items()},
        "times_rival": round(best["cpu_ms"] / best["rival_cpu_ms"], 2),
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--estate", type=Path, default=ROOT)
    options.add_argument("--times", type=int, default=20)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    print(json.dumps(figures(usable(given.estate), given.times, given.rounds)))


if __name__ == "__main__":
    main()
