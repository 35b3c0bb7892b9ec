"""The worker that inspects: looks over one host through SSH and keeps what it saw as one evidence document.

Never writes on the host, never concludes anything: a marker found is a fact, the verdict is an analyst's. One script
over one channel per host; the script's own output is evidence of what the host says, and no more than that.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from orchestrator.canonical import Json
from orchestrator.errors import RelanceError
from orchestrator.evidence import manifest
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import PATH_AT, Difference, Lines, text_of
from orchestrator.workers import script, windows
from orchestrator.workers.base import Outcome, Request
from orchestrator.workers.checkin import Arrivals, Arrived
from orchestrator.workers.connection import (
    Key,
    Limits,
    Mistrusted,
    Overran,
    Peer,
    Question,
    Reply,
    Unreached,
    ask,
    load_key,
)
from orchestrator.workers.script import RUNNING, Sweep
from orchestrator.workers.threads import Threads

DIFFERENCE_MAX = 10_000
COMM_CHARS = 15
CHECK_IN = "relance check-in"
SELF_TOLD = ("whether it is that host: it was told by its token and serial, not by its host key",)
_LIMITS = Limits(output_max=1 << 26)
# Where what starts by itself stands: of files that differ, these are fetched first.
_STARTS = re.compile(
    rb"/(cron[^/]*|systemd|init\.d|profile[^/]*|\.ssh|\.[a-z_]*(rc|profile)|rc\.local|ld\.so\.preload"
    rb"|[Ss]tart[Uu]p|Tasks|GroupPolicy|SYSVOL)(/|$)"
)


class Goldens(Protocol):
    """What the worker needs of `evidence.golden`."""

    def digests(self) -> Mapping[str, str]:
        """The golden manifest of each class that has one."""
        ...

    def lines(self, digest: str) -> Lines:
        """The manifest of this digest."""
        ...


class NoGoldens:
    """No class has a golden manifest: every file counts as unknown."""

    def digests(self) -> Mapping[str, str]:
        """None."""
        return {}

    def lines(self, digest: str) -> Lines:
        """Never asked."""
        raise KeyError(digest)


@dataclass(slots=True)
class Look:
    """One host being looked at: what is known of it before, and what its listing of files turns out to be."""

    request: Request
    sweep: Sweep
    token: str
    golden: str = ""
    known: Lines = frozenset()
    files: Lines = frozenset()
    differs: Difference = field(default_factory=lambda: Difference((), (), ()))
    wanted: tuple[bytes, ...] = ()
    not_wanted: int = 0

    def answer(self, output: bytes) -> bytes:
        """Which files the host is to send: those that differ, what starts by itself first."""
        listed = _section(output, f"{self.token} files\n".encode(), f"{self.token} wanted\n".encode())
        self.files = manifest.lines_of(listed)
        self.differs = manifest.difference(self.files, self.known)
        lines = [line for line in (*self.differs.unknown, *self.differs.changed) if b"\n" not in line]
        marks = _marks(self.sweep.markers)
        lines.sort(
            key=lambda line: (not marks.search(line, PATH_AT), not _STARTS.search(line, PATH_AT), line[PATH_AT:])
        )
        self.wanted = tuple(lines[: script.SAMPLES_MAX])
        self.not_wanted = len(self.differs.unknown) + len(self.differs.changed) - len(self.wanted)
        return b"".join(line[PATH_AT:] + b"\n" for line in self.wanted)


def checked_in(request: Request, arrived: Arrived, sweep: Sweep, goldens: Goldens) -> tuple[Look, Reply]:
    """What the host's own script posted, in the place of an answer; a check-in sends no file."""
    one = _begun(request, sweep, goldens, arrived.mark)
    one.answer(arrived.body)
    one.wanted, one.not_wanted = (), 0
    errors = _of(_sections(arrived.body, arrived.mark), "errors").decode("utf-8", "replace")
    return one, Reply(0, arrived.body, errors, cut=False)


def _begun(request: Request, sweep: Sweep, goldens: Goldens, token: str) -> Look:
    golden = goldens.digests().get(request.klass, "")
    known = goldens.lines(golden) if golden else frozenset()
    wanted = windows.on_windows(sweep) if request.os == "windows" else sweep
    return Look(request, wanted, token, golden, known)


def look(request: Request, key: Key, sweep: Sweep, limits: Limits, goldens: Goldens) -> tuple[Look, Reply]:
    """Ask one host. Raises Unreached (Mistrusted, Overran) with a sentence, or what the golden manifest refuses."""
    one = _begun(request, sweep, goldens, f"--{secrets.token_hex(8)}")
    peer = Peer(request.address, request.port, request.user, request.host_key)
    question = Question(f"{one.token} wanted\n".encode(), one.answer)
    if request.os == "windows":
        reply = windows.look(peer, key, one.sweep, limits, question)
    else:
        reply = ask(peer, key, sweep.script(one.token), limits, question)
    if reply.status not in (0, -1):
        raise Mistrusted(f"{request.host} does not run the inspection: {reply.errors.strip()[-200:]}")
    return one, reply


def evidence(one: Look, reply: Reply, keep: Callable[[bytes], str]) -> Evidence:
    """The document of what the script printed; what is missing from it stands under `not_examined`."""
    request, sweep = one.request, one.sweep
    sections = _sections(reply.output, one.token)
    if not one.files:  # it was cut off before it asked
        one.answer(reply.output)
    markers = {text_of(name) for name in _of(sections, "markers").split(b"\0") if name}
    lists = {name: _lines(_of(sections, name)) for name in sweep.lists}
    samples, lost = _samples([text for name, text in sections if name == "sample"], one.wanted, keep)
    edr = sweep.edr.get(request.klass, "")
    processes_read = "processes" in sweep.lists and ("failed processes", b"") not in sections
    whole = not one.golden or len(one.differs) > DIFFERENCE_MAX
    return Evidence(
        action=request.action,
        host=request.host,
        klass=request.klass,
        strategy=request.strategy,
        host_key=request.host_key,
        files=len(one.files),
        golden="" if whole else one.golden,
        manifest=keep(manifest.to_bytes(one.files)) if whole else "",
        differs=Difference((), (), ()) if whole else one.differs,
        markers=tuple(sorted(markers)),
        samples=tuple(samples),
        lists=lists,
        edr=edr,
        edr_running=_process(request, edr) in lists["processes"] if edr and processes_read else None,
        restore_point_us=request.restore_point_us,
        t0_us=request.before_us,
        not_examined=tuple(_missing(one, sections, reply, lost)),
    )


class InspectionWorker:
    """Implements `Worker` with a few threads. `keep` stores bytes and returns their SHA-256 in hex.

    `sweep` is what the next inspections look at; `goldens` the manifests they are compared with. A host of which
    `arrivals` holds a check-in is not dialled.

    An inspection only reads: one that is cut off by the engine's end is simply issued again.
    """

    def __init__(
        self,
        key: Path,
        keep: Callable[[bytes], str],
        *,
        sweep: Sweep | None = None,
        limits: Limits = _LIMITS,
        goldens: Goldens | None = None,
        arrivals: Arrivals | None = None,
    ) -> None:
        self._key_path = key
        self._keep = keep
        self.sweep = sweep or Sweep()
        self._limits = limits
        self._goldens = goldens or NoGoldens()
        self._arrivals = arrivals
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
            arrived = self._arrivals.take(request.host, request.standing) if self._arrivals else None
            seen = self._posted(request, arrived) if arrived else self._asked(request)
            digest = self._keep(seen.to_bytes())
        except (Mistrusted, Overran) as error:
            return _failed(request, error)
        except Unreached as error:
            return Outcome(request.action, "unreachable", error.sentence)
        except RelanceError as error:
            return _failed(request, error)
        facts: dict[str, Json] = {
            "evidence": digest,
            "taken": seen.taken,
            "marker": bool(seen.markers),
            "files": seen.files,
            "not_examined": list(seen.not_examined),
            **({"checkin": arrived.token} if arrived else {}),
        }
        return Outcome(request.action, "ok", "", facts)

    def _asked(self, request: Request) -> Evidence:
        limits = replace(self._limits, command_s=request.limit_s)
        return evidence(*look(request, load_key(self._key_path), self.sweep, limits, self._goldens), self._keep)

    def _posted(self, request: Request, arrived: Arrived) -> Evidence:
        seen = evidence(*checked_in(request, arrived, self.sweep, self._goldens), self._keep)
        unsent = len(seen.differs.unknown) + len(seen.differs.changed) if seen.golden else seen.files
        return replace(
            seen,
            tool=CHECK_IN,
            not_examined=(*seen.not_examined, f"the content of {unsent} files: a check-in sends none", *SELF_TOLD),
        )


def _process(request: Request, name: str) -> str:
    """As the host's list of processes writes it: a Linux kernel keeps 15 characters."""
    return name if request.os == "windows" else name[:COMM_CHARS]


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


def _section(output: bytes, opening: bytes, closing: bytes) -> bytes:
    _, _, rest = output.partition(opening)
    return rest.partition(closing)[0]


def _sections(output: bytes, token: str) -> list[tuple[str, bytes]]:
    """Name and text of each section, as they came."""
    parts = (part.partition(b"\n") for part in output.split(f"{token} ".encode())[1:])
    return [(name.decode("ascii", "replace"), text) for name, _, text in parts]


def _of(sections: Iterable[tuple[str, bytes]], name: str) -> bytes:
    return next((text for found, text in sections if found == name), b"")


def _lines(text: bytes) -> tuple[str, ...]:
    return tuple(sorted({line.decode("utf-8", "backslashreplace") for line in text.splitlines() if line.strip()}))


def _samples(
    sent: Iterable[bytes], wanted: Iterable[bytes], keep: Callable[[bytes], str]
) -> tuple[list[tuple[str, str]], int]:
    """The files that arrived as they were listed, kept; and how many did not."""
    expected: dict[str, list[str]] = {}
    for line in wanted:
        expected.setdefault(line[:64].decode("ascii"), []).append(text_of(line[PATH_AT:]))
    kept: list[tuple[str, str]] = []
    for content in sent:
        digest = sha256(content).hexdigest()
        paths = expected.pop(digest, None)
        if paths is not None:
            keep(content)
            kept += [(path, digest) for path in paths]
    return sorted(kept), sum(map(len, expected.values()))


def _missing(one: Look, sections: list[tuple[str, bytes]], reply: Reply, lost: int) -> Iterable[str]:
    names = {name for name, _ in sections}
    sweep, request = one.sweep, one.request
    if reply.cut or "end" not in names:
        yield "everything after the output's limit"
    if len(one.files) > sweep.files_max:
        yield f"files beyond the first {len(one.files)}"
    unasked = [name for name in RUNNING if name not in sweep.lists]
    if unasked:
        yield f"{', '.join(unasked)}: below {sweep.root} they are not the host's own"
    yield from (f"{name}: its command failed" for name in sweep.lists if f"failed {name}" in names)
    for name in sweep.lists:
        if len(_of(sections, name)) >= script.LIST_BYTES_MAX:
            yield f"{name} beyond the first {script.LIST_BYTES_MAX} bytes"
    if one.not_wanted:
        yield f"the content of {one.not_wanted} differing files beyond the first {script.SAMPLES_MAX}"
    if lost:
        yield f"the content of {lost} differing files: over {script.SAMPLE_BYTES_MAX} bytes, or changed while read"
    if not sweep.edr.get(request.klass):
        yield "EDR: the class names no process"
    if request.os == "windows":
        yield f"files on other drives, and outside {', '.join(sweep.paths)}"
        yield "names written with other capitals: Windows takes them for the same, indicators of names do not"
    if request.strategy == "declared":
        yield "what a host that was not wiped hides: it answered for itself"
    errors = reply.errors.splitlines()
    yield from (line[:200] for line in errors[:20])
    if len(errors) > 20:
        yield "more that its commands complained about"


def _marks(patterns: Iterable[str]) -> re.Pattern[bytes]:
    """Fits the paths whose last part fits a pattern."""
    return re.compile(b"(^|/)(" + b"|".join(translate(one).encode() for one in patterns) + b")")
