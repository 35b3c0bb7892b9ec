"""An inspection tells truly what is on a host, what it could not look at, and what ransomware left there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import canonical
from orchestrator.errors import Unusable
from orchestrator.workers.base import Outcome, Request
from orchestrator.workers.connection import Limits, Reply
from orchestrator.workers.ssh import InspectionWorker, Sweep, evidence
from tests.managed_hosts import ManagedHosts, make_key, managed_hosts, outcomes, silent_peer

DRILL = Sweep(root="disk", paths=(".",), sockets="cat etc/sockets", files_max=50)
QUICK = Limits(connect_s=1, banner_s=1, auth_s=5, command_s=20)


class Kept:
    """A store of evidence that forgets nothing."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}

    def keep(self, document: bytes) -> str:
        digest = hashlib.sha256(document).hexdigest()
        self.documents[digest] = document
        return digest

    def of(self, outcome: Outcome) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.documents[str(outcome.facts["evidence"])])
        return document


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedHosts]:
    with managed_hosts(tmp_path_factory.mktemp("inspection"), 3) as started:
        yield started


@pytest.fixture
def hosts(shared: ManagedHosts) -> ManagedHosts:
    """Three hosts with a few files each, as after a restore."""
    for number in (1, 2, 3):
        folder = disk(shared, number)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "etc").mkdir(parents=True)
        (folder / "etc" / "passwd").write_text("root:x:0:0\nlab:x:1000:1000\n")
        (folder / "etc" / "crontab").write_text("0 3 * * * backup\n")
        (folder / "etc" / "sockets").write_text("tcp 443\ntcp 22\n")
        (folder / "results.csv").write_text("42\n")
    return shared


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def worker(hosts: ManagedHosts, kept: Kept) -> Iterator[InspectionWorker]:
    started = InspectionWorker(hosts.base / "client", kept.keep, sweep=DRILL, limits=QUICK)
    yield started
    started.close()


def disk(hosts: ManagedHosts, number: int) -> Path:
    return hosts.base / hosts.addresses[number - 1] / "disk"


def inspect(worker: InspectionWorker, *requests: Request) -> list[Outcome]:
    worker.submit(Path("unused"), requests)
    ended = outcomes(worker, len(requests))
    return [ended[request.action] for request in requests]


def test_a_clean_host_shows_its_files_accounts_jobs_and_sockets(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert (outcome.outcome, outcome.facts["marker"], outcome.facts["files"]) == ("ok", False, 4)
    seen = kept.of(outcome)
    assert ["./results.csv", hashlib.sha256(b"42\n").hexdigest()] in seen["files"]
    assert seen["accounts"] == ["lab:x:1000:1000", "root:x:0:0"]
    assert seen["jobs"] == ["0 3 * * * backup"]
    assert seen["sockets"] == ["tcp 22", "tcp 443"]
    assert seen["not_examined"] == []
    assert seen["host_key"] == hosts.host_key


def test_the_evidence_is_canonical_and_the_same_for_the_same_host(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    first, second = (inspect(worker, hosts.request(1, "inspect"))[0] for _ in range(2))
    assert first.facts["evidence"] == second.facts["evidence"]
    document = kept.documents[str(first.facts["evidence"])]
    assert canonical.encode(canonical.decode(document)) == document


@pytest.mark.parametrize("name", ["RANSOM_NOTE.txt", "results.csv.locked", "implant", "deep/down/implant"])
def test_what_ransomware_leaves_is_found(hosts: ManagedHosts, worker: InspectionWorker, kept: Kept, name: str) -> None:
    path = disk(hosts, 2) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("pay")
    infected, clean = inspect(worker, hosts.request(2, "inspect"), hosts.request(1, "inspect"))
    assert (infected.facts["marker"], clean.facts["marker"]) == (True, False)
    assert kept.of(infected)["markers"] == [f"./{name}"]


def test_a_marker_behind_more_files_than_are_listed_is_found_all_the_same(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    for number in range(60):
        (disk(hosts, 3) / f"{number}.txt").write_text("x")
    (disk(hosts, 3) / "z.locked").write_text("x")
    (outcome,) = inspect(worker, hosts.request(3, "inspect"))
    assert outcome.facts["marker"] is True
    assert outcome.facts["files"] == 50
    assert kept.of(outcome)["not_examined"] == ["files beyond the first 50"]


def test_a_list_that_cannot_be_read_is_named_as_not_examined(hosts: ManagedHosts, worker: InspectionWorker) -> None:
    (disk(hosts, 1) / "etc" / "sockets").unlink()
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert outcome.outcome == "ok"
    assert "a list whose command failed" in str(outcome.facts["not_examined"])


def test_strange_file_names_do_not_break_the_evidence(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    for name in (b"a\nb", b"caf\xe9", "über".encode(), b"--files end"):
        (Path(disk(hosts, 1)) / name.decode("utf-8", "surrogateescape")).write_text("x")
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    names = [path for path, _ in kept.of(outcome)["files"]]
    assert {"./a\nb", "./caf\\xe9", "./über", "./--files end"} <= set(names)


def test_a_host_with_another_key_than_its_restore_gave_is_not_inspected(
    hosts: ManagedHosts, worker: InspectionWorker, tmp_path: Path
) -> None:
    (outcome,) = inspect(worker, replace(hosts.request(1, "inspect"), host_key=make_key(tmp_path / "other")))
    assert (outcome.outcome, outcome.facts) == ("failed", {"host_key": "mismatch"})


def test_a_silent_host_is_unreachable_and_holds_nobody_up(hosts: ManagedHosts, worker: InspectionWorker) -> None:
    with silent_peer() as port:
        silent = replace(hosts.request(2, "inspect"), address="127.0.0.1", port=port)
        outcome, other = inspect(worker, silent, hosts.request(1, "inspect"))
    assert outcome.outcome == "unreachable"
    assert other.outcome == "ok"


def test_an_inspection_takes_no_longer_than_its_own_limit_and_another_host_keeps_its_time(
    hosts: ManagedHosts, kept: Kept
) -> None:
    worker = InspectionWorker(hosts.base / "client", kept.keep, sweep=replace(DRILL, sockets="sleep 2"), limits=QUICK)
    hasty = replace(hosts.request(1, "inspect"), limit_s=1)
    cut, whole = inspect(worker, hasty, hosts.request(2, "inspect"))
    assert (cut.outcome, whole.outcome) == ("failed", "ok")
    assert "within 1 s" in cut.sentence
    worker.close()


def test_a_host_without_the_disk_fails_with_its_own_words(hosts: ManagedHosts, worker: InspectionWorker) -> None:
    shutil.rmtree(disk(hosts, 1))
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert outcome.outcome == "failed"
    assert "disk" in outcome.sentence


def test_a_cancelled_inspection_that_waits_never_begins(hosts: ManagedHosts, kept: Kept) -> None:
    worker = InspectionWorker(hosts.base / "client", kept.keep, sweep=replace(DRILL, sockets="sleep 1"), limits=QUICK)
    requests = [replace(hosts.request(1, "inspect"), action=f"host-1/inspect/{number}") for number in range(1, 11)]
    worker.submit(Path("unused"), requests)
    worker.cancel("host-1/inspect/10")
    assert outcomes(worker, 10)["host-1/inspect/10"].outcome == "cancelled"
    worker.close()


def test_evidence_that_cannot_be_kept_is_no_inspection(hosts: ManagedHosts) -> None:
    def full(document: bytes) -> str:
        raise Unusable("The disk is full.")

    worker = InspectionWorker(hosts.base / "client", full, sweep=DRILL, limits=QUICK)
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert (outcome.outcome, outcome.sentence) == ("failed", "The disk is full.")
    worker.close()


def test_a_fault_of_the_store_itself_becomes_an_outcome(hosts: ManagedHosts) -> None:
    def broken(document: bytes) -> str:
        raise RuntimeError("no such shelf")

    worker = InspectionWorker(hosts.base / "client", broken, sweep=DRILL, limits=QUICK)
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert outcome.outcome == "failed"
    assert "no such shelf" in outcome.sentence
    worker.close()


def test_output_cut_at_its_limit_is_said_to_be_incomplete() -> None:
    request = Request("a/inspect/1", "a", "clinic", "inspect", "", "10.0.0.1", "10.0.1.1", "10.0.2.1:22")
    seen = evidence(request, DRILL, Reply(-1, b"--t markers\n--t files\n", "", cut=True), "--t")
    assert seen.not_examined == ("everything after the output's limit",)
    assert not seen.marker


def test_the_default_sweep_runs_on_this_machine_as_on_any_linux_host(hosts: ManagedHosts, kept: Kept) -> None:
    sweep = Sweep(paths=("etc/cron.d", "etc/default"))
    worker = InspectionWorker(hosts.base / "client", kept.keep, sweep=sweep, limits=QUICK)
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert outcome.outcome == "ok"
    assert any(line.startswith("root:") for line in kept.of(outcome)["accounts"])
    worker.close()
