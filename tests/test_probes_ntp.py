"""A time server counts when it is synchronised and agrees with this machine, whatever else answers on its port."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.ntp import NtpProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import datagram_peer


def ask(port: int, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    return NtpProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, params))


def test_a_server_that_repeats_the_question_fails() -> None:
    with datagram_peer(lambda asked: asked) as port:
        assert ask(port).facts == {"error": "gibberish"}


def test_a_silent_server_fails_in_time() -> None:
    with datagram_peer(lambda asked: b"") as port:
        answer = ask(port, timeout_s=0.3)
    assert (answer.outcome, answer.facts["error"], answer.heard) == ("FAIL", "timeout", False)


def test_a_port_where_no_server_is_fails_at_once() -> None:
    assert ask(free_port(), timeout_s=30).outcome == "FAIL"


@pytest.fixture
def chrony(tmp_path: Path) -> Iterator[int]:
    """A real chronyd that touches no clock."""
    daemon = shutil.which("chronyd", path="/usr/sbin:/usr/bin")
    if daemon is None:
        pytest.skip("Debian's chrony is not installed.")
    port = free_port()
    (tmp_path / "chrony.conf").write_text(
        f"port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.0/8\nlocal stratum 5\ncmdport 0\n"
        f"bindcmdaddress /\npidfile {tmp_path}/pid\n"
    )
    server = subprocess.Popen(
        [daemon, "-d", "-x", "-U", "-u", "root", "-f", str(tmp_path / "chrony.conf")], stderr=subprocess.PIPE
    )
    try:
        wait_until(lambda: server.poll() is not None or ask(port, timeout_s=0.3).heard)
        if server.poll() is not None:
            pytest.skip(f"chronyd does not run here: {server.stderr.read().decode()[-200:] if server.stderr else ''}")
        yield port
    finally:
        server.terminate()
        server.communicate()


def test_chrony_agrees_with_the_clock_it_serves(chrony: int) -> None:
    answer = ask(chrony)
    assert (answer.outcome, answer.facts["stratum"]) == ("PASS", 5)
    assert ask(chrony, offset_max_ms=-1).outcome == "FAIL"
