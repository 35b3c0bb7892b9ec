"""Findings stand where the entry they are about stands."""

from __future__ import annotations

import pytest

from orchestrator.inventory.sources import Place, Where
from orchestrator.plans.report import Report, listed
from tests.estates import small_estate


class Whole:
    def place(self, path: tuple[str | int, ...]) -> Place:
        return Place("inventory/services.yaml", 30, len(path))


def test_an_error_stands_at_its_entry_and_names_the_hosts_it_blocks() -> None:
    where = Where()
    where.add("service", "lis", Whole(), ("services", 3))
    report = Report(small_estate(), where)
    report.error(("service", "lis", "needs"), "First.", hosts=["lis-1"])
    report.warn(("service", "lis"), "Second.")
    report.add("debt", ("host", "nowhere"), "Third.")
    assert [str(one) for one in report.findings] == [
        "inventory/services.yaml:30:3: error: First.",
        "inventory/services.yaml:30:2: warning: Second.",
        "inventory/servers.csv:1: debt: Third.",
    ]
    assert report.findings[0].hosts == ("lis-1",)


@pytest.mark.parametrize(
    ("names", "told"),
    [(["b", "a"], "a, b"), ("abcdefgh", "a, b, c, d, e, f and 2 more"), ([], "")],
)
def test_a_long_list_is_cut_and_says_so(names: list[str], told: str) -> None:
    assert listed(names) == told
