"""Runs a drill: lays an estate down, destroys its practice hosts, and restarts it with the real engine.

Never decides and never signs: the engine and the simulated people are processes of their own, killed and resumed like
any other. What it reports comes from the journal and from the logs the hosts and gates kept themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from orchestrator.clock import SystemClock
from orchestrator.decision.orders import genesis_args
from orchestrator.engine.process import lay_out
from orchestrator.errors import RelanceError, Unusable, UsageError
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content, Login
from orchestrator.plans.waves import derive
from orchestrator.practice import fleet_launch, ransomware
from orchestrator.practice.analysts import Story
from orchestrator.practice.display import display, in_words
from orchestrator.practice.drill_report import Report, report
from orchestrator.practice.fleet_disk import image_digest
from orchestrator.practice.fleet_file import PRESETS, FleetFile, write_whole
from orchestrator.practice.fleet_file import load as load_fleet
from orchestrator.practice.people import ANALYSTS, alone
from orchestrator.practice.rehearsal import (
    PEOPLE,
    REPLACED,
    Ports,
    fleet_file,
    rehearse,
    with_dormant,
    with_faults,
    write_estate,
)
from orchestrator.practice.signing import Line, NotAnswering
from orchestrator.simulation.scale import practised, scaled
from orchestrator.trust import keys

LOOK_S = 1.0
SOME = ("refuse", "drop", "fails-once", "slow", "still-infected")
# What people bring about, not hosts.
PEOPLE_FAULTS = ("lazy-technician", "infected-after-release", "disagreement", "revoked-key", "new-indicators")
LAZY, LATE, DISAGREE, REVOKED, NEW_SET = PEOPLE_FAULTS
PLAN, LOCK = "drill.json", "drill.lock"


class Stopped(RelanceError):
    """Somebody ended the drill before it was over; it can be resumed."""

    code = "stopped"
    exit_code = 130


@dataclass(slots=True, frozen=True)
class Options:
    """What a drill was asked to be."""

    hosts: int
    seed: int
    faults: tuple[str, ...]

    @classmethod
    def of(cls, hosts: int, seed: int, faults: str) -> Options:
        """`faults` is none, some, all or a list. Raises UsageError for a fault nobody knows, the empty one too."""
        known = {"none": (), "some": (*SOME, *PEOPLE_FAULTS), "all": (*PRESETS, *PEOPLE_FAULTS)}
        chosen = known.get(faults, tuple(name.strip() for name in faults.split(",")))
        for name in chosen:
            if name not in (*PRESETS, *PEOPLE_FAULTS):
                listed = f"none, some, all, or any of {', '.join((*PRESETS, *PEOPLE_FAULTS))}"
                raise UsageError(f"There is no fault {name or 'without a name'}; there are {listed}.", fault=name)
        return cls(hosts, seed, chosen)


def begin(source: Path, root: Path, options: Options) -> None:
    """Makes the drill's folder and notes what was asked; from here on the drill can be resumed.

    Raises UsageError, and leaves nothing behind, where the folder holds something or the hosts are too few.
    """
    if root.exists() and any(path.suffix != ".partial" for path in root.iterdir()):
        raise UsageError(f"{root} is not empty; give another --state, or go on with --resume {root}.", path=str(root))
    scaled(usable(source), options.hosts)
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    root.chmod(0o755)  # the fleet's user must reach the hosts' folders below it
    plan = {**asdict(options), "source": str(source.absolute()), "started_us": 0, "cpu_us": {}}
    _write(root / PLAN, plan)


def put_away(root: Path) -> None:
    """Ends and deletes an earlier drill in this folder; raises Unusable while another process runs it."""
    if (root / PLAN).exists():
        with alone(root / LOCK, f"A drill is being run in {root}. End it there with Ctrl-C, or give another --state."):
            for name in ("people", "engine"):
                _end_part(root, name)
            _clear(root)
            shutil.rmtree(root)


def prepare(root: Path, plan: dict[str, Any], say: Callable[[str], None]) -> None:
    """Keys, a running fleet struck by ransomware, the estate it stands for. Begun anew where an earlier try ended."""
    _clear(root)
    for folder in (root / "fleet", root / "keys"):
        folder.mkdir(mode=0o700)
    (root / "fleet").chmod(0o755)
    lay_out(root / "state")
    client = keys.generate(root / "state" / "secrets" / "ssh_key").line
    public = {person: keys.generate(root / "keys" / person).line for person in PEOPLE}
    ports, struck_us = Ports(*_free_ports()), SystemClock().now_us()
    whole = usable(Path(plan["source"]))
    content = scaled(whole, plan["hosts"])
    rehearsed = rehearse(content, public, "drill", ports)
    story = _story(rehearsed, plan)
    fleet = with_dormant(fleet_file(rehearsed, plan["seed"], client, ports, struck_us), story["dormant"])
    with_faults(fleet, plan["faults"], plan["seed"], [story["late"]]).save(root / "fleet")
    write_whole(root / "engine.pid", str(os.getpid()).encode())
    user = fleet_launch.launch(root / "fleet", limit_s=180).user
    rehearsed = rehearse(content, public, user, ports)
    write_estate(rehearsed, Path(plan["source"]) / "plans" / "playbooks", root / "estate")
    struck = ransomware.strike(root / "fleet", load_fleet(root / "fleet"))
    say("\n  ".join((f"{struck} practice hosts are encrypted. Replaced for the drill:", *REPLACED)))
    say("\n".join(practised(whole, content)))
    told = {**story, "t0_us": struck_us - 600_000_000, "lazy": LAZY in plan["faults"]}
    told |= {"waived": _waived(rehearsed), "lots": _lots(fleet)}
    write_people(root, rehearsed, told, Login(user=user, port=ports.ssh))
    plan["started_us"] = struck_us
    _write(root / PLAN, plan)


def write_people(root: Path, content: Content, told: dict[str, Any], gate: Login) -> None:
    """Tells the simulated people what they know and where the gates are."""
    _write(root / "people.json", {
        **told, "reading_s": 0.02,
        "genesis": genesis_args(content),
        "outside": [service.id for service in content.inventory.services if service.kind == "outside"],
        "gates": {site.id: {"address": site.gate.partition(":")[0], "port": gate.port, "user": gate.user}
                  for site in content.inventory.sites},
    })  # fmt: skip


def _waived(content: Content) -> list[str]:
    """The one class whose evidence the forensic lead does without: workstations the plan would have preserved."""
    asked = (one.id for one in content.classes if one.kind == "workstation" and one.preservation == "required")
    return list(islice(asked, 1))


def _lots(fleet: FleetFile) -> list[list[str]]:
    """Site and image of each lot that people will judge workstations by: they know the images before any is made."""
    posts = [host for host in fleet.hosts if host.kind == "workstation"]
    return [list(one) for one in sorted({(host.site, image_digest(host, fleet.seed)) for host in posts})]


def _story(content: Content, plan: dict[str, Any]) -> Story:
    """Whom it befalls: found infected after its release is a post, of those that come out first; asleep lies something
    on the next post and on the last, at another site if there is one; one host in fifteen is disputed."""
    faults, seed, waves = plan["faults"], plan["seed"], derive(content).waves
    posts = [post for wave in waves for post in sorted(chain.from_iterable(wave.gate.posts.values()))]
    sites = {host.id: host.site for host in content.inventory.hosts}
    last = max(posts[2:], key=lambda post: (sites[post] != sites[posts[1]], posts.index(post)), default="")
    two = {one.id for one in content.classes if one.verdicts_required > 1}
    hosts = [host.id for host in content.inventory.hosts if host.klass in two]
    return {
        "seed": seed,
        "late": posts[0] if LATE in faults and posts else "",
        "dormant": [post for post in (*posts[1:2], last) if post] if NEW_SET in faults else [],
        "disputed": sorted(random.Random(f"{seed} disputed").sample(hosts, -(-len(hosts) // 15)))
        if DISAGREE in faults
        else [],
        "revoked": ANALYSTS[-1] if REVOKED in faults else "",
    }


def _clear(root: Path) -> None:
    """Takes away what a preparation that was killed left behind."""
    fleet_launch.stop(root / "fleet")
    for path in root.iterdir():
        if path.name in (PLAN, LOCK):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


class Drill:
    """A prepared drill being run, or run on."""

    way: tuple[str, ...] = ()  # the words before a command that run it where engine and people stand

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self.root = root
        self.say = say
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._plan = json.loads((root / PLAN).read_bytes())
        self._line = Line(root / "state")

    def run(self, show: Callable[[dict[str, Any]], None]) -> Report:
        """Until everything that can be in service is; then the report. Raises Unusable when a part of it dies."""
        if not self._plan["started_us"]:
            self._prepare()
        self._start()
        try:
            self._watch(show)
        finally:
            self._count_cpu()
            self._end()
        return self._told()

    def _prepare(self) -> None:
        prepare(self.root, self._plan, self.say)

    def _hosts(self) -> fleet_launch.Ready:
        """The fleet, running and struck."""
        fleet = fleet_launch.launch(self.root / "fleet", limit_s=180)
        ransomware.strike(self.root / "fleet", load_fleet(self.root / "fleet"))
        return fleet

    def _told(self) -> Report:
        """How it went; the fleet has served."""
        found = report(self.root, self._plan, self._cpu_us())
        fleet_launch.stop(self.root / "fleet")
        return found

    def _start(self) -> None:
        for name in ("people", "engine"):
            _end_part(self.root, name)
        write_whole(self.root / "engine.pid", str(os.getpid()).encode())
        fleet = self._hosts()
        write_whole(self.root / "fleet.pid", str(fleet.pid).encode())
        pins = (self.root / "fleet" / "known_hosts").read_bytes()
        write_whole(self.root / "state" / "secrets" / "management_hosts", pins, 0o600)
        relance = [sys.executable, "-m", "orchestrator.interfaces.cli"]
        where = ["--estate", str(self.root / "estate"), "--state", str(self.root / "state")]
        self._launch("engine", [*relance, *where, "run", "--port", "0"])
        self._launch("people", [sys.executable, "-m", "orchestrator.practice.people", str(self.root)])

    def _launch(self, name: str, command: list[str]) -> None:
        with (self.root / f"{name}.out").open("ab") as output:
            self._children[name] = subprocess.Popen(
                [*self.way, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        write_whole(self.root / f"{name}.pid", str(self._children[name].pid).encode())

    def _watch(self, show: Callable[[dict[str, Any]], None]) -> None:
        while True:
            time.sleep(LOOK_S)
            self._count_cpu()
            self._still_there()
            over = self._children["people"].poll() == 0  # they end once they saw it whole, and signed the last of it
            status = self._status()
            if status is not None:
                show(status)
            if over:
                return

    def _still_there(self) -> None:
        for name, child in self._children.items():
            if child.poll() is not None and not (name == "people" and child.returncode == 0):
                words = (self.root / f"{name}.out").read_text(errors="replace").strip().splitlines()[-3:]
                raise Unusable(
                    f"The {name} ended ({' / '.join(words) or 'it said nothing'}). Go on with: relance drill "
                    f"--resume {self.root}",
                    part=name,
                )
        if fleet_launch.ready(self.root / "fleet") is None:
            raise Unusable(f"The fleet ended. Go on with: relance drill --resume {self.root}", part="fleet")

    def _status(self) -> dict[str, Any] | None:
        """The engine's status; None while it starts."""
        try:
            found: dict[str, Any] = self._line.get("status")
        except NotAnswering:
            return None
        return found

    def _end(self) -> None:
        """Ends people and engine; their runners, if any, end with their work."""
        for name in ("people", "engine"):
            child = self._children.get(name)
            if child is not None and child.poll() is None:
                child.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    child.wait(30)
                if child.poll() is None:
                    child.kill()
                    child.wait()

    def _count_cpu(self) -> None:
        """Notes the CPU of each part as of now, so that a kill at any moment loses little of the sum."""
        counted = self._plan["cpu_us"]
        for name in ("engine", "people", "fleet"):
            pid = _pid(self.root, name)
            spent = _cpu_us(pid, children=name != "engine")  # its children say themselves what they used
            if spent:
                counted[f"{name} {pid}"] = max(spent, counted.get(f"{name} {pid}", 0))
        counted[f"drill {os.getpid()}"] = _cpu_us(os.getpid(), children=False)
        _write(self.root / PLAN, self._plan)

    def _cpu_us(self) -> int:
        runs = (self.root / "state" / "runs").glob("*/done")
        counted: dict[str, int] = self._plan["cpu_us"]
        return sum(counted.values()) + sum(int(done.read_text() or 0) for done in runs)


def _write(path: Path, value: object) -> None:
    write_whole(path, json.dumps(value, indent=1).encode())


def _free_ports() -> tuple[int, int]:
    """Two ports nobody listens on now."""
    found: list[int] = []
    while len(found) < 2:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))  # noqa: S104 - only to see whether it is free
            found.append(port)
    return found[0], found[1]


def _pid(folder: Path, name: str) -> int:
    try:
        return int((folder / f"{name}.pid").read_text())
    except (OSError, ValueError):
        return 0


def _alive(root: Path, name: str) -> int:
    """The pid of a part of this very drill that still lives from before, or 0."""
    pid = _pid(root, name)
    words: list[str] = []
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    ours = any(Path(word).is_relative_to(root) for word in words)
    return pid if ours and pid != os.getpid() else 0


def _end_part(root: Path, name: str) -> None:
    """Ends a part left over from a killed drill, and waits for it."""
    pid = _alive(root, name)
    with suppress(ProcessLookupError):
        for _ in range(300 if pid else 0):
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.1)
            if _alive(root, name) != pid:
                return


def _cpu_us(pid: int, *, children: bool = True) -> int:
    """CPU microseconds of a process and, with `children`, of those it waited for; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    ticks = sum(int(field) for field in (fields[11:15] if children else fields[11:13]))
    return ticks * 1_000_000 // os.sysconf("SC_CLK_TCK")


def main(options: argparse.Namespace, source: Path) -> int:
    """The command `relance drill`: a new drill in `--state`, or `--resume DIR`; its exit code."""
    if options.resume:
        root = resumed(options.resume)
    else:
        root = Path(getattr(options, "state", None) or f"drill-{options.seed}").absolute()
        asked = Options.of(options.hosts, options.seed, options.faults)
        if options.anew:
            put_away(root)
        begin(source, root, asked)
    return play(Drill, root, options)


def resumed(folder: str) -> Path:
    """The folder of a drill that can be gone on with. Raises UsageError."""
    root = Path(folder).absolute()
    if not (root / PLAN).exists():
        raise UsageError(f"There is no drill to go on with in {root}.", path=str(root))
    return root


def play(kind: type[Drill], root: Path, options: argparse.Namespace) -> int:
    """Runs the drill of a folder and says how it went; the exit code."""
    as_json = options.format == "json"
    with alone(root / LOCK, "This drill is being run by another process."), display(as_json) as show:
        try:
            found = kind(root, say).run(show)
        except KeyboardInterrupt as stop:
            fleet_launch.stop(root / "fleet")
            raise Stopped(f"The drill was stopped. Go on with: relance drill --resume {root}") from stop
    for finding in found.findings:
        say(finding)
    print(json.dumps(found.document) if as_json else in_words(found))  # noqa: T201 - the command's result
    return 0 if found.good else 1


def say(sentence: str) -> None:
    """Tells progress; stdout is for the document."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - progress of a command
