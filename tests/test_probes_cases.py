"""Each judgement of a probe agrees with recorded exchanges, one file each: `probes/PROBE/what-it-is.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from orchestrator.checks.model import PROVES
from orchestrator.probes.base import Question
from orchestrator.workers.probing import own_probes

CASES = sorted((Path(__file__).parent / "probes").glob("*/*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_exchange_is_judged_as_its_file_says(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    module = sys.modules[type(own_probes()[path.parent.name]).__module__]
    question = Question("10.1.10.9", case.get("port", 1), params=case["params"])
    answer = module.judge(question, case["seen"])
    assert answer.outcome == case["outcome"], answer.sentence
    assert case["words"] in answer.sentence
    assert answer.sentence.endswith(".")
    assert "\n" not in answer.sentence
    json.dumps(answer.facts)


@pytest.mark.parametrize("probe", sorted(PROVES))
def test_every_judgement_has_recorded_exchanges_that_pass_and_that_fail(probe: str) -> None:
    outcomes = {json.loads(path.read_text("utf-8"))["outcome"] for path in CASES if path.parent.name == probe}
    assert {"PASS", "FAIL"} <= outcomes
