"""Says in words what differs between two contents, for those who sign that the second one comes into force.

Never judges a difference, and never shortens one away: what is too long to read is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.inventory.model import Strict
from orchestrator.plans.model import Content

LISTED_MAX = 100
NEW_MAX = 20
VALUE_MAX = 80
LINE_MAX = 300
_LISTS = (
    ("site", "inventory.sites"),
    ("function", "inventory.functions"),
    ("activity", "inventory.activities"),
    ("service", "inventory.services"),
    ("interface", "inventory.interfaces"),
    ("host", "inventory.hosts"),
    ("device", "inventory.devices"),
    ("check", "checks"),
    ("class", "classes"),
    ("pool", "capacity.pools"),
    ("shift", "capacity.shifts"),
    ("person (the roster of the journal counts)", "roster.persons"),
)


def differences(before: Content, after: Content) -> list[str]:
    """A line for each entry that changed or went and each rule of the restart that changed; new entries by kind."""
    found = [one[:LINE_MAX] for kind, path in _LISTS for one in _listed(kind, _at(before, path), _at(after, path))]
    found += [f"restart: {one}"[:LINE_MAX] for one in _changed(before.restart, after.restart)]
    if not found and before.digest != after.digest:
        found = ["nothing that the plan reads: comments, documents or playbooks"]
    more = len(found) - LISTED_MAX
    return [*found[:LISTED_MAX], f"and {more} more differences"] if more > 0 else found


def _at(content: Content, path: str) -> dict[str, Strict]:
    value: object = content
    for name in path.split("."):
        value = getattr(value, name)
    return {one.id: one for one in value}  # type: ignore[attr-defined]


def _listed(kind: str, before: dict[str, Strict], after: dict[str, Strict]) -> Iterator[str]:
    new = sorted(after.keys() - before.keys())
    if new:
        more = f" and {len(new) - NEW_MAX} more" if len(new) > NEW_MAX else ""
        yield f"{kind}, {len(new)} new: {', '.join(new[:NEW_MAX])}{more}"
    for one in sorted(before.keys() - after.keys()):
        yield f"{kind} {one}: gone"
    for one in sorted(before.keys() & after.keys()):
        if before[one] != after[one]:
            yield f"{kind} {one}: {'; '.join(_changed(before[one], after[one]))}"


def _changed(before: Strict, after: Strict, above: str = "") -> Iterator[str]:
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if isinstance(old, Strict) and isinstance(new, Strict):
            yield from _changed(old, new, f"{above}{name}.")
        elif isinstance(old, tuple) and isinstance(new, tuple) and {*map(str, old)} != {*map(str, new)}:
            yield f"{above}{name} {_moves(old, new)}"
        else:
            yield f"{above}{name} was {_short(old)}, becomes {_short(new)}"


def _moves(old: Iterable[object], new: Iterable[object]) -> str:
    before, after = {str(one): one for one in old}, {str(one): one for one in new}
    gone = [f"without {_short(before[one])}" for one in before if one not in after]
    return ", ".join(gone + [f"with {_short(after[one])}" for one in after if one not in before])


def _short(value: object) -> str:
    if isinstance(value, Strict):
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, tuple):
        value = ", ".join(str(one) for one in value)
    text = str(value) or "nothing"
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."
