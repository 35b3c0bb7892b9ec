"""Signs and posts what simulated people decide, through the same socket and in the same form as anyone.

Never decides anything and never reads the engine's files: a person sees what the socket shows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import httpx

from orchestrator.canonical import Json
from orchestrator.clock import Clock
from orchestrator.errors import RelanceError
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
    """The one connection to the process of a state folder; made anew whenever it broke."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._client: httpx.Client | None = None

    def get(self, path: str) -> Any:
        """A document. Raises NotAnswering."""
        return self._ask("GET", path)[1]

    def post(self, path: str, body: dict[str, str]) -> tuple[int, Any]:
        """Status and document of what was posted. Raises NotAnswering."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
        try:
            if self._client is None:
                transport = httpx.HTTPTransport(uds=str(socket_of(self._state_dir)))
                self._client = httpx.Client(transport=transport, base_url="http://localhost", timeout=60)
            response = self._client.request(method, path, json=body)
            if body is None:
                response.raise_for_status()
            return response.status_code, response.json()
        except (httpx.HTTPError, ValueError, OSError) as error:
            self._client = None
            raise NotAnswering(f"Nobody answers at the socket of {self._state_dir}: {error}.") from error


class People(Line):
    """The keys of all simulated people, and the one connection they share."""

    def __init__(self, state_dir: Path, key_dir: Path, persons: Mapping[str, object], clock: Clock) -> None:
        super().__init__(state_dir)
        self._clock = clock
        self._keys = {person: keys.load_private(key_dir / person) for person in persons}
        self._head: dict[str, Any] = {}

    def look(self) -> None:
        """Reads the head that the next signatures will name."""
        self._head = self.get("/head")

    def order(self, kind: str, subject: str, persons: tuple[str, ...], args: dict[str, Json]) -> None:
        """One order, signed by `persons` in turn until it takes effect. Raises Refusal for the first refusal."""
        head = Head(self._head["size"], self._head["root"])
        expires_us = self._clock.now_us() + HOUR_US
        order = Order(self._head["incident"], os.urandom(16).hex(), kind, subject, args, expires_us, head)
        text = order.to_bytes()
        for person in persons:
            signed = signature.sign(self._keys[person], ORDER_NAMESPACE, text)
            if self._post("/orders", {"order": text.decode(), "person": person, "signature": signed}):
                return

    def verdict(self, verdict: Literal["CLEAN", "SUSPECT", "INFECTED"], person: str, seat: Mapping[str, Any]) -> None:
        """One analyst's verdict on one host of the queue."""
        statement = Statement(
            verdict=verdict,
            person=person,
            subjects=(Subject(seat["host"], seat["inspection"], seat["evidence"]),),
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
        self._post("/verdicts", {"verdict": text.decode(), "person": person, "signature": signed})

    def _post(self, path: str, body: dict[str, str]) -> bool:
        """Whether it took effect; false while it waits for another person. Raises Refusal or NotAnswering."""
        status, answer = self.post(path, body)
        if status == 200:
            return True
        told = answer["error"]
        if told["code"] == "needs_another":
            return False
        raise Refusal(told["sentence"], rule=told["rule"], **told["facts"])


def socket_of(state_dir: Path) -> Path:
    """The socket of a state folder: in it, or where its note says (a path too long for the kernel)."""
    note = state_dir / "socket.path"
    return Path(note.read_text(encoding="utf-8").strip()) if note.exists() else state_dir / "socket"
