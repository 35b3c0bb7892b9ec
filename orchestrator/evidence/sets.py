"""Finds an imported indicator set by its digest.

Never takes another for it: without the set nothing can be matched, and what names an unknown one is refused.
"""

from __future__ import annotations

from orchestrator.checks.indicators import IndicatorSet
from orchestrator.decision.orders import EMPTY_SET
from orchestrator.errors import Refused, RelanceError
from orchestrator.journal.blobs import Blobs


def stored_set(blobs: Blobs, digest: str) -> IndicatorSet:
    """The set imported under this digest. Raises Refused where there is none."""
    if digest == EMPTY_SET:
        return IndicatorSet()
    try:
        return IndicatorSet.from_bytes(blobs.get(digest))
    except RelanceError as error:
        raise Refused(
            f"No indicator set {digest[:16]} is kept with this incident; `relance indicators import` keeps one. "
            f"({error.sentence})",
            rule="indicators.unknown",
        ) from error
