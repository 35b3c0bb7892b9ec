"""Real services are destroyed, restored from real backups, proven by the probes, and released by the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.journal.record import Record
from orchestrator.journal.sqlite import Journal
from orchestrator.practice import lab
from orchestrator.practice.fleet_log import record_of
from orchestrator.practice.lab_drill import WARD
from tests.lab.conftest import Hospital

FUNCTIONS = ("laboratory", "radiology", "medical-records")
SERVICES = {"lis", "hl7-engine", "pacs", "records", "portal", "dns", "ntp", "directory"}


def working(hospital: Hospital) -> set[str]:
    """The services whose every check reads PASS; not asked is what needs a host key, or writes."""
    found = set()
    for service in SERVICES:
        asked = [one for one in hospital.answers(service).values() if one["level"] == "L2"]
        if asked and all(one["outcome"] == "PASS" for one in asked):
            found.add(service)
    return found


@contextmanager
def somebody_opens_a_port(hospital: Hospital) -> Iterator[list[str]]:
    """Once the workstation is restored, its port is opened behind the gate's back, for a moment."""
    ended, opened = threading.Event(), list[str]()

    def watch() -> None:
        host = hospital.lab.hosts[WARD]
        while not ended.wait(0.2):
            record = record_of(host.folders.log(WARD))
            if record.action.endswith(("/restore/1", "/reimage/1")) and record.state == "ended":
                hospital.lab.network.move([host.spec.address], out=True)
                opened.append(host.spec.address)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield opened
    finally:
        ended.set()
        thread.join()


@contextmanager
def somebody_kills_the_archive(hospital: Hospital) -> Iterator[list[str]]:
    """While its wave soaks the archive is killed; it is started again once the gate has said why it waits."""
    ended, said = threading.Event(), list[str]()
    host = hospital.host("pacs")

    def watch() -> None:
        after = wait_for("start_soak", 0, lambda body: body["wave"] == "radiology/slice")
        if after is None:
            return
        hospital.lab.network.kill(host.spec.id)
        for kind, wanted in (("reading", {"subject": "service:pacs", "outcome": "FAIL"}), ("break_soak", {})):
            found = wait_for(kind, after.seq, lambda body, wanted=wanted: wanted.items() <= body.items())
            said.append("" if found is None else str(found.body.get("sentence", found.body.get("why"))))
        host.start(hospital.lab.ground())

    def wait_for(kind: str, after: int, wanted: Callable[[dict[str, Any]], bool]) -> Record | None:
        path = hospital.root / lab.STATE / "journal.sqlite"
        while not ended.wait(0.3):
            if path.exists():
                with Journal.open(path, read_only=True) as journal:
                    for record in journal.records_of(kind):
                        if record.seq > after and wanted(record.body):
                            return record
        return None

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield said
    finally:
        ended.set()
        thread.join()


def test_the_hospital_is_destroyed_and_comes_back_with_its_data_behind_every_gate(hospital: Hospital) -> None:
    assert hospital.answers("pacs")["pacs-finds-studies"]["outcome"] == "PASS"
    command = [sys.executable, "-m", "orchestrator.interfaces.cli", "--format", "json", "--state", str(hospital.root)]
    with somebody_opens_a_port(hospital) as opened, somebody_kills_the_archive(hospital) as said:
        done = subprocess.run(
            [*command, "drill", "--lab"], capture_output=True, text=True, timeout=280, check=False, env=dict(os.environ)
        )
    assert done.returncode == 0, (done.stderr, done.stdout)
    told = json.loads(done.stdout)
    assert f"The data of {len(hospital.lab.hosts)} of {len(hospital.lab.hosts)} hosts" in done.stderr
    assert (told["in_service"], told["violations"], told["released_early"]) == (len(hospital.lab.hosts), [], 0)
    assert all(told["functions"][function]["back_s"] for function in FUNCTIONS)
    seen = told["from_a_workstation"]
    assert seen["silent_before"] > 0
    assert seen["answered_after"] > 0
    assert [bool(one) for one in said] == [True, True], said
    assert "10.77.2.7:11112" in said[0], "it names who does not answer as it should"
    assert "pacs" in said[1]
    assert opened, "nobody came to open the port"
    assert any("answer" in frozen["why"] for frozen in told["frozen"]), told["frozen"]


def test_after_the_drill_every_check_of_every_function_is_answered_as_it_should_be(hospital: Hospital) -> None:
    assert lab.status(hospital.root)["hosts"][WARD]["network"] == "production"
    assert working(hospital) == SERVICES
