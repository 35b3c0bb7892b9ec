"""A printed head holds whoever owns the machine: one record is proven under it, and no other past continues it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Refused, Unusable, UsageError
from orchestrator.journal import check
from orchestrator.journal.proof import _path, continues, head_of, prove, verify_proof
from orchestrator.journal.record import Head, Record, leaf_hash, root_of
from orchestrator.journal.sqlite import Journal
from tests.damage import LATER_US, journal_of

RECORDS = 25


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with journal_of(tmp_path / "state" / "journal.sqlite", RECORDS) as found:
        yield found


def rewritten(tmp_path: Path, journal: Journal, change: Callable[[list[Record]], list[Record]]) -> Journal:
    """What somebody who owns the machine leaves: another past, with every hash, root and note computed anew."""
    forged = Journal.create(tmp_path / "forged" / "journal.sqlite")
    forged.begin()
    for record in change(list(journal.records())):
        forged.append(record.at_us, record.kind, record.body)
    forged.commit()
    return forged


def body(records: list[Record], index: int, **fields: Any) -> list[Record]:
    one = records[index]
    return [*records[:index], Record(one.seq, one.at_us, one.kind, {**one.body, **fields}), *records[index + 1 :]]


def reordered(found: list[Record], order: list[Record]) -> list[Record]:
    return [Record(one.seq, at.at_us, one.kind, one.body) for one, at in zip(order, found, strict=True)]


PASTS: dict[str, Callable[[list[Record]], list[Record]]] = {
    "the first rewritten": lambda found: body(found, 0, forged=1),
    "one in the middle rewritten": lambda found: body(found, 11, forged=1),
    "the last rewritten": lambda found: body(found, len(found) - 1, forged=1),
    "one dropped": lambda found: [*found[:7], *found[8:]],
    "one dropped and another put at the end": lambda found: [*found[:7], *found[8:], found[-1]],
    "two exchanged": lambda found: reordered(found, [*found[:5], found[6], found[5], *found[7:]]),
    "one forged in between": lambda found: [*found[:5], found[5], *found[5:]],
    "all in reverse": lambda found: reordered(found, found[::-1]),
    "the end cut off": lambda found: found[:-1],
    "nothing left": lambda found: [],
}


@pytest.mark.parametrize("past", PASTS)
def test_a_past_that_was_changed_does_not_continue_the_printed_head_though_all_was_computed_anew(
    tmp_path: Path, journal: Journal, past: str
) -> None:
    printed = journal.head
    with rewritten(tmp_path, journal, PASTS[past]) as forged:
        said = continues(forged, printed)
        assert said.endswith(("since.", "cut off."))
        with pytest.raises(Refused):
            prove(forged, 3, printed)


def test_a_journal_that_went_on_continues_every_head_it_ever_had(journal: Journal) -> None:
    heads = [Head(size, journal.root_at(size)) for size in range(RECORDS + 1)]
    journal.begin()
    journal.append(LATER_US, "note", {})
    journal.commit()
    assert [continues(journal, head) for head in heads] == [""] * len(heads)
    assert "had 27: its end was cut off" in continues(journal, Head(27, bytes(32)))


def test_every_record_is_proven_under_every_later_head_and_checked_without_us(journal: Journal, tmp_path: Path) -> None:
    for size in (1, 2, 3, 8, 13, RECORDS):
        head = Head(size, journal.root_at(size))
        for seq in range(1, size + 1):
            text = json.dumps(prove(journal, seq, head))
            assert check.proven(text, str(head)) == seq
    (tmp_path / "proof.json").write_text(text)
    assert verify_proof(tmp_path / "proof.json", head) == RECORDS
    done = subprocess.run(
        [sys.executable, "-I", check.__file__, str(head), str(tmp_path / "proof.json")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"record {RECORDS} stands in the journal of {head}" in done.stdout


def test_no_record_is_proven_that_is_not_there_nor_under_a_head_of_another_journal(journal: Journal) -> None:
    for seq in (0, -1, RECORDS + 1):
        with pytest.raises(Refused, match="There is no record"):
            prove(journal, seq, journal.head)
    with pytest.raises(Refused, match="rewritten, dropped, moved"):
        prove(journal, 1, Head(9, bytes(32)))


def test_a_proof_of_something_else_proves_nothing(journal: Journal, tmp_path: Path) -> None:
    good, other = prove(journal, 6, journal.head), prove(journal, 7, journal.head)
    path: Any = good["path"]
    bad: list[Any] = [
        {**good, "record": other["record"]},
        {**good, "record": str(good["record"]).replace('"seq":6', '"seq":5')},
        {**good, "record": str(good["record"]).replace('"seq":6', '"seq":60')},
        {**good, "record": str(good["record"]).replace('"seq":6', '"seq":6.0')},
        {**good, "record": "no record"},
        {**good, "record": 6},
        {**good, "path": path[:-1]},
        {**good, "path": [*path, "00" * 32]},
        {**good, "path": path[::-1]},
        {**good, "path": ["zz"]},
        {"path": path},
        [],
    ]
    file = tmp_path / "proof.json"
    for proof in bad:
        file.write_text(json.dumps(proof))
        with pytest.raises(Unusable, match="proves nothing"):
            verify_proof(file, journal.head)
    file.write_text(json.dumps(good))
    assert verify_proof(file, journal.head) == 6
    with pytest.raises(Unusable, match="proves nothing"):
        verify_proof(file, Head(RECORDS - 1, journal.root_at(RECORDS - 1)))
    file.write_bytes(b"\xff")
    with pytest.raises(Unusable, match="proves nothing"):
        verify_proof(file, journal.head)
    with pytest.raises(Unusable):
        verify_proof(tmp_path / "nowhere", journal.head)


@given(size=st.integers(1, 300), data=st.data())
def test_a_path_leads_to_the_root_from_its_own_leaf_and_from_no_other(size: int, data: st.DataObject) -> None:
    records = [json.dumps({"seq": seq}).encode() for seq in range(1, size + 1)]
    leaves = [leaf_hash(record) for record in records]
    head = Head(size, root_of(leaves))
    index = data.draw(st.integers(0, size - 1))
    proof = {"path": [one.hex() for one in _path(leaves, index)], "record": records[index].decode()}
    assert check.proven(json.dumps(proof), str(head)) == index + 1
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with pytest.raises(ValueError, match=r"lead|beyond"):
            check.proven(json.dumps({**proof, "record": records[other].decode()}), str(head))


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_standalone_check_grows_the_same_tree(records: list[bytes]) -> None:
    leaves = [leaf_hash(record) for record in records]
    assert list(check.roots(records)) == [root_of(leaves[:size]).hex() for size in range(len(records) + 1)]


@pytest.mark.parametrize(
    "text",
    ["", "7", "7:", "7:xy", *(one + ":" + "0" * 64 for one in ("-1", "x", "")), "7:" + "A" * 64, "7:" + "0" * 63],
)
def test_what_is_no_printed_head_is_said_so(text: str) -> None:
    with pytest.raises(UsageError, match="is no head"):
        head_of(text)


def test_a_head_is_read_as_it_was_printed(journal: Journal) -> None:
    assert head_of(str(journal.head)) == journal.head
