"""Only a set that is kept with the incident can be matched or put in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checks.indicators import Indicator, IndicatorSet
from orchestrator.decision.orders import EMPTY_SET
from orchestrator.errors import Refused
from orchestrator.evidence.sets import stored_set
from orchestrator.journal.blobs import Blobs


def test_a_set_is_found_by_its_digest_and_the_empty_one_is_always_known(tmp_path: Path) -> None:
    made = IndicatorSet()
    made.add([Indicator("name", "implant", "cert")])
    blobs = Blobs(tmp_path, packed=True)
    assert blobs.put(made.to_bytes()) == made.digest
    assert stored_set(blobs, made.digest) == made
    assert len(stored_set(blobs, EMPTY_SET)) == 0


def test_an_unknown_digest_and_a_blob_that_is_no_set_are_refused(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for digest in ("a" * 64, "no digest", blobs.put(b"an order")):
        with pytest.raises(Refused, match="No indicator set") as refused:
            stored_set(blobs, digest)
        assert refused.value.rule == "indicators.unknown"
