"""Gathers issued actions into invocations and gives them to the workers that can carry them out.

Never issues anything itself, and never starts an invocation before the record that names it is on disk.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.decision import host_key
from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.events import Cancelled, Dispatched, Event, Finished, Lost
from orchestrator.decision.state import State
from orchestrator.engine.release import Bundles
from orchestrator.errors import Refused, RelanceError, Unusable
from orchestrator.inventory.model import Host
from orchestrator.plans.model import HostClass
from orchestrator.workers import invocation
from orchestrator.workers.ansible import AnsibleWorker
from orchestrator.workers.base import Invocation, Outcome, Request
from orchestrator.workers.checkin import standing
from orchestrator.workers.script import ON_DISK, RUNNING, Sweep
from orchestrator.workers.ssh import InspectionWorker

LOG = logging.getLogger("relance.engine")
BATCH_MAX = 50
NETWORK = ("reconnect", "isolate")
GATHER_US = 2_000_000
GATHER_BUSY_US = 10_000_000
ISOLATE_BUSY_US = 1_000_000


@dataclass(slots=True)
class Places:
    """Where things are: the kept contents, the run folders, the SSH key and the pinned management keys."""

    contents: Path
    runs: Path
    key: Path
    known_hosts: Path


@dataclass(slots=True)
class _Gathering:
    """Actions of one playbook that wait to be dispatched together."""

    since_us: int
    requests: list[Request] = field(default_factory=list)


class Dispatcher:
    """The engine's hands for actions: playbooks through Ansible, inspections through SSH."""

    def __init__(self, places: Places, ansible: AnsibleWorker, inspector: InspectionWorker) -> None:
        self._places = places
        self._ansible = ansible
        self._inspector = inspector
        self._gathering: dict[str, _Gathering] = {}
        self._due: deque[tuple[str, list[Request]]] = deque()
        self._written: list[tuple[Path, list[Request]]] = []
        self._running: dict[str, set[str]] = {}
        self._settled: list[Event] = []
        self._told: set[str] = set()
        self._skipped: set[str] = set()
        self._bundles = Bundles(places.contents.parent)

    def issue(self, command: Issue, state: State, now_us: int) -> None:
        """Takes an issued action; one whose words could mean something to a shell fails here, alone."""
        request = request_of(state, command)
        try:
            Request.from_json(request.as_json())
        except Refused as refusal:
            self._settled.append(Finished(command.action, "failed", refusal.sentence))
            return
        if command.step == "inspect":
            self._inspector.sweep = sweep_of(state)
            self._inspector.submit(self._places.runs, [request])
            return
        playbook = playbook_of(state, command)
        self._gathering.setdefault(playbook, _Gathering(now_us)).requests.append(request)

    def cancel(self, command: Cancel) -> None:
        """An action still gathering is taken back at once; a dispatched one is skipped if it has not begun."""
        if self._taken_back(command.action):
            self._settled.append(Cancelled(command.action))
        elif any(request.action == command.action for _, requests in self._due for request in requests):
            self._skipped.add(command.action)  # its run folder is not there yet
        else:
            self.cancel_dispatched(command.action)

    def _taken_back(self, action: str) -> bool:
        for playbook, gathering in self._gathering.items():
            left = [request for request in gathering.requests if request.action != action]
            if len(left) == len(gathering.requests):
                continue
            gathering.requests = left
            if not left:
                del self._gathering[playbook]
            return True
        return False

    def poll(self, now_us: int) -> list[Event]:
        """Results, actions that ended here, and the batches that are due, as events."""
        events, self._settled = self._settled, []
        for outcome in (*self._ansible.poll(), *self._inspector.poll()):
            self._forget(outcome.action)
            if outcome.action in self._told:
                self._told.discard(outcome.action)
            else:
                events.append(event_of(outcome))
        for playbook in list(self._gathering):
            events += self._flush(playbook, now_us)
        return events

    def _forget(self, action: str) -> None:
        for playbook, actions in list(self._running.items()):
            actions.discard(action)
            if not actions:
                del self._running[playbook]

    def _flush(self, playbook: str, now_us: int) -> list[Event]:
        """Actions gather to 50, or 2 s, or 10 s while their playbook runs; isolations go at once, or after 1 s while
        one runs, so that a storm of them becomes a few runs instead of one each."""
        gathering = self._gathering[playbook]
        quiet, busy = (0, ISOLATE_BUSY_US) if gathering.requests[0].step == "isolate" else (GATHER_US, GATHER_BUSY_US)
        patience_us = busy if playbook in self._running else quiet
        if len(gathering.requests) < BATCH_MAX and 0 <= now_us - gathering.since_us < patience_us:
            return []
        requests, rest = gathering.requests[:BATCH_MAX], gathering.requests[BATCH_MAX:]
        del self._gathering[playbook]
        if rest:
            self._gathering[playbook] = _Gathering(now_us, rest)
        self._due.append((playbook, requests))
        self._running.setdefault(playbook, set()).update(request.action for request in requests)
        return [Dispatched(playbook, [request.action for request in requests])]

    def dispatched(self, seq: int, state: State) -> None:
        """Inside the transaction of a `Dispatched` record: its run folder is made durable first."""
        playbook, requests = self._due.popleft()
        run_dir = self._places.runs / str(seq)
        # The copy kept with the incident: what runs is what was reviewed, whatever happens to the estate's folder.
        playbooks = self._places.contents / state.estate.content.digest / "plans" / "playbooks"
        limit_s = max(request.limit_s for request in requests)
        asked = Invocation(
            str(seq), playbook, str(playbooks), limit_s, str(self._places.key),
            str(self._places.known_hosts), tuple(requests),
        )  # fmt: skip
        invocation.write(run_dir, asked)
        if requests[0].step == "reconnect":
            self._keep_bundles(run_dir, state, requests)
        self._written.append((run_dir, requests))

    def _keep_bundles(self, run_dir: Path, state: State, requests: Sequence[Request]) -> None:
        """What each reconnect rests on: the runner lets nothing out without it."""
        try:
            self._bundles.write(run_dir, state, [request.action for request in requests])
        except RelanceError as error:
            LOG.warning("%s The reconnects of run %s have no bundle and will be refused.", error.sentence, run_dir.name)

    def committed(self) -> None:
        """Starts what was dispatched; what a run folder that cannot be read asked for is lost."""
        for run_dir, requests in self._written:
            try:
                self._ansible.submit(run_dir, requests)
            except Unusable as error:
                LOG.warning("%s Its actions count as lost.", error.sentence)
                for request in requests:
                    self._forget(request.action)
                    self._settled.append(Lost(request.action))
            for action in self._skipped.intersection(request.action for request in requests):
                self._ansible.cancel(action)
                self._skipped.discard(action)
        self._written.clear()

    def adopt(self, run_dir: Path, told: frozenset[str]) -> None:
        """Goes on with a run folder found at start; results in `told` stand in the journal already."""
        asked = invocation.read(run_dir)
        actions = {request.action for request in asked.requests}
        self._told |= actions & told
        self._running.setdefault(asked.playbook, set()).update(actions - told)
        self._ansible.adopt(run_dir)

    def cancel_dispatched(self, action: str) -> None:
        """Has a dispatched action skipped if it has not begun; asking again changes nothing."""
        self._ansible.cancel(action)
        self._inspector.cancel(action)

    def live(self) -> int:
        """How many invocations have not ended."""
        return len(self._ansible.live())

    def inspecting(self) -> int:
        """How many inspections have not been told; the end of the process breaks them off."""
        return self._inspector.waiting()

    def close(self) -> None:
        """Begins no more inspections; runners go on."""
        self._inspector.close()


def sweep_of(state: State) -> Sweep:
    """What the plan in force has an inspection look at; below another root the running system is not the host's."""
    content = state.estate.content
    inspection = content.restart.inspection
    return Sweep(
        root=inspection.root,
        paths=inspection.paths,
        windows_paths=inspection.windows_paths,
        markers=inspection.markers,
        lists={**ON_DISK, **RUNNING} if inspection.root == "/" else ON_DISK,
        edr={klass.id: klass.edr for klass in content.classes if klass.edr},
    )


def event_of(outcome: Outcome) -> Event:
    """The event a worker's outcome means."""
    if outcome.outcome == "lost":
        return Lost(outcome.action)
    if outcome.outcome == "cancelled":
        return Cancelled(outcome.action)
    facts: dict[str, Json] = {**outcome.facts}
    if outcome.outcome == "ok" and "host_key" in facts:
        facts["host_key"] = host_key.bare(facts["host_key"])
        if not facts["host_key"]:
            sentence = (
                f"The host key it reported is none, so the host could never be dialled: {outcome.facts['host_key']!r}"
            )
            return Finished(outcome.action, "failed", sentence[:500])
    try:
        canonical.encode(facts)
    except canonical.NotCanonical as error:
        return Finished(outcome.action, "failed", f"What it told cannot be recorded: {error.sentence}")
    return Finished(outcome.action, outcome.outcome, outcome.sentence[:500], facts)


def playbook_of(state: State, command: Issue) -> str:
    """The playbook of the host's class for this step and strategy; a site is isolated by the default one."""
    host = state.estate.host_number.get(command.target, -1)
    if host < 0:
        return "isolate.yml"
    books = state.estate.group(host).klass.playbooks
    if command.step == "restore":
        return books.restore if command.strategy == "restore" else books.reimage
    return str(getattr(books, command.step))


def request_of(state: State, command: Issue) -> Request:
    """Everything a worker needs to know about one action."""
    host = state.estate.host_number.get(command.target, -1)
    if host < 0:
        site = state.estate.content.inventory.sites[state.estate.site_number[command.target]]
        return Request(command.action, "", site.id, command.step, "", "", "", site.gate, management_user=site.gate_user)
    place: Host = state.estate.content.inventory.hosts[host]
    klass: HostClass = state.estate.group(host).klass
    site = state.estate.content.inventory.sites[state.estate.site_of[host]]
    return Request(
        action=command.action,
        host=place.id,
        site=place.site,
        step=command.step,
        strategy=command.strategy,
        address=place.address,
        management=place.management,
        gate=site.gate,
        user=klass.login.user,
        port=klass.login.port,
        management_user=klass.login.management_user if command.step not in NETWORK else site.gate_user,
        management_port=klass.login.management_port,
        host_key=host_key.bare(state.host_key[host]),
        supersedes=command.supersedes,
        klass=klass.id,
        os=klass.os,
        limit_s=int(getattr(klass.limit_s, command.step)),
        before_us=state.t0_us(),
        restore_point_us=state.restore_point_us[host],
        standing=standing(state, host).digest() if command.step == "inspect" else "",
    )
