"""A whole estate becomes one Content with a digest, or says in one pass why it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.errors import ContentError
from orchestrator.plans.files import load, usable
from orchestrator.plans.model import Content
from tests.small_estate import SMALL, SmallEstate


def test_the_small_estate_is_content_a_second_validation_agrees_with() -> None:
    content, findings, _ = load(SMALL)
    assert findings == []
    assert content is not None
    assert Content.model_validate(content.model_dump(by_alias=True)) == content
    assert [klass.id for klass in content.classes] == ["first-server", "directory-server", "server", "workstation"]
    assert [person.id for person in content.roster.persons][:2] == ["operator-1", "operator-2"]
    assert content.restart.order == ("laboratory", "radiology", "medical-records")


def test_the_same_files_elsewhere_have_the_same_digest_and_a_changed_playbook_another(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    assert usable(small.path).digest == usable(SMALL).digest
    small.append("plans/playbooks/restore.yml", "# reviewed\n")
    assert usable(small.path).digest != usable(SMALL).digest


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("service", "lis", "needs", "soft", 0), 33, 42),
        (("host", "lis-1"), 7, None),
        (("device", "ct-1"), 3, None),
        (("check", "results-arrive"), 4, 5),
        (("class", "server"), 20, 5),
        (("pool", "bench", "per_site", "south"), 8, 26),
        (("shift", "night"), 11, 5),
        (("person", "analyst-1", "key"), 5, 39),
        (("restart", "restart", "slices", "radiology"), 7, 3),
    ],
)
def test_everything_with_an_id_can_be_pointed_at(path: tuple[str, ...], line: int, column: int | None) -> None:
    _, _, where = load(SMALL)
    kind, name, *rest = path
    assert where.place(kind, name, *rest)[1:] == (line, column)


@pytest.mark.parametrize("folder", ["inventory", "plans", "checks"])
def test_without_one_of_the_three_folders_there_is_no_estate(tmp_path: Path, folder: str) -> None:
    small = SmallEstate(tmp_path)
    shutil.rmtree(small.path / folder)
    content, findings, _ = load(small.path)
    assert content is None
    assert [one.message for one in findings] == [f"The folder `{folder}` is missing; `relance init` lays one down."]
    with pytest.raises(ContentError, match="is missing"):
        usable(small.path)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("classes.yaml", "This file is missing."),
        ("roster.yaml", "This file is missing."),
        ("capacity.yaml", "This file is missing."),
        ("restart.yaml", "This file is missing."),
    ],
)
def test_a_missing_plan_file_is_named(tmp_path: Path, file: str, said: str) -> None:
    small = SmallEstate(tmp_path)
    (small.path / "plans" / file).unlink()
    assert [(one.file, one.message) for one in small.loaded()] == [(f"plans/{file}", said)]


def test_an_estate_wide_error_refuses_use_and_says_how_many_more(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/services.yaml", "kind: outside", "kind: inner")
    small.edit("plans/restart.yaml", "scenario:", "scenary:")
    with pytest.raises(ContentError) as caught:
        usable(small.path)
    assert caught.value.sentence.startswith("inventory/services.yaml:29:5: error: Service `lab-vendor`: `kind` must be")
    assert caught.value.sentence.endswith("(1 more; `relance review` lists them)")
    assert caught.value.facts == {"file": "inventory/services.yaml", "line": 29}
    assert caught.value.exit_code == 1


def test_an_error_of_one_host_leaves_the_rest_of_the_hospital_usable(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/workstations.csv", "10.10.20.1,", "ten,")
    assert len(usable(small.path).inventory.hosts) == 11


def test_findings_come_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/restart.yaml", "scenario:", "scenary:")
    small.edit("inventory/services.yaml", "kind: outside", "kind: inner")
    small.edit("inventory/services.yaml", "  - id: hypervisor", "  - id: hypervisor\n    color: red")
    assert [(one.file, one.line) for one in small.loaded()] == [
        ("inventory/services.yaml", 4),
        ("inventory/services.yaml", 30),
        ("plans/restart.yaml", 2),
    ]
