"""The habits of the source that a reader relies on: what a module promises, and where a failure may be caught whole."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "orchestrator").rglob("*.py"))
MODULES = [source for source in SOURCES if source.name != "__init__.py"]
BROAD = {"Exception", "BaseException"}

# The one place where any failure of a worker's thread becomes its result; nowhere else may an unknown one be caught.
# The second: a core that falls over in an invented world is a finding, whatever it fell over.
BROAD_ALLOWED = Counter({"orchestrator/workers/threads.py": 1, "orchestrator/simulation/scenario.py": 1})


def names(node: ast.expr | None) -> set[str]:
    """The exception names of an except clause; a bare one catches BaseException."""
    if node is None:
        return {"BaseException"}
    return {part.id if isinstance(part, ast.Name) else getattr(part, "attr", "") for part in ast.walk(node)}


def broad(tree: ast.AST) -> int:
    """How many places catch whatever comes: `except` clauses and `suppress(...)` calls."""
    found = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            found += bool(names(node.type) & BROAD)
        elif isinstance(node, ast.Call) and names(node.func) & {"suppress"}:
            found += any(names(argument) & BROAD for argument in node.args)
    return found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("try: f()\nexcept: pass", 1),
        ("try: f()\nexcept (OSError, Exception): pass", 1),
        ("try: f()\nexcept builtins.BaseException as e: raise", 1),
        ("with contextlib.suppress(Exception): f()", 1),
        ("with suppress(OSError): f()\ntry: f()\nexcept ValueError: pass", 0),
    ],
)
def test_a_clause_that_catches_whatever_comes_is_recognised(text: str, count: int) -> None:
    assert broad(ast.parse(text)) == count


def test_an_unknown_failure_is_caught_only_at_the_edges_of_a_worker_and_of_an_invented_world() -> None:
    found = {
        source.relative_to(ROOT).as_posix(): count
        for source in SOURCES
        if (count := broad(ast.parse(source.read_text("utf-8"))))
    }
    assert Counter(found) - BROAD_ALLOWED == Counter()


@pytest.mark.parametrize("source", MODULES, ids=lambda source: source.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_does_and_what_it_never_does(source: Path) -> None:
    first, _, rest = (ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "").partition("\n\n")
    assert first.strip(), "The module has no docstring."
    assert "\n" not in first.strip(), "The first line of the docstring stands alone."
    assert "never" in rest.lower(), "The docstring's second paragraph says what the module never does."
