"""An analyst opens a lot before the first of it is inspected, and signs for it by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Terminal, terminal

IMAGE = "ab" * 32
SIGN = ("verdict", "sign", "CLEAN", "--method", "by lot", "--examined", "the image", "--lot")


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with terminal(tmp_path, capsys) as found:
        yield found


def test_a_lot_is_opened_once_with_a_seed_nobody_chose(here: Terminal) -> None:
    said = here.signs("analyst-1", "lot", "open", "north", IMAGE.upper())
    assert (said.code, said.document["kind"]) == (0, "lot.open")
    lots = here.here.engine.read(lambda state, now_us: {name: lot.seed for name, lot in state.lots.items()})
    assert list(lots) == [f"north/{IMAGE}"]
    assert len(lots[f"north/{IMAGE}"]) == 32
    again = here.signs("analyst-1", "lot", "open", "north", IMAGE)
    assert (again.code, again.document["error"]["rule"]) == (3, "lots.open")
    queue = here.types.json("queue").document
    assert [(one["lot"], one["seen"], one["signable"]) for one in queue["lots"]] == [(f"north/{IMAGE}", 0, False)]


def test_a_lot_that_does_not_exist_or_of_which_nobody_waits_is_not_signed_for(here: Terminal) -> None:
    said = here.signs("analyst-1", *SIGN, "north/none")
    assert (said.code, said.document["error"]["rule"]) == (2, "usage.lot")
    assert "open are: none" in said.document["error"]["sentence"]
    here.signs("analyst-1", "lot", "open", "north", IMAGE)
    said = here.signs("analyst-1", *SIGN, f"north/{IMAGE}")
    assert (said.code, said.document["error"]["rule"]) == (3, "verdict.lot")


def test_a_verdict_names_hosts_or_for_clean_one_lot(here: Terminal) -> None:
    both = (*SIGN[:3], "ad-1", *SIGN[3:], "north/ab")
    for words in (SIGN[:-1], both, ("verdict", "sign", "SUSPECT", *SIGN[3:], "north/ab")):
        said = here.signs("analyst-1", *words)
        assert (said.code, said.document["error"]["rule"]) == (2, "usage.lot")
