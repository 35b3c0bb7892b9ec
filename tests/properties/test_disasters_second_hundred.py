"""The second hundred seeded disasters: with faults on no promise breaks, with faults off all come back.

Two files, so that two processes share them; `make simulate` plays ten thousand.
"""

from __future__ import annotations

import pytest

from orchestrator.simulation.faults import ALL, NONE, SOME
from tests.disasters import found


@pytest.mark.parametrize("first", range(100, 200, 25))
def test_everything_goes_wrong_and_no_promise_breaks_and_all_come_back(first: int) -> None:
    assert found(range(first, first + 25), ALL) == []


def test_some_things_go_wrong_and_all_come_back() -> None:
    assert found(range(300, 308), SOME) == []


def test_nothing_goes_wrong_and_all_come_back() -> None:
    assert found(range(320, 328), NONE) == []
