"""Each reconnect leaves in its run folder what it rests on, and that is accepted by the check that knows no core."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.engine.release import FOLDER, Bundles
from orchestrator.errors import Unusable
from tests.live_hospital import hospital
from tests.release_ground import anchor_of, journal_of, refused, under_way


def test_what_lies_in_the_run_folder_verifies_also_as_the_journal_grows(tmp_path: Path) -> None:
    with hospital(tmp_path / "state") as here:
        here.open_incident()
        here.bring_back("foundations")
        here.read_everything()
        here.hands.hangs.add("reconnect")
        here.order("fact.outside", "reference-lab", "operator-1", "analyst-1")
        bundles = Bundles(here.engine.state_dir)
        for run, wave in enumerate(("laboratory/slice", "radiology/slice")):
            here.quarantined(wave)
            here.judge_everyone()
            actions = under_way(here)
            run_dir = tmp_path / str(run)
            run_dir.mkdir()
            here.engine.read(lambda state, _, to=run_dir, all_=actions: bundles.write(to, state, all_))
            files = sorted((run_dir / FOLDER).iterdir())
            assert [file.stem.replace("@", "/") for file in files] == sorted(actions)
            servers = [json.loads(file.read_bytes()) for file in files if "-ws-" not in file.name]
            assert servers
            for bundle in servers:
                assert refused(bundle, journal_of(here), anchor_of(bundle)) == []
        with pytest.raises(Unusable, match="cannot be written"):
            here.engine.read(lambda state, _: bundles.write(tmp_path / "nowhere", state, actions))


def test_a_signed_document_that_is_lost_stops_no_reconnect_and_its_bundle_proves_nothing(tmp_path: Path) -> None:
    with hospital(tmp_path / "state") as here:
        here.open_incident()
        here.hands.hangs.add("reconnect")
        here.quarantined("foundations")
        here.judge_everyone()
        actions = under_way(here)
        for kept in (here.engine.state_dir / "evidence").iterdir():
            if kept.is_file():
                kept.unlink()
        bundles, run_dir = Bundles(here.engine.state_dir), tmp_path / "run"
        run_dir.mkdir()
        here.engine.read(lambda state, _: bundles.write(run_dir, state, actions))
        files = sorted((run_dir / FOLDER).iterdir())
        assert len(files) == len(actions) > 0
        for file in files:
            bundle = json.loads(file.read_bytes())
            assert bundle["documents"] == {}
            assert refused(bundle, journal_of(here), "0" * 64)
