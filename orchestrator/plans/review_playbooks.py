"""Finds playbooks that are missing or lack what they must have, code in content, and secrets that others can read.

Never runs or renders a playbook: it reads text.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from orchestrator.inventory.sources import Finding, Place, content_files, finding, nearest
from orchestrator.plans.model import HostClass
from orchestrator.plans.report import Report

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*\.ya?ml")
_COMMENT = re.compile(r"(?m)^\s*#.*$")
_MARKS = (
    (re.compile(r"mark[ _-]begin"), "sets no mark at its beginning (`mark begin`)"),
    (re.compile(r"mark[ _-]end"), "sets no mark at its end (`mark end`)"),
)
_ROTATION = (re.compile(r"rotate"), "does not rotate the local administrator secret (`rotate`)")
_PIPE = re.compile(
    r"""(?:lookup|query|\bq)\(\s*['"](?:ansible\.builtin\.)?pipe['"]|with_(?:ansible\.builtin\.)?pipe\s*:"""
)
_KEY = b"PRIVATE KEY-----"
_CODE_SUFFIXES = {".py", ".pyc", ".pyo", ".so", ".pyd", ".whl", ".egg"}
_SCAN_BYTES_MAX = 4 << 20


def review_playbooks(report: Report, estate: Path) -> None:
    """Each playbook a class with hosts may run is there and has its marks and its rotation."""
    folder = estate / "plans" / "playbooks"
    used = {host.klass for host in report.content.inventory.hosts}
    told: set[str] = set()
    for klass in report.content.classes:
        for field in _runs(klass) if klass.id in used else ():
            name = getattr(klass.playbooks, field)
            for lack in _lacks(folder, name, field):
                if lack not in told:
                    told.add(lack)
                    report.error(("class", klass.id, "playbooks", field), lack)


def review_files(estate: Path) -> Iterator[Finding]:
    """Code, links and private keys in content, and secrets that others can read."""
    if (estate / "ansible.cfg").exists():
        yield finding("error", Place("ansible.cfg"), "An `ansible.cfg` may load code; Relance brings its own settings.")
    for relative in content_files(estate):
        path = estate / relative
        if path.is_symlink():
            yield finding("error", Place(relative), "This is a link; content holds plain files.")
        elif reason := _code(relative):
            yield finding("error", Place(relative), reason)
        elif path.is_file() and path.stat().st_size <= _SCAN_BYTES_MAX:
            yield from _scan(relative, path)
    for secrets in (estate / "secrets", estate / ".relance" / "secrets"):
        yield from _review_modes(estate, secrets)


def _runs(klass: HostClass) -> list[str]:
    """The fields of `playbooks` whose playbooks this class runs; replacing runs what reimaging runs."""
    fields = ["preserve", "reconnect", "isolate"]
    if "restore" in klass.strategies:
        fields.append("restore")
    if {"reimage", "replace"} & set(klass.strategies):
        fields.append("reimage")
    return fields


def _lacks(folder: Path, name: str, field: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"`{name}` is no playbook: it must be a file name in plans/playbooks."
        return
    if not (folder / name).is_file():
        known = [path.name for path in folder.glob("*.y*ml")]
        yield f"The playbook plans/playbooks/{name} is missing{nearest(name, known)}"
        return
    # Network steps set no mark: a lost one is settled by reading the gate.
    needed = {"reconnect": (), "isolate": (), "preserve": _MARKS}.get(field, (*_MARKS, _ROTATION))
    text = _text(folder, folder / name, set())
    for pattern, lack in needed:
        if not pattern.search(text):
            yield f"The playbook plans/playbooks/{name} {lack}."


def _text(folder: Path, path: Path, seen: set[Path]) -> str:
    """The text of a playbook and of every role and task file it names, without comments."""
    if path in seen or not path.is_file() or path.stat().st_size > _SCAN_BYTES_MAX:
        return ""
    seen.add(path)
    text = _COMMENT.sub("", path.read_text(encoding="utf-8", errors="replace"))
    named = set(re.findall(r"[A-Za-z0-9_.-]+", text))
    files = [role for role in folder.glob("roles/*/*/*.y*ml") if role.parts[-3] in named]
    files += [one for base in (folder, path.parent) for one in base.glob("*.y*ml") if one.name in named]
    return text + "".join(_text(folder, one, seen) for one in sorted(files))


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
    data = path.read_bytes()
    if (at := data.find(_KEY)) >= 0:
        message = "This is a private key; it belongs in `secrets/` of the state folder, never in content."
        yield finding("error", Place(relative, data.count(b"\n", 0, at) + 1), message)
    text = data.decode("utf-8", "replace")
    for found in _PIPE.finditer(text):
        message = "A `pipe` lookup runs a command on this machine; content runs none."
        yield finding("error", Place(relative, text.count("\n", 0, found.start()) + 1), message)


def _review_modes(estate: Path, secrets: Path) -> Iterator[Finding]:
    if not secrets.is_dir():
        return
    for path in (secrets, *sorted(secrets.rglob("*"))):
        wanted = 0o700 if path.is_dir() else 0o600
        mode = stat.S_IMODE(path.lstat().st_mode)
        # The public half of a key pair is no secret.
        if path.suffix != ".pub" and not path.is_symlink() and mode & ~wanted:
            place = Place(path.relative_to(estate).as_posix())
            yield finding("error", place, f"Others can reach this secret: its mode is {mode:04o}, not {wanted:04o}.")
