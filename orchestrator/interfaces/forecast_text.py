"""Words and pictures of a forecast: lines for a terminal, an SVG for the morning's page.

Never prints a median before enough was measured: until then it says only what cannot be beaten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from orchestrator.interfaces.output import clock

WIDTH = 48
HOUR_S = 3600


def hours(seconds: float) -> str:
    """`14.2 h`; days from four days on, minutes and seconds below an hour."""
    if abs(seconds) < HOUR_S:
        return f"{seconds / 60:.0f} min" if abs(seconds) >= 600 else f"{seconds:.0f} s"
    return f"{seconds / HOUR_S:.1f} h" if abs(seconds) < 96 * HOUR_S else f"{seconds / HOUR_S / 24:.1f} d"


def forecast_text(found: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The forecast as people read it; `names` are the functions' in words."""
    functions = found["functions"]
    last_s = max((one["p90_s"] for one in functions.values()), default=0)
    width = max((len(name) for name in (*names.values(), "Everything")), default=0)
    lines = [f"Forecast from {clock(found['as_of_us'])} UTC, {found['runs']} futures of this plan.", ""]
    for function, one in sorted(functions.items(), key=lambda item: (item[1]["p50_s"], item[0])):
        lines.append(f"{names[function]:{width}}  {_said(one)}")
        if _spoken_of(one):
            lines.append(f"{'':{width}}  {_bar(one, last_s)}")
    lines += ["", f"{'Everything':{width}}  {_said(found['everything'])}"]
    if any(_spoken_of(one) for one in functions.values()):
        lines += ["", f"[===|===] holds 8 futures of 10, | is the middle one; the line ends at {hours(last_s)}."]
    return "\n".join([*lines, *_lacking(functions), *_activities(found), *_questions(found)])


def _spoken_of(one: Mapping[str, Any]) -> bool:
    return one["basis"] == "measured" and bool(one["p90_s"])


def _said(one: Mapping[str, Any]) -> str:
    if not one["p90_s"]:
        return "is back."
    least = f"not before {hours(one['bound_s'])} (limited by {one['limited_by']})"
    if one["basis"] != "measured":
        return f"{least}."
    return f"in {hours(one['p50_s'])}, between {hours(one['p10_s'])} and {hours(one['p90_s'])}; {least}."


def _lacking(functions: Mapping[str, Any]) -> list[str]:
    """Why no middle is told yet."""
    classes = sorted({name for one in functions.values() if one["p90_s"] for name in one["lacking"]})
    if not classes:
        return []
    said = "Where no middle is told, too few restores were measured: fewer than 5 (or than all there are) of "
    return ["", f"{said}{', '.join(classes)}."]


def _bar(one: Mapping[str, Any], last_s: int) -> str:
    low, middle, high = (WIDTH * one[name] // max(1, last_s) for name in ("p10_s", "p50_s", "p90_s"))
    cells = ["."] * (WIDTH + 1)
    cells[low : high + 1] = ["="] * (high + 1 - low)
    cells[low], cells[high], cells[middle] = "[", "]", "|"
    return "".join(cells)


def _activities(found: Mapping[str, Any]) -> list[str]:
    lines = []
    for activity, sites in found["activities"].items():
        chances: dict[int, list[str]] = {}
        for site, one in sites.items():
            if "chance_percent" in one:
                chances.setdefault(one["chance_percent"], []).append(site)
        told = [f"{percent} % ({', '.join(named)})" for percent, named in sorted(chances.items(), reverse=True)]
        if told:
            lines.append(f"  {activity}: {'; '.join(told)}")
    return ["", "Futures that have by then all that is needed for:", *lines] if lines else []


def _questions(found: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for one in found.get("what_if", ()):
        lines += ["", f"What if {one['what_if']}:"]
        moved = [(name, won_s) for name, won_s in one["won_s"].items() if abs(won_s) >= 360]
        lines += [f"  {name}: {hours(abs(won_s))} {'sooner' if won_s > 0 else 'later'}" for name, won_s in moved]
        lines += [] if moved else ["  nothing changes by more than six minutes"]
    return lines


def score_text(found: Mapping[str, Any]) -> str:
    """Past forecasts beside what happened."""
    lines = [
        f"{clock(row['at_us'])}  {row['function']}: said {hours(row['p10_s'])} to {hours(row['p90_s'])}, "
        f"came after {hours(row['came_s'])}: {'inside' if row['inside'] else 'OUTSIDE'}"
        for row in found["rows"]
    ]
    if not lines:
        return f"{found['forecasts']} forecasts are in the journal; nothing they spoke of has come back since."
    return "\n".join([*lines, f"{found['inside']} of {found['compared']} inside their band (8 of 10 are meant to be)."])


def burn_up_svg(curve: Sequence[tuple[int, int, int, int]], hosts: int, title: str) -> str:
    """Hosts in service over time with the band of 8 futures in 10, as an SVG picture of its own."""
    wide, high, left, top = 720, 320, 60, 40
    last_s = max(curve[-1][0], 1)

    def place(at_s: int, count: int) -> str:
        return f"{left + at_s / last_s * wide:.1f},{top + high - count / max(hosts, 1) * high:.1f}"

    band = [place(at_s, more) for at_s, _, _, more in curve] + [place(at_s, few) for at_s, few, _, _ in reversed(curve)]
    middle = [place(at_s, count) for at_s, _, count, _ in curve]
    ticks = "".join(
        f'<text x="{left + wide * part / 6:.0f}" y="{top + high + 20}" text-anchor="middle">'
        f"{hours(last_s * part / 6)}</text>"
        for part in range(7)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + 2 * left} {high + 2 * top}" '
        'font-family="sans-serif" font-size="12" role="img">'
        f"<title>{escape(title)}</title>"
        f'<text x="{left}" y="22" font-size="15">{escape(title)}</text>'
        f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" fill="none" stroke="#999"/>'
        f'<polygon points="{" ".join(band)}" fill="#9ecae1"/>'
        f'<polyline points="{" ".join(middle)}" fill="none" stroke="#08519c" stroke-width="2"/>'
        f'<text x="{left - 8}" y="{top + 5}" text-anchor="end">{hosts}</text>'
        f'<text x="{left - 8}" y="{top + high}" text-anchor="end">0</text>{ticks}</svg>\n'
    )
