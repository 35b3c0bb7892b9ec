"""The JSON Schemas beside the content say what the models say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from orchestrator.plans.lay_down import reference_estate
from orchestrator.plans.schemas import schemas, write_schemas
from tests.small_estate import SMALL


@pytest.mark.parametrize("relative", sorted(schemas()))
def test_the_schema_in_the_repository_is_current(relative: str) -> None:
    current = (reference_estate() / relative).read_text(encoding="utf-8")
    assert current == schemas()[relative], "Run `make schemas`."


def test_no_schema_is_left_over() -> None:
    there = {path.relative_to(reference_estate()).as_posix() for path in reference_estate().glob("*/schema/*")}
    assert there == set(schemas())


def test_schemas_are_written_where_editors_look_for_them(tmp_path: Path) -> None:
    written = write_schemas(tmp_path)
    assert {path.relative_to(tmp_path).as_posix(): path.read_text() for path in written} == schemas()


@pytest.mark.parametrize("schema", [path for path in sorted(schemas()) if "checks" not in path])
def test_a_schema_knows_every_field_the_small_estate_uses(schema: str) -> None:
    file = schema.replace("schema/", "").replace(".json", ".yaml")
    rules = json.loads(schemas()[schema])
    assert rules["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert unknown(yaml.safe_load((SMALL / file).read_text(encoding="utf-8")), rules, rules) == []


def unknown(value: object, rules: dict[str, object], root: dict[str, object]) -> list[str]:
    """The keys of `value` that `rules` do not allow, followed through references, lists and groups."""
    rules = resolved(rules, root)
    if isinstance(value, list) and isinstance(rules.get("items"), dict):
        return [found for each in value for found in unknown(each, rules["items"], root)]
    if not isinstance(value, dict):
        return []
    properties, others = rules.get("properties", {}), rules.get("additionalProperties")
    found = [key for key in value if key not in properties and others is False]
    for key, each in value.items():
        inner = properties.get(key, others if isinstance(others, dict) else {})
        found += unknown(each, inner, root)
    return found


def resolved(rules: dict[str, object], root: dict[str, object]) -> dict[str, object]:
    """The rules behind a `$ref`, or the one alternative that is not null."""
    if "anyOf" in rules:
        rules = next(each for each in rules["anyOf"] if each.get("type") != "null")
    return root["$defs"][rules["$ref"].rpartition("/")[2]] if "$ref" in rules else rules
