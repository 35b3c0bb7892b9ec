"""What a practice fleet's file may say, and the words in which a wrong one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ContentError
from orchestrator.practice.fleet_file import PRESETS, Folders, load, write_whole
from tests.practice_ground import small_fleet


def test_a_fleet_is_read_as_it_was_written(tmp_path: Path) -> None:
    fleet = small_fleet({"h1": tuple(PRESETS.values())})
    fleet.save(tmp_path)
    assert load(tmp_path) == fleet
    assert json.loads((tmp_path / "fleet.json").read_text())["hosts"][0]["class"] == "server"


def test_every_fault_of_a_drill_has_a_name() -> None:
    assert {fault.kind for fault in PRESETS.values()} == {
        "refuse",
        "hang",
        "slow",
        "drop",
        "wrong-key",
        "restore-fails",
        "still-infected",
        "silent-service",
    }
    assert PRESETS["fails-once"].times == 1
    assert PRESETS["fails-always"].times == 0


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: raw["hosts"][1].update(address="127.21.0.1"), "127.21.0.1 is used 2 times"),
        (
            lambda raw: raw["hosts"][0].update(management="10.0.0.1"),
            "10.0.0.1 is used 1 times, or is no address of its own in 127.",
        ),
        (lambda raw: raw["outside"][0].update(address="127.0.0.1"), "127.0.0.1"),
        (lambda raw: raw["hosts"][0].update(site="moon"), "unknown sites: moon"),
        (lambda raw: raw["hosts"][0].update(faults=[{"kind": "melts"}]), "hosts.0.faults.0.kind"),
        (lambda raw: raw.update(ssh_port=0), "ssh_port"),
        (lambda raw: raw.update(colour="red"), "colour"),
        (lambda raw: raw.pop("client_key"), "client_key"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object], words: str
) -> None:
    small_fleet().save(tmp_path)
    path = tmp_path / "fleet.json"
    raw = json.loads(path.read_text())
    damage(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(ContentError, match=words):
        load(tmp_path)


def test_a_file_that_is_missing_or_no_json_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="cannot be read: No such file"):
        load(tmp_path)
    (tmp_path / "fleet.json").write_text("{")
    with pytest.raises(ContentError, match="is not JSON"):
        load(tmp_path)


def test_a_file_is_replaced_whole_and_nothing_partial_stays(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_whole(path, b"long old content")
    write_whole(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_only_what_logins_need_is_open_to_them(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "fleet")
    folders.make()
    folders.make()
    modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "fleet").iterdir()}
    assert modes.pop("reach") == 0o055
    assert modes.pop("keys") in (0o055, 0)
    assert set(modes.values()) == {0}
    assert {folders.key(kind, "x").parent.stat().st_mode & 0o077 for kind in ("host", "management", "gate")} == {0}
