"""What a person sees of a drill: the screen, the lines where there is no screen, and the words at its end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from orchestrator.practice.display import STAGES, display, in_words, picture
from orchestrator.practice.drill_report import Report


def status(**changes: Any) -> dict[str, Any]:
    """A status document as the engine gives it."""
    wave = {"name": "foundations", "state": "soaking", "in_service": 2, "hosts": 3, "holds": [], "waits": []}
    return {
        "hosts": {**dict.fromkeys(STAGES, 0), "restoring": 4, "in_service": 2},
        "frozen": [],
        "under_way": {"restore": 4},
        "records": 99,
        "rates": {"hosts_an_hour": 240, "in_service_last_hour": 2, "in_service_last_day": 2},
        "waves": [wave],
        "functions": [{"id": "laboratory", "ready_percent": 50, "sites": {"north": "degraded", "south": "stopped"}}],
        "pools": [
            {"pool": "benches", "site": "north", "in_use": 2, "size": 3},
            {"pool": "tapes", "site": "", "in_use": 0, "size": 3},
            {"pool": "releases", "site": "", "in_use": 1, "size": 20},
        ],
        "waits": [{"hosts": 5, "sentence": "It needs dns.", "who": "nobody"}],
        "asks": [{"host": "lis-1", "why": "its check fails"}],
        **changes,
    }


def seen(document: dict[str, Any]) -> str:
    console = Console(width=140, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(picture(document))
    return capture.get()


def report(findings: list[str], **changes: Any) -> Report:
    document = {
        "hosts": 12, "in_service": 12, "excluded": 0, "failed": 0, "waves": [], "started_twice": 0,
        "functions": {"laboratory": {"back_s": 60}, "radiology": {"back_s": 40}, "laundry": {"back_s": None}},
        "released_early": 0, "lost": 1, "violations": [], "records": 374, "root": "ab" * 32, "cpu_s": 35, "wall_s": 119,
        "frozen": [{"scope": "reach:lis-1", "why": "INFECTED while out", "hosts": 3}],
        "analysts": Counter({"clean": 24, "disagreements": 1, "keys_revoked": 1}),
        **changes,
    }  # fmt: skip
    return Report(document, findings)


def test_the_screen_shows_hosts_waves_functions_pools_and_what_waits() -> None:
    text = seen(status())
    for words in ("4 restoring", "2 in_service", "foundations", "soaking", "2/3", "laboratory 50%",
                  "benches at north 2/3", "releases 1/20",
                  "5 wait: It needs dns. (nobody)", "lis-1: its check fails", "records: 99",
                  "240 hosts an hour"):  # fmt: skip
        assert words in text, words
    assert "tapes" not in text, "an idle pool says nothing"


def test_a_freeze_is_seen_at_once() -> None:
    assert "frozen: all" in seen(status(frozen=["all"]))


def test_a_hold_is_shown_before_what_a_gate_waits_for() -> None:
    waits = [{"sentence": "dns has not read PASS."}]
    wave = {"name": "w", "state": "held", "in_service": 0, "hosts": 1, "holds": ["failures"], "waits": waits}
    assert "failures" in seen(status(waves=[wave]))
    assert "dns has not read PASS." in seen(status(waves=[{**wave, "holds": []}]))


def test_of_many_waves_those_around_the_first_that_waits_are_shown() -> None:
    waves = [
        {"name": f"wave-{n:02}", "state": "passed" if n < 30 else "open", "in_service": 0, "hosts": 1, "holds": [],
         "waits": []} for n in range(60)
    ]  # fmt: skip
    text = seen(status(waves=waves))
    assert "wave-30" in text
    assert "wave-05" not in text
    assert "wave-59" not in text


def test_names_with_brackets_are_shown_as_they_are() -> None:
    assert "[/b] odd" in seen(status(asks=[{"host": "h", "why": "[/b] odd"}]))


def test_without_a_terminal_a_line_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with display(as_json=True) as show:
        show(status())
        show(status())
    shown = capsys.readouterr()
    assert shown.out == "", "standard output is for the document"
    assert shown.err == "4 restoring, 2 in_service; 0 of 1 gates passed; 240 hosts an hour. It needs dns.\n"


def test_the_end_says_what_is_back_in_the_order_it_came_back() -> None:
    words = in_words(report([]))
    assert words.startswith("Everything that can be in service is. 12 of 12 hosts in service")
    assert "Back: radiology after 40 s, laboratory after 60 s.\n" in words
    assert "Started twice: 0. Released early: 0. Lost: 1.\nFrozen: reach:lis-1 (INFECTED while out; 3 hosts)." in words
    assert "Analysts said CLEAN 24 times, SUSPECT 0, INFECTED 0; 1 times one said" in words
    assert "Keys revoked: 1;" in words
    assert "New indicator sets" not in words


def test_an_end_with_findings_does_not_sound_like_a_good_one() -> None:
    assert in_words(report(["lis-1 is failed."], in_service=11)).startswith(
        "NOT everything is as it should be. 11 of 12"
    )
    assert "Back: nothing." in in_words(report([], functions={}))
