"""What is golden for a class was read whole by people first, and comes from evidence that is kept."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import Unusable
from orchestrator.evidence import manifest
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.golden import Golden
from orchestrator.evidence.manifest import Difference
from orchestrator.interfaces.rematching import evidence_of
from orchestrator.journal.sqlite import Journal
from tests.command_line import Said, Terminal, terminal
from tests.test_evidence_manifest import line

FILES = frozenset((line(b"etc/passwd"), line(b"bin/sh")))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A hospital whose inspections keep evidence: `ad-2` told by its difference, of `backup-1` without a manifest."""
    (tmp_path / "state").mkdir(mode=0o700)
    blobs = evidence_of(tmp_path / "state")

    def inspected(action: str) -> str:
        host = action.partition("/")[0]
        own = blobs.put(manifest.to_bytes(FILES))
        if host == "ad-2":
            differs = Difference((line(b"new"),), (), (b"bin/sh",))
            sample = (("new", blobs.put(b"#!/bin/sh\n")),)
            return blobs.put(Evidence(action, host, golden=own, differs=differs, samples=sample).to_bytes())
        return blobs.put(Evidence(action, host, manifest="" if host == "backup-1" else own).to_bytes())

    monkeypatch.setattr("tests.live_hospital.evidence_of", inspected)
    with terminal(tmp_path, capsys) as found:
        found.here.order("freeze", "all", "operator-1")  # nobody goes out and is inspected anew
        found.here.quarantined("foundations")
        yield found


def golden(desk: Terminal) -> dict[str, str]:
    state_dir = desk.here.engine.state_dir
    return Golden(state_dir, evidence_of(state_dir)).digests()


def judged(desk: Terminal, *persons: str) -> None:
    for who in persons:
        for host in desk.here.seats():
            desk.here.judge("CLEAN", who, host)


def take(desk: Terminal, host: str, klass: str = "") -> Said:
    own = desk.here.engine.read(lambda state, _: state.estate.group(state.estate.host_number[host]).klass.id)
    return desk.types.json("golden", "take", host, "--class", klass or own)


def test_a_host_not_everybody_found_clean_is_never_golden(desk: Terminal) -> None:
    judged(desk, "analyst-1")
    said = take(desk, "ad-1")
    assert (said.code, said.document["error"]["rule"]) == (3, "golden.clean")
    assert golden(desk) == {}


def test_the_manifest_of_a_clean_host_is_golden_from_now_on(desk: Terminal) -> None:
    judged(desk, "analyst-1", "analyst-2")
    said = take(desk, "ad-1")
    assert said.code == 0, said.err
    assert said.document["files"] == len(FILES)
    assert golden(desk) == {said.document["class"]: said.document["digest"]}
    wrong = take(desk, "ad-1", "workstation")
    assert (wrong.code, wrong.document["error"]["rule"]) == (3, "golden.class")


def test_a_host_told_by_its_difference_gives_its_whole_manifest(desk: Terminal) -> None:
    judged(desk, "analyst-1", "analyst-2")
    said = take(desk, "ad-2")
    state_dir = desk.here.engine.state_dir
    lines = Golden(state_dir, evidence_of(state_dir)).lines(said.document["digest"])
    assert lines == {line(b"etc/passwd"), line(b"new")}


def test_evidence_without_a_manifest_gives_none(desk: Terminal) -> None:
    judged(desk, "analyst-1", "analyst-2")
    said = take(desk, "backup-1")
    assert (said.code, said.document["error"]["rule"]) == (3, "golden.manifest")


def test_a_host_without_inspection_cannot_be_taken(desk: Terminal) -> None:
    said = desk.types.json("golden", "take", "nowhere-1", "--class", "workstation")
    assert (said.code, said.document["error"]["rule"]) == (2, "usage.host")


def test_a_sweep_says_in_how_many_of_all_hosts_it_looked(desk: Terminal) -> None:
    said = desk.types.json("sweep", "at-jobs")
    assert said.code == 0, said.err
    every = desk.here.engine.read(lambda state, now_us: len(state.stage))
    assert said.document["hosts"] == every
    assert said.document["examined"] == 0, "these inspections read no list"
    assert f"none found in 0 of {every} hosts examined" in said.document["sentence"]
    told = desk.types("sweep", "at-jobs").out
    assert "not examined: ad-1: at_jobs was not read" in told
    assert "hosts without an inspection" in told


def test_a_sweep_that_finds_something_says_where_and_lost_evidence_is_not_examined(desk: Terminal) -> None:
    evidence = desk.here.engine.state_dir / "evidence"
    blobs = evidence_of(desk.here.engine.state_dir)
    lists = {"at_jobs": ("var/spool/at/a1",)}
    digest = blobs.put(Evidence("x", "ad-1", lists=lists).to_bytes())
    kept = desk.here.engine.read(lambda state, _: {one: state.evidence[n] for n, one in enumerate(state.estate.hosts)})
    (evidence / f"{kept['ad-2']}.z").unlink()
    number = desk.here.engine.read(lambda state, _: state.estate.host_number["ad-1"])
    desk.here.engine.read(lambda state, _: state.evidence.__setitem__(number, digest))
    said = desk.types("sweep", "at-jobs")
    assert said.code == 1
    assert "ad-1: at_jobs: var/spool/at/a1" in said.out
    assert "not examined: ad-2: The stored file" in said.out
    assert reads(desk) == [digest], "whose evidence was shown"


def reads(desk: Terminal) -> list[str]:
    """What the journal says that people were shown, by digest."""
    with Journal.open(desk.here.engine.state_dir / "journal.sqlite", read_only=True) as journal:
        found: list[Any] = [record.body for record in journal.records_of("evidence_read")]
    assert {one["by"] for one in found} <= {getpass.getuser()}
    return [digest for one in found for digest in one["evidence"]]


def test_evidence_is_shown_with_what_differs_and_the_look_is_a_record(desk: Terminal) -> None:
    said = desk.types("evidence", "ad-2")
    assert said.code == 0, said.err
    assert "unknown new\nmissing bin/sh" in said.out
    assert "age not known" in said.out
    assert desk.types.json("evidence", "ad-2").document["missing"] == ["bin/sh"]
    kept = desk.here.engine.read(lambda state, _: state.evidence[state.estate.host_number["ad-2"]])
    assert reads(desk) == [kept] * 2


def test_of_many_files_that_differ_the_first_are_shown_and_the_rest_counted(
    desk: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.interfaces.cli_evidence.SHOWN", 0)
    assert "unknown: 1 more" in desk.types("evidence", "ad-2").out


def test_a_sample_is_taken_out_to_a_file_nobody_can_run_and_never_over_another(desk: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "sample"
    words = ("evidence", "ad-2", "--sample", "new", "--out", str(out))
    assert desk.types(*words).code == 0
    assert (out.read_bytes(), out.stat().st_mode & 0o777) == (b"#!/bin/sh\n", 0o600)
    assert reads(desk)[-1] == sha256(b"#!/bin/sh\n").hexdigest()
    assert desk.types(*words).code == 2, "the file is there already"
    for wrong in (("--sample", "gone", "--out", str(tmp_path / "x")), ("--sample", "new")):
        assert desk.types("evidence", "ad-2", *wrong).code == 2


def test_without_its_record_nothing_is_shown(desk: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(event: object) -> None:
        raise Unusable("The disk is full.")

    monkeypatch.setattr(desk.here.engine, "submit", full)
    said = desk.types("evidence", "ad-2")
    assert (said.code, said.out) == (7, "")
