"""Reads the indicators of a STIX 2.1 bundle: the simple patterns, of the kinds an inspection collects.

Never guesses at a pattern it does not know: that one is named by its id, and the caller decides that nothing is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from orchestrator.checks.indicators import COLLECTED, Indicator, Uncollected
from orchestrator.errors import Refused

# `[type:path = 'value' OR ...]`, in a chain of such brackets joined by OR; quotes and backslashes are escaped.
_NEXT = re.compile(
    r"""\s* (?P<path>[a-z0-9-]+:[A-Za-z0-9_.'\[\]*-]+) \s* (?P<operator>=|LIKE|MATCHES|!=|IN)
    \s* '(?P<value>(?:[^'\\]|\\.)*)' \s* (?P<end>\]\s*OR\s*\[|\]\s*$|\bOR\b)""",
    re.VERBOSE,
)
# The object paths we know, with the kind each is.
_PATHS = {
    "file:hashes.'SHA-256'": "sha256",
    "file:hashes.SHA-256": "sha256",
    "file:hashes.SHA256": "sha256",
    "file:name": "name",
    "domain-name:value": "domain",
    "ipv4-addr:value": "address",
    "ipv6-addr:value": "address",
    "windows-service-ext:service_name": "persistence",
    "process:extensions.'windows-service-ext'.service_name": "persistence",
}
_ESCAPE = re.compile(r"\\(.)")


def read_bundle(text: bytes, name: str) -> tuple[list[Indicator | Uncollected], dict[str, str]]:
    """The indicators and the YARA rules (by id) of a bundle. Raises Refused for what is no bundle."""
    try:
        bundle: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is no JSON: {error}.", rule="indicators.stix", file=name) from error
    objects = bundle.get("objects") if isinstance(bundle, dict) and bundle.get("type") == "bundle" else None
    if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
        raise Refused(f"{name} is no STIX bundle with a list of objects.", rule="indicators.stix", file=name)
    found: list[Indicator | Uncollected] = []
    rules: dict[str, str] = {}
    for one in objects:
        if one.get("type") != "indicator" or one.get("revoked") is True:
            continue
        origin, pattern, written_in = (str(one.get(key, "")) for key in ("id", "pattern", "pattern_type"))
        if written_in == "yara":
            rules[f"{origin}.yar"] = pattern
        elif written_in == "stix":
            found += read_pattern(pattern, origin)
        else:
            found.append(
                Uncollected(origin, f"a pattern in {written_in or 'no language'}; only stix and yara are read")
            )
    return found, rules


def read_pattern(pattern: str, origin: str) -> Iterator[Indicator | Uncollected]:
    """One indicator for each comparison of a pattern that joins them with OR alone."""
    text = pattern.strip()
    terms: list[re.Match[str]] = []
    at = 1 if text.startswith("[") else len(text)
    while at < len(text):
        term = _NEXT.match(text, at)
        if term is None:
            break
        terms.append(term)
        at = term.end()
    if not terms or at < len(text) or not terms[-1]["end"].startswith("]") or "[" in terms[-1]["end"]:
        yield Uncollected(origin, f"the pattern {text[:80]} is not a simple one (comparisons joined by OR)")
        return
    for term in terms:
        yield _indicator(term, origin)


def _indicator(term: re.Match[str], origin: str) -> Indicator | Uncollected:
    value = _ESCAPE.sub(r"\1", term["value"])
    kind = _PATHS.get(term["path"], "")
    if not kind:
        return Uncollected(origin, f"`{term['path']}` is a kind no inspection collects; {COLLECTED}")
    if term["operator"] == "LIKE" and kind == "name":  # % and _ are its wildcards, * ? [ plain letters
        plain = re.sub(r"([*?\[])", r"[\1]", value)
        return Indicator("glob", plain.replace("%", "*").replace("_", "?"), origin)
    if term["operator"] != "=":
        return Uncollected(origin, f"{kind} is compared by {term['operator']}; only = is read, LIKE for file names")
    return Indicator(kind, value, origin)
