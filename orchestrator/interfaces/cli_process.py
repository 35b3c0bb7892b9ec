"""The commands that do things in the world: the live process, a drill.

Never decides anything: `run` puts the engine and the API together and waits.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import signal
import types
from collections.abc import Callable
from pathlib import Path

from orchestrator.interfaces.output import Commands, progress, show
from orchestrator.interfaces.places import estate_of, state_of

OK = 0
PORT = 8321
LOOK_S = 0.5


def add(commands: Commands) -> None:
    """Declares run and drill."""
    parser = commands.add_parser("run", description="The live process: loop, API on a socket and loopback, metrics.")
    parser.add_argument("--port", type=int, default=PORT, help="loopback port of API and metrics; 0: any free one")
    parser.add_argument("--backup", type=Path, metavar="DIR", help="back up into DIR every 15 minutes; the last 4 stay")
    parser.add_argument(
        "--dropbox", default="", metavar="ADDRESS:PORT", help="take check-ins there, from hosts in quarantine"
    )
    parser.set_defaults(call=_run)
    parser = commands.add_parser("drill", description="Practise a whole restart on invented hosts, with real tools.")
    parser.add_argument("--hosts", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default="some", help="none, some, all, or a list with commas")
    # SUPPRESS: these may also stand before the command, and their defaults must not undo that.
    parser.add_argument("--state", default=argparse.SUPPRESS, help="else ./drill-SEED")
    parser.add_argument("--resume", metavar="DIR", help="go on with a drill that was killed")
    parser.add_argument("--anew", action="store_true", help="first end and delete an earlier drill in that folder")
    parser.add_argument("--lab", action="store_true", help="practise on the lab's real services (relance lab up)")
    parser.set_defaults(call=_drill)


def _run(options: argparse.Namespace) -> int:
    # Everything heavy is imported here: engine, workers and web only matter to a process that stays.
    from orchestrator.engine.process import lay_out, open_engine, require_secrets
    from orchestrator.interfaces.backing_up import backing_up
    from orchestrator.interfaces.beginning import beginning, tell_edited
    from orchestrator.interfaces.checking_in import taking
    from orchestrator.interfaces.serving import serve

    for number in (signal.SIGTERM, signal.SIGINT):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, _interrupt)
    estate, state_dir = estate_of(options), state_of(options)
    first = beginning(estate, state_dir)
    lay_out(state_dir)
    require_secrets(state_dir)
    live = open_engine(state_dir, first)
    if first is None:
        tell_edited(estate, live.engine.read(lambda state, now_us: state.estate.content.digest))
    gc.freeze()  # the estate lives as long as the process: no collection need walk it, and a scrape stays short
    try:
        with serve(live.engine, state_dir, options.port) as listening:
            progress(
                f"Incident {live.engine.incident}: live at {listening.socket} and {listening.url}. Ctrl-C ends it."
            )
            with backing_up(live.engine, options.backup), taking(live.engine, options.dropbox) as url:
                if url:
                    progress(f"Check-ins are taken at {url}.")
                _wait(live.engine.wait)
    finally:
        going_on = live.close()
    if live.engine.failure is not None:
        raise live.engine.failure
    broken_off = live.hands.dispatcher.inspecting()
    told = f"left running, for the next start to adopt: {going_on}" if going_on else "nothing goes on"
    told += f"; inspections broken off, which the next start makes again: {broken_off}" if broken_off else ""
    show(options, {"invocations_going_on": going_on, "inspections_broken_off": broken_off}, f"Stopped; {told}.")
    return OK


def _interrupt(number: int, frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt


def _interrupt_once(number: int, frame: types.FrameType | None) -> None:
    """Ending a drill takes seconds, and a terminal that closes hangs up more than once."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _wait(ended: Callable[[float], bool]) -> None:
    """Until the engine ends by itself or somebody interrupts."""
    try:
        while not ended(LOOK_S):
            pass
    except KeyboardInterrupt:
        progress("Stopping: no more work is taken.")


def _drill(options: argparse.Namespace) -> int:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _interrupt_once)
    drill = importlib.import_module(f"orchestrator.practice.{'lab_drill' if options.lab else 'drill'}")
    return int(drill.main(options, estate_of(options)))
