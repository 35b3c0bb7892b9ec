"""A host that nobody can dial checks in by its own script: really run here for Linux, parsed for Windows."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.evidence.document import Evidence
from orchestrator.workers import checkin_script
from orchestrator.workers.base import Request
from orchestrator.workers.checkin import Arrivals, Standing, new_claim
from orchestrator.workers.checkin_script import Errand
from orchestrator.workers.dropbox import DropBox, listening
from orchestrator.workers.script import ON_DISK, Sweep
from orchestrator.workers.ssh import InspectionWorker
from tests.managed_hosts import outcomes
from tests.windows_ground import METHODS, READS, called, nodes, recorded, texts, tree_of

SECRET = b"s" * 32
STANDS = Standing("lis-1", 1, 7, "")
REQUEST = Request(
    "lis-1/inspect/4", "lis-1", "clinic", "inspect", "declared", "127.0.0.1", "127.0.0.1", "127.0.0.1:1",
    klass="lab", standing=STANDS.digest(),
)  # fmt: skip
# What the sh form of a check-in needs on a host, with one of the two programs that post.
PROGRAMS = (
    *("sh", "cat", "cut", "find", "grep", "head", "mktemp", "rm", "sha256sum", "xargs", "awk", "sed", "echo", "printf"),
    *("env", "test"),
)


class Ground:
    """A disk, a drop-box, and the worker that inspects."""

    def __init__(self, tmp_path: Path) -> None:
        self.disk = tmp_path / "disk"
        (self.disk / "etc").mkdir(parents=True)
        (self.disk / "etc" / "passwd").write_text("root:x:0:0\n")
        (self.disk / "results.csv.locked").write_text("pay")
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self.arrivals = Arrivals(tmp_path / "checkins")
        self.kept: dict[str, bytes] = {}
        lists = {"accounts": ON_DISK["accounts"], "listening": "cat etc/sockets"}
        self.sweep = Sweep(root=str(self.disk), paths=(".",), lists=lists)
        self.script = tmp_path / "checkin-lis-1.sh"

    def keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return digest

    def have(self, *programs: str, user: int = 0) -> None:
        """Lays these programs before the host, and says who runs them."""
        for name in (*PROGRAMS, *programs):
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        (self.bin / "id").write_text(f"#!/bin/sh\necho {user}\n")
        (self.bin / "id").chmod(0o755)

    @contextmanager
    def taken(self, stands: Callable[[str], Standing | None] = {"lis-1": STANDS}.get) -> Iterator[None]:
        """Writes the script and takes what it posts."""
        box = DropBox("incident", SECRET, self.arrivals, stands)
        with listening(("127.0.0.1", 0), box) as url:
            claim = new_claim("incident", STANDS, SystemClock().now_us() + 3_600_000_000)
            self.script.write_text(checkin_script.sh(Errand(claim, claim.token(SECRET), url, self.sweep)))
            yield

    def run(self) -> subprocess.CompletedProcess[str]:
        """The technician runs it."""
        return subprocess.run(
            ["/bin/sh", self.script], env={"PATH": str(self.bin), "http_proxy": "http://127.0.0.1:1"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def inspected(self, request: Request = REQUEST) -> tuple[str, Evidence | None]:
        """What the inspection says that comes next, and its evidence."""
        worker = InspectionWorker(Path("no key"), self.keep, sweep=self.sweep, arrivals=self.arrivals)
        worker.submit(Path("unused"), [request])
        outcome = outcomes(worker, 1)[request.action]
        worker.close()
        self.facts = outcome.facts
        if outcome.outcome != "ok":
            return outcome.sentence, None
        return "ok", Evidence.from_bytes(self.kept[str(outcome.facts["evidence"])])


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.mark.parametrize("program", ["curl", "wget"])
def test_what_a_host_posts_becomes_its_inspection_by_its_own_word(ground: Ground, program: str) -> None:
    ground.have(program)
    with ground.taken():
        done = ground.run()
        again = ground.run()
    assert (done.returncode, done.stdout[:13]) == (0, "Taken: lis-1 "), done.stderr
    assert again.returncode != 0
    assert again.stdout == "This check-in came already; make a new script for another.\n"
    told, seen = ground.inspected()
    assert (told, ground.facts["taken"], ground.facts["marker"]) == ("ok", "host", True)
    assert len(str(ground.facts["checkin"])) == 64
    assert seen is not None
    assert (seen.action, seen.taken, seen.tool, seen.files) == (REQUEST.action, "host", "relance check-in", 2)
    assert seen.lists["accounts"] == ("root:x:0:0",)
    assert seen.markers == ("./results.csv.locked",)
    said = {*seen.not_examined}
    assert {"listening: its command failed", "the content of 2 files: a check-in sends none"} <= said
    assert any("etc/sockets" in line for line in said), "what the host complained about came along"
    assert any("not by its host key" in line for line in said)
    assert any("not wiped" in line for line in said)


def test_what_was_posted_stands_for_one_inspection_and_the_next_dials_the_host(ground: Ground) -> None:
    ground.have("curl")
    with ground.taken():
        assert ground.run().returncode == 0
    assert ground.inspected()[0] == "ok"
    assert "cannot be used" in ground.inspected()[0]


def test_what_was_posted_before_a_host_was_restored_anew_counts_for_nothing(ground: Ground) -> None:
    ground.have("curl")
    with ground.taken():
        assert ground.run().returncode == 0
    anew = replace(REQUEST, standing=replace(STANDS, restores=2).digest())
    assert "cannot be used" in ground.inspected(anew)[0]


def test_a_refusal_is_told_to_who_ran_the_script_and_nothing_is_left_on_the_host(ground: Ground) -> None:
    ground.have("curl")
    before = {*Path("/dev/shm").glob("relance.*")}
    with ground.taken(lambda host: replace(STANDS, restores=2)):
        done = ground.run()
    assert done.returncode != 0
    assert "restored anew (attempt 2" in done.stdout
    assert {*Path("/dev/shm").glob("relance.*")} <= before
    assert ground.inspected()[1] is None


def test_only_root_checks_a_host_in_and_a_host_without_its_disk_posts_nothing(ground: Ground) -> None:
    ground.have("curl", user=1000)
    with ground.taken():
        done = ground.run()
        assert (done.returncode, done.stderr) == (77, "Run this as root.\n")
        (ground.bin / "id").write_text("#!/bin/sh\necho 0\n")
        shutil.rmtree(ground.disk)
        done = ground.run()
    assert done.returncode == 70
    assert "disk" in done.stderr
    assert ground.arrivals.take("lis-1", STANDS.digest()) is None


def test_the_windows_script_is_sound_posts_itself_and_only_reads_beside_that() -> None:
    claim = new_claim("incident", STANDS, 1)
    text = checkin_script.ps1(Errand(claim, claim.token(SECRET), "http://10.1.0.5:8400/checkin", Sweep()))
    tree = tree_of(text.encode("ascii"))
    assert not tree.has_error
    assert texts(tree, "command_name") <= READS | texts(tree, "function_name")
    posts = {"ToArray", "Create", "Add", "GetRequestStream", "GetResponse", "GetBaseException", "GetResponseStream"}
    assert called(tree) <= METHODS | posts | {"ReadToEnd"}
    assert not [*nodes(tree, "redirection")]


def test_what_a_windows_host_posts_is_judged_like_its_answer_through_ssh(ground: Ground) -> None:
    claim = new_claim("incident", STANDS, 1)
    body = ground.arrivals.new_file()
    tail = f"{claim.mark} serial\nWS1\n{claim.mark} errors\ndefender: Invalid namespace\n"
    body.write_bytes(recorded(claim.mark) + tail.encode())
    ground.arrivals.put(claim, claim.token(SECRET), body)
    told, seen = ground.inspected(replace(REQUEST, os="windows"))
    assert told == "ok"
    assert seen is not None
    assert seen.files == 3
    assert "Users/Public/RANSOM_NOTE.txt" in seen.markers
    assert {"defender: its command failed", "defender: Invalid namespace"} <= {*seen.not_examined}
