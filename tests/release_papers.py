"""A short journal, truly signed, after which hosts may be reconnected: for runs that need their papers and no engine.

Never used by the product. Each host is isolated, restored, inspected and found clean by two, and its reconnect issued.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.journal import anchor
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.record import EMPTY_ROOT, Frontier, Record, encode, leaf_hash
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE, Head, Order, Statement, Subject
from orchestrator.workers.base import Request
from orchestrator.workers.release_gate import FOLDER, bundle_file
from tests.estates import key_of
from tests.live_hospital import INCIDENT, INDICATORS, roster

WAVE = "foundations"
FOREVER_US = 1 << 52


class Papers:
    """The journal being written, and the documents under its signed records."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.frontier = Frontier()
        self.documents: dict[str, Json] = {}
        self.genesis = b""

    @property
    def head(self) -> Head:
        """The head as of now."""
        return Head(len(self.lines), (self.frontier.root() if self.lines else EMPTY_ROOT).hex())

    def add(self, kind: str, /, **body: Any) -> None:
        """The next record."""
        self.lines.append(encode(Record(len(self.lines) + 1, 1000 * (len(self.lines) + 1), kind, body)))
        self.frontier.append(leaf_hash(self.lines[-1]))

    def order(self, kind: str, subject: str, *persons: str, **args: Any) -> None:
        """An order signed by these persons."""
        said = Order(INCIDENT, sha256(kind.encode()).hexdigest()[:32], kind, subject, args, FOREVER_US, self.head)
        self.genesis = self.genesis or said.to_bytes()
        for who in persons:
            blob = self._keep(said.to_bytes(), who, ORDER_NAMESPACE)
            names = {"order": said.id, "kind": kind, "subject": subject, "args": args, "person": who}
            self.add("ordered", **names, expires_us=FOREVER_US, head_size=said.head.size, blob=blob)

    def clean(self, host: str, *persons: str) -> None:
        """A verdict CLEAN of each of these."""
        inspection = f"{host}/inspect/1"
        for who in persons:
            said = Statement(
                "CLEAN", who, (Subject(host, inspection, "ab" * 32),), INDICATORS, (), "by hand", ("accounts",), (),
                self.head, FOREVER_US, INCIDENT,
            )  # fmt: skip
            blob = self._keep(said.to_bytes(), who, VERDICT_NAMESPACE)
            names = {"verdict": "CLEAN", "inspections": {host: inspection}, "person": who}
            self.add("judged", **names, indicator_set=INDICATORS, expires_us=FOREVER_US, blob=blob)

    def done(self, action: str, **facts: Any) -> None:
        """An action issued, and well ended."""
        target, step, _ = action.split("/")
        strategy = step if step == "restore" else ""
        self.add("issue", action=action, target=target, step=step, strategy=strategy, supersedes="")
        self.add("finished", action=action, outcome="ok", sentence="", facts=facts)

    def _keep(self, text: bytes, who: str, namespace: str) -> str:
        kept = canonical.encode(
            {"document": text.decode(), "person": who, "signature": sign(key_of(who), namespace, text)}
        )
        self.documents[str(len(self.lines) + 1)] = kept.decode()
        return sha256(kept).hexdigest()


def papers_for(requests: Sequence[Request]) -> Papers:
    """The journal after which these reconnects were issued."""
    papers = Papers()
    papers.add("opened", format=1, version="test", incident=INCIDENT, content="", blocked=[])
    papers.order("genesis", "roster", "operator-1", "it-director", **roster())
    papers.order("fact.t0", "t0", "analyst-1", "it-director", at_us=900)
    papers.order("fact.breach_closed", "breach_closed", "analyst-1", "it-director")
    papers.order("wave.launch", WAVE, "operator-1")
    for site in sorted({request.site for request in requests}):
        papers.done(f"{site}/isolate/1")
        begun_us = 1000 * len(papers.lines) + 500
        papers.add("swept", site=site, begun_us=begun_us, control=True, answered=[])
    for request in requests:
        papers.done(f"{request.host}/restore/1", host_key=request.host_key, restore_point_us=7)
        papers.done(f"{request.host}/inspect/1", evidence="ab" * 32)
        papers.clean(request.host, "analyst-1", "analyst-2")
        names = {"action": request.action, "target": request.host, "step": "reconnect"}
        papers.add("issue", **names, strategy="", supersedes="")
    return papers


def bundle_for(request: Request, papers: Papers) -> dict[str, Any]:
    """What this reconnect rests on."""
    plan = {"site": request.site, "wave": WAVE, "after": [], "needs": [], "verdicts": 2}
    return {
        "action": request.action,
        "host": request.host,
        "host_key": request.host_key,
        "head": {"size": papers.head.size, "root": papers.head.root},
        "plan": {**plan, "limit_s": request.limit_s, "address": request.address},
        "gates": {},
        "services": {},
        "documents": papers.documents,
    }


def let_out(run_dir: Path, requests: Sequence[Request]) -> Papers:
    """Lays journal, anchor and bundles around a run folder, so that its reconnects are released."""
    papers = papers_for(requests)
    state_dir = run_dir.parents[1]
    (state_dir / JOURNAL).write_bytes(b"".join(line + b"\n" for line in papers.lines))
    anchor.write(state_dir, papers.genesis)
    (run_dir / FOLDER).mkdir(exist_ok=True)
    for request in requests:
        bundle_file(run_dir, request.action).write_bytes(canonical.encode(bundle_for(request, papers)))
    return papers
