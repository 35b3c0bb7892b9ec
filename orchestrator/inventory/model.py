"""The words for what exists: sites, functions, activities, services, interfaces, hosts, devices.

Never reads a file and never looks across records: references are checked by `plans.review`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
Text = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True, pattern=_PRINTABLE)]
Label = Annotated[str, StringConstraints(max_length=300, pattern=_PRINTABLE)]
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
Address = Annotated[str, StringConstraints(pattern=rf"^({_BYTE}\.){{3}}{_BYTE}$")]
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
AddressPort = Annotated[str, StringConstraints(pattern=rf"^({_BYTE}\.){{3}}{_BYTE}:{_PORT}$")]
# What may reach shell commands and Ansible templates: nothing but what ids, addresses and plain account names need.
PLAIN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$"
Account = Annotated[str, StringConstraints(pattern=PLAIN)]
Network = Annotated[str, StringConstraints(pattern=rf"^({_BYTE}\.){{3}}{_BYTE}/(3[0-2]|[12]?[0-9])$")]


class Strict(BaseModel):
    """Base of every content model: unknown fields are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Names(Strict):
    """What people read, in English and French."""

    en: Text
    fr: Text


class Site(Strict):
    """A building with its own network edge. `prober` is the address the outside prober dials from; without one
    nothing is released. `control` is an `address:port` on the production side that must always answer it; `gate` is
    the `address:port` of the switch, firewall or port group controller that isolates and reconnects."""

    id: Id
    name: Names
    kind: Literal["hospital", "polyclinic", "nursing-home", "psychiatric-home", "creche"]
    networks: tuple[Network, ...] = ()
    isolates_by: Literal["playbook", "witnesses"] = "playbook"
    prober: Address | None = None
    control: AddressPort
    gate: AddressPort
    gate_user: Account = "relance"
    quarantine_hosts_max: int | None = Field(default=None, ge=1)
    quarantine_flows: tuple[Id, ...] = ()


class Function(Strict):
    """What a ward knows. `services` are those it uses directly; the rest follows from their needs."""

    id: Id
    name: Names
    services: tuple[Id, ...] = ()
    sites: tuple[Id, ...] = ()


class Activity(Strict):
    """What the crisis cell decides to resume, per site, and the functions it needs there."""

    id: Id
    name: Names
    functions: tuple[Id, ...] = Field(min_length=1)
    sites: tuple[Id, ...] = Field(min_length=1)


class Needs(Strict):
    """Services needed per step. `soft` ones are explained and never block."""

    restore: tuple[Id, ...] = ()
    inspect: tuple[Id, ...] = ()
    reconnect: tuple[Id, ...] = ()
    soft: tuple[Id, ...] = ()


class Wait(Strict):
    """Not before `wait_s` seconds after `task` was confirmed."""

    task: Id
    wait_s: int = Field(default=0, ge=0)


class Task(Strict):
    """What a person or a vendor must do. `step` is what it stands before (`gate`: the gate of the service's wave).

    `confirm` is `two-persons` (a second person) or `check:ID` (a machine source that must read PASS). `duration_s` is
    for planning: what the work itself takes.
    """

    id: Id
    name: Names
    by: Literal["operator", "analyst", "technician", "vendor", "crisis", "forensic_lead", "it_director"] = "technician"
    step: Literal["gate", "restore", "reconnect"] = "gate"
    confirm: str = Field(default="two-persons", pattern=r"^(two-persons|check:[a-z0-9][a-z0-9.-]{0,62})$")
    after: Wait | None = None
    expires_s: int | None = Field(default=None, ge=60)
    duration_s: int = Field(default=1800, ge=1)


class Service(Strict):
    """A role `quorum` of its hosts must play. `outside` services have no hosts and belong to no wave.

    `function` null means foundations. Services of one `unit` need each other and come out together. `credentials`:
    groups of accounts and secrets that its hosts hold; what is taken from one host may be used at the others.
    """

    id: Id
    name: Names
    kind: Literal["inside", "outside"] = "inside"
    function: Id | None = None
    quorum: int = Field(default=1, ge=1)
    needs: Needs = Needs()
    unit: Id | None = None
    care: Literal["live"] | None = None
    credentials: tuple[Id, ...] = ()
    tasks: tuple[Task, ...] = ()


class Interface(Strict):
    """A link with clinical traffic between two services."""

    id: Id
    name: Names
    source: Id
    target: Id
    protocol: Literal["hl7", "dicom", "fhir", "astm", "sql", "file", "http"]


class Host(Strict):
    """A place in the estate filled by a machine. Servers play services; a workstation is a post of a function.

    `management` is where the management path (hypervisor, imaging server, drill endpoint) of this host answers.
    """

    id: Id
    kind: Literal["server", "workstation"]
    site: Id
    room: Label = ""
    services: tuple[Id, ...] = ()
    function: Id | None = None
    klass: Id
    address: Address
    management: Address
    bench: Id | None = None
    mac: Label = ""
    serial: Label = ""


class Device(Strict):
    """Vendor- or biomedical-owned: never touched, never probed."""

    id: Id
    site: Id
    room: Label = ""
    kind: Text
    owner: Literal["vendor", "biomedical"]
    function: Id | None = None
    vendor_task: Label = ""


class Inventory(Strict):
    """The six files of `inventory/` together."""

    sites: tuple[Site, ...] = ()
    functions: tuple[Function, ...] = ()
    activities: tuple[Activity, ...] = ()
    services: tuple[Service, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    hosts: tuple[Host, ...] = ()
    devices: tuple[Device, ...] = ()
