"""Each bench runs on a tiny estate and says its figures in one JSON line; no figure is asserted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import probes
from bench.drill import memory_kib, tree
from bench.overhead import ready_content
from bench.peers import addresses, peers
from orchestrator.plans.files import usable
from orchestrator.practice.rehearsal import write_estate
from orchestrator.simulation.scale import scaled

ROOT = Path(__file__).parents[1]
SMALL = {
    "core": (["--rounds", "1"], {"steps_per_s", "rival_steps_per_s"}),
    "journal": (
        ["--records", "200", "--rounds", "1"],
        {"append_us", "append_rival_us", "read_cpu_s", "read_rival_cpu_s"},
    ),
    "dispatch": (["--rounds", "1"], {"actions", "records", "cpu_ms_per_action", "rival_ms_per_action"}),
    "replay": (["--rounds", "1", "--records", "2000"], {"records", "cpu_s_per_200000", "rival_cpu_s"}),
    "scrape": (["--rounds", "1", "--times", "1"], {"bytes", "cpu_ms", "served_cpu_ms", "rival_cpu_ms"}),
    "scale": (["--sizes", "1000", "1700", "--runs", "1"], {"sizes", "forecasts_cpu_s"}),
    "schedule": (["--estates", "1"], {"over_ours", "ours_over_bound", "commit"}),
    "indicators": (
        ["--hosts", "40", "--files", "300", "--differing", "10", "--indicators", "1000"],
        {"cpu_s", "whole_cpu_s", "rival_json_cpu_s", "rival_grep_cpu_s", "same_hits_on_few"},
    ),
    "inspection": (
        ["--hosts", "2", "--files", "200", "--differing", "5", "--rival-hosts", "1", "--stats", "2"],
        {"ended", "cpu_ms_per_host", "rival_find_cpu_ms_per_host", "rival_stat_cpu_ms_per_host", "times_find"},
    ),
    "plan": (["--rounds", "1", "--sizes", "1000", "1700"], {"cpu_s", "peak_mib", "rival_cpu_s", "large"}),
    "ssh_probes": (["--rounds", "1", "--hosts", "3"], {"cpu_ms_per_host", "rival_cpu_ms_per_host", "times_rival"}),
}
WITHOUT_ESTATE = {"indicators", "inspection", "journal", "scale", "ssh_probes"}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference hospital, as small as it gets."""
    folder = tmp_path_factory.mktemp("small")
    write_estate(scaled(usable(ROOT), 60), ROOT / "plans" / "playbooks", folder)
    return folder


def said(name: str, *options: str) -> dict[str, Any]:
    """What a bench printed: one line, one object that names it."""
    command = [sys.executable, str(ROOT / "bench" / f"{name}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert found["bench"] == name
    return found


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_bench_prints_its_figures_beside_its_rivals_in_one_line(name: str, estate: Path) -> None:
    options, fields = SMALL[name]
    own = [] if name in WITHOUT_ESTATE else ["--estate", str(estate)]
    found = said(name, *own, *options)
    assert fields <= found.keys()
    assert all(found[field] for field in fields)


def test_a_replayed_incident_ends_in_the_state_it_was_recorded_from(estate: Path) -> None:
    assert said("replay", "--estate", str(estate), "--rounds", "1", "--records", "1500")["same_state"] is True


def test_plans_of_growing_estates_are_compared_with_n_log_n(estate: Path) -> None:
    small, larger = said("plan", "--estate", str(estate), "--rounds", "1", "--sizes", "1000", "1700")["large"]
    assert small.keys() == {"hosts", "cpu_s", "peak_mib"}
    assert larger.keys() == {"hosts", "cpu_s", "peak_mib", "growth"}
    assert (small["hosts"], larger["hosts"]) == (1000, 1700)


def test_hosts_that_are_ready_wait_for_nothing_but_restore_and_reconnect() -> None:
    content = ready_content(ROOT, 60)
    assert len(content.inventory.hosts) == 60
    assert {host.services for host in content.inventory.hosts} == {()}
    assert {one.preservation for one in content.classes} == {"waived"}
    assert {one.strategies for one in content.classes} == {("restore",)}
    assert [one.kind for one in content.inventory.services] == ["outside"]
    assert all(one.needs.restore == () and one.needs.reconnect == () for one in content.classes)


def test_the_memory_of_a_drill_counts_all_its_processes() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= tree([os.getpid()])
        assert memory_kib([child.pid]) > 0
        child.communicate(b"")
    assert tree([child.pid]) == set()
    assert memory_kib([child.pid]) == 0


def test_all_peers_of_a_bench_pass_the_probes_and_are_seen_by_the_sweep() -> None:
    names = addresses(probes.NETS["dns"], 3)
    with peers(names) as ports:
        asked = probes.questions({"tcp": 4, "http": 5, "dns": 3}, ports)
        assert probes.ours(asked).passed == 12
        seen = probes.swept(6, ports["tcp"])
    assert (seen["sweep_answered"], seen["sweep_asked_passed"]) == (6, 6)


@pytest.mark.skipif(shutil.which(probes.RIVAL) is None, reason=f"{probes.RIVAL} is not installed")
def test_probes_are_measured_beside_the_exporter_that_finds_the_same_peers_well() -> None:
    found = said("probes", "--tcp", "4", "--http", "4", "--dns", "2", "--sweep", "5", "--rounds", "1")
    assert (found["passed"], found["rival_passed"], found["sweep_answered"]) == (10, 10, 5)
    assert {"cpu_s", "rival_cpu_s", "wall_s", "rival_wall_s", "sweep_peak_mib"} <= found.keys()


@pytest.mark.slow
def test_driving_a_few_hosts_is_measured_beside_bare_ansible() -> None:
    found = said("overhead", "--hosts", "2")
    assert found["cpu_s"] > 0
    assert found["rival_cpu_s"] > 0
    for step in ("restore", "reconnect"):
        assert found[step]["runs"] > 0
        assert found[step]["rest"].keys() == {"runner_starts", "runners_otherwise", "loop", "probes", "sweeps"}
