"""The table of a host's life: every pair that is not written there is illegal."""

from __future__ import annotations

import pytest

from orchestrator.decision.stages import (
    ENDS,
    GONE,
    MOVING,
    OUT,
    STARTS,
    SUCCEEDS,
    TABLE,
    IllegalEvent,
    Stage,
    Turn,
    after,
)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_host_sees_only_what_the_table_allows_where_it_stands(stage: Stage) -> None:
    for turn in Turn:
        if (stage, turn) in TABLE:
            assert after(stage, turn) is TABLE[stage, turn]
        else:
            with pytest.raises(IllegalEvent) as caught:
                after(stage, turn)
            assert stage.name.lower() in caught.value.sentence
            assert caught.value.rule == "stages.table"


def test_the_straight_way_leads_from_blocked_to_in_service() -> None:
    stage = Stage.BLOCKED
    for step in ("preserve", "restore", "inspect", "reconnect"):
        stage = after(after(stage, STARTS[step]), SUCCEEDS[step])
    assert after(stage, Turn.HOST_CHECK_PASSED) is Stage.IN_SERVICE


@pytest.mark.parametrize("step", ["preserve", "inspect", "reconnect"])
def test_an_action_without_success_leaves_the_host_where_it_was(step: str) -> None:
    for stage in Stage:
        if (stage, STARTS[step]) in TABLE and not (step == "preserve" and stage is Stage.PRESERVED):
            assert after(after(stage, STARTS[step]), ENDS[step]) is stage


def test_only_a_reconnect_leads_out_and_only_an_isolation_leads_back() -> None:
    leading_out = {turn for (stage, turn), then in TABLE.items() if then in OUT and stage not in OUT}
    leading_back = {turn for (stage, turn), then in TABLE.items() if stage in OUT and then not in OUT}
    assert leading_out == {Turn.RECONNECT_OK}
    assert leading_back == {Turn.ISOLATED, Turn.ISOLATED_INFECTED}


def test_a_host_that_is_out_is_never_excluded_or_given_up_where_it_stands() -> None:
    for stage in (*OUT, *MOVING):
        for turn in (Turn.EXCLUDED, Turn.GIVEN_UP, Turn.CONDEMNED):
            assert (stage, turn) not in TABLE


def test_who_is_gone_comes_back_only_through_a_persons_order() -> None:
    ways = {turn for (stage, turn), then in TABLE.items() if stage in GONE and then not in GONE}
    assert ways == {Turn.RETRIED, Turn.DECLARED}


def test_every_stage_can_be_reached_and_left() -> None:
    assert set(TABLE.values()) == set(Stage)
    assert {stage for stage, _ in TABLE} == set(Stage)
