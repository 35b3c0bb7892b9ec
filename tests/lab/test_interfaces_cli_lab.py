"""What `relance lab` says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.interfaces import documents as d
from orchestrator.interfaces.cli import main
from tests.lab.conftest import Hospital


def test_a_lab_that_does_not_stand_has_no_status_and_cannot_be_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for what in ("status", "break", "down"):
        assert main(["--state", str(tmp_path), "lab", what]) == 2
        assert f"There is no lab in {tmp_path}" in capsys.readouterr().err


def test_the_status_lists_every_host_and_how_to_step_into_one(
    hospital: Hospital, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(hospital.root), "lab", "status"]) == 0
    text = capsys.readouterr().out
    assert "srv-pacs-01     pacs           10.77.2.7" in text
    assert f"{hospital.root}/fleet/enter/HOST" in text
    assert main(["--state", str(hospital.root), "--format", "json", "lab", "status"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert TypeAdapter(d.LabStatus).validate_python(found, strict=True) == found
    assert found["hosts"].keys() == hospital.lab.hosts.keys()
    assert f"orthanc {found['packages']['orthanc']}" in text
    assert found["packages"]["orthanc"] != "unknown"
