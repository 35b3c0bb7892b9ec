"""What people imported about a host, as the journal knows it: digests, and how it was taken.

Never holds what was found.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Imported:
    """What another tool found on a host, as a person imported it: digests of the evidence and of the tool's file."""

    evidence: str
    file: str
    tool: str
    taken: str
    person: str
    at_us: int
