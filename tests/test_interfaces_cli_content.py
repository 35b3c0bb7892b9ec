"""Init, review and plan: what they print, what they exit with, and that the dry run is part of the review."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    assert all(isinstance(one["line"], int) for one in said.document)


def test_the_plan_is_text_for_people_and_a_document_for_programs(types: Keyboard) -> None:
    text = types("plan")
    assert (text.code, "foundations" in text.out) == (0, True)
    document = types.json("plan").document
    assert {"digest", "functions", "waves"} == document.keys()
    assert {"name", "function", "after", "services", "hosts", "gate"} == document["waves"][0].keys()


def test_a_hosts_place_is_explained(types: Keyboard) -> None:
    said = types("plan", "--why", "lis-1")
    assert said.code == 0
    assert "wave" in said.out
    assert types.json("plan", "--why", "lis-1").document["host"] == "lis-1"


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
