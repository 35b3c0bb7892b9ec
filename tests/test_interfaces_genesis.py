"""The genesis carries the plan's roster as it is: persons, roles, keys, and until when each may sign."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.decision.orders import EMPTY_SET
from orchestrator.errors import ContentError
from orchestrator.interfaces.genesis import genesis_args
from tests.small_estate import SmallEstate

DAY_US = 24 * 3600 * 1_000_000


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


def with_validity(estate: SmallEstate, **days: str) -> list[Any]:
    path = estate.path / "plans" / "roster.yaml"
    roster = yaml.safe_load(path.read_text())
    roster["persons"][0].update(days)
    path.write_text(yaml.safe_dump(roster))
    persons = genesis_args(estate.path)["persons"]
    assert isinstance(persons, list)
    return persons


def test_every_person_comes_with_roles_and_key_bytes(estate: SmallEstate) -> None:
    roster = yaml.safe_load((estate.path / "plans" / "roster.yaml").read_text())["persons"]
    args = genesis_args(estate.path)
    assert args["persons"] == [{name: one[name] for name in ("id", "roles", "key")} for one in roster]
    assert args["indicator_set"] == EMPTY_SET


def test_a_validity_counts_from_midnight_to_midnight(estate: SmallEstate) -> None:
    first, *others = with_validity(estate, valid_from="1970-01-02", valid_until="1970-01-04")
    assert (first["valid_from_us"], first["valid_until_us"]) == (DAY_US, 3 * DAY_US)
    assert all("valid_from_us" not in one for one in others)


def test_a_day_that_is_none_is_a_sentence(estate: SmallEstate) -> None:
    with pytest.raises(ContentError, match=r"no date like 2026-05-01"):
        with_validity(estate, valid_from="2026-02-31")
