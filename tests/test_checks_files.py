"""Any number of files in checks/ become one list of checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checks.files import read_checks
from orchestrator.inventory.files import read_inventory
from orchestrator.inventory.sources import Sources
from tests.small_estate import SMALL, SmallEstate


def read(path: Path) -> tuple[list[str], list[str]]:
    sources = Sources(path)
    read_inventory(sources)
    return [check.id for check in read_checks(sources)], [str(one) for one in sources.findings]


def test_the_checks_of_all_files_are_read_in_the_order_of_the_files() -> None:
    checks, said = read(SMALL)
    assert said == []
    assert checks[0] == "server-answers"
    assert checks[-4:] == ["lis-reads-an-order", "ehr-finds-a-patient", "results-arrive", "pacs-finds-a-study"]


def test_a_check_is_of_a_class_by_the_word_class() -> None:
    sources = Sources(SMALL)
    assert {check.klass for check in read_checks(sources)} >= {"server", "workstation"}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("laboratory", []),
        ("null", []),
        ("labratory", ["1:1: error: There is no function `labratory`; did you mean `laboratory`?"]),
        ("[laboratory]", ["1:1: error: There is no function `['laboratory']`; did you mean `laboratory`?"]),
    ],
)
def test_a_file_is_about_a_function_that_exists(tmp_path: Path, function: str, said: list[str]) -> None:
    small = SmallEstate(tmp_path)
    small.edit("checks/laboratory.yaml", "function: laboratory", f"function: {function}")
    assert read(small.path)[1] == [f"checks/laboratory.yaml:{each}" for each in said]


def test_a_bad_check_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("checks/medical-records.yaml", "probe: http", "probe: telepathy")
    checks, said = read(small.path)
    assert "ehr-finds-a-patient" not in checks
    assert "results-arrive" in checks
    assert len(said) == 1


def test_a_new_file_and_a_file_without_checks_are_welcome(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.append("checks/pharmacy.json", '{"function": null, "checks": []}')
    small.append("checks/empty.yaml", "function: null\n")
    assert read(small.path) == read(SMALL)


def test_indicator_sets_in_folders_of_their_own_are_not_checks(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.append("checks/cleanliness/set.yaml", "anything: [")
    assert read(small.path) == read(SMALL)


def test_a_file_of_checks_that_nothing_reads_is_told(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (small.path / "checks/laboratory.yaml").rename(small.path / "checks/laboratory.yml")
    checks, said = read(small.path)
    assert "lis-reads-an-order" not in checks
    assert said == ["checks/laboratory.yml:1: error: Nothing reads this file; did you mean `laboratory.yaml`?"]
