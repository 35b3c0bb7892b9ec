"""Decides, right before a run acts, which of its reconnects may: those whose bundle the release check accepts.

Reads the bundles in the run folder, and journal, anchor and signed documents in the state folder around it. Never asks
the engine, never writes, and never lets anything out that it cannot read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.decision import host_key
from orchestrator.errors import RelanceError
from orchestrator.journal import anchor
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.blobs import Blobs
from orchestrator.trust import log, verifier
from orchestrator.workers.base import Request

FOLDER = "release"
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


def bundle_file(run_dir: Path, action: str) -> Path:
    """Where the bundle of a reconnect lies."""
    return run_dir / FOLDER / f"{action.replace('/', '@')}.json"


def refusals(run_dir: Path, requests: Sequence[Request]) -> dict[str, str]:
    """Why each of these reconnects may not be carried out, by action; those that may are not in it."""
    state_dir = run_dir.parents[1]
    refused: dict[str, str] = {}
    bundles: dict[str, dict[str, Any]] = {}
    for request in requests:
        try:
            bundle = json.loads(bundle_file(run_dir, request.action).read_bytes())
            differs = next(_differs(bundle, request), "")
            if differs:
                refused[request.action] = differs
            else:
                bundles[request.action] = bundle
        except _UNREADABLE as error:
            refused[request.action] = f"Not released: it has no readable bundle ({error!r:.200})."
    try:
        _bring_up_to_date(bundles, state_dir)
    except (*_UNREADABLE, RelanceError) as error:
        return {request.action: f"Not released: the journal cannot be read ({error!r:.200})." for request in requests}
    judged = verifier.check([*bundles.values()], state_dir / JOURNAL, anchor.read(state_dir), now=True)
    for action, lines in zip(bundles, judged, strict=True):
        first = next((line for line in lines if not line.holds), None)
        if first is not None:
            refused[action] = f"Not released: {first.rule}. {first.sentence}"
    return refused


def _differs(bundle: dict[str, Any], request: Request) -> Iterator[str]:
    """Where the bundle is about something else than what is asked here."""
    plan = bundle["plan"]
    for what, said, asked in (
        ("action", bundle["action"], request.action),
        ("host", bundle["host"], request.host),
        ("host key", host_key.bare(bundle["host_key"]), request.host_key),
        ("site", plan["site"], request.site),
        ("address", plan["address"], request.address),
        ("time limit", plan["limit_s"], request.limit_s),
    ):
        if said != asked:
            yield f"Not released: its bundle names another {what} than its request ({said!r:.80})."


def _bring_up_to_date(bundles: dict[str, dict[str, Any]], state_dir: Path) -> None:
    """Adds the documents that were signed since each bundle was made; what is not kept stays away, and refuses."""
    blobs = Blobs(state_dir / "evidence")
    for seq, text in enumerate(log.texts(state_dir / JOURNAL), 1):
        behind = [bundle for bundle in bundles.values() if bundle["head"]["size"] < seq]
        if not behind:
            continue
        record = json.loads(text)
        if record["kind"] in ("ordered", "judged"):
            with suppress(RelanceError):
                document = blobs.get(record["body"]["blob"]).decode("utf-8")
                for bundle in behind:
                    bundle["documents"].setdefault(str(seq), document)
