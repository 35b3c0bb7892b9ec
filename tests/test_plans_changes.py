"""The content after an order: read back, put into another order, or with part of a wave set apart."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from orchestrator.inventory.model import Needs
from orchestrator.plans.changes import KINDS, changed, split_of
from tests.estates import service, small_estate, with_services


def test_content_is_put_in_force_as_it_is_kept() -> None:
    other = with_services(small_estate(), service("new"))
    assert changed(small_estate(), "content.change", "content", {"digest": "d"}, {"d": other}) is other
    with pytest.raises(KeyError):
        changed(small_estate(), "content.change", "content", {"digest": "e"}, {"d": other})


def test_another_order_of_functions_changes_nothing_else() -> None:
    before = small_estate()
    after = changed(before, "functions.order", "functions", {"functions": ["radiology"]}, {})
    assert after.restart.order == ("radiology",)
    assert after.restart.model_copy(update={"order": before.restart.order}) == before.restart
    assert (after.inventory, after.digest) == (before.inventory, before.digest)


def test_a_partner_of_a_unit_that_is_set_apart_is_needed_softly_from_then_on() -> None:
    content = with_services(
        small_estate(),
        service("db", "laboratory", unit="lab", needs=Needs(reconnect=("lis", "ad"))),
        service("lis", "laboratory", unit="lab", needs=Needs(reconnect=("db", "ad"), soft=("dns",))),
    )
    after = changed(content, "wave.split", "laboratory/slice", {"name": "db", "services": ["db"]}, {})
    services = {one.id: one for one in after.inventory.services}
    assert services["db"].unit is None
    assert services["db"].needs.reconnect == ("lis", "ad"), "it comes later, when they are there"
    assert services["lis"].needs == Needs(reconnect=("ad",), soft=("dns", "db"))
    assert services["ad"] == next(one for one in content.inventory.services if one.id == "ad")
    assert after.restart.splits[-1] == split_of("laboratory/slice", {"name": "db", "services": ["db"]})


def test_a_split_without_a_name_is_none() -> None:
    with pytest.raises(ValidationError):
        split_of("laboratory/slice", {"services": ["db"]})
    assert "wave.split" in KINDS
