"""An action without a line is settled by what the managed side says, never by a guess."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.workers import invocation
from orchestrator.workers.base import NeverBegun, Outcome, Request
from orchestrator.workers.settling import read_pins, settle
from tests.managed_hosts import ManagedHosts, managed_hosts, wait_until

ACTION = "host-1/restore/1"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedHosts]:
    with managed_hosts(tmp_path_factory.mktemp("settling"), 2) as started:
        yield started


@pytest.fixture
def hosts(shared: ManagedHosts) -> ManagedHosts:
    for number in (1, 2):
        (shared.base / shared.addresses[number - 1] / "mark").unlink(missing_ok=True)
    return shared


def settled(hosts: ManagedHosts, request: Request, limit_s: float = 0, never: NeverBegun | None = None) -> Outcome:
    found: list[Outcome] = []
    run_dir = hosts.ask(request, name=f"run-{len(list(hosts.runs.iterdir()))}")
    asked = invocation.read(run_dir)
    settle(asked, asked.requests, found.append, limit_s=limit_s, never_begun=never or NeverBegun())
    (outcome,) = found
    return outcome


def test_a_mark_that_ended_well_with_its_facts_is_ok(hosts: ManagedHosts) -> None:
    hosts.mark(1, ACTION, "ended", "ok", host_key="ssh-ed25519 NEW")
    outcome = settled(hosts, hosts.request(1, "restore"))
    assert (outcome.outcome, outcome.facts) == ("ok", {"host_key": "ssh-ed25519 NEW"})


def test_a_restore_whose_new_key_was_not_heard_must_be_done_again(hosts: ManagedHosts) -> None:
    hosts.mark(1, ACTION, "ended", "ok")
    outcome = settled(hosts, hosts.request(1, "restore"))
    assert outcome.outcome == "lost"
    assert "host key" in outcome.sentence


def test_a_mark_that_ended_badly_is_a_failure(hosts: ManagedHosts) -> None:
    hosts.mark(1, ACTION, "ended", "failed")
    assert settled(hosts, hosts.request(1, "restore")).outcome == "failed"


def test_begun_and_no_longer_running_is_lost(hosts: ManagedHosts) -> None:
    hosts.mark(1, ACTION, "begun")
    assert settled(hosts, hosts.request(1, "restore"), limit_s=60).outcome == "lost"


def test_what_still_runs_is_waited_for(hosts: ManagedHosts) -> None:
    hosts.mark(1, ACTION, "begun", running=True)
    looked = len(hosts.log(1))

    def end_it() -> None:
        wait_until(lambda: len(hosts.log(1)) > looked)
        hosts.mark(1, ACTION, "ended", "ok", digest="ab")

    later = threading.Thread(target=end_it)
    later.start()
    outcome = settled(hosts, hosts.request(1, "restore"), limit_s=60)
    later.join()
    assert (outcome.outcome, outcome.facts) == ("ok", {"digest": "ab"})


def test_what_still_runs_at_the_limit_is_lost(hosts: ManagedHosts) -> None:
    hosts.mark(1, ACTION, "begun", running=True)
    outcome = settled(hosts, hosts.request(1, "restore"))
    assert outcome.outcome == "lost"
    assert "still running" in outcome.sentence


@pytest.mark.parametrize("standing", [None, "host-1/restore/0"])
def test_an_action_whose_mark_was_never_set_never_began(hosts: ManagedHosts, standing: str | None) -> None:
    if standing:
        hosts.mark(1, standing, "ended", "ok")
    assert settled(hosts, hosts.request(1, "restore")).outcome == "cancelled"


def test_the_caller_says_what_never_begun_means(hosts: ManagedHosts) -> None:
    outcome = settled(hosts, hosts.request(1, "restore"), never=NeverBegun("failed", "The playbook is silent."))
    assert (outcome.outcome, outcome.sentence) == ("failed", "The playbook is silent.")


def test_a_reconnect_is_settled_by_reading_the_gate(hosts: ManagedHosts) -> None:
    request = hosts.request(1, "reconnect")
    assert settled(hosts, request).outcome == "cancelled"
    (hosts.base / hosts.gate / "state-host-1").write_text("open\n")
    assert settled(hosts, request).outcome == "ok"
    assert settled(hosts, replace(request, step="isolate", action="host-1/isolate/1")).outcome == "cancelled"


def test_the_isolation_of_a_site_cannot_be_read_and_is_done_again(hosts: ManagedHosts) -> None:
    site = replace(hosts.request(1, "isolate"), action="clinic/isolate/1", host="")
    assert settled(hosts, site).outcome == "cancelled"


def test_a_management_path_that_does_not_answer_leaves_the_action_lost(hosts: ManagedHosts) -> None:
    outcome = settled(hosts, replace(hosts.request(1, "restore"), management_port=1))
    assert outcome.outcome == "lost"
    assert "not known" in outcome.sentence


def test_an_answer_that_is_no_state_leaves_the_action_lost(hosts: ManagedHosts) -> None:
    (hosts.base / hosts.addresses[0] / "mark").write_text("the tape is on fire")
    assert settled(hosts, hosts.request(1, "restore")).outcome == "lost"


def test_pins_are_read_by_address_and_port(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("# ours\n10.0.0.1 ssh-ed25519 AAAA comment\n[10.0.0.2]:2222,10.0.0.3 ssh-rsa BBBB\nbroken\n\n")
    assert read_pins(path) == {
        ("10.0.0.1", 22): "ssh-ed25519 AAAA",
        ("10.0.0.2", 2222): "ssh-rsa BBBB",
        ("10.0.0.3", 22): "ssh-rsa BBBB",
    }


def test_a_mark_with_a_number_no_record_can_hold_is_no_answer(hosts: ManagedHosts) -> None:
    mark = (
        '{"action": "host-1/restore/1", "state": "ended", "outcome": "ok", "running": false, "facts": {"ratio": 0.5}}'
    )
    (hosts.base / hosts.addresses[0] / "mark").write_text(mark)
    outcome = settled(hosts, hosts.request(1, "restore"))
    assert outcome.outcome == "lost"
    assert "is not a state" in outcome.sentence
