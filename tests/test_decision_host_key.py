"""A host key is told in many ways and kept in one."""

from __future__ import annotations

import pytest

from orchestrator.decision.host_key import bare


@pytest.mark.parametrize(
    "told", ["ssh-ed25519 AAAA", "ssh-ed25519 AAAA root@lab-1", " ssh-ed25519  AAAA\n", "ssh-ed25519 AAAA a b c"]
)
def test_a_key_is_kept_without_what_stands_behind_it(told: str) -> None:
    assert bare(told) == "ssh-ed25519 AAAA"


@pytest.mark.parametrize(
    "told", ["", "ssh-ed25519", "not made yet", "ssh-ed25519 $(id)", None, 7, ["ssh-ed25519 AAAA"]]
)
def test_what_is_no_key_is_none(told: object) -> None:
    assert bare(told) == ""
