"""Right before a run acts, each of its reconnects needs its papers; whatever is wrong with them keeps the host in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import canonical
from orchestrator.journal import anchor
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.blobs import Blobs
from orchestrator.workers.base import Request
from orchestrator.workers.release_gate import bundle_file, refusals
from tests.release_papers import WAVE, Papers, let_out

ASKED = tuple(
    Request(
        f"host-{number}/reconnect/1", f"host-{number}", "clinic", "reconnect", "", f"127.7.0.{number}", "", "127.7.1.1",
        host_key="ssh-ed25519 AAAA",
    )
    for number in (1, 2)
)  # fmt: skip
FIRST, SECOND = (request.action for request in ASKED)


class Run:
    """A run of two reconnects with all that they rest on."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir, self.run_dir = state_dir, state_dir / "runs" / "7"
        self.run_dir.mkdir(parents=True)
        self.papers: Papers = let_out(self.run_dir, ASKED)

    def refused(self, *asked: Request) -> dict[str, str]:
        """What the gate says."""
        return refusals(self.run_dir, asked or ASKED)

    def change(self, action: str, /, **changes: Any) -> None:
        """Somebody edits a bundle."""
        file = bundle_file(self.run_dir, action)
        file.write_bytes(canonical.encode({**json.loads(file.read_bytes()), **changes}))

    def plan(self, action: str) -> dict[str, Any]:
        """What a bundle says of the plan."""
        plan: dict[str, Any] = json.loads(bundle_file(self.run_dir, action).read_bytes())["plan"]
        return plan

    def later(self, *, kept: bool = True) -> None:
        """The journal goes on; what was signed meanwhile is kept in the evidence folder, or was lost."""
        before = set(self.papers.documents)
        self.papers.order("freeze", "site:clinic", "operator-1")
        self.papers.order("thaw", "site:clinic", "operator-1", "crisis-1")
        for seq in set(self.papers.documents) - before:
            if kept:
                Blobs(self.state_dir / "evidence").put(str(self.papers.documents[seq]).encode())
        self.papers.documents = {seq: text for seq, text in self.papers.documents.items() if seq in before}
        self.write()

    def write(self) -> None:
        """Puts the journal as it is now on disk."""
        (self.state_dir / JOURNAL).write_bytes(b"".join(line + b"\n" for line in self.papers.lines))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_hosts_whose_papers_are_right_go(run: Run) -> None:
    assert run.refused() == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"documents": {}}, "signatures. Record 2: the bundle has no document for what operator-1 signed."),
        ({"head": {"size": 3, "root": "00" * 32}}, "no part"),
        ({"host_key": "ssh-ed25519 BBBB"}, "another host key than its request"),
        ({"host_key": ""}, "another host key than its request"),
        ({"host": "host-2"}, "another host than its request"),
        ({"action": SECOND}, "another action than its request"),
        ({"plan": {}}, "no readable bundle (KeyError('site'))"),
        ({"gates": {"laboratory/slice": [1]}}, "gates"),
    ],
)
def test_a_changed_bundle_keeps_its_own_host_in_and_no_other(run: Run, changes: dict[str, Any], said: str) -> None:
    run.change(FIRST, **changes)
    refused = run.refused()
    assert list(refused) == [FIRST]
    assert refused[FIRST].startswith("Not released: ")
    assert said in refused[FIRST]


@pytest.mark.parametrize(
    ("name", "value", "what"), [("site", "north", "site"), ("address", "::1", "address"), ("limit_s", 1, "time limit")]
)
def test_a_bundle_about_another_place_than_the_request_is_refused(run: Run, name: str, value: Any, what: str) -> None:
    run.change(SECOND, plan={**run.plan(SECOND), name: value})
    assert f"another {what} than" in run.refused()[SECOND]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"plan":7}', b"[" * 100_000])
def test_a_bundle_that_cannot_be_read_or_is_missing_releases_nobody(run: Run, text: bytes) -> None:
    bundle_file(run.run_dir, FIRST).write_bytes(text)
    bundle_file(run.run_dir, SECOND).unlink()
    assert sorted(run.refused()) == [FIRST, SECOND]
    assert all("no readable bundle" in said for said in run.refused().values())


def test_without_its_anchor_or_with_another_nobody_is_released(run: Run) -> None:
    (run.state_dir / anchor.NAME).unlink()
    assert {said[:20] for said in run.refused().values()} == {"Not released: roster"}
    anchor.write(run.state_dir, b"another genesis")
    assert {said[:20] for said in run.refused().values()} == {"Not released: roster"}
    anchor.write(run.state_dir, run.papers.genesis)
    assert run.refused() == {}


def test_without_a_journal_or_with_one_that_was_changed_nobody_is_released(run: Run) -> None:
    text = (run.state_dir / JOURNAL).read_bytes()
    for changed in (text.replace(b'"at_us":900', b'"at_us":901'), text[:-3], text[:900] + text[901:], b"", b"SQLite"):
        (run.state_dir / JOURNAL).write_bytes(changed)
        assert sorted(run.refused()) == [FIRST, SECOND]
    (run.state_dir / JOURNAL).unlink()
    assert {said[:45] for said in run.refused().values()} == {"Not released: the journal cannot be read (Fil"}


def test_what_stops_a_host_between_its_bundle_and_its_run_keeps_it_in(run: Run) -> None:
    run.papers.order("freeze", "site:clinic", "operator-1")
    run.write()
    assert {said[:20] for said in run.refused().values()} == {"Not released: freeze"}


def test_a_hold_of_the_wave_or_an_end_of_the_action_stops_what_has_not_begun(run: Run) -> None:
    run.papers.add("cancelled", action=FIRST)
    run.write()
    assert list(run.refused()) == [FIRST]
    run.papers.add("hold", wave=WAVE, cause="failures")
    run.write()
    assert run.refused()[SECOND].startswith("Not released: hold")


def test_what_people_signed_after_the_bundle_was_made_is_looked_up_where_it_is_kept(run: Run) -> None:
    run.later()
    assert run.refused() == {}


def test_what_they_signed_and_nobody_kept_refuses(run: Run) -> None:
    run.later(kept=False)
    assert {said[:24] for said in run.refused().values()} == {"Not released: signatures"}


def test_a_host_alone_is_judged_like_one_of_many(run: Run) -> None:
    assert run.refused(ASKED[1]) == {}
    assert list(run.refused(replace(ASKED[0], site="north"), ASKED[1])) == [FIRST]
