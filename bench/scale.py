"""Measures graph, plan, core and forecast on estates of 1,700 and 17,000 hosts, and with `--large` 170,000.

Each size is one fresh process, each stage its CPU seconds, the MiB it adds and the most that is held; the rival is
n log n: `growth` compares one size with the one before it, 1.0 is as n log n grows, less is better. The core plays a
restart without faults, the forecast its first future, the one in five that is played to its end; at the smallest size
`forecasts_cpu_s` is worked out from the mean of several. Prints each stage as it ends and a table on stderr, one JSON
line, and asserts nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.estates import generate, write
from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.estate import Estate
from orchestrator.decision.state import State
from orchestrator.plans import needs, priority
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.simulation.forecast import Forecaster, Present
from orchestrator.simulation.measures import Measures

SIZES = (1_700, 17_000)
LARGE = 170_000
FORECASTS = 200
START_US = 1_700_000_000_000_000
STAGES = ("read", "graph", "plan", "core", "forecaster", "forecast")
KIB = 1024
Stages = dict[str, dict[str, float]]


def _status_kib(field: str) -> int:
    """A line of this process's status: VmRSS what it holds now, VmHWM what it held at most."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


@contextmanager
def measured(found: Stages, stage: str) -> Iterator[None]:
    """Notes what the block takes: CPU seconds, MiB beyond what was held before, and at most in all."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
    before_kib, began_s = _status_kib("VmRSS"), time.process_time()
    yield
    spent_s = time.process_time() - began_s
    peak_kib = _status_kib("VmHWM")
    found[stage] = {
        "cpu_s": round(spent_s, 3),
        "mib": round((peak_kib - before_kib) / KIB, 1),
        "peak_mib": round(peak_kib / KIB, 1),
    }
    print(f"{stage}: {spent_s:.2f} s, at most {peak_kib / KIB:.0f} MiB", file=sys.stderr, flush=True)


def graph_stage(content: Content) -> None:
    """From content to who is needed by whom."""
    graph = needs.build(content)
    if any(needs.find_cycles(graph)):
        raise SystemExit("These services wait for each other.")
    priority.layers(graph, priority.function_ranks(content))


def one_size(folder: Path, runs: int, stages: tuple[str, ...]) -> Stages:
    """All stages on one estate; `mean_cpu_s` of the forecast is that of so many futures."""
    found: Stages = {}
    with measured(found, "read"):
        content = usable(folder)
    with measured(found, "graph"):
        graph_stage(content)
    with measured(found, "plan"):
        plan = derive(content)
    if "core" in stages:
        with measured(found, "core"):
            stuck = DryRun(content, plan).run()
        if stuck:
            raise SystemExit(f"The restart does not finish: {stuck[:3]}")
    if "forecast" in stages:
        with measured(found, "forecaster"):
            forecaster = Forecaster(Present(State(Estate(content, plan)), Measures(), START_US))
        with measured(found, "forecast"):
            forecaster.future(1)
        began_s = time.process_time()
        for number in range(2, runs + 1):
            forecaster.future(number)
        later_s = time.process_time() - began_s
        found["forecast"]["mean_cpu_s"] = round((found["forecast"]["cpu_s"] + later_s) / runs, 3)
    return found


def in_own_process(hosts: int, runs: int, stages: tuple[str, ...]) -> Stages:
    """The same, in a process that has measured nothing before."""
    print(f"{hosts:,} hosts", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write(generate(hosts, seed=1), Path(folder))
        command = [sys.executable, "-m", "bench.scale", "--folder", folder, "--runs", str(runs), "--stages", *stages]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    found: Stages = json.loads(done.stdout)
    return found


def growth(sizes: list[tuple[int, Stages]]) -> Iterator[tuple[int, Stages]]:
    """Each size with how its seconds grew from the one before, over n log n."""
    before: tuple[int, Stages] | None = None
    for hosts, found in sizes:
        if before is not None:
            allowed = hosts * math.log(hosts) / (before[0] * math.log(before[0]))
            for stage, figures in found.items():
                if stage in before[1]:
                    figures["growth"] = round(figures["cpu_s"] / max(0.001, before[1][stage]["cpu_s"]) / allowed, 2)
        before = hosts, found
        yield hosts, found


def table(sizes: list[tuple[int, Stages]], said: Callable[[str], Any]) -> None:
    """One line for each size, for people."""
    said("hosts   " + "".join(f"{stage:>26}" for stage in STAGES))
    for hosts, found in sizes:
        cells = [found.get(stage) for stage in STAGES]
        told = [
            f"{one['cpu_s']:.2f} s {one['peak_mib']:.0f} MiB x{one.get('growth', 1)}" if one else "-" for one in cells
        ]
        said(f"{hosts:<8}" + "".join(f"{one:>26}" for one in told))


def main() -> None:
    """Parse the options, measure each size, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options.add_argument("--large", action="store_true", help=f"also {LARGE:,} hosts (about ten minutes)")
    options.add_argument("--runs", type=int, default=20, help="forecasts at the smallest size; one at the others")
    options.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="leave out core or forecast")
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.folder is not None:
        print(json.dumps(one_size(given.folder, given.runs, tuple(given.stages))))
        return
    sizes = [*given.sizes, LARGE] if given.large else list(given.sizes)
    runs = [given.runs, *[1] * (len(sizes) - 1)]
    measured_sizes = [
        (each, in_own_process(each, many, tuple(given.stages))) for each, many in zip(sizes, runs, strict=True)
    ]
    found = list(growth(measured_sizes))
    table(found, lambda line: print(line, file=sys.stderr))
    first = found[0][1].get("forecast", {})
    print(
        json.dumps(
            {
                "bench": "scale",
                "sizes": [{"hosts": hosts, **stages} for hosts, stages in found],
                "forecasts_cpu_s": round(first.get("mean_cpu_s", 0.0) * FORECASTS, 1),
                "forecasts": FORECASTS,
            }
        )
    )


if __name__ == "__main__":
    main()
