"""Counts the hours analysts read for by a plan: every host by as many persons as its class asks, of lots a sample.

Never foresees when (`simulation.forecast` does), and counts no second reading of what was found suspect or expired, and
one signature for the lot of each class and site.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orchestrator.plans.model import Content, LotRule

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Share:
    """What the hosts of one class cost: how many there are and are read, by how many persons each, seconds in all."""

    klass: str
    hosts: int
    read: int
    persons: int
    reading_s: int


def shares(content: Content) -> list[Share]:
    """The share of each class that has hosts to bring back, the largest first."""
    left = [host for host in content.inventory.hosts if host.id not in content.restart.leave_off]
    found = []
    for klass in content.classes:
        at_sites = Counter(host.site for host in left if host.klass == klass.id)
        hosts, lots = at_sites.total(), len(at_sites) if klass.lots else 0
        read = sum(_sample(count, content.restart.lots) for count in at_sites.values()) if lots else hosts
        if hosts:
            readings = read * klass.verdicts_required + lots
            found.append(Share(klass.id, hosts, read, klass.verdicts_required, readings * klass.reading_s))
    return sorted(found, key=lambda share: (-share.reading_s, share.klass))


def _sample(hosts: int, rule: LotRule) -> int:
    """How many of a lot are read, as the draw has it on average."""
    return min(hosts, rule.first) + max(0, hosts - rule.first) // rule.one_in


def in_words(content: Content) -> list[str]:
    """The sum and each class's share, one a line; a plan without analysts has nobody to read them."""
    found = shares(content)
    analysts = sum("analyst" in person.roles for person in content.roster.persons)
    total_h = sum(share.reading_s for share in found) / HOUR_S
    each = f", {total_h / analysts:.1f} for each of {analysts}" if analysts else "; the roster names no analyst"
    lines = [f"Analysts read for {total_h:.1f} hours if nothing is found{each}:"]
    for share in found:
        persons = "1 person" if share.persons == 1 else f"{share.persons} persons"
        lots = f", by lots: {share.read} of them read" if share.read < share.hosts else ""
        lines.append(
            f"  {share.klass}: {share.hosts} hosts{lots}, {persons} each, {share.reading_s / HOUR_S:.1f} hours"
        )
    return lines
