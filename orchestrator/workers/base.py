"""What a worker is asked and what it answers: the shapes shared by the engine, the runner and every worker.

Never starts anything and never decides what an outcome leads to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from orchestrator.canonical import Json
from orchestrator.decision import host_key
from orchestrator.errors import Refused
from orchestrator.inventory.model import PLAIN

Result = Literal["ok", "failed", "unreachable", "lost", "cancelled"]
Lane = Literal["host", "network"]

_PLAIN = re.compile(PLAIN)


@dataclass(frozen=True, slots=True)
class Request:
    """One action as asked. `host` is empty when a whole site is isolated; `gate` is `address:port`.

    `before_us` is T0 (0: not known): a restore takes the newest point that is older. `restore_point_us`: which one the
    host came from (0: none). `standing`: the digest that a check-in must carry to stand for an inspection.
    """

    action: str
    host: str
    site: str
    step: str
    strategy: str
    address: str
    management: str
    gate: str
    user: str = "relance"
    port: int = 22
    management_user: str = "relance"
    management_port: int = 22
    host_key: str = ""
    supersedes: str = ""
    klass: str = ""
    os: str = "linux"
    limit_s: int = 300
    before_us: int = 0
    restore_point_us: int = 0
    standing: str = ""

    @property
    def lane(self) -> Lane:
        """`network` for what moves the host's connection, `host` for what works on the machine."""
        return "network" if self.step in ("reconnect", "isolate") else "host"

    @property
    def target(self) -> str:
        """The host, or the site when a whole site is isolated."""
        return self.host or self.site

    @property
    def endpoint(self) -> tuple[str, int]:
        """Address and port Ansible dials: the gate for network actions, else the management path."""
        if self.lane == "host":
            return self.management, self.management_port
        address, _, port = self.gate.partition(":")
        return address, int(port or self.management_port)

    def as_json(self) -> dict[str, Json]:
        """The object written into `request.json`."""
        fields = asdict(self)
        fields["class"] = fields.pop("klass")
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> Request:
        """Reads it back; refuses (Refused) values that could mean something to a shell or a template."""
        values = {("klass" if name == "class" else name): value for name, value in fields.items()}
        for name, value in values.items():
            pattern = host_key.FORM if name == "host_key" else _PLAIN
            if isinstance(value, str) and value and not pattern.fullmatch(value):
                raise Refused(f"The request's {name} {value!r} holds characters that no id or address has.", name=name)
        return cls(**cast("dict[str, Any]", values))


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of a worker. `key` and `known_hosts` are paths; `limit_s` ends the whole run."""

    invocation: str
    playbook: str
    playbooks: str
    limit_s: int
    key: str
    known_hosts: str
    requests: tuple[Request, ...]

    def as_json(self) -> dict[str, Json]:
        """The document `request.json` holds."""
        return {
            "invocation": self.invocation,
            "playbook": self.playbook,
            "playbooks": self.playbooks,
            "limit_s": self.limit_s,
            "ssh": {"key": self.key, "known_hosts": self.known_hosts},
            "actions": [request.as_json() for request in self.requests],
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> Invocation:
        """Reads it back (Refused on characters that no id or address has)."""
        ssh = cast("Mapping[str, str]", fields["ssh"])
        actions = cast("list[dict[str, Json]]", fields["actions"])
        return cls(
            invocation=str(fields["invocation"]),
            playbook=str(fields["playbook"]),
            playbooks=str(fields["playbooks"]),
            limit_s=cast("int", fields["limit_s"]),
            key=ssh["key"],
            known_hosts=ssh["known_hosts"],
            requests=tuple(Request.from_json(action) for action in actions),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one action ended. `lost`: it had begun and nobody knows its end; `cancelled`: it never took effect."""

    action: str
    outcome: Result
    sentence: str = ""
    facts: dict[str, Json] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """One line of `results.jsonl`."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> Outcome:
        """Reads a line of `results.jsonl` back."""
        return cls(
            action=str(fields["action"]),
            outcome=cast("Result", fields["outcome"]),
            sentence=str(fields["sentence"]),
            facts=cast("dict[str, Json]", fields["facts"]),
        )


@dataclass(frozen=True, slots=True)
class NeverBegun:
    """What an action is called that turns out never to have begun."""

    outcome: Result = "cancelled"
    sentence: str = "Its runner died before it began; nothing was done."


class Worker(Protocol):
    """Does what commands ask. All three return at once."""

    def submit(self, run_dir: Path, requests: Sequence[Request]) -> None:
        """Start what the run folder (already written) asks for."""
        ...

    def cancel(self, action: str) -> None:
        """Stop one action if it has not begun; what has begun goes on and reports its own end."""
        ...

    def poll(self) -> list[Outcome]:
        """What ended since the last call, each action once."""
        ...
