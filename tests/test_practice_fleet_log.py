"""The logs of hosts and gates: one line per thing done, and the state they add up to."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.practice.fleet_log import Entry, HostRecord, append, entries, facts_word, record_of


def test_lines_come_back_in_the_order_they_were_written_and_are_for_the_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "h.log"
    written = [Entry("begin", "h/restore/1", 5, ("-",)), Entry("end", "h/restore/1", 6, ("ok",))]
    for entry in written:
        append(log, entry)
    assert list(entries(log)) == written
    assert log.read_text() == "begin h/restore/1 5 -\nend h/restore/1 6 ok\n"
    assert log.stat().st_mode & 0o077 == 0
    assert list(entries(tmp_path / "none.log")) == []


def test_a_line_that_a_kill_tore_off_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "h.log"
    log.write_text("begin h/restore/1 5 -\nend h/rest")
    assert record_of(log).state == "begun"


def test_the_mark_the_work_and_the_faults_are_what_the_log_says() -> None:
    record = HostRecord()
    story = [
        Entry("made", "-", 1),
        Entry("begin", "h/restore/1", 2, ("-",)),
        Entry("fault", "-", 3, ("slow", "restore")),
        Entry("fault", "-", 3, ("slow", "restore")),
        Entry("run", "h/restore/1", 4, ("restore:reimage",)),
    ]
    for entry in story:
        record.apply(entry)
    assert record.running == {"h/restore/1": "restore:reimage"}
    assert (record.action, record.state, record.restores, record.replaced) == ("h/restore/1", "begun", 1, False)
    assert record.faults == {("slow", "restore"): 2}
    record.apply(Entry("ran", "h/restore/1", 5, ("restore:reimage", "ok", facts_word({"host_key": "a b"}))))
    record.apply(Entry("end", "h/restore/1", 6, ("ok",)))
    assert (record.state, record.outcome, record.running) == ("ended", "ok", {})
    assert record.facts == {"host_key": "a b"}
    record.apply(Entry("begin", "h/restore/2", 7, ("-",)))
    assert (record.state, record.outcome, record.facts) == ("begun", "", {})


def test_work_that_was_cut_no_longer_runs_and_a_replacement_is_remembered() -> None:
    record = HostRecord()
    record.apply(Entry("run", "h/restore/1", 1, ("restore:replace",)))
    record.apply(Entry("replaced", "h/restore/1", 2))
    record.apply(Entry("cut", "h/restore/1", 3, ("restore:replace",)))
    assert record.running == {}
    assert record.replaced


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_facts_of_any_kind_stay_one_word(facts: dict[str, object]) -> None:
    record = HostRecord(action="a")
    word = facts_word(facts)
    assert len(word.split()) == 1
    record.apply(Entry("ran", "a", 1, ("preserve", "ok", word)))
    assert record.facts == facts
