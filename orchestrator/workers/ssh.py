"""The worker that inspects: looks over one host through SSH and keeps what it saw as one evidence document.

Never writes on the host, never concludes anything: a marker found is a fact, the verdict is an analyst's. One script
over one channel per host; the script's own output is evidence of what the host says, and no more than that.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.errors import RelanceError
from orchestrator.workers.base import Outcome, Request
from orchestrator.workers.connection import Key, Limits, Mistrusted, Overran, Peer, Reply, Unreached, ask, load_key
from orchestrator.workers.threads import Threads

_MARKERS_MAX = 200
_SECTION_BYTES_MAX = 1 << 20
_LISTS = ("sockets", "accounts", "jobs")


@dataclass(frozen=True, slots=True)
class Sweep:
    """What an inspection looks at. `paths` are read below `root`; `markers` are file name patterns of ransomware."""

    root: str = "/"
    paths: tuple[str, ...] = ("etc", "usr/local", "home", "root", "opt", "srv", "var/spool/cron", "boot")
    markers: tuple[str, ...] = ("RANSOM_NOTE.txt", "*.locked", "implant")
    files_max: int = 20_000
    sockets: str = "ss -H -tuln"
    accounts: str = "cat etc/passwd"
    jobs: str = "cat etc/crontab; cat etc/cron.*/* var/spool/cron/crontabs/* 2>/dev/null; true"

    def script(self, token: str) -> str:
        """The shell script of one look; `token` opens each section, so that no file's content can."""
        paths = " ".join(shlex.quote(path) for path in self.paths)
        names = " -o ".join(f"-name {shlex.quote(pattern)}" for pattern in self.markers)
        find = f"find {paths} -xdev"
        sections = [
            f"cd {shlex.quote(self.root)} || exit 70",
            f"echo {token} markers; {find} \\( {names} \\) -print0 2>/dev/null | head -z -n {_MARKERS_MAX}",
            f"echo {token} files; {find} -type f -print0 | head -z -n {self.files_max + 1}"
            " | xargs -0 -r sha256sum -z --",
        ]
        for name in _LISTS:
            command = f"( {getattr(self, name)} ) || echo {token} failed"
            sections.append(f"echo {token} {name}; {{ {command}; }} | head -c {_SECTION_BYTES_MAX}")
        return "\n".join((*sections, f"echo {token} end"))


@dataclass(frozen=True, slots=True)
class Evidence:
    """One look at one host: the canonical document, and what is told with its digest."""

    document: bytes
    marker: bool
    files: int
    not_examined: tuple[str, ...]


def look(request: Request, key: Key, sweep: Sweep, limits: Limits) -> Evidence:
    """Inspect one host. Raises Unreached (Mistrusted, Overran) with a sentence, nothing else."""
    token = f"--{secrets.token_hex(8)}"
    peer = Peer(request.address, request.port, request.user, request.host_key)
    reply = ask(peer, key, sweep.script(token), limits)
    if reply.status not in (0, -1):
        raise Mistrusted(f"{request.host} does not run the inspection: {reply.errors.strip()[-200:]}")
    return evidence(request, sweep, reply, token)


def evidence(request: Request, sweep: Sweep, reply: Reply, token: str) -> Evidence:
    """The document of what the script printed; what is missing from it stands under `not_examined`."""
    sections = _sections(reply.output, token)
    markers = sorted(_text(name) for name in sections.get("markers", b"").split(b"\0") if name.strip())
    files = _files(sections.get("files", b""))
    missing = list(_missing(sections, sweep, reply, len(files)))
    files = files[: sweep.files_max]
    markers += [path for path, _ in files if path not in markers and _is_marker(path, sweep.markers)]
    document: dict[str, Json] = {
        "version": 1,
        "action": request.action,
        "host": request.host,
        "host_key": request.host_key,
        "files": [[path, digest] for path, digest in files],
        "markers": list(markers),
        "not_examined": list(missing),
    }
    for name in _LISTS:
        document[name] = [*sorted(_text(line) for line in sections.get(name, b"").splitlines() if line.strip())]
    return Evidence(canonical.encode(document), bool(markers), len(files), tuple(missing))


class InspectionWorker:
    """Implements `Worker` with a few threads. `keep` stores the evidence and returns its SHA-256 in hex.

    `sweep` is what the next inspections look at.

    An inspection only reads: one that is cut off by the engine's end is simply issued again.
    """

    def __init__(
        self, key: Path, keep: Callable[[bytes], str], *, sweep: Sweep | None = None, limits: Limits | None = None
    ) -> None:
        self._key_path = key
        self._keep = keep
        self.sweep = sweep or Sweep()
        self._limits = limits or Limits()
        self._pool: Threads[Outcome] = Threads(8, "inspect")
        self._waiting: dict[str, Future[Outcome]] = {}

    def submit(self, run_dir: Path, requests: Sequence[Request]) -> None:
        """Queue the hosts; the run folder is not needed."""
        for request in requests:
            self._waiting[request.action] = self._pool.submit(partial(self._inspect, request))

    def cancel(self, action: str) -> None:
        """Stop an inspection that waits for a thread."""
        if action in self._waiting:
            self._waiting[action].cancel()

    def poll(self) -> list[Outcome]:
        """The inspections that ended since the last call."""
        ended = [action for action, future in self._waiting.items() if future.done()]
        return [_outcome(action, self._waiting.pop(action)) for action in ended]

    def waiting(self) -> int:
        """How many inspections have not been told."""
        return len(self._waiting)

    def close(self) -> None:
        """Begin no more; what runs is broken off when the process ends."""
        self._pool.close()

    def _inspect(self, request: Request) -> Outcome:
        try:
            limits = replace(self._limits, command_s=request.limit_s)
            seen = look(request, load_key(self._key_path), self.sweep, limits)
            digest = self._keep(seen.document)
        except (Mistrusted, Overran) as error:
            return _failed(request, error)
        except Unreached as error:
            return Outcome(request.action, "unreachable", error.sentence)
        except RelanceError as error:
            return _failed(request, error)
        facts: dict[str, Json] = {
            "evidence": digest,
            "marker": seen.marker,
            "files": seen.files,
            "not_examined": list(seen.not_examined),
        }
        return Outcome(request.action, "ok", "", facts)


def _failed(request: Request, error: RelanceError) -> Outcome:
    facts: dict[str, Json] = {name: str(value) for name, value in error.facts.items()}
    return Outcome(request.action, "failed", error.sentence, facts)


def _outcome(action: str, future: Future[Outcome]) -> Outcome:
    if future.cancelled():
        return Outcome(action, "cancelled", "It was cancelled before it began.")
    error = future.exception()
    if error is not None:  # this worker's own fault
        return Outcome(action, "failed", f"The inspection broke: {type(error).__name__}: {error}.")
    return future.result()


def _sections(output: bytes, token: str) -> dict[str, bytes]:
    """The text behind each section's opening, by name."""
    found: dict[str, bytes] = {}
    for part in output.split(f"{token} ".encode())[1:]:
        name, _, text = part.partition(b"\n")
        found[name.decode("ascii", "replace")] = text
    return found


def _files(text: bytes) -> list[tuple[str, str]]:
    """Paths and digests from `sha256sum -z`, in order of path."""
    lines = (line for line in text.split(b"\0") if line.strip())
    return sorted((_text(line[66:]), line[:64].decode("ascii", "replace")) for line in lines)


def _missing(sections: dict[str, bytes], sweep: Sweep, reply: Reply, files: int) -> Iterable[str]:
    if reply.cut or "end" not in sections:
        yield "everything after the output's limit"
    if files > sweep.files_max:
        yield f"files beyond the first {sweep.files_max}"
    if "failed" in sections:
        yield "a list whose command failed"
    yield from (line[:200] for line in reply.errors.splitlines()[:20])


def _is_marker(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(PurePosixPath(path).name, pattern) for pattern in patterns)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
