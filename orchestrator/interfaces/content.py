"""Reads content as far as the waves need it, and derives them.

Never looks at playbooks or file modes, which change no wave, and never plays the restart through: `reviewing` does.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import ContentError
from orchestrator.inventory.sources import Finding, blocks_everything, order
from orchestrator.plans.files import load
from orchestrator.plans.model import Content, Plan
from orchestrator.plans.report import Report
from orchestrator.plans.review import without
from orchestrator.plans.review_hosts import review_hosts
from orchestrator.plans.review_references import review_references
from orchestrator.plans.review_services import review_services
from orchestrator.plans.waves import derive


def planned(estate: Path) -> tuple[Content, Plan]:
    """Content and plan, as far as deriving needs them looked at; hosts with errors are left out.

    Raises ContentError with the first of the errors that block the whole estate.
    """
    content, findings, where = load(estate)
    if content is not None and not blocks_everything(findings):  # else what cannot be read would be told as missing
        report = Report(content, where)
        review_references(report)
        review_services(report)
        review_hosts(report)
        findings = sorted(findings + report.findings, key=order)
    if content is None or blocks_everything(findings):
        raise unusable(findings)
    content = without(content, {host for one in findings if one.severity == "error" for host in one.hosts})
    return content, derive(content)


def unusable(findings: list[Finding] | tuple[Finding, ...]) -> ContentError:
    """The error of content that cannot be used, naming the first reason and how many more there are."""
    blocking = blocks_everything(list(findings))
    first = blocking[0]
    more = f" ({len(blocking) - 1} more; `relance review` lists them)" if len(blocking) > 1 else ""
    return ContentError(f"{first}{more}", rule="content.review", file=first.file, line=first.line)
