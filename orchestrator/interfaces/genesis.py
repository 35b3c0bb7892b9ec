"""The first order of an incident: the roster of the plan, as its persons sign it.

Never adds a person: from this order on the journal says who may sign.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.errors import ContentError
from orchestrator.interfaces.content import planned
from orchestrator.plans.model import Person

NO_INDICATORS = "0" * 64


def genesis_args(estate: Path) -> dict[str, Json]:
    """The arguments of the genesis order: every person with roles, key and validity; no indicator set in force yet."""
    content, _ = planned(estate)
    return {"persons": [_person(one) for one in content.roster.persons], "indicator_set": NO_INDICATORS}


def _person(one: Person) -> Json:
    entry: dict[str, Json] = {"id": one.id, "roles": list(one.roles), "key": one.key}
    for name, day in (("valid_from_us", one.valid_from), ("valid_until_us", one.valid_until)):
        if day:
            entry[name] = _midnight_us(one.id, day)
    return entry


def _midnight_us(person: str, day: str) -> int:
    try:
        at = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    except ValueError as error:
        sentence = f"{day!r} in the validity of {person} is no date like 2026-05-01."
        raise ContentError(sentence, rule="roster.validity", file="plans/roster.yaml", line=1) from error
    return int(at.timestamp()) * 1_000_000
