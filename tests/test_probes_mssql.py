"""A SQL Server that is dead, silent, or none never passes. That a real one does is not proven: none was to be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.mssql import MssqlProbe
from tests.managed_hosts import free_port
from tests.practice_peers import drips, hangs_up, peer, says, site_authority, stays_silent


@pytest.fixture
def authority(tmp_path: Path) -> str:
    return site_authority(tmp_path)


def ask(port: int, authority: str, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    wanted = {"user": "reader", "password": "correct-horse", "tls": True, "ca": authority, "name": "lab"}
    return MssqlProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, wanted | params))


def test_a_dead_a_silent_a_slow_and_a_closing_server_are_told_apart(authority: str) -> None:
    with peer(stays_silent) as silent, peer(hangs_up) as closing, peer(drips) as slow:
        assert ask(silent, authority, timeout_s=0.3).facts["error"] == "silent"
        assert ask(closing, authority).facts["error"] == "closed"
        assert ask(slow, authority, timeout_s=0.5).outcome == "FAIL"
    assert "does not answer" in ask(free_port(), authority).sentence


@pytest.mark.parametrize("text", [b"HTTP/1.1 400 Bad\r\n\r\n", b"\x04\x01\x00\x09\x00\x00\x01\x00\xff", b"\0" * 99])
def test_something_that_is_no_sql_server_fails(authority: str, text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port, authority, timeout_s=3).outcome == "FAIL"


def test_a_server_that_speaks_no_tls_is_not_told_a_password(authority: str) -> None:
    heard: list[bytes] = []
    options = bytes.fromhex("00000b0006" + "010011" + "0001" + "ff") + bytes(6) + b"\x02"

    def behave(connection: object) -> None:
        for _ in range(3):
            heard.append(connection.recv(4096))  # type: ignore[attr-defined]
            connection.sendall(b"\x04\x01" + (8 + len(options)).to_bytes(2) + b"\0\0\1\0" + options)  # type: ignore[attr-defined]

    with peer(behave) as port:
        answer = ask(port, authority, timeout_s=3)
    assert answer.outcome == "FAIL"
    assert len([one for one in heard if one]) == 1


@pytest.mark.parametrize("missing", ["tls", "ca", "name"])
def test_a_server_is_not_asked_without_what_makes_it_known(authority: str, missing: str) -> None:
    assert ask(free_port(), authority, **{missing: ""}).outcome == "UNKNOWN"
