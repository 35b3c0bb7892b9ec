"""Backs a live process's state folder up by itself: a new dated folder each time, of which the newest four are kept.

Never stops the process, and deletes nothing but backups of its own incident that have the very form of its names.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.engine.loop import Engine
from orchestrator.errors import RelanceError, Unusable
from orchestrator.interfaces.output import progress
from orchestrator.journal.backup import backup

EVERY_S = 900.0
KEPT = 4


@contextmanager
def backing_up(engine: Engine, folder: Path | None, every_s: float = EVERY_S) -> Iterator[None]:
    """Until the block ends, if there is a folder; what came of the last one stands in the engine's `backup`."""
    ending = threading.Event()
    if folder is not None:
        threading.Thread(target=_repeat, args=(engine, folder, every_s, ending), name="backup", daemon=True).start()
    try:
        yield
    finally:
        ending.set()


def _repeat(engine: Engine, folder: Path, every_s: float, ending: threading.Event) -> None:
    while not ending.is_set():
        try:
            engine.backup = _made(engine, folder)
        except (RelanceError, OSError) as error:
            engine.backup = f"The last backup failed: {error}"
            progress(engine.backup)
        ending.wait(every_s)


def _made(engine: Engine, folder: Path) -> str:
    if not folder.is_dir():  # else it would be made, on the wrong disk
        raise Unusable(f"{folder} is not there; is its disk mounted?")
    stem = f"relance-{engine.incident}-"
    done = backup(engine.state_dir, folder / f"{stem}{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    form = re.compile(rf"{re.escape(stem)}\d{{8}}T\d{{6}}Z")
    for old in sorted(path for path in folder.iterdir() if form.fullmatch(path.name))[:-KEPT]:
        shutil.rmtree(old)
    for part in folder.glob(f"{stem}*Z.part"):  # of a process that ended while it backed up
        shutil.rmtree(part)
    return done.sentence
