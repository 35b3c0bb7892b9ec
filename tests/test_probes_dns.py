"""A name server counts when it knows the hospital's names as they are now, not because it answers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.dns import DnsProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import datagram_peer, peer, says, stays_silent


def told(asked: bytes, *, cut: bool = False, number: int = 0) -> bytes:
    query = dns.message.from_wire(asked)
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "10.1.10.4"))
    reply.id = (reply.id + number) % 65536
    if cut:
        reply.flags |= dns.flags.TC
    return reply.to_wire()


def ask(port: int, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    wanted = {"name": "lis.hospital.example", "answer": "10.1.10.4"} | params
    return DnsProbe().ask(Question("127.0.0.1", port, "127.0.0.9", timeout_s, wanted))


def test_a_server_that_knows_the_address_passes_and_one_that_knows_an_old_one_fails() -> None:
    with datagram_peer(told) as port:
        assert ask(port).outcome == "PASS"
        assert ask(port, answer="10.1.10.5").outcome == "FAIL"


def test_a_silent_server_fails_in_time() -> None:
    with datagram_peer(lambda asked: b"") as port:
        answer = ask(port, timeout_s=0.3)
    assert (answer.outcome, answer.facts["error"]) == ("FAIL", "timeout")


def test_a_server_that_says_something_else_fails() -> None:
    with datagram_peer(lambda asked: b"hello") as port:
        answer = ask(port)
    assert (answer.outcome, answer.facts["error"]) == ("FAIL", "gibberish")


def test_an_answer_to_somebody_elses_question_is_not_taken() -> None:
    with datagram_peer(lambda asked: told(asked, number=1)) as port:
        assert ask(port, timeout_s=0.3).facts["error"] == "timeout"


def test_a_port_where_no_server_is_fails_at_once() -> None:
    answer = ask(free_port(), timeout_s=30)
    assert (answer.outcome, answer.heard) == ("FAIL", False)


def test_a_server_that_cuts_its_answer_short_and_takes_no_connection_fails() -> None:
    with datagram_peer(lambda asked: told(asked, cut=True)) as port:
        assert "does not answer" in ask(port).sentence


@pytest.mark.parametrize("text", [b"", b"\x00", b"\x00\x05hello", b"\xff\xff" + b"x" * 70_000])
def test_a_server_that_speaks_something_else_over_a_connection_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port, tcp=True).outcome == "FAIL"


def test_a_server_that_takes_the_connection_and_says_nothing_fails_in_time() -> None:
    with peer(stays_silent) as port:
        assert ask(port, timeout_s=0.3, tcp=True).facts["error"] == "silent"


ZONE = """$TTL 60
@ IN SOA ns admin 2026112801 3600 600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
lis IN A 10.1.10.4
_ldap._tcp IN SRV 0 100 389 dc1
many IN TXT {}
"""


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[int]:
    named = shutil.which("named", path="/usr/sbin:/usr/bin")
    if named is None:
        pytest.skip("Debian's bind9 is not installed.")
    port = free_port()
    (tmp_path / "zone").write_text(ZONE.format(" ".join(f'"{"x" * 200}"' for _ in range(30))))
    (tmp_path / "named.conf").write_text(
        f'options {{ directory "{tmp_path}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n'
        f"pid-file none; session-keyfile none; recursion no; }};\ncontrols {{ }};\n"
        f'zone "hospital.example" {{ type primary; file "{tmp_path}/zone"; }};\n'
    )
    server = subprocess.Popen([named, "-g", "-c", str(tmp_path / "named.conf"), "-n", "1"], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: ask(port, timeout_s=0.5).outcome == "PASS")
        yield port
    finally:
        server.terminate()
        server.wait()


def test_bind_answers_for_its_zone_and_for_no_other(bind: int) -> None:
    srv = {"name": "_ldap._tcp.hospital.example", "type": "SRV", "answer": "0 100 389 dc1.hospital.example."}
    soa = {"name": "hospital.example", "type": "SOA", "answer": ""}
    assert ask(bind, **srv).outcome == "PASS"
    assert ask(bind, tcp=True).outcome == "PASS"
    assert ask(bind, **soa, serial_min=2026112801).outcome == "PASS"
    assert ask(bind, **soa, serial_min=2026112802).outcome == "FAIL"
    assert "knows no A" not in ask(bind, name="many.hospital.example", type="TXT", answer="").sentence
    assert ask(bind, name="many.hospital.example", type="TXT", answer="").outcome == "PASS"
    assert "NXDOMAIN" in ask(bind, name="pacs.hospital.example").sentence
    assert "REFUSED" in ask(bind, name="example.org").sentence
