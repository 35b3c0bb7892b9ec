"""A FHIR server counts when it says what it is, searches, and gives back what it took.

The server is a facade of this test's own: it keeps `Basic` resources in memory and knows nothing else.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestrator.probes.base import Agreement, Answer, Question
from orchestrator.probes.fhir import FhirProbe
from tests.managed_hosts import free_port
from tests.practice_peers import hangs_up, peer, says, stays_silent

TEST_PATIENT = Agreement("agreement-1", "TEST-1")
CAPABILITY = {"resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "fhirVersion": "4.0.1"}
FOUND = {"resourceType": "Bundle", "type": "searchset", "total": 3}


class Facade(BaseHTTPRequestHandler):
    """The part of a FHIR server that the probe asks."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]
    keeps, removes = True, True

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""

    def _say(self, status: int, document: object = None, **headers: str) -> None:
        body = json.dumps(document).encode() if not isinstance(document, bytes) else document
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        number = self.path.rpartition("/")[2]
        if self.path == "/fhir/metadata":
            self._say(200, CAPABILITY)
        elif number in self.kept:
            self._say(200, self.kept[number])
        else:
            self._say(404 if "/Basic/" in self.path else 200, FOUND)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.keeps:
            self.kept["17"] = body
        self._say(201, None, Location=f"http://{self.headers['Host']}/fhir/Basic/17/_history/1")

    def do_DELETE(self) -> None:
        if self.removes:
            self.kept.clear()
        self._say(204, b"")


@contextmanager
def facade(*, keeps: bool = True, removes: bool = True) -> Iterator[tuple[int, dict[str, bytes]]]:
    kept: dict[str, bytes] = {}
    handler = type("Kept", (Facade,), {"kept": kept, "keeps": keeps, "removes": removes})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port, kept
        finally:
            server.shutdown()
            thread.join()


def ask(port: int, timeout_s: float = 20, agreement: Agreement | None = None, **params: str | int | bool) -> Answer:
    return FhirProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, params, agreement=agreement))


def test_a_server_says_what_it_is_and_a_search_counts() -> None:
    with facade() as (port, _):
        assert ask(port).outcome == "PASS"
        assert ask(port, version="5.0").outcome == "FAIL"
        assert ask(port, ask="search").facts["found"] == 3
        assert ask(port, ask="search", found_min=4).outcome == "FAIL"


def test_a_test_resource_is_made_read_and_removed() -> None:
    with facade() as (port, kept):
        answer = ask(port, ask="create", agreement=TEST_PATIENT)
        assert (answer.outcome, kept) == ("PASS", {}), answer.sentence


def test_a_server_that_takes_a_resource_and_stores_nothing_is_found_out() -> None:
    with facade(keeps=False) as (port, _):
        assert "does not give it back" in ask(port, ask="create", agreement=TEST_PATIENT).sentence


def test_a_server_that_does_not_remove_a_resource_asks_for_a_person() -> None:
    with facade(removes=False) as (port, kept):
        answer = ask(port, ask="create", agreement=TEST_PATIENT)
        assert b"TEST-1" in kept["17"]
    assert (answer.outcome, "removed by hand" in answer.sentence) == ("FAIL", True)


def test_nothing_is_created_without_the_owners_agreement_and_no_token_goes_in_the_clear() -> None:
    heard: list[bytes] = []
    with peer(lambda connection: heard.append(connection.recv(1))) as port:
        assert ask(port, ask="create").outcome == "UNKNOWN"
        assert ask(port, ask="search", token="correct-horse").outcome == "UNKNOWN"
    assert heard == []


@pytest.mark.parametrize("text", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>", b"HTTP/1.1 200 OK\r\n\r\n[[[["])
def test_something_that_is_not_fhir_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port).outcome == "FAIL"


def test_a_server_that_names_its_resource_in_a_strange_way_fails() -> None:
    for place in (b"http://[", b"/Basic/../../x", b"\xff"):
        with peer(says(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n")) as port:
            assert ask(port, ask="create", agreement=TEST_PATIENT).outcome == "FAIL"


def test_a_dead_a_silent_and_a_closing_server_are_told_apart() -> None:
    with peer(stays_silent) as silent, peer(hangs_up) as closing:
        assert ask(silent, timeout_s=0.3).facts["error"] == "silent"
        assert ask(closing).facts["error"] == "closed"
    assert "does not answer" in ask(free_port()).sentence
