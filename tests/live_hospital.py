"""A small hospital under a real engine: real journal, real signatures, real time; only its workers are obliging.

Never decides anything for the core: what a test orders is signed and admitted like everyone's.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator.clock import SystemClock
from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Event, Finished, Opened, Reading, Started, Swept
from orchestrator.decision.state import State
from orchestrator.engine.loop import Engine
from orchestrator.engine.process import lay_out
from orchestrator.errors import NeedsAnother
from orchestrator.evidence.document import Evidence
from orchestrator.interfaces.admission import admit_order, admit_verdict
from orchestrator.interfaces.documents import Taken
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.model import Content, Timing
from orchestrator.plans.waves import derive
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE, Head, Order, Statement, Subject
from tests.estates import PRACTICE_TIMING, ROLES, key_of, person, small_estate

INCIDENT = "test-incident"
INDICATORS = "0" * 64
HOUR_US = 3600 * 1_000_000
NOW = SystemClock()


def document_of(action: str) -> bytes:
    """What the inspection `action` collected, and what it did not examine."""
    return Evidence(action, action.partition("/")[0], not_examined=("memory",)).to_bytes()


def evidence_of(action: str) -> str:
    """The digest of what the inspection `action` is said to have collected."""
    return hashlib.sha256(document_of(action)).hexdigest()


class ObligingHands:
    """Finishes every action at once, unless the test asked to let them hang or fail."""

    def __init__(self) -> None:
        self.outcome = "ok"
        self.image = ""
        self.hangs: set[str] = set()
        self.keep: Callable[[bytes], str] = lambda content: hashlib.sha256(content).hexdigest()
        self._done: list[Event] = []

    def issue(self, command: Issue, state: State) -> None:
        """The action ends as the test wished."""
        if command.step in self.hangs:
            return
        if command.step == "inspect":
            self.keep(document_of(command.action))
        facts: dict[str, Any] = {"restore_point_us": 1, "host_key": "ssh-ed25519 AAAA", "digest": "d"}
        facts |= {"medium": "disk", "holder": "store"}
        facts |= {"evidence": evidence_of(command.action), "marker": False, "image_digest": self.image}
        self._done.append(Finished(command.action, self.outcome, "", facts))

    def cancel(self, command: Cancel) -> None:
        """A hanging action is taken back."""
        self._done.append(Cancelled(command.action))

    def poll(self, state: State, now_us: int) -> list[Event]:
        """What ended since."""
        done, self._done = self._done, []
        return done

    def dispatched(self, seq: int, state: State) -> None:
        """Nothing is dispatched."""

    def committed(self) -> None:
        """Nothing waits for a commit."""


class Hospital:
    """The running hospital and the people in it."""

    def __init__(self, engine: Engine, hands: ObligingHands, content: Content) -> None:
        self.engine = engine
        self.hands = hands
        self.content = content

    def order(self, kind: str, subject: str, *persons: str, **args: Any) -> Taken | None:
        """An order signed by these persons one after the other; None while it waits for another."""
        text = self.text(kind, subject, **args)
        taken = None
        for who in persons:
            try:
                taken = self.sign(text, who)
            except NeedsAnother:
                taken = None
        self.settle()
        return taken

    def text(self, kind: str, subject: str, *, expires_us: int = 0, order: str = "", **args: Any) -> bytes:
        """The bytes of an order about the journal as it is now."""
        head = self.engine.head()
        name = order or secrets.token_hex(16)
        until_us = expires_us or NOW.now_us() + HOUR_US
        return Order(INCIDENT, name, kind, subject, args, until_us, Head(head.size, head.root.hex())).to_bytes()

    def sign(self, text: bytes, who: str) -> Taken:
        """Admits one person's signature under these bytes."""
        return admit_order(self.engine, text, who, sign(key_of(who), ORDER_NAMESPACE, text))

    def settle(self) -> None:
        """Until every action that does not hang has ended and nothing more follows."""
        same, before = 0, -1
        while same < 3 or before < 2:  # the incident is opened by the first two records
            NOW.sleep_s(0.001)  # so that the next look falls into another turn
            seq, busy = self.engine.read(self._busy)
            same = 0 if busy or seq != before else same + 1
            before = seq

    def _busy(self, state: State, now_us: int) -> tuple[int, bool]:
        return state.seq, any(action.step not in self.hands.hangs for action in state.open.values())

    def open_incident(self) -> None:
        """Genesis, T0, breach closed, the outside laboratory open."""
        self.order("genesis", "roster", "operator-1", "it-director", **roster())
        self.order("fact.t0", "t0", "analyst-1", "it-director", at_us=NOW.now_us() - HOUR_US)
        self.order("fact.breach_closed", "breach_closed", "analyst-1", "it-director")
        self.order("fact.outside", "reference-lab", "operator-1", "analyst-1")

    def sweep(self) -> None:
        """The outside probers ask everyone; nobody answers but the control targets."""
        for site in self.content.inventory.sites:
            self.engine.submit(Swept(site.id, NOW.now_us(), True, []))
        self.settle()

    def statement(self, verdict: Any, who: str, *hosts: str, **changes: Any) -> bytes:
        """The bytes of a verdict on the latest inspections of these hosts."""
        head = self.engine.head()
        judged = self.engine.read(lambda state, _: [self._subject(state, host) for host in sorted(hosts)])
        fields: dict[str, Any] = {
            "verdict": verdict,
            "person": who,
            "subjects": tuple(judged),
            "indicator_set": INDICATORS,
            "tools": ("hunt",),
            "method": "by hand",
            "examined": ("accounts",),
            "not_examined": (),
            "head": Head(head.size, head.root.hex()),
            "expires_us": NOW.now_us() + HOUR_US,
            "incident": INCIDENT,
        }
        return Statement(**{**fields, **changes}).to_bytes()

    def judge(self, verdict: str, who: str, *hosts: str) -> Taken:
        """A verdict, signed and filed."""
        text = self.statement(verdict, who, *hosts)
        taken = admit_verdict(self.engine, text, who, sign(key_of(who), VERDICT_NAMESPACE, text))
        self.settle()
        return taken

    def judge_everyone(self) -> None:
        """Two analysts find everything clean that waits for a verdict."""
        for who in ("analyst-1", "analyst-2"):
            for seat in self.seats():
                self.judge("CLEAN", who, seat)

    def seats(self) -> list[str]:
        """The hosts in the analysts' queue."""
        from orchestrator.interfaces.views_people import queue

        return [one["host"] for one in self.engine.read(queue)["hosts"]]

    def read_everything(self, times: int = 3, outcome: str = "PASS") -> None:
        """The probes ask every service, interface and host, several times."""
        estate = self.engine.read(lambda state, _: state.estate)
        subjects = [name for name in estate.interval_us if not name.startswith("class:")]
        for _ in range(times):
            for subject in (*(f"host:{host}" for host in estate.hosts), *subjects):
                self.engine.submit(Reading(subject, outcome))
        self.settle()

    def bring_back(self, wave: str) -> None:
        """Launches a wave and does everything it asks for."""
        self.order("wave.launch", wave, "operator-1")
        for _ in range(2):
            self.sweep()
            self.judge_everyone()
            self.read_everything()

    def quarantined(self, wave: str, who: str = "operator-1") -> None:
        """Launches a wave; its hosts stand in quarantine, inspected, and wait for verdicts."""
        self.order("wave.launch", wave, who)
        self.sweep()

    def stage(self, host: str) -> str:
        """Where a host stands."""
        return self.engine.read(lambda state, _: state.stage[state.estate.host_number[host]].name.lower())

    def key_file(self, who: str) -> Path:
        """The private key of a person in a file, as it lies on their own machine."""
        path = self.engine.state_dir.parent / f"{who}.key"
        if not path.exists():
            text = key_of(who).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            path.touch(0o600)
            path.write_bytes(text)
        return path

    def signer(self, who: str) -> list[str]:
        """The options with which a command signs as this person."""
        return ["--key", str(self.key_file(who)), "--person", who]

    def _subject(self, state: State, host: str) -> Subject:
        number = state.estate.host_number[host]
        return Subject(host, state.inspection[number], state.evidence[number])


def roster() -> dict[str, Any]:
    """The genesis order's arguments for the test roster."""
    persons = [{"id": one, "roles": [role], "key": person(one, role).key} for one, role in ROLES.items()]
    return {"persons": persons, "indicator_set": INDICATORS}


def quick(**changes: Any) -> Timing:
    """Practice timing where no gate soaks."""
    return PRACTICE_TIMING.model_copy(update={"soak_s": 0, "passes": 1, "in_service_passes": 1, **changes})


@contextmanager
def hospital(state_dir: Path, content: Content | None = None, hands: ObligingHands | None = None) -> Iterator[Hospital]:
    """A hospital whose engine turns until the block ends."""
    content = content or small_estate(timing=quick())
    lay_out(state_dir)
    state, hands = State(Estate(content, derive(content))), hands or ObligingHands()
    engine = Engine(state_dir, state, hands, SystemClock())
    hands.keep = engine.blobs.put

    def prepare() -> tuple[Journal, list[Event]]:
        opened: list[Event] = [Opened(1, "test", INCIDENT, content.digest), Started("test")]
        return Journal.create(state_dir / "journal.sqlite"), opened

    engine.start(prepare)
    try:
        found = Hospital(engine, hands, content)
        found.settle()
        yield found
    finally:
        engine.stop()
