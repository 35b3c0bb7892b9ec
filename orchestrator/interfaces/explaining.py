"""Explains checks: what each asks, of whom, what its PASS means, and what it does not prove.

Never asks anything.
"""

from __future__ import annotations

from orchestrator.checks.meaning import LEVELS, meaning, parameters
from orchestrator.checks.model import Check
from orchestrator.interfaces.documents import Explained
from orchestrator.interfaces.hand_checks import asked_of, service_of, services_of
from orchestrator.plans.model import Content

SHOWN_MAX = 5


def explained(content: Content, what: str) -> list[Explained]:
    """The check of that id, or the checks of the function: of what it uses or owns, of interfaces to that, of its
    posts' classes."""
    services = services_of(content, what)
    classes = {host.klass for host in content.inventory.hosts if host.kind == "workstation" and host.function == what}
    hosts: dict[str, list[str]] = {}
    for check, host in asked_of(content):
        hosts.setdefault(check.id, []).append(host.id)
    return [
        _explained(check, hosts.get(check.id, []))
        for check in content.checks
        if check.id == what or service_of(content, check) in services or check.klass in classes
    ]


def _explained(check: Check, hosts: list[str]) -> Explained:
    means = meaning(check)
    kind, name = next((kind, name) for kind, name in _subjects(check) if name)
    return {
        "check": check.id,
        "subject": f"{kind}:{name}",
        "level": check.level,
        "level_means": LEVELS[check.level],
        "probe": check.probe,
        "parameters": parameters(check),
        "question": means.question,
        "proof": means.proof,
        "gap": means.gap,
        "writes": check.writes,
        "hosts": hosts,
        "port": check.port,
        "interval_s": check.interval_s,
        "timeout_s": check.timeout_s,
    }


def _subjects(check: Check) -> list[tuple[str, str | None]]:
    return [("service", check.service), ("interface", check.interface), ("class", check.klass)]


def in_words(one: Explained) -> str:
    """The same for a person."""
    shown = ", ".join(one["hosts"][:SHOWN_MAX]) or "no host"
    more = f" and {len(one['hosts']) - SHOWN_MAX} more" if len(one["hosts"]) > SHOWN_MAX else ""
    told = f" ({one['parameters']})" if one["parameters"] else ""
    every = f"every {one['interval_s']} s, for at most {one['timeout_s']} s"
    lines = [
        f"{one['check']}: {one['subject']}, {one['level']} ({one['level_means']})",
        f"  Asks {one['question']}{told}, by {one['probe']} on port {one['port']}, {every}.",
        f"  Of: {shown}{more}.",
        f"  PASS means that {one['proof']}.",
        f"  It does not prove {one['gap']}.",
    ]
    if one["writes"]:
        lines.append("  It writes: asked at the gate alone, under the owner's signed agreement.")
    return "\n".join(lines)
