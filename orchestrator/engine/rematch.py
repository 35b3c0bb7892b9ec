"""Matches the stored evidence that the core asks for against the indicator set in force, beside the engine's thread.

Never concludes: what an outcome means for a verdict is the core's. Evidence or a set that cannot be read, or on which
the matching breaks, is `unmatched`, never no hit. What was under way when the process ended is asked for again, by the
state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from orchestrator.decision.events import Event, Rematched
from orchestrator.decision.findings import HIT, NO_HIT, UNMATCHED
from orchestrator.decision.state import State
from orchestrator.errors import RelanceError
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.matching import Matcher
from orchestrator.evidence.sets import stored_set
from orchestrator.journal.blobs import Blobs

LOG = logging.getLogger("relance.engine")
HOSTS_MAX = 50  # of one turn, so that answers come while others are still matched


@dataclass(frozen=True, slots=True)
class Asked:
    """One host whose verdicts wait: the inspection they judge, and the digests of all evidence there is of it."""

    host: str
    inspection: str
    evidence: tuple[str, ...]


class Rematching:
    """One match at a time. Lives in the engine's thread; the matching itself does not."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="rematch")
        self._under_way: list[tuple[Asked, Future[str]]] = []
        self._used = ""  # what is under way is matched against this set
        self._ready: tuple[str, Callable[[Evidence], str]] = ("", _unmatched)

    def poll(self, state: State) -> list[Event]:
        """What was matched; the next hosts are begun with."""
        if self._under_way:
            return self._ended() if all(future.done() for _, future in self._under_way) else []
        self._used = state.indicator_set
        asked = [_asked(state, host) for host in sorted(state.rematch)[:HOSTS_MAX]]
        self._under_way = [(one, self._pool.submit(self._outcome, self._used, one)) for one in asked]
        return []

    def close(self) -> None:
        """Matches nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self) -> list[Event]:
        """One answer for each outcome there is."""
        outcomes: dict[str, dict[str, str]] = {}
        for one, future in self._under_way:
            error = future.exception()
            if error is not None:  # whatever it is, the engine goes on and nothing passes for it
                LOG.error("The evidence of %s cannot be matched: %s: %s", one.host, type(error).__name__, error)
            outcomes.setdefault(UNMATCHED if error else future.result(), {})[one.host] = one.inspection
        self._under_way = []
        return [Rematched(inspections, self._used, outcome) for outcome, inspections in outcomes.items()]

    def _outcome(self, used: str, one: Asked) -> str:
        """A hit in any of a host's evidence is one; else all of it must have been matched."""
        if self._ready[0] != used:
            self._ready = (used, _judge_of(self._blobs, used))
        found = set()
        for digest in one.evidence:
            try:
                found.add(self._ready[1](Evidence.from_bytes(self._blobs.get(digest))))
            except RelanceError as error:
                LOG.warning("The evidence %s of %s cannot be matched: %s", digest[:16], one.host, error.sentence)
                found.add(UNMATCHED)
        return next((outcome for outcome in (HIT, UNMATCHED) if outcome in found), NO_HIT)


def _asked(state: State, host: int) -> Asked:
    imported = (one.evidence for one in state.imported.get(host, ()))
    return Asked(state.estate.hosts[host], state.inspection[host], (state.evidence[host], *imported))


def _judge_of(blobs: Blobs, digest: str) -> Callable[[Evidence], str]:
    """What a set says of evidence; of a set that is not kept, or does not compile, nothing."""
    try:
        matcher = Matcher(stored_set(blobs, digest), blobs.get)
    except RelanceError as error:
        LOG.warning("No evidence is matched against the set %s: %s", digest[:16], error.sentence)
        return _unmatched

    def judge(seen: Evidence) -> str:
        found = matcher.match(seen)
        if found.hits:
            return HIT
        # What was imported says itself what is not matched on it.
        return UNMATCHED if found.unmatched and not seen.source else NO_HIT

    return judge


def _unmatched(seen: Evidence) -> str:
    return UNMATCHED
