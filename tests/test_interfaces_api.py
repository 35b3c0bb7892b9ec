"""The API of a live process, over a real socket: signed documents in, views out, problems in one form."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from orchestrator import __version__
from orchestrator.interfaces import documents as d
from orchestrator.interfaces.api import BODY_BYTES_MAX
from orchestrator.interfaces.serving import serve
from orchestrator.problems import MEDIA_TYPE
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE
from tests.estates import key_of
from tests.live_hospital import INCIDENT, Hospital, hospital

ROUTES = {
    ("/orders", "post"),
    ("/verdicts", "post"),
    ("/forecasts", "post"),
    ("/checkins", "post"),
    ("/reads", "post"),
    ("/status", "get"),
    ("/why/{host}", "get"),
    ("/exposure/{host}", "get"),
    ("/queue", "get"),
    ("/evidence", "get"),
    ("/custody/{host}", "get"),
    ("/tasks", "get"),
    ("/orders", "get"),
    ("/orders/kinds", "get"),
    ("/orders/{order}", "get"),
    ("/head", "get"),
    ("/content-digest", "get"),
    ("/content/{digest}", "get"),
    ("/healthz", "get"),
    ("/metrics", "get"),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with hospital(tmp_path_factory.mktemp("api") / "state") as found:
        found.open_incident()
        found.quarantined("foundations")
        yield found


@pytest.fixture(scope="module")
def web(here: Hospital) -> Iterator[httpx.Client]:
    with serve(here.engine, here.engine.state_dir, 0) as listening:
        transport = httpx.HTTPTransport(uds=str(listening.socket))
        with httpx.Client(transport=transport, base_url="http://localhost", timeout=20) as client:
            yield client


def order_body(here: Hospital, text: bytes, who: str) -> dict[str, str]:
    return {"order": text.decode(), "person": who, "signature": sign(key_of(who), ORDER_NAMESPACE, text)}


def is_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["error"]["code"] == code
    assert body["error"]["sentence"]
    return body


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/status", d.Status),
        ("/why/ad-1", d.Why),
        ("/exposure/ad-1", d.Exposure),
        ("/exposure/ad-1?distance=3", d.Exposure),
        ("/queue", d.Queue),
        ("/evidence", d.EvidenceKept),
        ("/custody/ad-1", d.Custody),
        ("/tasks", list[d.Task]),
        ("/tasks?site=north", list[d.Task]),
        ("/orders", list[d.Order]),
        ("/orders/kinds", list[d.Kind]),
        ("/head", d.Head),
    ],
)
def test_every_view_answers_in_its_shape(web: httpx.Client, path: str, shape: Any) -> None:
    found = web.get(path)
    assert found.status_code == 200
    assert TypeAdapter(shape).validate_json(found.content, strict=True) == found.json()


def test_the_head_is_what_a_signer_needs(web: httpx.Client, here: Hospital) -> None:
    head = here.engine.head()
    assert web.get("/head").json() == {"incident": INCIDENT, "size": head.size, "root": head.root.hex()}


def test_the_content_digest_is_that_of_the_incident(web: httpx.Client, here: Hospital) -> None:
    assert web.get("/content-digest").json() == {"digest": here.content.digest}


def test_a_healthy_process_says_so(web: httpx.Client) -> None:
    body = web.get("/healthz").json()
    assert body["status"] == "ok"
    assert body["records"] > 2
    assert body["version"] == __version__


def test_an_order_signed_elsewhere_takes_effect(web: httpx.Client, here: Hospital) -> None:
    response = web.post("/orders", json=order_body(here, here.text("freeze", "site:south"), "operator-1"))
    assert response.status_code == 200
    assert TypeAdapter(d.Taken).validate_json(response.content)["kind"] == "freeze"
    assert web.get("/status").json()["frozen"] == {"site:south": "reconnect"}


def test_the_order_may_come_in_base64(web: httpx.Client, here: Hospital) -> None:
    text = here.text("wave.hold", "laboratory/slice")
    body = order_body(here, text, "operator-1") | {"order": base64.b64encode(text).decode()}
    assert web.post("/orders", json=body).status_code == 200


def test_an_order_that_waits_is_accepted_and_names_the_missing_roles(web: httpx.Client, here: Hospital) -> None:
    text = here.text("host.exclude", "pacs-1", even_if_last=True)
    body = is_problem(web.post("/orders", json=order_body(here, text, "operator-1")), 202, "needs_another")
    facts = body["error"]["facts"]
    assert facts["missing_roles"] == [["crisis", "it_director", "operator"]]
    (waiting,) = web.get("/orders").json()
    assert waiting["order"] == facts["order"]
    assert web.get(f"/orders/{facts['order']}").json()["document"] == text.decode()


def test_a_refusal_names_its_rule(web: httpx.Client, here: Hospital) -> None:
    text = here.text("wave.launch", "radiology/slice")
    body = is_problem(web.post("/orders", json=order_body(here, text, "operator-1")), 403, "refused")
    assert body["error"]["rule"] == "waves.after"
    wrong = order_body(here, here.text("freeze", "all"), "operator-1") | {"person": "operator-2"}
    assert is_problem(web.post("/orders", json=wrong), 403, "bad_signature")["error"]["rule"] == "signature.key"


def test_a_conflict_lists_the_records_in_between(web: httpx.Client, here: Hospital) -> None:
    text = here.text("wave.hold", "foundations")
    here.order("wave.hold", "foundations", "operator-2")
    body = is_problem(web.post("/orders", json=order_body(here, text, "operator-1")), 409, "conflict")
    assert body["error"]["facts"]["records"]


def test_a_verdict_is_filed(web: httpx.Client, here: Hospital) -> None:
    text = here.statement("CLEAN", "analyst-1", "backup-1")
    signature = sign(key_of("analyst-1"), VERDICT_NAMESPACE, text)
    response = web.post("/verdicts", json={"verdict": text.decode(), "person": "analyst-1", "signature": signature})
    assert response.json()["kind"] == "verdict.clean"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b'{"order":1,"person":"a","signature":"b"}',
        b'{"order":"{}","person":"a","signature":"b","more":1}',
        b'{"order":"###","person":"a","signature":"b"}',
        json.dumps({"order": "{}", "person": "p" * 64, "signature": ""}).encode(),
        json.dumps({"order": "{}", "person": "p", "signature": "s" * (1 << 15)}).encode(),
    ],
)
def test_a_request_that_cannot_be_used_is_a_usage_problem(web: httpx.Client, body: bytes) -> None:
    is_problem(web.post("/orders", content=body, headers={"content-type": "application/json"}), 400, "usage")


def test_text_no_order_can_be_is_refused_not_crashed_on(web: httpx.Client) -> None:
    lone = json.dumps({"order": '{"a":"\ud800"}', "person": "a", "signature": "b"})
    response = web.post("/orders", content=lone, headers={"content-type": "application/json"})
    is_problem(response, 403, "bad_statement")


def test_an_unknown_host_site_order_or_page_is_a_sentence(web: httpx.Client) -> None:
    is_problem(web.get("/why/ad-9"), 400, "usage")
    is_problem(web.get("/tasks?site=moon"), 400, "usage")
    is_problem(web.get("/orders/0123"), 400, "usage")
    is_problem(web.get("/nowhere"), 404, "usage")
    is_problem(web.delete("/orders"), 405, "usage")


def test_a_body_larger_than_any_document_is_refused_before_it_is_kept(web: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(BODY_BYTES_MAX // (1 << 16) + 2):
            yield b" " * (1 << 16)

    response = web.post("/orders", content=endless(), headers={"content-type": "application/json"})
    assert is_problem(response, 413, "usage")["error"]["sentence"].count(str(BODY_BYTES_MAX))


def test_a_name_made_to_point_here_reads_nothing(web: httpx.Client) -> None:
    assert web.get("/status", headers={"host": "evil.example"}).status_code == 400


def test_the_description_names_every_route_and_the_shape_of_its_answers(web: httpx.Client) -> None:
    found = web.get("/openapi.json").json()
    assert {(path, method) for path, methods in found["paths"].items() for method in methods} == ROUTES
    assert {"Status", "Why", "Queue", "Task", "Order", "Kind", "Head", "Taken"} <= found["components"]["schemas"].keys()
    assert "202" in found["paths"]["/orders"]["post"]["responses"]


def test_the_same_answers_come_over_loopback_and_nowhere_else(here: Hospital, tmp_path: Path) -> None:
    with serve(here.engine, tmp_path, 0) as listening:
        assert listening.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{listening.url}/head").json()["incident"] == INCIDENT


def test_a_process_whose_engine_stopped_is_not_healthy(tmp_path: Path) -> None:
    with hospital(tmp_path / "state") as here, serve(here.engine, tmp_path / "state", 0) as listening:
        here.engine.stop()
        response = httpx.get(f"{listening.url}/healthz")
        is_problem(response, 503, "unusable")


FORECAST = {"runs": 20, "functions": {"laboratory": [60, 90, 200]}}


def test_a_forecast_is_kept_through_the_socket_alone(web: httpx.Client, here: Hospital, tmp_path: Path) -> None:
    size = here.engine.head().size
    assert web.post("/forecasts", json=FORECAST).json() == {"kept": 1}
    assert here.engine.head().size == size + 1
    with serve(here.engine, tmp_path, 0) as listening:
        body = is_problem(httpx.post(f"{listening.url}/forecasts", json=FORECAST), 403, "refused")
    assert body["error"]["rule"] == "api.socket"
    assert here.engine.head().size == size + 1


def test_a_forecast_of_nothing_known_is_refused_and_a_malformed_one_cannot_be_used(web: httpx.Client) -> None:
    for functions in ({"alchemy": [1, 2, 3]}, {"laboratory": [3, 2, 1]}, {"laboratory": []}):
        is_problem(web.post("/forecasts", json=FORECAST | {"functions": functions}), 403, "illegal_event")
    is_problem(web.post("/forecasts", json=FORECAST | {"functions": {"laboratory": [1, 2, 3, 4]}}), 400, "usage")
    is_problem(web.post("/forecasts", json=FORECAST | {"runs": 0}), 400, "usage")
    is_problem(web.post("/forecasts", json=FORECAST | {"more": 0}), 400, "usage")


def test_who_reads_evidence_is_noted_through_the_socket_alone(
    web: httpx.Client, here: Hospital, tmp_path: Path
) -> None:
    read = {"by": "analyst", "evidence": ["a" * 64]}
    size = here.engine.head().size
    assert web.post("/reads", json=read).json() == {"kept": 1}
    assert here.engine.head().size == size + 1
    is_problem(web.post("/reads", json=read | {"evidence": ["/home/patient"]}), 403, "illegal_event")
    with serve(here.engine, tmp_path, 0) as listening:
        is_problem(httpx.post(f"{listening.url}/reads", json=read), 403, "refused")
    assert here.engine.head().size == size + 1


def test_check_in_scripts_are_made_through_the_socket_alone_and_for_hours_within_a_week(
    web: httpx.Client, here: Hospital, tmp_path: Path
) -> None:
    asked = {"host": "ad-1", "hours": 1}
    assert is_problem(web.post("/checkins", json=asked), 403, "refused")["error"]["rule"] == "checkin.closed"
    with serve(here.engine, tmp_path, 0) as listening:
        body = is_problem(httpx.post(f"{listening.url}/checkins", json=asked), 403, "refused")
    assert body["error"]["rule"] == "api.socket"
    for wrong in ({"hours": 0}, {"hours": 169}, {"more": 1}):
        is_problem(web.post("/checkins", json=asked | wrong), 400, "usage")
