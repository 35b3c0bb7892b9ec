"""Every content an incident runs on is kept beside its journal and read back exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.decision import codec
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened, Ordered, Reading, Started
from orchestrator.decision.state import State
from orchestrator.engine.contents import first_state, keep, kept, opening, read
from orchestrator.engine.process import lay_out
from orchestrator.errors import Unusable
from orchestrator.journal.record import Record
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.plans.waves import derive
from tests.small_estate import SmallEstate


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    lay_out(tmp_path / "state")
    return tmp_path / "state"


def journal_of(state_dir: Path, *first: Opened | Started) -> None:
    with Journal.create(state_dir / "journal.sqlite") as journal:
        journal.begin()
        for entry in first:
            journal.append(1, *codec.encode(entry))
        journal.commit() if first else journal.rollback()


def test_a_folder_without_an_incident_has_no_opening(state_dir: Path) -> None:
    assert opening(state_dir) is None
    journal_of(state_dir)
    assert opening(state_dir) is None, "it died before its first record"


def test_the_opening_names_the_content_and_the_hosts_that_were_left_out(state_dir: Path) -> None:
    first = Opened(1, "0.1.0", "night", "d" * 64, ["lab-n-2"])
    journal_of(state_dir, first)
    assert opening(state_dir) == first


def test_hosts_that_errors_blocked_at_the_start_stay_out_of_every_replay(estate: SmallEstate, state_dir: Path) -> None:
    digest = usable(estate.path).digest
    keep(estate.path, state_dir, digest)
    assert "lab-n-2" in {host.id for host in kept(state_dir, digest, []).inventory.hosts}
    assert "lab-n-2" not in {host.id for host in kept(state_dir, digest, ["lab-n-2"]).inventory.hosts}


def test_the_core_begins_where_the_incident_was_opened(estate: SmallEstate, state_dir: Path) -> None:
    with pytest.raises(Unusable, match="no incident was opened"):
        first_state(state_dir)
    digest = usable(estate.path).digest
    keep(estate.path, state_dir, digest)
    journal_of(state_dir, Opened(1, "0.1.0", "night", digest, ["lab-n-2"]))
    assert "lab-n-2" not in first_state(state_dir).estate.host_number


def test_content_that_is_missing_or_was_changed_says_to_take_it_from_a_backup(
    estate: SmallEstate, state_dir: Path
) -> None:
    digest = usable(estate.path).digest
    with pytest.raises(Unusable, match=r"is missing: .*Take it from a backup"):
        kept(state_dir, digest, [])
    folder = keep(estate.path, state_dir, digest)
    (folder / "plans" / "restart.yaml").write_text("order: []\n")
    with pytest.raises(Unusable, match=r"was changed\. Take it from a backup"):
        kept(state_dir, digest, [])


def test_what_an_order_puts_in_force_is_handed_to_the_core_before_the_record_is_read(
    estate: SmallEstate, state_dir: Path
) -> None:
    content = usable(estate.path)
    state = State(Estate(content, derive(content)))
    keep(estate.path, state_dir, content.digest)
    args = {"digest": content.digest, "blocked": ["lab-n-2"], "changes": []}
    change = Ordered("1", "content.change", "content", args, "operator-1", 1, 1, "")  # type: ignore[arg-type]
    assert read(Record(1, 1, *codec.encode(change)), state, state_dir) == change
    assert "lab-n-2" not in {host.id for host in state.contents[content.digest].inventory.hosts}
    for other in (Ordered("2", "freeze", "all", {}, "operator-1", 1, 1, ""), Reading("service:lis", "PASS")):
        assert read(Record(2, 1, *codec.encode(other)), state, state_dir) == other
    assert list(state.contents) == [content.digest]
