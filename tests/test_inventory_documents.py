"""YAML and JSON texts become plain values that know their place, or one sentence that names line and column."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.inventory.documents import DEPTH_MAX, Document, Malformed, parse, read_document, scalar
from orchestrator.inventory.sources import Place, Sources

SITES = """\
# sites
sites:
  - id: north
    name: {en: North, fr: Nord}
    networks: [10.1.0.0/16, 10.2.0.0/16]
  - id: south
"""


def refused(text: str) -> tuple[str, int, int | None]:
    """The sentence, line and column a text is refused with."""
    with pytest.raises(Malformed) as caught:
        parse("x.yaml", text)
    return caught.value.message, caught.value.line, caught.value.column


def read(tmp_path: Path, name: str, data: bytes) -> tuple[Document | None, list[str]]:
    (tmp_path / name).write_bytes(data)
    sources = Sources(tmp_path)
    document = read_document(sources, name)
    return document, [str(one) for one in sources.findings]


def test_a_document_becomes_lists_groups_and_text() -> None:
    assert parse("x.yaml", SITES).value == {
        "sites": [
            {"id": "north", "name": {"en": "North", "fr": "Nord"}, "networks": ["10.1.0.0/16", "10.2.0.0/16"]},
            {"id": "south"},
        ]
    }


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (2, 1)),
        (("sites",), (2, 1)),
        (("sites", 0), (3, 5)),
        (("sites", 0, "id"), (3, 5)),
        (("sites", 0, "name", "fr"), (4, 23)),
        (("sites", 0, "networks", 1), (5, 29)),
        (("sites", 1), (6, 5)),
        (("sites", 1, "prober"), (6, 5)),
        (("sites", 9, "id"), (2, 1)),
        (("nowhere", "at", "all"), (2, 1)),
    ],
)
def test_a_person_is_led_to_the_line_and_column_or_to_the_closest_thing_around_it(
    path: tuple[str | int, ...], place: tuple[int, int]
) -> None:
    assert parse("x.yaml", SITES).place(path) == Place("x.yaml", *place)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("20:00", "20:00"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("2022-05-21", "2022-05-21"),
        (".inf", ".inf"),
        ("True", "True"),
        ("10.1.2.3", "10.1.2.3"),
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-7", -7),
        ("1.5", 1.5),
        ("9" * 30, "9" * 30),
    ],
)
def test_what_looks_like_a_time_or_a_no_stays_the_text_a_person_typed(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_quoted_text_is_text_whatever_it_looks_like() -> None:
    assert parse("x.yaml", '["12", \'true\', "", !!str 7]').value == ["12", "true", "", "7"]


def test_an_empty_file_is_nothing_and_its_place_is_its_first_line() -> None:
    document = parse("x.yaml", "# only a comment\n")
    assert document.value is None
    assert document.place(("sites",)) == Place("x.yaml", 1, 1)


@pytest.mark.parametrize(
    ("text", "said", "line", "column"),
    [
        ("a: &x 1\nb: *x\n", "Aliases", 2, 4),
        ("a: &x [*x]\n", "Aliases", 1, 8),
        ("a: 1\nb: 2\na: 3\n", "The key `a` stands twice", 3, 1),
        ("s:\n  - {id: a, id: b}\n", "The key `id` stands twice", 2, 13),
        ("a: !!python/object/apply:os.system [id]\n", "The tag `!!python/object/apply:os.system`", 1, 4),
        ("a: !vault |\n  x\n", "The tag `!vault`", 1, 4),
        ("a: !!binary aGk=\n", "The tag `!!binary`", 1, 4),
        ("a: !!set {b}\n", "The tag `!!set`", 1, 4),
        ("a: 1\n--- \nb: 2\n", "A second document", 2, 1),
        ("{[a]: 1}\n", "A key is a single word", 1, 2),
        ("a: [1, 2\nb: 3\n", "This cannot be read", 2, 2),
        ("a:\n\t- b\n", "This cannot be read", 2, 1),
        ("a: 'open\n", "This cannot be read", 2, 1),
        ("a: *missing\n", "Aliases", 1, 4),
        ("%YAML 3.0\n---\na: 1\n", "This cannot be read", 1, 1),
    ],
)
def test_what_content_may_not_hold_is_one_sentence_with_line_and_column(
    text: str, said: str, line: int, column: int
) -> None:
    message, at_line, at_column = refused(text)
    assert message.startswith(said)
    assert message.endswith(".")
    assert (at_line, at_column) == (line, column)


def test_a_control_character_is_found_on_its_line() -> None:
    assert refused("a: 1\nb: \x07bell\n")[:2] == ("This line holds a control character, which no text may hold.", 2)


@pytest.mark.parametrize("text", ["[" * 500_000, "- " * 500_000 + "x", "{a: " * 500_000])
def test_a_text_nested_without_end_does_not_take_the_process_with_it(text: str) -> None:
    assert f"deeper than {DEPTH_MAX}" in refused(text)[0]


def test_a_billion_laughs_stop_at_the_first_alias() -> None:
    lines = ["a0: &a0 [lol, lol]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert refused("\n".join(lines))[1] == 2


def test_json_is_read_in_the_place_of_yaml(tmp_path: Path) -> None:
    text = json.dumps({"sites": [{"id": "north", "name": {"en": "É", "fr": 'a"b'}}]}, indent=2)
    document, said = read(tmp_path, "sites.json", text.encode())
    assert said == []
    assert document is not None
    assert document.value == json.loads(text)
    assert document.place(("sites", 0, "name", "fr")).line == 7


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{'sites': []}", "sites.json:1:2: error: This is not JSON: Expecting property name"),
        (b'{"sites": [],}', "sites.json:1:14: error: This is not JSON"),
        (b"sites: []", "sites.json:1:1: error: This is not JSON"),
        (b"[" * 100_000, "sites.json:1: error: This JSON is nested too deep"),
        (b'{"a": 1, "a": 2}', "sites.json:1:10: error: The key `a` stands twice"),
        (b"", "sites.json:1:1: error: This is not JSON"),
    ],
)
def test_a_json_file_is_held_to_json(tmp_path: Path, data: bytes, said: str) -> None:
    document, findings = read(tmp_path, "sites.json", data)
    assert document is None
    assert findings[0].startswith(said)


def test_a_file_saved_by_a_windows_editor_is_read(tmp_path: Path) -> None:
    document, said = read(tmp_path, "sites.yaml", b"\xef\xbb\xbfsites:\r\n  - id: north\r\n")
    assert said == []
    assert document is not None
    assert document.value == {"sites": [{"id": "north"}]}


def test_a_file_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    document, said = read(tmp_path, "sites.yaml", "sites:\n  - name: Hôpital\n".encode("latin-1"))
    assert document is None
    assert said == ["sites.yaml:2: error: This line holds bytes that are not UTF-8; save the file as UTF-8."]


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    document, said = read(tmp_path, "sites.yaml", b"#" * (9 << 20))
    assert document is None
    assert said == ["sites.yaml:1: error: The file has 9437184 bytes; at most 8388608 are read."]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        parse("x.yaml", text)
    except Malformed as refusal:
        found = refusal
    else:
        return
    assert found.message
    assert found.line >= 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="ascii"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef-", max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_any_json_value_comes_back_as_itself(value: object) -> None:
    assert parse("x.json", json.dumps(value)).value == value
