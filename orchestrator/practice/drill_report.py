"""Says how a drill went: what the journal holds, what the hosts and gates wrote down, and where the two disagree.

Never asks the engine and never repairs; a disagreement is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.decision.apply import apply
from orchestrator.decision.commands import Freeze, Issue
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.decision.witness import Witness
from orchestrator.engine.contents import first_state, read
from orchestrator.journal.sqlite import Journal
from orchestrator.practice import ledger
from orchestrator.practice.fleet_file import load
from orchestrator.practice.proof import Proof
from orchestrator.workers.probing import sweep

SECOND = 1_000_000


@dataclass(slots=True)
class Report:
    """The document of `relance drill --format json`, and whether the drill went well."""

    document: dict[str, Any]
    findings: list[str]

    @property
    def good(self) -> bool:
        """Everything that can be in service is, and nothing disagrees."""
        return not self.findings


def report(root: Path, plan: dict[str, Any], cpu_us: int, service_of: Callable[[str], str] | None = None) -> Report:
    """Reads the journal and the fleet's logs of a drill that has ended; `service_of` says how a host's service is."""
    state = first_state(root / "state")
    witness = Witness(state.estate, state.contents)
    proof, issued = Proof(), list[ledger.Issued]()
    counts: dict[str, int] = {}
    frozen: list[dict[str, Any]] = []
    with Journal.open(root / "state" / "journal.sqlite", read_only=True) as journal:
        for record in journal.records():
            entry = read(record, state, root / "state")
            apply(state, entry, record.at_us)
            witness.see(entry, record.at_us)
            proof.see(entry, state)
            counts[record.kind] = counts.get(record.kind, 0) + 1
            if isinstance(entry, Freeze):
                frozen.append({"scope": entry.scope, "why": entry.why, "hosts": len(entry.hosts)})
            if isinstance(entry, Issue) and entry.step == "reconnect":
                issued.append(ledger.Issued(entry.action, record.at_us))
        head = journal.head
    seen = ledger.read(root / "fleet", load(root / "fleet"), issued, service_of)
    witness.settle(state.at_us)
    broken = [
        f"Record {one.seq} breaks invariant {one.invariant}: {one.subject}: {one.sentence}" for one in witness.broken
    ]
    violations = [*broken, *_disagreements(state, seen), *_unreachable(state)]
    started_us = plan["started_us"]
    document = {
        "hosts": len(state.stage),
        "in_service": state.stage.count(Stage.IN_SERVICE),
        "excluded": state.stage.count(Stage.EXCLUDED),
        "failed": state.stage.count(Stage.FAILED),
        "waves": [_wave(state, number, started_us) for number in range(len(state.waves))],
        "functions": _functions(state, started_us),
        "started_twice": len(seen.started_twice),
        "released_early": len(seen.released_early),
        "lost": counts.get("lost", 0),
        "frozen": frozen,
        "analysts": proof.document(state),
        "violations": violations,
        "records": head.size,
        "root": head.root.hex(),
        "cpu_s": cpu_us // SECOND,
        "wall_s": (state.at_us - started_us) // SECOND,
    }
    missing = [
        f"{state.estate.hosts[host]} is {stage.name.lower()}."
        for host, stage in enumerate(state.stage)
        if state.wave_of[host] >= 0 and stage not in (Stage.IN_SERVICE, Stage.EXCLUDED)
    ]
    return Report(document, [*missing, *seen.started_twice, *seen.released_early, *violations])


def _wave(state: State, number: int, started_us: int) -> dict[str, Any]:
    one = state.waves[number]
    return {
        "name": state.estate.waves[number].name,
        "function": state.estate.plan.waves[number].function,
        "launched_s": (one.launched_us - started_us) // SECOND if one.launched_us else None,
        "gate": "passed" if one.passed_us else "waiting",
        "passed_s": (one.passed_us - started_us) // SECOND if one.passed_us else None,
    }


def _functions(state: State, started_us: int) -> dict[str, dict[str, int | None]]:
    """When each function's slice gate passed; a function without a wave of its own is back with the foundations."""
    found: dict[str, dict[str, int | None]] = {}
    for function in state.estate.content.inventory.functions:
        wave = state.estate.wave_number.get(f"{function.id}/slice", 0)
        passed_us = state.waves[wave].passed_us
        found[function.id] = {"back_s": (passed_us - started_us) // SECOND if passed_us else None}
    return found


def _disagreements(state: State, seen: ledger.Ledger) -> list[str]:
    """Hosts that the journal calls in service and that are not open, not up, or still encrypted; and the reverse."""
    found = []
    for host, stage in enumerate(state.stage):
        name = state.estate.hosts[host]
        now = seen.hosts.get(name)
        if now is None:  # the content was given hosts that the fleet does not have
            continue
        out = stage in (Stage.RELEASED, Stage.IN_SERVICE)
        if out and not now.is_open:
            found.append(f"{name} is {stage.name.lower()} in the journal, but its gate is closed.")
        if not out and now.is_open:
            found.append(f"{name} is {stage.name.lower()} in the journal, but its gate is open.")
        if stage is Stage.IN_SERVICE and now.service != "up":
            found.append(f"{name} is in service in the journal, but its service is {now.service}.")
    return found


def _unreachable(state: State) -> list[str]:
    """Dials every host from its site's prober: those in service must answer, the others must be silent."""
    found = []
    places = state.estate.content.inventory.hosts
    for number, hosts in enumerate(state.estate.hosts_of_site):
        site = state.estate.content.inventory.sites[number]
        address, _, port = site.control.partition(":")
        targets = {(places[host].address, state.estate.group(host).klass.login.port) for host in hosts}
        seen = sweep(site.prober or "", targets, (address, int(port)))
        answering = {where for where, _ in seen.answered}
        for host in hosts:
            out = state.stage[host] in (Stage.RELEASED, Stage.IN_SERVICE)
            if out is not (places[host].address in answering):
                found.append(f"{places[host].id} {'does not answer' if out else 'answers'} from production.")
    return found
