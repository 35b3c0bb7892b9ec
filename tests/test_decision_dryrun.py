"""A plan is proven by playing it through without faults."""

from __future__ import annotations

from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.stages import Stage
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from tests.estates import (
    small_estate,
    with_tier0_tasks,
)


def played(content: Content) -> tuple[DryRun, list[tuple[str, str]]]:
    """A dry run of the content, and what it says is stuck."""
    run = DryRun(content, derive(content))
    return run, run.run()


def test_the_small_hospital_comes_back_whole() -> None:
    run, stuck = played(small_estate())
    assert stuck == []
    assert set(run.state.stage) == {Stage.IN_SERVICE}
    assert all(wave.passed_us for wave in run.state.waves)


def test_tasks_of_the_directory_are_done_in_their_order() -> None:
    run, stuck = played(with_tier0_tasks(small_estate()))
    assert stuck == []
    assert run.state.tasks["ad/krbtgt-1"].confirmed_us < run.state.tasks["ad/krbtgt-2"].confirmed_us
