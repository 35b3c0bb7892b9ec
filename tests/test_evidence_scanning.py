"""YARA rules are compiled before anybody relies on them, and matched on samples in memory."""

from __future__ import annotations

import pytest
import yara_x

from orchestrator.errors import Refused
from orchestrator.evidence.scanning import Scanner

RULE = 'rule lockbit { strings: $a = "pay us" condition: $a }'


def test_a_rule_is_told_by_its_file_and_name() -> None:
    scanner = Scanner({"cert.yar": RULE, "b.yar": RULE.replace("pay us", "other")})
    assert scanner.hits(b"please pay us now") == ["cert.yar: lockbit"]
    assert scanner.hits(b"") == []


@pytest.mark.parametrize("source", ["rule {", 'include "/etc/passwd"', "rule r { condition: filesize > unknown }"])
def test_rules_that_do_not_compile_or_reach_for_files_are_refused_by_name(source: str) -> None:
    with pytest.raises(Refused, match=r"cert\.yar do not compile"):
        Scanner({"cert.yar": source})


def test_a_scan_that_does_not_end_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        def scan(self, content: bytes) -> object:
            raise yara_x.TimeoutError("timeout")

    scanner = Scanner({"cert.yar": RULE})
    monkeypatch.setattr(scanner, "_scanner", Endless())
    with pytest.raises(Refused, match="could not be scanned"):
        scanner.hits(b"x")
