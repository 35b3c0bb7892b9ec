"""Keeps the anchor beside the journal: the SHA-256 of the genesis order, where every release check begins.

It is written before the genesis takes effect, and never afterwards: who can rewrite the journal and this file too is
still found by the digest that its signers noted on paper.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from orchestrator.journal.disk import refused_by_disk, sync_folder

NAME = "anchor"


def digest_of(genesis: bytes) -> str:
    """The anchor of an incident whose genesis order is this very text."""
    return sha256(genesis).hexdigest()


def write(state_dir: Path, genesis: bytes) -> None:
    """Puts the anchor of this genesis in place, durably; it replaces that of one which never took effect.

    Raises Unusable when the disk refuses.
    """
    part = state_dir / f"{NAME}.part"
    try:
        part.unlink(missing_ok=True)  # of a process that was killed
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(digest_of(genesis) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.rename(state_dir / NAME)
        sync_folder(state_dir)
    except OSError as error:
        raise refused_by_disk(error, part) from error


def read(state_dir: Path) -> str:
    """The anchor; empty where there is none that can be read."""
    try:
        return (state_dir / NAME).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
