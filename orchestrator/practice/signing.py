"""Signs and posts what simulated people decide, through the same socket and in the same form as anyone.

Never decides anything and never reads the engine's files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from orchestrator.canonical import Json
from orchestrator.client import NOBODY, Client
from orchestrator.clock import Clock
from orchestrator.errors import NeedsAnother, RelanceError, Unusable, UsageError
from orchestrator.trust import keys, signature
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE, Head, Order, Statement, Subject

HOUR_US = 3_600_000_000


class NotAnswering(RelanceError):
    """Nobody answers at the socket; the engine may be starting or gone."""

    code = "not_answering"
    exit_code = 2


class Refusal(RelanceError):
    """The process refused what a person asked; `exit_code` and `rule` are the process's own."""

    code = "refusal"
    exit_code = 3


class Line:
    """The client of a drill's parts: whatever keeps the process from answering is a silence they wait out."""

    def __init__(self, state_dir: Path) -> None:
        self._client = Client(state_dir)

    def get(self, *path: str) -> Any:
        """A document. Raises NotAnswering."""
        try:
            return self._client.get(*path)
        except (UsageError, Unusable) as error:
            raise NotAnswering(error.sentence) from error

    def post(self, path: str, **body: str) -> bool:
        """Whether what was posted took effect; false while it waits for another. Raises Refusal or NotAnswering."""
        try:
            self._client.post(path, **body)
        except NeedsAnother:
            return False
        except Unusable as error:
            raise NotAnswering(error.sentence) from error
        except RelanceError as error:
            if error.rule == NOBODY:
                raise NotAnswering(error.sentence) from error
            raise Refusal(error.sentence, rule=error.rule, **error.facts) from error
        return True


class People(Line):
    """The keys of all simulated people, and the one connection they share."""

    def __init__(self, state_dir: Path, key_dir: Path, persons: Mapping[str, object], clock: Clock) -> None:
        super().__init__(state_dir)
        self._clock = clock
        self._keys = {person: keys.load_private(key_dir / person) for person in persons}
        self._head: dict[str, Any] = {}

    def look(self) -> None:
        """Reads the head that the next signatures will name."""
        self._head = self.get("head")

    def order(self, kind: str, subject: str, persons: Sequence[str], args: dict[str, Json]) -> None:
        """One order, signed by `persons` in turn until it takes effect. Raises Refusal for the first refusal."""
        head = Head(self._head["size"], self._head["root"])
        expires_us = self._clock.now_us() + HOUR_US
        order = Order(self._head["incident"], os.urandom(16).hex(), kind, subject, args, expires_us, head)
        text = order.to_bytes()
        for person in persons:
            signed = signature.sign(self._keys[person], ORDER_NAMESPACE, text)
            if self.post("orders", order=text.decode(), person=person, signature=signed):
                return

    def verdict(
        self, verdict: Literal["CLEAN", "SUSPECT", "INFECTED"], person: str, seat: Mapping[str, Any], *others: Any
    ) -> None:
        """One analyst's verdict on one host of the queue, or on all of a lot; hosts of a lot name their image."""
        hosts = sorted((seat, *others), key=lambda one: str(one["host"]))
        statement = Statement(
            verdict=verdict,
            person=person,
            subjects=tuple(
                Subject(one["host"], one["inspection"], one["evidence"], one.get("image", "")) for one in hosts
            ),
            indicator_set=seat["indicator_set"],
            tools=("relance inspection",),
            method="manifest and markers read by a simulated analyst",
            examined=("files", "sockets", "accounts", "jobs", "marker"),
            not_examined=("memory", "firmware"),
            head=Head(self._head["size"], self._head["root"]),
            expires_us=self._clock.now_us() + HOUR_US,
            incident=self._head["incident"],
        )
        text = statement.to_bytes()
        signed = signature.sign(self._keys[person], VERDICT_NAMESPACE, text)
        self.post("verdicts", verdict=text.decode(), person=person, signature=signed)
