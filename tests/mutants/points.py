"""The small mistakes that can be written into a file of the core: Cosmic Ray's operators, where they meet code.

Never touches a file. Left out, because no decision follows from them: annotations, type aliases, the sign
before arguments by name, and the arguments of `@dataclass` (frozen and slots guard programmers). Left out, because
any test sees them or none can: `is` for `==`, an order for `is`, an order of names (`kind < "genesis"`), numbers for
sets or the reverse. Cosmic Ray changes no text.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType

from cosmic_ray.ast import Visitor, ast_nodes, get_ast
from cosmic_ray.operators.provider import OperatorProvider

NEED_ARGUMENTS = {"VariableReplacer", "VariableInserter"}
ORDERS, IDENTITY = {"Lt", "LtE", "Gt", "GtE"}, {"Is", "IsNot"}
KINDS = ({"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod"}, {"BitOr", "BitAnd", "Sub"}, {"LShift", "RShift"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: the n-th place of a file where an operator fits, from `at` to `end` (line, column)."""

    file: str
    operator: str
    number: int
    at: Place
    end: Place

    @property
    def name(self) -> str:
        """What it is called in the book of results."""
        return f"{self.file}:{self.operator}:{self.number}"


class _Writer(Visitor):
    """Makes one mistake while it walks."""

    def __init__(self, operator: str, number: int) -> None:
        self._operator = OperatorProvider()[operator]()
        self._left = number

    def visit(self, node: object) -> object:
        """Counts the places down to the one that is meant."""
        for index, _ in enumerate(list(self._operator.mutation_positions(node))):
            self._left -= 1
            if self._left == -1:
                return self._operator.mutate(node, index)
        return node


def written(mutant: Mutant, source: str) -> str:
    """The file with the mistake."""
    return str(_Writer(mutant.operator, mutant.number).walk(get_ast(source)).get_code())


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mistake the operators know for a file, but those in what is no code."""
    source = path.read_text()
    nodes, aside = list(ast_nodes(get_ast(source))), list(_no_code(tree(source)))
    named = list(_compared_with_names(tree(source)))
    for operator in filter(_means_something, sorted(set(OperatorProvider()) - NEED_ARGUMENTS)):
        knows = OperatorProvider()[operator]()
        places = [place for node in nodes for place in knows.mutation_positions(node)]
        without = aside + named if operator.rpartition("_")[2] in ORDERS else aside
        for number, (at, end) in enumerate(places):
            if not any(first <= at and end <= last for first, last in without):
                yield Mutant(path.name, operator, number, at, end)


def _means_something(operator: str) -> bool:
    """Whether what replaces an operator is of its kind."""
    kind, *pair = operator.split("_")
    if kind == "ReplaceBinaryOperator":
        return any(set(pair) <= group for group in KINDS)
    return kind != "ReplaceComparisonOperator" or set(pair) <= IDENTITY or not set(pair) & IDENTITY


@cache
def tree(source: str) -> ast.Module:
    """The syntax of a file, read once."""
    return ast.parse(source)


def _span(node: ast.AST) -> tuple[Place, Place]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]


def _no_code(module: ast.Module) -> Iterator[tuple[Place, Place]]:
    """Where a mistake means nothing: annotations, type aliases, and how a dataclass is kept."""
    for node in ast.walk(module):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            yield _span(node.annotation)
        if isinstance(node, FUNCTIONS) and node.returns:
            yield _span(node.returns)
        if isinstance(node, ast.arguments) and node.kwonlyargs:
            before = [_span(one)[1] for one in (*node.posonlyargs, *node.args, *node.defaults)]
            yield max(before, default=(0, 0)), _span(node.kwonlyargs[0])[0]
        if isinstance(node, ast.ClassDef):
            yield from (_span(one) for one in node.decorator_list if isinstance(one, ast.Call))
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name[0].isupper() and not name.isupper():
                yield _span(node)


def _compared_with_names(module: ast.Module) -> Iterator[tuple[Place, Place]]:
    """Comparisons with a text."""
    for node in ast.walk(module):
        if isinstance(node, ast.Compare):
            texts = [one for one in node.comparators if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield from ((_span(node.left)[1], _span(text)[0]) for text in texts)


def function_at(source: str, at: Place) -> int:
    """The line of the outermost function whose body holds the place; 0 if it is a table, a default or a decorator."""
    holders: list[ast.stmt] = list(tree(source).body)
    for holder in holders:
        if isinstance(holder, ast.ClassDef):
            holders.extend(holder.body)
        elif isinstance(holder, FUNCTIONS) and _span(holder.body[0])[0] <= at < _span(holder)[1]:
            return min([holder.lineno, *(one.lineno for one in holder.decorator_list)])
    return 0


def lines_around(source: str, at: Place) -> range:
    """The lines of the smallest statement around a place; of a compound one, its head."""
    best = range(at[0], at[0] + 1)
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.stmt) and _span(node)[0] <= at < _span(node)[1]:
            body = getattr(node, "body", None)
            best = range(node.lineno, max(node.lineno, body[0].lineno - 1) + 1 if body else node.end_lineno + 1)
    return best


def code_at(whole: CodeType, first_line: int) -> CodeType | None:
    """The compiled function that begins at a line, of a compiled file."""
    for part in whole.co_consts:
        if isinstance(part, CodeType):
            found = part if part.co_firstlineno == first_line else code_at(part, first_line)
            if found:
                return found
    return None


def shuffled(all_mutants: list[Mutant], seed: int) -> list[Mutant]:
    """In an order in which every beginning is a fair sample."""
    return sorted(all_mutants, key=lambda one: hashlib.sha256(f"{seed} {one.name}".encode()).digest())
