"""What tired people read: short, the pressing things in words, nothing computed twice."""

from __future__ import annotations

from orchestrator.interfaces import texts
from orchestrator.interfaces.documents import Status, Task, Why


def quiet() -> Status:
    """A restart where nothing happens."""
    return {
        "incident": "night",
        "content": "0" * 64,
        "at_us": 0,
        "records": 2,
        "last_event_us": 1_000_000,
        "frozen": {},
        "clock_jump_us": 0,
        "clock_doubted": False,
        "hosts": {"blocked": 3, "in_service": 0},
        "waves": [],
        "functions": [],
        "pools": [],
        "rates": {"hosts_an_hour": 0, "in_service_last_hour": 0, "in_service_last_day": 0},
        "under_way": {},
        "asks": [],
        "failed": [],
        "obligations": [],
        "exceptions": [],
        "orders_waiting": 0,
        "waits": [],
    }


def task(name: str, site: str, **fields: str) -> Task:
    """A task at a place."""
    found: Task = {
        "task": name,
        "name": "Carry it",
        "name_fr": "Le porter",
        "by": "technician",
        "site": site,
        "room": fields.get("room", ""),
        "bench": fields.get("bench", ""),
        "status": "open",
        "reported_by": fields.get("reported_by", ""),
        "claimed_by": fields.get("claimed_by", ""),
        "claimed_until_us": 1_700_000_000_000_000,
        "opened_us": 1,
        "confirm": fields.get("confirm", "two-persons"),
        "seen": fields.get("seen", ""),
    }
    return found


def test_a_quiet_restart_is_a_few_lines_without_alarms() -> None:
    text = texts.status_text(quiet())
    assert "3 blocked" in text
    assert "A person must decide" not in text
    assert "FROZEN" not in text
    assert "Pools in use" not in text


def test_what_a_person_must_decide_is_said_in_words() -> None:
    found = quiet()
    found["frozen"] = {"site:north": "all-work"}
    found["at_us"], found["clock_jump_us"], found["clock_doubted"] = 2_000_000, 7_200_000_000, True
    found["asks"] = [{"host": "lis-1", "lane": "host", "why": "inspect failed 3 times"}]
    asked = "its check has read FAIL for too long"
    found["asks"] += [{"host": f"pc-{number}", "lane": "check", "why": asked} for number in range(1700)]
    found["failed"] = ["pc-4"]
    found["obligations"] = [
        {"host": "ad-1", "cause": "offline", "deadline_us": 1_000_000, "overdue": True, "holds": False},
        {"host": "ad-2", "cause": "offline", "deadline_us": 1_000_000, "overdue": False, "holds": False},
    ]
    found["orders_waiting"] = 2
    found["pools"] = [{"pool": "benches", "site": "north", "in_use": 1, "size": 2}]
    text = texts.status_text(found)
    for words in (
        "FROZEN: site:north (all-work)",
        "CLOCK: it jumped and shows 1970-01-01 02:00:02 UTC; by the time that passed it is 1970-01-01 00:00:02 UTC.",
        "Reconnects are frozen",
        "relance order make clock.confirm clock --key KEY --person YOU",
        "lis-1: inspect failed 3 times (host)",
        "pc-4: failed",
        "pc-0 and 1699 more: its check has read FAIL for too long (check)",
        "ad-1: owes an inspection (OVERDUE): offline",
        "ad-2: owes an inspection (until 1970-01-01 00 h): offline",
        "2 orders wait for a signature",
        "benches@north 1/2",
    ):
        assert words in text


def test_passed_waves_are_a_number_and_held_ones_say_by_what() -> None:
    found = quiet()
    base = {"function": None, "hosts": 9, "launched_us": 1, "soak_ends_us": 0, "passed_us": 0, "waits": []}
    found["waves"] = [
        {**base, "name": "one", "state": "passed", "in_service": 9, "failed": 0, "holds": []},  # type: ignore[typeddict-item]
        {**base, "name": "two", "state": "held", "in_service": 3, "failed": 2, "holds": ["relapse:ad"]},  # type: ignore[typeddict-item]
        *(
            {**base, "name": f"later-{n}", "state": "not_launched", "in_service": 0, "failed": 0, "holds": []}
            for n in range(7)
        ),  # type: ignore[typeddict-item]
    ]
    text = texts.status_text(found)
    assert "Waves: 1 of 9 passed." in text
    assert "two: held, 3 of 9 in service, 2 failed, held: relapse:ad" in text
    assert "not launched: later-0, later-1, later-2, later-3, later-4 and 2 more" in text


def test_a_host_nothing_hinders_says_so() -> None:
    found: Why = {
        "host": "ad-1",
        "stage": "in_service",
        "connection": "connected",
        "strategy": "reimage",
        "wave": "",
        "verdicts_missing": 0,
        "exception_until_us": 0,
        "inspection": "",
        "evidence": "",
        "marker": False,
        "under_way": [],
        "reasons": [],
    }
    assert texts.why_text(found).splitlines() == [
        "ad-1: in service, connected, strategy reimage, wave none.",
        "Nothing stands in its way.",
    ]
    found["exception_until_us"] = 7_200_000_000
    assert texts.why_text(found).splitlines()[1].startswith("An EXCEPTION stands in for a verdict until 1970-01-01")


def test_a_sheet_groups_tasks_by_place_and_says_how_each_is_confirmed() -> None:
    text = texts.tasks_text(
        [
            task("pc-1/replace", "north", bench="b1", room="N1.02"),
            task("pc-2/replace", "north", bench="b1", room="N1.02", reported_by="technician-1"),
            task("pc-3/replace", "north", bench="b1", room="N1.02", claimed_by="technician-2"),
            task("ris/queues", "", confirm="check:ris-queue-empty"),
            task("lis/witness-orders", "", reported_by="crisis-1", seen="Dr Test, sample 4711, 10:41"),
        ],
        0,
    )
    assert text.count("north, bench b1, N1.02") == 1
    assert "any site" in text
    assert 'confirmed when "ris queue empty" passes' in text
    assert "(reported by technician-1)" in text
    assert "(technician-2 is on it until 2023-11-14 22:13:20)" in text
    assert "relance task done TASK --key KEY --person YOU" in text
    assert "(reported by crisis-1: Dr Test, sample 4711, 10:41)" in text


def test_the_marker_stands_out_in_the_queue() -> None:
    seat = {
        "host": "pc-1",
        "site": "north",
        "services": [],
        "wave": "w",
        "inspection": "pc-1/inspect/1",
        "evidence": "ab" * 32,
        "marker": True,
        "owed": True,
        "exception_until_us": 7_200_000_000,
        "seats_open": 1,
        "claims": [{"person": "analyst-1", "until_us": 1}],
        "lot": "north/ab",
        "drawn": True,
    }
    queue = {"incident": "night", "indicator_set": "0", "verdict_valid_s": 1, "hosts": [seat], "lots": []}
    text = texts.queue_text(queue)  # type: ignore[arg-type]
    assert "MARKER owed EXCEPTION sample abababababababab" in text
    assert "analyst-1" in text


def test_the_queue_says_of_each_lot_what_it_waits_for() -> None:
    drawn = {"host": "pc-1", "inspection": "pc-1/inspect/1", "evidence": "ab" * 32, "clean": True}
    lot = {
        "lot": "north/ab", "image": "ab", "seen": 9, "first": 1, "condemned": False, "signable": True,
        "sample": [drawn], "waiting": [drawn, drawn],
    }  # fmt: skip
    unread = {**lot, "signable": False, "sample": [{**drawn, "clean": False}]}
    few, lost = {**lot, "signable": False, "first": 12}, {**lot, "condemned": True}
    queue = {"incident": "night", "indicator_set": "0", "verdict_valid_s": 1, "hosts": []}
    text = texts.queue_text({**queue, "lots": [lot, unread, few, lost]})  # type: ignore[typeddict-item]
    assert "1 drawn of 9; 2 wait: relance verdict sign CLEAN --lot north/ab." in text
    assert "2 wait until its sample is CLEAN: pc-1." in text
    assert "9 inspected; the first 12 are read one by one." in text
    assert "a host of it was found INFECTED; each is read by itself." in text
