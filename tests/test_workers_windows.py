"""A Windows host is asked by a script that is sound PowerShell and only reads; its answer is judged like any other."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from orchestrator.checks.indicators import IndicatorSet
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.matching import Matcher
from orchestrator.workers import windows
from orchestrator.workers.base import Request
from orchestrator.workers.connection import Reply
from orchestrator.workers.script import Sweep
from orchestrator.workers.ssh import InspectionWorker, Look, evidence
from tests.managed_hosts import ManagedHosts, managed_hosts, outcomes
from tests.windows_ground import METHODS, READS, called, lay_stand_in, nodes, recorded, texts, tree_of

SOURCE = files("orchestrator.workers").joinpath(windows.SCRIPT).read_bytes()
SWEEP = replace(windows.on_windows(Sweep()), edr={"files": "MsMpEng.exe"})
REQUEST = Request(
    "files-1/inspect/1", "files-1", "clinic", "inspect", "", "10.0.0.1", "10.0.1.1", "10.0.2.1:22", klass="files",
    os="windows",
)  # fmt: skip


def kept(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def seen(answer: bytes = b"", errors: str = "", *, cut: bool = False) -> Evidence:
    """The evidence of the answer written by hand."""
    look = Look(REQUEST, SWEEP, "--t")
    return evidence(look, Reply(0, answer or recorded("--t"), errors, cut), kept)


def test_the_script_is_sound_powershell_with_all_that_is_sent_around_it() -> None:
    start = base64.b64decode(windows.command("--0123").rpartition(" ")[2]).decode("utf-16-le")
    for source in (SOURCE, windows.script_of(SWEEP, "--t"), windows.script_of(SWEEP, "--t", ["a'b"]), start.encode()):
        assert not tree_of(source).has_error
    assert tree_of(SOURCE.replace(b"{", b"", 1)).has_error, "the grammar sees a missing brace"


def test_the_script_names_only_commands_and_methods_that_read() -> None:
    tree = tree_of(windows.script_of(SWEEP, "--t"))
    assert texts(tree, "command_name") <= READS | texts(tree, "function_name")
    assert called(tree) <= METHODS
    assert not [*nodes(tree, "redirection")]


def test_the_script_reads_every_list_and_heeds_every_bound_it_is_given() -> None:
    text = SOURCE.decode()
    sent = [line.split("'")[1] for line in text.splitlines() if line.strip().startswith("Send-List '")]
    assert sent == [*windows.LISTS]
    asked = json.loads(base64.b64decode(windows.script_of(SWEEP, "--t", post={"url": "x"}).split(b"'")[1]))
    assert asked.keys() - {"post"} == {*re.findall(r"\$Asked\.(\w+)", text)} - {"PSObject"}


def test_the_command_line_fits_the_shell_of_windows_and_means_nothing_to_any_shell() -> None:
    command = windows.command("--" + "0" * 16)
    assert len(command) < windows.COMMAND_CHARS_MAX
    assert not set(command) & set("'\"$;&|<>^%`()\n")


def test_what_a_windows_host_answers_becomes_the_same_evidence_as_of_any_host() -> None:
    found = seen()
    assert (found.files, found.markers) == (3, ("Users/Public/RANSOM_NOTE.txt",))
    assert set(found.lists) == set(windows.LISTS)
    assert "tcp 0.0.0.0:445" in found.lists["listening"]
    assert "AdminSDHolder/S-1-5-21-1-2-3-1105: Allow GenericAll" in found.lists["directory"]
    assert found.edr_running is True
    assert Evidence.from_bytes(found.to_bytes()) == found


def test_what_a_windows_host_could_not_tell_is_said() -> None:
    said = seen(errors="defender: Invalid namespace\nWindows/x: denied\n").not_examined
    assert "defender: its command failed" in said
    assert {"defender: Invalid namespace", "Windows/x: denied"} <= {*said}
    assert any("capitals" in line for line in said)
    assert any(line.startswith("files on other drives, and outside Users, ProgramData,") for line in said)
    cut = recorded("--t").partition(b"--t files")[0]
    assert "everything after the output's limit" in seen(cut, cut=True).not_examined


@pytest.mark.parametrize(
    ("kind", "value", "where"),
    [
        ("persistence", "Updater", "scheduled_tasks: Updater"),
        ("persistence", "updsvc", "services: updsvc"),
        ("persistence", "upd", "run_keys: HKU/S-1-5-18/SOFTWARE/Microsoft/Windows/CurrentVersion/Run/upd"),
        ("persistence", "SCM Event Log Filter", "wmi_subscriptions: __EventFilter/SCM Event Log Filter"),
        ("persistence", "scripts.ini", "logon_scripts: Windows/System32/GroupPolicy/User/Scripts/scripts.ini"),
        ("domain", "evil.example", "services: updsvc"),
        ("address", "10.1.10.5", "established: tcp 10.1.10.21:50112 10.1.10.5:443"),
        ("name", "upd.exe", "ProgramData/upd/upd.exe"),
        ("sha256", "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "ProgramData/upd/upd.exe"),
    ],
)
def test_an_indicator_is_found_wherever_windows_starts_or_keeps_something(kind: str, value: str, where: str) -> None:
    wanted = IndicatorSet()
    wanted.values[kind][value] = "a test"
    store: dict[str, bytes] = {}

    def keep(document: bytes) -> str:
        return store.setdefault(kept(document), document) and kept(document)

    found = evidence(Look(REQUEST, SWEEP, "--t"), Reply(0, recorded("--t"), "", cut=False), keep)
    hits = Matcher(wanted, store.__getitem__).match(found).hits
    assert [hit.where[: len(where)] for hit in hits] == [where]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedHosts]:
    """A real sshd whose `powershell.exe` is a stand-in that tells what was written by hand."""
    with managed_hosts(tmp_path_factory.mktemp("windows"), 1) as started:
        lay_stand_in(started.base / "bin")
        yield started


def test_a_windows_host_is_asked_through_ssh_for_what_is_on_it_and_then_for_the_files_that_differ(
    host: ManagedHosts,
) -> None:
    folder = host.base / host.addresses[0]
    (folder / "files").mkdir()
    for name, content in (("hosts", "test"), ("upd.exe", "foo"), ("Döner list.txt", "changed while read")):
        (folder / "files" / name).write_text(content)
    (folder / "errors").write_text("Users/x: denied\n")
    store: dict[str, bytes] = {}

    def keep(document: bytes) -> str:
        store[kept(document)] = document
        return kept(document)

    worker = InspectionWorker(host.base / "client", keep, sweep=Sweep(edr={"files": "MsMpEng.exe"}))
    request = replace(host.request(1, "inspect"), os="windows", klass="files")
    worker.submit(Path("unused"), [request])
    outcome = outcomes(worker, 1)[request.action]
    worker.close()
    assert (outcome.outcome, outcome.facts["marker"], outcome.facts["files"]) == ("ok", True, 3)
    found = Evidence.from_bytes(store[str(outcome.facts["evidence"])])
    assert {path: store[digest] for path, digest in found.samples} == {
        "Windows/System32/drivers/etc/hosts": b"test",
        "ProgramData/upd/upd.exe": b"foo",
    }
    assert "Users/x: denied" in found.not_examined
    assert any(line.startswith("the content of 1 differing files: over") for line in found.not_examined)
    assert (folder / "asked").read_bytes().count(SOURCE) == 2, "the very script that is parsed above was sent"


def test_a_windows_host_without_powershell_fails_with_its_own_words(host: ManagedHosts, tmp_path: Path) -> None:
    (host.base / "bin" / "powershell.exe").rename(tmp_path / "powershell.exe")
    worker = InspectionWorker(host.base / "client", kept)
    request = replace(host.request(1, "inspect", 2), os="windows")
    worker.submit(Path("unused"), [request])
    outcome = outcomes(worker, 1)[request.action]
    worker.close()
    assert outcome.outcome == "failed"
    assert "powershell.exe" in outcome.sentence
