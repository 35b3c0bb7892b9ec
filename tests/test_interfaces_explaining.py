"""A check explained: whom it asks, and that what writes is asked at a gate alone."""

from __future__ import annotations

from orchestrator.interfaces.explaining import SHOWN_MAX, explained, in_words
from tests.estates import check, server, small_estate, with_checks, with_hosts


def test_what_writes_says_so_and_a_long_list_of_hosts_is_cut() -> None:
    content = with_hosts(small_estate(), *(server(f"lis-9{number}", "north", "lis") for number in range(SHOWN_MAX)))
    order = check("lis-orders", "L3", service="lis", probe="hl7", params={"ask": "order", "code": "K"})
    (found,) = explained(with_checks(content, order), "lis-orders")
    assert (found["writes"], len(found["hosts"])) == (True, SHOWN_MAX + 2)
    told = in_words(found)
    assert "and 2 more." in told
    assert "It writes: asked at the gate alone" in told
    assert "(code K)" in told


def test_a_function_is_explained_by_what_it_uses_by_links_to_that_and_by_its_posts() -> None:
    found = {one["check"]: one["subject"] for one in explained(small_estate(), "laboratory")}
    assert found["lis-works"] == "service:lis"
    assert found["workstation-up"] == "class:workstation"
    assert "pacs-works" not in found
    assert "results-arrive" in [one["check"] for one in explained(small_estate(), "medical-records")]


def test_a_check_that_reaches_no_host_says_so() -> None:
    alone = with_checks(small_estate(), check("chapel-works", service="chapel"))
    (found,) = explained(alone, "chapel-works")
    assert "Of: no host." in in_words(found)
