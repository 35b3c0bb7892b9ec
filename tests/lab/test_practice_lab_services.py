"""Nine services lie; each lie is told by the answer to the question its gate asks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.practice import lab_services
from orchestrator.practice.lab_host import LabHost
from orchestrator.practice.lab_net import CONTROL
from orchestrator.probes.base import Agreement, Question
from orchestrator.probes.fhir import FhirProbe
from orchestrator.probes.hl7 import Hl7Probe
from tests.lab.conftest import Hospital


@contextmanager
def lying(hospital: Hospital, role: str) -> Iterator[LabHost]:
    """A host that is brought back from its backup when the lie is over."""
    host = hospital.host(role)
    try:
        yield host
    finally:
        bring_back(hospital, host, 0)


def bring_back(hospital: Hospital, host: LabHost, before_us: int) -> None:
    host.restore_begin("lie", "restore")
    host.vault.restore(host.place, host.vault.newest(host.spec.id, before_us))
    host.start(hospital.lab.ground())


def restart(hospital: Hospital, host: LabHost, *, under: tuple[str, ...] = ()) -> None:
    host.place.stop()
    ground = hospital.lab.ground()
    role = lab_services.ROLES[host.role]
    host.place.start([(*under, *words) for words in role.commands(host.place, ground)])
    host.place.wait(host.spec.address, role.ports)


def spoil(index: Path) -> None:
    """Wipes the pages of an SQLite file that queries begin at, and leaves those a server needs to start."""
    with sqlite3.connect(index) as database:
        database.execute("pragma wal_checkpoint(truncate)")
        size = database.execute("pragma page_size").fetchone()[0]
        tables = "('DicomIdentifiers', 'MainDicomTags')"
        pages = database.execute(f"select rootpage from sqlite_master where tbl_name in {tables}").fetchall()
    database.close()
    with index.open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * size)
            file.write(bytes(size))


def test_a_dead_database_behind_a_live_archive(hospital: Hospital) -> None:
    with lying(hospital, "pacs") as host:
        host.place.stop()
        spoil(host.disk / "images" / "index")
        restart(hospital, host)
        found = hospital.answers("pacs")
    assert found["pacs-greets"]["outcome"] == "PASS"
    assert found["pacs-finds-studies"]["outcome"] == "FAIL"
    assert "greets, but its database does not answer a query" in found["pacs-finds-studies"]["sentence"]


def test_a_directory_that_answers_ldap_and_lets_nobody_log_in(hospital: Hospital) -> None:
    with lying(hospital, "directory") as host:
        config = host.disk / "etc" / "smb.conf"
        config.write_text(config.read_text().replace(", kdc", ""))
        host.place.stop()
        host.place.start(lab_services.ROLES["directory"].commands(host.place, hospital.lab.ground()))
        host.place.wait(host.spec.address, (389,))
        found = hospital.answers("directory")
    assert found["directory-says-it-is-in-order"]["outcome"] == "PASS"
    assert found["directory-lets-people-log-in"]["outcome"] == "FAIL"
    assert ":88 does not answer" in found["directory-lets-people-log-in"]["sentence"]


def test_a_laboratory_that_numbers_two_orders_alike(hospital: Hospital) -> None:
    with lying(hospital, "lis") as host:
        lab_services.psql(
            host.place,
            "alter sequence order_numbers restart 260001;"
            "insert into orders (control_id, placer, patient, code) values ('n1', 'n1', 'P1', 'GLU');",
        )
        found = hospital.answers("lis")
    assert found["lis-has-fresh-results"]["outcome"] == "PASS"
    assert found["lis-numbers-orders-once"]["outcome"] == "FAIL"
    assert "two orders carry the same number" in found["lis-numbers-orders-once"]["sentence"]


def test_a_laboratory_that_acknowledges_an_order_and_stores_nothing(hospital: Hospital) -> None:
    with lying(hospital, "hl7-engine") as engine:
        place = engine.disk / "etc" / "route.json"
        place.write_text(json.dumps({**json.loads(place.read_text()), "stores": "no"}))
        restart(hospital, engine)
        accepted = hospital.answers("hl7-engine")
        with hospital.lab.network.inside("control"):
            told = Hl7Probe().ask(order_of(engine))
    assert accepted["hl7-engine-accepts"]["outcome"] == "PASS"
    assert told.outcome == "FAIL"
    assert "said nothing in time when it should send the result" in told.sentence


def test_an_order_comes_back_as_a_result_and_an_admission_is_visible(hospital: Hospital) -> None:
    engine, records = hospital.host("hl7-engine"), hospital.host("records")
    admission = "MSH|^~\\&|ADM|A|LIS|LAB|20260101||ADT^A01|a1|T|2.5\rPID|1||TEST-LAB\r"
    with hospital.lab.network.inside("control"):
        told = Hl7Probe().ask(order_of(engine))
        with hospital.lab.network.dial("control", engine.spec.address, 2575, 10) as peer:
            peer.sendall(b"\x0b" + admission.encode() + b"\x1c\r")
            assert b"MSA|AA|a1" in peer.recv(4096)
        search = {"ask": "search", "query": "Encounter?_summary=count"}
        seen = FhirProbe().ask(Question(records.spec.address, 8080, CONTROL[1], 10, search))
    assert told.outcome == "PASS", told.sentence
    assert seen.facts["found"] == 1


def order_of(engine: LabHost) -> Question:
    """A test order, under an agreement."""
    params = {"ask": "order", "receiver": "LIS^LAB", "code": "GLU"}
    agreed = Agreement("agreement:hl7-engine", "TEST-LAB")
    return Question(engine.spec.address, 2575, CONTROL[1], 12, params, agreement=agreed)


def test_an_engine_that_delivers_again_what_it_had_delivered(hospital: Hospital) -> None:
    message = "MSH|^~\\&|WARD|A|LIS|LAB|20260101||ORM^O01|c7|P|2.5\rPID|1||P7\rOBR|1|p7||GLU\r"
    with lying(hospital, "lis"), lying(hospital, "hl7-engine") as engine:
        (engine.disk / "queue" / "1.hl7").write_bytes(message.encode())
        restart(hospital, engine)
        accepted = hospital.answers("hl7-engine")
        found = hospital.answers("lis")
    assert accepted["hl7-engine-accepts"]["outcome"] == "PASS"
    assert found["lis-holds-each-message-once"]["outcome"] == "FAIL"
    assert "a message was delivered twice" in found["lis-holds-each-message-once"]["sentence"]


def test_a_portal_whose_certificate_has_expired(hospital: Hospital) -> None:
    with lying(hospital, "portal") as host:
        lab_services.certify(host.place, hospital.lab.ground(), "portal", under=("faketime", "40 days ago"))
        restart(hospital, host)
        found = hospital.answers("portal")
    assert found["portal-shows-records"]["outcome"] == "FAIL"
    assert "expired" in found["portal-shows-records"]["sentence"]


def test_a_clock_that_is_ten_minutes_off(hospital: Hospital) -> None:
    with lying(hospital, "ntp") as host:
        restart(hospital, host, under=("faketime", "-f", "+10m"))
        found = hospital.answers("ntp")
    assert found["ntp-offset"]["outcome"] == "FAIL"
    assert "+600" in found["ntp-offset"]["sentence"]


def test_a_backup_that_is_ten_days_old(hospital: Hospital) -> None:
    with lying(hospital, "lis") as host:
        host.place.stop()
        old = lab_services.single(host.place, "update results set at = at - interval '10 days'")
        assert "ERROR" not in old
        host.vault.save(host.place, "2026-01-01 00:00:00")
        now_us = host.now_us()
        bring_back(hospital, host, now_us - 3 * 86_400_000_000)
        found = hospital.answers("lis")
    assert found["lis-numbers-orders-once"]["outcome"] == "PASS"
    assert found["lis-has-fresh-results"]["outcome"] == "FAIL"
    assert "minutes old; 60 are allowed" in found["lis-has-fresh-results"]["sentence"]
