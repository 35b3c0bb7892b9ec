"""Asks the checks of one function or host by hand: the same probes as the live process, once, from this machine.

Never reports to a live process: what is asked by hand moves no gate. Never asks what writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from typing_extensions import TypedDict

from orchestrator.checks.model import Check
from orchestrator.clock import SystemClock
from orchestrator.engine.contents import first_state, opening
from orchestrator.engine.recovery import applied_to
from orchestrator.errors import UsageError
from orchestrator.inventory.model import Host
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.model import Content
from orchestrator.probes.base import Answer, Question, unasked
from orchestrator.workers.probing import Prober
from orchestrator.workers.settling import read_pins

LOOK_S = 0.02


class Asked(TypedDict):
    """One check at one host, and what came of it; one that writes is not `asked`."""

    check: str
    level: str
    host: str
    asked: bool
    outcome: str
    sentence: str


class ByHand(TypedDict):
    """What `checks run` prints; either `function` or `host` is empty."""

    function: str
    host: str
    answers: list[Asked]


@dataclass(slots=True, frozen=True)
class Asking:
    """One question about one host."""

    check: Check
    host: str
    question: Question


def pins(state_dir: Path) -> dict[str, str]:
    """The host key that each host's restore pinned, by the journal of a state folder; only read, live or not."""
    if opening(state_dir) is None:
        return {}
    state = first_state(state_dir)
    with Journal.open(state_dir / JOURNAL, read_only=True) as journal:
        replay(journal, applied_to(state, state_dir))
    return {host: key for host, key in zip(state.estate.hosts, state.host_key, strict=True) if key}


def vouched(content: Content, known_hosts: Path) -> dict[str, str]:
    """The host keys that a file in OpenSSH's form names at the hosts' SSH addresses. Raises UsageError."""
    try:
        keys = read_pins(known_hosts)
    except (OSError, ValueError) as error:
        raise UsageError(f"{known_hosts} is no list of host keys: {error}", path=str(known_hosts)) from error
    ports = {one.id: one.login.port for one in content.classes}
    found = ((host.id, keys.get((host.address, ports[host.klass]))) for host in content.inventory.hosts)
    return {host: key for host, key in found if key}


def questions(
    content: Content, function: str, source: str = "", pinned: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Asking]:
    """Every check of the services a function uses or owns, of interfaces to them, and of its workstations' classes.

    `pinned` are host keys by host: without its key an ssh check cannot be asked.
    """
    services = services_of(content, function)
    for check, host in asked_of(content):
        post = check.klass is not None and host.kind == "workstation" and host.function == function
        if post or (check.klass is None and service_of(content, check) in services):
            yield Asking(check, host.id, _question(check, host, source, pinned.get(host.id, "")))


def questions_to(
    content: Content, name: str, source: str = "", pinned: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Asking]:
    """Every check that is asked of one host: of its class, of what it plays, of interfaces to that."""
    for check, host in asked_of(content):
        if host.id == name:
            yield Asking(check, host.id, _question(check, host, source, pinned.get(host.id, "")))


def asked_of(content: Content) -> Iterator[tuple[Check, Host]]:
    """Every check with each host it is asked of, in the order of the checks."""
    for check in content.checks:
        service = service_of(content, check)
        for host in content.inventory.hosts:
            if check.klass == host.klass or service in host.services:
                yield check, host


def services_of(content: Content, function: str) -> set[str]:
    """What a function uses or owns."""
    used = {name for one in content.inventory.functions if one.id == function for name in one.services}
    return used | {one.id for one in content.inventory.services if one.function == function}


def service_of(content: Content, check: Check) -> str:
    """The service whose hosts are asked: the check's own, or the one its interface leads to; empty for a class."""
    if check.interface is None:
        return check.service or ""
    return next((one.target for one in content.inventory.interfaces if one.id == check.interface), "")


def asked(askings: Iterable[Asking], secrets: Path | None = None) -> list[Asked]:
    """Puts the questions, many at once; the answers in the order of the questions. `secrets`: see `Prober`."""
    prober, clock = Prober(secrets=secrets), SystemClock()
    waiting = {f"{one.check.id}@{one.host}": one for one in askings}
    answers: dict[str, Answer] = {}
    try:
        for name, one in waiting.items():
            if one.check.writes:
                answers[name] = unasked(f"{one.check.id} writes: a gate alone asks it, under its owner's agreement.")
            else:
                prober.submit(name, one.check.probe, one.question)
        while len(answers) < len(waiting):
            answers.update(prober.poll())
            clock.sleep_s(LOOK_S)
    finally:
        prober.close()
    return [
        {
            "check": one.check.id,
            "level": one.check.level,
            "host": one.host,
            "asked": not one.check.writes,
            "outcome": answers[name].outcome,
            "sentence": answers[name].sentence,
        }
        for name, one in waiting.items()
    ]


def _question(check: Check, host: Host, source: str, pin: str) -> Question:
    params = {**check.params, "host_key": pin} if check.probe == "ssh" else check.params
    return Question(host.address, check.port, source, float(check.timeout_s), params, host.id)
