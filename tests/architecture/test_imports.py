"""The direction of imports, and the walls around other people's libraries, as written in pyproject.toml."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "orchestrator").rglob("*.py"))
FILES_MAX = 2

# Files that do not count towards the two, and why.
BESIDE = {
    # What each content folder may say is a model; the loaders and the API fit documents to those models.
    "pydantic": {
        "orchestrator/checks/model.py",
        "orchestrator/inventory/model.py",
        "orchestrator/plans/model.py",
        "orchestrator/practice/fleet_file.py",
    },
    # The standard library of a later Python: pydantic asks for its TypedDict before 3.12.
    "typing_extensions": {"orchestrator/interfaces/auditing.py", "orchestrator/interfaces/hand_checks.py"},
    # The drill's intruder really encrypts; nothing of Relance itself depends on it.
    "cryptography": {"orchestrator/practice/fleet_disk.py", "orchestrator/practice/ransomware.py"},
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("lint-imports"))
    return subprocess.run([program, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False)


def libraries(source: Path) -> set[str]:
    """The top-level names a file imports that are neither Python's nor ours."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"orchestrator"}


def test_imports_go_one_way_and_what_decides_reaches_no_clock_chance_or_io() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("decision/__init__.py", "import time", "What decides"),
        ("inventory/model.py", "from random import random", "What decides"),
        ("errors.py", "import socket", "What decides"),
        ("inventory/__init__.py", "import orchestrator.plans.model", "Imports go one way"),
        ("decision/__init__.py", "import orchestrator.journal", "Imports go one way"),
        ("journal/__init__.py", "import orchestrator.trust", "Imports go one way"),
        ("surprise.py", "import orchestrator.engine", "Imports go one way"),
        ("trust/__init__.py", "import orchestrator.decision", "Who says so"),
        ("trust/log.py", "import orchestrator.journal", "The release check"),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_is_planted(
    tmp_path: Path, module: str, line: str, contract: str
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for source in SOURCES:
        target = tmp_path / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    with (tmp_path / "orchestrator" / module).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} " in done.stdout
    assert "BROKEN" in next(found for found in done.stdout.splitlines() if found.startswith(contract))


def test_each_library_of_others_lives_behind_one_or_two_files() -> None:
    users: dict[str, set[str]] = defaultdict(set)
    for source in SOURCES:
        for library in libraries(source):
            users[library].add(source.relative_to(ROOT).as_posix())
    spread = {name: sorted(files - BESIDE.get(name, set())) for name, files in users.items()}
    assert {name: files for name, files in spread.items() if len(files) > FILES_MAX} == {}


def test_an_import_inside_a_function_counts_like_any_other(tmp_path: Path) -> None:
    source = tmp_path / "sample.py"
    source.write_text("import os, yaml.nodes\nfrom . import x\ndef f():\n    from networkx.algorithms import dag\n")
    assert libraries(source) == {"yaml", "networkx"}
