"""A check may not claim more than its question proves, and never carries a secret itself."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from orchestrator.checks import model
from orchestrator.checks.model import PARAMETERS, PROVES, WRITES, Check, Reference


def check(probe: str, level: str, **params: str | int | bool) -> Check:
    return Check.model_validate(
        {"id": "lis-reads", "service": "lis", "level": level, "probe": probe, "port": 1, "params": params}
    )


def test_a_check_that_claims_more_than_its_question_proves_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVES, "tcp", {"greeting": "L1", "reading": "L2"})
    monkeypatch.setitem(PARAMETERS, "tcp", {"ask": str})
    assert check("tcp", "L1").level == "L1"
    assert check("tcp", "L2", ask="reading").level == "L2"
    with pytest.raises(ValidationError, match="tcp greeting proves L1 and no more; this check claims L2"):
        check("tcp", "L2")
    with pytest.raises(ValidationError, match="can `ask` greeting, reading; not 'dancing'"):
        check("tcp", "L1", ask="dancing")


def test_a_secret_is_named_and_never_written_into_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model.PARAMETERS, "tcp", {"password": Reference})
    for reference in ("file:lis-reader", "env:LIS_READER"):
        assert check("tcp", "L0", password=reference).params == {"password": reference}
    for secret in ("correct horse", "file:../key", "prompt:word", "file:", "file:a b"):
        with pytest.raises(ValidationError, match="must be `file:NAME` or `env:NAME`") as refused:
            check("tcp", "L0", password=secret)
        assert f"it is {secret}" not in str(refused.value)


@pytest.mark.parametrize("probe", PROVES)
def test_what_a_check_may_ask_is_a_parameter_of_its_probe(probe: str) -> None:
    assert list(PROVES[probe]) == [""] or PARAMETERS[probe]["ask"] is str


def test_a_fresh_row_proves_a_transaction_of_a_link_and_nothing_of_the_sort_of_a_service() -> None:
    def of(subject: str, **params: str | int | bool) -> Check:
        fields = {"level": "L3", "probe": "postgresql", "port": 1, "params": params}
        return Check.model_validate({"id": "results-arrive", subject: "analysers-to-lis", **fields})

    assert of("interface", age_max_s=3600).level == "L3"
    for refused in (lambda: of("interface"), lambda: of("service", age_max_s=3600)):
        with pytest.raises(ValidationError, match="postgresql proves L2 and no more"):
            refused()


@pytest.mark.parametrize(("probe", "asked"), sorted(WRITES))
def test_what_writes_is_known_by_what_it_asks(probe: str, asked: str) -> None:
    assert check(probe, "L3", ask=asked).writes
    assert not check(probe, "L1").writes
