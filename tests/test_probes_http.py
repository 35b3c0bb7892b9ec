"""A web service passes only when it says what it should, whatever else a peer may do instead."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.http import HttpProbe
from tests.managed_hosts import free_port
from tests.practice_peers import (
    behind_tls,
    drips,
    hangs_up,
    keeps_the_line,
    over_tls,
    peer,
    says,
    site_authority,
    stays_silent,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n42 results out"


def ask(port: int, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    return HttpProbe().ask(Question("127.0.0.1", port, "127.0.0.9", timeout_s, params))


def test_a_page_with_the_right_words_passes() -> None:
    with peer(says(OK)) as port:
        answer = ask(port, path="/l2/results", contains="results")
    assert (answer.outcome, answer.facts) == ("PASS", {"status": 200})


def test_the_request_names_its_path_its_host_and_closes() -> None:
    heard: list[bytes] = []
    with peer(lambda connection: heard.append(connection.recv(4096)) or connection.sendall(OK)) as port:  # type: ignore[func-returns-value]
        ask(port, path="/l2/results", host="lab.example")
    assert heard[0].startswith(b"GET /l2/results HTTP/1.1\r\nHost: lab.example\r\n")
    assert b"Connection: close" in heard[0]


def test_another_status_fails_unless_it_is_the_one_asked_for() -> None:
    with peer(says(b"HTTP/1.1 503 Later\r\n\r\n")) as port:
        assert ask(port).outcome == "FAIL"
        assert ask(port, status=503).outcome == "PASS"


def test_a_redirect_is_not_followed() -> None:
    with peer(says(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n")) as port:
        answer = ask(port)
    assert (answer.outcome, answer.facts) == ("FAIL", {"status": 302})


def test_a_page_without_the_words_fails() -> None:
    with peer(says(OK)) as port:
        answer = ask(port, contains="ransom")
    assert answer.outcome == "FAIL"
    assert "'ransom'" in answer.sentence


@pytest.mark.parametrize(
    "text", [b"SSH-2.0-x\r\n", b"\x00\xff" * 50, b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX" * 300]
)
def test_something_that_is_not_http_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port).outcome == "FAIL"


def test_a_service_that_hangs_up_fails() -> None:
    with peer(hangs_up) as port:
        assert ask(port).outcome == "FAIL"


def test_a_service_that_accepts_and_says_nothing_fails_in_time() -> None:
    with peer(stays_silent) as port:
        assert ask(port, timeout_s=0.3).facts["error"] == "silent"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n42 res\r\n8\r\nults out\r\n0\r\n\r\n"


@pytest.mark.parametrize("page", [OK, CHUNKED], ids=["counted", "chunked"])
def test_a_service_that_keeps_the_connection_after_a_whole_page_passes_at_once(page: bytes) -> None:
    with peer(keeps_the_line(page)) as port:
        assert ask(port, contains="results out").outcome == "PASS"


def test_a_service_that_stops_in_the_middle_of_its_page_fails_in_time() -> None:
    with peer(keeps_the_line(OK[:-3])) as port:
        assert ask(port, timeout_s=0.3).facts["error"] == "unfinished"


def test_a_service_that_drips_byte_by_byte_fails_in_time() -> None:
    with peer(drips) as port:
        assert ask(port, timeout_s=0.5).facts["error"] == "unfinished"


def test_a_service_that_talks_without_end_is_read_to_a_limit() -> None:
    with peer(says(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1_000_000)) as port:
        assert ask(port).outcome == "PASS"


def test_a_port_where_nobody_listens_fails() -> None:
    assert ask(free_port()).outcome == "FAIL"


def test_a_certificate_counts_only_when_it_is_the_pinned_one(tmp_path: Path) -> None:
    behave = over_tls(tmp_path, says(OK))
    pinned = hashlib.sha256(ssl.PEM_cert_to_DER_cert((tmp_path / "service.pem").read_text())).hexdigest()
    with peer(behave) as port:
        right = ask(port, tls=True, certificate=pinned)
        wrong = ask(port, tls=True, certificate="00" * 32)
        unpinned = ask(port, tls=True, unverified=True)
    assert (right.outcome, right.facts["certificate_checked"]) == ("PASS", True)
    assert (wrong.outcome, wrong.facts) == ("FAIL", {"certificate": pinned})
    assert (unpinned.outcome, unpinned.facts["certificate_checked"]) == ("PASS", False)
    assert "not checked" in unpinned.sentence


def test_a_service_that_speaks_no_tls_fails() -> None:
    with peer(says(OK)) as port:
        answer = ask(port, tls=True, unverified=True)
    assert answer.outcome == "FAIL"
    assert "no TLS" in answer.sentence


def test_a_silent_peer_holds_no_tls_handshake_open() -> None:
    with peer(stays_silent) as port:
        answer = ask(port, timeout_s=0.3, tls=True, unverified=True)
    assert (answer.outcome, answer.facts) == ("FAIL", {"phase": "agree on TLS", "error": "silent"})


def test_a_page_cut_off_in_the_middle_fails() -> None:
    with peer(says(OK[:-3])) as port:
        assert ask(port).facts["error"] == "closed"


def test_a_certificate_of_the_sites_authority_counts_when_chain_name_and_dates_are_right(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    for folder in (ours, other):
        folder.mkdir()
    authority, stranger = site_authority(ours, days=10), site_authority(other)
    with peer(behind_tls(ours, says(OK))) as port:
        for name in ("lab.example", "127.0.0.1"):
            good = ask(port, tls=True, ca=authority, name=name)
            assert (good.outcome, good.facts["certificate_checked"]) == ("PASS", True)
        assert ask(port, tls=True, ca=authority).outcome == "PASS"  # by its address
        assert "unable to get local issuer" in ask(port, tls=True, ca=stranger).sentence
        assert "pacs.example" in ask(port, tls=True, ca=authority, name="pacs.example").sentence
        assert ask(port, tls=True, ca=authority, days_min=9).outcome == "PASS"
        assert "certificate that ends on" in ask(port, tls=True, ca=authority, days_min=11).sentence
        unusable = ask(port, tls=True, ca="no certificate")
    assert (unusable.outcome, unusable.heard) == ("UNKNOWN", False)
    assert ask(port, tls=True, ca=authority).outcome == "FAIL"


def test_a_certificate_that_has_expired_is_told_as_that(tmp_path: Path) -> None:
    authority = site_authority(tmp_path, days=-1)
    with peer(behind_tls(tmp_path, says(OK))) as port:
        answer = ask(port, tls=True, ca=authority)
    assert (answer.outcome, answer.facts) == ("FAIL", {"error": "certificate"})
    assert "certificate has expired" in answer.sentence


def test_a_certificate_may_name_the_host_by_its_id(tmp_path: Path) -> None:
    authority = site_authority(tmp_path, names="DNS:srv-lis-01.hospital.example")
    params = {"tls": True, "ca": authority, "name": "{host}.hospital.example"}
    with peer(behind_tls(tmp_path, says(OK))) as port:
        right = HttpProbe().ask(Question("127.0.0.1", port, params=params, host="srv-lis-01"))
        wrong = HttpProbe().ask(Question("127.0.0.1", port, params=params, host="srv-lis-02"))
    assert (right.outcome, wrong.outcome) == ("PASS", "FAIL")
