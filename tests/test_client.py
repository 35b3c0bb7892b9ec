"""The client of a live process: its answers, its refusals, and a sentence when nobody is there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.client import Client
from orchestrator.errors import NeedsAnother, Unusable, UsageError
from orchestrator.interfaces.serving import serve
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import ORDER_NAMESPACE
from tests.estates import key_of
from tests.live_hospital import hospital


@contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[None]:
    """Something at the socket that says `answer` to the first caller, whatever it asks."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()

        def once() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        yield
        thread.join()


def test_where_nobody_runs_the_person_is_told_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Start one with `relance run`") as caught:
        Client(tmp_path).get("status")
    assert caught.value.exit_code == 2


def test_a_question_with_odd_characters_arrives_as_it_was_put(tmp_path: Path) -> None:
    with hospital(tmp_path / "state") as here, serve(here.engine, tmp_path / "state", 0):
        client = Client(tmp_path / "state")
        with pytest.raises(UsageError, match=r"There is no host a&b c\?d\."):
            client.get("why", "a&b c?d")
        with pytest.raises(UsageError, match="There is no site a&b=c"):
            client.get("tasks", site="a&b=c")


def test_an_order_that_waits_comes_as_the_error_with_exit_code_4(tmp_path: Path) -> None:
    with hospital(tmp_path / "state") as here, serve(here.engine, tmp_path / "state", 0):
        here.open_incident()
        text = here.text("host.exclude", "lis-2")
        signature = sign(key_of("operator-1"), ORDER_NAMESPACE, text)
        with pytest.raises(NeedsAnother) as caught:
            Client(tmp_path / "state").post("orders", order=text.decode(), person="operator-1", signature=signature)
        assert caught.value.exit_code == 4
        assert caught.value.facts["missing_roles"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot json!",
        b"HTTP/1.1 500 X\r\n\r\n{}",
    ],
)
def test_whatever_else_answers_there_is_a_sentence(tmp_path: Path, answer: bytes) -> None:
    with answering(tmp_path, answer), pytest.raises(Unusable, match="live process"):
        Client(tmp_path).get("status")


def test_a_process_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        with pytest.raises(Unusable, match="did not answer"):
            Client(tmp_path, timeout_s=0.1).get("status")
