"""Mines are looked for where evidence was really read, and what was not read is never called free of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.evidence.document import Evidence
from orchestrator.evidence.dormant import SWEEPS, sweep
from orchestrator.evidence.manifest import Difference
from tests.test_evidence_manifest import line

EMPTY = {name: () for one in SWEEPS.values() for name in one.lists}
CLEAN = Evidence("a/inspect/1", "a", golden="a" * 64, lists=EMPTY)


def listed(name: str, text: str) -> Evidence:
    return replace(CLEAN, lists={**EMPTY, name: (text,)})


@pytest.mark.parametrize(
    ("name", "seen", "hit"),
    [
        ("at-jobs", listed("at_jobs", "var/spool/cron/atjobs/a0001"), True),
        ("dated-timers", listed("timers", "etc/systemd/system/x.timer:OnCalendar=2027-01-01 03:00"), True),
        ("dated-timers", listed("timers", "etc/systemd/system/x.timer:OnCalendar=Fri 2027-01-01"), False),
        ("dated-timers", listed("timers", "etc/systemd/system/x.timer:OnCalendar=*-*-* 03:00"), False),
        ("rare-jobs", listed("cron", "etc/crontab:0 3 24 12 * root /x"), True),
        ("rare-jobs", listed("cron", "etc/cron.d/job:@reboot root /x"), True),
        ("rare-jobs", listed("cron", "etc/crontab:0 3 * * * root /x"), False),
        ("rare-jobs", listed("cron", "etc/crontab:0 3 1 * * root /x"), False),
        ("rare-jobs", listed("cron", "etc/crontab:PATH=/usr/bin"), False),
        ("backup-jobs", listed("backup_jobs", "etc/borgmatic/config.yaml:    - /opt/wipe.sh"), True),
        ("backup-jobs", listed("cron", "etc/cron.d/b:0 3 * * * root restic forget --keep-last 0 --prune"), True),
        ("backup-jobs", listed("services", "etc/systemd/system/b.service:ExecStart=/usr/bin/borg create"), True),
        ("backup-jobs", listed("cron", "etc/crontab:0 3 * * * root tcpdump -i cyborg"), False),
        ("backup-tasks", listed("scheduled_tasks", "Night: runs=vssadmin delete shadows /all"), True),
        ("backup-tasks", listed("scheduled_tasks", "Defrag: runs=defrag.exe C:"), False),
        ("directory", listed("directory", "AdminSDHolder/S-1-5-21-1-2-3-1105: Allow GenericAll"), True),
        ("dated-tasks", listed("scheduled_tasks", "Updater: enabled=True trigger=1@2026-12-24T03:00:00 runs=x"), True),
        ("dated-tasks", listed("scheduled_tasks", "Defrag: enabled=True trigger=3@2026-01-01T01:00:00 runs=x"), False),
        ("logon-scripts", listed("logon_scripts", "HKU/S-1-5-18/Environment/UserInitMprLogonScript: x.cmd"), True),
        ("wmi-subscriptions", listed("wmi_subscriptions", "__EventFilter/x: Query=select"), True),
        ("shell-start", replace(CLEAN, differs=Difference((line(b"root/.bashrc"),), (), ())), True),
        ("shell-start", replace(CLEAN, differs=Difference((), (line(b"etc/profile.d/x.sh"),), ())), True),
        ("shell-start", replace(CLEAN, differs=Difference((line(b"opt/bashrc.txt"),), (), ())), False),
    ],
)
def test_a_trigger_is_told_from_what_runs_every_day(name: str, seen: Evidence, hit: bool) -> None:
    assert bool(sweep(name, [("a", seen)]).hits) == hit


def test_none_found_is_said_of_the_hosts_that_were_examined_alone() -> None:
    found = sweep("at-jobs", [("a", CLEAN), ("b", "It is missing."), ("c", replace(CLEAN, lists={}))])
    assert found.sentence == "at-jobs: none found in 1 of 3 hosts examined."
    assert found.unexamined == {"b": "It is missing.", "c": "at_jobs was not read"}
    assert found.as_json()["examined"] == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("at-jobs", "at_jobs: its command failed"),
        ("at-jobs", "at_jobs beyond the first 262144 bytes"),
        ("at-jobs", "everything after the output's limit"),
    ],
)
def test_a_list_that_was_read_in_part_does_not_count_but_what_it_shows_does(name: str, said: str) -> None:
    seen = replace(listed("at_jobs", "var/spool/at/a1"), not_examined=(said,))
    found = sweep(name, [("a", seen)])
    assert found.unexamined == {"a": said}
    assert found.sentence == "at-jobs: found on 1 hosts in 0 of 1 hosts examined."


def test_evidence_of_before_backups_were_read_is_never_called_free_of_their_jobs() -> None:
    older = replace(CLEAN, lists={name: () for name in EMPTY if name != "backup_jobs"})
    found = sweep("backup-jobs", [("a", CLEAN), ("b", older)])
    assert found.sentence == "backup-jobs: none found in 1 of 2 hosts examined."
    assert found.unexamined == {"b": "backup_jobs was not read"}


def test_without_a_golden_manifest_no_start_up_file_is_known_to_differ() -> None:
    found = sweep("shell-start", [("a", replace(CLEAN, golden=""))])
    assert (found.examined, found.unexamined) == (0, {"a": "its class has no golden manifest"})
