"""Real services are destroyed, restored from real backups, proven by the probes, and released by the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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


def radiology(hospital: Hospital) -> tuple[int, set[str]]:
    """What `relance checks run radiology` ends with, and how the archive and the workstations answer."""
    told = hospital.checks("radiology")
    return told.returncode, {one["outcome"] for one in json.loads(told.stdout)["answers"] if one["asked"]}


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


# Whom somebody kills while its wave soaks, and where it then does not answer.
KILLED = {
    "directory": ("foundations", "10.77.2.4:"),
    "lis": ("laboratory/slice", "10.77.2.5:5432"),
    "pacs": ("radiology/slice", "10.77.2.7:11112"),
}


def gate_waits(hospital: Hospital, wave: str) -> list[str]:
    """What the status says that a wave's gate lacks."""
    waves = json.loads(hospital.relance("status").stdout)["waves"]
    return [waits["sentence"] for one in waves if one["name"] == wave for waits in one["waits"]]


@contextmanager
def somebody_kills_a_service_in_each_soak(hospital: Hospital) -> Iterator[dict[str, list[str]]]:
    """Each service is started again once its gate has said why it waits; what was said of it, by service."""
    ended, said = threading.Event(), dict[str, list[str]]()

    def watch() -> None:
        for service, (wave, _) in KILLED.items():
            soak = wait_for("start_soak", 0, wave)
            if soak is not None:
                host = hospital.host(service)
                hospital.lab.network.kill(host.spec.id)
                broken = wait_for("break_soak", soak.seq, wave)
                if broken is not None:
                    said[service] = [str(broken.body["why"]), *gate_waits(hospital, wave)]
                host.start(hospital.lab.ground())

    def wait_for(kind: str, after: int, wave: str) -> Record | None:
        path = hospital.root / lab.STATE / "journal.sqlite"
        while not ended.wait(0.3):
            if path.exists():
                with Journal.open(path, read_only=True) as journal:
                    for record in journal.records_of(kind):
                        if record.seq > after and record.body["wave"] == wave:
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
    assert radiology(hospital) == (0, {"PASS"})
    assert lab.strike(hospital.root) == len(hospital.lab.hosts)
    assert {host["disk"] for host in lab.status(hospital.root)["hosts"].values()} == {"encrypted"}
    assert radiology(hospital) == (1, {"FAIL"})
    command = [sys.executable, "-m", "orchestrator.interfaces.cli", "--format", "json", "--state", str(hospital.root)]
    with somebody_opens_a_port(hospital) as opened, somebody_kills_a_service_in_each_soak(hospital) as said:
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
    assert said.keys() == KILLED.keys()
    for service, (_, address) in KILLED.items():
        broken, *gate = said[service]
        assert broken == f"fails service:{service}"
        assert any(address in sentence for sentence in gate), "the gate names who does not answer"
    assert opened, "nobody came to open the port"
    assert any("answer" in frozen["why"] for frozen in told["frozen"]), told["frozen"]


def test_after_the_drill_every_check_of_every_function_is_answered_as_it_should_be(hospital: Hospital) -> None:
    assert lab.status(hospital.root)["hosts"][WARD]["network"] == "production"
    assert working(hospital) == SERVICES
    assert radiology(hospital) == (0, {"PASS"})
