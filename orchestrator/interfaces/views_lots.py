"""What analysts see of a lot: its sample, who of it is not CLEAN yet, and whom one signature would let out.

Never shows what one analyst said of a host: only whether enough persons call it CLEAN.
"""

from __future__ import annotations

from orchestrator.decision import lots, seats
from orchestrator.decision.state import State
from orchestrator.interfaces.documents import LotHost, LotSeen


def lot_seen(state: State, name: str, now_us: int) -> LotSeen:
    """The lot of this name (`SITE/IMAGE`)."""
    lot = state.lots[name]
    waiting = [
        host
        for host in sorted(lot.members - lot.drawn)
        if state.lot_of.get(host) == name and seats.seats_open(state, host, now_us) and not state.verdicts[host]
    ]
    return {
        "lot": name,
        "image": name.rpartition("/")[2],
        "seen": len(lot.members),
        "first": state.estate.content.restart.lots.first,
        "condemned": lot.condemned,
        "signable": lots.signable(state, lot, now_us),
        "sample": [_host(state, host, now_us) for host in sorted(lot.drawn)],
        "waiting": [_host(state, host, now_us) for host in waiting],
    }


def _host(state: State, host: int, now_us: int) -> LotHost:
    return {
        "host": state.estate.hosts[host],
        "inspection": state.inspection[host],
        "evidence": state.evidence[host],
        "clean": lots.is_clean(state, host, now_us),
    }
