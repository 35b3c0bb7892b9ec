"""A set of indicators says exactly what is looked for; what no inspection collects never slips in unseen."""

from __future__ import annotations

import pytest

from orchestrator.checks.indicators import Indicator, IndicatorSet, Uncollected, read_csv
from orchestrator.errors import Refused

DIGEST = "AB" * 32


def one(kind: str, value: str) -> tuple[dict[str, dict[str, str]], list[Uncollected]]:
    """A set made of one indicator: what it holds, what it refused."""
    made = IndicatorSet()
    refused = made.add([Indicator(kind, value, "cert-1")])
    return {kind: found for kind, found in made.values.items() if found}, refused


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("sha256", DIGEST, "ab" * 32),
        ("SHA256 ", f" {DIGEST} ", "ab" * 32),
        ("name", "Implant.exe", "Implant.exe"),
        ("glob", "*.locked", "*.locked"),
        ("glob", "/opt/*/implant", "/opt/*/implant"),
        ("persistence", "winupdate", "winupdate"),
        ("domain", "C2.Example.ORG.", "c2.example.org"),
        ("address", "192.0.2.7", "192.0.2.7"),
        ("address", "2001:DB8::0:1", "2001:db8::1"),
    ],
)
def test_an_indicator_is_kept_in_the_one_form_it_is_compared_in(kind: str, value: str, kept: str) -> None:
    assert one(kind, value) == ({kind.strip().lower(): {kept: "cert-1"}}, [])


@pytest.mark.parametrize(
    ("kind", "value", "word"),
    [
        ("md5", "d" * 32, "kind no inspection collects"),
        ("registry", "HKLM", "this version collects sha256"),
        ("sha256", "ab", "no SHA-256"),
        ("name", "opt/implant", "is a path"),
        ("name", "", "1 to 1000 characters"),
        ("name", "a\0b", "1 to 1000 characters"),
        ("glob", "*", "fits every file"),
        ("glob", "**/*", "fits every file"),
        ("domain", "localhost", "no domain name"),
        ("domain", "http://c2.example.org", "no domain name"),
        ("address", "192.0.2.0/24", "no single address"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_with_its_origin_and_why(kind: str, value: str, word: str) -> None:
    kept, refused = one(kind, value)
    assert kept == {}
    assert str(refused[0]).startswith("cert-1: ")
    assert word in refused[0].reason


def test_a_set_is_named_by_what_it_holds_and_not_by_the_order_it_came_in() -> None:
    several = [Indicator("name", "a", "x"), Indicator("name", "b", "y"), Indicator("domain", "c2.example.org", "z")]
    first, second = IndicatorSet(), IndicatorSet()
    first.add(several)
    second.add(reversed(several))
    assert first.digest == second.digest
    assert IndicatorSet.from_bytes(first.to_bytes()) == first
    assert len(first) == 3
    second.left_out = ["md5"]
    assert second.digest != first.digest, "what was left out is part of what was looked for"


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"version":1,"values":{"sha256":[["a"]]},"rules":[],"left_out":[]}']
)
def test_bytes_that_are_no_set_are_refused(text: bytes) -> None:
    with pytest.raises(Refused, match="no indicator set"):
        IndicatorSet.from_bytes(text)


def test_a_csv_tells_the_line_of_each_indicator() -> None:
    text = f"kind,value,note\nsha256,{DIGEST},dropper\n\nname,implant\nname\n"
    assert list(read_csv(text, "cert.csv")) == [
        Indicator("sha256", DIGEST, "cert.csv line 2: dropper"),
        Indicator("name", "implant", "cert.csv line 4"),
        Uncollected("cert.csv line 5", "it has no value"),
    ]


@pytest.mark.parametrize(
    ("text", "word"), [("", "header"), ("sha256,aa\n", "header"), ('kind,value\nname,"a"b"\n', "line 2 is no CSV")]
)
def test_a_csv_without_its_header_or_with_broken_quotes_is_refused(text: str, word: str) -> None:
    with pytest.raises(Refused, match=word):
        list(read_csv(text, "cert.csv"))


def test_a_set_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.checks.indicators.INDICATORS_MAX", 2)
    with pytest.raises(Refused, match="at most 2"):
        IndicatorSet().add(Indicator("name", str(number), "x") for number in range(3))
