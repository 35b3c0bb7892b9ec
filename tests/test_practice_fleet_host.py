"""The management path of one practice host: its marks, its restores, and the faults it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.practice import fleet_disk
from orchestrator.practice.fleet_file import PRESETS, Fault, Folders
from orchestrator.practice.fleet_host import DAY_US, PracticeHost, ToolError
from orchestrator.practice.fleet_log import Entry, append
from orchestrator.practice.ransomware import DORMANT, DORMANT_BYTES, MARKER
from tests.practice_ground import small_fleet


def host_at(root: Path, *faults: Fault) -> PracticeHost:
    """The first host of a small fleet, prepared, or prepared again as after a restart of the fleet."""
    fleet, folders = small_fleet({"h0": faults}), Folders(root)
    folders.make()
    host = PracticeHost(fleet.hosts[0], fleet, folders, SystemClock().now_us)
    host.prepare()
    return host


def restore(host: PracticeHost, action: str, strategy: str = "restore") -> dict[str, object]:
    return host.restore_finish(action, strategy, host.restore_begin(action, strategy).faults)


def test_a_mark_is_set_read_and_ended_and_survives_a_restart(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    assert host.mark_read()["state"] == "none"
    host.mark_begin("h0/restore/1", "")
    assert host_at(tmp_path).mark_read()["state"] == "begun"
    host.mark_end("h0/restore/1", "ok")
    host.mark_end("h0/restore/1", "ok")
    again = host_at(tmp_path).mark_read()
    assert again == {"action": "h0/restore/1", "state": "ended", "outcome": "ok", "running": False, "facts": {}}


def test_beside_a_live_mark_nothing_begins_unless_it_names_that_mark(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    host.mark_begin("h0/restore/1", "")
    for action, supersedes in (("h0/restore/2", ""), ("h0/restore/2", "h0/preserve/1"), ("h0/restore/1", "")):
        with pytest.raises(ToolError) as refused:
            host.mark_begin(action, supersedes)
        assert refused.value.status == 9
    host.mark_begin("h0/restore/2", "h0/restore/1")
    for action, outcome in (("h0/restore/1", "ok"),):
        with pytest.raises(ToolError, match="holds no mark"):
            host.mark_end(action, outcome)


def test_a_mark_is_not_superseded_while_its_work_runs(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    host.mark_begin("h0/restore/1", "")
    host.restore_begin("h0/restore/1", "restore")
    assert host.mark_read()["running"]
    with pytest.raises(ToolError, match="still runs"):
        host.mark_begin("h0/restore/2", "h0/restore/1")


def test_an_ended_mark_keeps_its_outcome(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    host.mark_begin("h0/restore/1", "")
    host.mark_end("h0/restore/1", "failed")
    with pytest.raises(ToolError, match="has ended as failed"):
        host.mark_end("h0/restore/1", "ok")
    with pytest.raises(ToolError, match="begins once"):
        host.mark_begin("h0/restore/1", "")


def test_work_a_killed_fleet_left_running_is_cut_when_it_starts_again(tmp_path: Path) -> None:
    host_at(tmp_path).restore_begin("h0/restore/1", "restore")
    again = host_at(tmp_path)
    assert again.record.running == {}
    assert Folders(tmp_path).log("h0").read_text().splitlines()[-1].startswith("cut h0/restore/1 ")


def test_a_host_whose_making_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    Folders(tmp_path).make()
    (Folders(tmp_path).disk("h0") / "half").mkdir(parents=True)
    host = host_at(tmp_path)
    assert fleet_disk.service_state(host.disk) == "up"
    assert not (host.disk / "half").exists()


def test_a_restore_wipes_first_and_every_restore_is_told_apart(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    (host.disk / "planted").write_text("x")
    host.restore_begin("h0/restore/1", "restore")
    assert list(host.disk.iterdir()) == []
    first = host.restore_finish("h0/restore/1", "restore", frozenset())
    second = restore(host, "h0/restore/1")
    assert first["host_key"] != second["host_key"]
    assert first["image_digest"] == second["image_digest"]
    assert first["restore_point_us"] == 5
    assert host.record.restores == 2


@pytest.mark.parametrize(("before", "point"), [(0, 11), (12, 11), (11, 10), (10.5, 10), (3, 2)])
def test_the_newest_daily_backup_older_than_the_first_compromise_is_restored(
    tmp_path: Path, before: float, point: int
) -> None:
    host = host_at(tmp_path)
    host.spec = host.spec.model_copy(update={"restore_point_us": 11 * DAY_US})
    host.restore_begin("h0/restore/1", "restore")
    told = host.restore_finish("h0/restore/1", "restore", frozenset(), int(before * DAY_US))
    assert told["restore_point_us"] == point * DAY_US


def test_the_time_of_a_restore_is_the_same_for_the_same_seed_and_within_its_range(tmp_path: Path) -> None:
    durations_s = [host_at(tmp_path / name).restore_begin("a", "restore").duration_s for name in ("one", "two")]
    assert durations_s[0] == durations_s[1]
    assert 0.05 <= durations_s[0] <= 0.1
    slow = host_at(tmp_path / "slow", PRESETS["slow"]).restore_begin("a", "restore")
    assert slow.duration_s == pytest.approx(10 * durations_s[0])


def test_a_hosts_own_restore_point_is_told_instead_of_the_fleets(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    host.spec = host.spec.model_copy(update={"restore_point_us": 3})
    assert restore(host, "h0/restore/1")["restore_point_us"] == 3


def test_a_fault_with_times_shows_so_often_whoever_restarts(tmp_path: Path) -> None:
    fault = Fault(kind="refuse", where="management", times=2)
    assert host_at(tmp_path, fault).fault("management", "refuse") == fault
    assert host_at(tmp_path, fault).fault("host", "refuse") is None
    assert host_at(tmp_path, fault).fault("management", "refuse") == fault
    assert host_at(tmp_path, fault).fault("management", "refuse") is None


def test_a_new_machine_has_none_of_the_old_ones_faults(tmp_path: Path) -> None:
    host = host_at(tmp_path, PRESETS["still-infected"], PRESETS["silent-service"], PRESETS["wrong-key"])
    said = restore(host, "h0/restore/1")
    key = Folders(tmp_path).key("host", "h0")
    assert (host.disk / MARKER).exists()
    assert fleet_disk.service_state(host.disk) == "silent"
    assert fleet_disk.public_line(key) != said["host_key"]
    said = restore(host, "h0/restore/2", "replace")
    assert not (host.disk / MARKER).exists()
    assert fleet_disk.service_state(host.disk) == "up"
    assert fleet_disk.public_line(key) == said["host_key"]
    assert host_at(tmp_path, PRESETS["fails-always"]).fault("restore", "restore-fails") is None


def test_what_sleeps_on_a_machine_is_no_marker_and_gone_with_the_machine(tmp_path: Path) -> None:
    host = host_at(tmp_path, Fault(kind="dormant"))
    for attempt in (1, 2):
        restore(host, f"h0/restore/{attempt}")
        assert (host.disk / DORMANT).read_bytes() == DORMANT_BYTES
        assert not (host.disk / MARKER).exists()
        assert fleet_disk.service_state(host.disk) == "up"
    restore(host, "h0/restore/3", "replace")
    assert not (host.disk / DORMANT).exists()


def test_a_failed_restore_is_noted_as_such(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    host.restore_begin("h0/restore/1", "restore")
    with pytest.raises(ToolError, match="fails its checksum"):
        host.restore_fail("h0/restore/1", "restore")
    assert host.record.running == {}


def test_what_is_preserved_is_kept_under_its_digest_as_it_was(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    said = host.preserve("h0/preserve/1")
    kept = Folders(tmp_path).evidence(str(said["digest"])).read_bytes()
    assert fleet_disk.digest_of(kept) == said["digest"]
    assert kept == fleet_disk.archive(host.disk)


def test_a_rotated_secret_is_new_each_time_and_never_told(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    assert host.rotate("h0/restore/1") == {"rotated": True}
    first = (host.disk / "etc/administrator").read_text()
    host.rotate("h0/restore/1")
    assert (host.disk / "etc/administrator").read_text() != first
    assert first.split(":")[2].strip() not in Folders(tmp_path).log("h0").read_text()


def test_a_log_with_a_line_of_another_version_still_gives_the_state(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    append(Folders(tmp_path).log("h0"), Entry("polished", "-", 1))
    host.mark_begin("h0/restore/1", "")
    assert host_at(tmp_path).mark_read()["state"] == "begun"
