"""A port answers, refuses, or keeps silent; a service that accepts and says nothing is not alive."""

from __future__ import annotations

from orchestrator.probes.base import Question
from orchestrator.probes.tcp import TcpProbe
from tests.managed_hosts import free_port
from tests.practice_peers import hangs_up, peer, speaks_first, stays_silent


def ask(port: int, *, source: str = "", speaks: bool = False, timeout_s: float = 20) -> str:
    return TcpProbe().ask(Question("127.0.0.1", port, source, timeout_s, {"speaks": speaks})).outcome


def test_a_port_that_takes_a_connection_passes() -> None:
    with peer(hangs_up) as port:
        assert ask(port) == "PASS"


def test_a_port_where_nobody_listens_fails() -> None:
    assert ask(free_port()) == "FAIL"


def test_a_service_that_accepts_and_says_nothing_fails_when_it_should_speak() -> None:
    with peer(stays_silent) as port:
        assert ask(port, timeout_s=0.3) == "PASS"
        assert ask(port, speaks=True, timeout_s=0.3) == "FAIL"


def test_a_service_that_hangs_up_fails_when_it_should_speak() -> None:
    with peer(hangs_up) as port:
        assert ask(port, speaks=True) == "FAIL"


def test_a_service_that_greets_passes() -> None:
    with peer(speaks_first(b"220 lab\r\n")) as port:
        assert ask(port, speaks=True) == "PASS"


def test_the_question_comes_from_the_address_it_was_asked_to_come_from() -> None:
    seen: list[str] = []
    with peer(lambda connection: seen.append(connection.getpeername()[0])) as port:
        assert ask(port, source="127.7.7.7", speaks=True) == "FAIL"
    assert seen == ["127.7.7.7"]


def test_an_address_that_is_not_ours_is_unknown_and_no_fault_of_the_host() -> None:
    assert ask(free_port(), source="192.0.2.7") == "UNKNOWN"
