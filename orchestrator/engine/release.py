"""Puts together what a reconnect rests on, for the release check: signed documents, and the records it may cite.

Never judges any of it: `trust.verifier` does, from the journal and without the core. What is missing is refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.requirements import RECONNECT
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.errors import RelanceError, Unusable
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.disk import sync_folder
from orchestrator.journal.record import Head, Record
from orchestrator.journal.sqlite import Journal
from orchestrator.trust.verifier import PERSONS, STOPS
from orchestrator.workers.release_gate import FOLDER, bundle_file

_OPENED = ("fact.outside", "service.drop-need")


class Citations:
    """What the journal holds that a bundle may cite. Each look reads only what was added since the last."""

    def __init__(self, blob_of: Callable[[str], bytes]) -> None:
        self.seq = 0
        self._blob_of = blob_of
        self._orders: list[tuple[int, str, str, str]] = []
        self._on_host: dict[str, list[tuple[int, str]]] = {}
        self._latest: dict[tuple[str, str], int] = {}
        self._opened: dict[str, list[int]] = {}

    def catch_up(self, journal: Journal) -> Head:
        """Reads on to the committed end of the journal; its head."""
        for record in journal.records(self.seq + 1):
            self.note(record)
        return Head(self.seq, journal.root_at(self.seq))

    def note(self, record: Record) -> None:
        """Keeps what may be cited of the next record."""
        self.seq, body = record.seq, cast("Any", record.body)
        if record.kind == "ordered" and body["kind"] == "evidence.import":
            self._on_hosts(body["args"]["hosts"], record.seq, body["blob"])
        elif record.kind == "ordered" and body["kind"] in PERSONS and body["kind"] not in STOPS:
            self._orders.append((record.seq, body["kind"], body["subject"], body["blob"]))
        elif record.kind == "ordered" and body["kind"] in _OPENED:
            self._opened.setdefault(body["subject"], []).append(record.seq)
        elif record.kind == "judged" and body["verdict"] == "CLEAN":
            self._on_hosts(body["inspections"], record.seq, body["blob"])
        elif record.kind in ("pass_gate", "enter_service"):
            self._latest[record.kind, body.get("wave") or body["host"]] = record.seq

    def _on_hosts(self, hosts: Iterable[str], seq: int, blob: str) -> None:
        """A signed document that is about these hosts alone."""
        for host in hosts:
            self._on_host.setdefault(host, []).append((seq, blob))

    def bundle(self, state: State, action: str, head: Head) -> dict[str, Json]:
        """The bundle of a reconnect that was issued, as of `head`."""
        name = action.partition("/")[0]
        estate, host = state.estate, state.estate.host_number[name]
        site, wave, group = estate.sites[estate.site_of[host]], state.wave_of[host], estate.group(host)
        after = [estate.waves[one].name for one in sorted(state.ancestors[wave])]
        needs = [estate.services[one] for one in group.needs[RECONNECT]]
        own = {"wave": estate.waves[wave].name, "host": name, "task": f"{site}/isolate"}
        signed = {
            (seq, blob)
            for seq, kind, subject, blob in self._orders
            if own.get(kind.partition(".")[0], subject) == subject
        }
        return {
            "action": action,
            "host": name,
            "host_key": state.host_key[host],
            "head": head.as_json(),
            "plan": {
                "site": site,
                "wave": own["wave"],
                "after": [*after],
                "needs": [*needs],
                "verdicts": quorum.required(state, host, quorum.counting(state, host, state.at_us)),
                "limit_s": group.klass.limit_s.reconnect,
                "address": estate.content.inventory.hosts[host].address,
            },
            "gates": {wave: [self._latest.get(("pass_gate", wave), 0)] for wave in after},
            "services": {one: [*self._serving(state, estate.service_number[one])] for one in needs},
            "documents": dict(self._documents(signed | {*self._on_host.get(name, [])})),
        }

    def _documents(self, cited: set[tuple[int, str]]) -> Iterator[tuple[str, Json]]:
        """The signed documents by the number of their record; one that is not kept, or no text, is left out."""
        for seq, blob in sorted(cited):
            with suppress(RelanceError, UnicodeDecodeError):
                yield str(seq), self._blob_of(blob).decode("utf-8")

    def _serving(self, state: State, service: int) -> list[int]:
        """The records by which a service is in service: its hosts', or the orders' that opened or dropped it."""
        name = state.estate.services[service]
        if state.estate.outside[service] or service in state.dropped:
            return self._opened.get(name, [])
        serving = [one for one in state.estate.players[service] if state.stage[one] is Stage.IN_SERVICE]
        return sorted(self._latest.get(("enter_service", state.estate.hosts[one]), 0) for one in serving)


class Bundles:
    """Writes the bundle of each reconnect into its run folder; for the engine's thread alone."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / JOURNAL
        self._citations = Citations(Blobs(state_dir / "evidence").get)
        self._journal: Journal | None = None  # kept open, so that each look reads only what is new

    def write(self, run_dir: Path, state: State, actions: Sequence[str]) -> None:
        """One file per reconnect. Raises Unusable where the disk refuses."""
        if self._journal is None:
            self._journal = Journal.open(self._path, read_only=True)
        head = self._citations.catch_up(self._journal)
        try:
            (run_dir / FOLDER).mkdir(mode=0o700)
            for action in actions:
                text = canonical.encode(self._citations.bundle(state, action, head))
                bundle_file(run_dir, action).write_bytes(text)
            sync_folder(run_dir)
        except OSError as error:
            raise Unusable(f"The run folder {run_dir.name} cannot be written: {error.strerror}.") from error
