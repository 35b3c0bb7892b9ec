"""Finds what `relance run` starts on: an estate to begin an incident with, or what the incident runs on already.

Never puts an edited estate in force: once an incident is open, only an order does.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine.contents import opening
from orchestrator.engine.process import Beginning
from orchestrator.interfaces.output import progress
from orchestrator.interfaces.reviewing import reviewed
from orchestrator.plans.files import load, unusable


def beginning(estate: Path, state_dir: Path) -> Beginning | None:
    """The reviewed estate an incident begins with; None where the state folder holds one already.

    Raises ContentError for an estate that cannot be used at all.
    """
    if opening(state_dir) is not None:
        return None
    found = reviewed(estate)
    if found.content is None:
        raise unusable(found.findings)
    for one in found.findings:
        if one.severity == "error":
            progress(str(one))
    if found.blocked:
        progress(f"Starting without {len(found.blocked)} hosts that these errors block.")
    return Beginning(estate, found.content, found.blocked)


def tell_edited(estate: Path, in_force: str) -> None:
    """Says so where the estate's folder holds something else than what this incident runs on."""
    content, _, _ = load(estate)
    if content is None or content.digest != in_force:
        progress(f"{estate} is not what this incident runs on. `relance content propose` puts it in force.")
