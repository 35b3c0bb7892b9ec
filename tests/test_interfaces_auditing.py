"""An audit proves a journal, and finds what a journal with valid hashes can still be wrong about."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.decision import codec
from orchestrator.decision.commands import Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Finished, Opened, Ordered, Started
from orchestrator.decision.state import State
from orchestrator.engine.contents import keep
from orchestrator.engine.process import lay_out
from orchestrator.errors import Unusable
from orchestrator.interfaces.auditing import UNREADABLE, Audit, audit
from orchestrator.journal import anchor
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.plans.waves import derive
from orchestrator.trust import statement
from orchestrator.trust.statement import Order
from tests.live_hospital import hospital
from tests.small_estate import SMALL


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A state folder of the small estate with its content kept, and no journal yet."""
    folder = tmp_path / "state"
    lay_out(folder)
    keep(SMALL, folder, usable(SMALL).digest)
    return folder


def written(state_dir: Path, *entries: Event | Issue) -> Path:
    """A journal of these records after the first two."""
    opened = Opened(1, "test", "night", usable(SMALL).digest)
    with Journal.create(state_dir / "journal.sqlite") as journal:
        journal.begin()
        for at_us, entry in enumerate((opened, Started("test"), *entries), start=1):
            journal.append(at_us, *codec.encode(entry))
        journal.commit()
    return state_dir


def found(state_dir: Path) -> Audit:
    result = audit(state_dir)
    assert TypeAdapter(Audit).validate_python(result, strict=True) == result
    return result


def test_a_journal_of_a_quiet_night_is_proven(state_dir: Path) -> None:
    result = found(written(state_dir))
    assert (result["incident"], result["records"], result["violations"]) == ("night", 2, [])
    assert (result["issued"], result["open"]) == (0, 0)
    assert result["invariants"] == "all held"


def test_an_action_that_ends_once_is_in_the_sum(state_dir: Path) -> None:
    site = Issue("north/isolate/1", "north", "isolate")
    result = found(written(state_dir, site, Finished("north/isolate/1", "ok")))
    assert (result["issued"], result["finished"], result["open"]) == (1, 1, 0)


def test_an_action_under_way_is_open_and_no_violation(state_dir: Path) -> None:
    result = found(written(state_dir, Issue("north/isolate/1", "north", "isolate")))
    assert (result["issued"], result["open"], result["finished"]) == (1, 1, 0)


def test_a_host_wiped_without_evidence_is_a_violation_although_every_hash_is_right(state_dir: Path) -> None:
    result = found(written(state_dir, Issue("lis-1/restore/1", "lis-1", "restore", "restore")))
    assert result["invariants"] != "all held"
    assert any("invariant 10" in one and "lis-1" in one for one in result["violations"])


def test_an_action_that_ends_twice_cannot_be_replayed(state_dir: Path) -> None:
    ended = Finished("north/isolate/1", "ok")
    folder = written(state_dir, Issue("north/isolate/1", "north", "isolate"), ended, ended)
    with pytest.raises(Unusable, match=r"Record 5 .* ends, yet it is finished"):
        audit(folder)


def test_an_action_issued_twice_or_for_nobody_cannot_be_replayed(tmp_path: Path, state_dir: Path) -> None:
    issued = Issue("north/isolate/1", "north", "isolate")
    with pytest.raises(Unusable, match="issued a second time"):
        audit(written(state_dir, issued, issued))
    (state_dir / "journal.sqlite").unlink()
    for beside in state_dir.glob("journal.*"):
        beside.unlink()
    with pytest.raises(Unusable, match="never there"):
        audit(written(state_dir, Issue("moon/isolate/1", "moon", "isolate")))


def test_an_empty_journal_is_no_incident(state_dir: Path) -> None:
    Journal.create(state_dir / "journal.sqlite").close()
    with pytest.raises(Unusable, match="no incident"):
        audit(state_dir)


def test_a_journal_that_does_not_begin_with_an_opening_is_none(state_dir: Path) -> None:
    with Journal.create(state_dir / "journal.sqlite") as journal:
        journal.begin()
        journal.append(1, *codec.encode(Started("test")))
        journal.commit()
    with pytest.raises(Unusable, match="not the opening"):
        audit(state_dir)


def test_without_the_content_of_the_incident_nothing_can_be_replayed(state_dir: Path) -> None:
    written(state_dir)
    shutil.rmtree(state_dir / "content")
    with pytest.raises(Unusable, match="Take it from a backup"):
        audit(state_dir)


def test_content_changed_beside_the_journal_is_noticed(state_dir: Path) -> None:
    written(state_dir)
    (rows,) = (state_dir / "content").glob("*/inventory/devices.csv")
    rows.write_text(rows.read_text() + "\n")
    with pytest.raises(Unusable, match="was changed"):
        audit(state_dir)


def test_a_flipped_bit_is_found_and_named(state_dir: Path) -> None:
    path = written(state_dir) / "journal.sqlite"
    text: Any = bytearray(path.read_bytes())
    at = bytes(text).index(b'"incident":"night"') + 13
    text[at] ^= 1
    path.write_bytes(text)
    with pytest.raises(Unusable, match="Record 1"):
        audit(state_dir)


def test_a_live_hospital_is_audited_while_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.interfaces import auditing

    with hospital(tmp_path / "state") as here:
        here.open_incident()
        here.bring_back("foundations")
        content = here.content
        monkeypatch.setattr(auditing, "first_state", lambda state_dir: State(Estate(content, derive(content))))
        result = found(tmp_path / "state")
        assert result["violations"] == []
        assert result["issued"] == result["finished"] > 20
        assert result["state"] == here.engine.read(lambda state, now_us: state.digest())
        assert result["root"] == here.engine.head().root.hex()


def under_genesis(state_dir: Path, *, recorded: str = "analyst-1") -> bytes:
    """A journal whose roster two persons signed; the records may say that somebody else stands in it."""
    text = Order(
        "night", "1" * 32, "genesis", "roster", persons("analyst-1"), 1 << 50, statement.Head(2, "ab" * 32)
    ).to_bytes()
    blobs = Blobs(state_dir / "evidence")
    signed = [
        Ordered(
            "1" * 32, "genesis", "roster", persons(recorded), who, 1 << 50, 2,
            blobs.put(canonical.encode({"document": text.decode(), "person": who, "signature": "s"})),
        )
        for who in ("operator-1", recorded)
    ]  # fmt: skip
    written(state_dir, *signed)
    return text


def persons(second: str) -> dict[str, Json]:
    return {"persons": [{"id": one, "roles": ["analyst"], "key": one} for one in ("operator-1", second)]}


def test_a_journal_is_audited_under_the_anchor_beside_it_and_the_one_on_paper(state_dir: Path) -> None:
    text = under_genesis(state_dir)
    digest = anchor.digest_of(text)
    (unanchored,) = found(state_dir)["violations"]
    assert "No anchor lies beside the journal" in unanchored
    assert audit(state_dir, noted=digest)["violations"] == []
    anchor.write(state_dir, text)
    assert (found(state_dir)["violations"], found(state_dir)["anchor"]) == ([], digest)
    (strange,) = audit(state_dir, noted="ab" * 32)["violations"]
    assert f"the anchor on paper is {'ab' * 32}" in strange


def test_who_exchanges_the_roster_is_found_by_the_anchor_although_every_hash_is_right(state_dir: Path) -> None:
    under_genesis(state_dir)
    anchor.write(state_dir, b"the genesis that people signed")
    (strange,) = found(state_dir)["violations"]
    assert "the roster was exchanged" in strange


def test_records_that_tell_of_another_roster_than_was_signed_are_found(state_dir: Path) -> None:
    anchor.write(state_dir, under_genesis(state_dir, recorded="intruder"))
    (strange,) = found(state_dir)["violations"]
    assert "is not the one its signers signed" in strange


def test_without_a_genesis_no_anchor_is_met(state_dir: Path) -> None:
    (strange,) = audit(written(state_dir), noted="ab" * 32)["violations"]
    assert "There is no genesis to compare" in strange


def test_an_audit_says_when_the_signed_genesis_is_missing_or_damaged(state_dir: Path) -> None:
    under_genesis(state_dir)
    for kept in (state_dir / "evidence").iterdir():
        kept.write_bytes(b"{}")
    damaged = found(state_dir)["violations"]
    shutil.rmtree(state_dir / "evidence")
    assert damaged == found(state_dir)["violations"]
    assert damaged == [UNREADABLE]
    assert not (state_dir / "evidence").exists(), "an audit writes nothing"
