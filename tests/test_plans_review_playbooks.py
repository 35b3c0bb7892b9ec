"""Playbooks that forget their marks or the rotation, code in content, and secrets others can read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_estate import SmallEstate

BOOKS = "plans/playbooks"


@pytest.mark.parametrize(
    ("book", "old", "new", "sentence"),
    [
        ("restore", "mark begin", "note", "restore.yml sets no mark at its beginning (`mark begin`) on linux hosts."),
        ("restore", "mark end", "note", "restore.yml sets no mark at its end (`mark end`) on linux hosts."),
        ("restore", "relance-manage rotate", "true", "restore.yml does not rotate the local administrator secret"),
        ("reimage", "relance-manage rotate", "true", "reimage.yml does not rotate the local administrator secret"),
        ("preserve", "mark begin", "note", "preserve.yml sets no mark at its beginning"),
    ],
)
def test_a_playbook_that_lacks_what_it_must_have_is_an_error(
    tmp_path: Path, book: str, old: str, new: str, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(f"{BOOKS}/{book}.yml", old, new, count=-1)
    text = (small.path / BOOKS / f"{book}.yml").read_text()
    (small.path / BOOKS / f"{book}.yml").write_text(text.replace(", its local secret rotated", ""))
    found = small.said()
    assert len(found) == 1, found
    assert f"The playbook {BOOKS}/{sentence}" in found[0]
    assert found[0].startswith("plans/classes.yaml:")


def test_a_comment_is_no_mark(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(f"{BOOKS}/preserve.yml", "mark begin", "note", count=-1)
    small.append(f"{BOOKS}/preserve.yml", "# relance-manage mark begin\n")
    assert len(small.said()) == 1


def test_marks_may_stand_in_a_role_or_task_file_the_playbook_names(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    text = (small.path / BOOKS / "restore.yml").read_text()
    small.append(f"{BOOKS}/roles/restore_linux/tasks/main.yml", "- import_tasks: work.yml\n")
    small.append(f"{BOOKS}/roles/restore_linux/tasks/work.yml", text)
    (small.path / BOOKS / "restore.yml").write_text("- hosts: linux\n  roles: [restore_linux]\n")
    assert small.said() == []
    small.edit(f"{BOOKS}/restore.yml", "restore_linux", "restore_other")
    assert len(small.said()) == 3


def test_network_playbooks_need_no_mark_but_they_need_to_be_there(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (small.path / BOOKS / "isolate.yml").rename(small.path / BOOKS / "isolates.yml")
    assert small.said() == [
        "plans/classes.yaml:3 The playbook plans/playbooks/isolate.yml is missing; did you mean `isolates`?"
    ]
    (small.path / BOOKS / "reimage.yml").rename(small.path / BOOKS / "elsewhere.yml")
    assert [said for said in small.said() if said.endswith("The playbook plans/playbooks/reimage.yml is missing.")]


def test_only_the_playbooks_a_class_may_run_are_asked_for(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (small.path / BOOKS / "restore.yml").unlink()
    assert small.said()[0].startswith("plans/classes.yaml:11 ")
    small.edit("plans/classes.yaml", "strategies: [restore, reimage", "strategies: [reimage", count=-1)
    assert small.said() == []


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/x.yml", "restore.sh", "a b.yml"])
def test_a_playbook_is_a_plain_file_name(tmp_path: Path, name: str) -> None:
    small = SmallEstate(tmp_path)
    online = "    cleanliness: online"
    small.edit("plans/classes.yaml", online, f'    playbooks: {{restore: "{name}"}}\n{online}')
    assert any("is no playbook: it must be a file name in plans/playbooks." in said for said in small.said())


@pytest.mark.parametrize(
    ("file", "text", "line", "sentence"),
    [
        (f"{BOOKS}/library/win_x.ps1", "x", 1, "Ansible would load code from the folder `library`"),
        (f"{BOOKS}/filter_plugins/x.txt", "x", 1, "Ansible would load code from the folder `filter_plugins`"),
        (f"{BOOKS}/roles/r/module_utils/x", "x", 1, "Ansible would load code from the folder `module_utils`"),
        ("inventory/generate.py", "x", 1, "This is code"),
        ("checks/fast.so", "x", 1, "This is code"),
        (f"{BOOKS}/ansible.cfg", "x", 1, "An `ansible.cfg` may load code"),
        ("ansible.cfg", "x", 1, "An `ansible.cfg` may load code"),
        (f"{BOOKS}/x.yml", "a\nb: \"{{ lookup('pipe', 'id') }}\"\n", 2, "A `pipe` lookup runs a command"),
        (f"{BOOKS}/x.yml", '{{ query("ansible.builtin.pipe", "id") }}', 1, "A `pipe` lookup runs a command"),
        (f"{BOOKS}/x.yml", "with_pipe: id", 1, "A `pipe` lookup runs a command"),
        (f"{BOOKS}/x.yml", '"with_ansible.builtin.pipe" : id', 1, "A `pipe` lookup runs a command"),
        (f"{BOOKS}/x.yml", "a\n{{ lookup ( 'pipe' , 'id') }}", 2, "A `pipe` lookup runs a command"),
        (f"{BOOKS}/x.yml", "{{ lookup('ansible.legacy.pipe', 'id') }}", 1, "A `pipe` lookup runs a command"),
        (f"{BOOKS}/roles/r/templates/x.j2", "{{ q('lines', 'id') }}", 1, "A `lines` lookup runs a command"),
        (f"{BOOKS}/x.yml", "{{ lookup(chosen, 'id') }}", 1, "Write the name of this lookup out in quotes"),
        (f"{BOOKS}/x.yml", "{{ query('pi' ~ 'pe', 'id') }}", 1, "Write the name of this lookup out in quotes"),
        (f"{BOOKS}/x.yml", "{{ q ('p\\x69pe', 'id') }}", 1, "Write the name of this lookup out in quotes"),
        ("plans/keys.txt", "\n-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", 2, "This is a private key"),
    ],
)
def test_content_holds_neither_code_nor_commands_nor_private_keys(
    tmp_path: Path, file: str, text: str, line: int, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.append(file, text)
    assert [said for said in small.said() if said.startswith(f"{file}:{line} {sentence}")]


def test_a_link_in_content_is_refused(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (small.path / "plans" / "playbooks" / "roles").symlink_to(tmp_path)
    assert "plans/playbooks/roles:1 This is a link; content holds plain files." in small.said()


@pytest.mark.parametrize(
    ("folder", "folder_mode", "file_mode", "said"),
    [
        ("secrets", 0o700, 0o600, []),
        ("secrets", 0o755, 0o600, ["secrets:1 Others can reach this secret: its mode is 0755, not 0700."]),
        ("secrets", 0o700, 0o640, ["secrets/key:1 Others can reach this secret: its mode is 0640, not 0600."]),
        (".relance/secrets", 0o700, 0o400, []),
        (".relance/secrets", 0o700, 0o604,
         [".relance/secrets/key:1 Others can reach this secret: its mode is 0604, not 0600."]),
    ],
)  # fmt: skip
def test_a_secret_is_for_its_owner_alone(
    tmp_path: Path, folder: str, folder_mode: int, file_mode: int, said: list[str]
) -> None:
    small = SmallEstate(tmp_path)
    small.append(f"{folder}/key", "secret")
    (small.path / folder).chmod(folder_mode)
    (small.path / folder / "key").chmod(file_mode)
    assert small.said() == said


def test_lookups_that_run_nothing_are_let_through(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.append(
        f"{BOOKS}/x.yml", "{{ lookup('ansible.builtin.file', 'x') }}\nwith_items: [1]\nssh-keygen -q (nslookup)\n"
    )
    assert small.said() == []


WINDOWS = """- hosts: windows
  tasks:
    - win_shell: relance-manage mark begin; rotate; relance-manage mark end
"""


def test_the_linux_play_marks_nothing_for_a_windows_host(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/classes.yaml", "kind: workstation\n    os: linux", "kind: workstation\n    os: windows")
    assert f"The playbook {BOOKS}/isolate.yml has no play for windows hosts (`hosts: windows`)." in small.said()[0]
    for book in ("preserve", "reimage", "reconnect", "isolate"):
        small.append(f"{BOOKS}/{book}.yml", WINDOWS)
    assert small.said() == []
    small.edit(f"{BOOKS}/reimage.yml", "begin; rotate;", "begin;")
    assert [said.partition(" ")[2] for said in small.said()] == [
        f"The playbook {BOOKS}/reimage.yml does not rotate the local administrator secret (`rotate`) on windows hosts."
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- hosts: linux\n  tasks: [\n", "3 This cannot be read"),
        ("", "1 This file says nothing."),
        ("# later\n", "1 This file says nothing."),
        ("hosts: linux\n", "1 This must be a list of plays."),
        ("- hosts\n- linux\n", "1 This must be a list of plays."),
        ("- hosts: linux\n  hosts: all\n", "2 The key `hosts` stands twice in the same group."),
        ("- hosts: linux\n  vars: !vault x\n", "2 The tag `!vault` is not read"),
    ],
)
def test_a_playbook_that_is_none_is_told_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    small = SmallEstate(tmp_path)
    (small.path / BOOKS / "isolate.yml").write_text(text)
    assert [said for said in small.said() if said.startswith(f"{BOOKS}/isolate.yml:{sentence}")]


def test_a_role_a_playbook_names_must_hold_tasks_and_one_nobody_names_may_be_anything(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.append(f"{BOOKS}/roles/cut_off/tasks/main.yml", "later: {\n")
    assert small.said() == []
    small.edit(f"{BOOKS}/isolate.yml", "hosts: linux", "hosts: linux\n  roles: [cut_off]")
    assert [said for said in small.said() if said.startswith(f"{BOOKS}/roles/cut_off/tasks/main.yml:2 This cannot be")]
    (small.path / BOOKS / "roles/cut_off/tasks/main.yml").write_text("later: now\n")
    assert small.said() == [f"{BOOKS}/roles/cut_off/tasks/main.yml:1 This must be a list of tasks."]


@pytest.mark.parametrize("way", ["loop", "folder"])
@pytest.mark.parametrize("file", [f"{BOOKS}/restore.yml", "inventory/servers.csv", "checks/laboratory.yaml"])
def test_a_file_nobody_can_read_is_a_sentence_about_it(tmp_path: Path, file: str, way: str) -> None:
    small = SmallEstate(tmp_path)
    (small.path / file).unlink()
    if way == "loop":
        (small.path / file).symlink_to(small.path / file)
    else:
        (small.path / file).mkdir()
    assert [said for said in small.said() if said.startswith(f"{file}:1 This is ")]


def test_a_folder_nobody_may_open_is_a_sentence_about_it(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.append(".relance/secrets/key", "secret")
    for folder in (f"{BOOKS}/roles/r", ".relance"):
        (small.path / folder).mkdir(parents=True, exist_ok=True)
        (small.path / folder).chmod(0)
    found = as_nobody(tmp_path, f"sorted(map(str, examine(Path({str(small.path)!r})).findings))")
    assert "plans/playbooks/roles/r:1: error: This is no plain file, or a folder nobody can open" in found
    assert ".relance/secrets:1: warning: Nobody knows who can reach these secrets: Permission denied." in found


def test_a_file_whose_name_no_terminal_can_print_is_told_and_does_not_stop_the_review(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (small.path / BOOKS / os.fsdecode(b"caf\xe9.yml")).write_text("- a\n")
    assert small.said() == [f"{BOOKS}/caf?.yml:1 The name of this file holds what is no letter in UTF-8; rename it."]


def as_nobody(cwd: Path, expression: str) -> str:
    """What an expression about the review is worth to a user who may open only what modes let them."""
    code = f"from pathlib import Path; from orchestrator.plans.review import examine; print({expression})"
    bound = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*bound, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
