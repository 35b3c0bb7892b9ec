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
from orchestrator.evidence.manifest import Lines, from_bytes
from orchestrator.workers.base import Outcome, Request
from orchestrator.workers.connection import Limits, Reply
from orchestrator.workers.script import LIST_BYTES_MAX, ON_DISK, SAMPLE_BYTES_MAX, SAMPLES_MAX, Sweep
from orchestrator.workers.ssh import InspectionWorker, Look, evidence
from tests.managed_hosts import ManagedHosts, make_key, managed_hosts, outcomes, silent_peer

LISTS = {"accounts": ON_DISK["accounts"], "cron": ON_DISK["cron"], "listening": "cat etc/sockets"}
DRILL = Sweep(root="disk", paths=(".",), lists=LISTS, files_max=50, edr={"lab": "sentinel"})
SLOW = replace(DRILL, lists={"listening": "sleep 2"})
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


def manifest_of(kept: Kept, outcome: Outcome) -> dict[str, str]:
    """Path -> digest of the whole manifest the evidence names."""
    lines = kept.documents[kept.of(outcome)["manifest"]].split(b"\0")[:-1]
    return {line[66:].decode("utf-8", "backslashreplace"): line[:64].decode() for line in lines}


def test_a_clean_host_shows_its_files_accounts_jobs_and_sockets(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert (outcome.outcome, outcome.facts["marker"], outcome.facts["files"]) == ("ok", False, 4)
    seen = kept.of(outcome)
    assert manifest_of(kept, outcome)["./results.csv"] == hashlib.sha256(b"42\n").hexdigest()
    assert seen["lists"]["accounts"] == ["lab:x:1000:1000", "root:x:0:0"]
    assert seen["lists"]["cron"] == ["etc/crontab:0 3 * * * backup"]
    assert seen["lists"]["listening"] == ["tcp 22", "tcp 443"]
    assert seen["host_key"] == hosts.host_key
    assert seen["taken"] == "host"


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
    assert outcome.facts["files"] == 51
    assert "files beyond the first 51" in kept.of(outcome)["not_examined"]


def test_a_list_that_cannot_be_read_is_named_as_not_examined(hosts: ManagedHosts, worker: InspectionWorker) -> None:
    (disk(hosts, 1) / "etc" / "sockets").unlink()
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert outcome.outcome == "ok"
    assert "listening: its command failed" in str(outcome.facts["not_examined"])


def test_strange_file_names_do_not_break_the_evidence(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    for name in (b"a\nb", b"caf\xe9", "über".encode(), b"--files end"):
        (Path(disk(hosts, 1)) / name.decode("utf-8", "surrogateescape")).write_text("x")
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert {"./a\nb", "./caf\\xe9", "./über", "./--files end"} <= set(manifest_of(kept, outcome))
    sent = {path for path, _ in kept.of(outcome)["samples"]}
    assert {"./caf\\xe9", "./über", "./--files end"} <= sent


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
    worker = InspectionWorker(hosts.base / "client", kept.keep, sweep=SLOW, limits=QUICK)
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
    worker = InspectionWorker(hosts.base / "client", kept.keep, sweep=SLOW, limits=QUICK)
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


def test_output_cut_at_its_limit_is_said_to_be_incomplete(kept: Kept) -> None:
    request = Request("a/inspect/1", "a", "clinic", "inspect", "", "10.0.0.1", "10.0.1.1", "10.0.2.1:22")
    whole = b"%s  ./kept\0%s  ./cut" % (b"a" * 64, b"b" * 64)
    look = Look(request, DRILL, "--t")
    seen = evidence(look, Reply(-1, b"--t markers\n--t files\n" + whole, "", cut=True), kept.keep)
    assert seen.not_examined[0] == "everything after the output's limit"
    assert seen.files == 1, "half a line is no file"
    assert not seen.markers


def test_the_default_sweep_runs_on_this_machine_as_on_any_linux_host(hosts: ManagedHosts, kept: Kept) -> None:
    sweep = Sweep(paths=("etc/cron.d", "etc/default"))
    worker = InspectionWorker(hosts.base / "client", kept.keep, sweep=sweep, limits=QUICK)
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert outcome.outcome == "ok"
    lists = kept.of(outcome)["lists"]
    assert any(line.startswith("root:") for line in lists["accounts"])
    for name in ("groups", "services", "patch_level", "kernel", "processes", "shell_startup"):
        assert lists[name], name
    worker.close()


@pytest.fixture
def golden(hosts: ManagedHosts, worker: InspectionWorker, kept: Kept) -> Iterator[InspectionWorker]:
    """The class `lab` has the manifest of host 1 as its golden one."""
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    digest = kept.of(outcome)["manifest"]

    class Goldens:
        def digests(self) -> dict[str, str]:
            return {"lab": digest}

        def lines(self, asked: str) -> Lines:
            return from_bytes(kept.documents[asked])

    started = InspectionWorker(hosts.base / "client", kept.keep, sweep=DRILL, limits=QUICK, goldens=Goldens())
    yield started
    started.close()


def of_class(hosts: ManagedHosts, number: int) -> Request:
    return replace(hosts.request(number, "inspect"), klass="lab")


def test_only_what_differs_from_the_golden_manifest_is_told_and_fetched(
    hosts: ManagedHosts, golden: InspectionWorker, kept: Kept
) -> None:
    (disk(hosts, 2) / "etc" / "crontab").write_text("* * * * * /tmp/x\n")
    (disk(hosts, 2) / "new file").write_text("new\n")
    (disk(hosts, 2) / "results.csv").unlink()
    same, other = inspect(golden, of_class(hosts, 1), of_class(hosts, 2))
    assert (kept.of(same)["unknown"], kept.of(same)["changed"], kept.of(same)["missing"]) == ([], [], [])
    assert kept.of(same)["samples"] == []
    seen = kept.of(other)
    assert [path for path, _ in seen["unknown"]] == ["./new file"]
    assert [path for path, _ in seen["changed"]] == ["./etc/crontab"]
    assert seen["missing"] == ["./results.csv"]
    assert {path: kept.documents[digest] for path, digest in seen["samples"]} == {
        "./etc/crontab": b"* * * * * /tmp/x\n",
        "./new file": b"new\n",
    }
    assert (seen["manifest"], bool(seen["golden"])) == ("", True)


def test_what_starts_by_itself_is_fetched_before_anything_else_and_the_rest_is_owned_up_to(
    hosts: ManagedHosts, golden: InspectionWorker, kept: Kept
) -> None:
    for number in range(SAMPLES_MAX):
        (disk(hosts, 3) / f"a{number}").write_text(str(number))
    (disk(hosts, 3) / "etc" / "cron.d").mkdir()
    (disk(hosts, 3) / "etc" / "cron.d" / "zz").write_text("@reboot implant\n")
    golden.sweep = replace(DRILL, files_max=1000)
    (outcome,) = inspect(golden, of_class(hosts, 3))
    assert "./etc/cron.d/zz" in {path for path, _ in kept.of(outcome)["samples"]}
    assert f"the content of 1 differing files beyond the first {SAMPLES_MAX}" in kept.of(outcome)["not_examined"]


def test_a_file_too_large_to_fetch_is_owned_up_to(hosts: ManagedHosts, golden: InspectionWorker, kept: Kept) -> None:
    (disk(hosts, 2) / "large").write_bytes(b"\0" * (SAMPLE_BYTES_MAX + 1))
    (disk(hosts, 2) / "small").write_bytes(b"\0")
    (outcome,) = inspect(golden, of_class(hosts, 2))
    assert [path for path, _ in kept.of(outcome)["samples"]] == ["./small"]
    assert any(line.startswith("the content of 1 differing files: over") for line in kept.of(outcome)["not_examined"])


def test_the_age_of_the_restore_point_stands_beside_the_first_compromise(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    request = replace(hosts.request(1, "inspect"), restore_point_us=5_000_000, before_us=9_000_000)
    older, unknown = inspect(worker, request, hosts.request(2, "inspect"))
    assert kept.of(older)["restore_point"] == {"at_us": 5_000_000, "t0_us": 9_000_000, "older_than_t0_s": 4}
    assert kept.of(unknown)["restore_point"]["older_than_t0_s"] is None


@pytest.mark.parametrize(("processes", "running"), [("echo sentinel", True), ("echo init", False), ("false", None)])
def test_whether_the_edr_runs_is_said_only_where_the_processes_could_be_read(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept, processes: str, running: bool | None
) -> None:
    worker.sweep = replace(DRILL, lists={"processes": processes})
    (outcome,) = inspect(worker, of_class(hosts, 1))
    assert kept.of(outcome)["edr"] == {"name": "sentinel", "running": running}


def test_below_another_root_the_running_system_is_not_taken_for_the_hosts(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    worker.sweep = replace(DRILL, lists=ON_DISK)
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    said = kept.of(outcome)["not_examined"]
    assert "listening, established, modules, kernel, processes: below disk they are not the host's own" in said
    assert "patch_level: its command failed" in said


def test_a_host_that_was_not_wiped_is_said_to_have_answered_for_itself(
    hosts: ManagedHosts, worker: InspectionWorker, kept: Kept
) -> None:
    (outcome,) = inspect(worker, replace(hosts.request(1, "inspect"), strategy="declared"))
    assert "what a host that was not wiped hides: it answered for itself" in kept.of(outcome)["not_examined"]


def test_a_list_that_stops_at_its_bound_is_said_to(hosts: ManagedHosts, worker: InspectionWorker, kept: Kept) -> None:
    worker.sweep = replace(DRILL, lists={"cron": "yes"})
    (outcome,) = inspect(worker, hosts.request(1, "inspect"))
    assert f"cron beyond the first {LIST_BYTES_MAX} bytes" in kept.of(outcome)["not_examined"]


def test_a_host_that_differs_in_too_much_is_kept_whole(
    hosts: ManagedHosts, golden: InspectionWorker, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.workers.ssh.DIFFERENCE_MAX", 1)
    (disk(hosts, 2) / "one").write_text("1")
    (disk(hosts, 2) / "two").write_text("2")
    (outcome,) = inspect(golden, of_class(hosts, 2))
    assert (kept.of(outcome)["golden"], kept.of(outcome)["unknown"]) == ("", [])
    assert set(manifest_of(kept, outcome)) >= {"./one", "./two", "./results.csv"}


def test_a_golden_manifest_that_is_lost_fails_the_inspection_in_words(hosts: ManagedHosts, kept: Kept) -> None:
    class Lost:
        def digests(self) -> dict[str, str]:
            return {"lab": "a" * 64}

        def lines(self, asked: str) -> Lines:
            raise Unusable("The stored file is missing.")

    worker = InspectionWorker(hosts.base / "client", kept.keep, sweep=DRILL, limits=QUICK, goldens=Lost())
    (outcome,) = inspect(worker, of_class(hosts, 1))
    assert (outcome.outcome, outcome.sentence) == ("failed", "The stored file is missing.")
    worker.close()
