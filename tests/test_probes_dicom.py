"""A DICOM node counts when its database answers, not when it greets: a real Orthanc, and nodes that lie."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from orchestrator.probes.base import Agreement, Answer, Question
from orchestrator.probes.dicom import DicomProbe
from tests.managed_hosts import free_port, wait_until
from tests.practice_peers import drips, hangs_up, keeps_the_line, peer, says, stays_silent

TEST_PATIENT = Agreement("agreement-1", "TEST-1")
Handler = Callable[[evt.Event], object]


def ask(port: int, timeout_s: float = 20, agreement: Agreement | None = None, **params: str | int | bool) -> Answer:
    return DicomProbe().ask(Question("127.0.0.1", port, "127.0.0.1", timeout_s, params, agreement=agreement))


@contextmanager
def node(*handlers: tuple[evt.EventType, Handler], title: str = "PACS") -> Iterator[int]:
    """The port of a node that knows echo, worklist and study queries, answered by the handlers."""
    entity = AE(title)
    entity.require_called_aet = True
    for syntax in (Verification, ModalityWorklistInformationFind, StudyRootQueryRetrieveInformationModelFind):
        entity.add_supported_context(syntax)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()


def dead_database(event: evt.Event) -> Iterator[tuple[int, None]]:
    yield 0xA700, None


def two_steps(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    for number in "12":
        step = Dataset()
        step.PatientID = number
        yield 0xFF00, step


def test_a_node_with_a_dead_database_answers_an_echo_and_no_query() -> None:
    with node((evt.EVT_C_FIND, dead_database)) as port:
        assert ask(port, called="PACS").outcome == "PASS"
        worklist = ask(port, called="PACS", ask="worklist")
    assert (worklist.outcome, worklist.facts["status"]) == ("FAIL", 0xA700)
    assert "its database does not answer" in worklist.sentence


def test_a_worklist_is_counted_and_no_patient_is_kept() -> None:
    with node((evt.EVT_C_FIND, two_steps)) as port:
        answer = ask(port, called="PACS", ask="worklist", modality="CT", found_min=2)
    assert (answer.outcome, answer.facts) == ("PASS", {"status": 0, "found": 2})


def test_a_node_that_does_not_know_us_or_what_we_ask_says_so() -> None:
    with node() as port:
        assert "rejects the association of RELANCE to OTHER" in ask(port, called="OTHER").sentence
        assert "does not offer store" in ask(port, called="PACS", ask="store", agreement=TEST_PATIENT).sentence


def test_an_image_is_not_sent_without_the_owners_agreement() -> None:
    heard: list[bytes] = []
    with peer(lambda connection: heard.append(connection.recv(1))) as port:
        answer = ask(port, ask="store")
    assert (answer.outcome, answer.heard, heard) == ("UNKNOWN", False, [])


@pytest.mark.parametrize("text", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x02\x00\x00\x00\x00\x04junk", b"\x00" * 99])
def test_something_that_is_not_dicom_fails(text: bytes) -> None:
    with peer(says(text)) as port:
        assert ask(port, timeout_s=3).outcome == "FAIL"


def test_a_dead_a_silent_a_slow_a_closing_and_a_talkative_node_are_told_apart_and_leave_no_thread() -> None:
    before = threading.active_count()
    huge = b"\x02\x00\x7f\xff\xff\xff" + b"x" * (5 << 20)
    with (
        peer(stays_silent) as silent,
        peer(drips) as slow,
        peer(hangs_up) as closing,
        peer(keeps_the_line(huge)) as loud,
    ):
        assert ask(silent, timeout_s=0.5).facts["error"] == "silent"
        assert ask(slow, timeout_s=0.5).facts["error"] in ("unfinished", "gibberish")
        assert ask(closing).facts["error"] == "closed"
        assert ask(loud).facts["error"] == "talkative"
    assert "does not answer" in ask(free_port()).sentence
    wait_until(lambda: threading.active_count() <= before)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real archive."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("Debian's orthanc is not installed.")
    base = tmp_path_factory.mktemp("orthanc")
    port = free_port()
    settings = {
        "Name": "PACS",
        "StorageDirectory": str(base / "store"),
        "IndexDirectory": str(base / "store"),
        "DicomAet": "PACS",
        "DicomPort": port,
        "HttpServerEnabled": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "Plugins": [],
    }
    (base / "orthanc.json").write_text(json.dumps(settings))
    with (base / "log").open("wb") as log:
        server = subprocess.Popen([program, str(base / "orthanc.json")], stdout=log, stderr=log)
    try:
        wait_until(lambda: server.poll() is not None or ask(port, timeout_s=2, called="PACS").outcome == "PASS")
        assert server.poll() is None, (base / "log").read_text()
        yield port
    finally:
        server.terminate()
        server.wait()


def test_orthanc_takes_an_image_finds_it_and_gives_it_back(orthanc: int) -> None:
    assert ask(orthanc, called="PACS", ask="study", found_min=1).outcome == "FAIL"
    stored = ask(orthanc, called="PACS", ask="store", agreement=TEST_PATIENT)
    assert (stored.outcome, stored.facts["same"]) == ("PASS", True), stored.sentence
    assert ask(orthanc, called="PACS", ask="study", found_min=1).outcome == "PASS"
    assert "does not offer worklist" in ask(orthanc, called="PACS", ask="worklist").sentence
