"""Playbooks that forget their marks or the rotation, code in content, and secrets others can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_estate import SmallEstate

BOOKS = "plans/playbooks"


@pytest.mark.parametrize(
    ("book", "old", "new", "sentence"),
    [
        ("restore", "mark begin", "note", "restore.yml sets no mark at its beginning (`mark begin`)."),
        ("restore", "mark end", "note", "restore.yml sets no mark at its end (`mark end`)."),
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
        "plans/classes.yaml:3 The playbook plans/playbooks/isolate.yml is missing; did you mean `isolates.yml`?"
    ]


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
