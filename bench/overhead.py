"""Measures what Relance adds to Ansible: CPU of driving ready hosts through restore and reconnect, over bare Ansible.

The real engine, its real journal and live invariants, its real runners, on a real practice fleet. The hosts are ready:
cut off, nothing to preserve, no needs between them. Two stretches are measured, each from the order that lets the work
begin until the last result is in and the last runner has ended: T0 is signed, all hosts are restored; the breach is
closed, all hosts are reconnected. Between them, not measured, they are inspected and judged. The fleet's own CPU is
never counted. Sweeps and checks go on all the while, as often as in a drill.

The rival is `ansible-playbook` alone, afterwards: the same playbooks on the same hosts in the same batches, with the
very configuration, forks and pins of each run, and begun as long after each other. Prints one JSON line and
asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.clock import SystemClock
from orchestrator.decision.orders import EMPTY_SET, genesis_args
from orchestrator.decision.stages import OUT, Stage
from orchestrator.decision.state import QUARANTINED, State
from orchestrator.engine.process import Beginning, Live, lay_out, open_engine
from orchestrator.errors import NeedsAnother
from orchestrator.interfaces.admission import admit_order, admit_verdict
from orchestrator.inventory.model import Needs
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.practice import fleet_launch
from orchestrator.practice.fleet_file import write_whole
from orchestrator.practice.rehearsal import PEOPLE, Ports, fleet_file, rehearse, write_estate
from orchestrator.trust import keys
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE, Head, Order, Statement, Subject
from orchestrator.workers import invocation
from orchestrator.workers.ansible_files import environment

ROOT = Path(__file__).parents[1]
READER = "reading-room"
HOUR_US = 3_600_000_000
LIMIT_S = 1800.0


def ready_content(source: Path, hosts: int) -> Content:
    """Hosts, sites, classes and pools of the estate, with nothing between them; inspections wait for one signature."""
    content = usable(source)
    inventory = content.inventory
    chosen = inventory.hosts[:: max(1, len(inventory.hosts) // hosts)][:hosts]
    places = tuple(host.model_copy(update={"services": (), "function": None}) for host in chosen)
    lived_in = {host.site for host in places}
    sites = (site.model_copy(update={"isolates_by": "playbook"}) for site in inventory.sites if site.id in lived_in)
    reader = next(one for one in inventory.services if one.kind == "outside")
    own = {
        "source": "media",
        "strategies": ("restore",),  # the one that waits for T0
        "preservation": "waived",
        "verdicts_required": 2,
        "needs": Needs(inspect=(READER,)),
        "tasks": (),
    }
    return content.model_copy(
        update={
            "inventory": inventory.model_copy(
                update={
                    "sites": tuple(sites), "hosts": places,
                    "functions": (), "activities": (), "interfaces": (), "devices": (),
                    "services": (reader.model_copy(update={"id": READER, "needs": Needs(), "tasks": ()}),),
                }
            ),
            "checks": tuple(check for check in content.checks if check.klass),
            "classes": tuple(one.model_copy(update=own) for one in content.classes),
            "restart": content.restart.model_copy(
                update={"slices": {}, "order": (), "pinned": (), "leave_off": (), "no_waiver": (), "splits": ()}
            ),
        }
    )  # fmt: skip


@contextmanager
def engine_on_fleet(content: Content, root: Path) -> Iterator[tuple[Live, Content]]:
    """A live engine on a practice fleet that fills the places of `content`."""
    for folder in (root, root / "fleet"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # the fleet's user must reach the hosts' folders below it
    (root / "keys").mkdir()
    lay_out(root / "state")
    client = keys.generate(root / "state" / "secrets" / "ssh_key").line
    public = {person: keys.generate(root / "keys" / person).line for person in PEOPLE}
    ports = Ports(*(20_000 + secrets.randbelow(12_000) for _ in range(2)))
    now_us = SystemClock().now_us()
    fleet_file(rehearse(content, public, "drill", ports), 1, client, ports, now_us).save(root / "fleet")
    write_whole(root / "engine.pid", str(os.getpid()).encode())
    user = fleet_launch.launch(root / "fleet", limit_s=180).user
    try:
        write_estate(rehearse(content, public, user, ports), ROOT / "plans" / "playbooks", root / "estate")
        pins = (root / "fleet" / "known_hosts").read_bytes()
        write_whole(root / "state" / "secrets" / "management_hosts", pins, 0o600)
        rehearsed = usable(root / "estate")
        live = open_engine(root / "state", Beginning(root / "estate", rehearsed))
        try:
            yield live, rehearsed
        finally:
            live.close()
    finally:
        fleet_launch.stop(root / "fleet")


class People:
    """Those who order and judge; all they say is signed, for a reconnect's runner lets nothing out without it."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.clock = SystemClock()
        folder = live.engine.state_dir.parent / "keys"
        self._keys = {person: keys.load_private(folder / person) for person in PEOPLE}

    def order(self, kind: str, subject: str, args: dict[str, Json], *persons: str) -> None:
        """One order by each of these persons."""
        engine, until_us = self.live.engine, self.clock.now_us() + HOUR_US
        text = Order(engine.incident, secrets.token_hex(16), kind, subject, args, until_us, self._head()).to_bytes()
        for person in persons:
            with suppress(NeedsAnother):
                admit_order(engine, text, person, sign(self._keys[person], ORDER_NAMESPACE, text))

    def judge(self) -> None:
        """Two analysts find every host clean."""
        engine, until_us = self.live.engine, self.clock.now_us() + HOUR_US
        found = engine.read(
            lambda state, _: list(zip(state.estate.hosts, state.inspection, state.evidence, strict=True))
        )
        for person in ("analyst-1", "analyst-2"):
            for host, inspection, evidence in found:
                about, looked = (Subject(host, inspection, evidence),), ("accounts",)
                text = Statement(
                    "CLEAN", person, about, EMPTY_SET, ("bench",), "by number", looked, (), self._head(), until_us,
                    engine.incident,
                ).to_bytes()  # fmt: skip
                admit_verdict(engine, text, person, sign(self._keys[person], VERDICT_NAMESPACE, text))

    def _head(self) -> Head:
        head = self.live.engine.head()
        return Head(head.size, head.root.hex())

    def wait(self, what: str, holds: Callable[[State], bool]) -> None:
        """Until it holds and no runner is left. Ends the program with the hosts' stages when it never does."""
        until_s = time.monotonic() + LIMIT_S
        while not self.live.engine.read(lambda state, _: holds(state) and not self.live.hands.dispatcher.live()):
            if time.monotonic() > until_s:
                stages = self.live.engine.read(lambda state, _: Counter(stage.name for stage in state.stage))
                raise SystemExit(f"It never came about that {what}: {dict(stages)}.")
            time.sleep(0.25)


@dataclass
class Spent:
    """CPU seconds: of this process by kind of thread, and of all its children that have ended."""

    threads: Counter[str] = field(default_factory=Counter)
    own_s: float = 0.0
    children_s: float = 0.0

    @classmethod
    def now(cls) -> Spent:
        """Since the start of the process. Threads that ended are only in the sum."""
        threads: Counter[str] = Counter()
        for thread in threading.enumerate():
            kind = re.split(r"[_-]\d", thread.name)[0]
            with open(f"/proc/self/task/{thread.native_id}/schedstat") as file:
                threads[kind] += int(file.read().split()[0]) / 1e9
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return cls(threads, own.ru_utime + own.ru_stime, children.ru_utime + children.ru_stime)

    def since(self, before: Spent) -> Spent:
        """The difference."""
        return Spent(
            Counter({name: spent - before.threads[name] for name, spent in self.threads.items()}),
            self.own_s - before.own_s,
            self.children_s - before.children_s,
        )

    @property
    def all_s(self) -> float:
        """Everything."""
        return self.own_s + self.children_s


def drive(live: Live, content: Content) -> tuple[Spent, Spent]:
    """What the restores and the reconnects of all hosts cost."""
    people = People(live)
    people.wait("the incident is open", lambda state: bool(state.incident))
    people.order("genesis", "roster", genesis_args(content), "operator-1", "it-director")
    people.wait("all hosts are cut off", lambda state: all(one == QUARANTINED for one in state.connection))
    begun = Spent.now()
    people.order("fact.t0", "t0", {"at_us": SystemClock().now_us()}, "analyst-1", "it-director")
    people.wait("all hosts are restored", lambda state: all(stage is Stage.RESTORED for stage in state.stage))
    restored = Spent.now().since(begun)
    people.order("fact.outside", READER, {}, "operator-1", "analyst-1")
    people.wait("all hosts are inspected", lambda state: all(stage is Stage.INSPECTED for stage in state.stage))
    people.wait("all hosts are known to be cut off", lambda state: all(one == QUARANTINED for one in state.connection))
    people.judge()
    for wave in live.engine.read(lambda state, _: [one.name for one in state.estate.waves]):
        people.order("wave.launch", wave, {}, "operator-1")
    begun = Spent.now()
    people.order("fact.breach_closed", "breach_closed", {}, "analyst-1", "it-director")
    people.wait("all hosts are out", lambda state: all(stage in OUT for stage in state.stage))
    return restored, Spent.now().since(begun)


def runs_of(state_dir: Path, step: str) -> list[Path]:
    """The run folders of a step, in order."""
    folders = sorted(
        (one for one in (state_dir / "runs").iterdir() if one.name.isdigit()), key=lambda one: int(one.name)
    )
    return [one for one in folders if invocation.read(one).requests[0].step == step]


def bare(runs: list[Path]) -> float:
    """CPU seconds of `ansible-playbook` alone doing what these runs did, one begun as long after the other.

    As long after the other, because Ansible polls while it waits: alone on a machine it spends more than among others.
    """
    begun_s = [(run / "start").stat().st_mtime for run in runs]
    since_s = time.time()
    children = []
    for run, at_s in sorted(zip(runs, begun_s, strict=True), key=lambda one: one[1]):
        time.sleep(max(0.0, at_s - min(begun_s) - (time.time() - since_s)))
        children.append((run, _again(run)))
    return sum(_ended(child, run / "again.out") for run, child in children)


def _again(run: Path) -> subprocess.Popen[bytes]:
    """Starts what this run asked of Ansible, as new actions on the same hosts."""
    asked = invocation.read(run)
    hosts = json.loads((run / "ansible" / "hosts.json").read_text())
    for group in hosts.values():
        for variables in group["hosts"].values():
            variables["relance_action"] += "0000"  # an action begins once on a host
    (run / "again.json").write_text(json.dumps(hosts))
    command = str(Path(sys.executable).parent / "ansible-playbook")
    with (run / "again.out").open("wb") as output:
        return subprocess.Popen(
            [command, "-i", str(run / "again.json"), str(Path(asked.playbooks) / asked.playbook)],
            env=environment(asked.invocation, run / "ansible"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def _ended(child: subprocess.Popen[bytes], said: Path) -> float:
    """Waits for a child; its CPU seconds, its own children counted."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{child.args!r} ended with {child.returncode}:\n{said.read_text()[-2000:]}")
    return usage.ru_utime + usage.ru_stime


@dataclass
class Step:
    """What one step cost, and what it cost Ansible alone."""

    runs: int
    ours: Spent
    rival_s: float

    def figures(self, starts_s: float) -> dict[str, object]:
        """Both, and where our part beyond Ansible goes; `starts_s` is the CPU of starting one empty runner."""
        named = {"loop": "engine", "probes": "probe", "sweeps": "sweep"}
        rest = {
            "runner_starts": starts_s * self.runs,
            "runners_otherwise": self.ours.children_s - self.rival_s - starts_s * self.runs,
            **{told: self.ours.threads[kind] for told, kind in named.items()},
        }
        return {
            "runs": self.runs,
            "cpu_s": round(self.ours.all_s, 2),
            "rival_cpu_s": round(self.rival_s, 2),
            "times_rival": round(self.ours.all_s / self.rival_s, 2),
            "rest": {name: round(spent, 2) for name, spent in rest.items()},
        }


def one_round(content: Content, root: Path) -> dict[str, Step]:
    """Our turn, then the rival's, on one fleet."""
    with engine_on_fleet(content, root) as (live, rehearsed):
        restored, reconnected = drive(live, rehearsed)
        live.engine.stop()
        found = {}
        for step, spent in (("reconnect", reconnected), ("restore", restored)):
            runs = runs_of(root / "state", step)
            found[step] = Step(len(runs), spent, bare(runs))
    return found


def runner_start() -> float:
    """CPU seconds of a runner process that is given nothing to do."""
    words = "import orchestrator.workers.runner, ansible_runner.interface"
    return _ended(subprocess.Popen([sys.executable, "-c", words]), Path(os.devnull))


def measure(source: Path, hosts: int, folder: Path, rounds: int) -> dict[str, object]:
    """The best of a few rounds of each step, ours and the rival's in turn."""
    content = ready_content(source, hosts)
    best: dict[str, Step] = {}
    for number in range(rounds):
        for name, step in one_round(content, folder / str(number)).items():
            known = best.get(name, step)
            ours = min(step.ours, known.ours, key=lambda one: one.all_s)
            best[name] = Step(step.runs, ours, min(step.rival_s, known.rival_s))
    starts_s = min(runner_start() for _ in range(3))
    cpu_s = sum(step.ours.all_s for step in best.values())
    rival_s = sum(step.rival_s for step in best.values())
    return {
        "bench": "overhead",
        "hosts": len(content.inventory.hosts),
        "cpu_s": round(cpu_s, 2),
        "rival_cpu_s": round(rival_s, 2),
        "times_rival": round(cpu_s / rival_s, 3),
        **{name: step.figures(starts_s) for name, step in sorted(best.items(), reverse=True)},
    }


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--estate", type=Path, default=ROOT)
    options.add_argument("--hosts", type=int, default=200)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        where = given.keep or Path(folder) / "drive"
        where.mkdir(exist_ok=True)
        where.chmod(0o755)
        print(json.dumps(measure(given.estate, given.hosts, where, given.rounds)))


if __name__ == "__main__":
    main()
