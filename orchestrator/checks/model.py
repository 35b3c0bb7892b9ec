"""The words for what must be true: checks of a service, an interface or a class of hosts.

Never asks anything; `probes` asks.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from orchestrator.inventory.model import Id, Strict

Level = Literal["L0", "L1", "L2", "L3"]


class Check(Strict):
    """One thing that must be true of exactly one subject: a service, an interface, or every host of a class."""

    id: Id
    service: Id | None = None
    interface: Id | None = None
    klass: Id | None = Field(default=None, alias="class")
    level: Level
    probe: Literal["tcp", "ssh", "http"]
    port: int = Field(ge=1, le=65535)
    params: dict[str, str | int | bool] = Field(default_factory=dict)
    interval_s: int = Field(default=60, ge=1)
    timeout_s: int = Field(default=10, ge=1, le=60)

    @model_validator(mode="after")
    def _one_subject(self) -> Check:
        if sum(subject is not None for subject in (self.service, self.interface, self.klass)) != 1:
            raise ValueError("a check has exactly one of service, interface, class")
        if self.interface is not None and self.level != "L3":
            raise ValueError("an interface is checked at L3")
        return self


class CheckFile(Strict):
    """One file of `checks/`: the checks of one function (null: foundations)."""

    function: Id | None = None
    checks: tuple[Check, ...] = ()
