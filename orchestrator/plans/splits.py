"""Sets services or sites of a wave apart into a later wave of their own, and refuses what that would tear.

Never decides that a split is wanted: people write it into `plans/restart.yaml`, or order it in mid-incident.
"""

from __future__ import annotations

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Host, Service
from orchestrator.plans import priority
from orchestrator.plans.drafts import Draft, Drafting
from orchestrator.plans.model import Content, Split
from orchestrator.plans.needs import Graph


def set_apart(drafting: Drafting, split: Split) -> None:
    """Move the services of a split, and every host at its sites, into a wave of their own after the first."""
    origin = _origin(drafting, split)
    name = wave_name(split)
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
    origin.kept = None  # its gate asks for what is left
    apart.add(moved)
    origin.hosts = {host: each for host, each in origin.hosts.items() if host not in apart.hosts}
    drafting.drafts[name] = apart


def wave_name(split: Split) -> str:
    """The wave that a split makes."""
    return f"{split.wave}/{split.name}"


def cut_loose(content: Content, split: Split) -> Content:
    """The content with one more split, whose services leave their units: their partners need them softly from now on.

    Whatever else needs them in the wave they leave makes `derive` refuse it.
    """
    units = {service.unit for service in content.inventory.services if service.id in split.services} - {None}
    services = tuple(_loosened(service, units, split.services) for service in content.inventory.services)
    return content.model_copy(
        update={
            "inventory": content.inventory.model_copy(update={"services": services}),
            "restart": content.restart.model_copy(update={"splits": (*content.restart.splits, split)}),
        }
    )


def _loosened(service: Service, units: set[str | None], leaving: tuple[str, ...]) -> Service:
    if service.id in leaving:
        return service.model_copy(update={"unit": None})
    if service.unit not in units:
        return service
    hard, soft = service.needs.reconnect, service.needs.soft
    needs = service.needs.model_copy(
        update={
            "reconnect": tuple(need for need in hard if need not in leaving),
            "soft": tuple(dict.fromkeys((*soft, *(need for need in hard if need in leaving)))),
        }
    )
    return service.model_copy(update={"needs": needs})


def _origin(drafting: Drafting, split: Split) -> Draft:
    drafts = drafting.drafts
    origin = drafts.get(split.wave)
    if origin is None:
        problem = f"there is no wave {split.wave}"
    elif wave_name(split) in drafts:
        problem = f"there is a wave {wave_name(split)} already"
    elif split.wave in drafting.passed:
        problem = f"the gate of {split.wave} has passed"
    elif strange := sorted(set(split.services) - origin.services):
        problem = f"{', '.join(strange)} does not come out in {split.wave}"
    else:
        return origin
    raise ContentError(f"The split {wave_name(split)} cannot be made: {problem}.", rule="waves.split", wave=split.wave)


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


def refuse_torn_units(graph: Graph, drafts: list[Draft]) -> None:
    """Raise ContentError where the splits left a unit in two waves."""
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
