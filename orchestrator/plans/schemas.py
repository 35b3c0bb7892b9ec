"""Writes the JSON Schemas of the content files, generated from the models, beside the content.

Never edited by hand: editors use them to check content while it is typed; a test keeps them current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.checks.model import CheckFile
from orchestrator.inventory.model import Activity, Function, Interface, Service, Site, Strict
from orchestrator.plans.model import Capacity, HostClass, Person, Restart

_LISTS: dict[str, tuple[str, type[Strict]]] = {
    "inventory/schema/sites.json": ("sites", Site),
    "inventory/schema/functions.json": ("functions", Function),
    "inventory/schema/activities.json": ("activities", Activity),
    "inventory/schema/services.json": ("services", Service),
    "inventory/schema/interfaces.json": ("interfaces", Interface),
    "plans/schema/classes.json": ("classes", HostClass),
    "plans/schema/roster.json": ("persons", Person),
}
_WHOLE: dict[str, type[Strict]] = {
    "plans/schema/capacity.json": Capacity,
    "plans/schema/restart.json": Restart,
    "checks/schema/checks.json": CheckFile,
}


def schemas() -> dict[str, str]:
    """The text of each schema by its path in the estate."""
    found = {path: _list_schema(key, model) for path, (key, model) in _LISTS.items()}
    found |= {path: model.model_json_schema() for path, model in _WHOLE.items()}
    return {path: json.dumps(_with_dialect(schema), indent=2, sort_keys=True) + "\n" for path, schema in found.items()}


def write_schemas(estate: Path) -> list[Path]:
    """Writes them all under `estate`; the paths written."""
    written = []
    for relative, text in schemas().items():
        path = estate / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _list_schema(key: str, model: type[Strict]) -> dict[str, Any]:
    entry = model.model_json_schema()
    definitions = entry.pop("$defs", {})
    return {
        "type": "object",
        "properties": {key: {"type": "array", "items": entry}},
        "required": [key],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _with_dialect(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    write_schemas(Path())
