"""Matches 100,000 indicators against the stored evidence of 1,700 hosts of 20,000 files each: CPU seconds.

The evidence is stored as inspections store it: compressed, by digest, told by its difference to the golden manifest of
its class; reading, verifying and parsing it is counted. `whole` is the same where no class has a golden manifest. The
rivals hold every manifest whole: a set look-up per file over parsed JSON, and `grep -F -f` over text. Both are measured
on a few hosts and multiplied. All must find the planted files. Prints one JSON line and asserts nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.checks.indicators import Indicator, IndicatorSet
from orchestrator.evidence import manifest
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import Lines, difference
from orchestrator.evidence.matching import Matcher
from orchestrator.journal.blobs import Blobs

CLASSES = 17
RIVAL_HOSTS = 20
LISTS = {
    "services": [
        f"usr/lib/systemd/system/unit-{one}.service:ExecStart=/usr/sbin/daemon-{one} -f" for one in range(300)
    ],
    "patch_level": [f"package-{one} 1.{one}-2" for one in range(500)],
    "resolver": ["etc/hosts:127.0.0.1 localhost", "etc/resolv.conf:nameserver 10.0.0.53"],
}


def line(path: str, content: str) -> bytes:
    return f"{hashlib.sha256(content.encode()).hexdigest()}  {path}".encode()


def indicator_set(count: int, planted: list[bytes], chance: random.Random) -> IndicatorSet:
    """Mostly digests, some names, patterns, domains and addresses; the planted files among them."""
    made = IndicatorSet()
    made.add(Indicator("sha256", one[:64].decode(), "planted") for one in planted)
    made.add(Indicator("sha256", chance.randbytes(32).hex(), "feed") for _ in range(count * 8 // 10))
    made.add(Indicator("name", f"dropper-{one}.bin", "feed") for one in range(count // 20))
    made.add(Indicator("domain", f"c{one}.example.org", "feed") for one in range(count // 20))
    made.add(Indicator("address", f"198.18.{one // 256 % 256}.{one % 256}", "feed") for one in range(count // 20))
    made.add(Indicator("persistence", f"updater-{one}", "feed") for one in range(count // 20 - 20))
    made.add(Indicator("glob", f"*.locked{one}", "feed") for one in range(20))
    return made


class Estate:
    """Hosts of a few classes, each with its golden files and a few that differ."""

    def __init__(self, options: argparse.Namespace, blobs: Blobs) -> None:
        self.options, self.blobs = options, blobs
        self.planted = [line(f"opt/planted-{one}", f"planted {one}") for one in range(10)]
        self.golden: list[Lines] = [
            frozenset(
                line(f"usr/lib/class-{klass}/package-{one % 400}/file-{one}", f"{klass} {one}")
                for one in range(options.files)
            )
            for klass in range(CLASSES)
        ]
        self.digests = [blobs.put(manifest.to_bytes(one)) for one in self.golden]

    def host(self, number: int) -> Lines:
        """Its files; every tenth hundred holds one that is planted."""
        golden, differing = self.golden[number % CLASSES], self.options.differing
        kept = sorted(golden)[differing:]
        new = [line(f"var/lib/host/file-{one}", f"{number} {one}") for one in range(differing)]
        if number % 100 == 0:
            new[0] = self.planted[number // 100 % len(self.planted)]
        return frozenset((*kept, *new))

    def store(self, number: int, *, whole: bool) -> str:
        """Keeps the evidence of one host; its digest."""
        files, name = self.host(number), f"host-{number}"
        lists = {key: (*found, f"{key} of {name}") for key, found in LISTS.items()}
        seen = Evidence(f"{name}/inspect/1", name, files=len(files), lists=lists)
        changes = (
            {"manifest": self.blobs.put(manifest.to_bytes(files))}
            if whole
            else {
                "golden": self.digests[number % CLASSES],
                "differs": difference(files, self.golden[number % CLASSES]),
            }
        )
        return self.blobs.put(Evidence(**{**_fields(seen), **changes}).to_bytes())


def _fields(seen: Evidence) -> dict[str, object]:
    return {name: getattr(seen, name) for name in Evidence.__slots__}


def cpu_s(fn: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds of a call with its children, and what it found."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    found = fn()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.process_time() - start + children, found


def matched(wanted: IndicatorSet, blobs: Blobs, stored: list[str]) -> int:
    """How many hosts a fresh matcher hits; the set is read anew as well."""
    matcher = Matcher(IndicatorSet.from_bytes(wanted.to_bytes()), blobs.get)
    return sum(bool(matcher.match(Evidence.from_bytes(blobs.get(digest))).hits) for digest in stored)


def looked_up(wanted: IndicatorSet, files: list[Path]) -> int:
    """The first rival: every file of every host, parsed from JSON, in a set of digests."""
    digests = set(wanted.values["sha256"])
    return sum(any(digest in digests for _, digest in json.loads(path.read_bytes())) for path in files)


def grepped(patterns: Path, folder: Path) -> int:
    """The second: `grep -F -f`."""
    done = subprocess.run(["grep", "-rlFf", patterns, folder], capture_output=True, text=True, check=False)
    return len(done.stdout.splitlines())


def figures(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Ours on all hosts, ours without golden manifests and the rivals on a few."""
    blobs = Blobs(folder / "evidence", packed=True)
    estate = Estate(options, blobs)
    wanted = indicator_set(options.indicators, estate.planted, random.Random(1))
    stored = [estate.store(number, whole=False) for number in range(options.hosts)]
    few = [number * options.hosts // RIVAL_HOSTS for number in range(RIVAL_HOSTS)]
    whole = [estate.store(number, whole=True) for number in few]
    texts = folder / "texts"
    texts.mkdir()
    parsed = []
    for number in few:
        lines = sorted(estate.host(number))
        (texts / str(number)).write_bytes(b"\n".join(lines))
        parsed.append(folder / f"{number}.json")
        parsed[-1].write_text(json.dumps([[one[66:].decode(), one[:64].decode()] for one in lines]))
    patterns = folder / "patterns"
    patterns.write_text("\n".join(wanted.values["sha256"]))
    times = options.hosts / RIVAL_HOSTS
    ours_s, hit = cpu_s(lambda: matched(wanted, blobs, stored))
    # The set is made ready once, however many hosts: only what each host costs is multiplied.
    ready_s, _ = cpu_s(lambda: matched(wanted, blobs, []))
    whole_s, whole_hit = cpu_s(lambda: matched(wanted, blobs, whole))
    json_s, json_hit = cpu_s(lambda: looked_up(wanted, parsed))
    empty = folder / "empty"
    empty.mkdir()
    grep_ready_s, _ = cpu_s(lambda: grepped(patterns, empty))
    grep_s, grep_hit = cpu_s(lambda: grepped(patterns, texts))
    return {
        "bench": "indicators",
        "indicators": len(wanted),
        "hosts": options.hosts,
        "files": options.files,
        "differing": options.differing,
        "hosts_hit": hit,
        "cpu_s": round(ours_s, 2),
        "of_it_set_s": round(ready_s, 2),
        "whole_cpu_s": round(ready_s + (whole_s - ready_s) * times, 3),
        "rival_json_cpu_s": round(json_s * times, 3),
        "rival_grep_cpu_s": round(grep_ready_s + (grep_s - grep_ready_s) * times, 3),
        "same_hits_on_few": len({whole_hit, json_hit, grep_hit}) == 1,
        "hits_on_few": whole_hit,
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=1700)
    options.add_argument("--files", type=int, default=20_000)
    options.add_argument("--differing", type=int, default=200, help="files of each host that its golden one lacks")
    options.add_argument("--indicators", type=int, default=100_000)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(figures(options.parse_args(), Path(folder))))


if __name__ == "__main__":
    main()
