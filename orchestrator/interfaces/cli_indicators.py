"""The commands about indicator sets: import one, see what it would cost, order it into force.

Never changes the incident by importing, and never signs an order before its cost was shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.checks.indicators import IndicatorSet, Uncollected, read_csv
from orchestrator.checks.stix import read_bundle
from orchestrator.client import Client
from orchestrator.errors import Refused, UsageError
from orchestrator.evidence.scanning import Scanner
from orchestrator.evidence.sets import stored_set
from orchestrator.interfaces.output import Commands, counted, progress, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.rematching import Cost, cost, evidence_of
from orchestrator.interfaces.signing import add_signer, give_order

OK, FINDINGS = 0, 1
FORMATS = (".json", ".csv", ".yar", ".yara")
FILE_BYTES_MAX = 1 << 26
SHOWN = 20


def add(commands: Commands) -> None:
    """Declares indicators."""
    parts = commands.add_parser("indicators", description="What inspections are matched against.").add_subparsers(
        required=True
    )
    parser = parts.add_parser("import", description="Keep a set: STIX 2.1 bundles, CSV, YARA rules. Changes nothing.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders of them")
    parser.add_argument("--leave-out", action="store_true", help="leave out what no inspection collects, and say so")
    parser.set_defaults(call=_import)
    parser = parts.add_parser("cost", description="What putting a set in force would cost; exit 1 where it hits.")
    parser.add_argument("digest")
    parser.set_defaults(call=_cost)
    parser = parts.add_parser("force", description="Order a set into force, its cost shown first; two sign.")
    parser.add_argument("digest")
    add_signer(parser)
    parser.set_defaults(call=_force)


def _import(options: argparse.Namespace) -> int:
    found = IndicatorSet()
    refused: list[Uncollected] = []
    for path in _files(options.files):
        refused += _read(path, found)
    if refused and not options.leave_out:
        for one in refused[:SHOWN]:
            progress(str(one))
        raise Refused(
            f"{len(refused)} of these indicators are of a kind no inspection collects, or cannot be read; the first: "
            f"{refused[0]}. Nothing was imported. --leave-out takes the rest and says so in the set.",
            rule="indicators.uncollected",
            uncollected=[str(one) for one in refused],
        )
    found.left_out = sorted(map(str, refused))
    if not len(found):
        raise Refused("These files hold no indicator an inspection collects.", rule="indicators.empty")
    Scanner(found.rules)
    digest = evidence_of(state_of(options)).put(found.to_bytes())
    counts = {kind: len(values) for kind, values in found.values.items()} | {"YARA files": len(found.rules)}
    text = f"Kept the set {digest}: {counted(counts)}; left out: {len(refused)}. It is not in force."
    show(options, {"digest": digest, "indicators": counts, "left_out": found.left_out}, text)
    return OK


def _files(named: Iterable[Path]) -> Iterator[Path]:
    """The files, folders spelled out; a README may lie in one."""
    for path in named:
        if path.is_dir():
            yield from (one for one in sorted(path.iterdir()) if one.is_file() and one.suffix != ".md")
        else:
            yield path


def _read(path: Path, into: IndicatorSet) -> list[Uncollected]:
    """Adds what a file holds; what does not fit is returned."""
    if path.suffix not in FORMATS:
        raise Refused(
            f"{path.name} is of no format that is read: {', '.join(FORMATS)} (STIX 2.1, CSV, YARA).",
            rule="indicators.format",
        )
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Refused(f"{path.name} has more than {FILE_BYTES_MAX} bytes.", rule="indicators.size")
        content = path.read_bytes()
        if path.suffix == ".json":
            found, rules = read_bundle(content, path.name)
            into.rules |= rules
            return into.add(found)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", rule="usage.file") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{path.name} is no UTF-8 text.", rule="indicators.format") from error
    if path.suffix == ".csv":
        return into.add(read_csv(text, path.name))
    if path.name in into.rules:
        raise Refused(f"Two files of YARA rules are called {path.name}; rename one.", rule="indicators.format")
    into.rules[path.name] = text
    return []


def _cost(options: argparse.Namespace) -> int:
    found = _costs(options)
    show(options, {"digest": options.digest, **found.as_json()}, "\n".join(found.lines()))
    return FINDINGS if found.hits else OK


def _force(options: argparse.Namespace) -> int:
    found = _costs(options)
    for line in found.lines():
        progress(line)
    return give_order(options, "indicators.force", options.digest, found.as_args())


def _costs(options: argparse.Namespace) -> Cost:
    blobs = evidence_of(state_of(options))
    wanted = stored_set(blobs, options.digest)
    return cost(Client(state_of(options)).get("evidence"), wanted, blobs)
