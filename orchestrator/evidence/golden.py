"""The golden manifest of each class of hosts: which one counts now, kept by digest beside the journal.

Never decides that a host is good enough to be one (`interfaces` asks for its verdicts), and never forgets an earlier
one: evidence names the golden manifest it differs from.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from orchestrator.errors import Unusable
from orchestrator.evidence import manifest
from orchestrator.evidence.manifest import Lines
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.disk import refused_by_disk, sync_folder

NAME = "golden.json"


class Golden:
    """Reads `golden.json` (class -> digest) of a state folder; holds the manifests it was asked for."""

    def __init__(self, state_dir: Path, blobs: Blobs) -> None:
        self._path = state_dir / NAME
        self._blobs = blobs
        self._lines: dict[str, Lines] = {}

    def digests(self) -> dict[str, str]:
        """The golden manifest of each class that has one. Raises Unusable for a file that cannot be read."""
        try:
            found = json.loads(self._path.read_bytes())
            return {str(klass): str(digest) for klass, digest in found.items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise refused_by_disk(error, self._path) from error
        except (ValueError, AttributeError) as error:
            raise Unusable(f"{self._path} is damaged; take it from a backup.", path=str(self._path)) from error

    def lines(self, digest: str) -> Lines:
        """The manifest of this digest."""
        if digest not in self._lines:
            self._lines[digest] = manifest.from_bytes(self._blobs.get(digest))
        return self._lines[digest]

    def take(self, klass: str, lines: Lines) -> str:
        """Makes these lines the golden manifest of a class, for the inspections from now on; its digest."""
        digest = self._blobs.put(manifest.to_bytes(lines))
        new = self._path.with_suffix(".new")
        content = json.dumps({**self.digests(), klass: digest}, indent=2, sort_keys=True).encode()
        try:
            fd = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(fd)
            new.rename(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise refused_by_disk(error, self._path) from error
        return digest
