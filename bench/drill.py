"""Measures a whole drill, by default of 1,700 hosts: minutes, CPU, and the peak memory of all its processes together.

It is the drill itself, so it can be killed at any moment and goes on when asked again with the same `--state`; the peak
is that of this run. There is no rival: nothing else restarts a hospital. Prints one JSON line, the drill's own document
with `peak_mib` beside it, and ends with the drill's exit code.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LOOK_S = 5.0
PARTS = ("engine", "people", "fleet")


def tree(roots: Iterable[int]) -> set[int]:
    """These processes and all their descendants, as of now."""
    found: set[int] = set()
    todo = list(roots)
    while todo:
        pid = todo.pop()
        if pid not in found:
            with suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    todo += map(int, (task / "children").read_text().split())
                found.add(pid)
    return found


def memory_kib(pids: Iterable[int]) -> int:
    """What they use together; a page that several share counts once (Pss), where the kernel lets us see it."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def parts(root: Path) -> list[int]:
    """The processes of the drill that have sessions of their own."""
    found = []
    for name in PARTS:
        with suppress(OSError, ValueError):
            found.append(int((root / f"{name}.pid").read_text()))
    return found


def main() -> int:
    """Begins the drill, or goes on with it, and looks at its memory until it ends."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=1700)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--faults", default="some")
    options.add_argument("--estate", type=Path, default=Path(__file__).parents[1])
    options.add_argument("--state", type=Path, default=Path("drill-1700"))
    given = options.parse_args()
    words = ["--resume", str(given.state)]
    if not (given.state / "drill.json").exists():
        words = ["--hosts", str(given.hosts), "--seed", str(given.seed), "--faults", given.faults]
        words += ["--state", str(given.state)]
    command = [sys.executable, "-m", "orchestrator.interfaces.cli", "--estate", str(given.estate), "--format", "json"]
    drill = subprocess.Popen([*command, "drill", *words], stdout=subprocess.PIPE, text=True)
    peak_kib = 0
    while drill.poll() is None:
        peak_kib = max(peak_kib, memory_kib(tree([drill.pid, *parts(given.state)])))
        with suppress(subprocess.TimeoutExpired):
            drill.wait(LOOK_S)
    document = json.loads(drill.stdout.read() if drill.stdout else "{}")
    print(json.dumps({"bench": "drill", **document, "peak_mib": peak_kib // 1024}))
    return drill.returncode


if __name__ == "__main__":
    sys.exit(main())
