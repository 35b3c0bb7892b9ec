"""Puts a live engine together over one estate and one state folder.

Never opens a network port (`interfaces` does) and never starts on content that differs from what the journal holds.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from orchestrator import __version__
from orchestrator.clock import Clock, SystemClock
from orchestrator.decision import codec
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Opened, Started
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import Dispatcher, Places
from orchestrator.engine.hands import LiveHands
from orchestrator.engine.loop import Engine
from orchestrator.engine.recovery import recover
from orchestrator.engine.watch import Watch
from orchestrator.errors import Refused, Unusable
from orchestrator.inventory.sources import FOLDERS
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.disk import sync_folder
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.workers.ansible import AnsibleWorker
from orchestrator.workers.connection import Limits
from orchestrator.workers.probing import Prober
from orchestrator.workers.ssh import InspectionWorker, Sweep

FORMAT = 1


@dataclass(slots=True)
class Live:
    """A running engine and what must be closed with it."""

    engine: Engine
    hands: LiveHands

    def close(self) -> int:
        """Stops taking work and ends our threads; how many invocations go on by themselves, to be adopted."""
        self.engine.stop()
        going_on = self.hands.dispatcher.live()
        self.hands.close()
        return going_on


def open_engine(content: Content, estate_dir: Path, state_dir: Path, *, clock: Clock | None = None) -> Live:
    """Opens (or creates) the state folder and starts the engine on reviewed content of the estate.

    Raises Refused when the content is another than the journal's, Unusable for a state folder that is held, damaged,
    full or read-only.
    """
    clock = clock or SystemClock()
    lay_out(state_dir)
    state = State(Estate(content, derive(content)))
    places = Places(
        # The copy kept with the incident: what runs is what was reviewed, whatever happens to the estate's folder.
        playbooks=(state_dir / "content" / content.digest / "plans" / "playbooks").absolute(),
        runs=state_dir / "runs",
        key=state_dir / "secrets" / "ssh_key",
        known_hosts=state_dir / "secrets" / "management_hosts",
    )
    inspection = content.restart.inspection
    sweep = Sweep(root=inspection.root, paths=inspection.paths, markers=inspection.markers)
    blobs = Blobs(state_dir / "evidence")
    limits = Limits(command_s=max((one.limit_s.inspect for one in content.classes), default=60))
    inspector = InspectionWorker(places.key, blobs.put, sweep=sweep, limits=limits)
    dispatcher = Dispatcher(places, AnsibleWorker(), inspector)
    hands = LiveHands(dispatcher, Watch(state, Prober()))
    engine = Engine(state_dir, state, hands, clock)

    def prepare() -> tuple[Journal, list[Event]]:
        journal = _open_journal(state_dir / "journal.sqlite")
        with ExitStack() as undo:
            undo.callback(journal.close)
            if journal.head.size:
                refuse_other_content(journal, content.digest)
            keep_content(estate_dir, state_dir, content.digest)
            if journal.head.size == 0:
                events: list[Event] = [Opened(FORMAT, __version__, _new_incident(), content.digest)]
            else:
                events = recover(journal, state, dispatcher, places.runs)
            undo.pop_all()
        return journal, [*events, Started(__version__)]

    with ExitStack() as undo:
        undo.callback(hands.close)
        engine.start(prepare)
        undo.pop_all()
    return Live(engine, hands)


def lay_out(state_dir: Path) -> None:
    """Makes the folders of a state folder, 0700. Raises Unusable when the disk refuses."""
    try:
        for folder in (state_dir, *(state_dir / name for name in ("runs", "evidence", "content", "secrets"))):
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


def _new_incident() -> str:
    return os.urandom(8).hex()


def refuse_other_content(journal: Journal, digest: str) -> None:
    """Compares the estate's content with the one the incident was opened with."""
    record = next(journal.records(1))
    first = codec.decode(record.kind, record.body)
    if not isinstance(first, Opened) or first.format != FORMAT:
        raise Unusable(f"This journal is of another format than {FORMAT}, the one this version of Relance writes.")
    if first.content != digest:
        raise Refused(
            "The content of the estate is not the one this incident was opened with; put it back as it was.",
            rule="content.digest",
            journal=first.content,
            estate=digest,
        )


def keep_content(estate_dir: Path, state_dir: Path, digest: str) -> None:
    """Keeps a copy of the content beside the journal, by its digest; on disk before the record that names it."""
    target = state_dir / "content" / digest
    if target.exists():
        return
    part = target.with_suffix(".part")
    if part.exists():  # an earlier start died here
        shutil.rmtree(part)
    for folder in FOLDERS:
        for source in (estate_dir / folder, *sorted((estate_dir / folder).rglob("*"))):
            _copy(source, part / source.relative_to(estate_dir))
    for path in (part, *part.rglob("*")):
        if path.is_dir():
            sync_folder(path)
    part.rename(target)
    sync_folder(target.parent)


def _copy(source: Path, target: Path) -> None:
    """One file or folder with what it says and none of its modes."""
    if source.is_dir():
        target.mkdir(parents=True)
    elif source.is_file():
        with target.open("xb") as file:
            file.write(source.read_bytes())
            file.flush()
            os.fsync(file.fileno())
