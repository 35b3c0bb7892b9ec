"""Fits plain values into the content models and says in words, with file and line, what does not fit.

Never stops at the first problem and never lets a misfit entry through: it is left out and complained about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.inventory.documents import Document
from orchestrator.inventory.model import Strict
from orchestrator.inventory.sources import Positioned, Sources, nearest
from orchestrator.inventory.tables import Table

Model = TypeVar("Model", bound=Strict)
Steps = tuple[str | int, ...]
ROWS_AT_ONCE = 1000

# Ids that must differ although they are of different kinds: action ids start with a host or a site.
_TOGETHER = {"host": ("site", "device"), "site": ("host", "device"), "device": ("host", "site")}

_ACCOUNT = "an account name of letters, digits, dots, hyphens and underscores"
_FORMS = {
    "address": "an IPv4 address such as 10.1.2.3",
    "management": "an IPv4 address such as 10.1.2.3",
    "prober": "an IPv4 address such as 10.1.2.3",
    "control": "an address and port such as 10.1.2.3:443",
    "gate": "an address and port such as 10.1.2.3:22",
    "networks": "a network such as 10.1.0.0/16",
    "key": "one OpenSSH public key line, as in the `.pub` file",
    "valid_from": "a day such as 2026-05-01",
    "valid_until": "a day such as 2026-05-01",
    "user": _ACCOUNT,
    "gate_user": _ACCOUNT,
    "management_user": _ACCOUNT,
    "start": "a time such as 07:30",
    "end": "a time such as 19:30",
    "source": "`media`, `spare`, `repository:SERVICE` or `hypervisor:SERVICE`",
    "confirm": "`two-persons` or `check:ID`",
    "room": "one line of printable text",
    "en": "one line of printable text",
    "fr": "one line of printable text",
}
_ID = "an id: at most 63 small letters, digits, dots and hyphens, starting with a letter or a digit"
_KINDS = {"string_type": "text (put it in quotes)", "tuple_type": "a list", "model_type": "a group of fields"}


def fit_one(sources: Sources, document: Document, model: type[Model], kind: str) -> Model | None:
    """The whole document as one model, or None after complaining."""
    try:
        sources.where.add(kind, kind, document, ())
        return model.model_validate(document.value)
    except ValidationError as error:
        complain_all(sources, document, (), "", error.errors(include_url=False))
        return None


def fit_list(sources: Sources, document: Document, key: str, model: type[Model], kind: str) -> tuple[Model, ...]:
    """The entries of the list `key`, without those that do not fit or whose id stands already."""
    value = document.value
    entries = value.get(key, []) if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(entries, list):
        sources.complain(document.place((key,)), f"The file must hold `{key}:` followed by a list.")
        sources.where.unread.add(kind)
        return ()
    return tuple(
        fitted
        for index, entry in enumerate(entries)
        if register(sources, kind, entry, document, (key, index))
        and (fitted := _fit_entry(sources, document, (key, index), model, entry, kind)) is not None
    )


def only_keys(sources: Sources, document: Document, *keys: str) -> None:
    """Complains of each top-level key that is none of `keys`."""
    if isinstance(document.value, dict):
        for key in document.value:
            if key not in keys:
                sources.complain(document.place((key,)), f"There is no `{key}` in this file{nearest(key, keys)}")


def fit_rows(
    sources: Sources, table: Table, model: type[Model], kind: str, raw: Callable[[dict[str, str]], dict[str, Any]]
) -> tuple[Model, ...]:
    """The rows of a table as models, validated many at once; a row that does not fit blocks only its host."""
    adapter = TypeAdapter(list[model])  # type: ignore[valid-type]  # one schema per model, made at run time
    fitted: list[Model] = []
    shared: dict[frozenset[str], set[str]] = {}
    numbered = enumerate(table.rows())
    while some := dict(islice(numbered, ROWS_AT_ONCE)):
        values = {n: raw(row) for n, row in some.items() if register(sources, kind, row, table, (n,))}
        found = _fit_some(sources, table, adapter, kind, values)
        _share_field_names(found, shared)
        fitted += found
    return tuple(fitted)


def _fit_some(
    sources: Sources, table: Table, adapter: TypeAdapter[list[Model]], kind: str, values: dict[int, dict[str, Any]]
) -> list[Model]:
    numbers = list(values)
    try:
        return adapter.validate_python(list(values.values()))
    except ValidationError as error:
        bad: dict[int, list[ErrorDetails]] = {}
        for detail in error.errors(include_url=False):
            bad.setdefault(numbers[cast("int", detail["loc"][0])], []).append(detail)
    for number, details in bad.items():
        name = values[number].get("id", "")
        for detail in details:
            message = f"{_subject(kind, name)}{in_words(detail['loc'][1:], detail)}"
            blocked = (name,) if kind == "host" and name else ()
            sources.complain(table.place((number,)), message, hosts=blocked)
    return adapter.validate_python([value for number, value in values.items() if number not in bad])


def _share_field_names(models: Iterable[Strict], shared: dict[frozenset[str], set[str]]) -> None:
    """Models given the same fields name them in one set: a set of its own is half of what a host holds.

    Frozen models never change it, and a copy takes a copy of it.
    """
    for one in models:
        names = one.__pydantic_fields_set__
        object.__setattr__(one, "__pydantic_fields_set__", shared.setdefault(frozenset(names), names))


def register(sources: Sources, kind: str, entry: object, document: Positioned, path: Steps) -> bool:
    """Notes where an entry stands; complains and is False when its id stands already."""
    name = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(name, str):
        return True
    earlier = sources.where.add(kind, name, document, path)
    for other in _TOGETHER.get(kind, ()):
        if earlier is None and name in sources.where.names(other):
            earlier = sources.where.place(other, name)
    if earlier is None:
        return True
    blocked = (name,) if kind == "host" else ()
    message = f"The id `{name}` stands already at {earlier.file} line {earlier.line}; ids are never shared or reused."
    sources.complain(document.place(path), message, hosts=blocked)
    return False


def complain_all(
    sources: Sources, document: Positioned, path: Steps, subject: str, details: Iterable[ErrorDetails]
) -> None:
    """One finding per validation error, each at the field concerned."""
    for detail in details:
        # A list is not told to be empty where something in it did not fit.
        if detail["type"] != "too_short" or not detail["input"]:
            sources.complain(document.place(path + detail["loc"]), subject + in_words(detail["loc"], detail))


def in_words(loc: Sequence[str | int], detail: ErrorDetails) -> str:
    """One validation error as a sentence."""
    name = ".".join("class" if part == "klass" else str(part) for part in loc) or "the entry"
    last = next((str(part) for part in reversed(loc) if isinstance(part, str)), "")
    kind, value, context = detail["type"], repr(detail["input"])[:80], detail.get("ctx", {})
    if kind == "missing":
        return f"The field `{name}` is missing."
    if kind == "extra_forbidden":
        return f"There is no field `{name}` here{nearest(last, _field_names())}"
    if kind == "string_pattern_mismatch":
        return f"`{name}` must be {_FORMS.get(last, _ID)}; it is {value}."
    if kind == "literal_error":
        return f"`{name}` must be {context['expected']}; it is {value}."
    if kind == "value_error":
        return f"{str(context['error'])[:1].upper()}{str(context['error'])[1:]}."
    if kind == "too_short":
        return f"`{name}` is empty and needs at least one entry."
    if kind in _KINDS:
        return f"`{name}` must be {_KINDS[kind]}; it is {value}."
    return f"`{name}` does not fit: {detail['msg'][:1].lower()}{detail['msg'][1:]}; it is {value}."


def _fit_entry(
    sources: Sources, document: Document, path: Steps, model: type[Model], entry: object, kind: str
) -> Model | None:
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        name = entry.get("id") if isinstance(entry, dict) else None
        complain_all(sources, document, path, _subject(kind, name), error.errors(include_url=False))
        return None


def _subject(kind: str, name: object) -> str:
    return f"{kind.capitalize()} `{name}`: " if name else ""


def _field_names() -> set[str]:
    return {name for model in Strict.__subclasses__() for name in model.model_fields}
