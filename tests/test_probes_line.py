"""A peer that is dead, slow, half-open or talkative holds no question up, never passes, and is told apart."""

from __future__ import annotations

import socket
import threading

import pytest

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, passed
from orchestrator.probes.line import Line, conversed, exactly
from tests.managed_hosts import free_port
from tests.practice_peers import Behaviour, drips, hangs_up, peer, says, speaks_first, stays_silent


def floods(connection: socket.socket) -> None:
    """Says more and more, for as long as it is listened to."""
    while True:
        connection.sendall(b"x" * 65536)


def a_hundred_bytes(line: Line) -> Seen:
    line.sendall(b"?")
    line.talk.enter("read")
    return {"said": exactly(line, 100).decode()}


def everything(line: Line) -> Seen:
    with line.makefile("rb") as file:
        return {"said": file.read().decode()}


def said(question: Question, seen: Seen) -> Answer:
    return passed("It spoke.", dict(seen))


def ask(port: int, timeout_s: float = 0.5, bytes_max: int = 1 << 20) -> Answer:
    return conversed(
        Question("127.0.0.1", port, "127.0.0.9", timeout_s), "The lab", a_hundred_bytes, said, bytes_max=bytes_max
    )


@pytest.mark.parametrize(
    ("behave", "error", "words"),
    [
        (stays_silent, "silent", "took the connection and said nothing in time when it should read"),
        (drips, "unfinished", "did not come to an end in time when it should read"),
        (hangs_up, "closed", "took the connection and closed it"),
        (says(b"short"), "closed", "closed it when it should read"),
    ],
    ids=["half open", "slow", "closing", "closing early"],
)
def test_a_peer_that_does_not_answer_is_told_apart_in_words(behave: Behaviour, error: str, words: str) -> None:
    with peer(behave) as port:
        answer = ask(port)
    assert (answer.outcome, answer.facts["error"], answer.heard) == ("FAIL", error, True)
    assert words in answer.sentence


def test_a_peer_that_is_dead_was_not_heard() -> None:
    answer = ask(free_port())
    assert (answer.outcome, answer.heard) == ("FAIL", False)
    assert "does not answer: Connection refused" in answer.sentence


def test_a_peer_that_talks_without_end_is_read_to_a_limit() -> None:
    with peer(floods) as port:
        question = Question("127.0.0.1", port, timeout_s=5)
        answer = conversed(question, "The lab", everything, said, bytes_max=100_000)
    assert (answer.outcome, answer.facts["error"]) == ("FAIL", "talkative")
    assert "more than 100000 bytes" in answer.sentence


def test_a_peer_that_answers_is_judged_by_what_it_said() -> None:
    with peer(speaks_first(b"y" * 100)) as port:
        assert ask(port).facts == {"said": "y" * 100}


def test_a_question_nobody_waits_for_any_longer_ends_at_once_and_is_unknown() -> None:
    with peer(stays_silent) as port:
        question = Question("127.0.0.1", port, timeout_s=60)
        begun = threading.Event()
        answers: list[Answer] = []

        def waits(line: Line) -> Seen:
            begun.set()
            return {"said": list[Json](exactly(line, 1))}

        asking = threading.Thread(target=lambda: answers.append(conversed(question, "The lab", waits, said)))
        asking.start()
        assert begun.wait(10)
        question.stop.set()
        asking.join(10)
    assert [(answer.outcome, answer.heard) for answer in answers] == [("UNKNOWN", False)]


def test_a_question_that_was_stopped_before_it_began_ends_as_well() -> None:
    with peer(stays_silent) as port:
        question = Question("127.0.0.1", port, timeout_s=60)
        question.stop.set()
        assert conversed(question, "The lab", a_hundred_bytes, said).outcome == "UNKNOWN"
