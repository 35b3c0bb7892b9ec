"""A host of the lab is restored from a backup that is old enough, or not at all."""

from __future__ import annotations

import pytest

from orchestrator.errors import Unusable
from orchestrator.practice.fleet_host import ToolError
from tests.lab.conftest import Hospital


def test_no_backup_younger_than_the_first_compromise_is_restored(hospital: Hospital) -> None:
    host = hospital.host("records")
    taken = host.vault.newest(host.spec.id, 0)
    with pytest.raises(Unusable, match="None of the 1 backups of srv-records-01 is older than the first compromise"):
        host.vault.newest(host.spec.id, taken.at_us)
    assert host.vault.newest(host.spec.id, taken.at_us + 1) == taken


def test_a_restore_that_cannot_be_made_is_a_failed_one_and_leaves_the_host_down(hospital: Hospital) -> None:
    host = hospital.host("records")
    host.restore_begin("records/restore/90", "restore")
    with pytest.raises(ToolError, match="is older than the first compromise"):
        host.restore_finish("records/restore/90", "restore", frozenset(), 1)
    assert not host.place.is_whole
    assert hospital.answers("records")["records-find-patients"]["outcome"] == "FAIL"
    host.ground = hospital.lab.ground()
    facts = host.restore_finish("records/restore/91", "restore", frozenset())
    assert facts["image_digest"] == host.vault.newest(host.spec.id, 0).tree
    assert hospital.answers("records")["records-find-patients"]["outcome"] == "PASS"
