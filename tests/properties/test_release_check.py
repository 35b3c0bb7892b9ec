"""The release check beside the core, over random histories: what the core lets out is accepted, and nothing else.

People of invented worlds have no keys, so the check of signatures itself is taken out here, and only that; signed
histories are in test_trust_verifier. A class that asks one verdict is refused for it (two are asked outside a lot).
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import canonical
from orchestrator.decision import codec, invariants
from orchestrator.decision.apply import apply
from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Judged, Ordered
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.engine.release import Citations
from orchestrator.journal.record import EMPTY_ROOT, Frontier, Head, Record, encode, leaf_hash
from orchestrator.trust import verifier
from tests.random_incidents import Incident

SEEDS = range(int(os.environ.get("RELANCE_RELEASE_SEEDS", "3")))
FORGED_EVERY = 41
PLANNED = {"gates", "needs"}  # of these the check knows no more than what the bundle says


def parsed(text: bytes) -> Any:
    """What a document says, though it is none that could be signed."""
    body = json.loads(text)
    body["head"] = SimpleNamespace(**body["head"])
    body["subjects"] = [SimpleNamespace(**one) for one in body.get("subjects", [])]
    return SimpleNamespace(**body)


@pytest.fixture(autouse=True)
def unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "verified", lambda *given: None)
    monkeypatch.setattr(verifier, "Order", SimpleNamespace(from_bytes=parsed))
    monkeypatch.setattr(verifier, "Statement", SimpleNamespace(from_bytes=parsed))


class Written:
    """A history as a journal of lines, with the documents its signed records would have."""

    def __init__(self, incident: Incident, path: Path) -> None:
        self.path = path
        self.state = State(incident.first)
        self.state.contents = incident.state.contents
        self.blobs: dict[str, bytes] = {}
        self.citations = Citations(self.blobs.__getitem__)
        self.lines: list[bytes] = []
        self.frontier = Frontier()
        self.roots = [EMPTY_ROOT.hex()]
        self.evidence: dict[str, str] = {}
        self.anchor = ""

    def add(self, entry: Any, at_us: int) -> None:
        """One record, applied to the state as well."""
        kind, body = codec.encode(entry)
        if isinstance(entry, Ordered):
            body["head_size"] = min(entry.head_size, len(self.lines))  # nobody in an invented world looks at a journal
        if isinstance(entry, Ordered | Judged):
            body["blob"] = self._document(entry, body)
        if kind == "finished" and "/inspect/" in entry.action:
            self.evidence[entry.action] = str(entry.facts.get("evidence", ""))
        record = Record(len(self.lines) + 1, at_us, kind, body)
        self.lines.append(encode(record))
        self.frontier.append(leaf_hash(self.lines[-1]))
        self.roots.append(self.frontier.root().hex())
        self.citations.note(record)
        apply(self.state, entry, at_us)

    def _document(self, entry: Ordered | Judged, body: dict[str, Any]) -> str:
        size = body.get("head_size", 0)
        said = {**body, "head": {"size": size, "root": self.roots[size]}, "incident": self.state.incident}
        if isinstance(entry, Ordered):
            said = {**said, "id": entry.order, "person": ""}
        else:
            subjects = [(host, one, self.evidence.get(one, "")) for host, one in entry.inspections.items()]
            said["subjects"] = [{"host": a, "inspection": b, "evidence": c, "image": ""} for a, b, c in subjects]
        text = json.dumps(said)
        if isinstance(entry, Ordered) and entry.kind == "genesis":
            self.anchor = sha256(text.encode()).hexdigest()
        kept = canonical.encode({"document": text, "person": entry.person, "signature": ""})
        digest = sha256(kept).hexdigest()
        self.blobs[digest] = kept
        return digest

    def refused(self, action: str) -> list[str]:
        """The rules that refuse this reconnect now."""
        self.path.write_bytes(b"".join(line + b"\n" for line in self.lines))
        bundle = self.citations.bundle(self.state, action, Head(len(self.lines), self.frontier.root()))
        (lines,) = verifier.check([json.loads(json.dumps(bundle))], self.path, self.anchor)
        return [f"{line.rule}: {line.sentence}" for line in lines if not line.holds]


def rightly_refused(written: Written, host: int) -> bool:
    """Whether a class asks one verdict alone, which the check does not take."""
    return written.state.estate.group(host).klass.verdicts_required == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_release_check_and_the_core_let_the_same_hosts_out(seed: int, tmp_path: Path) -> None:
    incident = Incident(seed)
    incident.trouble(300)
    incident.calm(100)
    written = Written(incident, tmp_path / "journal.jsonl")
    accepted = forged = 0
    for number, (entry, at_us) in enumerate(incident.records):
        written.add(entry, at_us)
        if isinstance(entry, Issue) and entry.step == "reconnect":
            host = written.state.estate.host_number[entry.target]
            said = written.refused(entry.action)
            assert not said or (
                rightly_refused(written, host) and {one.split(":")[0] for one in said} == {"verdicts"}
            ), f"seed {seed}, record {number + 1}, {entry.action}: {said}"
            accepted += not said
        elif number % FORGED_EVERY == 0 and written.anchor:
            forged += 1
            host = number // FORGED_EVERY % len(written.state.estate.hosts)
            assert would_be_issued(written, host, at_us) or forged_is_refused(written, host, at_us)
    assert accepted
    assert forged


def would_be_issued(written: Written, host: int, at_us: int) -> bool:
    """Whether invariants 1 to 4 hold of a reconnect of this host, by the core's own check."""
    try:
        invariants._reconnect(written.state, host, at_us)
    except (invariants.InvariantBroken, IndexError) as broken:
        return getattr(broken, "rule", "") == "invariant.2" or "ancestor" in str(broken)
    return True


def forged_is_refused(written: Written, host: int, at_us: int) -> bool:
    """Whether a reconnect the core never decided is refused, though its record stands in the journal."""
    estate = written.state.estate
    name = estate.hosts[host]
    kind, body = codec.encode(Issue(f"{name}/reconnect/99", name, "reconnect"))
    lines, frontier = list(written.lines), written.frontier.copy()
    if written.state.wave_of[host] < 0 or written.state.stage[host] is Stage.RECONNECTING:
        return True  # no wave, so no bundle can be made; or one that is under way, rightly
    written.lines.append(encode(Record(len(lines) + 1, at_us, kind, body)))
    written.frontier.append(leaf_hash(written.lines[-1]))
    said = written.refused(f"{name}/reconnect/99")
    written.lines, written.frontier = lines, frontier
    return bool(said)
