"""Documents people sign: one text for one meaning, every other text refused for its own reason, and said in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import Json
from orchestrator.trust.statement import (
    ITEMS_MAX,
    MEANS,
    ORDER_BYTES_MAX,
    ORDER_NAMESPACE,
    PREDICATE_TYPE,
    STATEMENT_BYTES_MAX,
    STATEMENT_TYPE,
    SUBJECTS_MAX,
    TEXT_CHARS_MAX,
    VERDICT_NAMESPACE,
    BadStatement,
    Head,
    Order,
    Statement,
    Subject,
    in_words,
)

HEAD = Head(4711, "ab" * 32)
LAUNCH = Order(
    incident="tournai-2026",
    id="0f" * 16,
    kind="wave.launch",
    subject="laboratory/rest-1",
    args={"reason": "Les prélèvements reprennent à 7 h", "posts": ["lab-pc-01", "lab-pc-02"], "count": 2},
    expires_us=1_780_000_000_000_000,
    head=HEAD,
)
LIS = Subject("lis-01", "lis-01/inspect/2", "cd" * 32, "ef" * 32)
CLEAN = Statement(
    verdict="CLEAN",
    person="analyst-3",
    subjects=(LIS, Subject("lis-02", "lis-02/inspect/1", "01" * 32)),
    indicator_set="23" * 32,
    tools=("relance 0.1.0", "yara-x 0.9"),
    method="online, over SSH",
    examined=("files against the golden manifest", "scheduled jobs", "accounts"),
    not_examined=("memory",),
    head=HEAD,
    expires_us=1_780_000_000_000_000,
    incident="tournai-2026",
)
CYRILLIC = "l\u0456s-01"


def reason(text: bytes, read: type[Order] | type[Statement] = Order) -> str:
    with pytest.raises(BadStatement) as caught:
        read.from_bytes(text)
    assert caught.value.exit_code == 3
    assert caught.value.sentence.endswith(".")
    return caught.value.rule


def text(body: object) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def changed(document: Order | Statement, path: str, value: object) -> bytes:
    """The canonical text of a document with the member at a dotted path set, or removed where `value` is `...`."""
    body: Any = json.loads(document.to_bytes())
    *above, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    inner = body
    for name in above:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return text(body)


def test_an_order_read_back_is_the_order_that_was_written() -> None:
    assert Order.from_bytes(LAUNCH.to_bytes()) == LAUNCH
    assert ORDER_NAMESPACE == "relance-order@v1"


def test_an_order_is_the_canonical_text_agreed_on() -> None:
    assert LAUNCH.to_bytes() == rfc8785.dumps(
        {
            "version": 1,
            "incident": "tournai-2026",
            "id": "0f" * 16,
            "kind": "wave.launch",
            "subject": "laboratory/rest-1",
            "args": {"reason": "Les prélèvements reprennent à 7 h", "posts": ["lab-pc-01", "lab-pc-02"], "count": 2},
            "expires_us": 1_780_000_000_000_000,
            "head": {"size": 4711, "root": "ab" * 32},
        }
    )


def test_a_verdict_read_back_is_the_verdict_that_was_written() -> None:
    assert Statement.from_bytes(CLEAN.to_bytes()) == CLEAN
    assert VERDICT_NAMESPACE == "relance-verdict@v1"


def test_a_verdict_is_an_in_toto_statement() -> None:
    assert CLEAN.to_bytes() == rfc8785.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                {"name": "lis-01", "digest": {"sha256": "cd" * 32}, "annotations": {"image": "ef" * 32}},
                {"name": "lis-02", "digest": {"sha256": "01" * 32}, "annotations": {"image": ""}},
            ],
            "predicateType": "urn:relance:verdict:v1",
            "predicate": {
                "verdict": "CLEAN",
                "person": "analyst-3",
                "inspections": {"lis-01": "lis-01/inspect/2", "lis-02": "lis-02/inspect/1"},
                "indicator_set": "23" * 32,
                "tools": ["relance 0.1.0", "yara-x 0.9"],
                "method": "online, over SSH",
                "examined": ["files against the golden manifest", "scheduled jobs", "accounts"],
                "not_examined": ["memory"],
                "means": "No reason was found to keep the hosts named out, in what was examined, with this indicator "
                "set. It is no promise that they are clean, and says nothing about what was not examined.",
                "head": {"size": 4711, "root": "ab" * 32},
                "expires_us": 1_780_000_000_000_000,
                "incident": "tournai-2026",
            },
        }
    )


BOTH: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "canonical.json"),
    "a list": (b"[]", "statement.type"),
    "a number": (b"1", "statement.type"),
    "deeply nested": (b"[" * 30_000 + b"]" * 30_000, "canonical.depth"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "canonical.json"),
    "a float": (b'{"expires_us":1.5}', "canonical.float"),
    "a key twice": (b'{"kind":1,"kind":1}', "canonical.duplicate"),
    "keys out of order": (b'{"b":1,"a":1}', "statement.form"),
    "a space": (b'{"a": 1}', "statement.form"),
    "a line end at the end": (b'{"a":1}\n', "statement.form"),
    "a needless escape": (b'{"a":"\\u0041"}', "statement.form"),
    "a negative zero": (b'{"a":-0}', "statement.form"),
    "a lone surrogate": (b'{"a":"\\udc00"}', "canonical.surrogate"),
}


@pytest.mark.parametrize("case", BOTH)
@pytest.mark.parametrize("read", [Order, Statement])
def test_a_text_in_any_other_form_is_refused_before_its_meaning_is_looked_at(
    read: type[Order] | type[Statement], case: str
) -> None:
    assert reason(BOTH[case][0], read) == BOTH[case][1]


@pytest.mark.parametrize(("read", "size_max"), [(Order, ORDER_BYTES_MAX), (Statement, STATEMENT_BYTES_MAX)])
def test_an_oversized_document_is_not_even_parsed(read: type[Order] | type[Statement], size_max: int) -> None:
    assert reason(b"[" * (size_max + 1), read) == "canonical.size"


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("version", 2, "statement.version"),
        ("version", True, "statement.version"),
        ("version", "1", "statement.version"),
        ("version", ..., "statement.keys"),
        ("note", "x", "statement.keys"),
        ("head", ..., "statement.keys"),
        ("head.time", 1, "statement.keys"),
        ("head", [4711, "ab" * 32], "statement.type"),
        ("head.size", -1, "statement.integer"),
        ("head.size", True, "statement.integer"),
        ("head.size", "4711", "statement.integer"),
        ("head.root", "ab" * 31, "statement.id"),
        ("head.root", "AB" * 32, "statement.id"),
        ("incident", 7, "statement.type"),
        ("incident", "", "statement.id"),
        ("id", "0f" * 15, "statement.id"),
        ("id", "0F" * 16, "statement.id"),
        ("kind", "wave launch", "statement.id"),
        ("kind", "wave.lаunch", "statement.look-alike"),
        ("subject", "laboratory\n", "statement.text"),
        ("subject", "laboratory\u202e", "statement.text"),
        ("subject", "-laboratory", "statement.id"),
        ("subject", CYRILLIC, "statement.look-alike"),
        ("subject", "ｌis-01", "statement.look-alike"),
        ("subject", "lis‐01", "statement.look-alike"),
        ("subject", "x" * (TEXT_CHARS_MAX + 1), "statement.long"),
        ("expires_us", 0, "statement.integer"),
        ("expires_us", None, "statement.integer"),
        ("args", [], "statement.type"),
        ("args.Reason", "", "statement.id"),
        ("args.reason", "one\ntwo", "statement.text"),
        ("args.reason", "e\u0301", "statement.nfc"),
        ("args.reason", "a\u200bb", "statement.text"),
        ("args.posts", [["lab-pc-01", "\x1b[2J"]], "statement.text"),
        ("args.posts", {"lab\tpc": 1}, "statement.text"),
        ("args.posts", {"lab-pc": {"deep": "\x00"}}, "statement.text"),
        ("args.clé", 1, "canonical.key"),
    ],
)
def test_an_order_with_one_thing_wrong_is_refused_for_that_thing(path: str, value: object, rule: str) -> None:
    assert reason(changed(LAUNCH, path, value)) == rule


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1", "statement.version"),
        ("predicateType", "urn:relance:verdict:v2", "statement.version"),
        ("predicateType", ..., "statement.keys"),
        ("predicate", [], "statement.type"),
        ("predicate.subjects", [], "statement.keys"),
        ("predicate.person", ..., "statement.keys"),
        ("predicate.person", "аnalyst-3", "statement.look-alike"),
        ("predicate.verdict", "clean", "statement.verdict"),
        ("predicate.verdict", ["CLEAN"], "statement.verdict"),
        ("predicate.indicator_set", "", "statement.id"),
        ("predicate.incident", "Tournai", "statement.id"),
        ("predicate.expires_us", -1, "statement.integer"),
        ("predicate.head", {}, "statement.keys"),
        ("predicate.means", ..., "statement.keys"),
        ("predicate.means", "", "statement.means"),
        ("predicate.means", "The hosts named are clean, and their signer answers for it.", "statement.means"),
        ("predicate.means", MEANS["SUSPECT"], "statement.means"),
        ("predicate.means", ["CLEAN"], "statement.means"),
        ("predicate.verdict", "SUSPECT", "statement.means"),
        ("predicate.method", "one\ntwo", "statement.text"),
        ("predicate.method", 3, "statement.type"),
        ("predicate.tools", "yara", "statement.type"),
        ("predicate.tools", ["yara", None], "statement.type"),
        ("predicate.not_examined", ["x"] * (ITEMS_MAX + 1), "statement.items"),
        ("predicate.examined", [], "statement.examined"),
        ("predicate.inspections", [], "statement.type"),
        ("predicate.inspections", {"lis-01": "lis-01/inspect/2"}, "statement.inspection"),
        ("predicate.inspections.lis-01", "lis-02/inspect/1", "statement.inspection"),
        ("predicate.inspections.lis-01", "lis-01/restore/1", "statement.inspection"),
        ("predicate.inspections.lis-01", "lis-01/inspect/", "statement.inspection"),
        ("predicate.inspections.lis-01", "lis-01/inspect/²", "statement.inspection"),
        ("predicate.inspections.lis-03", "lis-03/inspect/1", "statement.inspections"),
        ("subject", {}, "statement.type"),
        ("subject", [], "statement.inspections"),
        ("subject.0", "lis-01", "statement.type"),
        ("subject.0.name", CYRILLIC, "statement.look-alike"),
        ("subject.0.name", "lis-02", "statement.subjects"),
        ("subject.0.uri", "x", "statement.keys"),
        ("subject.0.digest", {}, "statement.keys"),
        ("subject.0.digest", "cd" * 32, "statement.type"),
        ("subject.0.digest.sha256", "cd", "statement.id"),
        ("subject.0.digest.sha256", ["cd" * 32], "statement.type"),
        ("subject.0.digest.md5", "cd" * 16, "statement.keys"),
        ("subject.0.annotations", {"image": "", "note": ""}, "statement.keys"),
        ("subject.0.annotations.image", "ef" * 33, "statement.id"),
        ("subject.0.annotations.image", None, "statement.type"),
    ],
)
def test_a_verdict_with_one_thing_wrong_is_refused_for_that_thing(path: str, value: object, rule: str) -> None:
    assert reason(changed(CLEAN, path, value), Statement) == rule


def test_the_refusal_of_a_look_alike_names_the_letter() -> None:
    with pytest.raises(BadStatement, match=r"U\+0456 CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I"):
        Order.from_bytes(changed(LAUNCH, "subject", CYRILLIC))
    with pytest.raises(BadStatement, match=r"U\+202E RIGHT-TO-LEFT OVERRIDE"):
        Order.from_bytes(changed(LAUNCH, "args.reason", "wen \u202eold"))
    with pytest.raises(BadStatement, match=r"U\+0001 without a name"):
        Order.from_bytes(changed(LAUNCH, "args.reason", "\u0001"))


def test_the_refusal_of_a_key_says_whether_it_is_missing_or_unknown() -> None:
    with pytest.raises(BadStatement, match=r"The order lacks 'head'\.") as caught:
        Order.from_bytes(changed(LAUNCH, "head", ...))
    assert caught.value.facts == {"where": "order", "keys": ["head"]}
    with pytest.raises(BadStatement, match=r"The order has an unknown 'note'\."):
        Order.from_bytes(changed(LAUNCH, "note", 1))


def test_the_same_host_cannot_stand_twice_in_a_lot_nor_hosts_in_two_orders() -> None:
    with pytest.raises(BadStatement, match="each once, in sorted order"):
        replace(CLEAN, subjects=(LIS, LIS))
    with pytest.raises(BadStatement, match="each once, in sorted order"):
        replace(CLEAN, subjects=CLEAN.subjects[::-1])
    with pytest.raises(BadStatement, match="1 to 4000 hosts"):
        replace(CLEAN, subjects=())


def test_the_largest_lot_can_be_signed_and_a_larger_one_cannot() -> None:
    def lot(count: int) -> tuple[Subject, ...]:
        hosts = (f"{number:05}{'-ward' * 11}" for number in range(count))
        return tuple(Subject(host, f"{host}/inspect/1", "cd" * 32, "ef" * 32) for host in hosts)

    largest = replace(CLEAN, subjects=lot(SUBJECTS_MAX))
    assert Statement.from_bytes(largest.to_bytes()) == largest
    with pytest.raises(BadStatement, match="each once"):
        replace(CLEAN, subjects=lot(SUBJECTS_MAX + 1))


def test_what_could_not_be_read_back_is_not_written() -> None:
    large: dict[str, Json] = {f"note-{number}": "x" * TEXT_CHARS_MAX for number in range(40)}
    with pytest.raises(BadStatement, match="at most 65536 can be signed") as caught:
        replace(LAUNCH, args=large).to_bytes()
    assert caught.value.rule == "statement.size"
    with pytest.raises(BadStatement) as caught:
        replace(LAUNCH, args={"ratio": 0.5}).to_bytes()  # type: ignore[dict-item]
    assert caught.value.rule == "canonical.type"


def test_an_order_may_carry_arguments_within_arguments() -> None:
    order = replace(LAUNCH, args={"persons": [{"id": "analyst-3", "roles": ["analyst"], "days": {"from": 1}}]})
    assert Order.from_bytes(order.to_bytes()) == order
    assert '  persons: [{"days":{"from":1},"id":"analyst-3","roles":["analyst"]}]' in in_words(order)


def test_times_in_an_order_are_said_as_dates_and_two_times_never_read_alike() -> None:
    person = {"id": "analyst-3", "valid_from_us": 1_780_000_000_000_000}
    order = replace(LAUNCH, args={"at_us": 1_780_000_000_000_001, "person": person, "count_us": True, "k": 3})
    words = in_words(order)
    assert "  at_us: 2026-05-28 20:26:40.000001 UTC" in words
    assert "valid_from_us: 2026-05-28 20:26:40 UTC" in words
    assert "  count_us: true" in words
    assert "  k: 3" in words
    assert "1780000000" not in words


def test_only_a_clean_verdict_must_say_what_was_examined() -> None:
    assert replace(CLEAN, verdict="SUSPECT", examined=()).examined == ()


def test_an_order_about_many_hosts_says_each_on_its_own_line() -> None:
    words = in_words(replace(LAUNCH, args={"hosts": {"lis-1": "e", "lis-2": "f"}})).splitlines()
    assert words[1:4] == ["  hosts: ", "    lis-1: e", "    lis-2: f"]


def test_an_order_is_said_in_words() -> None:
    assert in_words(LAUNCH).splitlines() == [
        "You sign an ORDER: wave.launch, subject laboratory/rest-1.",
        "  count: 2",
        "  posts: ",
        "    lab-pc-01",
        "    lab-pc-02",
        "  reason: Les prélèvements reprennent à 7 h",
        f"Order {'0f' * 16}.",
        "Incident: tournai-2026, as its journal stood after record 4711",
        f"  (root {'ab' * 32}).",
        "Counts until 2026-05-28 20:26:40 UTC.",
    ]


def test_a_verdict_is_said_in_words_with_what_was_not_examined() -> None:
    assert in_words(CLEAN).splitlines() == [
        "You sign a VERDICT as analyst-3: CLEAN, no reason was found to keep out a lot of 2 hosts:",
        f"  lis-01 (inspection lis-01/inspect/2, evidence {'cd' * 32}, image {'ef' * 32})",
        f"  lis-02 (inspection lis-02/inspect/1, evidence {'01' * 32})",
        f"Indicator set {'23' * 32}; method: online, over SSH.",
        "Tools: relance 0.1.0; yara-x 0.9.",
        "Examined: files against the golden manifest; scheduled jobs; accounts.",
        "Not examined: memory.",
        f"It means: {MEANS['CLEAN']}",
        "Incident: tournai-2026, as its journal stood after record 4711",
        f"  (root {'ab' * 32}).",
        "Counts until 2026-05-28 20:26:40 UTC.",
    ]
    infected = replace(CLEAN, verdict="INFECTED", subjects=(LIS,), not_examined=())
    assert "INFECTED, an intruder's traces were found on 1 host:" in in_words(infected)
    assert "Not examined: nothing named." in in_words(infected)


def test_letters_that_only_look_latin_are_pointed_out_to_the_signer() -> None:
    words = in_words(replace(LAUNCH, args={"posts": ["lab-pc-01", CYRILLIC], "reason": "dès 7 h, 20 °C, 5 µl"}))
    assert words.splitlines()[-2:] == [
        "Look closely: this text holds U+00B5 MICRO SIGN.",
        "Look closely: this text holds U+0456 CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I.",
    ]


@given(
    args=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    ),
    expires_us=st.integers(1, 2**53 - 1),
)
def test_every_order_that_can_be_made_can_be_read_back_and_said(args: dict[str, Json], expires_us: int) -> None:
    try:
        order = replace(LAUNCH, args=args, expires_us=expires_us)
    except BadStatement as refused:
        if refused.rule in {"statement.text", "statement.nfc"}:
            return
        raise
    assert Order.from_bytes(order.to_bytes()) == order
    assert in_words(order).isprintable() is False
    assert all(line.isprintable() for line in in_words(order).splitlines())


@given(at=st.integers(0, len(CLEAN.to_bytes()) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_makes_another_verdict_or_none(at: int, byte: int) -> None:
    damaged = bytearray(CLEAN.to_bytes())
    damaged[at] = byte
    try:
        assert (Statement.from_bytes(bytes(damaged)) == CLEAN) == (bytes(damaged) == CLEAN.to_bytes())
    except BadStatement as refused:
        if not refused.rule:
            raise


@given(
    body=st.fixed_dictionaries(
        {}, optional={"_type": st.just(STATEMENT_TYPE), "predicateType": st.just(PREDICATE_TYPE)}
    )
)
def test_a_partial_statement_is_refused(body: dict[str, str]) -> None:
    assert reason(text(body), Statement) == "statement.keys"
