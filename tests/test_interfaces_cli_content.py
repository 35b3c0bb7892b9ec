"""Init, review and plan: what they print, what they exit with, and that the dry run is part of the review."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.interfaces import documents as d
from orchestrator.interfaces import documents_foreseen as foreseen
from tests.command_line import Keyboard, Said
from tests.small_estate import SmallEstate


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


@pytest.fixture
def types(capsys: pytest.CaptureFixture[str], estate: SmallEstate) -> Keyboard:
    return Keyboard(capsys, "--estate", str(estate.path))


def errors(said: Said) -> list[str]:
    return [one["message"] for one in said.document if one["severity"] == "error"]


def test_a_good_estate_is_reviewed_without_errors_and_says_how_many_warnings(types: Keyboard) -> None:
    said = types("review")
    assert said.code == 0
    assert said.out.rstrip().splitlines()[-1].startswith("0 error, ")


def test_the_review_tells_how_long_analysts_read_before_a_plan_is_adopted(types: Keyboard, estate: SmallEstate) -> None:
    assert "Analysts read for " in types("review").out
    (estate.path / "inventory" / "sites.yaml").write_text("sites: {")
    assert "Analysts read for " not in types("review").out


def test_a_mistake_is_one_line_with_its_place_and_exit_1(types: Keyboard, estate: SmallEstate) -> None:
    estate.edit("inventory/servers.csv", "lis-1,", "lis 1,")
    said = types("review")
    assert said.code == 1
    assert any(line.startswith("inventory/servers.csv:") and ": error: " in line for line in said.out.splitlines())


def test_findings_in_json_name_severity_file_line_and_message(types: Keyboard, estate: SmallEstate) -> None:
    estate.edit("inventory/services.yaml", "function: laboratory", "function: nowhere")
    said = types.json("review")
    assert said.code == 1
    assert errors(said)
    assert TypeAdapter(list[d.Found]).validate_python(said.document, strict=True) == said.document


def test_the_plan_is_text_for_people_and_a_document_for_programs(types: Keyboard) -> None:
    text = types("plan")
    assert (text.code, "foundations" in text.out) == (0, True)
    document = types.json("plan").document
    assert TypeAdapter(foreseen.Planned).validate_python(document, strict=True) == document


def test_a_hosts_place_is_explained(types: Keyboard) -> None:
    said = types("plan", "--why", "lis-1")
    assert said.code == 0
    assert "wave" in said.out
    assert types.json("plan", "--why", "lis-1").document["host"] == "lis-1"


def test_a_host_with_an_error_is_said_to_be_left_out_and_why(types: Keyboard, estate: SmallEstate) -> None:
    estate.edit("inventory/workstations.csv", "lab-n-2,north,N1.14,laboratory", "lab-n-2,north,N1.14,labratory")
    estate.edit("inventory/workstations.csv", "10.10.20.3,", "ten,")
    said = types("plan")
    assert said.code == 0
    assert said.out.splitlines()[1] == "2 hosts left out, for errors `relance review` tells: lab-n-2, rad-n-1."
    for host, reason in (("lab-n-2", "did you mean `laboratory`?"), ("rad-n-1", "must be an IPv4 address")):
        why = types("plan", "--why", host)
        assert why.code == 0
        assert why.out.startswith(f"{host} is left out of the plan because of its error:\ninventory/workstations.csv:")
        assert reason in why.out


def test_a_state_folder_elsewhere_is_reviewed_too(types: Keyboard, tmp_path: Path) -> None:
    (tmp_path / "state" / "secrets").mkdir(parents=True)
    (tmp_path / "state" / "secrets").chmod(0o755)
    said = types.json("--state", str(tmp_path / "state"), "review")
    assert said.code == 1
    assert errors(said) == ["Others can reach this secret: its mode is 0755, not 0700."]


def test_a_host_nobody_knows_is_answered_with_the_nearest_name(types: Keyboard) -> None:
    said = types("plan", "--why", "lis-l")
    assert said.code == 2
    assert "lis-1" in said.err


def test_an_estate_that_cannot_be_used_is_not_planned(types: Keyboard, estate: SmallEstate) -> None:
    (estate.path / "inventory" / "sites.yaml").write_text("sites: {")
    said = types("plan")
    assert said.code == 1
    assert "inventory/sites.yaml" in said.err


def test_an_estate_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    said = Keyboard(capsys)("--estate", "/nowhere/at/all", "review")
    assert said.code == 2
    assert "There is no folder" in said.err


def test_init_never_writes_into_a_folder_that_holds_anything(types: Keyboard, estate: SmallEstate) -> None:
    before = sorted(estate.path.rglob("*"))
    assert types("init", str(estate.path)).code == 2
    assert sorted(estate.path.rglob("*")) == before


def test_init_says_what_it_wrote(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = Keyboard(capsys).json("init", str(tmp_path / "new"))
    assert said.code == 0
    assert str(tmp_path / "new" / "inventory" / "sites.yaml") in said.document["files"]
