"""The attack of the practice fleet: real bytes, nothing outside the hosts, and no second time."""

from __future__ import annotations

import collections
from pathlib import Path

from orchestrator.clock import SystemClock
from orchestrator.practice.fleet_disk import load_backup, service_state
from orchestrator.practice.fleet_file import FleetFile, Folders
from orchestrator.practice.fleet_host import PracticeHost
from orchestrator.practice.ransomware import MARKER, NOTE, SUFFIX, strike
from tests.practice_ground import small_fleet


def healthy(root: Path, fleet: FleetFile) -> Folders:
    """The fleet's folders with its hosts as they were before the attack."""
    folders = Folders(root)
    folders.make()
    for spec in fleet.hosts:
        PracticeHost(spec, fleet, folders, SystemClock().now_us).prepare()
    return folders


def test_every_file_is_replaced_by_bytes_that_tell_nothing_and_the_service_is_dead(tmp_path: Path) -> None:
    fleet = small_fleet()
    folders = healthy(tmp_path, fleet)
    assert service_state(folders.disk("h0")) == "up"
    assert strike(tmp_path, fleet) == 3
    assert service_state(folders.disk("h0")) == "down"
    files, _ = load_backup(folders.backup("h0"))
    for name, text in files.items():
        locked = folders.disk("h0") / (name + SUFFIX)
        assert not (folders.disk("h0") / name).exists()
        assert locked.read_bytes() != text.encode()
        assert len(locked.read_bytes()) == len(text.encode())
    letters = (folders.disk("h0") / f"data/letters.txt{SUFFIX}").read_bytes()
    assert max(collections.Counter(letters).values()) < len(letters) / 20


def test_each_host_is_left_with_a_note_and_a_marker_that_name_it(tmp_path: Path) -> None:
    fleet = small_fleet()
    folders = healthy(tmp_path, fleet)
    strike(tmp_path, fleet)
    for host in ("h0", "h1", "h2"):
        assert host in (folders.disk(host) / NOTE).read_text()
        assert host in (folders.disk(host) / MARKER).read_text()


def test_only_the_backup_brings_the_files_back(tmp_path: Path) -> None:
    fleet = small_fleet()
    folders = healthy(tmp_path, fleet)
    before = load_backup(folders.backup("h1"))
    strike(tmp_path, fleet)
    assert load_backup(folders.backup("h1")) == before
    host = PracticeHost(fleet.hosts[1], fleet, folders, SystemClock().now_us)
    host.prepare()
    host.restore_begin("h1/restore/1", "restore")
    host.restore_finish("h1/restore/1", "restore", frozenset())
    assert {name: (folders.disk("h1") / name).read_text() for name in before[0]} == before[0]
    assert sorted(path.name for path in folders.disk("h1").iterdir()) == ["data", "etc", "run"]


def test_an_attack_cut_short_goes_on_and_never_strikes_a_restored_host_again(tmp_path: Path) -> None:
    fleet = small_fleet()
    folders = healthy(tmp_path, fleet)
    part = fleet.model_copy(update={"hosts": fleet.hosts[:1]})
    strike(tmp_path, part)
    (tmp_path / "struck").unlink()
    note = (folders.disk("h0") / f"etc/passwd{SUFFIX}").read_bytes()
    assert strike(tmp_path, fleet) == 2
    assert (folders.disk("h0") / f"etc/passwd{SUFFIX}").read_bytes() == note
    host = PracticeHost(fleet.hosts[0], fleet, folders, SystemClock().now_us)
    host.prepare()
    host.restore_begin("h0/restore/1", "restore")
    host.restore_finish("h0/restore/1", "restore", frozenset())
    assert strike(tmp_path, fleet) == 0
    assert service_state(folders.disk("h0")) == "up"


def test_the_fleet_outside_the_hosts_folders_is_not_touched(tmp_path: Path) -> None:
    fleet = small_fleet()
    folders = healthy(tmp_path, fleet)

    def others() -> dict[Path, bytes]:
        kept = (path for path in tmp_path.rglob("*") if path.is_file() and folders.reach not in path.parents)
        return {path: path.read_bytes() for path in kept}

    before = others()
    strike(tmp_path, fleet)
    assert others() == before | {tmp_path / "struck": b""}
