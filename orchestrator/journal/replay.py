"""Feeds the journal's records to whoever rebuilds state from them, in order, each verified first.

Never decides anything and never skips: a record that cannot be applied ends it, named.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.errors import RelanceError, Unusable
from orchestrator.journal.record import Record
from orchestrator.journal.sqlite import Journal


def replay(journal: Journal, apply: Callable[[Record], None]) -> int:
    """Apply every committed record and check the root against the last head noted; how many there were."""
    for record in journal.records():
        try:
            apply(record)
        except RelanceError as error:
            raise Unusable(
                f"Record {record.seq} ({record.kind}) is genuine but cannot be applied: {error.sentence} "
                "Run the version of Relance that wrote it.",
                record=record.seq,
                kind=record.kind,
                cause=error.as_json(),
            ) from error
    return journal.head.size
