"""What is read before waves are derived: enough that no mistake in content ends in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ContentError
from orchestrator.plans.review import examine, planned
from tests.small_estate import SMALL, SmallEstate


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


def test_the_plan_is_the_one_the_whole_review_derives() -> None:
    content, plan, errors = planned(SMALL)
    found = examine(SMALL)
    assert (content, plan, errors) == (found.content, found.plan, [])


def test_a_host_with_an_error_is_left_out_and_the_rest_is_planned(estate: SmallEstate) -> None:
    estate.edit("inventory/workstations.csv", "lab-n-2,north,N1.14,laboratory", "lab-n-2,north,N1.14,nowhere")
    content, plan, errors = planned(estate.path)
    assert [one.hosts for one in errors] == [("lab-n-2",)]
    assert "lab-n-2" not in [host.id for host in content.inventory.hosts]
    assert not [wave for wave in plan.waves if "lab-n-2" in wave.hosts]


def test_an_error_that_blocks_everything_is_told_with_its_place_and_how_many_more(estate: SmallEstate) -> None:
    estate.edit("inventory/services.yaml", "function: laboratory", "function: nowhere")
    with pytest.raises(ContentError, match=r"inventory/services\.yaml:\d+:\d+: error: .*nowhere") as caught:
        planned(estate.path)
    assert caught.value.facts["file"] == "inventory/services.yaml"
    assert caught.value.exit_code == 1


def test_what_cannot_be_read_is_told_before_what_follows_from_it(estate: SmallEstate) -> None:
    (estate.path / "inventory" / "sites.yaml").write_text("sites: {")
    with pytest.raises(ContentError, match=r"inventory/sites\.yaml") as caught:
        planned(estate.path)
    assert caught.value.facts["file"] == "inventory/sites.yaml"


def test_playbooks_change_no_wave(estate: SmallEstate) -> None:
    for playbook in (estate.path / "plans" / "playbooks").glob("*.yml"):
        playbook.unlink()
    assert planned(estate.path)[1].waves == planned(SMALL)[1].waves


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="relance init"):
        planned(tmp_path)
