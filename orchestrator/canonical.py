"""Turns a value into its one canonical JSON text (RFC 8785) and reads such a text back strictly.

Never accepts what RFC 8785 would render differently from us: no floats, no integer beyond 2**53 - 1, no
key outside ASCII; duplicate keys are refused on reading.
"""

from __future__ import annotations

import json
from typing import cast

from orchestrator.errors import RelanceError

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 32

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

Json = dict[str, "Json"] | list["Json"] | str | int | bool | None


class NotCanonical(RelanceError):
    """The value or text has no canonical form here."""

    code = "canonical"
    exit_code = 3


def encode(value: object) -> bytes:
    """RFC 8785 bytes of `value` (dict, list, tuple, str, int, bool, None).

    Raises NotCanonical on floats, other types, integers beyond 2**53 - 1, lone surrogates, nesting deeper than 32
    and keys outside ASCII (ours never are; there the RFC's UTF-16 order and Python's differ).
    """
    _check(value, 0)
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError as error:
        sentence = "The text holds a lone surrogate, which has no UTF-8 form."
        raise NotCanonical(sentence, rule="canonical.surrogate") from error


def decode(text: bytes, *, size_max: int = 1 << 22) -> Json:
    """The value of a UTF-8 JSON text; raises NotCanonical, each `rule` its own reason.

    Refuses duplicate keys, floats, a byte order mark, lone surrogates, and texts over `size_max` bytes.
    """
    if len(text) > size_max:
        sentence = f"The text has {len(text)} bytes; at most {size_max} are read."
        raise NotCanonical(sentence, rule="canonical.size")
    try:
        value = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_float=_refuse_number, parse_constant=_refuse_number
        )
    except RecursionError as error:
        raise NotCanonical(f"The value is nested deeper than {DEPTH_MAX}.", rule="canonical.depth") from error
    except ValueError as error:
        raise NotCanonical(f"This is not JSON: {error}.", rule="canonical.json") from error
    _check(value, 0)
    if b"\\u" in text:  # only an escape can bring a lone surrogate
        encode(value)
    return cast("Json", value)


def _check(value: object, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise NotCanonical(f"The value is nested deeper than {DEPTH_MAX}.", rule="canonical.depth")
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise NotCanonical("An integer is beyond 2**53 - 1.", rule="canonical.integer")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise NotCanonical(f"The key {key!r:.60} is not ASCII text.", rule="canonical.key")
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1)
    else:
        raise NotCanonical(f"A {type(value).__name__} has no canonical form.", rule="canonical.type")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonical("The same key stands twice in one object.", rule="canonical.duplicate")
    return found


def _refuse_number(text: str) -> object:
    raise NotCanonical(f"The number {text[:40]} is not an integer.", rule="canonical.float")
