"""Tells a disaster in sentences: what the hospital is, what went wrong, and the last records before the finding.

Never judges: it words what `scenario` played.
"""

from __future__ import annotations

from dataclasses import asdict, fields

from orchestrator.decision.codec import kind_of
from orchestrator.decision.events import Ordered, Reading, Swept
from orchestrator.simulation.faults import Faults
from orchestrator.simulation.scenario import START_US, Outcome, Setting
from orchestrator.simulation.world import Entry

HOUR = 3_600_000_000
LAST = 20
_SILENT = {"expires_us", "blob", "head_size", "begun_us", "expires", "sentence", "facts", "args", "order", "supersedes"}


def told(setting: Setting, outcome: Outcome) -> list[str]:
    """The story, a sentence a line."""
    inventory = setting.content.inventory
    faults = [field.name for field in fields(Faults) if getattr(setting.faults, field.name)]
    lines = [
        f"A hospital of {len(inventory.hosts)} hosts with {len(inventory.services)} services.",
        f"What may go wrong: {', '.join(faults) or 'nothing'}.",
        *(f"Hour {(at_us - START_US) / HOUR:.1f}: trouble: {name}." for at_us, name in outcome.troubles),
        f"{len(outcome.journal)} records; the last that say something about it:",
    ]
    about = outcome.violation.subject if outcome.violation else ""
    entries = [one for one in outcome.journal if about in str(one[0]) and _worth_telling(one[0])]
    lines += [f"Hour {(at_us - START_US) / HOUR:.2f}: {sentence(entry)}" for entry, at_us in entries[-LAST:]]
    if outcome.violation:
        lines.append(f"Then invariant {outcome.violation.invariant} broke: {outcome.violation.sentence}")
    return [*lines, *(f"Never in service: {one}" for one in outcome.not_live)]


def _worth_telling(entry: Entry) -> bool:
    return not (isinstance(entry, Swept) and not entry.answered) and not (
        isinstance(entry, Reading) and entry.outcome == "PASS"
    )


def sentence(entry: Entry) -> str:
    """One record in words: its kind, then what it names."""
    if isinstance(entry, Ordered):
        return f"{entry.person} signs {entry.kind} on {entry.subject}."
    named = {name: value for name, value in asdict(entry).items() if name not in _SILENT and value not in ("", [], {})}
    words = ", ".join(f"{value}" if isinstance(value, str) else f"{name} {value}" for name, value in named.items())
    return f"{kind_of(type(entry)).replace('_', ' ')} {words}."
