"""An HL7 interface counts when it accepts our message by its number, and a test order when its own result comes back.

The interface is the MLLP server of the package `hl7`; what it does with a message is this test's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import hl7
import pytest
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from orchestrator.probes.base import Agreement, Answer, Question
from orchestrator.probes.hl7 import Hl7Probe
from tests.managed_hosts import free_port
from tests.practice_peers import hangs_up, keeps_the_line, peer, says, speaks_first, stays_silent

Routing = Callable[[hl7.Message], list[str]]


@contextmanager
def interface(route: Routing) -> Iterator[int]:
    """The port of an MLLP server that answers each message that is no acknowledgement by the messages of `route`."""

    async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while True:
                heard = await reader.readmessage()
                if str(heard.segment("MSH")(9)) != "ACK":
                    for said in route(heard):
                        writer.writeblock(said.encode())
                        await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def live() -> None:
        server = await start_hl7_server(serve, host="127.0.0.1", port=0)
        async with server:
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            await asyncio.to_thread(ending.wait)

    ports: list[int] = []
    ready, ending = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        ending.set()
        thread.join()


def acknowledges(message: hl7.Message) -> list[str]:
    return [str(message.create_ack())]


def laboratory(message: hl7.Message) -> list[str]:
    """Acknowledges an order, then reports its result."""
    number, patient = message.segment("ORC")(2), message.segment("PID")(3)
    head = "MSH|^~\\&|LIS|LAB|RELANCE|RELANCE|20261128060000||ORU^R01|77|T|2.5"
    result = f"{head}\rPID|1||{patient}\rOBR|1|{number}||NA\rOBX|1|NM|NA||140|mmol/L\r"
    return [*acknowledges(message), result]


def ask(port: int, timeout_s: float = 20, agreement: Agreement | None = None, **params: str | int | bool) -> Answer:
    return Hl7Probe().ask(Question("127.0.0.1", port, "127.0.0.9", timeout_s, params, agreement=agreement))


TEST_PATIENT = Agreement("agreement-1", "TEST-1^^^HOSP")


def test_an_interface_that_acknowledges_passes() -> None:
    heard: list[hl7.Message] = []
    with interface(lambda message: (heard.append(message), acknowledges(message))[1]) as port:
        assert ask(port, event="QBP^Q22", segments="QPD|Q22|1|TEST-1\nRCP|I", receiver="LIS^LAB").outcome == "PASS"
    assert [str(heard[0].segment("MSH")(number)) for number in (5, 6, 9, 11)] == ["LIS", "LAB", "QBP^Q22", "T"]
    assert str(heard[0].segment("RCP")(1)) == "I"


def test_an_interface_that_takes_a_message_and_never_acknowledges_fails_in_time() -> None:
    with interface(lambda message: []) as port:
        answer = ask(port, timeout_s=0.5)
    assert (answer.outcome, answer.facts) == ("FAIL", {"phase": "acknowledge the message", "error": "silent"})


def test_an_order_gives_its_result() -> None:
    with interface(laboratory) as port:
        assert ask(port, ask="order", code="NA", agreement=TEST_PATIENT).outcome == "PASS"


def test_a_laboratory_that_acknowledges_and_stores_nothing_is_found_out() -> None:
    with interface(acknowledges) as port:
        answer = ask(port, timeout_s=0.5, ask="order", code="NA", agreement=TEST_PATIENT)
    assert (answer.outcome, answer.facts["phase"]) == ("FAIL", "send the result")


def test_a_message_that_writes_is_not_sent_without_the_owners_agreement() -> None:
    heard: list[bytes] = []
    with peer(lambda connection: heard.append(connection.recv(1))) as port:
        for asked in (ask(port, ask="order"), ask(port, event="ADT^A01"), ask(port, event="ORM^O01")):
            assert (asked.outcome, asked.heard) == ("UNKNOWN", False)
    assert heard == []


@pytest.mark.parametrize("text", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x0bhello\x1c\r", b"\x00" * 5000])
def test_something_that_is_not_hl7_fails(text: bytes) -> None:
    with peer(keeps_the_line(text)) as port:
        assert ask(port).facts["error"] == "gibberish"


def test_a_dead_a_silent_a_closing_and_a_talkative_interface_are_told_apart() -> None:
    with peer(stays_silent) as silent, peer(hangs_up) as closing, peer(says(b"\x0bMSH" + b"x" * 100_000)) as talkative:
        assert ask(silent, timeout_s=0.3).facts["error"] == "silent"
        assert ask(closing).facts["error"] == "closed"
        assert ask(talkative).facts["error"] == "talkative"
    assert "does not answer" in ask(free_port()).sentence


def test_an_interface_that_greets_with_half_a_message_fails_in_time() -> None:
    with peer(speaks_first(b"\x0bMSH|")) as port:
        assert ask(port, timeout_s=0.3).outcome == "FAIL"
