"""Collects what the parts of the review find, each at the place of the entry it is about.

Never decides whether something is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.inventory.sources import Finding, Severity, Where, finding
from orchestrator.plans.model import Content


@dataclass(slots=True)
class Report:
    """The content under review, where its entries stand, and the findings so far."""

    content: Content
    where: Where
    findings: list[Finding] = field(default_factory=list)

    def error(self, about: tuple[str | int, ...], message: str, hosts: Iterable[str] = ()) -> None:
        """`about` is kind, id and the path inside the entry; without `hosts` the error blocks the whole estate."""
        self.add("error", about, message, hosts)

    def warn(self, about: tuple[str | int, ...], message: str) -> None:
        """Something that works, and that a person should know."""
        self.add("warning", about, message)

    def add(self, severity: Severity, about: tuple[str | int, ...], message: str, hosts: Iterable[str] = ()) -> None:
        """A finding at the entry `about` names."""
        kind, name, *path = about
        self.findings.append(finding(severity, self.where.place(str(kind), str(name), *path), message, hosts))


def listed(names: Iterable[str], limit: int = 6) -> str:
    """The names in a sentence: at most `limit` of them, then how many more."""
    found = sorted(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more
