"""Reads a whole estate, `inventory/`, `plans/` and `checks/`, into one Content with its digest.

Never raises for what the files hold, except `usable`, which is for those who cannot go on; never derives anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from orchestrator.checks.files import read_checks
from orchestrator.errors import ContentError
from orchestrator.inventory.documents import Document, read_document
from orchestrator.inventory.files import read_inventory, read_list, refuse_unread
from orchestrator.inventory.fitting import fit_list, fit_one, only_keys
from orchestrator.inventory.model import Strict
from orchestrator.inventory.sources import FOLDERS, Finding, Place, Sources, Where, blocks_everything, order
from orchestrator.plans.model import Capacity, Content, HostClass, Person, Pool, Restart, Roster, Shift

Model = TypeVar("Model", bound=Strict)


def load(estate: Path) -> tuple[Content | None, list[Finding], Where]:
    """All that fits, everything that does not, and where each id stands.

    Content lacks the entries that were refused: whoever acts on it first looks at
    `inventory.sources.blocks_everything(findings)`, or calls `usable`. It is None when a folder is missing.
    """
    sources = Sources(estate)
    for folder in FOLDERS:
        if not os.path.isdir(estate / folder):
            sources.complain(Place(folder), f"The folder `{folder}` is missing; `relance init` lays one down.")
    if sources.findings:
        return None, sources.findings, sources.where
    content = _read(sources)
    return content, sorted(sources.findings, key=order), sources.where


def usable(estate: Path) -> Content:
    """The content of an estate whose errors, if any, each block only some hosts; raises ContentError otherwise.

    Hosts with an error are left out of the content.
    """
    content, findings, _ = load(estate)
    if content is None or blocks_everything(findings):
        raise unusable(findings)
    return content


def unusable(findings: Iterable[Finding]) -> ContentError:
    """The error of content that cannot be used, naming the first reason and how many more there are."""
    first, *others = blocks_everything(findings)
    more = f" ({len(others)} more; `relance review` lists them)" if others else ""
    return ContentError(f"{first}{more}", rule="content.review", file=first.file, line=first.line)


def _read(sources: Sources) -> Content:
    # Everything was validated entry by entry; validating the whole again would double the cost.
    refuse_unread(sources, "plans", {"classes.yaml", "capacity.yaml", "roster.yaml", "restart.yaml"})
    return Content.model_construct(
        inventory=read_inventory(sources),
        checks=read_checks(sources),
        classes=read_list(sources, "plans/classes", "classes", HostClass, needed=True),
        capacity=_read_capacity(sources),
        roster=Roster(persons=read_list(sources, "plans/roster", "persons", Person, needed=True)),
        restart=_read_restart(sources),
        digest=sources.digest(),
    )


def _read_capacity(sources: Sources) -> Capacity:
    document = _needed(sources, "plans/capacity")
    if document is None:
        sources.where.unread.update(("pool", "shift"))
        return Capacity()
    only_keys(sources, document, *Capacity.model_fields)
    return Capacity(
        pools=fit_list(sources, document, "pools", Pool, "pool"),
        shifts=fit_list(sources, document, "shifts", Shift, "shift"),
    )


def _read_restart(sources: Sources) -> Restart:
    document = _needed(sources, "plans/restart")
    return (fit_one(sources, document, Restart, "restart") if document else None) or Restart()


def _needed(sources: Sources, stem: str) -> Document | None:
    relative = sources.choose(stem)
    if relative is None:
        sources.complain(Place(f"{stem}.yaml"), "This file is missing.")
        return None
    return read_document(sources, relative)
