"""The first order of an incident: the roster of the plan, as its persons sign it.

Never adds a person: from this order on the journal says who may sign.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

from orchestrator.canonical import Json
from orchestrator.decision import orders
from orchestrator.errors import ContentError
from orchestrator.plans.model import Person
from orchestrator.plans.review import planned


def genesis_args(estate: Path) -> dict[str, Json]:
    """The arguments of the genesis order, with the days from and until which each person may sign."""
    content, *_ = planned(estate)
    args = orders.genesis_args(content)
    for entry, person in zip(cast("list[dict[str, Json]]", args["persons"]), content.roster.persons, strict=True):
        entry.update(_validity(person))
    return args


def _validity(person: Person) -> dict[str, Json]:
    days = {"valid_from_us": person.valid_from, "valid_until_us": person.valid_until}
    return {name: _midnight_us(person.id, day) for name, day in days.items() if day}


def _midnight_us(person: str, day: str) -> int:
    try:
        at = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    except ValueError as error:
        sentence = f"{day!r} in the validity of {person} is no date like 2026-05-01."
        raise ContentError(sentence, rule="roster.validity", file="plans/roster.yaml", line=1) from error
    return int(at.timestamp()) * 1_000_000
