"""Reads the files of `checks/`: one per function, in any number.

Never asks whether a subject exists; plans.review does.
"""

from __future__ import annotations

from orchestrator.checks.model import Check, CheckFile
from orchestrator.inventory.documents import Document, read_document
from orchestrator.inventory.files import refuse_unread
from orchestrator.inventory.fitting import fit_list, only_keys
from orchestrator.inventory.sources import Sources, nearest


def read_checks(sources: Sources) -> tuple[Check, ...]:
    """The checks of all files that fit; what does not is among the findings."""
    found: list[Check] = []
    stems = {path.stem for path in (sources.estate / "checks").glob("*") if path.suffix in (".yaml", ".json", ".yml")}
    refuse_unread(sources, "checks", {f"{stem}.yaml" for stem in stems})
    for stem in sorted(stems):
        relative = sources.choose(f"checks/{stem}")
        document = None if relative is None else read_document(sources, relative)
        if document is None:
            sources.where.unread.add("check")
        else:
            only_keys(sources, document, *CheckFile.model_fields)
            _check_function(sources, document)
            found.extend(fit_list(sources, document, "checks", Check, "check"))
    return tuple(found)


def _check_function(sources: Sources, document: Document) -> None:
    """The function a file is about exists; the checks themselves name their subjects."""
    function = document.value.get("function") if isinstance(document.value, dict) else None
    known = list(sources.where.names("function"))
    if function is not None and function not in known and "function" not in sources.where.unread:
        message = f"There is no function `{function}`{nearest(str(function), known)}"
        sources.complain(document.place(("function",)), message)
