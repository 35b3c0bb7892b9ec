"""Says whom a host may have infected, or shares its infection with: every such host, each with its reasons.

Never isolates, condemns or clears anybody: what stands here is proposed to people. It knows the needs and interfaces
that content declares and where hosts were restored from; of traffic that nobody declared it knows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.decision.requirements import HOST_STEPS, RECONNECT
from orchestrator.decision.stages import GONE, OUT, RESTORING
from orchestrator.decision.state import State


@dataclass(frozen=True, slots=True)
class Exposed:
    """A host that may be infected because `source` is, with the reasons in words, and how many hosts lie between."""

    host: int
    source: int
    distance: int
    reasons: tuple[str, ...]


def exposure(state: State, host: int, distance_max: int = 1) -> list[Exposed]:
    """Every host within `distance_max` contacts of `host`, nearest and most urgent first, each under its first source.

    Only hosts that are out pass an infection on; what shares its origin with `host` stands at distance 1.
    """
    found: dict[int, Exposed] = {}
    edge = [host]
    for distance in range(1, distance_max + 1):
        reached: dict[int, Exposed] = {}
        for source in edge:
            links = contacts(state, source)
            if distance == 1:
                _add_origins(state, source, links)
            for other, reasons in links.items():
                if other != host and other not in found and other not in reached:
                    reached[other] = Exposed(other, source, distance, tuple(dict.fromkeys(reasons)))
        found |= reached
        edge = sorted((one for one in reached if state.stage[one] in OUT), key=state.urgency.__getitem__)
    return sorted(found.values(), key=lambda one: (one.distance, state.urgency[one.host]))


def contacts(state: State, host: int) -> dict[int, list[str]]:
    """Who uses what the host plays, who plays what it uses, and the other ends of its interfaces, with the reasons."""
    estate, stage = state.estate, state.stage
    found: dict[int, list[str]] = {}

    def add(others: list[int], reason: str) -> None:
        for other in others:
            found.setdefault(other, []).append(reason)

    for service in estate.services_of[host]:
        name = estate.services[service]
        for step in range(len(HOST_STEPS)):
            users = [one for one in estate.dependents[step][service] if one != host]
            in_quarantine = step != RECONNECT  # what restores and inspects a host is spoken to before it is out
            add([one for one in users if stage[one] in OUT or (in_quarantine and _begun(state, one))], f"uses {name}")
    group = estate.group(host)
    for service in dict.fromkeys((*(need for needs in group.needs for need in needs), *group.unit_needs)):
        players = [one for one in estate.players[service] if one != host and stage[one] in OUT]
        add(players, f"plays {estate.services[service]}, which it uses")
    for subject, ends in estate.ends_of.items():
        for mine, other_end in (ends, ends[::-1]):
            if mine in estate.services_of[host]:
                others = [one for one in estate.players[other_end] if one != host and stage[one] in OUT]
                add(others, f"is the other end of {subject.partition(':')[2]}")
    return found


def _add_origins(state: State, host: int, found: dict[int, list[str]]) -> None:
    """Hosts that hold credentials it holds, or came from where it came: the same restore point, or image."""
    estate = state.estate
    point_us, klass, held = state.restore_point_us[host], estate.group(host).klass.id, _credentials(state, host)
    for other in range(len(estate.hosts)):
        shared = held & _credentials(state, other) if held and other != host and _begun(state, other) else set()
        for name in sorted(shared):
            found.setdefault(other, []).append(f"holds the same credentials ({name})")
        if other == host or estate.group(other).klass.id != klass or not _begun(state, other):
            continue
        if point_us and state.restore_point_us[other] == point_us:
            found.setdefault(other, []).append("was restored from the same restore point")
        elif state.image[host] and state.image[other] == state.image[host]:
            lot = any({host, other} <= one.members for one in state.lots.values())
            found.setdefault(other, []).append(f"was made from the same image{', in the same lot' * lot}")
        elif state.strategy[host] == state.strategy[other] == "reimage":
            found.setdefault(other, []).append(f"has the same image ({klass})")


def _credentials(state: State, host: int) -> set[str]:
    services = state.estate.content.inventory.services
    return {group for service in state.estate.services_of[host] for group in services[service].credentials}


def _begun(state: State, host: int) -> bool:
    """Whether its restore runs or has run."""
    return state.stage[host] >= RESTORING and state.stage[host] not in GONE
