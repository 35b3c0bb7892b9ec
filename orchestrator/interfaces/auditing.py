"""Proves a journal: hashes, root, the anchor, a replay through the core, the invariants, one end per action.

Never writes and never decides: it reads the journal and the content kept beside it, also while a process is live.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from pathlib import Path

from typing_extensions import TypedDict

from orchestrator.decision.apply import apply
from orchestrator.decision.commands import Issue
from orchestrator.decision.decide import Entry
from orchestrator.decision.events import Cancelled, Finished, Late, Lost
from orchestrator.decision.state import State
from orchestrator.decision.witness import Witness
from orchestrator.engine.contents import first_state, read
from orchestrator.errors import Unusable
from orchestrator.interfaces.admission import document_in
from orchestrator.journal import anchor
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.proof import continues
from orchestrator.journal.record import Head, Record
from orchestrator.journal.replay import replay
from orchestrator.journal.sqlite import Journal
from orchestrator.trust.statement import Order

UNREADABLE = "What the genesis' signers signed is missing or damaged: take it from a backup."
_ENDS: dict[type, str] = {Finished: "finished", Lost: "lost", Cancelled: "cancelled"}


class Audit(TypedDict):
    """What an audit found. `violations` is empty when every promise was kept."""

    incident: str
    content: str
    records: int
    root: str
    head: str
    anchor: str
    state: str
    issued: int
    finished: int
    lost: int
    cancelled: int
    open: int
    late: int
    invariants: str
    violations: list[str]


def audit(state_dir: Path, earlier: Head | None = None, noted: str = "") -> Audit:
    """Audits a state folder, also as the continuation of a head printed earlier, and under an anchor noted on paper.

    Raises Unusable for a journal that is damaged, or that cannot be replayed.
    """
    with Journal.open(state_dir / JOURNAL, read_only=True) as journal:
        journal.check_file()
        auditor = _Auditor(first_state(state_dir), state_dir)
        replay(journal, auditor.take)
        head = journal.head
        broken = continues(journal, earlier) if earlier else ""
    return auditor.found(head, [broken] if broken else [], noted)


class _Auditor:
    """Takes the records in order: applies each, shows it to the witness, and keeps the book of actions."""

    def __init__(self, state: State, state_dir: Path) -> None:
        self._state = state
        self._state_dir = state_dir
        self._witness = Witness(state.estate, state.contents)
        self._book: dict[str, str] = {}
        self._late = 0

    def take(self, record: Record) -> None:
        """Judges one record. Raises Unusable where the core would never have written it."""
        entry = read(record, self._state, self._state_dir)
        self._count(entry)
        try:
            self._witness.see(entry, record.at_us)
            apply(self._state, entry, record.at_us)
        except (LookupError, TypeError, ValueError) as error:
            raise Unusable(f"It speaks of what was never there ({type(error).__name__}: {error}).") from error

    def _count(self, entry: Entry) -> None:
        if isinstance(entry, Issue):
            if entry.action in self._book:
                raise Unusable(f"{entry.action} is issued a second time.")
            self._book[entry.action] = "open"
        elif isinstance(entry, Finished | Lost | Cancelled):
            known = self._book.get(entry.action, "never issued")
            if known != "open":
                raise Unusable(f"{entry.action} ends, yet it is {known}.")
            self._book[entry.action] = _ENDS[type(entry)]
        elif isinstance(entry, Late):
            self._late += 1

    def found(self, head: Head, broken: list[str], noted: str) -> Audit:
        """What the records came to, beside what is `broken` about the journal itself."""
        genesis, adrift = _anchored(self._state, self._state_dir, noted)
        self._witness.settle(self._state.at_us)
        counts = Counter(self._book.values())
        promises = [
            f"record {one.seq}, invariant {one.invariant}, {one.subject}: {one.sentence}"
            for one in self._witness.broken
        ]
        return {
            "incident": self._state.incident,
            "content": self._state.estate.content.digest,
            "records": head.size,
            "root": head.root.hex(),
            "head": str(head),
            "anchor": genesis,
            "state": self._state.digest(),
            "issued": len(self._book),
            "finished": counts["finished"],
            "lost": counts["lost"],
            "cancelled": counts["cancelled"],
            "open": counts["open"],
            "late": self._late,
            "invariants": f"{len(promises)} broken" if promises else "all held",
            "violations": [*broken, *adrift, *promises],
        }


def _anchored(state: State, state_dir: Path, noted: str) -> tuple[str, list[str]]:
    """The digest of the genesis that the journal rests on, and where it is not the one its signers noted.

    Who rewrote the roster, hashes and all, is found here: the text under another roster has another digest.
    """
    digest, wrong = "", []
    kept = anchor.read(state_dir)
    for order, one in state.orders.items():
        if one.kind != "genesis" or not one.done:
            continue
        text = _signed_text(state_dir, one.blob)
        if not text:
            wrong.append(UNREADABLE)
            continue
        said = Order.from_bytes(text)
        if (said.id, said.kind, said.subject, said.args) != (order, one.kind, one.subject, one.args):
            wrong.append(f"The roster that order {order} put in force is not the one its signers signed.")
        digest = anchor.digest_of(text)
        wrong += [
            f"The journal begins with the genesis {digest}; the anchor {where} is {other}: the roster was exchanged."
            for where, other in (("beside it", kept), ("on paper", noted))
            if other not in ("", digest)
        ]
    if digest and not (kept or noted):
        wrong.append(
            "No anchor lies beside the journal: give the one on paper (--anchor). Without it nobody comes out."
        )
    if noted and not digest:
        wrong.append(f"There is no genesis to compare with the anchor {noted}.")
    return digest, wrong


def _signed_text(state_dir: Path, blob: str) -> bytes:
    """What was signed; nothing where it is missing or damaged."""
    try:
        kept = (state_dir / "evidence" / blob).read_bytes()
    except OSError:
        return b""
    return document_in(kept).encode("utf-8") if sha256(kept).hexdigest() == blob else b""
