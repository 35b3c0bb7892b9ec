"""What dashboards scrape: one collector over one snapshot of the state, zeros for combinations that have hosts.

Never has a label per host, and never counts in the process: everything comes from the state, so a restart of the
process loses no count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from orchestrator import __version__
from orchestrator.decision.blockers import next_step
from orchestrator.decision.estate import Estate
from orchestrator.decision.requirements import HOST_STEPS
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import DURATION_BOUNDS_S, UNQUEUED, State
from orchestrator.interfaces.documents import FUNCTION_WORDS, WAVE_WORDS
from orchestrator.interfaces.live import Live
from orchestrator.interfaces.views import wave_word
from orchestrator.interfaces.views_functions import functions

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = tuple(stage.name.lower() for stage in Stage)
GATE_WORDS = ("waiting", "soaking", "passed")
BOUNDS = [*(str(float(bound)) for bound in DURATION_BOUNDS_S), "+Inf"]


class Metrics(Collector):
    """The collector of one live process."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """One scrape in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the engine."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics, measured in one turn of the engine."""
        yield from self._live.read(measure)


def measure(state: State, now_us: int) -> list[Metric]:
    """Every metric of the state at this moment."""
    return [
        _hosts(state),
        *_functions(state),
        _one_hot("relance_wave_state", "Where a wave stands.", "wave", _wave_states(state)),
        _one_hot("relance_gate_state", "Where a wave's gate stands.", "wave", _gate_states(state)),
        *_pools(state),
        _queue(state),
        _obligations(state, now_us),
        GaugeMetricFamily(
            "relance_exceptions", "Hosts for which an exception stands in for a verdict.", len(state.exceptions)
        ),
        _transitions(state),
        _durations(state),
        _last_event(state),
        _frozen(state),
        InfoMetricFamily(
            "relance_build", "What runs.", {"version": __version__, "content": state.estate.content.digest}
        ),
    ]


def _hosts(state: State) -> Metric:
    metric = GaugeMetricFamily("relance_hosts", "Hosts by stage.", labels=("site", "kind", "stage"))
    places = _places(state.estate)
    counts = Counter(zip(places, state.stage, strict=True))
    for place in dict.fromkeys(places):
        for stage in Stage:
            metric.add_metric((*place, STAGES[stage]), counts[place, stage])
    return metric


@lru_cache(maxsize=2)
def _places(estate: Estate) -> tuple[tuple[str, str], ...]:
    """Site and kind of every host; they never change."""
    return tuple((host.site, host.kind) for host in estate.content.inventory.hosts)


def _functions(state: State) -> list[Metric]:
    found = functions(state)
    metric = GaugeMetricFamily(
        "relance_function_state", "1 for the state of a function at a site.", labels=("function", "site", "state")
    )
    ready = GaugeMetricFamily(
        "relance_function_ready_ratio",
        "Share of what a function's slice needs that is in service.",
        labels=("function",),
    )
    for function in found:
        ready.add_metric((function["id"],), function["ready_percent"] / 100)
        for site, word in function["sites"].items():
            for one in FUNCTION_WORDS:
                metric.add_metric((function["id"], site, one), one == word)
    return [metric, ready]


def _one_hot(name: str, help_text: str, label: str, words: dict[str, tuple[str, tuple[str, ...]]]) -> Metric:
    """For each labelled thing a 1 for the word that is true of it and a 0 for each other."""
    metric = GaugeMetricFamily(name, help_text, labels=(label, "state"))
    for thing, (word, known) in words.items():
        for one in known:
            metric.add_metric((thing, one), one == word)
    return metric


def _wave_states(state: State) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {wave.name: (wave_word(state, number), WAVE_WORDS) for number, wave in enumerate(state.estate.waves)}


def _gate_states(state: State) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        wave.name: ("passed" if one.passed_us else "soaking" if one.soak_us else "waiting", GATE_WORDS)
        for wave, one in zip(state.estate.waves, state.waves, strict=True)
    }


def _pools(state: State) -> list[Metric]:
    used = GaugeMetricFamily("relance_pool_in_use", "Slots of a pool that are taken.", labels=("pool", "site"))
    size = GaugeMetricFamily("relance_pool_size", "Slots of a pool.", labels=("pool", "site"))
    for slot, in_use in zip(state.estate.pools, state.in_use, strict=True):
        where = (slot.pool, state.estate.sites[slot.site] if slot.site >= 0 else "")
        used.add_metric(where, in_use)
        size.add_metric(where, slot.size)
    return [used, size]


def _queue(state: State) -> Metric:
    """Hosts whose next step may start and that wait for a slot only."""
    counts = Counter(next_step(state, host) for host, queued in enumerate(state.queued) if queued != UNQUEUED)
    metric = GaugeMetricFamily("relance_queue_waiting", "Hosts that wait for a slot, by step.", labels=("step",))
    for step in HOST_STEPS:
        metric.add_metric((step,), counts[step])
    return metric


def _obligations(state: State, now_us: int) -> Metric:
    overdue = sum(now_us >= owed.deadline_us for owed in state.obligations.values())
    metric = GaugeMetricFamily("relance_obligations", "Inspections owed on hosts that are out.", labels=("overdue",))
    metric.add_metric(("false",), len(state.obligations) - overdue)
    metric.add_metric(("true",), overdue)
    return metric


def _transitions(state: State) -> Metric:
    metric = CounterMetricFamily("relance_transitions", "Turns of hosts into a stage.", labels=("stage",))
    for stage in Stage:
        metric.add_metric((STAGES[stage],), state.entered[stage])
    return metric


def _durations(state: State) -> Metric:
    metric = HistogramMetricFamily(
        "relance_action_duration_seconds", "From issue to result of finished actions.", labels=("step",)
    )
    for step, spent in state.spent.items():
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip(BOUNDS, spent[:-1], strict=True):
            total += count
            buckets.append((bound, total))
        metric.add_metric((step,), buckets, spent[-1] / 1_000_000)
    return metric


def _last_event(state: State) -> Metric:
    metric = GaugeMetricFamily("relance_last_event_timestamp_seconds", "Time of the last record.")
    metric.add_metric((), state.at_us / 1_000_000)
    return metric


def _frozen(state: State) -> Metric:
    """1 for each freeze that stands; the freeze of everything is always there to alarm on."""
    metric = GaugeMetricFamily("relance_frozen", "1 while a freeze stands.", labels=("scope",))
    for scope in dict.fromkeys(("all", *state.freezes)):
        metric.add_metric((scope,), scope in state.freezes)
    return metric
