"""The whole review: what reading, deriving and a faultless dry run of the core find, in one list.

Never decides what is wrong with content (`plans.review` does); what never gets on in the dry run becomes a finding.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.explain import Reason
from orchestrator.errors import ContentError, RelanceError
from orchestrator.inventory.sources import Finding, Where, blocks_everything, finding, order
from orchestrator.plans.model import Content, Plan
from orchestrator.plans.review import Examination, examine, without
from orchestrator.plans.waves import derive


def reviewed(estate: Path, state: Path | None = None) -> Examination:
    """The whole review, with the faultless dry run's findings among the others; `state` is its state folder."""
    found = examine(estate, state)
    if found.content is None or found.plan is None:
        return found
    stuck = _played_through(found.content, found.plan, found.where)
    content, plan = found.content, found.plan
    if hosts := {host for one in stuck for host in one.hosts}:
        content = without(content, hosts)
        try:
            plan = derive(content)
        except ContentError:  # without these hosts there is no restart: they block it, and nothing more need be said
            stuck = [replace(one, hosts=()) for one in stuck]
    findings = tuple(sorted((*found.findings, *stuck), key=order))
    useless = bool(blocks_everything(stuck))
    return Examination(None if useless else content, None if useless else plan, findings, found.where)


def _played_through(content: Content, plan: Plan, where: Where) -> list[Finding]:
    """What never reaches service although nothing fails and everybody answers at once."""
    try:
        stuck = DryRun(content, plan).run()
    except RelanceError as error:
        return [finding("error", where.place("restart", "restart"), f"The dry run stopped: {error.sentence}")]
    return [_never(content, where, name, reason) for name, reason in stuck]


def _never(content: Content, where: Where, name: str, reason: Reason) -> Finding:
    """Said at the row of a host; for a gate at the service it waits for, where it waits for one."""
    told = f"Even without any fault `{name}` never gets on. {reason.sentence}"
    if name in {host.id for host in content.inventory.hosts}:
        return finding("error", where.place("host", name), told, [name])
    subject = reason.subject.rpartition(":")[2].partition("/")[0]
    known = subject in where.names("service")
    return finding("error", where.place("service", subject) if known else where.place("restart", "restart"), told)
