"""Holds what the hosts and gates wrote down against what the journal issued: what started twice, what opened early.

Never asks the engine, and never counts what a host refused: only what was really done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.practice.fleet_disk import service_state
from orchestrator.practice.fleet_file import FleetFile, Folders
from orchestrator.practice.fleet_gate import isolated_by
from orchestrator.practice.fleet_log import Entry, HostRecord, entries, record_of


@dataclass(frozen=True, slots=True)
class Issued:
    """One action the journal issued, and when (microseconds UTC)."""

    action: str
    at_us: int


@dataclass(frozen=True, slots=True)
class HostNow:
    """A host at the end of its log: `record` as its management path knows it, `service` up, silent or down."""

    record: HostRecord
    is_open: bool
    service: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """The findings, each a sentence, and how each host stands."""

    started_twice: tuple[str, ...]
    released_early: tuple[str, ...]
    hosts: Mapping[str, HostNow]


def read(
    root: Path, fleet: FleetFile, issued: Iterable[Issued], service_of: Callable[[str], str] | None = None
) -> Ledger:
    """The ledger of the fleet in folder `root`; `issued` are the journal's reconnects (others are passed over).

    How a host's service is, `service_of` says, else its disk does.
    """
    folders = Folders(root)
    asked = service_of or (lambda host: service_state(folders.disk(host)))
    issued_us = {one.action: one.at_us for one in issued}
    twice = [line for host in fleet.hosts for line in started_twice(host.id, entries(folders.log(host.id)))]
    early, isolated = list[str](), set[str]()
    for site in fleet.sites:
        behind = [host.id for host in fleet.hosts if host.site == site.id]
        lines = list(entries(folders.gate_log(site.id)))
        early += released_early(lines, issued_us)
        isolated |= isolated_by(lines, behind)
    hosts = {
        host.id: HostNow(record_of(folders.log(host.id)), host.id not in isolated, asked(host.id))
        for host in fleet.hosts
    }
    return Ledger(tuple(twice), tuple(early), hosts)


def started_twice(host: str, lines: Iterable[Entry]) -> list[str]:
    """One sentence for each action that began a second time, and for each that began while another still ran."""
    found, begun, record = list[str](), set[tuple[str, str]](), HostRecord()
    for entry in lines:
        if entry.word in ("begin", "run"):
            start = (entry.action, entry.detail[0] if entry.word == "run" else "")
            if start in begun:
                found.append(f"{entry.action} began twice on {host}, the second time at {entry.at_us}.")
            begun.add(start)
            others = _others(record, entry)
            if others:
                other = ", ".join(others)
                found.append(f"{entry.action} began on {host} at {entry.at_us} while {other} had not ended.")
        record.apply(entry)
    return found


def _others(record: HostRecord, entry: Entry) -> list[str]:
    """What was under way on the host beside the action that begins: work, or a mark that it does not supersede."""
    others = {action for action in record.running if entry.word == "begin" or action != entry.action}
    superseded = entry.detail[0] if entry.word == "begin" else ""
    if record.state == "begun" and record.action not in (entry.action, superseded):
        others.add(record.action)
    return sorted(others)


def released_early(lines: Iterable[Entry], issued_us: Mapping[str, int]) -> list[str]:
    """One sentence for each opening that no reconnect of that host, issued before it and after the host's last
    isolation, stands for."""
    found, isolated_us, site_us = list[str](), dict[str, int](), -1
    for entry in lines:
        subject = entry.detail[0]
        match entry.word:
            case "isolate":
                isolated_us[subject] = entry.at_us
            case "isolate-site":
                site_us = entry.at_us
            case "reconnect":
                at_us = issued_us.get(entry.action)
                closed_us = max(isolated_us.get(subject, -1), site_us)
                why = _why_early(entry, at_us, closed_us)
                if why:
                    found.append(f"{subject} was opened at {entry.at_us} by {entry.action}, {why}.")
    return found


def _why_early(entry: Entry, issued_us: int | None, closed_us: int) -> str:
    if entry.action.split("/")[:2] != [entry.detail[0], "reconnect"]:
        return "which is no reconnect of this host"
    if issued_us is None:
        return "which was never issued"
    if entry.at_us < issued_us:
        return f"which was issued only at {issued_us}"
    if closed_us > issued_us:
        return f"which was issued at {issued_us}, before the host was isolated at {closed_us}"
    return ""
