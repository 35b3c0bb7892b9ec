"""A practice host's disk: what it holds, how its service tells its state, its archive, its key."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from orchestrator.practice import fleet_disk as disk
from tests.practice_ground import small_fleet

HOST = small_fleet().hosts[0]


def test_the_same_seed_gives_the_same_files_and_another_seed_others() -> None:
    assert disk.first_files(HOST, 7) == disk.first_files(HOST, 7)
    assert disk.first_files(HOST, 7)[disk.RECORDS] != disk.first_files(HOST, 8)[disk.RECORDS]
    assert disk.first_files(HOST, 7) != disk.first_files(small_fleet().hosts[1], 7)


def test_workstations_of_a_class_are_made_from_one_image_and_servers_each_from_their_own() -> None:
    one, other, third = small_fleet().hosts
    posts = [host.model_copy(update={"kind": "workstation", "klass": "pc"}) for host in (one, other)]
    cart = third.model_copy(update={"kind": "workstation", "klass": "pc-cart"})
    assert disk.image_digest(posts[0], 7) == disk.image_digest(posts[1], 7) != disk.image_digest(cart, 7)
    assert disk.image_digest(one, 7) != disk.image_digest(other, 7)


def test_a_service_is_up_only_while_it_runs_and_its_records_can_be_read(tmp_path: Path) -> None:
    assert disk.service_state(tmp_path) == "down"
    disk.fill(tmp_path, disk.first_files(HOST, 7))
    assert disk.service_state(tmp_path) == "up"
    disk.start_service(tmp_path, disk.SERVICE_SILENT)
    assert disk.service_state(tmp_path) == "silent"
    disk.start_service(tmp_path, disk.SERVICE_UP)
    (tmp_path / disk.RECORDS).write_bytes(b"\x8f" * 500)
    assert disk.service_state(tmp_path) == "down"
    disk.wipe(tmp_path)
    assert disk.service_state(tmp_path) == "down"
    assert list(tmp_path.iterdir()) == []


def test_an_archive_holds_every_file_and_is_the_same_for_the_same_content(tmp_path: Path) -> None:
    for name in ("a", "b"):
        disk.fill(tmp_path / name, disk.first_files(HOST, 7))
    one, two = disk.archive(tmp_path / "a"), disk.archive(tmp_path / "b")
    assert one == two
    with tarfile.open(fileobj=io.BytesIO(one)) as tar:
        assert sorted(tar.getnames()) == sorted([*disk.first_files(HOST, 7), disk.SERVICE])
    (tmp_path / "b/etc/crontab").write_text("changed")
    assert disk.digest_of(disk.archive(tmp_path / "b")) != disk.digest_of(one)


def test_a_backup_gives_back_what_was_kept_and_others_cannot_read_it(tmp_path: Path) -> None:
    files = disk.first_files(HOST, 7)
    disk.save_backup(tmp_path / "b.json", files)
    again, digest = disk.load_backup(tmp_path / "b.json")
    assert again == files
    assert digest == disk.digest_of((tmp_path / "b.json").read_bytes())
    assert (tmp_path / "b.json").stat().st_mode & 0o077 == 0


def test_every_new_host_key_is_another_and_ssh_keygen_reads_the_same_public_half(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first, second = disk.new_key(path), disk.new_key(path)
    assert first != second
    assert disk.public_line(path) == second
    told = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True).stdout
    assert told.strip() == second
