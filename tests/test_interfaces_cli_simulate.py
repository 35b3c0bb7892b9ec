"""`relance simulate` says what it played and found, goes on where it was stopped, and refuses what it cannot do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.interfaces import cli_simulate
from orchestrator.interfaces.cli_simulate import summed
from orchestrator.simulation.scenario import Outcome, Setting, played
from tests.command_line import Keyboard
from tests.deliberate_faults import MISTAKES, made
from tests.small_estate import SMALL

TWICE = "pool released twice"
RESULT: dict[str, Any] = {"seed": 1, "events": 300, "violations": [], "not_live": [], "cpu_s": 0.5}


@pytest.fixture
def types(capsys: pytest.CaptureFixture[str]) -> Keyboard:
    return Keyboard(capsys, "--estate", str(SMALL))


def test_the_document_counts_seeds_events_and_findings(types: Keyboard) -> None:
    said = types.json("simulate", "--seeds", "1..2", "--faults", "some", "--hosts", "40", "--jobs", "1")
    assert said.code == 0
    assert set(said.document) == {"seeds", "events", "violations", "not_live", "events_per_s", "cpu_s"}
    assert (said.document["seeds"], said.document["violations"], said.document["not_live"]) == (2, [], [])
    assert said.document["events"] > 1000
    assert said.document["events_per_s"] > 0


def test_a_person_reads_one_sentence(types: Keyboard) -> None:
    said = types("simulate", "--seeds", "3", "--faults", "none", "--hosts", "40", "--jobs", "1")
    assert said.code == 0
    assert said.out.startswith("1 seeds, ")
    assert said.out.endswith("No promise was broken, and everything came back.\n")


def test_a_mistake_in_the_core_is_told_with_its_seed_and_ends_with_1(types: Keyboard) -> None:
    words = ("simulate", "--seeds", "2", "--hosts", "40", "--jobs", "1")
    with made(MISTAKES[TWICE]):
        plain, story = types.json(*words), types.json(*words, "--story")
        text = types(*words)
    assert plain.code == story.code == text.code == 1
    (found,) = plain.document["violations"]
    assert set(found) == {"seed", "event", "invariant", "story"}
    assert found["seed"] == 2
    assert found["invariant"] in ("6", "recount")
    assert "FOUND something" in plain.err
    lines = story.document["violations"][0]["story"].splitlines()
    assert lines[0].startswith("A hospital of ")
    assert 3 < len(lines) < 40
    assert text.out.startswith(f"Seed 2, record {found['event']}, invariant {found['invariant']}: {found['story']}\n")
    assert text.out.endswith("Each seed replays what it found.\n")


def test_who_never_comes_back_is_told_and_ends_with_1(types: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(setting: Setting) -> Outcome:
        return replace(played(setting), not_live=["lis-1 (RESTORED): nobody inspects it"])

    monkeypatch.setattr(cli_simulate, "played", stuck)
    words = ("simulate", "--seeds", "3", "--faults", "none", "--hosts", "40", "--jobs", "1")
    said, text = types.json(*words), types(*words)
    assert said.code == text.code == 1
    waits = "lis-1 (RESTORED): nobody inspects it"
    assert said.document["not_live"] == [{"seed": 3, "waits": waits, "story": ""}]
    assert text.out.startswith(f"Seed 3, never in service: {waits}\n")


def test_progress_is_kept_and_a_second_run_plays_only_what_is_missing(types: Keyboard, tmp_path: Path) -> None:
    kept = tmp_path / "simulate.jsonl"
    always = ("simulate", "--faults", "none", "--hosts", "40", "--jobs", "1", "--progress", str(kept))
    assert types.json(*always, "--seeds", "1..2").document["seeds"] == 2
    words, first, second = kept.read_text().splitlines()
    assert set(json.loads(words)) == {"faults", "hosts", "estate", "code"}
    other = json.dumps({**json.loads(second), "events": 7})
    kept.write_text("\n".join((words, first, other, '{"seed": 3, "ev')))
    said = types.json(*always, "--seeds", "1..2")
    assert said.document["events"] == json.loads(first)["events"] + 7
    assert kept.read_text().splitlines() == [words, first, other], "a torn line counts for nothing"
    more = types.json(*always, "--seeds", "1..3")
    assert (more.document["seeds"], more.err.splitlines()[0]) == (3, f"2 of 3 seeds are kept in {kept}.")


def test_an_interrupted_run_ends_soon_and_keeps_each_seed_that_was_played_once(types: Keyboard, tmp_path: Path) -> None:
    kept = tmp_path / "simulate.jsonl"
    words = ["simulate", "--faults", "none", "--hosts", "40", "--jobs", "2", "--progress", str(kept), "--seeds"]
    command = [sys.executable, "-m", "orchestrator.interfaces.cli", "--estate", str(SMALL), *words, "0..99999"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    while not kept.exists() or kept.read_text().count("\n") < 4:
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, b"")
    seeds = [json.loads(line)["seed"] for line in kept.read_text().splitlines()[1:]]
    assert len(seeds) == len(set(seeds)) >= 3
    assert types.json(*words, f"0..{max(seeds)}").document["seeds"] == max(seeds) + 1
    assert sorted(json.loads(line)["seed"] for line in kept.read_text().splitlines()[1:]) == [*range(max(seeds) + 1)]


def test_no_process_goes_on_playing_for_a_run_that_was_killed(tmp_path: Path) -> None:
    kept = tmp_path / "simulate.jsonl"
    words = ["simulate", "--hosts", "40", "--jobs", "2", "--progress", str(kept), "--seeds", "0..99999"]
    command = [sys.executable, "-m", "orchestrator.interfaces.cli", "--estate", str(SMALL), *words]
    running = subprocess.Popen(command, stdout=subprocess.PIPE)  # the pipe ends with the last that holds it
    while not kept.exists() or kept.read_text().count("\n") < 2:
        assert running.poll() is None
        time.sleep(0.02)
    playing = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert len(playing) == 2
    running.kill()
    assert running.communicate(timeout=60) == (b"", None)
    assert running.returncode == -signal.SIGKILL


@pytest.mark.parametrize("other", [{"faults": "all"}, {"estate": "1f"}, {"code": "1f"}])
def test_results_of_other_words_another_estate_or_other_code_are_not_mixed_in(
    types: Keyboard, tmp_path: Path, other: dict[str, str]
) -> None:
    kept = tmp_path / "simulate.jsonl"
    words = ("simulate", "--seeds", "1", "--faults", "none", "--hosts", "40", "--jobs", "1", "--progress", str(kept))
    types.json(*words)
    of_what, result = kept.read_text().splitlines()
    kept.write_text(f"{json.dumps(json.loads(of_what) | other)}\n{result}\n")
    said = types.json(*words)
    assert said.code == 2
    assert said.document["error"]["rule"] == "usage.progress"


@pytest.mark.parametrize("text", [b"minutes of the crisis cell", b"{}\n", b"\xff\xfe\n"])
def test_a_file_that_holds_something_else_is_refused_and_left_as_it_is(
    types: Keyboard, tmp_path: Path, text: bytes
) -> None:
    kept = tmp_path / "minutes.txt"
    kept.write_bytes(text)
    said = types.json("simulate", "--seeds", "1", "--jobs", "1", "--progress", str(kept))
    assert (said.code, kept.read_bytes()) == (2, text)


@pytest.mark.parametrize("words", [("--hosts", "0"), ("--hosts", "-3"), ("--hosts", "19"), ("--jobs", "0")])
def test_a_hospital_without_hosts_or_hands_is_refused_and_not_replaced_by_a_larger_one(
    types: Keyboard, words: tuple[str, ...]
) -> None:
    assert types.json("simulate", "--seeds", "1", *words).code == 2


def test_an_estate_that_cannot_be_read_is_a_sentence_however_many_processes_play(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = Keyboard(capsys, "--estate", str(tmp_path)).json("simulate", "--seeds", "1..2", "--jobs", "2")
    assert said.code == 1
    assert "`inventory` is missing" in said.document["error"]["sentence"]


@pytest.mark.parametrize("seeds", ["x", "5..3", "1..y", "..", "-4", "²..3"])
def test_what_is_no_range_of_seeds_is_refused(types: Keyboard, seeds: str) -> None:
    said = types.json("simulate", f"--seeds={seeds}", "--jobs", "1")
    assert said.code == 2
    assert said.document["error"]["rule"] == "usage.seeds"


def test_an_unknown_strength_of_faults_is_refused(types: Keyboard) -> None:
    assert types.json("simulate", "--faults", "most").code == 2


def test_several_processes_find_what_one_finds(types: Keyboard) -> None:
    words = ("simulate", "--seeds", "1..2", "--faults", "none", "--hosts", "40")
    alone, together = (types.json(*words, "--jobs", jobs).document for jobs in ("1", "2"))
    assert alone["events"] == together["events"]


def test_the_document_of_no_seed_is_empty() -> None:
    assert summed([]) == {"seeds": 0, "events": 0, "violations": [], "not_live": [], "events_per_s": 0, "cpu_s": 0}
    assert summed([RESULT, RESULT])["events_per_s"] == 600
