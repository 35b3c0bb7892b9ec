"""Checks the arguments of every task against the documentation of its module, which a syntax check does not do.

Never runs a task. `make test` lays the collections of the Windows roles beside the environment's own packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# What may stand beside the module in a task of ours; a new keyword is added here on purpose.
KEYWORDS = {"name", "when", "register", "changed_when", "failed_when", "vars", "block", "rescue", "always", "loop"}
# Its arguments are the names of the facts.
FREE = {"ansible.builtin.set_fact"}
LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")


@dataclass(frozen=True)
class Task:
    """One task: where it stands, its module, and its arguments (text for free form)."""

    file: str
    name: str
    module: str
    arguments: dict[str, Any] | str


def tasks_of(playbooks: Path) -> list[Task]:
    """The tasks of all playbooks and roles in the folder."""
    files = [
        *playbooks.glob("*.yml"),
        *playbooks.glob("roles/*/tasks/*.yml"),
        *playbooks.glob("roles/*/handlers/*.yml"),
    ]
    found = []
    for file in sorted(files):
        for entry in yaml.safe_load(file.read_text("utf-8")):
            found += list(_tasks(file.relative_to(playbooks).as_posix(), entry, play="hosts" in entry))
    return found


def _tasks(file: str, entry: dict[str, Any], *, play: bool = False) -> Iterator[Task]:
    for name in LISTS:
        for inner in entry.get(name, ()):
            yield from _tasks(file, inner)
    modules = [] if play else [key for key in entry if key not in KEYWORDS]
    for module in modules:
        yield Task(file, str(entry.get("name", "")), module, entry[module] or {})


def documentation(modules: set[str]) -> dict[str, dict[str, Any]]:
    """The documented options by module; a module that is not installed is missing from it."""
    program = Path(sys.executable).with_name("ansible-doc")
    command = [str(program), "--json", "-t", "module", *sorted(modules)]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(Path(sys.prefix) / "windows")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    found = json.loads(done.stdout or "{}")
    return {name: doc["doc"].get("options", {}) for name, doc in found.items() if doc.get("doc")}


def faults(task: Task, options: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the task's arguments, as sentences."""
    where = f"{task.file}: {task.name or task.module}"
    if task.module in FREE:
        return
    if isinstance(task.arguments, str):
        if "free_form" not in options and "_raw_params" not in options:
            yield f"{where}: {task.module} takes no free text."
        return
    known = {alias for name, option in options.items() for alias in (name, *option.get("aliases", ()))}
    for name, value in task.arguments.items():
        if name not in known:
            yield f"{where}: {task.module} has no argument {name!r}."
            continue
        option = next(one for key, one in options.items() if name in (key, *one.get("aliases", ())))
        yield from _value_faults(where, name, value, option)
    for name, option in options.items():
        if option.get("required") and not {name, *option.get("aliases", ())} & set(task.arguments):
            yield f"{where}: {task.module} needs the argument {name!r}."


def _value_faults(where: str, name: str, value: object, option: dict[str, Any]) -> Iterator[str]:
    if isinstance(value, str) and "{{" in value:
        return
    kinds: dict[str, type | tuple[type, ...]] = {"dict": dict, "list": (list, str), "bool": bool, "int": int}
    kind = kinds.get(str(option.get("type")))
    if kind is not None and not isinstance(value, kind):
        yield f"{where}: {name} is a {type(value).__name__}, not a {option['type']}."
    choices = option.get("choices") or ()
    for one in value if isinstance(value, list) else [value]:
        if choices and one not in choices:
            yield f"{where}: {name} is {one!r}, not one of {', '.join(map(str, choices))}."
