"""Counts the analysts' hours a plan asks for: every host read once by as many persons as its class asks.

Never foresees when (`simulation.forecast` does), and counts no second reading of what was found suspect or expired.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.plans.model import Content

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Share:
    """What the hosts of one class cost: how many there are, the persons each takes, and seconds of reading in all."""

    klass: str
    hosts: int
    persons: int
    reading_s: int


def shares(content: Content) -> list[Share]:
    """The share of each class that has hosts to bring back, the largest first."""
    count = dict.fromkeys((klass.id for klass in content.classes), 0)
    for host in content.inventory.hosts:
        if host.id not in content.restart.leave_off:
            count[host.klass] += 1
    found = [
        Share(one.id, count[one.id], one.verdicts_required, count[one.id] * one.verdicts_required * one.reading_s)
        for one in content.classes
        if count[one.id]
    ]
    return sorted(found, key=lambda share: (-share.reading_s, share.klass))


def in_words(content: Content) -> list[str]:
    """The sum and each class's share, one a line; a plan without analysts has nobody to read them."""
    found = shares(content)
    analysts = sum("analyst" in person.roles for person in content.roster.persons)
    total_h = sum(share.reading_s for share in found) / HOUR_S
    each = f", {total_h / analysts:.1f} for each of {analysts}" if analysts else "; the roster names no analyst"
    lines = [f"Analysts read for {total_h:.1f} hours if nothing is found{each}:"]
    for share in found:
        persons = "1 person" if share.persons == 1 else f"{share.persons} persons"
        lines.append(f"  {share.klass}: {share.hosts} hosts, {persons} each, {share.reading_s / HOUR_S:.1f} hours")
    return lines
