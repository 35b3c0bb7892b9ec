"""The loop: what is on disk when something is handed out, who hears of a failure, and what a jumping clock does."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.canonical import NotCanonical
from orchestrator.clock import Clock, SystemClock
from orchestrator.decision.commands import Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Event, Opened, Ordered, Reading, Started
from orchestrator.decision.state import State
from orchestrator.engine.loop import BATCH_MAX, Engine
from orchestrator.engine.process import lay_out
from orchestrator.errors import Refused, RelanceError, Unusable
from orchestrator.journal.record import Record
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.waves import derive
from tests.drill_ground import wait_until
from tests.estates import small_estate
from tests.live_hospital import INCIDENT, Hospital, ObligingHands, quick, roster

MINUTE_US = 60_000_000


class ShiftedClock(SystemClock):
    """The machine's clock, whose wall time a test sets."""

    shift_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.shift_us


class Hands(ObligingHands):
    """Obliging, and does once what a test asks when it is polled; `polls` counts."""

    def __init__(self) -> None:
        super().__init__()
        self.polls = 0
        self.next: Callable[[], list[Event]] = list
        self.issued: Callable[[Issue], None] = lambda command: None

    def issue(self, command: Issue, state: State) -> None:
        self.issued(command)
        super().issue(command, state)

    def poll(self, state: State, now_us: int) -> list[Event]:
        self.polls += 1
        now, self.next = self.next, list
        return [*super().poll(state, now_us), *now()]


@contextmanager
def turning(state_dir: Path, hands: Hands | None = None, clock: Clock | None = None) -> Iterator[Hospital]:
    """A hospital whose engine turns with these hands by this clock."""
    content = small_estate(timing=quick(sweep_s=2))
    lay_out(state_dir)
    hands = hands or Hands()
    engine = Engine(state_dir, State(Estate(content, derive(content))), hands, clock or SystemClock())

    def prepare() -> tuple[Journal, list[Event]]:
        opened: list[Event] = [Opened(1, "test", INCIDENT, content.digest), Started("test")]
        return Journal.create(state_dir / "journal.sqlite"), opened

    engine.start(prepare)
    try:
        wait_until(lambda: engine.head().size >= 2)  # the opening is on disk
        yield Hospital(engine, hands, content)
    finally:
        engine.stop()


def records(state_dir: Path) -> list[Record]:
    """What is on disk now."""
    with Journal.open(state_dir / "journal.sqlite", read_only=True) as journal:
        return list(journal.records())


def kinds(state_dir: Path) -> list[str]:
    return [record.kind for record in records(state_dir)]


def raises(error: Exception) -> Callable[[], list[Event]]:
    def fail() -> list[Event]:
        raise error

    return fail


# order of things


def test_an_action_is_on_disk_before_a_worker_hears_of_it(tmp_path: Path) -> None:
    hands, seen = Hands(), list[tuple[str, bool]]()

    def look(command: Issue) -> None:
        on_disk = [record.body.get("action") for record in records(tmp_path / "state") if record.kind == "issue"]
        seen.append((command.action, command.action in on_disk))

    hands.issued = look
    with turning(tmp_path / "state", hands) as hospital:
        hospital.open_incident()
    assert ("north/isolate/1", True) in seen
    assert all(on_disk for _, on_disk in seen)


def test_what_a_caller_is_told_is_on_disk_when_he_is_told(tmp_path: Path) -> None:
    with turning(tmp_path / "state") as hospital:
        hospital.engine.submit(Reading("service:lis", "FAIL"))
        assert records(tmp_path / "state")[-1].kind == "reading"
        assert hospital.engine.head().size == len(records(tmp_path / "state"))


def test_many_events_of_one_turn_are_recorded_in_their_order(tmp_path: Path) -> None:
    hands, count = Hands(), 2 * BATCH_MAX + 3
    hands.next = lambda: [Reading("service:lis", ("PASS", "FAIL")[number % 2], str(number)) for number in range(count)]
    with turning(tmp_path / "state", hands):
        wait_until(lambda: kinds(tmp_path / "state").count("reading") == count)
    told = [record.body["sentence"] for record in records(tmp_path / "state") if record.kind == "reading"]
    assert told == [str(number) for number in range(count)]


def test_a_head_that_was_shown_is_known_again_and_an_invented_one_is_not(tmp_path: Path) -> None:
    with turning(tmp_path / "state") as hospital:
        head = hospital.engine.head()
        hospital.engine.submit(Reading("service:lis", "FAIL"))
        assert hospital.engine.known_head(head.size, head.root)
        assert not hospital.engine.known_head(head.size, bytes(32))


# refusals and failures


def test_a_refusal_reaches_the_caller_and_changes_nothing(tmp_path: Path) -> None:
    with turning(tmp_path / "state") as hospital:
        before = hospital.engine.head()
        with pytest.raises(RelanceError, match="no subject"):
            hospital.engine.submit(Reading("service:nowhere", "PASS"))
        assert hospital.engine.head() == before


def test_what_a_worker_tells_and_cannot_be_is_said_and_the_loop_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hands = Hands()
    with turning(tmp_path / "state", hands) as hospital:
        hands.next = lambda: [Cancelled("lis-1/restore/99")]
        wait_until(lambda: "lis-1/restore/99" in caplog.text)
        hospital.engine.submit(Reading("service:lis", "FAIL"))
    assert "Cancelled refused" in caplog.text


def test_a_fault_of_somebody_who_only_looks_is_his_own(tmp_path: Path) -> None:
    with turning(tmp_path / "state") as hospital:
        with pytest.raises(ZeroDivisionError):
            hospital.engine.read(lambda state, now_us: 1 // 0)
        assert hospital.engine.read(lambda state, now_us: state.incident) == INCIDENT


def test_what_no_record_can_hold_never_reaches_the_core(tmp_path: Path) -> None:
    with turning(tmp_path / "state") as hospital:
        order = Ordered("a" * 32, "freeze", "all", {"why": 0.5}, "operator-1", 1, 0, "")  # type: ignore[dict-item]
        with pytest.raises(NotCanonical):
            hospital.engine.submit(order)
        hospital.engine.submit(Reading("service:lis", "FAIL"))
        assert hospital.engine.failure is None


def test_a_full_disk_under_a_worker_ends_the_engine_with_a_sentence(tmp_path: Path) -> None:
    hands = Hands()
    with turning(tmp_path / "state", hands) as hospital:
        hands.next = raises(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "state" / "runs")))
        assert hospital.engine.wait(10)
        assert isinstance(hospital.engine.failure, Unusable)
        assert hospital.engine.failure.sentence.startswith(f"There is no room left to write {tmp_path / 'state/runs'}")
        with pytest.raises(Unusable, match="no room left"):
            hospital.engine.submit(Reading("service:lis", "FAIL"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_engine_itself_is_no_orderly_end(tmp_path: Path) -> None:
    hands = Hands()
    with turning(tmp_path / "state", hands) as hospital:
        hands.next = raises(KeyError("a bug"))
        assert hospital.engine.wait(10)
        assert hospital.engine.failure is not None
        assert "a fault of its own" in hospital.engine.failure.sentence
        assert hospital.engine.failure.exit_code == 7
    with Journal.open(tmp_path / "state" / "journal.sqlite") as journal:
        assert journal.head.size >= 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_before_the_first_turn_is_told_to_whoever_starts_the_engine(tmp_path: Path) -> None:
    content = small_estate()
    engine = Engine(tmp_path, State(Estate(content, derive(content))), Hands(), SystemClock())

    def prepare() -> tuple[Journal, list[Event]]:
        raise LookupError("a bug")

    with pytest.raises(Unusable, match="a fault of its own"):
        engine.start(prepare)
    assert engine.wait(10)


def test_a_refusal_to_begin_is_told_as_it_is(tmp_path: Path) -> None:
    content = small_estate()
    engine = Engine(tmp_path, State(Estate(content, derive(content))), Hands(), SystemClock())

    def prepare() -> tuple[Journal, list[Event]]:
        raise Refused("Another content.", rule="content.digest")

    with pytest.raises(Refused, match="Another content"):
        engine.start(prepare)


def test_whoever_waits_for_an_answer_hears_that_the_engine_failed(tmp_path: Path) -> None:
    hands, polled = Hands(), threading.Event()

    def stall() -> list[Event]:
        polled.wait(10)
        raise OSError(errno.EIO, "Input/output error")

    with turning(tmp_path / "state", hands) as hospital, ThreadPoolExecutor(2) as pool:
        before = hands.polls
        hands.next = stall
        wait_until(lambda: hands.polls > before)
        asked = [
            pool.submit(hospital.engine.submit, Reading("service:lis", "FAIL")),
            pool.submit(hospital.engine.read, lambda state, now_us: now_us),
        ]
        polled.set()
        for one in asked:
            with pytest.raises(Unusable, match="Input/output error"):
                one.result(20)


def test_after_its_end_the_engine_says_that_it_has_stopped(tmp_path: Path) -> None:
    with turning(tmp_path / "state") as hospital:
        hospital.engine.stop()
        assert hospital.engine.failure is None
        with pytest.raises(Unusable, match="has stopped"):
            hospital.engine.head()
    assert not [thread for thread in threading.enumerate() if thread.name == "engine"]


def test_a_second_core_that_wrote_to_the_journal_stops_the_first_one_at_once(tmp_path: Path) -> None:
    with turning(tmp_path / "state") as hospital:
        size = hospital.engine.head().size
        with sqlite3.connect(tmp_path / "state" / "journal.sqlite") as other:
            other.execute("INSERT INTO journal VALUES (?, 1, 'x', NULL, x'00', x'00')", (size + 1,))
        with pytest.raises(Unusable, match=f"Another process wrote record {size + 1}"):
            hospital.engine.submit(Reading("service:lis", "FAIL"))
        assert hospital.engine.wait(10)


def test_many_who_ask_all_the_time_do_not_keep_the_engine_from_its_work(tmp_path: Path) -> None:
    hands, over = Hands(), threading.Event()
    with turning(tmp_path / "state", hands) as hospital, ThreadPoolExecutor(4) as pool:

        def ask() -> None:
            while not over.is_set():
                hospital.engine.read(lambda state, now_us: state.seq)

        for _ in range(4):
            pool.submit(ask)
        before = hands.polls
        wait_until(lambda: hands.polls > before + 20)
        over.set()


# the clock


def test_a_jump_of_the_clock_is_recorded_and_stops_reconnects_until_a_person_confirms_it(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with turning(tmp_path / "state", clock=clock) as hospital:
        hospital.open_incident()
        hospital.quarantined("foundations")
        clock.shift_us = 30 * MINUTE_US
        wait_until(lambda: "jumped" in kinds(tmp_path / "state"))
        hospital.judge_everyone()
        hospital.sweep()
        issued = [record.body["step"] for record in records(tmp_path / "state") if record.kind == "issue"]
        assert "inspect" in issued
        assert "reconnect" not in issued
        hospital.order("clock.confirm", "clock", "operator-1")
        hospital.sweep()
        issued = [record.body["step"] for record in records(tmp_path / "state") if record.kind == "issue"]
        assert "reconnect" in issued
    (jump,) = (record.body["delta_us"] for record in records(tmp_path / "state") if record.kind == "jumped")
    assert isinstance(jump, int)
    assert abs(jump - 30 * MINUTE_US) < MINUTE_US


def test_a_clock_set_back_is_recorded_and_time_neither_goes_back_nor_stands_still(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with turning(tmp_path / "state", clock=clock) as hospital:
        before_us = hospital.engine.read(lambda state, now_us: now_us)
        clock.shift_us = -90 * MINUTE_US
        wait_until(lambda: "jumped" in kinds(tmp_path / "state"))
        at_us = hospital.engine.read(lambda state, now_us: now_us)
        assert at_us >= before_us
        wait_until(lambda: hospital.engine.read(lambda state, now_us: now_us) > at_us + 50_000, 5)
    times = [record.at_us for record in records(tmp_path / "state")]
    assert times == sorted(times)


def test_after_the_confirmation_time_continues_from_the_clock_that_was_set_back(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with turning(tmp_path / "state", clock=clock) as hospital:
        hospital.open_incident()
        clock.shift_us = -4320 * MINUTE_US
        wait_until(lambda: "jumped" in kinds(tmp_path / "state"))
        hospital.order("clock.confirm", "clock", "operator-1", expires_us=clock.now_us() + MINUTE_US)
        wait_until(lambda: "epoch" in kinds(tmp_path / "state"))
        hospital.order("freeze", "all", "operator-1")
        now_us, doubted = hospital.engine.read(lambda state, now_us: (now_us, state.clock_doubted))
        assert abs(now_us - clock.now_us()) < MINUTE_US
        assert not doubted
    told = records(tmp_path / "state")
    (place,) = (record.seq for record in told if record.kind == "epoch")
    assert told[place - 1].at_us - told[place - 2].at_us < -4300 * MINUTE_US
    for part in (told[: place - 1], told[place - 1 :]):
        assert [record.at_us for record in part] == sorted(record.at_us for record in part)


def test_while_a_jump_is_not_confirmed_time_does_not_follow_it_and_goes_on(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with turning(tmp_path / "state", clock=clock) as hospital:
        for hours in (72, -72, 1000):
            clock.shift_us = hours * 60 * MINUTE_US
            now_us = hospital.engine.read(lambda state, now_us: now_us)
            assert abs(now_us - SystemClock().now_us()) < MINUTE_US
        wait_until(lambda: hospital.engine.read(lambda state, now_us: state.jump_us) > 999 * 60 * MINUTE_US)
    (*_, last) = records(tmp_path / "state")
    assert abs(last.at_us - SystemClock().now_us()) < MINUTE_US


def test_what_waits_for_its_next_try_is_tried_again_on_a_clock_that_was_set_back(tmp_path: Path) -> None:
    clock, hands = ShiftedClock(), Hands()
    with turning(tmp_path / "state", hands, clock) as hospital:
        hands.outcome = "failed"
        hospital.order("genesis", "roster", "operator-1", "it-director", **roster())
        clock.shift_us = -90 * MINUTE_US
        hands.outcome = "ok"
        wait_until(lambda: hospital.engine.read(lambda state, now_us: all(state.site_isolated_us)), 20)


def test_a_small_correction_of_the_clock_is_nothing_to_speak_of(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with turning(tmp_path / "state", clock=clock) as hospital:
        clock.shift_us = 4 * MINUTE_US
        hospital.engine.submit(Reading("service:lis", "FAIL"))
        hospital.engine.submit(Reading("service:lis", "PASS"))
    assert "jumped" not in kinds(tmp_path / "state")
