"""Measures the way from files to plan in a fresh process: at 1,700 hosts, and with `--large` at 17,000 and 170,000.

The rival is a fresh Python that does no more than import what such a command cannot do without. `growth` compares one
size with the one before it: 1.0 is as n log n grows, less is better. Prints one JSON line and asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.estates import generate, write

ROOT = Path(__file__).parents[1]
RIVAL = [sys.executable, "-c", "import pydantic, networkx, yaml"]
LARGE = (17_000, 170_000)
MIB = 1024  # KiB, the unit of ru_maxrss


def spent(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak MiB of one run of a command, its own children counted."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}.")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / MIB


def plan(estate: Path) -> list[str]:
    """The command as a person types it; when each function would be back is `bench.scale`'s to measure."""
    return [sys.executable, "-m", "orchestrator.interfaces.cli", "--estate", str(estate), "plan", "--no-hours"]


def large(folder: Path, sizes: tuple[int, ...]) -> list[dict[str, object]]:
    """One run at each size, smallest first, on estates made for it."""
    found: list[dict[str, object]] = []
    before: tuple[int, float] | None = None
    for hosts in sizes:
        write(generate(hosts, seed=1), folder / str(hosts))
        cpu_s, peak_mib = spent(plan(folder / str(hosts)))
        one: dict[str, object] = {"hosts": hosts, "cpu_s": round(cpu_s, 2), "peak_mib": round(peak_mib)}
        if before is not None:
            allowed = hosts * math.log(hosts) / (before[0] * math.log(before[0]))
            one["growth"] = round(cpu_s / before[1] / allowed, 2)
        found.append(one)
        before = hosts, cpu_s
    return found


def measure(estate: Path, rounds: int) -> dict[str, object]:
    """The best of a few rounds, ours and the rival's in turn."""
    ours, rival = [], []
    for _ in range(rounds):
        ours.append(spent(plan(estate)))
        rival.append(spent(RIVAL))
    cpu_s, peak_mib = min(ours)
    rival_s, rival_mib = min(rival)
    return {
        "bench": "plan",
        "cpu_s": round(cpu_s, 3),
        "peak_mib": round(peak_mib),
        "rival_cpu_s": round(rival_s, 3),
        "rival_peak_mib": round(rival_mib),
        "times_rival": round(cpu_s / rival_s, 2),
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--estate", type=Path, default=ROOT)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument(
        "--large", action="store_true", help="also 1,700, 17,000 and 170,000 synthetic hosts (minutes)"
    )
    options.add_argument("--sizes", type=int, nargs="*", help="also synthetic estates of these sizes")
    given = options.parse_args()
    sizes = (1_700, *LARGE) if given.large else tuple(given.sizes or ())
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(given.estate, given.rounds)
        print(json.dumps({**figures, "large": large(Path(folder), sizes)}))


if __name__ == "__main__":
    main()
