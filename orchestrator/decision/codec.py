"""Turns an event or command into a journal body and back, strictly, and what the state keeps into plain values.

Never fills in a missing field and never drops an unknown one: a record that does not fit is an error.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import fields
from typing import Any, get_args

from orchestrator.canonical import Json
from orchestrator.decision.commands import Command
from orchestrator.decision.events import Event
from orchestrator.errors import Unusable

VERSION = 1


def kind_of(entry_type: type) -> str:
    """`PassGate` is journaled as `pass_gate`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", entry_type.__name__).lower()


KINDS: dict[str, type] = {kind_of(one): one for one in (*get_args(Event), *get_args(Command))}
_FIELDS: dict[type, tuple[str, ...]] = {one: tuple(field.name for field in fields(one)) for one in KINDS.values()}
_KEYS: dict[type, frozenset[str]] = {one: frozenset((*names, "v")) for one, names in _FIELDS.items()}
_NAMES: dict[type, str] = {one: name for name, one in KINDS.items()}


def encode(entry: Event | Command) -> tuple[str, dict[str, Json]]:
    """The record's kind and body; the body carries its version `v`."""
    entry_type = type(entry)
    body: dict[str, Json] = {name: getattr(entry, name) for name in _FIELDS[entry_type]}
    body["v"] = VERSION
    return _NAMES[entry_type], body


def decode(kind: str, body: dict[str, Any]) -> Event | Command:
    """The event or command of a record. Raises Unusable where the record is of another version of Relance."""
    entry_type = KINDS.get(kind)
    if entry_type is None or body.get("v") != VERSION:
        raise Unusable(f"This Relance does not know records of kind {kind} version {body.get('v')}.", kind=kind)
    if body.keys() != _KEYS[entry_type]:
        raise Unusable(f"A record of kind {kind} lacks fields or has others than this Relance writes.", kind=kind)
    # By position: naming the arguments would double what reading a record costs.
    entry: Event | Command = entry_type(*[body[name] for name in _FIELDS[entry_type]])
    return entry


def plain(value: object) -> object:
    """The value as JSON, with sets sorted, so that equal states give equal bytes."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple | deque):
        return [plain(item) for item in value]
    return {name: plain(getattr(value, name)) for name in value.__slots__}  # type: ignore[attr-defined]
