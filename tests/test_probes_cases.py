"""Each judgement of a probe agrees with recorded exchanges, one file each: `probes/PROBE/what-it-is.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.canonical import Json
from orchestrator.checks.model import PROVES
from orchestrator.probes import fhir, hl7, kerberos, ntp, prometheus, smb
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


AT = {"now_us": 1_795_000_000_000_000, "sent_us": 1_795_000_000_000_000, "came_us": 1_795_000_000_000_000}
SECTIONS = some.sampled_from(["MSH|^~\\&|a|b", "MSA|AA", "MSA|AA|42", "QAK|1|OK", "PID|1||TEST-1", "OBR|1|42", "OBX"])
DOCUMENTS = some.recursive(
    some.none() | some.integers() | some.text(max_size=5) | some.sampled_from(["success", "vector", "scalar"]),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["status", "data", "resultType", "result", "value", "x"]), inner)
    ),
    max_leaves=12,
)


@given(reply=some.binary(max_size=200))
def test_whatever_bytes_a_lying_peer_sends_are_judged(reply: bytes) -> None:
    params = {"realm": "HOSPITAL.EXAMPLE", "user": "relance"}
    question = Question("10.1.10.9", 1, params=params)
    for probe, start in ((kerberos, b""), (kerberos, b"\x7e"), (smb, b"\xfeSMB"), (ntp, b"\x24\x02")):
        seen: dict[str, Json] = {**AT, "cookie": "00" * 8, "reply": (start + reply).hex()}
        assert probe.judge(question, seen).outcome == "FAIL" or probe is smb


@given(reply=some.lists(SECTIONS | some.text(max_size=9), max_size=6).map("\r".join))
def test_whatever_message_a_lying_interface_sends_is_no_result_of_our_order(reply: str) -> None:
    seen: dict[str, Json] = {"number": "42", "reply": reply, "result": reply, "patient": "TEST-1"}
    assert hl7.judge(Question("10.1.10.9", 1, params={"ask": "order"}), seen).outcome == "FAIL"


@given(document=DOCUMENTS)
def test_whatever_document_a_lying_server_sends_is_judged(document: Json) -> None:
    seen: dict[str, Json] = {"status": 200, "body": json.dumps(document), "location": None}
    assert prometheus.judge(Question("10.1.10.9", 1), seen).outcome in ("PASS", "FAIL")
    assert fhir.judge(Question("10.1.10.9", 1), {"status": 200, "told": {}, "entries": 0}).outcome == "FAIL"
