"""The playbooks say how each host's end is heard, and their tasks name only what their modules know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.workers.ansible_files import MARKER
from tests.content.module_arguments import Task, documentation, faults, tasks_of

PLAYBOOKS = Path(__file__).parents[2] / "plans" / "playbooks"
TASKS = tasks_of(PLAYBOOKS)
MODULES = {task.module for task in TASKS}
NAMES = ("preserve", "restore", "reimage", "reconnect", "isolate")


@pytest.fixture(scope="module")
def documented() -> dict[str, dict[str, Any]]:
    return documentation(MODULES)


def plays(name: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text("utf-8"))
    return read


def role_text(name: str) -> str:
    return (PLAYBOOKS / "roles" / name / "tasks" / "main.yml").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_play_gathers_nothing_and_ends_in_the_marker_whatever_happens(name: str) -> None:
    assert {play["hosts"] for play in plays(name)} == {"linux", "windows"}
    for play in plays(name):
        assert play["gather_facts"] is False
        (task,) = play["tasks"]
        assert task["always"][-1]["ansible.builtin.import_role"] == {"name": "marker"}


def test_the_marker_is_one_task_with_the_name_that_is_listened_for() -> None:
    (marker,) = [task for task in TASKS if task.file == "roles/marker/tasks/main.yml"]
    assert marker.name == MARKER
    assert isinstance(marker.arguments, dict)
    assert set(marker.arguments["msg"]) == {"action", "outcome", "facts", "sentence"}


@pytest.mark.parametrize("name", ["preserve", "restore", "reconnect", "isolate"])
def test_a_linux_side_is_one_round_trip_that_a_cancelled_action_never_makes(name: str) -> None:
    (task,) = yaml.safe_load(role_text(f"{name}_linux"))
    assert "ansible.builtin.raw" in task
    assert task["when"] == "relance_cancelled is not exists"
    assert task["register"] == "relance_result"


@pytest.mark.parametrize("name", ["preserve", "restore"])
def test_a_host_action_begins_and_ends_with_its_mark_on_both_sides(name: str) -> None:
    linux, windows = role_text(f"{name}_linux"), role_text(f"{name}_windows")
    words = ("relance-manage mark begin", f"relance-manage {name}", "relance-manage mark end")
    assert [linux.index(word) for word in words] == sorted(linux.index(word) for word in words)
    assert "failed" in linux
    assert windows.count("tasks_from: mark_begin") == 1
    assert windows.count("tasks_from: mark_end") == 2


def test_a_restore_ends_by_rotating_the_local_secret_on_both_sides() -> None:
    assert "relance-manage rotate" in role_text("restore_linux")
    assert "rotate" in role_text("restore_windows")


def test_no_play_of_the_linux_side_needs_a_module_beyond_ansibles_own() -> None:
    linux = [task for task in TASKS if "_linux/" in task.file or "/" not in task.file]
    assert {task.module.rsplit(".", 1)[0] for task in linux} == {"ansible.builtin"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_argument_is_one_the_module_documents(module: str, documented: dict[str, dict[str, Any]]) -> None:
    assert module in documented, f"{module} does not exist, or its collection is not installed: run `make test`"
    wrong = [fault for task in TASKS if task.module == module for fault in faults(task, documented[module])]
    assert wrong == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"msg": "x", "colour": "red"}, "has no argument 'colour'"),
        ({"verbosity": "loud"}, "verbosity is a str, not a int"),
        ("free words", "takes no free text"),
    ],
)
def test_an_argument_no_module_knows_is_found(
    arguments: dict[str, Any] | str, fault: str, documented: dict[str, dict[str, Any]]
) -> None:
    task = Task("restore.yml", "Say", "ansible.builtin.debug", arguments)
    assert any(fault in found for found in faults(task, documented["ansible.builtin.debug"]))


def test_a_missing_argument_and_a_wrong_choice_are_found() -> None:
    options = {"state": {"type": "str", "choices": ["present", "absent"]}, "name": {"type": "str", "required": True}}
    found = list(faults(Task("restore.yml", "Move", "some.module", {"state": "maybe"}), options))
    assert found == [
        "restore.yml: Move: state is 'maybe', not one of present, absent.",
        "restore.yml: Move: some.module needs the argument 'name'.",
    ]
