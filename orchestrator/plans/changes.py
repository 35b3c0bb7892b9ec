"""What the content is after an order that changes it: other content, another order of functions, a wave set apart.

Never decides whether the change is possible: deriving the waves of what comes out does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from orchestrator.canonical import Json
from orchestrator.plans.model import Content, Split
from orchestrator.plans.splits import cut_loose

KINDS = frozenset({"content.change", "functions.order", "wave.split"})


def changed(
    content: Content, kind: str, subject: str, args: Mapping[str, Json], contents: Mapping[str, Content]
) -> Content:
    """The content after an order of one of KINDS on the `content` in force; `contents` holds what is kept, by digest.

    Raises KeyError for content that is not kept, and ValueError for a split that cannot be named.
    """
    if kind == "content.change":
        return contents[str(args["digest"])]
    if kind == "functions.order":
        order = tuple(cast("list[str]", args["functions"]))
        return content.model_copy(update={"restart": content.restart.model_copy(update={"order": order})})
    return cut_loose(content, split_of(subject, args))


def split_of(wave: str, args: Mapping[str, Json]) -> Split:
    """The split that an order on `wave` asks for. Raises ValueError where its arguments do not fit."""
    return Split.model_validate({"wave": wave, **args})
