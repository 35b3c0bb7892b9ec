"""At the lab's switch one element decides who may speak with a host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.practice.lab import lacking
from orchestrator.practice.lab_net import Network

WARD, ARCHIVE = "10.77.2.1", "10.77.2.2"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    if lacking():
        pytest.skip(lacking())
    made = Network(tmp_path)
    made.up({"ward": WARD, "archive": ARCHIVE}, ["10.77.1.1"])
    yield made
    made.down()
    assert made.present() == []


def reaches(network: Network, who: str, address: str = ARCHIVE) -> bool:
    try:
        network.dial(who, address, 104, 0.3).close()
    except OSError:
        return False
    return True


def test_a_host_in_quarantine_answers_the_admin_side_and_hears_nobody_else(network: Network) -> None:
    with network.listen("archive", ARCHIVE, 104), network.listen("ward", WARD, 104):
        assert reaches(network, "ward")
        network.move([ARCHIVE], out=False)
        assert not reaches(network, "ward")
        assert reaches(network, "control")
        assert reaches(network, "management")
        assert not reaches(network, "archive", WARD), "it speaks out of quarantine"
        network.move([ARCHIVE], out=True)
        network.move([ARCHIVE], out=True)
        assert reaches(network, "ward")
        assert ARCHIVE in network.released()
        assert network.released("quarantine") == frozenset()


def test_two_labs_never_meet(network: Network, tmp_path: Path) -> None:
    other = Network(tmp_path / "other")
    assert other.present() == []
    assert other.name("ward") != network.name("ward")
    assert os.path.exists(f"/run/netns/{network.name('ward')}")
