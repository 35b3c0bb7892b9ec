"""Histories written as journals with the documents their signed records would have, and bundles tampered with.

Never used by the product. People of invented worlds have no keys: whoever uses this takes the check of signatures out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator import canonical
from orchestrator.decision import codec
from orchestrator.decision.apply import apply
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Judged, Ordered
from orchestrator.decision.state import State
from orchestrator.engine.release import Citations
from orchestrator.journal.record import EMPTY_ROOT, Frontier, Head, Record, encode, leaf_hash
from orchestrator.plans.waves import derive
from orchestrator.simulation import scenario
from orchestrator.simulation.chance import Chance
from orchestrator.simulation.faults import ALL
from orchestrator.trust import verifier
from tests.random_incidents import Incident

Entries = list[tuple[Any, int]]


def parsed(text: bytes) -> Any:
    """What a document says, though it is none that could be signed."""
    body = json.loads(text)
    body["head"] = SimpleNamespace(**body["head"])
    body["subjects"] = [SimpleNamespace(**one) for one in body.get("subjects", [])]
    return SimpleNamespace(**body)


class Written:
    """A history as a journal of lines, with the documents its signed records would have."""

    def __init__(self, first: Estate, contents: dict[str, Any], path: Path) -> None:
        self.path = path
        self.state = State(first)
        self.state.contents = contents
        self.blobs: dict[str, bytes] = {}
        self.citations = Citations(self.blobs.__getitem__)
        self.lines: list[bytes] = []
        self.roots = [EMPTY_ROOT.hex()]
        self.evidence: dict[str, str] = {}
        self.anchor = ""
        self._frontier = Frontier()

    def add(self, entry: Any, at_us: int) -> None:
        """One record, applied to the state as well."""
        self._write(entry, at_us)
        apply(self.state, entry, at_us)

    def _write(self, entry: Any, at_us: int) -> None:
        kind, body = codec.encode(entry)
        if isinstance(entry, Ordered):
            body["head_size"] = min(entry.head_size, len(self.lines))  # nobody in an invented world looks at a journal
        if isinstance(entry, Ordered | Judged):
            body["blob"] = self._document(entry, body)
        if kind == "finished" and "/inspect/" in entry.action:
            self.evidence[entry.action] = str(entry.facts.get("evidence", ""))
        record = Record(len(self.lines) + 1, at_us, kind, body)
        self.lines.append(encode(record))
        self._frontier.append(leaf_hash(self.lines[-1]))
        self.roots.append(self._frontier.root().hex())
        self.citations.note(record)

    def _document(self, entry: Ordered | Judged, body: dict[str, Any]) -> str:
        size = body.get("head_size", 0)
        said = {**body, "head": {"size": size, "root": self.roots[size]}, "incident": self.state.incident}
        if isinstance(entry, Ordered):
            said = {**said, "id": entry.order, "person": ""}
        else:
            image_of, number = self.state.image, self.state.estate.host_number
            lot = len(entry.inspections) > 1  # the image it was made from is named of a lot
            said["subjects"] = [
                {"host": host, "inspection": one, "evidence": self.evidence.get(one, ""),
                 "image": image_of[number[host]] if lot else ""}
                for host, one in entry.inspections.items()
            ]  # fmt: skip
        text = json.dumps(said)
        if isinstance(entry, Ordered) and entry.kind == "genesis":
            self.anchor = sha256(text.encode()).hexdigest()
        kept = canonical.encode({"document": text, "person": entry.person, "signature": ""})
        digest = sha256(kept).hexdigest()
        self.blobs[digest] = kept
        return digest

    def instead(self, *entries: tuple[Any, int]) -> Written:
        """Another course: these in the place of the last record; the state stays as it is."""
        other = copy.copy(self)
        other.lines, other.roots, other.evidence = self.lines[:-1], self.roots[:-1], dict(self.evidence)
        other._frontier = Frontier()
        for line in other.lines:
            other._frontier.append(leaf_hash(line))
        other.citations = copy.deepcopy(self.citations)
        other.citations.seq = len(other.lines)
        for entry, at_us in entries:
            other._write(entry, at_us)
        return other

    def bundle(self, action: str) -> dict[str, Any]:
        """What this reconnect rests on, as of the last record."""
        head = Head(len(self.lines), bytes.fromhex(self.roots[-1]))
        found: dict[str, Any] = json.loads(json.dumps(self.citations.bundle(self.state, action, head)))
        return found

    def refused(self, bundle: dict[str, Any], lines: list[bytes] | None = None) -> list[str]:
        """The rules that refuse a bundle, and why."""
        self.path.write_bytes(b"".join(line + b"\n" for line in (self.lines if lines is None else lines)))
        (found,) = verifier.check([bundle], self.path, self.anchor)
        return [f"{line.rule}: {line.sentence}" for line in found if not line.holds]


def random_history(seed: int, path: Path) -> tuple[Written, Entries]:
    """Three hundred random events, legal or not, then a calm in which people answer."""
    incident = Incident(seed)
    incident.trouble(300)
    incident.calm(100)
    return Written(incident.first, incident.state.contents, path), incident.records


def disaster(seed: int, path: Path) -> tuple[Written, Entries]:
    """A disaster of the simulator: a hospital of 16 hosts, a day of all faults, then the way back."""
    setting = replace(scenario.setting_of(seed, ALL, hosts=16), days=1)
    estate = Estate(setting.content, derive(setting.content))
    world = scenario.Disaster(estate, Chance(seed), setting.faults)
    staff = scenario._begun(world, setting)
    scenario._safety(world, staff, setting)
    scenario._liveness(world, staff, 16)
    return Written(estate, world.state.contents, path), world.records


def tampered(bundle: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bundle with one thing changed or removed, and what; `limit_s`, `verdicts` and `address` are its own word.

    Of several hosts that serve a need one may be removed: how many there must be, the plan says.
    """
    for key in bundle:
        yield f"without {key}", {name: value for name, value in bundle.items() if name != key}
    for key in ("action", "host", "host_key"):
        yield f"other {key}", {**bundle, key: f"x{bundle[key]}"}
    for part in ("plan", "gates", "services", "documents", "head"):
        for key in bundle[part]:
            rest = {name: value for name, value in bundle[part].items() if name != key}
            yield f"{part} without {key if part in ('plan', 'head') else 'one'}", {**bundle, part: rest}
    for key, other in {"site": "x", "wave": "x", "after": ["x"], "needs": ["x"], "verdicts": 9, "address": ""}.items():
        yield f"plan of other {key}", {**bundle, "plan": {**bundle["plan"], key: other}}
    for seq, kept in bundle["documents"].items():
        rest = {name: value for name, value in bundle["documents"].items() if name != seq}
        yield "documents with one changed", {**bundle, "documents": {**rest, seq: f"{kept[:-1]} }}"}}
        yield "documents with one moved", {**bundle, "documents": {**rest, f"{seq}0": kept}}
    for part in ("gates", "services"):
        for key in bundle[part]:
            yield f"{part} by another record", {**bundle, part: {**bundle[part], key: [1]}}
    yield "other root", {**bundle, "head": {**bundle["head"], "root": "ab" * 32}}
    yield "a longer journal", {**bundle, "head": {**bundle["head"], "size": bundle["head"]["size"] + 1}}


def rewritten(lines: list[bytes], number: int) -> Iterator[tuple[str, list[bytes]]]:
    """The journal with one record changed, dropped, doubled or moved."""
    before, line, after = lines[:number], lines[number], lines[number + 1 :]
    yield "a record changed", [*before, line.replace(b'"at_us":1', b'"at_us":2', 1), *after]
    yield "a record dropped", [*before, *after]
    yield "a record doubled", [*before, line, line, *after]
    yield "two records exchanged", [*before, after[0], line, *after[1:]]
