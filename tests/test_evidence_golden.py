"""Which manifest is golden for a class survives a restart, and damage never passes for "no golden manifest"."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.evidence.golden import NAME, Golden
from orchestrator.journal.blobs import Blobs
from tests.test_evidence_manifest import line


def golden(folder: Path) -> Golden:
    return Golden(folder, Blobs(folder / "evidence", packed=True))


def test_each_class_has_the_manifest_taken_last_and_earlier_ones_are_still_kept(tmp_path: Path) -> None:
    assert golden(tmp_path).digests() == {}
    first = golden(tmp_path).take("lab", frozenset((line(b"a"),)))
    other = golden(tmp_path).take("ris", frozenset((line(b"b"),)))
    second = golden(tmp_path).take("lab", frozenset((line(b"a"), line(b"c"))))
    again = golden(tmp_path)
    assert again.digests() == {"lab": second, "ris": other}
    assert again.lines(first) == {line(b"a")}
    assert again.lines(second) == {line(b"a"), line(b"c")}
    assert again.lines(second) is again.lines(second), "it is read once"
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [NAME]


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_list_of_golden_manifests_stops_the_inspection(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(Unusable, match="damaged"):
        golden(tmp_path).digests()


def test_a_golden_manifest_that_is_gone_is_an_error(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps({"lab": "a" * 64}))
    with pytest.raises(Unusable, match="missing"):
        golden(tmp_path).lines(golden(tmp_path).digests()["lab"])


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(Unusable, match="cannot be used"):
        golden(tmp_path).digests()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "golden.new").mkdir()
    with pytest.raises(Unusable):
        golden(tmp_path / "other").take("lab", frozenset())
