"""Every question a check can ask has words: what it asks, what its PASS means, what it leaves open."""

from __future__ import annotations

from itertools import chain

import pytest

from orchestrator.checks.meaning import meaning, parameters
from orchestrator.checks.model import PARAMETERS, PROVES, Check

QUESTIONS = sorted(chain.from_iterable(((probe, asked) for asked in PROVES.get(probe, [""])) for probe in PARAMETERS))


def check(probe: str, level: str = "L0", **params: str | int | bool) -> Check:
    return Check.model_validate(
        {"id": "lis-reads", "service": "lis", "level": level, "probe": probe, "port": 1, "params": params}
    )


@pytest.mark.parametrize(("probe", "asked"), QUESTIONS)
def test_no_question_goes_unexplained(probe: str, asked: str) -> None:
    means = meaning(check(probe, **({"ask": asked} if asked else {})))
    assert means.question
    assert means.proof
    assert means.gap


def test_a_fresh_row_and_an_unread_certificate_are_said() -> None:
    assert "at most 900 s old" in meaning(check("postgresql", age_max_s=900)).proof
    assert "who answered" in meaning(check("http", tls=True, unverified=True)).gap


def test_a_secret_is_told_by_its_reference_alone() -> None:
    told = parameters(check("ldap", ask="bind", user="reader", password="file:ldap-reader"))
    assert told == "user reader, password file:ldap-reader"
