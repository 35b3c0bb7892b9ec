"""The command `forecast`: when is each function back, and what would a decision change.

Never changes the restart: a live process journals what was forecast, so that it can be compared later.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import Any

from orchestrator.client import NOBODY, Client
from orchestrator.clock import SystemClock
from orchestrator.errors import RelanceError, UsageError
from orchestrator.interfaces import forecasting
from orchestrator.interfaces.forecast_picture import burn_up_svg
from orchestrator.interfaces.forecast_text import Names, Times, forecast_text, score_text
from orchestrator.interfaces.output import Commands, progress, show
from orchestrator.interfaces.places import estate_of, state_of
from orchestrator.journal.backup import JOURNAL
from orchestrator.simulation.forecast import Forecaster, Future, Present, futures
from orchestrator.simulation.percentiles import PERCENTS, burn_up
from orchestrator.simulation.what_if import UNITS_S, asked

SAID_EVERY_S = 5.0
SECOND = 1_000_000


def add(commands: Commands) -> None:
    """Declares forecast."""
    parser = commands.add_parser("forecast", description="When each function is back: p10, p50, p90 of many futures.")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument(
        "--as-of", default="live", metavar="live|FILE", help="a state folder or a backup, or the journal.sqlite in one"
    )
    parser.add_argument("--what-if", action="append", default=[], metavar="WORDS", help='"pool analysts +2"')
    parser.add_argument("--by", default="", metavar="HOURS", help="the chance that activities have all by then: 36h")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the picture of hosts in service here")
    parser.add_argument("--score", action="store_true", help="compare past forecasts with what happened")
    parser.set_defaults(call=_forecast)


def _forecast(options: argparse.Namespace) -> int:
    if options.runs < 1:
        raise UsageError("At least one future must be played.", rule="usage.runs")
    by_s = _span_s(options.by) if options.by else None
    state_dir = _state_dir(options)
    if options.score:
        if state_dir is None:
            raise UsageError("There is no journal whose forecasts could be compared.", rule="forecast.score")
        present, past = forecasting.from_journal(state_dir)
        found = forecasting.scores(present, past)
        show(options, found, score_text(found, _names(present)))
        return 0
    if options.svg is not None:
        with options.svg.open("a"):  # a place that cannot be written to is told now, not after all futures
            pass
    present = _present(options, state_dir)
    questions = {words: asked(present, words) for words in options.what_if}  # a wrong one is refused at once
    forecaster = Forecaster(present)
    played = _played(forecaster, options.runs, "as it is")
    found = forecasting.document(forecaster, played, by_s)
    if questions:
        before = forecasting.all_times(present, played)
        found["what_if"] = [_compared(words, changed, before, options.runs) for words, changed in questions.items()]
    if options.svg is not None:
        hosts = sum(wave >= 0 for wave in present.state.wave_of)
        measured = found["everything"]["basis"] == "measured"
        options.svg.write_text(burn_up_svg(burn_up(present, played), hosts, Times(found), measured=measured))
    show(options, found, forecast_text(found, _names(present)))
    if options.as_of == "live" and state_dir is not None:
        _journal(state_dir, found, (SystemClock().now_us() - present.state.jump_us - present.now_us) // SECOND)
    return 0


def _state_dir(options: argparse.Namespace) -> Path | None:
    """The folder whose journal is asked; None where a forecast starts from the plan."""
    if options.as_of != "live":
        named = Path(options.as_of)
        if named.is_file() and named.name != JOURNAL:
            sentence = f"{named} is no {JOURNAL}; an audit's export lacks the content that a forecast is played on."
            raise UsageError(f"{sentence} Name a state folder, or a backup of one.", rule="forecast.as-of")
        folder = named.parent if named.is_file() else named
        if not forecasting.began(folder):
            raise UsageError(f"There is no journal of an incident in {folder}.", rule="forecast.as-of")
        return folder
    try:
        state_dir = state_of(options)
    except UsageError:  # the packaged estate keeps no state
        return None
    if forecasting.began(state_dir):
        return state_dir
    if options.state:  # a folder that is named by mistake must not give the forecast of another hospital
        raise UsageError(
            f"No incident has begun in {state_dir}. Without --state the forecast starts from the plan.",
            rule="forecast.state",
        )
    return None


def _present(options: argparse.Namespace, state_dir: Path | None) -> Present:
    """The state of the journal as of now (of a file: as of its last record), or the plan of the estate."""
    clock = SystemClock()
    if state_dir is None:
        estate = estate_of(options)
        progress(f"No incident has begun here: the forecast starts from the plan of {estate}.")
        present = forecasting.from_plan(estate, clock.now_us())
    else:
        present, _ = forecasting.from_journal(state_dir)
        if options.as_of == "live":
            present.now_us = max(present.now_us, clock.now_us() - present.state.jump_us)
    present.utc_offset_s = time.localtime(present.now_us // 1_000_000).tm_gmtoff
    return present


def _played(forecaster: Forecaster, runs: int, what: str) -> list[Future]:
    said_s = time.monotonic()

    def said(number: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s > SAID_EVERY_S:
            said_s = time.monotonic()
            progress(f"{number} of {runs} futures, {what}")

    return list(futures(forecaster, runs, said))


def _compared(words: str, changed: Present, before: dict[str, list[int]], runs: int) -> dict[str, Any]:
    after = forecasting.all_times(changed, _played(Forecaster(changed), runs, words))
    return forecasting.compared(words, before, after)


def _names(present: Present) -> Names:
    inventory = present.state.estate.content.inventory
    return Names(
        {one.id: one.name.en for one in inventory.functions}, {one.id: one.name.en for one in inventory.activities}
    )


def _journal(state_dir: Path, found: dict[str, Any], played_s: int) -> None:
    """Gives the forecast to the live process to keep; where that cannot be, it says so.

    The record counts seconds from itself: what playing took is behind it already.
    """
    functions = {
        name: [max(0, one[f"p{percent}_s"] - max(0, played_s)) for percent in PERCENTS]
        for name, one in found["functions"].items()
        if one["p90_s"]
    }
    try:
        Client(state_dir).post("forecasts", runs=found["runs"], functions=functions)
    except RelanceError as error:
        nobody = error.rule == NOBODY
        progress("No process runs here: this forecast is not journaled." if nobody else f"Not journaled: {error}")


def _span_s(words: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}[smh]", words):
        raise UsageError(f"{words} is no span of time: say 36h or 90m.", rule="usage.span")
    return int(words[:-1]) * UNITS_S[words[-1]]
