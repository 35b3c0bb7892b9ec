"""The rivals a restart is compared with: the same core under other rules of who goes next and who may go out.

Never part of the product: a rule is put in the core's place while one restart is played, and taken out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from bench.barriers import Barrier, ClassByClass, Generations, Key, StrictWaves, depths
from bench.keeping import HoldBack, LookAhead
from orchestrator.decision import course, gates
from orchestrator.decision.estate import Estate
from orchestrator.decision.requirements import TaskKey
from orchestrator.decision.state import State
from orchestrator.plans import priority, waves
from orchestrator.plans.needs import Graph

Urgency = Callable[[Estate], list[Key]]
Instead = tuple[ModuleType, str, Any]
_chain_s = priority.chain_s


@dataclass(frozen=True, slots=True)
class Rival:
    """Rules in the core's place: who is urgent, what is forbidden, and functions of the product that others replace."""

    name: str
    urgency: Urgency | None = None
    barrier: type[Barrier] = Barrier
    instead: tuple[Instead, ...] = ()


@contextmanager
def replaced(rival: Rival) -> Iterator[None]:
    """Puts the rival's functions in the product's place while the block runs."""
    before = [(module, name, getattr(module, name)) for module, name, _ in rival.instead]
    try:
        for module, name, value in rival.instead:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def places(keys: Sequence[Key]) -> list[int]:
    """One integer per host, small is urgent, from keys that are compared; ties by host."""
    found = [0] * len(keys)
    for place, host in enumerate(sorted(range(len(keys)), key=lambda host: (keys[host], host))):
        found[host] = place
    return found


def without_quorum_or_tail(estate: Estate) -> list[Key]:
    """All hosts of a wave have its rank, no host goes before another for the chain behind it."""
    waves = estate.plan.waves
    return [(waves[wave].rank if wave >= 0 else 1 << 30,) for wave in estate.wave_of]


def by_depth(estate: Estate) -> list[Key]:
    """What needs least first, whatever it is for."""
    return [(depth,) for depth in depths(estate)]


def by_host(estate: Estate) -> list[Key]:
    """In the order of the inventory."""
    return [()] * len(estate.hosts)


def whole_hosts_s(graph: Graph, class_id: str, step: str = "") -> int:
    """The time of a class as if every need came before its restore."""
    return _chain_s(graph, class_id)


def none(*_: object) -> dict[str, int]:
    """Nothing, whatever is asked."""
    return {}


def opens_with_its_gate(state: State, task: TaskKey) -> bool:
    """A task opens when all services of its gate work, whoever waits for it."""
    wave = state.estate.wave_of_service[task.service]
    if wave < 0 or not state.waves[wave].launchers:
        return False
    return all(state.good[one] or one in state.dropped for one, _ in state.estate.waves[wave].services)


OURS = Rival("ours")
RIVALS = (
    OURS,
    Rival("strict waves", barrier=StrictWaves),
    Rival("class by class", barrier=ClassByClass),
    Rival("generations in each class", barrier=Generations),
    Rival("fair peer", without_quorum_or_tail),
    Rival("plain generations", by_depth),
    Rival("first come", by_host),
    Rival("tails of whole hosts", instead=((priority, "chain_s", whole_hosts_s),)),
    Rival("tails of all surplus", instead=((priority, "tails_of_surplus", none),)),
    Rival("all posts alike", instead=((waves, "_posts_to_spare", none),)),
    Rival("all tasks with their gate", instead=((gates, "opens", opens_with_its_gate),)),
    Rival("nobody chosen anew", instead=((course, "choose_anew", none),)),
    Rival("hold-back", barrier=HoldBack),
    Rival("look-ahead", barrier=LookAhead),
)
