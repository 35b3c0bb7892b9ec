"""Asks the checks of one function by hand: the same probes as the live process, once, from this machine.

Never reports to a live process: what is asked by hand moves no gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from typing_extensions import TypedDict

from orchestrator.checks.model import Check
from orchestrator.clock import SystemClock
from orchestrator.inventory.model import Host
from orchestrator.plans.model import Content
from orchestrator.probes.base import Answer, Question
from orchestrator.workers.probing import Prober

LOOK_S = 0.02


class Asked(TypedDict):
    """One check at one host, and what came of it."""

    check: str
    level: str
    host: str
    outcome: str
    sentence: str


@dataclass(slots=True, frozen=True)
class Asking:
    """One question about one host."""

    check: Check
    host: str
    question: Question


def questions(content: Content, function: str, source: str = "") -> Iterator[Asking]:
    """Every check of the services a function uses or that belong to it, at each host, and of interfaces to them."""
    inventory = content.inventory
    used = {name for one in inventory.functions if one.id == function for name in one.services}
    services = used | {one.id for one in inventory.services if one.function == function}
    target_of = {one.id: one.target for one in inventory.interfaces}
    for check in content.checks:
        service = check.service or target_of.get(check.interface or "", "")
        if service not in services:
            continue
        for host in inventory.hosts:
            if service in host.services:
                yield Asking(check, host.id, _question(check, host, source))


def asked(askings: Iterator[Asking]) -> list[Asked]:
    """Puts the questions, many at once; the answers in the order of the questions."""
    prober, clock = Prober(), SystemClock()
    waiting = {f"{one.check.id}@{one.host}": one for one in askings}
    answers: dict[str, Answer] = {}
    try:
        for name, one in waiting.items():
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
            "outcome": answers[name].outcome,
            "sentence": answers[name].sentence,
        }
        for name, one in waiting.items()
    ]


def _question(check: Check, host: Host, source: str) -> Question:
    return Question(host.address, check.port, source, float(check.timeout_s), check.params)
