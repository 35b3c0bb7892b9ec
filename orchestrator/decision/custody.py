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
    named = {name for name in ("digest", "medium", "seal", "holder") if is_text(facts.get(name))}
    found = ["the digest of what it preserved"] if "digest" not in named else []
    if not named & {"medium", "seal"}:
        found.append("its medium or seal")
    return found if "holder" in named else [*found, "who holds it"]


def preserved(facts: Mapping[str, Json], at_us: int) -> Preserved:
    """The chain's beginning, from a preserve that lacks nothing."""
    digest, medium, seal, holder = (str(facts.get(name, "")) for name in ("digest", "medium", "seal", "holder"))
    return Preserved(digest, medium, [Hand(holder, seal, "", at_us)])


def is_text(value: object) -> bool:
    """Whether this can name a holder, a medium or a seal: short, printable, without blanks around it."""
    return (
        isinstance(value, str) and value.strip() == value != "" and len(value) <= TEXT_CHARS_MAX and value.isprintable()
    )
