"""What the analysts see of a lot: its sample, and whom one signature would let out."""

from __future__ import annotations

from pydantic import TypeAdapter

from orchestrator.interfaces.documents import LotSeen
from orchestrator.interfaces.views_lots import lot_seen
from orchestrator.interfaces.views_people import queue
from tests.storyline import Story, Tell
from tests.test_decision_lots import LOT, POSTS, bench, made, opened, sampled


def seen(story: Story) -> LotSeen:
    found = lot_seen(story.state, LOT, story.now_us)
    assert TypeAdapter(LotSeen).validate_python(found, strict=True) == found
    return found


def test_the_sample_is_shown_with_who_of_it_is_clean_and_the_rest_as_waiting(tell: Tell) -> None:
    story = made(opened(bench(tell)), *POSTS)
    story.verdicts("ws-1", "analyst-1", "analyst-2").whatever()
    found = seen(story)
    assert [(one["host"], one["clean"]) for one in found["sample"]] == [("ws-1", True), ("ws-2", False)]
    assert [one["host"] for one in found["waiting"]] == list(POSTS[2:])
    assert (found["signable"], found["seen"], found["first"]) == (False, 6, 2)
    marked = {one["host"]: (one["lot"], one["drawn"]) for one in queue(story.state, story.now_us)["hosts"]}
    assert (marked["ws-2"], marked["ws-3"]) == ((LOT, True), (LOT, False))


def test_once_the_sample_is_clean_the_lot_can_be_signed_for(tell: Tell) -> None:
    story = sampled(tell)
    assert seen(story)["signable"]
    assert queue(story.state, story.now_us)["lots"] == [seen(story)]


def test_who_is_being_read_by_somebody_is_not_signed_for_with_the_rest(tell: Tell) -> None:
    story = sampled(tell).verdicts("ws-6", "analyst-3").nothing()
    assert "ws-6" not in [one["host"] for one in seen(story)["waiting"]]
