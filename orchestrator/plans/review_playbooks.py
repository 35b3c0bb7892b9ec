"""Finds playbooks that are missing or lack what they must have, code in content, and secrets that others can read.

Never runs or renders a playbook: it reads what is written.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from orchestrator.inventory.documents import read_document
from orchestrator.inventory.sources import Finding, Place, Sources, content_files, finding, nearest
from orchestrator.plans.model import HostClass, Playbooks
from orchestrator.plans.report import Report

BOOKS = "plans/playbooks"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*\.ya?ml")
_MARKS = (
    (re.compile(r"mark[ _-]begin"), "sets no mark at its beginning (`mark begin`)"),
    (re.compile(r"mark[ _-]end"), "sets no mark at its end (`mark end`)"),
)
_ROTATION = (re.compile(r"rotate"), "does not rotate the local administrator secret (`rotate`)")
_LOOKUP = re.compile(
    r"""(?<![\w-])(?:lookup|query|q)\s*\(\s*(?:(['"])(?P<name>[\w.]+)\1\s*[,)])?|\bwith_(?P<loop>[\w.]+)['"]?\s*:"""
)
_RUN_COMMANDS = {"pipe", "lines"}
_KEY = b"PRIVATE KEY-----"
_CODE_SUFFIXES = {".py", ".pyc", ".pyo", ".so", ".pyd", ".whl", ".egg"}
_SCAN_BYTES_MAX = 4 << 20


def review_playbooks(report: Report, estate: Path) -> None:
    """Each playbook a class with hosts may run is there, can be read, and has its marks and its rotation."""
    books = _Books(estate)
    used = {host.klass for host in report.content.inventory.hosts}
    told: set[str] = set()
    for klass in report.content.classes:
        for field in _runs(klass) if klass.id in used else ():
            for lack in books.lacks(getattr(klass.playbooks, field), field, klass.os):
                if lack not in told:
                    told.add(lack)
                    report.error(("class", klass.id, "playbooks", field), lack)
    report.findings.extend(books.sources.findings)


def review_files(estate: Path, state: Path | None = None) -> Iterator[Finding]:
    """Code, links and private keys in content, and secrets (also those of a state folder) that others can read."""
    if (estate / "ansible.cfg").exists():
        yield finding("error", Place("ansible.cfg"), "An `ansible.cfg` may load code; Relance brings its own settings.")
    for relative in content_files(estate):
        path = estate / relative
        if path.is_symlink():
            yield finding("error", Place(relative), "This is a link; content holds plain files.")
        elif reason := _code(relative):
            yield finding("error", Place(relative), reason)
        else:
            yield from _scan(relative, path)
    for secrets in (estate / "secrets", (state or estate / ".relance") / "secrets"):
        yield from _review_modes(estate, secrets)


def _runs(klass: HostClass) -> list[str]:
    """The fields of `playbooks` whose playbooks this class runs; replacing runs what reimaging runs."""
    fields = ["preserve", "reconnect", "isolate"]
    if "restore" in klass.strategies:
        fields.append("restore")
    if {"reimage", "replace"} & set(klass.strategies):
        fields.append("reimage")
    return fields


class _Books:
    """The playbooks that are used, and what they name, each read once; `sources` collects what cannot be read."""

    def __init__(self, estate: Path) -> None:
        self.sources = Sources(estate)
        self._folder = estate / BOOKS
        self._values: dict[Path, object] = {}

    def lacks(self, name: str, field: str, system: str) -> Iterator[str]:
        """What the plays for hosts of one operating system must have and have not."""
        book = f"The playbook {BOOKS}/{name}"
        if not _NAME.fullmatch(name):
            yield f"`{name}` is no playbook: it must be a file name in {BOOKS}."
        elif not (self._folder / name).exists():
            # The other usual playbooks are nobody's typing error.
            others = {path.stem for path in self._folder.glob("*.y*ml")} - Playbooks.model_fields.keys()
            yield f"{book} is missing{nearest(Path(name).stem, others)}"
        elif isinstance(plays := self._value(self._folder / name, "plays"), list):
            here = [play for play in plays if _is_for(play, system)]
            said = "\n".join(self._said(self._folder / name, play, set()) for play in here)
            if not here:
                yield f"{book} has no play for {system} hosts (`hosts: {system}`)."
            # Network steps set no mark: a lost one is settled by reading the gate.
            needed = {"reconnect": (), "isolate": (), "preserve": _MARKS}.get(field, (*_MARKS, _ROTATION))
            for pattern, lack in needed if here else ():
                if not pattern.search(said):
                    yield f"{book} {lack} on {system} hosts."

    def _value(self, path: Path, holds: str = "") -> object:
        """What a file says, once complained about if it is malformed, empty or no list of what it `holds`."""
        if path not in self._values:
            relative = path.relative_to(self.sources.estate).as_posix()
            document = read_document(self.sources, relative)
            self._values[path] = None if document is None else document.value
            if document is not None and not document.value:
                self.sources.complain(Place(relative), "This file says nothing.")
            elif document is not None and holds and not _is_list_of_groups(document.value):
                self.sources.complain(document.place(()), f"This must be a list of {holds}.")
        return self._values[path]

    def _said(self, file: Path, value: object, seen: set[Path]) -> str:
        """All words of a part of a file, and of every role and task file it names; comments are no words."""
        text = "\n".join(_words(value))
        named = set(re.findall(r"[A-Za-z0-9_.-]+", text))
        found = {role for role in self._folder.glob("roles/*/*/*.y*ml") if role.parts[-3] in named}
        found |= {one for base in (self._folder, file.parent) for one in base.glob("*.y*ml") if one.name in named}
        fresh = sorted(found - seen - {file})
        seen.update(fresh)
        tasks = {one: "tasks" if one.parent.name in ("tasks", "handlers") else "" for one in fresh}
        return "\n".join([text, *(self._said(one, self._value(one, holds), seen) for one, holds in tasks.items())])


def _words(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        return [word for pair in value.items() for each in pair for word in _words(each)]
    if isinstance(value, list):
        return [word for each in value for word in _words(each)]
    return [str(value)]


def _is_list_of_groups(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _is_for(play: object, system: str) -> bool:
    """Whether a play runs on hosts of an operating system; one that is imported is taken to."""
    if not isinstance(play, dict) or "hosts" not in play:
        return isinstance(play, dict) and bool({"import_playbook", "ansible.builtin.import_playbook"} & play.keys())
    return not {system, "all"}.isdisjoint(re.findall(r"[\w-]+", " ".join(_words(play["hosts"]))))


def _code(relative: str) -> str:
    path = Path(relative)
    if path.suffix in _CODE_SUFFIXES:
        return "This is code; content holds none."
    if path.name == "ansible.cfg":
        return "An `ansible.cfg` may load code; Relance brings its own settings."
    for part in path.parts[:-1]:
        if part in ("library", "module_utils") or part.endswith("_plugins"):
            return f"Ansible would load code from the folder `{part}`; content holds none."
    return ""


def _scan(relative: str, path: Path) -> Iterator[Finding]:
    data = b""
    with suppress(OSError):  # the reader of content has said so already
        if path.is_file() and path.stat().st_size <= _SCAN_BYTES_MAX:
            data = path.read_bytes()
    if (at := data.find(_KEY)) >= 0:
        message = "This is a private key; it belongs in `secrets/` of the state folder, never in content."
        yield finding("error", Place(relative, data.count(b"\n", 0, at) + 1), message)
    text = data.decode("utf-8", "replace") if relative.startswith(BOOKS) else ""
    for found in _LOOKUP.finditer(text):
        place = Place(relative, text.count("\n", 0, found.start()) + 1)
        name = (found["name"] or found["loop"] or "").rpartition(".")[2]
        if name in _RUN_COMMANDS:
            yield finding("error", place, f"A `{name}` lookup runs a command on this machine; content runs none.")
        elif not name:
            yield finding("error", place, "Write the name of this lookup out in quotes: no name may hide a command.")


def _review_modes(estate: Path, secrets: Path) -> Iterator[Finding]:
    try:
        found = (secrets, *sorted(secrets.rglob("*"))) if secrets.is_dir() else ()
        modes = [(path, path.is_dir(), path.lstat()) for path in found]
    except OSError as error:
        place = Place(os.path.relpath(secrets, estate))
        yield finding("warning", place, f"Nobody knows who can reach these secrets: {error.strerror}.")
        return
    for path, is_dir, status in modes:
        wanted, mode = 0o700 if is_dir else 0o600, stat.S_IMODE(status.st_mode)
        # The public half of a key pair is no secret.
        if path.suffix != ".pub" and not stat.S_ISLNK(status.st_mode) and mode & ~wanted:
            place = Place(os.path.relpath(path, estate))
            yield finding("error", place, f"Others can reach this secret: its mode is {mode:04o}, not {wanted:04o}.")
