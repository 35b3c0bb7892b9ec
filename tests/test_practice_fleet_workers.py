"""The product's own workers and playbooks drive the practice fleet: what they report is what its logs tell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.practice.fleet_file import PRESETS
from orchestrator.practice.ledger import Issued, read
from orchestrator.practice.ransomware import strike
from orchestrator.workers import invocation
from orchestrator.workers.ansible import AnsibleWorker
from orchestrator.workers.base import Invocation, Outcome, Request
from tests.managed_hosts import PLAYBOOKS, outcomes
from tests.practice_ground import GATE, PROBER, Ground, running, small_fleet
from tests.release_papers import let_out

HOSTS = ("h0", "h1", "h2", "h3")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    fleet = small_fleet({"h2": (PRESETS["fails-once"],), "h3": (PRESETS["drop"],)}, count=4)
    with running(tmp_path_factory.mktemp("driven") / "fleet", fleet) as ground:
        strike(ground.root, ground.fleet)
        yield ground


def request(ground: Ground, host: str, step: str, attempt: int = 1, supersedes: str = "") -> Request:
    """One action; with an empty host it is the site's isolation."""
    spec = ground.hosts[host or "h0"]
    return Request(
        action=f"{host or spec.site}/{step}/{attempt}",
        host=host,
        site=spec.site,
        step=step,
        strategy="restore",
        address=spec.address,
        management=spec.management,
        gate=f"{GATE}:{ground.fleet.ssh_port}",
        management_user=ground.ready.user,
        management_port=ground.fleet.ssh_port,
        supersedes=supersedes,
        host_key="ssh-ed25519 AAAA" if step == "reconnect" else "",
    )


def drive(ground: Ground, name: str, *requests: Request) -> dict[str, Outcome]:
    """Hands one batch to the worker and waits for every outcome."""
    asked = Invocation(
        invocation=f"practice-{name}-{os.getpid()}",
        playbook=f"{requests[0].step}.yml",
        playbooks=str(PLAYBOOKS),
        limit_s=30,
        key=str(ground.root / "client"),
        known_hosts=str(ground.root / "known_hosts"),
        requests=requests,
    )
    run_dir = ground.root / "runs" / name
    invocation.write(run_dir, asked)
    if requests[0].step == "reconnect":
        let_out(run_dir, requests)
    worker = AnsibleWorker()
    worker.submit(run_dir, asked.requests)
    return outcomes(worker, len(requests))


def test_a_site_is_isolated_restored_in_quarantine_and_reconnected_host_by_host(ground: Ground) -> None:
    (ground.root / "runs").mkdir()
    assert ground.answers("h0", PROBER)
    assert drive(ground, "1", request(ground, "", "isolate"))["north/isolate/1"].outcome == "ok"
    assert not any(ground.answers(host, PROBER) for host in HOSTS)

    kept = drive(ground, "2", *(request(ground, host, "preserve") for host in HOSTS))
    assert {outcome.outcome for outcome in kept.values()} == {"ok"}
    assert ground.folders.evidence(str(kept["h0/preserve/1"].facts["digest"])).exists()

    ended = drive(ground, "3", *(request(ground, host, "restore") for host in HOSTS))
    assert [ended[f"{host}/restore/1"].outcome for host in HOSTS[:3]] == ["ok", "ok", "failed"]
    assert "checksum" in ended["h2/restore/1"].sentence
    assert ended["h3/restore/1"].outcome in ("unreachable", "lost")

    again = drive(ground, "4", request(ground, "h2", "restore", 2), request(ground, "h3", "restore", 2, "h3/restore/1"))
    assert {outcome.outcome for outcome in again.values()} == {"ok"}
    key = str(again["h3/restore/2"].facts["host_key"])
    assert ground.ssh(ground.hosts["h3"].address, "head -c6 data/records.csv", key).stdout == "number"

    issued = [Issued("h0/reconnect/1", SystemClock().now_us())]
    assert drive(ground, "5", request(ground, "h0", "reconnect"))["h0/reconnect/1"].outcome == "ok"
    assert [ground.answers(host, PROBER) for host in HOSTS] == [True, False, False, False]
    ledger = read(ground.root, ground.fleet, issued)
    assert (ledger.started_twice, ledger.released_early) == ((), ())
    assert {now.service for now in ledger.hosts.values()} == {"up"}


def test_a_host_isolated_again_is_out_of_reach_again(ground: Ground) -> None:
    ground.gate("reconnect h1/reconnect/1 h1")
    assert drive(ground, "6", request(ground, "h1", "isolate"))["h1/isolate/1"].outcome == "ok"
    assert not ground.answers("h1", PROBER)
    assert Path(ground.folders.gate_log("north")).read_text().splitlines()[-1].startswith("isolate h1/isolate/1 ")
