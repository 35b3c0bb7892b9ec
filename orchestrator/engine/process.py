"""Puts a live engine together over one state folder, and over an estate where the incident is only beginning.

Never opens a network port (`interfaces` does) and never runs on content other than what is kept with the incident.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from orchestrator import __version__
from orchestrator.clock import Clock, SystemClock
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Opened, Started
from orchestrator.decision.state import State
from orchestrator.engine.contents import FOLDER, FORMAT, keep, kept, opening
from orchestrator.engine.dispatch import Dispatcher, Places
from orchestrator.engine.hands import LiveHands
from orchestrator.engine.loop import Engine
from orchestrator.engine.recovery import recover
from orchestrator.engine.rematch import Rematching
from orchestrator.engine.watch import Watch
from orchestrator.errors import Unusable
from orchestrator.evidence.golden import Golden
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.workers.ansible import AnsibleWorker
from orchestrator.workers.checkin import FOLDER as FOLDER_OF_CHECKINS
from orchestrator.workers.checkin import Arrivals
from orchestrator.workers.probing import Prober
from orchestrator.workers.ssh import InspectionWorker


@dataclass(slots=True, frozen=True)
class Beginning:
    """What an incident begins with: an estate, its reviewed content, and the hosts that errors block."""

    estate_dir: Path
    content: Content
    blocked: frozenset[str] = frozenset()


@dataclass(slots=True)
class Live:
    """A running engine and what must be closed with it."""

    engine: Engine
    hands: LiveHands

    def close(self) -> int:
        """Stops taking work and waits for no answer; how many invocations go on by themselves, to be adopted."""
        self.engine.stop()
        going_on = self.hands.dispatcher.live()
        self.hands.close()
        return going_on


def open_engine(state_dir: Path, beginning: Beginning | None = None, *, clock: Clock | None = None) -> Live:
    """Opens (or creates) the state folder and starts the engine on the content kept there.

    `beginning` is used by the first start alone. Raises Unusable for a state folder that is held, damaged, full,
    read-only, or empty with nothing to begin with.
    """
    clock = clock or SystemClock()
    lay_out(state_dir)
    opened = opening(state_dir)
    if opened is not None:
        content = kept(state_dir, opened.content, opened.blocked)
    elif beginning is not None:
        content = beginning.content
    else:
        raise Unusable(f"There is no incident in {state_dir} yet, and no content to open one with.")
    state = State(Estate(content, derive(content)))
    hands = _hands(state, state_dir)
    engine = Engine(state_dir, state, hands, clock)

    def prepare() -> tuple[Journal, list[Event]]:
        journal = _open_journal(state_dir / "journal.sqlite")
        with ExitStack() as undo:
            undo.callback(journal.close)
            if journal.head.size:
                events = recover(journal, state, hands.dispatcher, state_dir)
            else:
                events = [_begin(state_dir, beginning)]
            undo.pop_all()
        return journal, [*events, Started(__version__)]

    with ExitStack() as undo:
        undo.callback(hands.close)
        engine.start(prepare)
        undo.pop_all()
    return Live(engine, hands)


def _begin(state_dir: Path, beginning: Beginning | None) -> Event:
    """The first event of an incident, once its content is kept."""
    if beginning is None:
        raise Unusable(f"The journal in {state_dir} lost its records since it was looked at.")
    digest = beginning.content.digest
    keep(beginning.estate_dir, state_dir, digest)
    return Opened(FORMAT, __version__, os.urandom(8).hex(), digest, sorted(beginning.blocked))


def _hands(state: State, state_dir: Path) -> LiveHands:
    places = Places(
        contents=(state_dir / FOLDER).absolute(),
        runs=state_dir / "runs",
        key=state_dir / "secrets" / "ssh_key",
        known_hosts=state_dir / "secrets" / "management_hosts",
    )
    evidence = Blobs(
        state_dir / "evidence",
        packed=True,
        bytes_max=lambda: state.estate.content.restart.inspection.evidence_bytes_max,
    )
    arrived = Arrivals(state_dir / FOLDER_OF_CHECKINS)
    inspector = InspectionWorker(places.key, evidence.put, goldens=Golden(state_dir, evidence), arrivals=arrived)
    watch = Watch(state, Prober(secrets=state_dir / "secrets"))
    return LiveHands(Dispatcher(places, AnsibleWorker(), inspector), watch, Rematching(evidence))


def lay_out(state_dir: Path) -> None:
    """Makes the folders of a state folder, 0700. Raises Unusable when the disk refuses."""
    try:
        for folder in (state_dir, *(state_dir / name for name in ("runs", "evidence", FOLDER, "secrets"))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(
            f"The state folder {state_dir} cannot be made: {error.strerror}.", path=str(state_dir)
        ) from error


def require_secrets(state_dir: Path) -> None:
    """Refuses (Unusable) a state folder without login key and pinned management keys, or where others could use them.

    Without them every action would stay under way for ever: nobody could be dialled, and nobody would be told.
    """
    pins = "the pinned host keys of every management path and gate, in the form of known_hosts"
    for name, meaning, forbidden in (
        ("ssh_key", "the private key Relance logs in with", 0o077),
        ("management_hosts", pins, 0o022),
    ):
        path = state_dir / "secrets" / name
        if not path.is_file():
            raise Unusable(f"{path} is missing: {meaning}. Put it there, then start again.", path=str(path))
        if path.stat().st_mode & forbidden:
            raise Unusable(f"Others may use or change {path}. Run: chmod 600 {path}", path=str(path))


def _open_journal(path: Path) -> Journal:
    return Journal.open(path) if path.exists() else Journal.create(path)
