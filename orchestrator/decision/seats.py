"""The seats of a host's verdict: who holds one, and how many are still open.

Never counts a verdict itself (`quorum` does) and never files one.
"""

from __future__ import annotations

from orchestrator.decision import quorum
from orchestrator.decision.blockers import but_unit
from orchestrator.decision.state import State


def claims_open(state: State, host: int, now_us: int) -> dict[str, int]:
    """Persons who hold a seat at the host now, with the time their claim ends."""
    claims = state.claims.get(host)
    if not claims:
        return {}
    return {person: until for person, until in claims.items() if until > now_us and person not in state.revoked}


def seats_open(state: State, host: int, now_us: int) -> int:
    """Seats nobody has signed or claimed; 0 where the host's verdict is not wanted now.

    In quarantine the seat of a verdict that expired opens again only when all else its reconnect needs is met.
    """
    if not quorum.seats_wanted(state, host):
        return 0
    signed = quorum.counting(state, host, now_us)
    filled = len(signed) + len(claims_open(state, host, now_us).keys() - signed)
    expired = 0
    if len(signed) < len(state.verdicts[host]):
        expired = len(quorum.counting(state, host, now_us, expired_too=True)) - len(signed)
    if (
        expired
        and host not in state.obligations
        and any(code != "verdicts" for code, _ in but_unit(state, host, now_us))
    ):
        filled += expired
    return max(0, quorum.required(state, host, signed) - filled)
