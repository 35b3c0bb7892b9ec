"""What a dashboard sees: every host counted once, zeros where nothing is, and Prometheus itself can read it."""

from __future__ import annotations

import json
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.clock import SystemClock
from orchestrator.decision.estate import Estate
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.interfaces.metrics import Metrics
from orchestrator.interfaces.serving import serve
from orchestrator.inventory.model import Needs
from orchestrator.plans.lay_down import reference_estate
from orchestrator.plans.model import Content, Pool
from orchestrator.plans.review import planned
from tests.estates import server, service, with_classes, with_pools
from tests.live_hospital import Hospital, hospital
from tests.storyline import Story
from tests.storyline import hospital as content_of

NAMES = {
    "relance_hosts",
    "relance_function_state",
    "relance_function_ready_ratio",
    "relance_wave_state",
    "relance_gate_state",
    "relance_pool_in_use",
    "relance_pool_size",
    "relance_queue_waiting",
    "relance_obligations",
    "relance_exceptions",
    "relance_transitions",
    "relance_action_duration_seconds",
    "relance_last_event_timestamp_seconds",
    "relance_frozen",
    "relance_build_info",
}
SCRAPE_BYTES_MAX = 200_000
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with hospital(tmp_path_factory.mktemp("metrics") / "state") as found:
        found.open_incident()
        found.bring_back("foundations")
        found.quarantined("laboratory/slice")
        yield found


def scraped(here: Hospital) -> Samples:
    return parsed(Metrics(here.engine).text())


def parsed(text: bytes) -> Samples:
    found: Samples = defaultdict(dict)
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


def labelled(samples: Samples, name: str, **labels: str) -> float:
    return sum(value for key, value in samples[name].items() if labels.items() <= dict(key).items())


def test_all_metrics_are_there_under_their_names(here: Hospital) -> None:
    families = {family.name for family in text_string_to_metric_families(Metrics(here.engine).text().decode())}
    assert families == NAMES


def test_each_host_is_counted_once(here: Hospital) -> None:
    samples = scraped(here)
    assert labelled(samples, "relance_hosts") == 14
    assert labelled(samples, "relance_hosts", stage="in_service") == 3
    assert labelled(samples, "relance_hosts", site="south", kind="workstation") == 2


def test_stages_without_hosts_are_zeros_and_places_without_hosts_are_absent(here: Hospital) -> None:
    hosts = scraped(here)["relance_hosts"]
    assert len(hosts) == 4 * len(Stage)
    assert hosts[(("kind", "server"), ("site", "north"), ("stage", "excluded"))] == 0


def test_no_metric_names_a_host(here: Hospital) -> None:
    text = Metrics(here.engine).text().decode()
    assert not [host.id for host in here.content.inventory.hosts if f'"{host.id}"' in text]


def test_only_hosts_that_lack_nothing_but_a_slot_wait_in_a_queue() -> None:
    services = (service("lis", "laboratory"), service("pacs", "radiology", needs=Needs(restore=("lis",))))
    hosts = [server(f"lis-{number}", "north", "lis") for number in (1, 2, 3)]
    content = narrow(content_of(*hosts, server("pacs-1", "north", "pacs"), services=services))
    story = Story(content).opened().isolated()
    samples = parsed(Metrics(Still(story.state)).text())  # type: ignore[arg-type]
    assert labelled(samples, "relance_queue_waiting", step="restore") == 2, "one is under way, pacs-1 lacks more"
    assert labelled(samples, "relance_queue_waiting") == 2


def narrow(content: Content) -> Content:
    """One restore at a time."""
    klass = content.classes[0]
    pools = klass.pools.model_copy(update={"restore": ("one",)})
    return with_classes(
        with_pools(content, Pool(id="one", name="One", size=1)), klass.model_copy(update={"pools": pools})
    )


def test_exactly_one_state_of_each_thing_is_true(here: Hospital) -> None:
    samples = scraped(here)
    assert labelled(samples, "relance_wave_state") == 6
    assert labelled(samples, "relance_gate_state") == 6
    assert labelled(samples, "relance_wave_state", wave="foundations", state="passed") == 1
    assert labelled(samples, "relance_gate_state", wave="laboratory/slice", state="waiting") == 1
    assert labelled(samples, "relance_function_state", function="radiology") == 2
    assert labelled(samples, "relance_function_state", function="laboratory", state="paper") == 1


def test_pools_show_size_and_use_per_site(here: Hospital) -> None:
    samples = scraped(here)
    assert labelled(samples, "relance_pool_size", pool="evidence", site="") == 4
    assert labelled(samples, "relance_pool_size", pool="benches") == 4
    assert labelled(samples, "relance_pool_in_use") == 0


def test_turns_and_durations_of_the_whole_incident_are_counted(here: Hospital) -> None:
    samples = scraped(here)
    assert labelled(samples, "relance_transitions_total", stage="in_service") == 3
    released = labelled(samples, "relance_transitions_total", stage="released")
    assert released == 6, "the foundations, and of the laboratory what two analysts had already found clean"
    assert labelled(samples, "relance_action_duration_seconds_count", step="reconnect") == released
    assert labelled(samples, "relance_action_duration_seconds_bucket", step="reconnect", le="+Inf") == released
    assert labelled(samples, "relance_action_duration_seconds_sum", step="reconnect") > 0


def test_a_freeze_can_be_alarmed_on_before_it_was_ever_used(here: Hospital) -> None:
    assert labelled(scraped(here), "relance_frozen", scope="all") == 0
    here.order("freeze", "site:north", "operator-1")
    samples = scraped(here)
    assert labelled(samples, "relance_frozen", scope="site:north") == 1
    assert labelled(samples, "relance_frozen", scope="all") == 0


def test_obligations_are_split_by_being_overdue(here: Hospital) -> None:
    samples = scraped(here)
    assert {dict(key)["overdue"] for key in samples["relance_obligations"]} == {"true", "false"}


class Still:
    """A state nobody moves, read like a live one."""

    def __init__(self, state: State) -> None:
        self._state = state

    def read(self, fn: Any) -> Any:
        """As an engine would."""
        return fn(self._state, SystemClock().now_us())


def test_a_scrape_of_1700_hosts_stays_small_and_counts_every_host() -> None:
    content, plan, _ = planned(reference_estate())
    text = Metrics(Still(State(Estate(content, plan)))).text()  # type: ignore[arg-type]
    assert len(text) <= SCRAPE_BYTES_MAX
    assert labelled(parsed(text), "relance_hosts", stage="blocked") == len(content.inventory.hosts)


def test_a_new_process_on_the_same_records_counts_the_same(here: Hospital) -> None:
    from orchestrator.engine.recovery import applied_to
    from orchestrator.journal.sqlite import Journal
    from orchestrator.plans.waves import derive

    state = State(Estate(here.content, derive(here.content)))
    with Journal.open(here.engine.state_dir / "journal.sqlite", read_only=True) as journal:
        for record in journal.records():
            applied_to(state, here.engine.state_dir)(record)
    assert Metrics(Still(state)).text() == Metrics(here.engine).text()  # type: ignore[arg-type]


def test_promtool_finds_nothing_to_say(here: Hospital) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=Metrics(here.engine).text(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.slow
def test_a_real_prometheus_scrapes_a_live_process(here: Hospital, tmp_path: Path) -> None:
    with serve(here.engine, tmp_path, 0) as listening:
        target = listening.url.removeprefix("http://")
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "relance", "static_configs": [{"targets": [target]}]}],
        }
        (tmp_path / "prometheus.yml").write_text(json.dumps(config))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                found = asked(f"http://127.0.0.1:{port}/api/v1/query", 'sum(relance_hosts{stage="in_service"})')
            finally:
                server.terminate()
    assert found == "3"


def asked(url: str, query: str) -> str:
    """Prometheus' answer, once it has scraped."""
    clock = SystemClock()
    until_us = clock.elapsed_us() + 60_000_000
    while clock.elapsed_us() < until_us:
        clock.sleep_s(0.3)
        try:
            result = httpx.get(url, params={"query": query}).json()["data"]["result"]
        except (httpx.HTTPError, ValueError, KeyError):
            continue
        if result:
            return str(result[0]["value"][1])
    return "nothing within a minute"
