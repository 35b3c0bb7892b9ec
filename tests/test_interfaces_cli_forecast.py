"""`relance forecast` as people type it: from the plan, from a live process, from a backup; kept, and compared later."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.clock import SystemClock
from orchestrator.decision.events import Forecasted
from orchestrator.decision.state import State
from orchestrator.engine.contents import keep
from orchestrator.engine.process import lay_out
from orchestrator.interfaces import documents_foreseen as foreseen
from orchestrator.interfaces import forecasting
from orchestrator.interfaces.serving import serve
from orchestrator.journal.export import export
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.simulation.percentiles import PERCENTS
from tests.command_line import Keyboard
from tests.forecast_ground import HOUR_S, SECOND, all_passed, lived, lived_s, state_folder
from tests.live_hospital import hospital
from tests.small_estate import SMALL, SmallEstate

document = forecasting.document  # a test puts another in its place


@pytest.fixture
def estate(tmp_path: Path) -> SmallEstate:
    return SmallEstate(tmp_path)


@pytest.fixture
def plans(capsys: pytest.CaptureFixture[str], estate: SmallEstate) -> Keyboard:
    """Somebody at an estate whose incident has not begun."""
    return Keyboard(capsys, "--estate", str(estate.path))


@pytest.fixture(scope="module")
def midway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a restart some hours old."""
    return state_folder(tmp_path_factory.mktemp("midway") / "state", lived_s(9 * HOUR_S, usable(SMALL)).records)


def test_before_an_incident_the_forecast_starts_from_the_plan_and_tells_no_middle(plans: Keyboard) -> None:
    said = plans("forecast", "--runs", "5")
    assert said.code == 0
    assert "No incident has begun here: the forecast starts from the plan of " in said.err
    assert "not before" in said.out
    assert "5 of 10" not in said.out
    assert "journaled" not in said.err, "there is nothing it could be kept in"


def test_the_document_always_has_numbers_and_nothing_else_is_on_stdout(plans: Keyboard) -> None:
    found = plans.json("forecast", "--runs", "5", "--by", "36h", "--what-if", "pool analysts +1").document
    assert TypeAdapter(foreseen.Forecast).validate_python(found, strict=True) == found
    assert found["functions"]["laboratory"]["p50_s"] > 0
    assert (found["runs"], found["by_s"]) == (5, 36 * HOUR_S)
    assert found["what_if"][0]["what_if"] == "pool analysts +1"


def test_the_packaged_reference_is_forecast_from_its_plan(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RELANCE_ESTATE", raising=False)
    said = Keyboard(capsys).json("forecast", "--runs", "1")
    assert said.code == 0
    assert said.document["functions"]["laboratory"]["basis"] == "prior"


def test_a_state_folder_without_a_process_is_forecast_and_said_not_to_be_journaled(
    capsys: pytest.CaptureFixture[str], midway: Path
) -> None:
    said = Keyboard(capsys, "--state", str(midway)).json("forecast", "--runs", "3")
    assert said.code == 0
    assert said.document["as_of_us"] > forecasting.from_journal(midway)[0].now_us, "as of now, by the clock"
    assert "No process runs here: this forecast is not journaled." in said.err


@pytest.mark.parametrize("file", ["", "journal.sqlite"])
def test_a_backup_is_forecast_as_of_its_last_record(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, midway: Path, file: str
) -> None:
    types = Keyboard(capsys, "--state", str(midway))
    assert types("backup", str(tmp_path / "copy")).code == 0
    said = types.json("forecast", "--runs", "5", "--as-of", str(tmp_path / "copy" / file))
    assert said.code == 0
    assert said.document["as_of_us"] == forecasting.from_journal(midway)[0].now_us
    assert "journaled" not in said.err
    again = types.json("forecast", "--runs", "5", "--as-of", str(tmp_path / "copy" / file))
    assert again.document == said.document, "the same question twice"


def test_an_export_is_told_apart_from_a_journal_even_beside_one(
    capsys: pytest.CaptureFixture[str], midway: Path
) -> None:
    """Else a forecast of an export that lies in a state folder would be one of that folder's last record."""
    types, lines = Keyboard(capsys, "--state", str(midway)), midway / "records.jsonl"
    with Journal.open(midway / "journal.sqlite", read_only=True) as journal:
        export(journal, lines)
    said = types.json("forecast", "--runs", "1", "--as-of", str(lines))
    assert said.code == 2
    assert said.document["error"]["sentence"].startswith(f"{lines} is no journal.sqlite")


def test_the_picture_is_written_where_it_is_asked_for(plans: Keyboard, tmp_path: Path) -> None:
    assert plans("forecast", "--runs", "1", "--svg", str(tmp_path / "a.svg")).code == 0
    assert (tmp_path / "a.svg").read_text().startswith("<svg ")
    said = plans.json("forecast", "--runs", "1", "--svg", str(tmp_path / "nowhere" / "a.svg"))
    assert said.code == 7
    assert "nowhere" in said.document["error"]["sentence"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--runs", "0"), "At least one future"),
        (("--runs", "some"), "some"),
        (("--by", "soon"), "soon is no span of time"),
        (("--what-if", ""), "is no question I know"),
        (("--what-if", "fire everybody"), "is no question I know"),
        (("--what-if", "pool dragons +2"), "There is no pool dragons"),
        (("--what-if", "order wizardry"), "There is no function wizardry"),
        (("--what-if", "pool technicians -9"), "That leaves no technicians"),
        (("--as-of", "/nowhere"), "There is no journal of an incident in /nowhere"),
        (("--score",), "There is no journal whose forecasts could be compared"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence_and_exit_2(plans: Keyboard, words: tuple[str, ...], sentence: str) -> None:
    said = plans.json("forecast", *words)
    assert said.code == 2
    assert sentence in said.document["error"]["sentence"]


def test_a_long_forecast_says_how_far_it_is(plans: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.interfaces.cli_forecast.SAID_EVERY_S", -1.0)
    said = plans.json("forecast", "--runs", "2", "--what-if", "soak 5m")
    assert "2 of 2 futures, as it is" in said.err
    assert "2 of 2 futures, soak 5m" in said.err


def test_a_state_folder_named_by_mistake_gives_no_forecast_of_another_hospital(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = Keyboard(capsys, "--state", str(tmp_path / "stade")).json("forecast", "--runs", "1")
    assert said.code == 2
    assert said.document["error"]["rule"] == "forecast.state"


def test_a_picture_that_cannot_be_written_is_refused_before_a_future_is_played(
    plans: Keyboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.interfaces.cli_forecast.SAID_EVERY_S", -1.0)
    said = plans("forecast", "--runs", "1", "--svg", str(tmp_path / "nowhere" / "a.svg"))
    assert said.code == 7
    assert "futures" not in said.err


def test_what_playing_the_futures_took_is_no_time_that_was_forecast(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, state_dir, clocks = usable(SMALL), tmp_path / "state", iter((0, 60))
    lay_out(state_dir)
    keep(SMALL, state_dir, content.digest)

    class Slow(SystemClock):
        """The second one asked is a minute behind the first."""

        def __init__(self) -> None:
            self._late_us = next(clocks) * SECOND

        def now_us(self) -> int:
            return super().now_us() + self._late_us

    with hospital(state_dir, content) as here, serve(here.engine, state_dir, 0):
        monkeypatch.setattr("orchestrator.interfaces.cli_forecast.SystemClock", Slow)
        said = Keyboard(capsys, "--state", str(state_dir)).json("forecast", "--runs", "1")
        _, past = forecasting.from_journal(state_dir)
    told_s = said.document["functions"]["laboratory"]["p90_s"]
    assert 60 <= told_s - past[0].functions["laboratory"][2] < 120


def test_a_forecast_of_a_live_restart_is_journaled_and_leaves_its_state_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    content, state_dir = usable(SMALL), tmp_path / "state"
    lay_out(state_dir)
    keep(SMALL, state_dir, content.digest)
    types = Keyboard(capsys, "--state", str(state_dir))
    with hospital(state_dir, content) as here, serve(here.engine, state_dir, 0):
        before, size = here.engine.read(told), here.engine.head().size
        said = types.json("forecast", "--runs", "3")
        assert (said.code, said.err) == (0, "")
        assert here.engine.head().size == size + 1
        assert here.engine.read(told) == before
        assert "In the journal: 1 forecast. Nothing of what" in types("forecast", "--score").out
        _, past = forecasting.from_journal(state_dir)
        functions = said.document["functions"]
        assert past[0].functions.keys() == functions.keys()
        for name, one in functions.items():
            kept = past[0].functions[name]
            assert all(0 <= one[f"p{percent}_s"] - at_s < 60 for percent, at_s in zip(PERCENTS, kept, strict=True))
    assert types("audit").code == 0


def told(state: State, now_us: int) -> tuple[object, ...]:
    """What could have changed."""
    return [*state.stage], {**state.facts}, {**state.readings}, [wave.launchers for wave in state.waves], {**state.open}


def test_a_forecast_the_live_process_refuses_is_told_and_not_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, state_dir = usable(SMALL), tmp_path / "state"
    lay_out(state_dir)
    keep(SMALL, state_dir, content.digest)
    with hospital(state_dir, content) as here, serve(here.engine, state_dir, 0):
        seq = here.engine.head().size
        monkeypatch.setattr(
            "orchestrator.interfaces.cli_forecast.forecasting.document",
            lambda *about: document(*about) | {"runs": 1 << 21},
        )
        said = Keyboard(capsys, "--state", str(state_dir)).json("forecast", "--runs", "1")
        assert said.code == 0
        assert said.document["runs"] == 1 << 21, "one document on stdout, whatever comes of keeping it"
        assert "Not journaled: The request cannot be used" in said.err
        assert here.engine.head().size == seq


def test_past_forecasts_are_compared_once_functions_are_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    world = lived(all_passed, usable(SMALL))
    early_us = world.records[3][0]
    said = (early_us, Forecasted(20, {"laboratory": [1, 2, 3], "radiology": [0, HOUR_S, 1000 * HOUR_S]}))
    folder = state_folder(tmp_path / "state", [*world.records[:4], said, *world.records[4:]])
    types = Keyboard(capsys, "--state", str(folder))
    found = types.json("forecast", "--score").document
    assert TypeAdapter(foreseen.Score).validate_python(found, strict=True) == found
    assert (found["forecasts"], found["compared"], found["inside"]) == (1, 2, 1)
    words = types("forecast", "--score").out
    assert "OUTSIDE" in words
    assert words.rstrip().endswith("1 of 2 came inside the band (8 of 10 are meant to).")
    assert types.json("forecast", "--score", "--as-of", str(folder)).document == found
