"""Shows a drill while it runs: waves, functions, pools, the rate, and what waits and why.

Never asks for anything; it is given the engine's status document.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.practice import proof
from orchestrator.practice.drill_report import Report

LINE_EVERY_S = 10.0
WAVES_MAX = 14
STAGES = ("blocked", "preserving", "preserved", "restoring", "restored", "inspecting", "inspected", "reconnecting",
          "released", "in_service", "failed", "excluded")  # fmt: skip
COLOURS = {"passed": "green", "soaking": "cyan", "open": "yellow", "held": "red", "not_launched": "dim"}
CARE = {"back": "green", "degraded": "yellow", "paper": "red", "stopped": "red"}


@contextmanager
def display(as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A screen that renews itself on a terminal; elsewhere a line every ten seconds on standard error."""
    if as_json or not sys.stdout.isatty():
        yield _lines()
        return
    with Live(console=Console(), refresh_per_second=2, transient=False) as live:
        yield lambda status: live.update(picture(status))


def picture(status: dict[str, Any]) -> RenderableType:
    """The whole screen."""
    return Group(_stages(status), _waves(status), _functions(status), _waits(status))


def in_words(report: Report) -> str:
    """The end of a drill for a person."""
    document = report.document
    back = ", ".join(
        f"{function} after {times['back_s']} s"
        for function, times in sorted(document["functions"].items(), key=lambda item: item[1]["back_s"] or 1 << 30)
        if times["back_s"] is not None
    )
    frozen = "".join(f"Frozen: {one['scope']} ({one['why']}; {one['hosts']} hosts).\n" for one in document["frozen"])
    analysts = proof.in_words(document["analysts"])
    verdict = "Everything that can be in service is." if report.good else "NOT everything is as it should be."
    return (
        f"{verdict} {document['in_service']} of {document['hosts']} hosts in service, {document['excluded']} excluded, "
        f"{document['failed']} failed.\nBack: {back or 'nothing'}.\n"
        f"Started twice: {document['started_twice']}. Released early: {document['released_early']}. "
        f"Lost: {document['lost']}.\n{frozen}{analysts}\n{document['records']} records, root {document['root'][:16]}, "
        f"{document['wall_s']} s, {document['cpu_s']} CPU-s."
    )


def _lines() -> Callable[[dict[str, Any]], None]:
    said_s = -LINE_EVERY_S

    def show(status: dict[str, Any]) -> None:
        nonlocal said_s
        if time.monotonic() - said_s < LINE_EVERY_S:
            return
        said_s = time.monotonic()
        stages = ", ".join(f"{status['hosts'][stage]} {stage}" for stage in STAGES if status["hosts"][stage])
        passed = sum(wave["state"] == "passed" for wave in status["waves"])
        waits = status["waits"][0]["sentence"] if status["waits"] else ""
        rate = status["rates"]["hosts_an_hour"]
        line = f"{stages}; {passed} of {len(status['waves'])} gates passed; {rate} hosts an hour. {waits}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress

    return show


def _stages(status: dict[str, Any]) -> RenderableType:
    parts = [f"[b]{status['hosts'][stage]}[/b] {stage}" for stage in STAGES if status["hosts"][stage]]
    frozen = f"   [red]frozen: {', '.join(status['frozen'])}[/red]" if status["frozen"] else ""
    busy = ", ".join(f"{count} {step}" for step, count in sorted(status["under_way"].items())) or "nothing"
    rate = f"{status['rates']['hosts_an_hour']} hosts an hour"
    return Text.from_markup(f"{'  '.join(parts)}{frozen}\n{rate}   under way: {busy}   records: {status['records']}")


def _waves(status: dict[str, Any]) -> RenderableType:
    table = Table("wave", "gate", "in service", "the gate waits for", expand=True, title_justify="left")
    waves = status["waves"]
    first = next((number for number, wave in enumerate(waves) if wave["state"] != "passed"), len(waves))
    for wave in waves[max(0, min(first - 2, len(waves) - WAVES_MAX)) :][:WAVES_MAX]:
        colour = COLOURS[wave["state"]]
        waits = wave["holds"][0] if wave["holds"] else wave["waits"][0]["sentence"] if wave["waits"] else ""
        table.add_row(
            wave["name"], f"[{colour}]{wave['state']}[/{colour}]", f"{wave['in_service']}/{wave['hosts']}", Text(waits)
        )
    return table


def _functions(status: dict[str, Any]) -> RenderableType:
    words = []
    for function in status["functions"]:
        worst = (
            min(function["sites"].values(), key=list(CARE).index, default="stopped") if function["sites"] else "stopped"
        )
        words.append(f"[{CARE[worst]}]{function['id']} {function['ready_percent']}%[/{CARE[worst]}]")
    full = [
        f"{pool['pool']}{' at ' + pool['site'] if pool['site'] else ''} {pool['in_use']}/{pool['size']}"
        for pool in status["pools"]
        if pool["in_use"]
    ]
    return Text.from_markup(f"{'  '.join(words)}\npools: {', '.join(full[:8]) or 'idle'}")


def _waits(status: dict[str, Any]) -> RenderableType:
    lines = [f"{one['hosts']:5} wait: {one['sentence']} ({one['who']})" for one in status["waits"][:5]]
    lines += [f"  asks: {one['host']}: {one['why']}" for one in status["asks"][:3]]
    return Text("\n".join(lines) or "nothing waits")
