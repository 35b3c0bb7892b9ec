"""The commands that only look: status, why, exposure, tasks, orders.

Never changes anything (`exposure --orders` writes drafts that nobody signed); all but `orders --kinds` ask the live
process.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.client import Client
from orchestrator.clock import SystemClock
from orchestrator.errors import UsageError
from orchestrator.interfaces import texts
from orchestrator.interfaces.documents import Exposure
from orchestrator.interfaces.output import Commands, progress, show
from orchestrator.interfaces.places import state_of


def add(commands: Commands) -> None:
    """Declares them."""
    commands.add_parser("status", description="Waves, functions, pools, what waits and why.").set_defaults(call=_status)
    parser = commands.add_parser("why", description="Why a host is not further, and who can lift it.")
    parser.add_argument("host")
    parser.set_defaults(call=_why)
    parser = commands.add_parser("exposure", description="Whom a host may have infected, nearest first; proposes only.")
    parser.add_argument("host")
    parser.add_argument("--distance", type=int, choices=range(1, 6), default=1, help="contacts in between, at most")
    parser.add_argument("--orders", type=Path, metavar="DIR", help="draft an order to isolate each that is connected")
    parser.add_argument("--of", nargs="+", default=[], metavar="HOST", help="draft for these alone")
    parser.set_defaults(call=_exposure)
    parser = commands.add_parser("tasks", description="What people must do, by site and bench; a sheet to print.")
    parser.add_argument("--site", default="")
    parser.set_defaults(call=_tasks)
    parser = commands.add_parser("orders", description="Orders that wait for a signature.")
    parser.add_argument("--kinds", action="store_true", help="who may order what; needs no live process")
    parser.set_defaults(call=_orders)


def _status(options: argparse.Namespace) -> int:
    client = Client(state_of(options))
    found, head = client.get("status"), client.get("head")
    show(options, found, f"{texts.status_text(found)}\n\nHead, to print and keep: {head['size']}:{head['root']}")
    return 0


def _why(options: argparse.Namespace) -> int:
    found = Client(state_of(options)).get("why", options.host)
    show(options, found, texts.why_text(found))
    return 0


def _exposure(options: argparse.Namespace) -> int:
    client = Client(state_of(options))
    found = client.get("exposure", options.host, distance=str(options.distance))
    if options.orders is not None:
        _draft(client, found, options.orders, options.of)
    show(options, found, texts.exposure_text(found))
    return 0


def _draft(client: Client, found: Exposure, folder: Path, chosen: list[str]) -> None:
    """One unsigned order a host: nothing is isolated before a person gives it, two where that stops something."""
    # What is signed is known to those who draft alone.
    from orchestrator.interfaces.signing import drafted

    connected = {one["host"]: one for one in found["hosts"] if one["out"]}
    if strange := sorted({*chosen} - connected.keys()):
        raise UsageError(f"{strange[0]} is not connected, or not exposed to {found['host']}.", rule="usage.host")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in chosen or connected:
            stops = connected[name]["stops"]
            order = drafted(client, "host.isolate", name, {"stops": [*stops]} if stops else {})
            (folder / f"isolate-{name}.json").write_bytes(order.to_bytes())
            stopped = f" It stops {', '.join(stops)}: a second person must sign." if stops else ""
            progress(f"{folder / f'isolate-{name}.json'}: relance order give FILE --key KEY --person YOU.{stopped}")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.", rule="usage.file") from error


def _tasks(options: argparse.Namespace) -> int:
    found = Client(state_of(options)).get("tasks", site=options.site)
    show(options, found, texts.tasks_text(found, SystemClock().now_us()))
    return 0


def _orders(options: argparse.Namespace) -> int:
    if options.kinds:
        # The core is imported here: looking at waiting orders does without it.
        from orchestrator.interfaces.views_people import kinds

        known = kinds()
        show(options, known, texts.kinds_text(known))
        return 0
    found = Client(state_of(options)).get("orders")
    show(options, found, texts.orders_text(found))
    return 0
