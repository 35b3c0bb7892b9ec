"""The command `simulate`: seeded disasters around the core, in as many processes as there are cores.

Never touches a state folder, a network or a host: everything it plays is invented.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from orchestrator.errors import UsageError
from orchestrator.interfaces.output import Commands, progress, show
from orchestrator.interfaces.places import estate_of
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.simulation.faults import BY_NAME
from orchestrator.simulation.scenario import played, setting_of, shrunk
from orchestrator.simulation.story import told
from orchestrator.workers.processes import end_with

OK, FINDINGS = 0, 1
HOSTS_MIN = 20  # fewer than about so many no invented hospital has
SAID_EVERY_S = 20.0
PLAYED = ("decision", "plans", "inventory", "checks", "simulation")  # the packages a disaster follows from
_known: list[Content] = []  # the content every process of the pool has read for itself, once


def add(commands: Commands) -> None:
    """Declares simulate."""
    parser = commands.add_parser("simulate", description="Play seeded disasters; exit 1 when one ends badly.")
    parser.add_argument("--seeds", default="0..99", metavar="A..B")
    parser.add_argument("--faults", choices=tuple(BY_NAME), default="all")
    parser.add_argument("--hosts", type=int, metavar="N", help="hosts of each estate; 40 to 80 by seed without it")
    parser.add_argument("--story", action="store_true", help="shrink each finding and tell it in sentences")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    parser.add_argument("--progress", type=Path, metavar="FILE", help="keep results here; made again, it goes on")
    parser.set_defaults(call=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    seeds = _seeds(options.seeds)
    if (options.hosts is not None and options.hosts < HOSTS_MIN) or options.jobs < 1:
        raise UsageError(f"At least {HOSTS_MIN} hosts and one process are needed.", rule="usage.simulate")
    _read(str(estate_of(options)))  # an estate that cannot be read is a sentence, not a pool of dead processes
    with ExitStack() as stack:
        done, kept = _kept(options, stack)
        todo = [seed for seed in seeds if seed not in done]
        if done:
            progress(f"{len(seeds) - len(todo)} of {len(seeds)} seeds are kept in {options.progress}.")
        asked = ((seed, options.faults, options.hosts, options.story) for seed in todo)
        found = [done[seed] for seed in seeds if seed in done]
        began_s, said_s = time.monotonic(), time.monotonic()
        for one in _all_played(asked, options.jobs, str(estate_of(options))):
            found.append(one)
            if kept is not None:
                print(json.dumps(one), file=kept, flush=True)
            bad = bool(one["violations"] or one["not_live"])
            if bad or time.monotonic() - said_s > SAID_EVERY_S:
                said_s = time.monotonic()
                what = "FOUND something" if bad else "so far"
                progress(f"{len(found)} of {len(seeds)} seeds, {said_s - began_s:.0f} s, seed {one['seed']}: {what}")
    document = summed(sorted(found, key=lambda one: int(one["seed"])))
    show(options, document, _text(document))
    return FINDINGS if document["violations"] or document["not_live"] else OK


def _seeds(words: str) -> range:
    first, _, last = words.partition("..")
    if not first.isdecimal() or not (last or first).isdecimal() or int(last or first) < int(first):
        raise UsageError(f"{words} is no range of seeds: say 0..99.", rule="usage.seeds")
    return range(int(first), int(last or first) + 1)


def _kept(options: argparse.Namespace, stack: ExitStack) -> tuple[dict[int, dict[str, Any]], TextIO | None]:
    """What an earlier run of the same disasters has found, and where to add to it."""
    if options.progress is None:
        return {}, None
    words = {"faults": options.faults, "hosts": options.hosts, "estate": _known[0].digest, "code": _code_digest()}
    text = options.progress.read_text(errors="replace") if options.progress.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    lines = whole.splitlines()
    if text and (not lines or lines[0] != json.dumps(words)):
        sentence = f"{options.progress} keeps results of other words, another estate or other code, or something else."
        raise UsageError(f"{sentence} Name another file.", rule="usage.progress")
    if whole != text:  # whoever wrote it was stopped in the middle of a line
        options.progress.write_text(whole)
    kept = stack.enter_context(options.progress.open("a"))
    if not lines:
        print(json.dumps(words), file=kept, flush=True)
    results = [json.loads(line) for line in lines[1:]]
    return {one["seed"]: one for one in results}, kept


def _code_digest() -> str:
    """A seed replays what it found on the same code only: results of two are never summed."""
    root = Path(__file__).parents[1]
    files = sorted(file for name in PLAYED for file in (root / name).rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _all_played(asked: Iterable[tuple[int, str, int | None, bool]], jobs: int, estate: str) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        yield from map(_one, asked)
        return
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(os.getpid(), estate)) as pool:
        playing: set[Future[dict[str, Any]]] = set()
        for one in asked:
            playing.add(pool.submit(_one, one))
            if len(playing) == jobs:  # none waits in the pool: an interrupt ends what is played, not all that is asked
                ended, playing = wait(playing, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ended)
        yield from (future.result() for future in as_completed(playing))


def _begin(parent: int, estate: str) -> None:
    """A process of the pool ends with who asked: nobody would take what it finds."""
    end_with(parent)
    _read(estate)


def _read(estate: str) -> None:
    _known[:] = [usable(Path(estate))]


def _one(asked: tuple[int, str, int | None, bool]) -> dict[str, Any]:
    """Plays one seed; what it found, as JSON."""
    seed, faults, hosts, as_story = asked
    began_s = time.process_time()
    setting = setting_of(seed, BY_NAME[faults], hosts, _known[0])
    outcome = played(setting)
    violation, story = outcome.violation, outcome.violation.sentence if outcome.violation else ""
    if as_story and (violation or outcome.not_live):
        setting = shrunk(setting)
        story = "\n".join(told(setting, played(setting)))
    found = []
    if violation:
        found.append({"seed": seed, "event": violation.event, "invariant": violation.invariant, "story": story})
    waits = [{"seed": seed, "waits": one, "story": story} for one in outcome.not_live]
    spent_s = time.process_time() - began_s
    return {"seed": seed, "events": outcome.events, "violations": found, "not_live": waits, "cpu_s": round(spent_s, 3)}


def summed(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The document of the command, from the results of its seeds."""
    results = list(found)
    cpu_s, events = sum(one["cpu_s"] for one in results), sum(one["events"] for one in results)
    return {
        "seeds": len(results),
        "events": events,
        "violations": [one for result in results for one in result["violations"]],
        "not_live": [one for result in results for one in result["not_live"]],
        "events_per_s": int(events / cpu_s) if cpu_s else 0,
        "cpu_s": round(cpu_s, 1),
    }


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"Seed {one['seed']}, record {one['event']}, invariant {one['invariant']}: {one['story']}"
        for one in document["violations"]
    ]
    lines += [f"Seed {one['seed']}, never in service: {one['waits']}\n{one['story']}" for one in document["not_live"]]
    verdict = "No promise was broken, and everything came back." if not lines else "Each seed replays what it found."
    return "\n".join(
        [*lines, f"{document['seeds']} seeds, {document['events']} events, {document['cpu_s']} CPU-s. {verdict}"]
    )
