"""The commands about evidence: make a manifest the golden one of a class, sweep what is stored for dormant triggers.

Never asks a host anything: what an inspection kept is what counts.
"""

from __future__ import annotations

import argparse

from orchestrator.client import Client
from orchestrator.errors import Refused, RelanceError, UsageError
from orchestrator.evidence import manifest
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.dormant import SWEEPS, sweep
from orchestrator.evidence.golden import Golden
from orchestrator.interfaces.documents import EvidenceKept, Inspected
from orchestrator.interfaces.output import Commands, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.rematching import evidence_of
from orchestrator.journal.blobs import Blobs

OK, FINDINGS = 0, 1


def add(commands: Commands) -> None:
    """Declares golden and sweep."""
    parts = commands.add_parser("golden", description="What the files of a class of hosts should be.").add_subparsers(
        required=True
    )
    parser = parts.add_parser(
        "take", description="From now on hosts of this class are told by what differs from this one."
    )
    parser.add_argument("host", help="found CLEAN by everyone its class asks for")
    parser.add_argument("--class", dest="klass", required=True, metavar="CLASS")
    parser.set_defaults(call=_take)
    parser = commands.add_parser(
        "sweep", description="Look through all stored evidence; exit 1 where something is found."
    )
    parser.add_argument("name", choices=SWEEPS, help="; ".join(f"{name}: {one.means}" for name, one in SWEEPS.items()))
    parser.set_defaults(call=_sweep)


def _take(options: argparse.Namespace) -> int:
    one = _inspected(Client(state_of(options)), options.host)
    if one["klass"] != options.klass:
        raise Refused(f"{options.host} is of the class {one['klass']}.", rule="golden.class")
    if one["verdicts"] < one["verdicts_required"]:
        raise Refused(
            f"{options.host} counts as clean with {one['verdicts_required']} verdicts and has {one['verdicts']}: what "
            "is golden is not looked at again, so people read it whole first.",
            rule="golden.clean",
        )
    blobs = evidence_of(state_of(options))
    golden = Golden(state_of(options), blobs)
    seen = Evidence.from_bytes(blobs.get(one["evidence"]))
    if not (seen.golden or seen.manifest):
        raise Refused(f"The evidence of {options.host} holds no manifest.", rule="golden.manifest")
    whole = golden.lines(seen.manifest) if seen.manifest else manifest.restored(golden.lines(seen.golden), seen.differs)
    digest = golden.take(options.klass, whole)
    told = {"class": options.klass, "host": options.host, "digest": digest, "files": len(whole)}
    show(options, told, f"{len(whole)} files of {options.host} are golden for {options.klass}: {digest}.")
    return OK


def _sweep(options: argparse.Namespace) -> int:
    kept: EvidenceKept = Client(state_of(options)).get("evidence")
    blobs = evidence_of(state_of(options))
    found = sweep(options.name, ((one["host"], _read(blobs, one["evidence"])) for one in kept["hosts"]))
    found.known += kept["hosts_without"]
    lines = [f"  {host}: {line}" for host, lines in found.hits.items() for line in lines]
    lines += [f"  not examined: {host}: {why}" for host, why in found.unexamined.items()]
    if kept["hosts_without"]:
        lines.append(f"  not examined: {kept['hosts_without']} hosts without an inspection")
    show(options, {**found.as_json(), "hosts_without": kept["hosts_without"]}, "\n".join([found.sentence, *lines]))
    return FINDINGS if found.hits else OK


def _read(blobs: Blobs, digest: str) -> Evidence | str:
    try:
        return Evidence.from_bytes(blobs.get(digest))
    except RelanceError as error:
        return error.sentence


def _inspected(client: Client, host: str) -> Inspected:
    hosts: list[Inspected] = client.get("evidence")["hosts"]
    for one in hosts:
        if one["host"] == host:
            return one
    raise UsageError(f"{host} has no inspection.", rule="usage.host", host=host)
