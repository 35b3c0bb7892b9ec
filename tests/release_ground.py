"""Hospitals whose reconnects hang, so that their bundles can be looked at: everything in them is really signed.

Never used by the product.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from orchestrator.engine.release import Citations
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.sqlite import Journal
from orchestrator.trust import verifier
from tests.live_hospital import Hospital


def under_way(here: Hospital) -> list[str]:
    """The reconnects that were issued and have not ended."""
    return here.engine.read(lambda state, _: [one for one in state.open if "/reconnect/" in one])


def bundle_of(here: Hospital, action: str) -> dict[str, Any]:
    """The bundle of a reconnect, as of now."""
    citations = Citations(here.engine.blobs.get)
    with Journal.open(journal_of(here), read_only=True) as journal:
        head = citations.catch_up(journal)
    made = here.engine.read(lambda state, _: citations.bundle(state, action, head))
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


def anchor_of(bundle: dict[str, Any]) -> str:
    """The digest of the genesis order, which people wrote down when they signed it."""
    first = min(bundle["documents"], key=int)
    return hashlib.sha256(json.loads(bundle["documents"][first])["document"].encode()).hexdigest()


def refused(bundle: dict[str, Any], journal: Path, anchor: str, **how: bool) -> list[str]:
    """The rules that refuse a bundle."""
    (lines,) = verifier.check([bundle], journal, anchor, **how)
    return [line.rule for line in lines if not line.holds]


def journal_of(here: Hospital) -> Path:
    """The journal's file."""
    return here.engine.state_dir / JOURNAL
