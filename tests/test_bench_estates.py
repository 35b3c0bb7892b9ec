"""The synthetic estates to measure with are estates: they read, review and plan without an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.estates import generate, write
from orchestrator.plans.review import examine


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("hosts", "groups"), [(1700, 1), (3401, 2)])
def test_a_synthetic_hospital_group_has_its_hosts_and_no_error(tmp_path: Path, hosts: int, groups: int) -> None:
    write(generate(hosts, seed=7), tmp_path)
    found = examine(tmp_path)
    assert [str(each) for each in found.findings if each.severity == "error"] == []
    assert found.content is not None
    assert found.plan is not None
    assert len(found.content.inventory.hosts) == hosts
    assert len(found.content.inventory.sites) == 15 * groups
    assert sum(len(wave.hosts) for wave in found.plan.waves) == hosts
    assert found.plan.waves[0].name == "foundations"


def test_the_same_size_and_seed_give_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        write(generate(400, seed), tmp_path / name)
    first = files_of(tmp_path / "first")
    assert first == files_of(tmp_path / "again")
    assert first != files_of(tmp_path / "other")
