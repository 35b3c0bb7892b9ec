"""The anchor stands beside the journal before the genesis counts, and is read back as it was written."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.journal import anchor


def test_the_anchor_is_the_digest_of_the_genesis_and_can_be_changed_by_nobody_by_accident(tmp_path: Path) -> None:
    assert anchor.read(tmp_path) == ""
    anchor.write(tmp_path, b"first")
    (tmp_path / f"{anchor.NAME}.part").write_bytes(b"of a process that was killed")
    anchor.write(tmp_path, b"the one that took effect")
    assert anchor.read(tmp_path) == sha256(b"the one that took effect").hexdigest()
    assert (tmp_path / anchor.NAME).stat().st_mode & 0o777 == 0o400
    assert [one.name for one in tmp_path.iterdir()] == [anchor.NAME]


def test_an_anchor_that_is_no_text_is_none_and_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / anchor.NAME).write_bytes(b"\xff\xfe")
    assert anchor.read(tmp_path) == ""
    with pytest.raises(Unusable, match="anchor"):
        anchor.write(tmp_path / "nowhere", b"genesis")
