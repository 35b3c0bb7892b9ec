"""Reads content as far as the waves need it, and derives them.

Never looks at playbooks or file modes, which change no wave, and never plays the restart through: `reviewing` does.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.inventory.sources import Finding
from orchestrator.plans.files import unusable
from orchestrator.plans.model import Content, Plan
from orchestrator.plans.review import examine


def planned(estate: Path) -> tuple[Content, Plan, list[Finding]]:
    """Content and plan without the hosts that errors block, and those errors.

    Raises ContentError with the first of the errors that block the whole estate.
    """
    found = examine(estate, files=False)
    if found.content is None or found.plan is None:
        raise unusable(found.findings)
    return found.content, found.plan, [one for one in found.findings if one.severity == "error"]
