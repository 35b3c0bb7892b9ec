"""The whole review: what reading, deriving and a faultless dry run of the core find, in one list.

Never decides what is wrong with content (`plans.review` does); what never gets on in the dry run becomes a finding.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.decision.dryrun import DryRun
from orchestrator.errors import ContentError, RelanceError
from orchestrator.inventory.sources import Finding, Where, blocks_everything, finding, order
from orchestrator.plans.model import Content, Plan
from orchestrator.plans.review import Examination, examine, without
from orchestrator.plans.waves import derive


def reviewed(estate: Path) -> Examination:
    """The whole review, with the faultless dry run's findings among the others."""
    found = examine(estate)
    if found.content is None or found.plan is None:
        return found
    stuck = _played_through(found.content, found.plan, found.where)
    if not stuck:
        return found
    hosts = {host for one in stuck for host in one.hosts}
    rest = without(found.content, hosts)
    findings = tuple(sorted((*found.findings, *stuck), key=order))
    if blocks_everything(stuck):
        return Examination(None, None, findings, found.where)
    try:
        return Examination(rest, derive(rest), findings, found.where)
    except ContentError as error:
        more = finding("error", found.where.place("restart", "restart"), error.sentence)
        return Examination(None, None, (*findings, more), found.where)


def _played_through(content: Content, plan: Plan, where: Where) -> list[Finding]:
    """What never reaches service although nothing fails and everybody answers at once."""
    try:
        stuck = DryRun(content, plan).run()
    except RelanceError as error:
        return [finding("error", where.place("restart", "restart"), f"The dry run stopped: {error.sentence}")]
    hosts = {host.id for host in content.inventory.hosts}
    found = []
    for name, waits in stuck:
        kind = "host" if name in hosts else "restart"
        told = f"Even without any fault `{name}` never gets on: it waits for {waits or 'nothing that comes'}."
        found.append(finding("error", where.place(kind, name), told, [name] if name in hosts else []))
    return found
