"""A Kerberos server counts when it knows the account it is asked for: a real KDC, and peers that lie."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.kerberos import KerberosProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import hangs_up, keeps_the_line, peer, says, stays_silent

REALM = "HOSPITAL.EXAMPLE"


def ask(port: int, timeout_s: float = 20, user: str = "relance", realm: str = REALM) -> Answer:
    return KerberosProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, {"realm": realm, "user": user}))


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real KDC that knows `relance`, and `open` who need not show a password."""
    if not all(shutil.which(name, path="/usr/sbin") for name in ("krb5kdc", "kadmin.local")):
        pytest.skip("Debian's krb5-kdc or krb5-admin-server is not installed.")
    base, port = tmp_path_factory.mktemp("kdc"), free_port()
    (base / "krb5.conf").write_text(f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\n")
    (base / "kdc.conf").write_text(
        f"[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n"
        f"[realms]\n{REALM} = {{\ndatabase_name = {base}/principal\nkey_stash_file = {base}/stash\n"
        f"acl_file = {base}/acl\nsupported_enctypes = aes256-cts:normal\n}}\n"
    )
    environment = {**os.environ, "KRB5_CONFIG": str(base / "krb5.conf"), "KRB5_KDC_PROFILE": str(base / "kdc.conf")}

    def run(*command: str) -> None:
        subprocess.run(command, env=environment, check=True, capture_output=True)

    run("/usr/sbin/kdb5_util", "create", "-s", "-W", "-P", "correct-horse")
    for name, flag in (("relance", "+requires_preauth"), ("open", "-requires_preauth"), ("locked", "-allow_tix")):
        run("/usr/sbin/kadmin.local", "addprinc", "-pw", "correct-horse", flag, name)
    log = base / "log"
    with log.open("wb") as file:
        server = subprocess.Popen(["/usr/sbin/krb5kdc", "-n"], env=environment, stdout=file, stderr=file)
    try:
        wait_until(lambda: server.poll() is not None or ask(port).heard)
        assert server.poll() is None, log.read_text()
        yield port
    finally:
        server.terminate()
        server.wait()


def test_a_server_asks_for_the_password_of_an_account_it_knows(kdc: int) -> None:
    known = ask(kdc)
    assert (known.outcome, known.facts["code"]) == ("PASS", 25), known.sentence
    assert ask(kdc, user="open").facts == {"preauthentication": False}
    assert ask(kdc, user="open").outcome == "PASS"


def test_an_account_that_is_gone_or_locked_or_of_another_realm_fails(kdc: int) -> None:
    assert "does not know gone" in ask(kdc, user="gone").sentence
    assert "locked or disabled" in ask(kdc, user="locked").sentence
    assert ask(kdc, realm="OTHER.EXAMPLE").outcome == "FAIL"


@pytest.mark.parametrize("text", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x04junk", b"\x7f\xff\xff\xff"])
def test_something_that_is_not_kerberos_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port).outcome == "FAIL"


def test_a_dead_a_silent_a_slow_and_a_closing_server_are_told_apart() -> None:
    with peer(stays_silent) as silent, peer(hangs_up) as closing, peer(keeps_the_line(b"\x00\x00\x01\x00")) as slow:
        assert ask(silent, timeout_s=0.3).facts["error"] == "silent"
        assert ask(slow, timeout_s=0.3).facts["error"] == "unfinished"
        assert ask(closing).facts["error"] == "closed"
    assert "does not answer" in ask(free_port()).sentence
