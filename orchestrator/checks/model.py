"""The words for what must be true: checks of a service, an interface or a class of hosts.

Never asks anything; `probes` asks.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from orchestrator.inventory.model import Id, Strict

Level = Literal["L0", "L1", "L2", "L3"]
# What each probe may be told besides address and port.
PARAMETERS: dict[str, dict[str, type]] = {
    "tcp": {"speaks": bool},
    "ssh": {"host_key": str},
    "http": {"path": str, "status": int, "contains": str, "host": str, "tls": bool, "certificate": str},
}
_WORDS = {str: "text", int: "a number", bool: "true or false"}


class Check(Strict):
    """One thing that must be true of exactly one subject: a service, an interface, or every host of a class."""

    id: Id
    service: Id | None = None
    interface: Id | None = None
    klass: Id | None = Field(default=None, alias="class")
    level: Level
    probe: Literal["tcp", "ssh", "http"]
    port: int = Field(ge=1, le=65535)
    params: dict[str, Any] = Field(default_factory=dict)
    interval_s: int = Field(default=60, ge=1)
    timeout_s: int = Field(default=10, ge=1, le=60)

    @model_validator(mode="after")
    def _makes_sense(self) -> Check:
        if sum(subject is not None for subject in (self.service, self.interface, self.klass)) != 1:
            raise ValueError("a check has exactly one of service, interface, class")
        if self.interface is not None and self.level != "L3":
            raise ValueError("an interface is checked at L3")
        known = PARAMETERS[self.probe]
        for name, value in self.params.items():
            if name not in known:
                raise ValueError(f"the probe {self.probe} has no parameter `{name}`, only {', '.join(known)}")
            if type(value) is not known[name]:
                raise ValueError(f"`params.{name}` must be {_WORDS[known[name]]}; it is {value!r}")
        return self


class CheckFile(Strict):
    """One file of `checks/`: the checks of one function (null: foundations)."""

    function: Id | None = None
    checks: tuple[Check, ...] = ()
