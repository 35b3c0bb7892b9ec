"""A file server counts when it agrees on SMB 2 or 3: a real smbd, and peers that lie."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.probes.base import Answer, Question
from orchestrator.probes.smb import SmbProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import hangs_up, keeps_the_line, peer, says, stays_silent


def ask(port: int, timeout_s: float = 20, **params: str | int | bool) -> Answer:
    return SmbProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, params))


@pytest.fixture
def smbd(tmp_path: Path) -> Iterator[int]:
    program, port = shutil.which("smbd", path="/usr/sbin"), free_port()
    if program is None:
        pytest.skip("Debian's samba is not installed.")
    folders = ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir")
    lines = [f"{name} = {tmp_path}/{name.replace(' ', '-')}" for name in folders]
    for line in lines:
        Path(line.partition(" = ")[2]).mkdir()
    settings = ["[global]", "interfaces = lo", "bind interfaces only = yes", "server signing = mandatory", *lines]
    (tmp_path / "smb.conf").write_text("\n".join(settings) + "\n")
    command = [program, "-F", "--no-process-group", "-s", f"{tmp_path}/smb.conf", "-p", str(port), "-l", str(tmp_path)]
    with (tmp_path / "out").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # it ends its group with it
    try:
        wait_until(lambda: server.poll() is not None or ask(port).heard)
        if server.poll() is not None:
            pytest.skip(f"smbd does not run here: {(tmp_path / 'out').read_text()[-200:]}")
        yield port
    finally:
        server.terminate()
        server.wait()


def test_samba_agrees_on_a_dialect_and_requires_signing(smbd: int) -> None:
    answer = ask(smbd, signing=True)
    assert (answer.outcome, answer.facts["signing_required"]) == ("PASS", True), answer.sentence


@pytest.mark.parametrize(
    "text",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x04junk", b"\x00\x00\x00\x05\xffSMBr", b"\x7f\xff\xff\xff"],
)
def test_something_that_is_not_smb_2_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port).outcome == "FAIL"


def test_a_dead_a_silent_a_slow_and_a_closing_server_are_told_apart() -> None:
    with peer(stays_silent) as silent, peer(hangs_up) as closing, peer(keeps_the_line(b"\x00\x00\x01\x00")) as slow:
        assert ask(silent, timeout_s=0.3).facts["error"] == "silent"
        assert ask(slow, timeout_s=0.3).facts["error"] == "unfinished"
        assert ask(closing).facts["error"] == "closed"
    assert "does not answer" in ask(free_port()).sentence
