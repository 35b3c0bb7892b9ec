"""Luck is the same for the same question: in any order, in any process, and even over many questions."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import fmean, pstdev

import pytest

from orchestrator.simulation.chance import Chance

ASKS = (
    "from orchestrator.simulation.chance import Chance; c = Chance(7); print(c.share(1, 2), c.normal(3), c.share(-1))"
)


def test_the_same_question_gets_the_same_answer_whatever_was_asked_before() -> None:
    once, again = Chance(7), Chance(7)
    wanted = once.share(1, 2)
    for number in range(100):
        again.share(number)
    assert again.share(1, 2) == wanted


def test_another_seed_and_another_question_have_other_luck() -> None:
    assert len({Chance(seed).share(1, 2) for seed in range(50)}) == 50
    assert len({Chance(1).share(1, number) for number in range(50)}) == 50
    assert Chance(1).share(1, 2) != Chance(1).share(2, 1)


@pytest.mark.parametrize("hash_seed", ["1", "4711"])
def test_luck_is_the_same_in_another_process(hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    said = subprocess.run([sys.executable, "-c", ASKS], env=environment, capture_output=True, text=True, check=True)
    chance = Chance(7)
    assert said.stdout.split() == [str(chance.share(1, 2)), str(chance.normal(3)), str(chance.share(-1))]


def test_shares_are_spread_evenly_between_0_and_1() -> None:
    shares = [Chance(3).share(host, 5, attempt) for host in range(100) for attempt in range(20)]
    assert all(0 <= share < 1 for share in shares)
    assert abs(fmean(shares) - 0.5) < 0.02
    tenths = [sum(int(share * 10) == tenth for share in shares) for tenth in range(10)]
    assert all(150 < count < 250 for count in tenths)


def test_normal_numbers_are_centred_and_of_unit_spread() -> None:
    numbers = [Chance(3).normal(host, attempt) for host in range(100) for attempt in range(20)]
    assert abs(fmean(numbers)) < 0.06
    assert abs(pstdev(numbers) - 1) < 0.06


def test_what_is_drawn_follows_its_weights_and_none_is_the_last() -> None:
    drawn = [Chance(3).pick((0.1, 0.4), number) for number in range(2000)]
    assert [abs(drawn.count(place) / 2000 - share) < 0.03 for place, share in enumerate((0.1, 0.3, 0.6))] == [True] * 3
    assert Chance(3).pick((), 1) == 0
