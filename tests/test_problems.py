"""Errors cross the wire whole: the same exit code, rule, sentence and facts on the other side."""

from __future__ import annotations

import pytest

from orchestrator.errors import (
    Conflict,
    ContentError,
    InfectedFound,
    NeedsAnother,
    Refused,
    RelanceError,
    Unusable,
    UsageError,
)
from orchestrator.problems import STATUS, error_of, problem
from orchestrator.trust.signature import BadSignature

ALL = (ContentError, UsageError, Refused, NeedsAnother, Conflict, InfectedFound, Unusable)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_comes_back_with_its_exit_code_rule_sentence_and_facts(kind: type[RelanceError]) -> None:
    sent = kind("It cannot be.", rule="some.rule", subject="lis-1", missing_roles=[["operator"]])
    body = problem(sent)
    status = body["status"]
    assert isinstance(status, int)
    found = error_of(status, body)
    assert found.exit_code == sent.exit_code
    assert (found.sentence, found.rule, found.facts) == (sent.sentence, sent.rule, sent.facts)


def test_a_special_refusal_comes_back_as_a_refusal() -> None:
    body = problem(BadSignature("Another key made it.", rule="signature.key"))
    assert body["status"] == 403
    assert error_of(403, body).exit_code == 3


def test_no_two_exit_codes_share_a_status() -> None:
    assert len(set(STATUS.values())) == len(STATUS)


def test_a_problem_document_names_its_parts_as_the_standard_does() -> None:
    body = problem(Conflict("It changed.", rule="orders.head"))
    assert {"type", "title", "status", "detail", "error"} == body.keys()
    assert body["detail"] == "It changed."


@pytest.mark.parametrize("body", [None, [], {}, {"error": "no"}, "text"])
def test_an_answer_that_says_nothing_is_an_unusable_process(body: object) -> None:
    assert error_of(500, body).exit_code == 7


def test_a_status_of_the_web_itself_is_a_usage_error() -> None:
    told = problem(UsageError("There is no such page."))
    assert error_of(404, told).exit_code == 2
    assert error_of(413, told).exit_code == 2
    assert error_of(500, told).exit_code == 7
