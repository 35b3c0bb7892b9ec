"""The lab says why it cannot be had, and what stands of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Unusable, UsageError
from orchestrator.practice import lab, lab_services
from tests.lab.conftest import Hospital


def test_without_root_the_lab_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Unusable, match="The lab needs root"):
        lab.up(tmp_path / "lab", lambda sentence: None)
    assert not (tmp_path / "lab").exists()


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setitem(lab_services.PROGRAMS, "no-such-program", "no-such-package")
    monkeypatch.setitem(lab_services.FILES, "no-such-modules", "/no-such-folder/*.so")
    assert "not installed: " in lab.lacking()
    assert "no-such-package no-such-modules" in lab.lacking()


def test_data_that_cannot_be_read_before_the_attack_are_nothing_to_compare_with(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "come_to", lambda found: {"srv-lis-01": f"{lab.UNREAD}: it starts up"})
    with pytest.raises(Unusable, match="The data of srv-lis-01 cannot be read: it starts up"):
        lab.remember(hospital.lab)
    assert lab.UNREAD not in (hospital.lab.root / lab.WAS).read_text()


def test_a_folder_without_a_lab_is_not_taken_down(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("kept")
    with pytest.raises(UsageError, match="There is no lab in"):
        lab.down(tmp_path)
    assert (tmp_path / "letter").exists()


def test_a_lab_is_not_laid_over_another(hospital: Hospital) -> None:
    with pytest.raises(UsageError, match="is not empty"):
        lab.up(hospital.root, lambda sentence: None)


def test_the_status_says_of_each_host_where_it_stands_and_what_runs_there(hospital: Hospital) -> None:
    found = lab.status(hospital.root)
    assert found["running"]
    assert {host["disk"] for host in found["hosts"].values()} == {"whole"}
    assert found["hosts"]["srv-lis-01"]["processes"] > 1


def test_a_database_that_somebody_killed_can_be_started_again(hospital: Hospital) -> None:
    host = hospital.host("lis")
    hospital.lab.network.kill(host.spec.id)
    assert hospital.answers("lis")["lis-has-fresh-results"]["outcome"] == "FAIL"
    host.start(hospital.lab.ground())
    assert lab_services.psql(host.place, "select count(*) > 0 from orders").strip() == "t", "once it has recovered"
    assert hospital.answers("lis")["lis-has-fresh-results"]["outcome"] == "PASS"
