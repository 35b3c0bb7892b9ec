"""Evidence and content by digest: what is named can be had, unchanged, or its loss is said."""

from __future__ import annotations

import os
import threading
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import Refused, Unusable
from orchestrator.journal.blobs import Blobs
from tests.damage import flip, mounted, python, remount


@given(st.binary(max_size=2000))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_put_is_got_back_under_its_sha_256(tmp_path: Path, content: bytes) -> None:
    blobs = Blobs(tmp_path / "evidence")
    digest = blobs.put(content)
    assert digest == sha256(content).hexdigest()
    assert blobs.get(digest) == content


def test_only_the_owner_may_read_evidence_and_nothing_else_lies_there(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "state" / "evidence")
    digest = blobs.put(b"memory image")
    folder = tmp_path / "state" / "evidence"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(file.name, file.stat().st_mode & 0o777) for file in folder.iterdir()] == [(digest, 0o600)]


def test_the_same_evidence_twice_is_stored_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"manifest")
    inode = (tmp_path / digest).stat().st_ino
    assert blobs.put(b"manifest") == digest
    assert (tmp_path / digest).stat().st_ino == inode


def test_damaged_evidence_is_never_handed_out_and_putting_it_again_heals_it(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"manifest")
    flip(tmp_path / digest, 3)
    with pytest.raises(Unusable, match=f"{digest} is damaged; take it from a backup") as said:
        blobs.get(digest)
    assert said.value.facts == {"digest": digest}
    blobs.put(b"manifest")
    assert blobs.get(digest) == b"manifest"


def test_missing_evidence_is_named(tmp_path: Path) -> None:
    digest = sha256(b"never put").hexdigest()
    with pytest.raises(Unusable, match=f"{digest} is missing"):
        Blobs(tmp_path).get(digest)


@pytest.mark.parametrize("name", ["", "../journal.sqlite", "A" * 64, "a" * 63, "a" * 64 + "\n", "a" * 65])
def test_a_name_that_is_no_digest_opens_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match="not a SHA-256 digest"):
        Blobs(tmp_path).get(name)


def test_many_sweeps_may_put_the_same_evidence_at_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    contents = [bytes([number]) * 5000 for number in range(4)]
    threads = [threading.Thread(target=lambda: [blobs.put(content) for content in contents]) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(os.listdir(tmp_path)) == sorted(sha256(content).hexdigest() for content in contents)


def test_a_full_or_read_only_disk_is_said_and_leaves_no_half_file(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 64) as disk:
        if disk is None:
            pytest.skip("only root may mount a small disk")
        blobs = Blobs(disk / "evidence")
        digest = blobs.put(b"small")
        with pytest.raises(Unusable, match="no room left"):
            blobs.put(os.urandom(100_000))
        assert os.listdir(disk / "evidence") == [digest]
        remount(disk, "ro")
        with pytest.raises(Unusable, match="read-only"):
            blobs.put(b"other")
        with pytest.raises(Unusable, match="read-only"):
            Blobs(disk / "content")
        assert blobs.get(digest) == b"small"


def test_a_folder_where_a_file_should_be_is_said(tmp_path: Path) -> None:
    digest = sha256(b"x").hexdigest()
    (tmp_path / digest).mkdir()
    with pytest.raises(Unusable, match="cannot be used: Is a directory"):
        Blobs(tmp_path).get(digest)


def test_evidence_acknowledged_before_a_kill_is_whole_and_a_half_one_has_no_digest_for_a_name(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from orchestrator.journal.blobs import Blobs
blobs = Blobs(Path(sys.argv[1]))
while True:
    print(blobs.put(os.urandom(300_000)), flush=True)
"""
    with python(code, str(tmp_path)) as sweep:
        assert sweep.stdout is not None
        acknowledged = [sweep.stdout.readline().strip() for _ in range(5)]
        sweep.kill()
        acknowledged += [line.strip() for line in sweep.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    blobs = Blobs(tmp_path)
    for digest in acknowledged:
        assert len(blobs.get(digest)) == 300_000
    named = [name for name in os.listdir(tmp_path) if not name.startswith(".new-")]
    assert all(len(blobs.get(name)) == 300_000 for name in named)


def test_what_is_packed_lies_there_compressed_and_nobody_can_run_it(tmp_path: Path) -> None:
    sample = b"#!/bin/sh\necho implant\n" * 1000
    digest = Blobs(tmp_path, packed=True).put(sample)
    (stored,) = tmp_path.iterdir()
    assert (stored.name, stored.stat().st_mode & 0o777) == (f"{digest}.z", 0o600)
    assert stored.stat().st_size < len(sample) / 10
    assert not stored.read_bytes().startswith(b"#!")
    assert Blobs(tmp_path).get(digest) == Blobs(tmp_path, packed=True).get(digest) == sample
    inode = stored.stat().st_ino
    assert Blobs(tmp_path, packed=True).put(sample) == digest
    assert stored.stat().st_ino == inode


@pytest.mark.parametrize("place", [0, 5])
def test_packed_evidence_that_was_damaged_is_never_handed_out(tmp_path: Path, place: int) -> None:
    blobs = Blobs(tmp_path, packed=True)
    digest = blobs.put(b"manifest of a host")
    flip(tmp_path / f"{digest}.z", place)
    with pytest.raises(Unusable, match="is damaged"):
        blobs.get(digest)
    blobs.put(b"manifest of a host")
    assert blobs.get(digest) == b"manifest of a host"


def test_no_more_is_kept_as_one_than_can_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.journal.blobs.BLOB_BYTES_MAX", 100)
    with pytest.raises(Refused, match="more than the 100 kept"):
        Blobs(tmp_path).put(b"x" * 101)
    assert list(tmp_path.iterdir()) == []
    bomb = "a" * 64
    (tmp_path / f"{bomb}.z").write_bytes(zlib.compress(b"x" * 10_000))
    with pytest.raises(Unusable, match="is damaged"):
        Blobs(tmp_path).get(bomb)


def test_a_full_store_refuses_in_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    bound = [30]
    blobs = Blobs(tmp_path, bytes_max=lambda: bound[0])
    first, second = blobs.put(b"a" * 10), blobs.put(b"b" * 20)
    assert blobs.put(b"a" * 10) == first, "what is there already takes no room"
    with pytest.raises(Refused, match="holds 30 of 30 bytes, and 1 more do not fit") as said:
        blobs.put(b"c")
    assert said.value.facts == {"stored_bytes": 30, "bytes_max": 30}
    assert (blobs.get(first), blobs.get(second), blobs.stored_bytes()) == (b"a" * 10, b"b" * 20, 30)
    bound[0] = 31
    assert blobs.get(blobs.put(b"c")) == b"c"
    assert Blobs(tmp_path).put(b"a signed order"), "who signs is never refused for want of room"


def test_what_others_put_counts_and_what_others_took_away_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.journal.blobs.RECOUNT_EVERY", 1)
    blobs, others = Blobs(tmp_path, bytes_max=lambda: 10), Blobs(tmp_path)
    blobs.put(b"1")
    (tmp_path / others.put(b"x" * 9)).stat()
    with pytest.raises(Refused, match="is full"):
        blobs.put(b"2")
    (tmp_path / sha256(b"x" * 9).hexdigest()).unlink()
    blobs.put(b"2")


def test_a_store_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "evidence")
    (tmp_path / "evidence").rmdir()
    with pytest.raises(Unusable):
        blobs.stored_bytes()
