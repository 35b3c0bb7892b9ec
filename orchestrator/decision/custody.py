"""Says who holds what was preserved of a host, under which seal, from the first holder on, hand by hand.

Never holds evidence itself, and never lets a chain break: who gives must be who holds (`order_rules` asks here).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.canonical import Json

TEXT_CHARS_MAX = 200  # of a holder, a medium or a seal


@dataclass(slots=True)
class Hand:
    """Since `at_us` `holder` has it, under `seal` (empty: none), as `person` signed; empty: the preserving action."""

    holder: str
    seal: str
    person: str
    at_us: int


@dataclass(slots=True)
class Preserved:
    """What one preserve kept: SHA-256 of the disk or image, what it lies on (or only its seal), and its chain."""

    digest: str
    medium: str
    hands: list[Hand]


def lacking(facts: Mapping[str, Json]) -> list[str]:
    """What the result of a preserve does not name and must."""
    found = [] if is_text(facts.get("digest")) else ["the digest of what it preserved"]
    if not (is_text(facts.get("medium")) or is_text(facts.get("seal"))):
        found.append("its medium or seal")
    if not is_text(facts.get("holder")):
        found.append("who holds it")
    return found


def preserved(facts: Mapping[str, Json], at_us: int) -> Preserved:
    """The chain's beginning, from a preserve that lacks nothing."""
    hand = Hand(str(facts.get("holder", "")), str(facts.get("seal", "")), "", at_us)
    return Preserved(str(facts.get("digest", "")), str(facts.get("medium", "")), [hand])


def is_text(value: object) -> bool:
    """Whether this can name a holder, a medium or a seal: short, printable, without blanks around it."""
    return (
        isinstance(value, str) and value.strip() == value != "" and len(value) <= TEXT_CHARS_MAX and value.isprintable()
    )
