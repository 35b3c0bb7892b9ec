"""A database counts when a real login reads rows that are new enough."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.postgresql import PostgresqlProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import hangs_up, keeps_the_line, peer, says, site_authority, stays_silent

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
TABLE = """create table orders (made timestamptz); insert into orders values (now() - interval '2 hours');
create user reader password 'correct-horse'; grant select on orders to reader; create database lis_empty;"""


def ask(port: int, timeout_s: float = 10, **params: str | int | bool) -> Answer:
    wanted = {"database": "postgres", "user": "reader", **params}
    return PostgresqlProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, wanted))


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The port of a server that asks readers for a password over TLS, and the authority that signed its certificate."""
    if not BINARIES:
        pytest.skip("Debian's postgresql is not installed.")
    base = Path(f"/tmp/relance-pg-{os.getpid()}")  # an unprivileged user must reach it
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(mode=0o755)
    authority = site_authority(base)
    owner = pwd.getpwnam("nobody")
    as_owner = {"user": "nobody", "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    for path in (base, *base.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid) if as_owner else None
    data, port = base / "data", free_port()
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

    def run(name: str, *arguments: str, text: str = "") -> None:
        command = [str(BINARIES[0] / name), *arguments]
        subprocess.run(
            command, input=text.encode(), check=True, capture_output=True, cwd="/", env=environment, **as_owner
        )

    run("initdb", "-D", str(data), "-U", "owner", "-A", "trust", "--no-sync")
    (data / "pg_hba.conf").write_text(
        "local all owner trust\nhostssl all reader 127.0.0.1/32 scram-sha-256\nhost all open 127.0.0.1/32 trust\n"
    )
    settings = (
        f"port={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{base}'\nfsync=off\nssl=on\n"
        f"ssl_cert_file='{base}/service.pem'\nssl_key_file='{base}/service.key'\n"
    )
    (data / "postgresql.auto.conf").write_text(settings)
    server = subprocess.Popen(
        [str(BINARIES[0] / "postgres"), "-D", str(data)],
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        **as_owner,
    )
    try:
        wait_until(lambda: (base / f".s.PGSQL.{port}").exists())
        wait_until(lambda: ask(port, timeout_s=1, user="nobody-known").facts.get("sqlstate") == "28000")
        run(
            "psql",
            "-h",
            str(base),
            "-p",
            str(port),
            "-U",
            "owner",
            "-d",
            "postgres",
            "-q",
            text=f"{TABLE} create user open;",
        )
        yield port, authority
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(base, ignore_errors=True)


NEWEST = "select max(made) from orders"


def test_a_reader_logs_in_and_the_newest_row_decides(postgresql: tuple[int, str]) -> None:
    port, authority = postgresql
    login = {"password": "correct-horse", "tls": True, "ca": authority, "name": "lab.example"}
    assert ask(port, **login).outcome == "PASS"
    assert ask(port, **login, query=NEWEST, age_max_s=3 * 3600).outcome == "PASS"
    stale = ask(port, **login, query=NEWEST, age_max_s=3600)
    assert (stale.outcome, "120 minutes old; 60 are allowed" in stale.sentence) == ("FAIL", True)
    wrong = ask(port, **{**login, "password": "wrong-horse"})
    assert (wrong.outcome, wrong.facts) == ("FAIL", {"sqlstate": "28P01"})
    assert "lab.example" not in wrong.sentence
    other = ask(port, **{**login, "name": "pacs.example"})
    assert (other.outcome, other.facts) == ("FAIL", {"error": "certificate"})


def test_what_a_check_asks_cannot_write(postgresql: tuple[int, str]) -> None:
    port, _ = postgresql
    assert ask(port, user="open").outcome == "PASS"
    tries = ask(port, user="open", query="with gone as (delete from orders returning 1) select * from gone")
    assert tries.outcome == "FAIL"
    assert tries.facts["sqlstate"] in ("25006", "42501")
    for query in ("drop table orders", "select 1; drop table orders"):
        assert ask(port, user="open", query=query).outcome == "UNKNOWN"


def test_a_database_that_was_not_restored_fails_in_the_servers_words(postgresql: tuple[int, str]) -> None:
    port, _ = postgresql
    gone = ask(port, user="open", database="lis")
    assert (gone.outcome, gone.facts) == ("FAIL", {"sqlstate": "3D000"})
    assert 'database "lis" does not exist' in gone.sentence
    empty = ask(port, user="open", database="lis_empty", query=NEWEST)
    assert (empty.outcome, empty.facts) == ("FAIL", {"sqlstate": "42P01"})


def test_a_query_that_does_not_end_is_ended(postgresql: tuple[int, str]) -> None:
    assert ask(postgresql[0], timeout_s=0.5, user="open", query="select pg_sleep(60)").outcome == "FAIL"


def test_a_password_is_not_sent_in_the_clear() -> None:
    heard: list[bytes] = []
    with peer(lambda connection: heard.append(connection.recv(1))) as port:
        answer = ask(port, password="correct-horse")
    assert (answer.outcome, heard) == ("UNKNOWN", [])


def test_a_server_that_offers_no_tls_is_not_told_a_password() -> None:
    with peer(says(b"N")) as port:
        assert "offers no TLS" in ask(port, password="correct-horse", tls=True, unverified=True).sentence


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"R\x00\x00\x00\x00",
        b"R\x7f\xff\xff\xff",
        b"E\x00\x00\x00\x05\x00",
        b"\x00" * 99,
    ],
)
def test_something_that_is_no_database_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port, timeout_s=2).outcome == "FAIL"


def test_a_dead_a_silent_a_closing_and_a_talkative_server_are_told_apart() -> None:
    notice = b"N\x00\x00\x10\x00" + b"x" * 4092
    with peer(stays_silent) as silent, peer(hangs_up) as closing, peer(keeps_the_line(notice * 300)) as talkative:
        assert ask(silent, timeout_s=0.3).facts["error"] == "silent"
        assert ask(closing).facts["error"] == "closed"
        assert ask(talkative, timeout_s=5).facts["error"] in ("talkative", "refused")
    assert "does not answer" in ask(free_port()).sentence
