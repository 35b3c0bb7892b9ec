"""Documents of commands that have no view of their own have the shapes that programs are told."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from orchestrator.interfaces import documents as d
from orchestrator.interfaces import documents_foreseen as foreseen
from orchestrator.interfaces.cli_simulate import summed
from tests.command_line import Keyboard
from tests.small_estate import SMALL


def test_seeded_disasters_come_back_as_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("simulate", "--seeds", "0..1", "--hosts", "20", "--jobs", "1")
    found = Keyboard(capsys, "--estate", str(SMALL)).json(*words).document
    assert TypeAdapter(foreseen.Simulated).validate_python(found, strict=True) == found
    assert found["seeds"] == 2


def test_what_a_disaster_found_has_a_shape_too() -> None:
    broken = {"seed": 3, "event": 17, "invariant": "4", "story": "It was night."}
    stuck = {"seed": 3, "waits": "pacs-1 waits for a verdict", "story": ""}
    found = summed([{"seed": 3, "events": 20, "violations": [broken], "not_live": [stuck], "cpu_s": 0.25}])
    assert TypeAdapter(foreseen.Simulated).validate_python(found, strict=True) == found


def test_every_shape_becomes_a_schema() -> None:
    for shape in (foreseen.Forecast, foreseen.Score, foreseen.Simulated, foreseen.Planned, d.Status):
        assert TypeAdapter(shape).json_schema()["type"] == "object"
