"""What indicators ask for is found wherever an inspection saw it, and nothing is called matched that was not."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from orchestrator.checks.indicators import Indicator, IndicatorSet
from orchestrator.errors import Unusable
from orchestrator.evidence import manifest
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import Difference
from orchestrator.evidence.matching import HITS_MAX, Matcher
from tests.test_evidence_manifest import line

RULE = 'rule lockbit { strings: $a = "pay us" condition: $a }'


class Store:
    """Blobs in memory, counting what is asked for."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def get(self, digest: str) -> bytes:
        self.asked.append(digest)
        if digest not in self.blobs:
            raise Unusable(f"{digest[:8]} is missing.")
        return self.blobs[digest]


@pytest.fixture
def store() -> Store:
    return Store()


def wanted(*pairs: tuple[str, str], rules: str = "") -> IndicatorSet:
    made = IndicatorSet(rules={"cert.yar": rules} if rules else {})
    assert made.add(Indicator(kind, value, "cert") for kind, value in pairs) == []
    return made


def found(seen: Evidence, store: Store, *pairs: tuple[str, str]) -> list[str]:
    return [f"{hit.kind} {hit.where}" for hit in Matcher(wanted(*pairs), store.get).match(seen).hits]


def differing(*lines: bytes) -> Evidence:
    return Evidence("a/inspect/1", "a", differs=Difference(lines, (), ()))


BAD = line(b"opt/app/Implant.exe", b"bad")
DIGEST = BAD[:64].decode()


@pytest.mark.parametrize(
    ("kind", "value", "hit"),
    [
        ("sha256", DIGEST, True),
        ("sha256", "0" * 64, False),
        ("name", "Implant.exe", True),
        ("name", "implant.exe", False),
        ("name", "app", False),
        ("glob", "*.exe", True),
        ("glob", "Impl?nt.*", True),
        ("glob", "*.ex", False),
        ("glob", "app*", False),
        ("glob", "/opt/*/Implant.exe", True),
        ("glob", "opt/*", True),
        ("glob", "*/app/Implant.exe", True),
        ("glob", "app/Implant.exe", False),
    ],
)
def test_a_file_is_found_by_its_digest_its_name_or_a_pattern(store: Store, kind: str, value: str, hit: bool) -> None:
    assert found(differing(line(b"etc/passwd"), BAD), store, (kind, value)) == (
        [f"{kind} opt/app/Implant.exe"] if hit else []
    )


def test_a_file_at_the_root_of_what_was_looked_at_is_found_too(store: Store) -> None:
    seen = differing(line(b"./x.locked"), line(b"y.locked"))
    assert found(seen, store, ("glob", "*.locked")) == ["glob ./x.locked", "glob y.locked"]
    assert found(seen, store, ("name", "y.locked"), ("glob", "/x.locked")) == ["name y.locked", "glob ./x.locked"]


def test_a_bad_file_in_the_golden_manifest_hits_every_host_that_still_holds_it(store: Store) -> None:
    golden = store.put(manifest.to_bytes({BAD, line(b"etc/passwd")}))
    matcher = Matcher(wanted(("sha256", DIGEST)), store.get)
    same = Evidence("a/inspect/1", "a", golden=golden)
    gone = replace(same, differs=Difference((), (), (BAD[66:],)))
    replaced = replace(same, differs=Difference((), (line(BAD[66:], b"good"),), ()))
    assert [len(matcher.match(one).hits) for one in (same, gone, replaced, same)] == [1, 0, 0, 1]
    assert store.asked == [golden], "however many hosts differ from it, it is read once"


def test_a_host_without_golden_manifest_is_matched_by_its_own(store: Store) -> None:
    own = store.put(manifest.to_bytes({BAD}))
    assert found(Evidence("a/inspect/1", "a", manifest=own), store, ("sha256", DIGEST)) == [
        "sha256 opt/app/Implant.exe"
    ]


def test_a_manifest_that_is_missing_is_an_error_and_never_no_hit(store: Store) -> None:
    with pytest.raises(Unusable, match="missing"):
        found(Evidence("a/inspect/1", "a", manifest="0" * 64), store, ("sha256", DIGEST))


@pytest.mark.parametrize(
    ("kind", "value", "name", "text", "hit"),
    [
        ("persistence", "updater", "services", "etc/systemd/system/updater.service:ExecStart=/x", True),
        ("persistence", "updater.timer", "timers", "etc/systemd/system/updater.timer:OnCalendar=daily", True),
        ("persistence", "updater", "accounts", "updater", False),
        ("persistence", "rootkit", "modules", "rootkit", True),
        ("domain", "example.org", "cron", "etc/crontab:* * * * * curl https://C2.Example.org/x", True),
        ("domain", "example.org", "cron", "etc/crontab:* * * * * curl https://notexample.org/x", False),
        ("domain", "example.org", "patch_level", "libexample.org 1", False),
        ("address", "192.0.2.7", "established", "0 0 10.0.0.1:44 192.0.2.7:443", True),
        ("address", "192.0.2.7", "established", "0 0 10.0.0.1:44 192.0.2.77:443", False),
        ("address", "192.0.2.7", "established", "0 0 [::1]:44 [::ffff:192.0.2.7]:443", True),
        ("address", "2001:db8::1", "established", "0 0 [::1]:44 [2001:DB8:0::1]:443", True),
        ("address", "192.0.2.7", "established", "999.9.9.9:1 1:2:3", False),
    ],
)
def test_what_starts_by_itself_and_whom_a_host_talks_to_is_matched_in_the_lists(
    store: Store, kind: str, value: str, name: str, text: str, hit: bool
) -> None:
    seen = Evidence("a/inspect/1", "a", lists={name: (text,)})
    assert bool(found(seen, store, (kind, value))) == hit


def test_rules_are_matched_on_fetched_files_and_where_none_was_fetched_that_is_said(store: Store) -> None:
    matcher = Matcher(wanted(rules=RULE), store.get)
    sample = store.put(b"pay us")
    seen = Evidence("a/inspect/1", "a", samples=(("tmp/x", sample), ("tmp/y", sample)))
    assert [hit.where for hit in matcher.match(seen).hits] == ["tmp/x", "tmp/y"]
    assert store.asked == [sample], "the same content is scanned once"
    assert matcher.match(Evidence("b/inspect/1", "b")).unmatched == ("YARA rules: no file was fetched",)
    (said,) = matcher.match(replace(seen, samples=(("tmp/z", "0" * 64),))).unmatched
    assert said == "YARA rules on tmp/z: 00000000 is missing."


def test_of_very_many_hits_the_first_are_told_and_the_others_counted(store: Store) -> None:
    seen = differing(*(line(b"%d.locked" % number) for number in range(HITS_MAX + 5)))
    told = Matcher(wanted(("glob", "*.locked")), store.get).match(seen)
    assert (len(told.hits), told.more) == (HITS_MAX, 5)
    assert str(told.hits[0]) == "glob *.locked at 0.locked (cert)"
