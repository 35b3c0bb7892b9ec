"""The words for what must be true: checks of a service, an interface or a class of hosts.

Never asks anything; `probes` asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from orchestrator.inventory.model import Id, Strict

Level = Literal["L0", "L1", "L2", "L3"]
ProbeName = Literal[
    "tcp",
    "ssh",
    "http",
    "dns",
    "ntp",
    "hl7",
    "postgresql",
    "mssql",
    "dicom",
    "ldap",
    "kerberos",
    "smb",
    "prometheus",
    "fhir",
]


class Reference(str):
    """Names a secret or a trusted certificate: `file:NAME` in the state folder's `secrets/`, or `env:NAME`."""

    __slots__ = ()


SITE_AUTHORITY = "file:site-ca.pem"
_TLS = {"tls": bool, "ca": Reference, "name": str, "certificate": str, "unverified": bool, "days_min": int}
_SQL = {
    "database": str,
    "user": str,
    "password": Reference,
    "query": str,
    "rows_min": int,
    "age_max_s": int,
    "otherwise": str,
}
# What each probe may be told besides address and port.
PARAMETERS: dict[str, dict[str, type]] = {
    "tcp": {"speaks": bool},
    "ssh": {
        "host_key": str,
        "user": str,
        "key": Reference,
        "command": str,
        "contains": str,
        "status": int,
    },
    "http": {"path": str, "status": int, "contains": str, "host": str, **_TLS},
    "ntp": {"offset_max_ms": int},
    "hl7": {
        "ask": str,
        "receiver": str,
        "version": str,
        "event": str,
        "segments": str,
        "found": bool,
        "code": str,
    },
    "postgresql": {**_SQL, **_TLS},
    "mssql": {**_SQL, "tls": bool, "ca": Reference, "name": str},
    "dicom": {"ask": str, "called": str, "calling": str, "days": int, "modality": str, "found_min": int, **_TLS},
    "ldap": {
        "ask": str,
        "synchronized": bool,
        "catalog": bool,
        "naming": str,
        "offset_max_ms": int,
        "user": str,
        "password": Reference,
        "base": str,
        "starttls": bool,
        **_TLS,
    },
    "kerberos": {"realm": str, "user": str, "offset_max_ms": int},
    "smb": {"signing": bool, "offset_max_ms": int},
    "prometheus": {"query": str, "min": int, "max": int, "series_min": int, "path": str, "token": Reference, **_TLS},
    "fhir": {"ask": str, "path": str, "version": str, "query": str, "found_min": int, "token": Reference, **_TLS},
    "dns": {"name": str, "type": str, "answer": str, "serial_min": int, "tcp": bool},
}
# The highest level a probe's PASS proves, by what it is told to `ask`; the first is asked when nothing is said.
# A probe that is missing here proves what its content makes of it.
PROVES: dict[str, dict[str, Level]] = {
    "dns": {"": "L2"},
    "ntp": {"": "L2"},
    "hl7": {"ack": "L2", "order": "L3"},
    "postgresql": {"": "L2"},
    "mssql": {"": "L2"},
    "dicom": {"echo": "L1", "worklist": "L2", "study": "L2", "store": "L3"},
    "ldap": {"root": "L2", "bind": "L2"},
    "kerberos": {"": "L2"},
    "smb": {"": "L1"},
    "prometheus": {"": "L2"},
    "fhir": {"capability": "L1", "search": "L2", "create": "L3"},
}
# How many questions a node bears at once, where that is few: 50 echoes at once took a PACS 3 s each.
AT_ONCE = {"dicom": 8}
# What leaves something behind at the peer: asked only at a gate, under a signed agreement.
WRITES = frozenset({("hl7", "order"), ("dicom", "store"), ("fhir", "create")})
_WORDS = {str: "text", int: "a number", bool: "true or false", Reference: "`file:NAME` or `env:NAME`"}
_REFERENCE = re.compile(r"(file|env):[A-Za-z0-9_][A-Za-z0-9._-]*")


def references(probe: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Which parameters name something in `secrets/`. Behind TLS a certificate counts by the site's authority, unless
    content pins it or says that none counts.
    """
    known = PARAMETERS.get(probe, {})
    found = {name: str(value) for name, value in params.items() if known.get(name) is Reference}
    if "ca" in known and params.get("tls") and not params.get("certificate") and not params.get("unverified"):
        found.setdefault("ca", SITE_AUTHORITY)
    return found


def _fits(value: object, wanted: type) -> bool:
    if wanted is Reference:
        return type(value) is str and _REFERENCE.fullmatch(value) is not None
    return type(value) is wanted


class Check(Strict):
    """One thing that must be true of exactly one subject: a service, an interface, or every host of a class."""

    id: Id
    service: Id | None = None
    interface: Id | None = None
    klass: Id | None = Field(default=None, alias="class")
    level: Level
    probe: ProbeName
    port: int = Field(ge=1, le=65535)
    params: dict[str, Any] = Field(default_factory=dict)
    interval_s: int = Field(default=60, ge=1)
    timeout_s: int = Field(default=10, ge=1, le=60)

    @property
    def asks(self) -> str:
        """What the probe is told to `ask`; empty for a probe that knows one question."""
        return str(self.params.get("ask", next(iter(PROVES.get(self.probe, {"": "L0"})))))

    @property
    def writes(self) -> bool:
        """Whether asking it leaves something behind."""
        return (self.probe, self.asks) in WRITES

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
            if not _fits(value, known[name]):
                shown = "something else" if known[name] is Reference else repr(value)  # it may be a secret
                raise ValueError(f"`params.{name}` must be {_WORDS[known[name]]}; it is {shown}")
        self._claims_what_it_proves()
        return self

    def _claims_what_it_proves(self) -> None:
        proves = PROVES.get(self.probe)
        if proves is None:
            return
        asked = self.asks
        if asked not in proves:
            raise ValueError(f"the probe {self.probe} can `ask` {', '.join(proves)}; not {asked!r}")
        # A fresh row that the other end wrote is a transaction that went through, whoever began it.
        proven = "L3" if self.interface is not None and "age_max_s" in self.params else proves[asked]
        if self.level > proven:
            what = f"{self.probe} {asked}".strip()
            raise ValueError(f"{what} proves {proven} and no more; this check claims {self.level}")


class CheckFile(Strict):
    """One file of `checks/`: the checks of one function (null: foundations)."""

    function: Id | None = None
    checks: tuple[Check, ...] = ()
