"""Asks 1,700 TCP, 1,700 HTTP and 400 DNS questions through the Prober: CPU and wall time; a sweep of 10,000: memory.

The rival is Debian's `prometheus-blackbox-exporter`, asked for the same targets in the same order by as many scrapers
at once over kept connections; the exporter's CPU alone is counted. Peers run in a process of their own. The sweep is
made by a fresh process, which then asks the same addresses through the Prober as well. Prints one JSON line and asserts
nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers import ROOT, addresses, peers
from orchestrator.probes.base import Question
from orchestrator.workers.probing import Prober, sweep
from tests.managed_hosts import free_port

RIVAL = "prometheus-blackbox-exporter"
ZONE = "lab.example.org"
SCRAPERS = 16  # as many as a Prober has threads
LOOK_S = 0.05
NETS = {"tcp": 81, "http": 82, "dns": 83}
MODULES = {
    "tcp": {"prober": "tcp", "tcp": {"preferred_ip_protocol": "ip4"}},
    "http": {"prober": "http", "http": {"preferred_ip_protocol": "ip4"}},
    "dns": {
        "prober": "dns",
        "dns": {"query_name": ZONE, "query_type": "A", "preferred_ip_protocol": "ip4", "transport_protocol": "udp"},
    },
}

Asked = tuple[str, Question]


@dataclass(frozen=True)
class Spent:
    """What one turn through all targets cost, and how many of them were found to be well."""

    cpu_s: float
    wall_s: float
    passed: int


def questions(counts: dict[str, int], ports: dict[str, int]) -> list[Asked]:
    """All of them in one order, kinds mixed."""
    params: dict[str, dict[str, str | int | bool]] = {"tcp": {}, "http": {}, "dns": {"name": ZONE}}
    found = [
        (probe, Question(address, ports[probe], params=params[probe]))
        for probe, count in counts.items()
        for address in addresses(NETS[probe], count)
    ]
    random.Random(1).shuffle(found)
    return found


def ours(asked: list[Asked]) -> Spent:
    """Our turn."""
    prober, passed, waiting = Prober(), 0, len(asked)
    start, begun = time.process_time(), time.monotonic()
    for number, (probe, question) in enumerate(asked):
        prober.submit(str(number), probe, question)
    while waiting:
        time.sleep(LOOK_S)
        answers = prober.poll()
        waiting -= len(answers)
        passed += sum(answer.outcome == "PASS" for _, answer in answers)
    spent = Spent(time.process_time() - start, time.monotonic() - begun, passed)
    prober.close()
    return spent


@dataclass(frozen=True)
class Exporter:
    """The rival as it runs."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """CPU seconds since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def asked(self, asked: list[Asked]) -> Spent:
        """Its turn."""
        lines = threading.local()

        def one(asking: Asked) -> bool:
            if not hasattr(lines, "line"):
                lines.line = socket.create_connection(("127.0.0.1", self.port))
            probe, question = asking
            where = f"http://{question.where}/" if probe == "http" else question.where
            return scraped(lines.line, f"/probe?module={probe}&target={where}")

        before, begun = self.cpu_s(), time.monotonic()
        with ThreadPoolExecutor(SCRAPERS) as scrapers:
            passed = sum(scrapers.map(one, asked))
        return Spent(self.cpu_s() - before, time.monotonic() - begun, passed)


def scraped(line: socket.socket, path: str) -> bool:
    """Whether the exporter says that a probe succeeded. As Prometheus does, the connection is kept."""
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: exporter\r\n\r\n".encode())
    said = b""
    while not _whole(said):
        more = line.recv(1 << 16)
        if not more:
            raise SystemExit(f"{RIVAL} closed the connection: {said!r}")
        said += more
    return b"\nprobe_success 1\n" in re.sub(rb"\r\n[0-9a-f]+\r\n", b"", said)


def _whole(said: bytes) -> bool:
    head, _, body = said.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return len(body) == int(length[1]) if length else body.endswith(b"\r\n0\r\n\r\n")


@contextmanager
def exporter() -> Iterator[Exporter]:
    """Debian's exporter with its own defaults, once it answers."""
    program = shutil.which(RIVAL)
    if program is None:
        raise SystemExit(f"The rival is missing. As root: apt-get install --no-install-recommends {RIVAL}")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "blackbox.yml"
        config.write_text(json.dumps({"modules": MODULES}))
        command = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process, _ending(process):
            until_s = time.monotonic() + 30
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if process.poll() is not None or time.monotonic() > until_s:
                    raise SystemExit(f"{RIVAL} does not start.")
                time.sleep(LOOK_S)
            yield Exporter(process.pid, port)


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()


def peak_mib() -> int:
    """The most memory of this process; `ru_maxrss` would count what its starter had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) >> 10


def swept(count: int, port: int) -> dict[str, object]:
    """Who of so many answers from outside, then by the tcp probe, and the memory of the process that asked."""
    found = addresses(NETS["tcp"], count)
    start = time.process_time()
    seen = sweep("127.0.0.1", ((address, port) for address in found), (found[0], port), timeout_s=10)
    cpu_s = time.process_time() - start
    sweep_mib = peak_mib()
    asked = ours([("tcp", Question(address, port)) for address in found])
    return {
        "sweep": count,
        "sweep_answered": len(seen.answered) + seen.control,
        "sweep_cpu_s": round(cpu_s, 2),
        "sweep_peak_mib": sweep_mib,
        "sweep_asked_passed": asked.passed,
        "sweep_asked_cpu_s": round(asked.cpu_s, 2),
        "sweep_asked_peak_mib": peak_mib(),
    }


def best(turns: list[Spent]) -> Spent:
    """The least of each; and of the passed, so that a turn in which some failed is seen."""
    return Spent(*(min(getattr(turn, name) for turn in turns) for name in ("cpu_s", "wall_s", "passed")))


def figures(options: argparse.Namespace) -> dict[str, object]:
    """Ours and the rival's in turn, the best of a few rounds; then the sweep, alone in a process."""
    counts = {"tcp": options.tcp, "http": options.http, "dns": options.dns}
    with peers(addresses(NETS["dns"], options.dns)) as ports, exporter() as rival:
        asked = questions(counts, ports)
        few = asked[:: max(1, len(asked) // 100)]
        ours(few), rival.asked(few)  # what is loaded once is loaded
        turns = [(ours(asked), rival.asked(asked)) for _ in range(options.rounds)]
        command = [sys.executable, "-m", "bench.probes", "--sweep-alone", str(options.sweep), str(ports["tcp"])]
        alone = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
    our, theirs = best([one for one, _ in turns]), best([one for _, one in turns])
    return {
        "bench": "probes",
        **counts,
        "passed": our.passed,
        "rival_passed": theirs.passed,
        "cpu_s": round(our.cpu_s, 2),
        "rival_cpu_s": round(theirs.cpu_s, 2),
        "times_rival": round(our.cpu_s / theirs.cpu_s, 2) if theirs.cpu_s else None,
        "wall_s": round(our.wall_s, 2),
        "rival_wall_s": round(theirs.wall_s, 2),
        **alone,
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tcp", type=int, default=1700)
    options.add_argument("--http", type=int, default=1700)
    options.add_argument("--dns", type=int, default=400)
    options.add_argument("--sweep", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--sweep-alone", type=int, nargs=2, metavar=("COUNT", "PORT"), help="the sweep's own process")
    given = options.parse_args()
    print(json.dumps(swept(*given.sweep_alone) if given.sweep_alone else figures(given)))


if __name__ == "__main__":
    main()
