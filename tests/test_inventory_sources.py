"""Files are read once, as plain files only; findings are sentences with a place, and the digest covers every file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from orchestrator.inventory.sources import (
    Finding,
    Place,
    Sources,
    Where,
    blocks_everything,
    content_files,
    finding,
    nearest,
    order,
)
from tests.small_estate import SmallEstate


class Lines:
    """A document whose every part stands on the line its path ends with."""

    def place(self, path: tuple[str | int, ...]) -> Place:
        return Place("some.yaml", int(path[-1]))


def test_a_finding_reads_like_a_compilers_and_as_json() -> None:
    one = finding("warning", Place("inventory/services.yaml", 7, 3), "Only one.", hosts=["lis-1"])
    assert str(one) == "inventory/services.yaml:7:3: warning: Only one."
    assert one.as_json() == {
        "severity": "warning",
        "file": "inventory/services.yaml",
        "line": 7,
        "message": "Only one.",
    }
    assert one.hosts == ("lis-1",)
    assert str(Finding("debt", "a.csv", 2, None, "Unknown.")) == "a.csv:2: debt: Unknown."


def test_findings_are_told_by_file_then_line_then_column() -> None:
    places = [Place("b", 1), Place("a", 10), Place("a", 9, 5), Place("a", 9)]
    found = sorted((finding("error", place, "x") for place in places), key=order)
    assert [(one.file, one.line, one.column) for one in found] == [
        ("a", 9, None),
        ("a", 9, 5),
        ("a", 10, None),
        ("b", 1, None),
    ]


def test_an_error_blocks_the_estate_unless_it_names_hosts() -> None:
    estate = finding("error", Place("a"), "Everything.")
    found = [estate, finding("error", Place("a"), "One host.", ["lis-1"]), finding("warning", Place("a"), "Careful.")]
    assert blocks_everything(found) == [estate]


@pytest.mark.parametrize(("name", "said"), [("labratory", "; did you mean `laboratory`?"), ("zzz", "."), ("", ".")])
def test_a_wrong_name_is_answered_with_the_nearest_known_one(name: str, said: str) -> None:
    assert nearest(name, ["laboratory", "radiology"]) == said


def test_the_second_entry_of_a_name_learns_where_the_first_stands() -> None:
    where = Where()
    assert where.add("service", "lis", Lines(), (4,)) is None
    assert where.add("function", "lis", Lines(), (5,)) is None
    assert where.add("service", "lis", Lines(), (9,)) == Place("some.yaml", 4)
    assert where.place("service", "lis", 6) == Place("some.yaml", 6)
    assert list(where.names("service")) == ["lis"]


def test_what_no_file_holds_is_said_of_the_file_that_should() -> None:
    assert Where().place("person", "operator-1") == Place("plans/roster.yaml", 1)
    assert Where().place("moon", "x") == Place(".", 1)


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("a: 1")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real.yaml")
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    sources = Sources(tmp_path)
    assert sources.text("real.yaml") == "a: 1"
    assert [sources.text(name) for name in ("link.yaml", "folder.yaml", "pipe.yaml", "absent.yaml")] == [None] * 4
    assert {one.message for one in sources.findings} == {
        "This is no plain file, or a folder nobody can open; content holds no links and no devices.",
    }


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    sources = Sources(tmp_path)
    assert sources.text("x" * 300) is None
    assert sources.findings[0].message in (
        "The file cannot be read: File name too long.",
        "This is no plain file, or a folder nobody can open; content holds no links and no devices.",
    )


def test_yaml_and_json_of_one_name_exclude_each_other(tmp_path: Path) -> None:
    sources = Sources(tmp_path)
    assert sources.choose("sites") is None
    (tmp_path / "sites.json").write_text("{}")
    assert sources.choose("sites") == "sites.json"
    (tmp_path / "sites.yaml").write_text("{}")
    assert sources.choose("sites") == "sites.yaml"
    assert [one.message for one in sources.findings] == ["`sites.yaml` says the same; keep one of the two files."]


def test_the_digest_is_over_path_and_hash_of_every_content_file(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    hashes = {name: hashlib.sha256((small.path / name).read_bytes()).hexdigest() for name in content_files(small.path)}
    expected = hashlib.sha256("".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()).hexdigest()
    assert Sources(small.path).digest() == expected


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("plans/playbooks/roles/x/tasks/main.yml", True),
        ("checks/cleanliness/rules.yar", True),
        ("inventory/README.md", False),
        ("plans/schema/restart.json", False),
        ("plans/.hidden", False),
        ("plans/playbooks/.hidden.yml", True),
        ("plans/playbooks/README.md", True),
        ("notes.txt", False),
        ("secrets/key", False),
    ],
)
def test_what_changes_the_digest_is_what_acts(tmp_path: Path, file: str, counts: bool) -> None:
    small = SmallEstate(tmp_path)
    before = Sources(small.path).digest()
    small.append(file, "changed")
    assert (Sources(small.path).digest() != before) is counts


def test_a_linked_folder_in_content_is_refused_by_the_digest(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (small.path / "plans" / "playbooks" / "roles").symlink_to(tmp_path)
    sources = Sources(small.path)
    sources.digest()
    assert [one.file for one in sources.findings] == ["plans/playbooks/roles"]
