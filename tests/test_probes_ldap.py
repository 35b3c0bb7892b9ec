"""A directory counts when it says that it is in order, or lets us log in and read: a real slapd, and peers that lie."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.der import OCTETS, SEQUENCE, integer, tlv
from orchestrator.probes.ldap import LdapProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import drips, hangs_up, keeps_the_line, peer, says, site_authority, stays_silent

BASE = "dc=hospital,dc=example"


def ask(port: int, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    return LdapProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, params))


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, str]]:
    """The ports of a real directory, plain and behind TLS, and its certificate's authority."""
    program = shutil.which("slapd", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("Debian's slapd is not installed.")
    base = tmp_path_factory.mktemp("slapd")
    (base / "data").mkdir()
    authority, plain, secure = site_authority(base), free_port(), free_port()
    (base / "slapd.conf").write_text(
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f"TLSCACertificateFile {base}/ca.pem\nTLSCertificateFile {base}/service.pem\n"
        f"TLSCertificateKeyFile {base}/service.key\n"
        f'database mdb\nsuffix "{BASE}"\nrootdn "cn=reader,{BASE}"\nrootpw correct-horse\ndirectory {base}/data\n'
        "maxsize 10485760\n"
    )
    entry = f"dn: {BASE}\nobjectClass: organization\nobjectClass: dcObject\no: Hospital\ndc: hospital\n"
    add = [program.replace("slapd", "slapadd"), "-f", str(base / "slapd.conf")]
    if not Path("/usr/sbin/slapadd").exists():
        pytest.skip("Debian's slapd has no slapadd here.")
    subprocess.run(add, input=entry.encode(), check=True, capture_output=True)
    urls = f"ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{secure}"
    with (base / "log").open("wb") as log:
        server = subprocess.Popen(
            [program, "-d", "0", "-f", str(base / "slapd.conf"), "-h", urls], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: server.poll() is not None or ask(plain).outcome == "PASS")
        assert server.poll() is None, (base / "log").read_text()
        yield plain, secure, authority
    finally:
        server.terminate()
        server.wait()


def test_a_directory_says_what_it_holds_and_whether_it_is_in_order(slapd: tuple[int, int, str]) -> None:
    held = ask(slapd[0], naming=BASE)
    assert (held.outcome, held.facts["naming_contexts"]) == ("PASS", [BASE])
    assert ask(slapd[0], naming="dc=other").outcome == "FAIL"
    assert "does not say that it is synchronised" in ask(slapd[0], synchronized=True).sentence


@pytest.mark.parametrize("starttls", [False, True])
def test_a_login_reads_one_entry_behind_tls(slapd: tuple[int, int, str], starttls: bool) -> None:
    login = {"ask": "bind", "user": f"cn=reader,{BASE}", "password": "correct-horse", "base": BASE}
    behind = {"tls": True, "ca": slapd[2], "name": "lab.example", "starttls": starttls}
    port = slapd[0] if starttls else slapd[1]
    assert ask(port, **login, **behind).outcome == "PASS"
    assert "login is not accepted" in ask(port, **{**login, "password": "wrong-horse"}, **behind).sentence
    assert "does not find ou=gone" in ask(port, **{**login, "base": f"ou=gone,{BASE}"}, **behind).sentence
    assert ask(port, **login, **{**behind, "name": "dc2.example"}).facts == {"error": "certificate"}


def test_a_password_goes_neither_in_the_clear_nor_missing() -> None:
    heard: list[bytes] = []
    with peer(lambda connection: heard.append(connection.recv(1))) as port:
        clear = ask(port, ask="bind", user="reader", password="correct-horse")
        nobody = ask(port, ask="bind", user="reader", password="", tls=True, unverified=True)
    assert (clear.outcome, nobody.outcome, heard) == ("UNKNOWN", "UNKNOWN", [])


def test_a_directory_that_begins_no_tls_is_not_told_a_password() -> None:
    refusal = bytes.fromhex("300c020101780702013404000400")
    params = {"ask": "bind", "user": "reader", "password": "correct-horse", "tls": True, "starttls": True}
    with peer(says(refusal)) as port:
        answer = ask(port, **params, unverified=True)
    assert answer.outcome == "FAIL"


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9,
        bytes.fromhex("3003020101"),
        bytes.fromhex("30050201016503"),
        bytes.fromhex("3084ffffffff"),
        bytes.fromhex("30ff"),
        b"\x30\x06\x02\x01\x01\x64\x7f\x00",
    ],
)
def test_something_that_is_not_ldap_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port, timeout_s=3).outcome == "FAIL"


def test_a_dead_a_silent_a_slow_and_a_closing_directory_are_told_apart() -> None:
    with peer(stays_silent) as silent, peer(hangs_up) as closing, peer(drips) as slow:
        assert ask(silent, timeout_s=0.3).facts["error"] == "silent"
        assert ask(closing).facts["error"] == "closed"
        assert ask(slow, timeout_s=0.5).outcome == "FAIL"
    assert "does not answer" in ask(free_port()).sentence


def test_nothing_is_read_behind_the_first_entry() -> None:
    entry = tlv(SEQUENCE, integer(1), tlv(0x64, tlv(OCTETS, b"dc=one"), tlv(SEQUENCE)))
    with peer(keeps_the_line(entry * 20_000)) as port:
        assert ask(port).outcome == "PASS"
