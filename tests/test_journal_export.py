"""The export: the whole journal as text that anyone can check without the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.journal.export import export, verify_export
from orchestrator.journal.record import EMPTY_ROOT, Head, encode
from orchestrator.journal.sqlite import Journal
from tests.damage import LATER_US, journal_of, mounted


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    with journal_of(tmp_path / "state" / "journal.sqlite", 25) as journal:
        export(journal, tmp_path / "journal.jsonl")
    return tmp_path / "journal.jsonl"


def test_an_export_holds_every_record_as_stored_and_verifies_to_the_journals_head(tmp_path: Path) -> None:
    target = tmp_path / "journal.jsonl"
    with journal_of(tmp_path / "state" / "journal.sqlite", 25) as journal:
        head = export(journal, target)
        assert head == journal.head == verify_export(target)
        lines = target.read_bytes().splitlines()
        assert lines[:-1] == [encode(record) for record in journal.records()]
        assert json.loads(lines[-1]) == {"head": head.as_json()}
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["journal.jsonl", "state"]


def test_an_empty_journal_exports_to_its_head_alone(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "state" / "journal.sqlite") as journal:
        export(journal, tmp_path / "journal.jsonl")
    assert verify_export(tmp_path / "journal.jsonl") == Head(0, EMPTY_ROOT)


def test_a_live_journal_can_be_exported_and_the_newer_export_replaces_the_older(exported: Path) -> None:
    path = exported.parent / "state" / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.begin()
        journal.append(LATER_US, "note", {})
        journal.commit()
        journal.begin()
        journal.append(LATER_US, "note", {})
        with Journal.open(path, read_only=True) as reader:
            assert export(reader, exported).size == 26
    assert verify_export(exported).size == 26


CHANGES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a line removed": (lambda lines: lines[:4] + lines[5:], "Line 5 .* record 6 stands where record 5 belongs"),
    "two lines swapped": (
        lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
        "Line 5 .* record 6 stands where record 5 belongs",
    ),
    "the head cut off": (lambda lines: lines[:-1], "Line 26 .* the export ends here, without its head"),
    "cut in the middle": (lambda lines: [*lines[:4], lines[4][:30]], "Line 5 .* not JSON"),
    "nothing left": (lambda lines: [], "Line 1 .* without its head"),
    "a word changed": (
        lambda lines: [*lines[:4], lines[4].replace(b"srv-0004", b"srv-0040"), *lines[5:]],
        "Line 26 .* the head does not match the records before it",
    ),
    "a space added": (lambda lines: [*lines[:4], lines[4] + b" ", *lines[5:]], "Line 5 .* not written in canonical"),
    "saved by an editor": (lambda lines: [line + b"\r" for line in lines], "Line 1 .* not written in canonical"),
    "the last records and a wrong head": (
        lambda lines: [*lines[:9], lines[-1]],
        "Line 10 .* the head does not match the records before it",
    ),
    "more behind the head": (lambda lines: [*lines, lines[0]], "Line 27 .* text follows the head"),
    "no text at all": (lambda lines: [b"\xff\xfe\x00"], "Line 1 .* not JSON"),
    "a line without an end": (lambda lines: [b"x" * (1 << 23)], "Line 1 .* are read"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_export_is_refused_at_its_line(exported: Path, name: str) -> None:
    change, sentence = CHANGES[name]
    exported.write_bytes(b"".join(line + b"\n" for line in change(exported.read_bytes().splitlines())))
    with pytest.raises(Unusable, match=sentence) as said:
        verify_export(exported)
    assert said.value.facts["path"] == str(exported)


def test_a_missing_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="No such file"):
        verify_export(tmp_path / "journal.jsonl")


def test_a_damaged_journal_exports_nothing_under_the_final_name(tmp_path: Path) -> None:
    target = tmp_path / "journal.jsonl"
    with journal_of(tmp_path / "state" / "journal.sqlite", 25) as journal:
        journal._db.execute("DELETE FROM journal WHERE seq = 9")
        with pytest.raises(Unusable, match="Record 9 "):
            export(journal, target)
    assert not target.exists()


def test_a_full_disk_ends_an_export_in_a_sentence_and_keeps_the_last_one(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 64) as disk, journal_of(tmp_path / "state" / "journal.sqlite", 25) as journal:
        if disk is None:
            pytest.skip("only root may mount a small disk")
        export(journal, disk / "journal.jsonl")
        journal.begin()
        journal.append(LATER_US, "note", {"text": "x" * 100_000})
        journal.commit()
        with pytest.raises(Unusable, match="no room left"):
            export(journal, disk / "journal.jsonl")
        assert verify_export(disk / "journal.jsonl").size == 25
        assert [file.name for file in disk.iterdir()] == ["journal.jsonl"]
