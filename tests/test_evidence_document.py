"""The document of a look holds all that was seen and how; two looks that saw the same are the same document."""

from __future__ import annotations

import pytest

from orchestrator import canonical
from orchestrator.errors import Refused
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import Difference
from tests.test_evidence_manifest import line

SEEN = Evidence(
    action="lab-1/inspect/2",
    host="lab-1",
    klass="lab",
    strategy="restore",
    host_key="ssh-ed25519 AAAA",
    files=3,
    golden="a" * 64,
    differs=Difference((line(b"caf\xe9"),), (line(b"etc/passwd"),), (b"gone",)),
    markers=("implant",),
    samples=(("etc/passwd", "b" * 64),),
    lists={"cron": ("etc/crontab:x",)},
    edr="sentinel",
    edr_running=False,
    restore_point_us=1_000_000,
    t0_us=5_000_000,
    not_examined=("modules",),
)


def test_a_document_is_canonical_and_comes_back_whole() -> None:
    content = SEEN.to_bytes()
    assert canonical.encode(canonical.decode(content)) == content
    assert Evidence.from_bytes(content) == SEEN


@pytest.mark.parametrize(("point_us", "t0_us", "age_s"), [(1_000_000, 5_000_000, 4), (9_000_000, 5_000_000, -4)])
def test_a_restore_point_is_older_or_younger_than_the_first_compromise(point_us: int, t0_us: int, age_s: int) -> None:
    assert Evidence("a", "b", restore_point_us=point_us, t0_us=t0_us).age_before_t0_s == age_s


def test_without_restore_point_or_first_compromise_no_age_is_told() -> None:
    assert Evidence("a", "b", t0_us=1).age_before_t0_s is None
    assert Evidence("a", "b", restore_point_us=1).age_before_t0_s is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"version":1}', b'{"version":2}'])
def test_evidence_of_another_version_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(Refused, match="no evidence of this version"):
        Evidence.from_bytes(content)
