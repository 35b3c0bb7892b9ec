"""Whether the built wheel works outside the checkout: content packaged, commands installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a folder on the path, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("relance-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def relance(site: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "orchestrator.interfaces.cli", *words]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_hospital_without_the_checkout_lays_an_estate_down_and_reviews_it(unpacked: Path, tmp_path: Path) -> None:
    laid = relance(unpacked, "init", "hospital", cwd=tmp_path)
    assert laid.returncode == 0, laid.stderr
    reviewed = relance(unpacked, "--estate", "hospital", "review", cwd=tmp_path)
    assert reviewed.returncode == 0, reviewed.stdout + reviewed.stderr
    assert (tmp_path / "hospital" / "plans" / "playbooks" / "restore.yml").is_file()
    origin = relance(unpacked, "--estate", "hospital", "plan", "--why", "srv-lis-01", cwd=tmp_path)
    assert "laboratory" in origin.stdout


def test_the_wheel_carries_its_licence_and_no_tests(unpacked: Path) -> None:
    names = {path.name for path in unpacked.iterdir()}
    assert "orchestrator" in names
    assert "tests" not in names
    (metadata,) = unpacked.glob("relance-*.dist-info")
    assert (metadata / "licenses" / "LICENSE").is_file()
