"""Reads the present a forecast starts from, makes the document of a forecast, and compares past ones with the truth.

Never writes to a state folder: a live process journals a forecast, if one runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.decision.apply import apply
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Epoch, Forecasted
from orchestrator.decision.stages import GONE, IN_SERVICE, OUT, Stage
from orchestrator.decision.state import State
from orchestrator.engine.contents import first_state, opening, read
from orchestrator.inventory.model import Activity, Function
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.bound import Bound
from orchestrator.plans.bound_problem import Given, bounds
from orchestrator.plans.review import planned
from orchestrator.simulation.durations import WORK
from orchestrator.simulation.forecast import Forecaster, Future, Present, back_us, waves_of
from orchestrator.simulation.measures import Measures
from orchestrator.simulation.percentiles import HORIZON_S, Basis, activity_s, after_s, basis_of, spread, times_s, won_s

SECOND = 1_000_000
STEPS = ("preserve", "restore", "inspect")


@dataclass(frozen=True, slots=True)
class Past:
    """A forecast of the journal: when it was made, and p10, p50 and p90 by function, seconds from then."""

    at_us: int
    functions: dict[str, list[int]]


def from_journal(state_dir: Path) -> tuple[Present, list[Past]]:
    """The present at the last record of a state folder, and the forecasts made until then. Raises Unusable."""
    state, measures, past = first_state(state_dir), Measures(), []
    with Journal.open(state_dir / "journal.sqlite", read_only=True) as journal:
        for record in journal.records():
            entry = read(record, state, state_dir)
            measures.see(entry, state.estate, record.at_us)
            apply(state, entry, record.at_us)
            if isinstance(entry, Forecasted):
                past.append(Past(record.at_us, entry.functions))
            elif isinstance(entry, Epoch):  # what is compared stands in the state, whose times moved, too
                past = [Past(one.at_us + entry.delta_us, one.functions) for one in past]
    return Present(state, measures, state.at_us), past


def from_plan(estate_dir: Path, now_us: int) -> Present:
    """The present before a first record: the plan of an estate. Raises ContentError."""
    content, plan, _ = planned(estate_dir)
    return Present(State(Estate(content, plan)), Measures(), now_us)


def began(state_dir: Path) -> bool:
    """Whether an incident was opened in this state folder."""
    return opening(state_dir) is not None


def document(forecaster: Forecaster, futures: Sequence[Future], by_s: int | None) -> dict[str, Any]:
    """The forecast; seconds from the as-of time."""
    present = forecaster.present
    beaten_by_none, last = bounds_of(forecaster)
    inventory = present.state.estate.content.inventory
    functions = {one.id: _function(present, futures, one, beaten_by_none[one.id]) for one in inventory.functions}
    return {
        "runs": len(futures),
        "as_of_us": present.now_us,
        "utc_offset_s": present.utc_offset_s,
        "functions": functions,
        "everything": _everything(present, futures, functions, last),
        **({} if by_s is None else {"by_s": by_s}),
        "activities": {one.id: _activity(present, futures, one, functions, by_s) for one in inventory.activities},
    }


def _function(present: Present, futures: Sequence[Future], function: Function, bound: Bound) -> dict[str, Any]:
    sites = sorted({site for future in futures for site in future.functions[function.id]} - {""})
    times = times_s(present, futures, function.id)
    told = band(present, times)
    return {
        **told,
        **_rests_on(bound, min(told["p10_s"], *times), basis_of(present, function)),
        "sites": {site: band(present, times_s(present, futures, function.id, site)) for site in sites},
    }


def _everything(present: Present, futures: Sequence[Future], functions: dict[str, Any], bound: Bound) -> dict[str, Any]:
    """Told from the futures played to their end, which are few: so never before a function, which all futures tell."""
    times = [after_s(present, future.everything_us) for future in futures if future.whole]
    told = band(present, times)
    whole = {name: max([at_s, *(one[name] for one in functions.values())]) for name, at_s in told.items()}
    return {**whole, **_rests_on(bound, min(told["p10_s"], *times), basis_of(present))}


def band(present: Present, times: Sequence[int]) -> dict[str, int]:
    """The percentiles, with one period of the slowest probe added at both ends: nobody sees more finely than that.

    What is back, and what no future brings back, is certain.
    """
    content, found = present.state.estate.content, spread(times)
    period_s = max([content.restart.timing.sweep_s, *(check.interval_s for check in content.checks)])
    if any(times):
        found["p10_s"] -= min(period_s, found["p10_s"]) if found["p10_s"] < HORIZON_S else 0
        found["p90_s"] += period_s if found["p90_s"] < HORIZON_S else 0
    return found


def _rests_on(bound: Bound, best_s: int, basis: Basis) -> dict[str, Any]:
    """A bound takes the medians that are believed: what the best of the futures has beaten is none."""
    return {
        "bound_s": min(bound.bound_s, best_s),
        "limited_by": bound.limited_by,
        "measured": basis.measured,
        "basis": basis.word,
        "lacking": list(basis.lacking),
    }


def _activity(
    present: Present, futures: Sequence[Future], activity: Activity, functions: dict[str, Any], by_s: int | None
) -> dict[str, Any]:
    """What an activity needs, before when no site can have all of it, and when each has."""
    needed = [functions[name] for name in activity.functions]
    bases = {one["basis"] for one in needed}
    sites: dict[str, Any] = {}
    for site in activity.sites:
        times = activity_s(present, futures, activity, site)
        sites[site] = band(present, times)
        if by_s is not None:
            sites[site]["chance_percent"] = 100 * sum(one <= by_s for one in times) // len(times)
    return {
        "functions": list(activity.functions),
        "bound_s": max(one["bound_s"] for one in needed),
        "basis": bases.pop() if len(bases) == 1 else "mixed",
        "sites": sites,
    }


def bounds_of(forecaster: Forecaster) -> tuple[dict[str, Bound], Bound]:
    """What no schedule can beat from the present on, were every duration the median that is believed: each function,
    and everything."""
    present = forecaster.present
    state, estate = present.state, present.state.estate
    start_s = (present.now_us // SECOND + present.utc_offset_s) % 86_400
    names = estate.hosts
    given = Given(
        start_s=start_s,
        durations_s={
            (host.id, work): max(1, int(forecaster.outlook.median_s(host.klass, work)))
            for host in estate.content.inventory.hosts
            for work in WORK
            if work != "isolate"
        },
        left={names[host]: steps_left(state, host) for host in range(len(names)) if stage_left(state, host)},
        gone=frozenset(names[host] for host, stage in enumerate(state.stage) if stage in GONE),
        passed=frozenset(wave.name for wave, one in zip(estate.waves, state.waves, strict=True) if one.passed_us),
        done=frozenset(key for key, task in state.tasks.items() if task.status == "confirmed"),
    )
    return bounds(estate.content, estate.plan, given)


def stage_left(state: State, host: int) -> bool:
    """Whether something of the host's way back is behind it already."""
    return state.stage[host] is not Stage.BLOCKED or state.isolated_us[host] > 0


def steps_left(state: State, host: int) -> tuple[str, ...]:
    """What a host has still to do, a reading once per verdict that is missing; what is under way counts as done.

    Of a class that is judged by lots no host is sure to be read.
    """
    stage = state.stage[host]
    if stage is IN_SERVICE:
        return ()
    if stage in OUT:
        return ("check",)
    klass = state.estate.group(host).klass
    todo: list[str] = []
    if stage in (Stage.BLOCKED, Stage.PRESERVED) and not state.evidence_kept(host):
        todo.append("preserve")
    if stage <= Stage.PRESERVED:
        todo.append("restore")
    if stage <= Stage.RESTORED:
        todo.append("inspect")
    missing = 0 if klass.lots else max(0, klass.verdicts_required - len(state.verdicts[host]))
    todo += ["verdict"] * (missing if stage <= Stage.INSPECTED else 0)
    todo += ["reconnect"] if stage <= Stage.INSPECTED else []
    return (*todo, "check")


def compared(words: str, before: dict[str, list[int]], after: dict[str, list[int]]) -> dict[str, Any]:
    """What a question wins and loses per function and for everything, seconds; same luck, pair by pair."""
    return {"what_if": words, "won_s": {name: won_s(before[name], after[name]) for name in before}}


def all_times(present: Present, futures: Sequence[Future]) -> dict[str, list[int]]:
    """Seconds until each function, and `everything`, in each future."""
    names = [function.id for function in present.state.estate.content.inventory.functions]
    found = {name: times_s(present, futures, name) for name in names}
    whole = [after_s(present, future.everything_us) for future in futures if future.whole]
    return {**found, "everything": whole}


def scores(present: Present, past: Sequence[Past]) -> dict[str, Any]:
    """Past forecasts beside what happened: whether each function that is back came inside the band; one that is not
    back though its band is over did not (`back`: false, `came_s`: until now)."""
    state = present.state
    known = state.estate.content.inventory.functions  # one that content lost since is compared no more
    came = {one.id: back_us(state, one.id, waves_of(state.estate, one)).get("", 0) for one in known}
    rows: list[dict[str, Any]] = []
    for one in past:
        for function, (low_s, middle_s, high_s) in one.functions.items():
            back = came.get(function, 1) > 0
            came_s = ((came.get(function, 0) if back else state.at_us) - one.at_us) // SECOND
            if came_s >= 0 and (back or came_s > high_s):
                band = {"p10_s": low_s, "p50_s": middle_s, "p90_s": high_s}
                held = back and low_s <= came_s <= high_s
                found = {"at_us": one.at_us, "function": function, **band, "came_s": came_s}
                rows.append({**found, "back": back, "inside": held})
    inside = sum(row["inside"] for row in rows)
    return {"forecasts": len(past), "compared": len(rows), "inside": inside, "rows": rows}
