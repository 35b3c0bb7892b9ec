"""Draws a forecast for the morning's page: hosts in service over time, readable on black and white paper.

Never draws a middle before enough was measured, and never leaves out from when it speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from orchestrator.interfaces.forecast_text import DAY_S, HOUR_S, Times

WIDE, HIGH, LEFT, TOP = 720, 320, 64, 44
MARKS_MAX = 8
STEPS_S = (
    10, 30, *(60 * minutes for minutes in (1, 5, 15)), *(HOUR_S * hours for hours in (1, 3, 6, 12)),
    *(DAY_S * days for days in (1, 2, 4, 7, 14, 28)),
)  # fmt: skip


def burn_up_svg(curve: Sequence[tuple[int, int, int, int]], hosts: int, times: Times, *, measured: bool) -> str:
    """Hosts in service over time with the band of 8 futures in 10, as an SVG picture of its own."""
    last_s, most = max(curve[-1][0], 1), max(hosts, 1)

    def place(at_s: int, count: int) -> str:
        return f"{LEFT + at_s / last_s * WIDE:.1f},{TOP + HIGH - count / most * HIGH:.1f}"

    more = [place(at_s, many) for at_s, _, _, many in curve]
    fewer = [place(at_s, few) for at_s, few, _, _ in curve]
    middle = " ".join(place(at_s, count) for at_s, _, count, _ in curve)
    title = escape(f"Hosts in service, forecast {times.begin()}")
    legend = "Shaded: 8 futures of 10. "
    legend += "Line: the middle of them." if measured else "No middle is drawn: too little is measured yet."
    line = f'<polyline points="{middle}" fill="none" stroke="#000" stroke-width="2.5"/>' if measured else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE + 2 * LEFT} {HIGH + TOP + 60}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{LEFT}" y="24" font-size="15">{title}</text>'
        f'<polygon points="{" ".join([*more, *reversed(fewer)])}" fill="#ccc" stroke="#666"/>'
        f"{_heights(hosts)}{_hours(last_s, times)}{line}"
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDE}" height="{HIGH}" fill="none" stroke="#000"/>'
        f'<text x="{LEFT}" y="{TOP + HIGH + 46}">{legend}</text></svg>\n'
    )


def _heights(hosts: int) -> str:
    """A line at each quarter of the hosts."""
    drawn = []
    for quarter, said in enumerate(("0", "25 %", "50 %", "75 %", f"all {hosts}")):
        y = TOP + HIGH - HIGH * quarter / 4
        drawn.append(_grid(f'x1="{LEFT}" x2="{LEFT + WIDE}" y1="{y:.1f}" y2="{y:.1f}"'))
        drawn.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{said}</text>')
    return "".join(drawn)


def _hours(last_s: int, times: Times) -> str:
    """A line at round times of the clock on the wall, as many as can be read."""
    step_s = next((one for one in STEPS_S if last_s <= one * MARKS_MAX), last_s // MARKS_MAX)
    drawn = []
    for at_s in range(times.until_round_s(step_s), last_s + 1, step_s):
        x = LEFT + at_s / last_s * WIDE
        drawn.append(_grid(f'x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + HIGH}"'))
        said = times.mark(at_s, step_s)
        drawn.append(f'<text x="{x:.1f}" y="{TOP + HIGH + 18}" text-anchor="middle">{said}</text>')
    return "".join(drawn)


def _grid(where: str) -> str:
    return f'<line {where} stroke="#999" stroke-width="0.5" stroke-dasharray="2 3"/>'
