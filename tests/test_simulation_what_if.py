"""What a decision would change: on a copy, with the same luck; a question nobody understands is refused."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.plans.model import Pool
from orchestrator.simulation.durations import Durations
from orchestrator.simulation.forecast import Forecaster, Present, futures
from orchestrator.simulation.percentiles import HORIZON_S, times_s, won_s
from orchestrator.simulation.what_if import asked
from tests.estates import FUNCTIONS, small_estate, with_pools
from tests.forecast_ground import HOUR_S, lived_s, present

RUNS = 8


def won(world: Present, question: str) -> dict[str, int]:
    """Seconds that the answer wins per function."""
    changed = asked(world, question)
    before, after = (list(futures(Forecaster(one), RUNS, lambda _: None)) for one in (world, changed))
    return {name: won_s(times_s(world, before, name), times_s(changed, after, name)) for name in FUNCTIONS}


def middle(hours: int = 4) -> Present:
    return lived_s(hours * HOUR_S, durations=Durations(sigma=0.3)).present


@pytest.mark.parametrize("hours", [0, 4])
@pytest.mark.parametrize(
    "question", ["pool analysts +0", "pool technicians +0", "order laboratory radiology", "soak 6s"]
)
def test_what_changes_nothing_wins_nothing(question: str, hours: int) -> None:
    world = middle(hours) if hours else present()
    assert set(won(world, question).values()) == {0}


def test_more_readers_never_lose_and_win_where_verdicts_are_what_everything_waits_for() -> None:
    found = won(present(), "pool analysts +3")
    assert min(found.values()) >= 0
    assert max(found.values()) > 900


def test_fewer_readers_lose_and_one_alone_never_proves_a_server_clean() -> None:
    assert max(won(present(), "pool analysts -1").values()) < 0
    alone = asked(present(), "pool analysts -2")
    assert set(times_s(alone, [Forecaster(alone).future(2)], "laboratory")) == {HORIZON_S}


def test_without_any_reader_there_is_nothing_to_forecast() -> None:
    for world in (present(), middle()):
        with pytest.raises(UsageError, match="That leaves no analysts: nothing would ever come back"):
            asked(world, "pool analysts -3")


@pytest.mark.parametrize("hours", [0, 4])
def test_a_shorter_soak_never_loses_and_a_longer_one_never_wins(hours: int) -> None:
    patient = small_estate(timing=small_estate().restart.timing.model_copy(update={"soak_s": HOUR_S}))
    world = lived_s(hours * HOUR_S, patient).present if hours else present(patient)
    shorter, longer = won(world, "soak 5m"), won(world, "soak 2h")
    assert min(shorter.values()) >= 0 < max(shorter.values())
    assert max(longer.values()) <= 0 > min(longer.values())


def test_another_order_brings_the_function_named_first_forward() -> None:
    found = won(present(), "order medical-records")
    assert found["medical-records"] > 0
    assert found["laboratory"] <= 0


def test_another_order_moves_no_gate_once_all_waves_are_launched() -> None:
    world = middle(1)
    changed = asked(world, "order medical-records")
    assert changed.state.estate.content.restart.order[0] == "medical-records"
    assert all(wave.launchers for wave in changed.state.waves)
    assert changed.state.ancestors == world.state.ancestors
    assert set(won(world, "order medical-records").values()) == {0}


def test_a_question_leaves_the_present_it_is_asked_about_as_it_is() -> None:
    world = middle()
    before, estate = world.state.digest(), world.state.estate
    for question in ("pool analysts +2", "pool backup-streams +2", "order radiology laboratory", "soak 5m"):
        asked(world, question)
        assert world.state.digest() == before
        assert (world.state.estate, world.more) == (estate, {})


def test_questions_about_people_add_up_by_role() -> None:
    once = asked(present(), "pool technicians +2")
    assert once.more == {"technician": 2}
    assert asked(once, "pool technicians -1").more == {"technician": 1}


def test_a_pool_of_each_size_grows_by_what_is_asked_and_never_shrinks_below_nothing() -> None:
    content = with_pools(small_estate(), Pool(id="benches", name="Benches", per_site={"north": 2}, per_site_default=1))

    def pool(question: str, name: str) -> Pool:
        pools = asked(present(content), question).state.estate.content.capacity.pools
        return next(one for one in pools if one.id == name)

    before = next(one for one in content.capacity.pools if one.id == "backup-streams").size
    assert before is not None
    assert pool("pool backup-streams +2", "backup-streams").size == before + 2
    assert pool("pool backup-streams -99", "backup-streams").size == 0
    benches = pool("pool benches +3", "benches")
    assert (benches.size, benches.per_site, benches.per_site_default) == (None, {"north": 5}, 4)
    assert pool("pool benches +3", "backup-streams").size == before


@pytest.mark.parametrize(
    "question",
    ["", "  ", "pool", "pool analysts", "pool analysts 2", "pool x +2 +3", "order", "soak", "soak 5", "soak 5m 6",
     "fire everybody", "soak -5m"],
)  # fmt: skip
def test_a_question_nobody_understands_is_refused_with_those_that_are(question: str) -> None:
    with pytest.raises(UsageError, match=r'is no question I know.*"pool NAME \+2"') as caught:
        asked(present(), question)
    assert caught.value.exit_code == 2


def test_a_pool_or_function_that_is_not_there_is_named_beside_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"There is no pool dragons; there are analysts, .*backup-streams"):
        asked(present(), "pool dragons +1")
    with pytest.raises(UsageError, match=r"There is no function wizardry; there are laboratory, medical-records"):
        asked(present(), "order laboratory wizardry")
    assert middle().state.seq
    with pytest.raises(UsageError, match="There is no function wizardry"):
        asked(middle(), "order wizardry")


def test_a_function_named_twice_stands_once_in_the_order() -> None:
    for world in (present(), middle()):
        order = asked(world, "order radiology radiology").state.estate.content.restart.order
        assert sorted(order) == sorted(FUNCTIONS)
        assert order[0] == "radiology"
