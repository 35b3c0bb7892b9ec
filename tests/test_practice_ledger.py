"""What the ledger finds in the logs of hosts and gates: what began twice, what was opened before its time."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.practice.fleet_file import Folders
from orchestrator.practice.fleet_gate import Gate
from orchestrator.practice.fleet_host import PracticeHost
from orchestrator.practice.fleet_log import Entry
from orchestrator.practice.ledger import Issued, read, released_early, started_twice
from tests.practice_ground import small_fleet


def lines(text: str) -> list[Entry]:
    """Log lines written as `WORD ACTION DETAIL...`, one microsecond apart."""
    words = [line.split() for line in text.strip().splitlines()]
    return [Entry(line[0], line[1], at_us, tuple(line[2:])) for at_us, line in enumerate(words, 100)]


RESTORE_1 = "begin h/restore/1 -\nrun h/restore/1 restore:restore\n"
RAN_1 = "ran h/restore/1 restore:restore ok {}\n"


@pytest.mark.parametrize(
    "story",
    [
        RESTORE_1 + RAN_1 + "run h/restore/1 rotate\nran h/restore/1 rotate ok {}\nend h/restore/1 ok\n",
        RESTORE_1 + RAN_1 + "end h/restore/1 ok\nbegin h/restore/2 -\nrun h/restore/2 restore:restore\n",
        RESTORE_1 + "cut h/restore/1 restore:restore\nbegin h/restore/2 h/restore/1\n",
        RESTORE_1 + "fault - drop restore\nreplaced h/restore/1\n",
    ],
    ids=["one restore", "one after the other", "a lost one superseded", "faults are no begins"],
)
def test_a_host_whose_actions_followed_each_other_has_a_clean_ledger(story: str) -> None:
    assert started_twice("h", lines(story)) == []


@pytest.mark.parametrize(
    ("story", "found"),
    [
        ("begin h/restore/1 -\nend h/restore/1 ok\nbegin h/restore/1 -\n", "h/restore/1 began twice on h"),
        (RESTORE_1 + RAN_1 + "run h/restore/1 restore:restore\n", "h/restore/1 began twice on h"),
        (RESTORE_1 + "run h/restore/2 restore:restore\n", "while h/restore/1 had not ended"),
        (RESTORE_1 + "begin h/restore/2 h/restore/1\n", "while h/restore/1 had not ended"),
        (RESTORE_1 + "cut h/restore/1 restore:restore\nbegin h/preserve/2 -\n", "while h/restore/1 had not ended"),
    ],
    ids=["marked twice", "restored twice", "two at once", "superseded while it ran", "beside a live mark"],
)
def test_a_second_begin_is_told_in_one_sentence(story: str, found: str) -> None:
    (sentence,) = started_twice("h", lines(story))
    assert found in sentence


def test_an_opening_is_covered_by_a_reconnect_of_that_host_issued_before_it() -> None:
    log = lines("isolate-site s/isolate/1 s\nreconnect h/reconnect/1 h\nreconnect h/reconnect/1 h\n")
    assert released_early(log, {"h/reconnect/1": 101}) == []


@pytest.mark.parametrize(
    ("story", "issued", "why"),
    [
        ("reconnect h/reconnect/1 h", {}, "never issued"),
        ("reconnect h/reconnect/1 h", {"h/reconnect/1": 101}, "issued only at 101"),
        ("reconnect g/reconnect/1 h", {"g/reconnect/1": 1}, "no reconnect of this host"),
        ("reconnect h/isolate/1 h", {"h/isolate/1": 1}, "no reconnect of this host"),
        (
            "isolate h/isolate/1 h\nreconnect h/reconnect/1 h",
            {"h/reconnect/1": 99},
            "before the host was isolated at 100",
        ),
        (
            "isolate-site s/isolate/1 s\nreconnect h/reconnect/1 h",
            {"h/reconnect/1": 99},
            "before the host was isolated",
        ),
    ],
    ids=["unknown", "too early", "another host's", "no reconnect", "older than an isolation", "older than the site's"],
)
def test_an_opening_without_its_order_is_told_with_the_reason(story: str, issued: dict[str, int], why: str) -> None:
    (sentence,) = released_early(lines(story), issued)
    assert sentence.startswith("h was opened at ")
    assert why in sentence


def test_the_ledger_of_a_fleet_tells_both_and_how_each_host_stands(tmp_path: Path) -> None:
    fleet, folders, now_us = small_fleet(), Folders(tmp_path), SystemClock().now_us
    folders.make()
    hosts = {spec.id: PracticeHost(spec, fleet, folders, now_us) for spec in fleet.hosts}
    for host in hosts.values():
        host.prepare()
    gate = Gate("north", fleet.hosts, folders.gate_log("north"), now_us)
    gate.isolate_site("north/isolate/1", "north")
    hosts["h0"].mark_begin("h0/restore/1", "")
    for _ in range(2):
        hosts["h0"].restore_begin("h0/restore/1", "restore")
        hosts["h0"].restore_finish("h0/restore/1", "restore", frozenset())
    hosts["h1"].restore_begin("h1/restore/1", "restore")
    issued_us = now_us()
    gate.reconnect("h0/reconnect/1", "h0")
    gate.reconnect("h1/reconnect/1", "h1")
    ledger = read(tmp_path, fleet, [Issued("h0/reconnect/1", issued_us)])
    assert len(ledger.started_twice) == 1
    assert [line.split(" ")[0] for line in ledger.released_early] == ["h1"]
    standing = {host: (now.is_open, now.service, now.record.restores) for host, now in ledger.hosts.items()}
    assert standing == {"h0": (True, "up", 2), "h1": (True, "down", 1), "h2": (False, "up", 0)}
