"""Words a forecast for a terminal: a line for each function, bands, chances, what a decision changes.

Never prints a median before enough was measured: until then it says only what cannot be beaten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.interfaces.output import clock, columns
from orchestrator.plans.bound import DURATIONS
from orchestrator.simulation.percentiles import HORIZON_S

WIDTH = 40
PARTS = ("1 of 10", "5 of 10", "9 of 10")
HOUR_S = 3600
DAY_S = 24 * HOUR_S
FAR_S = 14 * DAY_S
APART_S = 1800  # sites nearer to each other than this are not told apart
MOVED_S = 360  # a decision that moves a function by less changes nothing worth a line
NEVER = f"not within {HORIZON_S // DAY_S} days"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Names:
    """What people call functions and activities, by id."""

    functions: Mapping[str, str]
    activities: Mapping[str, str]


class Times:
    """Says seconds from the as-of time as people do: by the clock on the wall."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._local_s: int = found["as_of_us"] // 1_000_000 + found["utc_offset_s"]
        self._offset_s: int = found["utc_offset_s"]

    def at(self, seconds: int) -> str:
        """`Sat 28 16:30`, from two weeks on `12 Dec 16:30`; the minute is rounded up, nobody should come too early."""
        minutes = -(-(self._local_s + seconds) // 60)
        return f"{_EPOCH + timedelta(minutes=minutes):{'%a %d' if seconds < FAR_S else '%d %b'} %H:%M}"

    def least(self, seconds: int) -> str:
        """The same with the minute rounded down: before that nothing can be."""
        return self.at(seconds - 59)

    def until_round_s(self, step_s: int) -> int:
        """How long it is to the next time that is a multiple of the step, by the clock on the wall."""
        return -self._local_s % step_s

    def mark(self, seconds: int, step_s: int) -> str:
        """Such a time, as short as it can be told from its neighbours: `28 Nov`, `Sat 16:00`, `16:30:10`."""
        said = (
            "%d %b" if step_s >= DAY_S else "%a %H:%M" if step_s >= HOUR_S else "%H:%M" if step_s >= 60 else "%H:%M:%S"
        )
        return f"{_EPOCH + timedelta(seconds=self._local_s + seconds):{said}}"

    def begin(self) -> str:
        """`Fri 27 Nov 2026 19:09 (UTC+01:00)`."""
        minutes = abs(self._offset_s) // 60
        zone = f"UTC{'-' if self._offset_s < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
        return f"{_EPOCH + timedelta(seconds=self._local_s):%a %d %b %Y %H:%M} ({zone})"


def hours(seconds: float) -> str:
    """`14.2 h`; days from four days on, minutes below an hour, seconds below five minutes."""
    if abs(seconds) < HOUR_S:
        return f"{seconds / 60:.0f} min" if abs(seconds) >= 300 else f"{seconds:.0f} s"
    return f"{seconds / HOUR_S:.1f} h" if abs(seconds) < 96 * HOUR_S else f"{seconds / HOUR_S / 24:.1f} d"


def forecast_text(found: Mapping[str, Any], names: Names) -> str:
    """The forecast as people read it: a line for each function, the earliest first, then all that hangs on them."""
    times = Times(found)
    ranked = sorted(found["functions"].items(), key=lambda item: (item[1]["p50_s"], item[0]))
    functions = [(names.functions[name], one) for name, one in ranked]
    return "\n".join(
        [
            f"{counted(found['runs'], 'future')}, played from {times.begin()} on, a tenth of them to the last host.",
            "",
            *_table([*functions, ("Everything", found["everything"])], times),
            *_by_site(found, names, times),
            *_lacking(found),
            *_picture(functions, times),
            *_activities(found, names, times),
            *_questions(found, names),
        ]
    )


def _table(told: Sequence[tuple[str, Mapping[str, Any]]], times: Times) -> list[str]:
    """When so many futures of ten have it back, where that may be said, and what cannot be beaten."""
    if any(_spoken_of(one) for _, one in told):
        head = ("Futures that have it back by:", *PARTS, "")
        return columns([head, *((name, *_band(one, times), _least(one, times)) for name, one in told)])
    return columns((name, _least(one, times)) for name, one in told)


def _band(one: Mapping[str, Any], times: Times) -> Sequence[str]:
    if not _spoken_of(one):
        return ("",) * len(PARTS)
    low, middle, high = (
        NEVER if one[name] >= HORIZON_S else times.at(one[name]) for name in ("p10_s", "p50_s", "p90_s")
    )
    return low, middle if middle == NEVER else f"{middle} ({hours(one['p50_s'])})", high


def _least(one: Mapping[str, Any], times: Times) -> str:
    if not one["p90_s"]:
        return "is back"
    by = "the length of the work itself" if one["limited_by"] == DURATIONS else one["limited_by"]
    return f"not before {times.least(one['bound_s'])} ({hours(one['bound_s'])}), limited by {by}"


def _spoken_of(one: Mapping[str, Any]) -> bool:
    return one["basis"] == "measured" and bool(one["p90_s"])


def _by_site(found: Mapping[str, Any], names: Names, times: Times) -> list[str]:
    """The functions that come back at one site well before another."""
    rows = []
    for name, one in found["functions"].items():
        middles = {site: spread["p50_s"] for site, spread in one["sites"].items()}
        if _spoken_of(one) and middles and max(middles.values()) - min(middles.values()) >= APART_S:
            told = [f"{site} {times.at(at_s)}" for site, at_s in sorted(middles.items(), key=lambda item: item[1])]
            rows.append((names.functions[name], ", ".join(told)))
    return ["", "Site by site, the middle of the futures:", *columns(rows, "  ")] if rows else []


def _lacking(found: Mapping[str, Any]) -> list[str]:
    """Why no middle is told yet."""
    classes = sorted({name for one in (*found["functions"].values(), found["everything"]) for name in one["lacking"]})
    if not classes:
        return []
    said = 'Where only "not before" is said, too few restores were measured to say more: fewer than 5, or than all, of'
    return ["", f"{said} {', '.join(classes)}."]


def _picture(told: Sequence[tuple[str, Mapping[str, Any]]], times: Times) -> list[str]:
    """Bands under each other, on one line of time."""
    spoken = [(name, one) for name, one in told if _spoken_of(one)]
    if not spoken:
        return []
    last_s = max(one["p90_s"] for _, one in spoken)
    legend = f"8 futures of 10 lie between [ and ], half before |; up to {times.at(last_s)}:"
    return ["", legend, *columns((name, _bar(one, last_s)) for name, one in spoken)]


def _bar(one: Mapping[str, Any], last_s: int) -> str:
    low, middle, high = (WIDTH * one[name] // last_s for name in ("p10_s", "p50_s", "p90_s"))
    cells = ["."] * (WIDTH + 1)
    cells[low : high + 1] = ["="] * (high + 1 - low)
    cells[low], cells[high], cells[middle] = "[", "]", "|"
    return "".join(cells)


def _activities(found: Mapping[str, Any], names: Names, times: Times) -> list[str]:
    """The chance that an activity has all it needs by the time asked for; no chance before enough was measured."""
    if "by_s" not in found:
        return []
    rows = []
    for name, one in found["activities"].items():
        chances: dict[int, list[str]] = {}
        for site, spread in one["sites"].items():
            chances.setdefault(spread["chance_percent"], []).append(site)
        told = [f"{percent} % at {', '.join(sites)}" for percent, sites in sorted(chances.items(), reverse=True)]
        known = one["basis"] == "measured" or one["bound_s"] > found["by_s"]
        rows.append((names.activities[name], "; ".join(told) if known else "too little is measured to say"))
    head = f"The chance that all that is needed is back by {times.at(found['by_s'])} ({hours(found['by_s'])}):"
    return ["", head, *columns(rows, "  ")] if rows else []


def _questions(found: Mapping[str, Any], names: Names) -> list[str]:
    lines: list[str] = []
    rests = [one["basis"] for one in (*found["functions"].values(), found["everything"]) if one["p90_s"]]
    guessed = (
        "" if all(basis == "measured" for basis in rests) else " (too little is measured: by the plan's durations)"
    )
    for one in found.get("what_if", ()):
        least_s = min(MOVED_S, max(1, found["everything"]["p50_s"] // 50))
        rows = [
            (names.functions.get(name, "Everything"), _won(won_s))
            for name, won_s in one["won_s"].items()
            if abs(won_s) >= least_s
        ]
        nothing = f"  nothing comes back more than {hours(least_s)} sooner or later"
        lines += ["", f"What if {one['what_if']}{guessed}:", *(columns(rows, "  ") or [nothing])]
    return lines


def _won(won_s: int) -> str:
    if abs(won_s) >= HORIZON_S // 2:
        return "comes back, which it would not otherwise" if won_s > 0 else NEVER
    return f"{hours(abs(won_s))} {'sooner' if won_s > 0 else 'later'}"


def counted(number: int, what: str) -> str:
    """`1 future`, `20 futures`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def score_text(found: Mapping[str, Any], names: Names) -> str:
    """Past forecasts beside what happened."""
    rows = [
        (
            f"{clock(row['at_us'])} UTC",
            names.functions[row["function"]],
            f"said {hours(row['p10_s'])} to {hours(row['p90_s'])}, {_came(row)}:",
            "inside" if row["inside"] else "OUTSIDE",
        )
        for row in found["rows"]
    ]
    if not rows:
        told = counted(found["forecasts"], "forecast")
        return f"In the journal: {told}. Nothing of what they spoke of is back since, or overdue."
    told = f"{found['inside']} of {found['compared']} came inside the band (8 of 10 are meant to)."
    return "\n".join([*columns(rows), told])


def _came(row: Mapping[str, Any]) -> str:
    return f"{'came' if row['back'] else 'not back'} after {hours(row['came_s'])}"
