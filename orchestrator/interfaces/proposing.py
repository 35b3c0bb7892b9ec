"""Looks at content that is proposed in mid-incident: reviews it, and says in words what it would change.

Never puts content in force: an order of two persons does, and it is admitted only while what they signed is true.
"""

from __future__ import annotations

import re

from orchestrator.engine.contents import FOLDER
from orchestrator.errors import Refused
from orchestrator.interfaces.documents import Proposal
from orchestrator.interfaces.live import Live
from orchestrator.interfaces.reviewing import reviewed
from orchestrator.plans.differences import differences
from orchestrator.plans.files import unusable
from orchestrator.plans.model import Content
from orchestrator.trust.statement import Order

_DIGEST = re.compile(r"[0-9a-f]{64}")


def proposal(live: Live, digest: str) -> tuple[Content, Proposal]:
    """The content kept under `digest`, and what people are told of it. Raises Refused where it cannot be used."""
    folder = live.state_dir / FOLDER / digest
    if not _DIGEST.fullmatch(digest) or not folder.is_dir():
        raise Refused(
            "That content is not kept with this incident; `relance content propose` keeps it.", rule="content.unknown"
        )
    found = reviewed(folder)
    if found.content is None:
        raise Refused(unusable(found.findings).sentence, rule="content.review")
    if found.content.digest != digest:
        raise Refused("The content was changed after it was proposed; propose it again.", rule="content.unknown")
    in_force = live.read(lambda state, now_us: state.estate.content)
    return found.content, {
        "digest": digest,
        "blocked": sorted(found.blocked),
        "changes": differences(in_force, found.content),
        "errors": [str(one) for one in found.findings if one.severity == "error"],
    }


def offer(live: Live, order: Order) -> None:
    """Hands the core the content of an order, if what its signers read is what it changes. Raises Refused."""
    content, told = proposal(live, str(order.args.get("digest", "")))
    if order.args != {"digest": told["digest"], "blocked": told["blocked"], "changes": told["changes"]}:
        raise Refused(
            "What this content would change is no longer what the order says; propose it again.", rule="content.changes"
        )
    live.offer(content)
