"""What a CERT sends as STIX is read where it is simple, and named by its id where it is not."""

from __future__ import annotations

import json

import pytest

from orchestrator.checks.indicators import Indicator, Uncollected
from orchestrator.checks.stix import read_bundle, read_pattern
from orchestrator.errors import Refused

DIGEST = "a" * 64


def bundle(*objects: dict[str, object]) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}).encode()


def indicator(pattern: str, written_in: str = "stix", **more: object) -> dict[str, object]:
    return {"type": "indicator", "id": "indicator--7", "pattern": pattern, "pattern_type": written_in, **more}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (f"[file:hashes.'SHA-256' = '{DIGEST}']", [("sha256", DIGEST)]),
        (f"  [ file:hashes.SHA256='{DIGEST}' ] ", [("sha256", DIGEST)]),
        ("[file:name = 'implant.exe']", [("name", "implant.exe")]),
        ("[file:name LIKE '%.lo[ck_d']", [("glob", "*.lo[[]ck?d")]),
        ("[domain-name:value = 'c2.example.org']", [("domain", "c2.example.org")]),
        (
            "[ipv4-addr:value = '192.0.2.1' OR ipv6-addr:value = '2001:db8::1']",
            [("address", "192.0.2.1"), ("address", "2001:db8::1")],
        ),
        ("[file:name = 'a'] OR [file:name = 'b']", [("name", "a"), ("name", "b")]),
        (r"[file:name = 'it\'s OR \\ this']", [("name", r"it's OR \ this")]),
        ("[process:extensions.'windows-service-ext'.service_name = 'upd']", [("persistence", "upd")]),
    ],
)
def test_a_simple_pattern_gives_one_indicator_for_each_comparison(pattern: str, found: list[tuple[str, str]]) -> None:
    assert list(read_pattern(pattern, "id")) == [Indicator(kind, value, "id") for kind, value in found]


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        (f"[file:hashes.MD5 = '{'a' * 32}']", "`file:hashes.MD5` is a kind no inspection collects"),
        ("[url:value = 'http://x']", "`url:value`"),
        ("[file:name = 'a' AND file:size = 3]", "not a simple one"),
        (f"[file:name = 'a' AND file:hashes.'SHA-256' = '{DIGEST}']", "not a simple one"),
        ("[file:name = 'a'] FOLLOWEDBY [file:name = 'b']", "not a simple one"),
        ("[file:name = 'a'] AND [file:name = 'b']", "not a simple one"),
        ("[file:name = 'a'] OR [", "not a simple one"),
        ("[file:name = 'a' OR ", "not a simple one"),
        ("[file:name = 'a'", "not a simple one"),
        ("file:name = 'a'", "not a simple one"),
        ("", "not a simple one"),
        ("[file:name MATCHES 'a.*']", "compared by MATCHES"),
        ("[domain-name:value LIKE '%.org']", "compared by LIKE"),
        ("[file:name != 'a']", "compared by !="),
    ],
)
def test_a_pattern_that_is_not_understood_whole_is_never_taken_in_part(pattern: str, word: str) -> None:
    (refused,) = read_pattern(pattern, "indicator--7")
    assert isinstance(refused, Uncollected)
    assert (refused.origin, word in refused.reason) == ("indicator--7", True), refused.reason


def test_one_hash_that_is_collected_does_not_hide_another_that_is_not() -> None:
    found = list(read_pattern(f"[file:hashes.MD5 = 'x' OR file:hashes.'SHA-256' = '{DIGEST}']", "id"))
    assert [type(one) for one in found] == [Uncollected, Indicator]


def test_a_bundle_gives_its_indicators_and_rules_and_passes_over_reports_and_what_was_revoked() -> None:
    text = bundle(
        {"type": "report", "id": "report--1"},
        indicator("[file:name = 'a']"),
        indicator("[file:name = 'old']", revoked=True),
        indicator("rule r { condition: true }", "yara"),
        indicator("alert tcp", "snort"),
        {"type": "indicator", "id": "indicator--8", "pattern": "x"},
    )
    found, rules = read_bundle(text, "cert.json")
    assert found[0] == Indicator("name", "a", "indicator--7")
    assert [str(one) for one in found[1:]] == [
        "indicator--7: a pattern in snort; only stix and yara are read",
        "indicator--8: a pattern in no language; only stix and yara are read",
    ]
    assert rules == {"indicator--7.yar": "rule r { condition: true }"}


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"type":"bundle"}', b'{"type":"bundle","objects":[1]}', b"[" * 100_000]
)
def test_what_is_no_bundle_is_refused(text: bytes) -> None:
    with pytest.raises(Refused, match=r"cert\.json is no"):
        read_bundle(text, "cert.json")
