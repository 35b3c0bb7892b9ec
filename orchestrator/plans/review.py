"""Decides whether content can be used: everything wrong with it in one pass, each a sentence with file and line.

Never changes content, and never plays the restart through: the faultless dry run of the core does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ContentError
from orchestrator.inventory.sources import Finding, Place, Where, blocks_everything, finding, order
from orchestrator.plans.files import load
from orchestrator.plans.model import Content, Plan, Slice
from orchestrator.plans.report import Report
from orchestrator.plans.review_hosts import review_hosts, review_release
from orchestrator.plans.review_playbooks import review_files, review_playbooks
from orchestrator.plans.review_references import review_references
from orchestrator.plans.review_services import review_services, review_units
from orchestrator.plans.waves import derive


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of reading, deriving and reviewing an estate.

    `content` and `plan` are those of the hosts that no error blocks; they are None when an error blocks the whole
    estate, and `findings` say why.
    """

    content: Content | None
    plan: Plan | None
    findings: tuple[Finding, ...]
    where: Where

    @property
    def blocked(self) -> frozenset[str]:
        """The hosts that errors block."""
        return frozenset(host for one in self.findings if one.severity == "error" for host in one.hosts)


def examine(estate: Path) -> Examination:
    """Reads an estate, derives its waves where that is possible, and reviews both."""
    content, findings, where = load(estate)
    if content is None:
        return Examination(None, None, tuple(findings), where)
    findings += review(content, where, None, estate)
    plan = None
    if not blocks_everything(findings):
        content = without(content, {host for one in findings if one.severity == "error" for host in one.hosts})
        try:
            plan = derive(content)
            findings += _review_plan(content, where, plan)
        except ContentError as error:
            findings.append(finding("error", Place("plans/restart.yaml"), error.sentence))
    usable = plan is not None and not blocks_everything(findings)
    return Examination(content if usable else None, plan if usable else None, tuple(sorted(findings, key=order)), where)


def review(content: Content, where: Where, plan: Plan | None, estate: Path) -> list[Finding]:
    """Every finding about `content` (and `plan`, once derived) and the files of `estate`, by file and line."""
    report = Report(content, where)
    review_references(report)
    review_services(report)
    review_hosts(report)
    review_playbooks(report, estate)
    report.findings.extend(review_files(estate))
    if plan is not None:
        report.findings.extend(_review_plan(content, where, plan))
    return sorted(report.findings, key=order)


def without(content: Content, hosts: Iterable[str]) -> Content:
    """The content without these hosts, also as named posts of slices; a site that loses all gets default posts."""
    gone = frozenset(hosts)
    kept = tuple(host for host in content.inventory.hosts if host.id not in gone)
    known = {host.id for host in kept}
    slices = {function: _posts_among(known, chosen) for function, chosen in content.restart.slices.items()}
    return content.model_copy(
        update={
            "inventory": content.inventory.model_copy(update={"hosts": kept}),
            "restart": content.restart.model_copy(update={"slices": slices}),
        }
    )


def _posts_among(known: set[str], chosen: Slice) -> Slice:
    posts = {site: tuple(host for host in hosts if host in known) for site, hosts in chosen.posts.items()}
    return Slice(posts={site: hosts for site, hosts in posts.items() if hosts})


def _review_plan(content: Content, where: Where, plan: Plan) -> list[Finding]:
    report = Report(content, where)
    review_units(report, plan)
    review_release(report, plan)
    for warning in plan.warnings:
        report.warn(("restart", "restart"), warning)
    return report.findings
