"""The sites' gates: which hosts the production side can reach.

Never asks whether a host may be reconnected; it does as it is told and writes down when, and by which action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from orchestrator.practice.fleet_file import FleetHost
from orchestrator.practice.fleet_host import ToolError
from orchestrator.practice.fleet_log import Entry, append, entries


def isolated_by(entries_: Iterable[Entry], hosts: Iterable[str]) -> set[str]:
    """The hosts of a site that are isolated at the end of its gate's log."""
    every, isolated = set(hosts), set[str]()
    for entry in entries_:
        match entry.word:
            case "isolate":
                isolated.add(entry.detail[0])
            case "isolate-site":
                isolated |= every
            case "reconnect":
                isolated.discard(entry.detail[0])
    return isolated


class Gate:
    """One site's gate. `changed` is called with each host moved and whether it is open now."""

    def __init__(self, site: str, hosts: Iterable[FleetHost], log: Path, now_us: Callable[[], int]) -> None:
        self.site = site
        self.hosts = {host.id: host for host in hosts}
        self.log = log
        self.now_us = now_us
        self.isolated = isolated_by(entries(log), self.hosts)
        self.changed: Callable[[FleetHost, bool], None] = lambda host, is_open: None

    def open_hosts(self) -> Iterator[FleetHost]:
        """The hosts production reaches now."""
        return (host for host in self.hosts.values() if host.id not in self.isolated)

    def isolate(self, action: str, host: str) -> dict[str, object]:
        """Cuts one host off."""
        self._known(host)
        self._move("isolate", action, host, (host,))
        return self.show(host)

    def isolate_site(self, action: str, site: str) -> dict[str, object]:
        """Cuts every host of the site off."""
        if site != self.site:
            raise ToolError(f"This is the gate of {self.site}, not of {site}.", 2)
        self._move("isolate-site", action, site, self.hosts)
        return {"site": site, "state": "isolated"}

    def reconnect(self, action: str, host: str) -> dict[str, object]:
        """Lets production reach the host."""
        self._known(host)
        self._move("reconnect", action, host, (host,))
        return self.show(host)

    def show(self, host: str) -> dict[str, object]:
        """The host and its state, `isolated` or `open`."""
        self._known(host)
        return {"host": host, "state": "isolated" if host in self.isolated else "open"}

    def _known(self, host: str) -> None:
        if host not in self.hosts:
            raise ToolError(f"{host} is not behind the gate of {self.site}.", 2)

    def _move(self, word: str, action: str, subject: str, hosts: Iterable[str]) -> None:
        """An opening is written down before it happens, a closing after: the log never shows less openness."""
        is_open = word == "reconnect"
        entry = Entry(word, action, self.now_us(), (subject,))
        if is_open:
            append(self.log, entry)
        for host in hosts:
            if is_open == (host in self.isolated):
                (self.isolated.discard if is_open else self.isolated.add)(host)
                self.changed(self.hosts[host], is_open)
        if not is_open:
            append(self.log, entry)
