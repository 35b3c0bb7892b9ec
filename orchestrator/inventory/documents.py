"""Turns the text of a YAML or JSON file into plain values that know their line and column.

Built from the parser's events: it never constructs an object, follows an alias or recurses, so tags, aliases,
duplicate keys and deep nesting end in a sentence. Scalars are read as YAML 1.2 does (`no` and `20:00` are text).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from orchestrator.inventory.sources import Place, Sources

SIZE_BYTES_MAX = 8 << 20
DEPTH_MAX = 24

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?")
_WORDS: dict[str, object] = {"": None, "null": None, "~": None, "true": True, "false": False}

Spot = tuple[int, int]
Path = tuple[str | int, ...]


class Malformed(Exception):
    """The text is no document of ours; carries the sentence and where."""

    def __init__(self, message: str, line: int, column: int | None) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


class Document:
    """A parsed file: `value`, and where each part of it stands."""

    def __init__(self, file: str, value: object, spots: dict[int, dict[str | int, Spot]], start: Spot) -> None:
        self.file, self.value = file, value
        # Keyed by id() of the container, which stays unique because `value` keeps all containers alive.
        self._spots, self._start = spots, start

    def place(self, path: Path) -> Place:
        """Line and column of what `path` leads to; of the closest thing around it where the path ends early."""
        value, spot = self.value, self._start
        for key in path:
            found = self._spots.get(id(value), {}).get(key)
            if found is None:
                break
            spot = found
            value = cast("Any", value)[key]
        return Place(self.file, *spot)


def read_document(sources: Sources, relative: str) -> Document | None:
    """The document in a YAML or JSON file of the estate, or None after complaining."""
    text = sources.text(relative, SIZE_BYTES_MAX)
    if text is None:
        return None
    try:
        if relative.endswith(".json"):
            _check_json(text)
        return parse(relative, text)
    except Malformed as error:
        sources.complain(Place(relative, error.line, error.column), error.message)
        return None


def parse(file: str, text: str) -> Document:
    """The one document in `text`; raises Malformed."""
    try:
        return _Builder(file).build(yaml.parse(text, Loader=_LOADER))
    except yaml.reader.ReaderError as error:
        found = yaml.reader.Reader.NON_PRINTABLE.search(text)
        line = text.count("\n", 0, found.start() if found else 0) + 1
        raise Malformed("This line holds a control character, which no text may hold.", line, None) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise Malformed(f"This cannot be read: {error.problem or error.context}.", line, column) from error


class _Builder:
    """Builds nested values from parser events with a stack of its own."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._spots: dict[int, dict[str | int, Spot]] = {}
        self._open: list[tuple[dict[str, object] | list[object], dict[str | int, Spot]]] = []
        self._keys: list[tuple[str, Spot] | None] = []
        self._documents: list[tuple[object, Spot]] = []

    def build(self, events: Iterator[Event]) -> Document:
        for event in events:
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._start(event)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._open.pop()
                self._keys.pop()
            elif isinstance(event, AliasEvent):
                raise _malformed("Aliases (`*name`) are not read; write the value out.", _spot(event))
            elif isinstance(event, DocumentStartEvent) and self._documents:
                raise _malformed("A second document starts here; a file holds one.", _spot(event))
        value, start = self._documents[0] if self._documents else (None, (1, 1))
        return Document(self._file, value, self._spots, start)

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        spot = _spot(event)
        if len(self._open) >= DEPTH_MAX:
            raise _malformed(f"This is nested deeper than {DEPTH_MAX} levels.", spot)
        _refuse_tag(event, "!!map" if isinstance(event, MappingStartEvent) else "!!seq")
        value: dict[str, object] | list[object] = {} if isinstance(event, MappingStartEvent) else []
        self._place(value, spot)
        spots = self._spots[id(value)] = {}
        self._open.append((value, spots))
        self._keys.append(None)

    def _scalar(self, event: ScalarEvent) -> None:
        _refuse_tag(event, "!!str")
        if self._open and isinstance(self._open[-1][0], dict) and self._keys[-1] is None:
            self._key(event.value, _spot(event))
        else:
            plain = not event.style and not event.tag
            self._place(scalar(event.value) if plain else event.value, _spot(event))

    def _key(self, key: str, spot: Spot) -> None:
        container = self._open[-1][0]
        if key in container:
            raise _malformed(f"The key `{key[:60]}` stands twice in the same group.", spot)
        self._keys[-1] = (key, spot)

    def _place(self, value: object, spot: Spot) -> None:
        if not self._open:
            self._documents.append((value, spot))
            return
        container, spots = self._open[-1]
        if isinstance(container, list):
            spots[len(container)] = spot
            container.append(value)
            return
        named = self._keys[-1]
        if named is None:
            raise _malformed("A key is a single word here, not a list or a group.", spot)
        container[named[0]], spots[named[0]] = value, named[1]
        self._keys[-1] = None


def scalar(text: str) -> object:
    """What an unquoted YAML scalar means: null, true, false, a plain decimal number, else text."""
    if text in _WORDS:
        return _WORDS[text]
    if (number := _NUMBER.fullmatch(text)) is None:
        return text
    return float(text) if number[2] else int(text)


def _refuse_tag(event: ScalarEvent | MappingStartEvent | SequenceStartEvent, allowed: str) -> None:
    if event.tag and event.tag not in ("!", "tag:yaml.org,2002:" + allowed[2:]):
        tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")[:60]
        raise _malformed(f"The tag `{tag}` is not read; content is plain text, lists and groups.", _spot(event))


def _spot(event: Event) -> Spot:
    mark = cast("yaml.Mark", event.start_mark)
    return mark.line + 1, mark.column + 1


def _malformed(message: str, spot: Spot) -> Malformed:
    return Malformed(message, *spot)


def _check_json(text: str) -> None:
    """JSON is read by the YAML parser, which knows the lines, once it is known to be JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"This is not JSON: {error.msg}.", error.lineno, error.colno) from error
    except (RecursionError, ValueError) as error:
        raise Malformed("This JSON is nested too deep or holds a number too long.", 1, None) from error
