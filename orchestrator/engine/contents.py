"""Keeps every content an incident ever ran on beside its journal, by digest, and reads it back for a replay.

Never reviews content and never puts any in force: an order does, in the core.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from orchestrator.decision import codec
from orchestrator.decision.decide import Entry
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Opened, Ordered
from orchestrator.decision.state import State
from orchestrator.errors import Unusable
from orchestrator.inventory.sources import FOLDERS
from orchestrator.journal.disk import sync_folder
from orchestrator.journal.record import Record
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.files import usable
from orchestrator.plans.model import Content
from orchestrator.plans.review import without
from orchestrator.plans.waves import derive

FORMAT = 1
FOLDER = "content"


def opening(state_dir: Path) -> Opened | None:
    """How the incident of a state folder was opened; None before its first record. Raises Unusable."""
    path = state_dir / "journal.sqlite"
    if not path.exists():
        return None
    with Journal.open(path, read_only=True) as journal:
        first = next(journal.records(1), None)
    if first is None:
        return None
    opened = codec.decode(first.kind, first.body)
    if not isinstance(opened, Opened):
        raise Unusable(f"The first record of the journal is {first.kind}, not the opening of an incident.")
    if opened.format != FORMAT:
        raise Unusable(f"This journal is of format {opened.format}; this version of Relance reads and writes {FORMAT}.")
    return opened


def keep(estate_dir: Path, state_dir: Path, digest: str) -> Path:
    """Keeps a copy of an estate's content under its digest, on disk before a record names it; where it lies."""
    target = state_dir / FOLDER / digest
    if target.exists():
        return target
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
    return target


def kept(state_dir: Path, digest: str, blocked: Iterable[str]) -> Content:
    """The content kept under a digest, without the hosts that errors had blocked. Raises Unusable."""
    folder = state_dir / FOLDER / digest
    if not folder.is_dir():
        raise Unusable(f"The content of the incident is missing: {folder}. Take it from a backup.", path=str(folder))
    content = usable(folder)
    if content.digest != digest:
        raise Unusable(f"The content kept in {folder} was changed. Take it from a backup.", path=str(folder))
    return without(content, blocked)


def first_state(state_dir: Path) -> State:
    """The core before the first record of a state folder. Raises Unusable where no incident was opened."""
    opened = opening(state_dir)
    if opened is None:
        raise Unusable("The journal is empty: no incident was opened yet.")
    content = kept(state_dir, opened.content, opened.blocked)
    return State(Estate(content, derive(content)))


def read(record: Record, state: State, state_dir: Path) -> Entry:
    """What a record says; the core is handed the content that it puts in force, before it reads it."""
    entry = codec.decode(record.kind, record.body)
    if isinstance(entry, Ordered) and entry.kind == "content.change":
        digest = str(entry.args["digest"])
        state.contents[digest] = kept(state_dir, digest, cast("list[str]", entry.args["blocked"]))
    return entry


def _copy(source: Path, target: Path) -> None:
    """One file or folder with what it says and none of its modes."""
    if source.is_dir():
        target.mkdir(parents=True)
    elif source.is_file():
        with target.open("xb") as file:
            file.write(source.read_bytes())
            file.flush()
            os.fsync(file.fileno())
