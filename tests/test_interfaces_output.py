"""Text for people or one document for programs, never both; failures in the form that was asked for."""

from __future__ import annotations

import argparse
import json

import pytest

from orchestrator.errors import Refused
from orchestrator.interfaces.output import clock, columns, complain, counted, progress, show, wants_json


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--format", "json", "plan"], True),
        (["--format=json"], True),
        (["--state", "x", "--format", "json"], True),
        (["--format", "text"], False),
        (["plan", "json"], False),
        ([], False),
    ],
)
def test_what_was_asked_for_is_known_even_where_the_rest_is_not_understood(words: list[str], expected: bool) -> None:
    assert wants_json(words) is expected


def test_a_document_on_one_line_is_all_there_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    progress("on the way")
    show(argparse.Namespace(format="json"), {"name": "Dossier médical"}, "text")
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"name": "Dossier médical"}
    assert "médical" in printed.out
    assert printed.out.count("\n") == 1
    assert printed.err == "on the way\n"


def test_text_ends_with_one_line_end(capsys: pytest.CaptureFixture[str]) -> None:
    show(argparse.Namespace(format="text"), {}, "line\n\n")
    assert capsys.readouterr().out == "line\n"


def test_a_failure_is_a_sentence_with_its_rule_or_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    error = Refused("Nobody may.", rule="orders.role", person="operator-1")
    assert complain(error, as_json=False) == 3
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Nobody may. [orders.role]\n")
    assert complain(error, as_json=True) == 3
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"] == {
        "code": "refused",
        "rule": "orders.role",
        "sentence": "Nobody may.",
        "facts": {"person": "operator-1"},
    }
    assert complain(Refused("Plainly."), as_json=False) == 3
    assert capsys.readouterr().err == "Plainly.\n"


def test_columns_stand_under_each_other_and_nothing_trails() -> None:
    assert columns([("a", "bb"), ("ccc", "d")], "  ") == ["  a    bb", "  ccc  d"]
    assert columns([]) == []


def test_times_and_counts_are_said_as_people_do() -> None:
    assert clock(0) == "-"
    assert clock(1_780_000_000_000_000) == "2026-05-28 20:26:40"
    assert counted({"in_service": 2, "failed": 0, "not-read": 1}) == "2 in service, 1 not read"
