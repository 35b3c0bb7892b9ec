"""Sets services or sites of a wave apart into a later wave of their own, and refuses what that would tear.

Never decides that a split is wanted: people write it into `plans/restart.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Host
from orchestrator.plans import priority
from orchestrator.plans.drafts import Draft, Drafting
from orchestrator.plans.model import Split
from orchestrator.plans.needs import Graph, by_step


def set_apart(drafting: Drafting, split: Split) -> None:
    """Move the services of a split, and every host at its sites, into a wave of their own after the first."""
    origin = _origin(drafting.drafts, split)
    name = _name(split)
    apart = Draft(name, origin.function, "split", priority.later(origin.rank, drafting.ranks), origin.name)
    apart.services.update(split.services)
    moved = [host for host in origin.hosts.values() if host.site in split.sites or apart.services & set(host.services)]
    for host in moved:
        _refuse_torn_host(origin, apart, host, split)
    if not moved or len(moved) == len(origin.hosts):
        raise ContentError(
            f"The split {name} takes {len(moved)} of the {len(origin.hosts)} hosts of {split.wave}: it must take "
            "some and leave some.",
            rule="waves.split",
            wave=split.wave,
        )
    origin.services -= apart.services
    apart.add(moved)
    origin.hosts = {host: each for host, each in origin.hosts.items() if host not in apart.hosts}
    drafting.drafts[name] = apart


def _name(split: Split) -> str:
    return f"{split.wave}/{split.name}"


def _origin(drafts: dict[str, Draft], split: Split) -> Draft:
    origin = drafts.get(split.wave)
    if origin is None:
        problem = f"there is no wave {split.wave}"
    elif _name(split) in drafts:
        problem = f"there is a wave {_name(split)} already"
    elif strange := sorted(set(split.services) - origin.services):
        problem = f"{', '.join(strange)} does not come out in {split.wave}"
    else:
        return origin
    raise ContentError(f"The split {_name(split)} cannot be made: {problem}.", rule="waves.split", wave=split.wave)


def _refuse_torn_host(origin: Draft, apart: Draft, host: Host, split: Split) -> None:
    staying = (origin.services - apart.services) & set(host.services)
    if staying and host.site not in split.sites:
        raise ContentError(
            f"{host.id} plays {', '.join(sorted(apart.services & set(host.services)))}, set apart in {apart.name}, "
            f"and {', '.join(sorted(staying))}, which stays in {origin.name}: set all of them apart, or none.",
            rule="waves.split",
            host=host.id,
            waves=[origin.name, apart.name],
        )


def refuse_torn(graph: Graph, drafts: list[Draft]) -> None:
    """Raise ContentError where the splits left a unit in two waves, or a need behind its own gate."""
    _refuse_torn_units(graph, drafts)
    _refuse_needs_behind_the_gate(graph, drafts)


def _refuse_torn_units(graph: Graph, drafts: list[Draft]) -> None:
    homes: dict[str, tuple[str, str]] = {}
    for draft in drafts:
        for service in sorted(draft.services):
            unit = graph.services[service].unit
            other, wave = homes.setdefault(unit, (service, draft.name)) if unit else (service, draft.name)
            if wave != draft.name:
                raise ContentError(
                    f"Unit {unit} must come out in one wave, but {other} is in {wave} and {service} in {draft.name}.",
                    rule="waves.unit",
                    unit=unit,
                    waves=[wave, draft.name],
                )


def _refuse_needs_behind_the_gate(graph: Graph, drafts: list[Draft]) -> None:
    """What a wave needs must not come out in a wave that follows it; only a split can bring that about."""
    home = {service: draft.name for draft in drafts if draft.part == "split" for service in draft.services}
    after = {draft.name: draft.after for draft in drafts}
    for draft in drafts:
        for source, needed in _needed(graph, draft):
            if draft.name in _ancestors(after, home.get(needed)):
                raise ContentError(
                    f"{source} in {draft.name} needs {needed}, which a split puts behind it into {home[needed]}.",
                    rule="waves.behind",
                    service=needed,
                    waves=[draft.name, home[needed]],
                )


def _needed(graph: Graph, draft: Draft) -> Iterator[tuple[str, str]]:
    """Who in a wave needs which service: the services its hosts play, and their classes."""
    played = {service for host in draft.hosts.values() for service in host.services if service in graph.services}
    for service in sorted(played):
        yield from ((service, needed) for _, needed in by_step(graph.services[service].needs))
    for klass in sorted({host.klass for host in draft.hosts.values()}):
        yield from ((f"Class {klass}", needed) for needed in sorted(graph.class_needs.get(klass, ())))


def _ancestors(after: dict[str, str | None], wave: str | None) -> set[str]:
    found: set[str] = set()
    while wave is not None and (wave := after[wave]) is not None:
        found.add(wave)
    return found
