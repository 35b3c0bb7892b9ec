"""A query counts by the value of every series: a real Prometheus that watches itself, and peers that lie."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.prometheus import PrometheusProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import behind_tls, peer, says, site_authority, stays_silent

ANSWER = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]}}


def ask(port: int, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    return PrometheusProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, params))


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[int]:
    if shutil.which("prometheus") is None:
        pytest.skip("Debian's prometheus is not installed.")
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": []}))
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    server = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: ask(port, query="vector(1)").outcome == "PASS")
        yield port
    finally:
        server.terminate()
        server.wait()


def test_prometheus_is_asked_for_now_and_no_series_is_no_answer(prometheus: int) -> None:
    assert ask(prometheus, query="vector(3)", min=3, max=3).outcome == "PASS"
    assert ask(prometheus, query="scalar(vector(3))", min=4).outcome == "FAIL"
    assert "has 0 series" in ask(prometheus, query='up{job="lis"}').sentence
    assert "status 400" in ask(prometheus, query="up{").sentence


def test_a_token_goes_behind_tls_alone(tmp_path: Path) -> None:
    heard: list[bytes] = []
    authority = site_authority(tmp_path)
    page = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + json.dumps(ANSWER).encode()

    def behave(connection: object) -> None:
        heard.append(connection.recv(4096))  # type: ignore[attr-defined]
        connection.sendall(page)  # type: ignore[attr-defined]

    with peer(behind_tls(tmp_path, behave)) as port:
        assert ask(port, token="correct-horse").outcome == "UNKNOWN"
        assert ask(port, token="correct-horse", tls=True, ca=authority).outcome == "PASS"
    assert [b"Authorization: Bearer correct-horse\r\n" in one for one in heard] == [True]


def test_a_dead_a_silent_and_another_server_fail() -> None:
    with peer(stays_silent) as silent, peer(says(b"HTTP/1.1 200 OK\r\n\r\nwelcome")) as other:
        assert ask(silent, timeout_s=0.3).facts["error"] == "silent"
        assert "does not answer the query" in ask(other).sentence
    assert "does not answer" in ask(free_port()).sentence
