"""Decides whether content can be used: everything wrong with it in one pass, each a sentence with file and line.

Never changes content, and never plays the restart through: the faultless dry run of the core does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import ContentError
from orchestrator.inventory.sources import Finding, Place, Where, blocks_everything, finding, order
from orchestrator.plans.files import load, unusable
from orchestrator.plans.model import Content, Plan, Slice
from orchestrator.plans.report import Report
from orchestrator.plans.review_hosts import review_hosts
from orchestrator.plans.review_playbooks import review_files, review_playbooks
from orchestrator.plans.review_references import review_references
from orchestrator.plans.review_services import review_services
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


def examine(estate: Path, state: Path | None = None, *, files: bool = True) -> Examination:
    """Reads an estate, reviews it, and derives its waves where that is possible.

    `state` is its state folder if that lies elsewhere. Without `files`, playbooks and modes, which change no wave, are
    not looked at.
    """
    content, findings, where = load(estate)
    if content is None:
        return Examination(None, None, tuple(findings), where)
    findings += review(content, where, estate if files else None, state)
    plan = None
    if not blocks_everything(findings):
        content = without(content, {host for one in findings if one.severity == "error" for host in one.hosts})
        try:
            plan = derive(content)
            findings += [finding("warning", where.place("restart", "restart"), told) for told in plan.warnings]
        except ContentError as error:
            findings.append(finding("error", _culprit(content, where, error), error.sentence))
    told = tuple(sorted(set(findings), key=order))
    return Examination(None if plan is None else content, plan, told, where)


def planned(estate: Path) -> tuple[Content, Plan, list[Finding]]:
    """Content and plan without the hosts that errors block, and those errors; playbooks and modes are not looked at.

    Raises ContentError with the first of the errors that block the whole estate.
    """
    found = examine(estate, files=False)
    if found.content is None or found.plan is None:
        raise unusable(found.findings)
    return found.content, found.plan, [one for one in found.findings if one.severity == "error"]


def review(content: Content, where: Where, estate: Path | None, state: Path | None = None) -> list[Finding]:
    """Every finding about `content` and, if given, about the files of `estate`, by file and line."""
    report = Report(content, where)
    review_references(report)
    review_services(report)
    review_hosts(report)
    if estate is not None:
        review_playbooks(report, estate)
        report.findings.extend(review_files(estate, state))
    return sorted(report.findings, key=order)


def _culprit(content: Content, where: Where, error: ContentError) -> Place:
    """Where that stands which makes deriving impossible: a service, a post of a slice, a split."""
    facts: dict[str, Any] = error.facts
    if services := facts.get("services", facts.get("path")):
        return where.place("service", services[0])
    if "site" in facts:
        return where.place("restart", "restart", "slices", facts["function"], "posts", facts["site"])
    waves = {facts.get("wave"), *facts.get("waves", ())}
    names = [{split.wave, f"{split.wave}/{split.name}"} for split in content.restart.splits]
    number = next((number for number, name in enumerate(names) if name & waves), 0)
    return where.place("restart", "restart", "splits", number)


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
