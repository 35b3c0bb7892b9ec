"""Checks asked by hand: the same questions as the live process, of real peers on loopback."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.engine.contents import keep
from orchestrator.errors import UsageError
from orchestrator.interfaces.hand_checks import asked, pins, questions, vouched
from orchestrator.inventory.model import Host
from orchestrator.plans.files import usable
from tests.estates import check, small_estate, with_checks, with_hosts
from tests.live_hospital import NOW, hospital, roster
from tests.practice_peers import behind_tls, peer, says, site_authority
from tests.small_estate import SMALL


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A web service on loopback that answers everything with `status`; its port."""

    class Peer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Peer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def here(host: Host) -> Host:
    """The same host, at home."""
    return host.model_copy(update={"address": "127.0.0.1"})


def test_every_host_that_plays_a_service_of_the_function_is_asked() -> None:
    found = [(one.check.id, one.host) for one in questions(small_estate(), "laboratory")]
    assert ("lis-works", "lis-1") in found
    assert ("lis-works", "lis-2") in found
    assert not [name for name, _ in found if name.startswith(("ad", "pacs"))]


def test_an_interface_is_asked_at_the_service_it_leads_to() -> None:
    assert ("results-arrive", "ehr-1") in [
        (one.check.id, one.host) for one in questions(small_estate(), "medical-records")
    ]
    assert "results-arrive" not in [one.check.id for one in questions(small_estate(), "laboratory")]


def test_the_source_address_is_the_one_asked_for() -> None:
    assert {one.question.source for one in questions(small_estate(), "radiology", "127.0.0.9")} == {"127.0.0.9"}


def test_a_certificate_is_checked_by_the_authority_in_secrets_or_nothing_is_asked(tmp_path: Path) -> None:
    content = small_estate()
    content = with_hosts(content, *(here(one) for one in content.inventory.hosts if one.id == "lis-1"))
    (tmp_path / "service").mkdir()
    authority = site_authority(tmp_path / "service")
    with peer(behind_tls(tmp_path / "service", says(b"HTTP/1.1 200 OK\r\n\r\n"))) as port:
        update = {"port": port, "probe": "http", "params": {"tls": True}}
        secure = check("lis-works", service="lis").model_copy(update=update)
        asking = [
            one
            for one in questions(with_checks(content, secure), "laboratory")
            if one.host == "lis-1" and one.check.id == secure.id
        ]
        (unasked,) = asked(asking, tmp_path)
        (tmp_path / "site-ca.pem").touch(mode=0o600)
        (tmp_path / "site-ca.pem").write_text(authority)
        (answered,) = asked(asking, tmp_path)
    assert (unasked["outcome"], "site-ca.pem cannot be read" in unasked["sentence"]) == ("UNKNOWN", True)
    assert answered["outcome"] == "PASS"


def test_answers_are_those_of_the_peers_in_the_order_of_the_questions() -> None:
    content = small_estate()
    content = with_hosts(content, *(here(one) for one in content.inventory.hosts if one.id in ("lis-1", "lis-2")))
    with answering(200) as good, answering(500) as bad:
        works = check("lis-works", service="lis").model_copy(update={"port": good})
        broken = check("lis-broken", service="lis").model_copy(update={"port": bad})
        found = asked(one for one in questions(with_checks(content, works, broken), "laboratory") if one.check.service)
    assert [(one["check"], one["host"], one["outcome"]) for one in found] == [
        ("lis-works", "lis-1", "PASS"),
        ("lis-works", "lis-2", "PASS"),
        ("lis-broken", "lis-1", "FAIL"),
        ("lis-broken", "lis-2", "FAIL"),
    ]
    assert all(one["sentence"] for one in found)


def test_the_posts_of_a_function_are_asked_the_checks_of_their_class() -> None:
    found = [(one.check.id, one.host) for one in questions(small_estate(), "laboratory")]
    assert ("workstation-up", "lab-ws-1") in found
    assert not [host for _, host in found if host.startswith("rad-ws")], "posts of other functions are not"
    assert not [name for name, _ in found if name == "server-up"], "servers are asked by their services"


def test_an_ssh_check_by_hand_expects_the_key_that_the_journal_says_a_restore_pinned(tmp_path: Path) -> None:
    assert pins(tmp_path) == {}
    content = usable(SMALL)
    with hospital(tmp_path, content) as there:
        there.order("genesis", "roster", "operator-1", "it-director", **roster())
        there.order("fact.t0", "t0", "analyst-1", "it-director", at_us=NOW.now_us() - 3_600_000_000)
    keep(SMALL, tmp_path, content.digest)
    pinned = pins(tmp_path)
    assert set(pinned.values()) == {"ssh-ed25519 AAAA"}
    host = next(iter(pinned))
    klass = next(one.klass for one in content.inventory.hosts if one.id == host)
    assert [one.klass for one in content.checks if one.probe == "ssh"].count(klass) == 1
    function = next(one.function for one in content.inventory.hosts if one.kind == "workstation")
    posts = [one for one in questions(content, str(function), pinned=pinned) if one.check.probe == "ssh"]
    assert posts
    assert all(one.question.params.get("host_key", "") == pinned.get(one.host, "") for one in posts)


def test_an_ssh_check_by_hand_expects_the_key_that_a_person_brings_on_paper_where_no_restore_pinned_one(
    tmp_path: Path,
) -> None:
    content, file = usable(SMALL), tmp_path / "known_hosts"
    host = content.inventory.hosts[0]
    others = f"10.99.99.99 ssh-ed25519 CCCC\n[{host.address}]:2222 ssh-ed25519 DDDD\n"
    file.write_text(f"{host.address} ssh-ed25519 BBBB\n{others}")
    assert vouched(content, file) == {host.id: "ssh-ed25519 BBBB"}
    file.write_text(f"[{host.address}]:door ssh-ed25519 BBBB\n")
    for wrong in (file, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="is no list of host keys"):
            vouched(content, wrong)


def test_a_function_without_checks_has_no_answers() -> None:
    assert asked(questions(small_estate(), "chapel")) == []


def test_what_writes_is_never_asked_by_hand() -> None:
    order = check("lis-orders", "L3", service="lis", probe="hl7", params={"ask": "order", "code": "K"})
    found = asked(one for one in questions(with_checks(small_estate(), order), "laboratory") if one.check == order)
    assert {one["outcome"] for one in found} == {"UNKNOWN"}
    assert all("a gate alone asks it" in one["sentence"] for one in found)
