"""A live engine is put together over one estate and one state folder, or says why not and leaves nothing behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import __version__
from orchestrator.clock import SystemClock
from orchestrator.decision import codec
from orchestrator.decision.decide import decide
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Epoch, Jumped, Opened, Ordered, Started
from orchestrator.decision.state import State
from orchestrator.engine import process
from orchestrator.engine.contents import keep
from orchestrator.engine.process import Beginning, Live, lay_out, open_engine
from orchestrator.engine.recovery import applied_to
from orchestrator.errors import Unusable
from orchestrator.interfaces.auditing import audit
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.plans.waves import derive
from tests.drill_ground import wait_until
from tests.small_estate import SmallEstate

DAY_US = 86_400_000_000


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    wait_until(lambda: set(threading.enumerate()) <= before, 20)


def opened(estate: SmallEstate, state_dir: Path) -> Live:
    """An engine on the small estate; its opening is on disk."""
    live = open_engine(state_dir, Beginning(estate.path, usable(estate.path)))
    wait_until(lambda: live.engine.read(lambda state, now_us: bool(state.incident)))
    return live


def entries(state_dir: Path) -> list[object]:
    with Journal.open(state_dir / "journal.sqlite", read_only=True) as journal:
        return [codec.decode(record.kind, record.body) for record in journal.records()]


def test_the_first_start_opens_an_incident_on_the_content_it_keeps_beside_the_journal(
    estate: SmallEstate, state_dir: Path
) -> None:
    live = opened(estate, state_dir)
    incident = live.engine.incident
    assert live.close() == 0
    first, second = entries(state_dir)[:2]
    assert first == Opened(1, __version__, incident, usable(estate.path).digest, [])
    assert second == Started(__version__)
    assert usable(state_dir / "content" / usable(estate.path).digest).digest == usable(estate.path).digest
    assert audit(state_dir)["violations"] == []


def test_every_further_start_goes_on_with_the_same_incident_and_says_its_version(
    estate: SmallEstate, state_dir: Path
) -> None:
    incidents = set()
    for _ in range(3):
        live = opened(estate, state_dir)
        incidents.add(live.engine.incident)
        live.close()
    assert len(incidents) == 1
    assert [type(entry) for entry in entries(state_dir)].count(Started) == 3


class SetClock(SystemClock):
    """The machine's clock, whose wall time a test sets."""

    shift_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.shift_us


def test_a_clock_that_jumped_or_was_confirmed_is_taken_over_by_the_next_start(
    estate: SmallEstate, state_dir: Path
) -> None:
    """Down while it is set back; unconfirmed over a restart; killed between the confirmation and the epoch."""
    clock = SetClock()

    def start() -> Live:
        return open_engine(state_dir, clock=clock)

    def seen(live: Live) -> tuple[int, bool]:
        return live.engine.read(lambda state, now_us: (now_us - state.at_us, state.clock_doubted))

    opened(estate, state_dir).close()
    clock.shift_us = -3 * DAY_US
    live = start()
    wait_until(lambda: seen(live)[1])
    assert 0 <= seen(live)[0] < DAY_US, "core time does not follow"
    live.close()
    clock.shift_us = -2 * DAY_US  # a day passes while nobody runs
    live = start()
    wait_until(lambda: bool(entries(state_dir).count(Started(__version__)) == 3))
    live.close()
    assert [type(entry) for entry in entries(state_dir)].count(Jumped) == 1, "that day passed by the wall clock"
    _confirmed_and_killed(state_dir, estate)
    live = start()
    wait_until(lambda: not seen(live)[1])
    assert abs(live.engine.read(lambda state, now_us: now_us) - clock.now_us()) < 60_000_000
    live.close()
    assert [type(entry) for entry in entries(state_dir)].count(Epoch) == 1
    assert audit(state_dir)["invariants"] == "all held"
    again = start()
    wait_until(lambda: again.engine.head().size > 0)
    again.close()
    assert [type(entry) for entry in entries(state_dir)].count(Epoch) == 1


def _confirmed_and_killed(state_dir: Path, estate: SmallEstate) -> None:
    """The records of a roster and of a confirmation, the last ones before a kill."""
    content = usable(estate.path)
    state = State(Estate(content, derive(content)))
    persons = [
        {"id": one, "roles": [role], "key": "k"}
        for one, role in (("operator-1", "operator"), ("it-director", "it_director"))
    ]
    with Journal.open(state_dir / "journal.sqlite") as journal:
        replay(journal, applied_to(state, state_dir))
        journal.begin()
        for order, kind, subject, person, args in (
            ("1", "genesis", "roster", "operator-1", {"persons": persons}),
            ("1", "genesis", "roster", "it-director", {"persons": persons}),
            ("2", "clock.confirm", "clock", "operator-1", {}),
        ):
            event = Ordered(order * 32, kind, subject, args, person, state.at_us + DAY_US, 1 << 40, "")
            for entry in decide(state, event, state.at_us):
                journal.append(state.at_us, *codec.encode(entry))
        journal.commit()


def test_the_state_folder_is_nobody_elses(state_dir: Path) -> None:
    lay_out(state_dir)
    folders = [state_dir, *(path for path in state_dir.iterdir() if path.is_dir())]
    assert {path.name for path in folders} == {"state", "runs", "evidence", "content", "secrets"}
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_a_state_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(Unusable, match="cannot be made"):
        lay_out(tmp_path / "state")


def test_a_start_that_died_while_it_copied_the_content_does_not_block_the_next(
    estate: SmallEstate, state_dir: Path
) -> None:
    lay_out(state_dir)
    digest = usable(estate.path).digest
    part = state_dir / "content" / f"{digest}.part"
    (part / "plans" / "playbooks").mkdir(parents=True)
    (part / "plans" / "stale.yaml").write_text("from an earlier try")
    (part / "plans" / "restart.yaml").write_text("tor")
    opened(estate, state_dir).close()
    assert not part.exists()
    assert not (state_dir / "content" / digest / "plans" / "stale.yaml").exists()
    assert audit(state_dir)["content"] == digest


def test_a_start_that_died_before_its_first_record_is_simply_made_again(estate: SmallEstate, state_dir: Path) -> None:
    lay_out(state_dir)
    keep(estate.path, state_dir, usable(estate.path).digest)
    Journal.create(state_dir / "journal.sqlite").close()
    live = opened(estate, state_dir)
    assert live.engine.head().size >= 2
    live.close()


def test_a_copy_of_the_content_can_be_taken_away_whatever_the_modes_of_the_original(
    estate: SmallEstate, state_dir: Path
) -> None:
    lay_out(state_dir)
    (estate.path / "plans" / "restart.yaml").chmod(0o444)
    keep(estate.path, state_dir, "d" * 64)
    copy = state_dir / "content" / ("d" * 64) / "plans" / "restart.yaml"
    assert copy.read_bytes() == (estate.path / "plans" / "restart.yaml").read_bytes()
    assert copy.stat().st_mode & 0o200


def test_an_edited_estate_changes_nothing_of_an_incident_that_is_open(estate: SmallEstate, state_dir: Path) -> None:
    opened(estate, state_dir).close()
    before = usable(estate.path).digest
    estate.append("plans/restart.yaml", "leave_off: [lab-n-2]\n")
    live = opened(estate, state_dir)
    assert live.engine.read(lambda state, now_us: state.estate.content.digest) == before
    live.close()


def test_an_empty_state_folder_and_no_estate_begin_nothing(state_dir: Path) -> None:
    with pytest.raises(Unusable, match="no content to open one with"):
        open_engine(state_dir)


def test_content_that_was_changed_where_it_is_kept_runs_nothing(estate: SmallEstate, state_dir: Path) -> None:
    opened(estate, state_dir).close()
    kept = state_dir / "content" / usable(estate.path).digest / "plans" / "restart.yaml"
    kept.write_text(f"{kept.read_text()}leave_off: [lab-n-2]\n")
    with pytest.raises(Unusable, match=r"was changed\. Take it from a backup"):
        open_engine(state_dir)


def test_a_folder_that_is_held_names_the_holder_and_the_holder_goes_on(estate: SmallEstate, state_dir: Path) -> None:
    live = opened(estate, state_dir)
    with pytest.raises(Unusable, match=f"held by process {os.getpid()}"):
        open_engine(state_dir, Beginning(estate.path, usable(estate.path)))
    assert live.engine.read(lambda state, now_us: state.incident) == live.engine.incident
    live.close()


@pytest.mark.parametrize("first", [Opened(2, "9.0", "i", "c"), Started("0.1.0")])
def test_a_journal_of_another_format_is_not_gone_on_with(
    estate: SmallEstate, state_dir: Path, first: Opened | Started
) -> None:
    lay_out(state_dir)
    with Journal.create(state_dir / "journal.sqlite") as journal:
        journal.begin()
        journal.append(1, *codec.encode(first))
        journal.commit()
    with pytest.raises(Unusable, match=r"of format 2; this version of Relance reads and writes 1|not the opening"):
        open_engine(state_dir, Beginning(estate.path, usable(estate.path)))


def test_a_disk_that_fails_under_the_first_start_is_a_sentence_and_no_incident(
    estate: SmallEstate, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(state_dir)
    (state_dir / "content").rmdir()
    (state_dir / "content").write_text("in the way")
    monkeypatch.setattr(process, "lay_out", lambda folder: None)
    with pytest.raises(Unusable, match=r"content/.* cannot be used: Not a directory"):
        open_engine(state_dir, Beginning(estate.path, usable(estate.path)))
    with Journal.open(state_dir / "journal.sqlite") as journal:
        assert journal.head.size == 0
