"""Which estate and which state folder a command is about."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.interfaces.places import estate_of, state_of
from orchestrator.plans.lay_down import reference_estate


def options(estate: str | None = None, state: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(estate=estate, state=state)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RELANCE_ESTATE", raising=False)


def test_the_option_wins_over_the_environment_over_here_over_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert estate_of(options()) == reference_estate()
    (tmp_path / "inventory").mkdir()
    assert estate_of(options()) == tmp_path
    for name in ("named", "typed"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("RELANCE_ESTATE", "named")
    assert estate_of(options()) == tmp_path / "named"
    assert estate_of(options("typed")) == tmp_path / "typed"


def test_a_named_estate_that_is_no_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(UsageError, match=f"There is no folder {name}"):
            estate_of(options(name))


def test_state_lies_beside_the_content_unless_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "estate").mkdir()
    assert state_of(options("estate")) == tmp_path / "estate" / ".relance"
    assert state_of(options("estate", "other")) == tmp_path / "other"


def test_the_packaged_reference_keeps_no_state(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--state"):
        state_of(options())
    assert state_of(options(state="mine")) == tmp_path / "mine"
