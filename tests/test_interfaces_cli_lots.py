"""An analyst opens a lot before the first of it is inspected, and signs for it by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.interfaces.serving import serve
from orchestrator.plans.model import Content, LotRule
from tests.command_line import Keyboard, Terminal, terminal
from tests.estates import small_estate
from tests.live_hospital import hospital, quick

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


def lotted() -> Content:
    """The small hospital, with three posts of its laboratory made from one image; the first of a lot is read."""
    base = small_estate(timing=quick(), posts_per_site=3, slices={}, lots=LotRule(first=1, one_in=1 << 40))
    classes = tuple(
        one.model_copy(update={"lots": True, "strategies": ("reimage",), "verdicts_required": 2})
        if one.kind == "workstation"
        else one
        for one in base.classes
    )
    return base.model_copy(update={"classes": classes})


def test_two_read_the_sample_and_one_signature_lets_the_rest_of_the_lot_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hospital(tmp_path / "state", lotted()) as here, serve(here.engine, tmp_path / "state", 0):
        here.hands.image = IMAGE
        here.open_incident()
        at = Terminal(here, Keyboard(capsys, "--state", str(tmp_path / "state")))
        assert at.signs("analyst-1", "lot", "open", "north", IMAGE).code == 0
        here.quarantined("foundations")
        for who in ("analyst-1", "analyst-2"):
            for host in ("ad-1", "ad-2", "backup-1"):
                here.judge("CLEAN", who, host)
        here.read_everything()
        here.quarantined("laboratory/slice")
        (lot,) = at.types.json("queue").document["lots"]
        (sample,), waiting = lot["sample"], [one["host"] for one in lot["waiting"]]
        assert len(waiting) == 2
        name = f"north/{IMAGE}"
        refused = at.signs("analyst-3", *SIGN, name)
        assert sample["host"] in refused.document["error"]["sentence"]
        for who in ("analyst-1", "analyst-2"):
            assert at.signs(who, *SIGN[:3], sample["host"], *SIGN[3:-1]).code == 0
        assert f"2 wait: relance verdict sign CLEAN --lot {name}" in at.types("queue").out
        signed = at.signs("analyst-3", *SIGN, name)
        assert signed.code == 0, signed.out
        assert f"a lot of {1 + len(waiting)} hosts" in signed.err
        here.settle()
        assert {here.stage(one) for one in waiting} <= {"reconnecting", "released", "in_service"}
