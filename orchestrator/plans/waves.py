"""Derives the plan from the content: every wave with its gate, and the priority of every host.

Never reads a file: the same content, and in mid-incident the same waves to keep, give the same plan, byte for byte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Host
from orchestrator.plans import priority
from orchestrator.plans.drafts import Draft, Drafting, Kept, draft_all, in_order, keep_waves
from orchestrator.plans.model import Content, Gate, GateRule, Plan, Wave
from orchestrator.plans.needs import Graph, build, find_cycles
from orchestrator.plans.splits import refuse_torn_units, set_apart, wave_name
from orchestrator.plans.waits import Judges, Waits, refuse_gates_that_wait_for_themselves


def derive(content: Content, kept: Sequence[Kept] = ()) -> Plan:
    """The plan of `content`, around the waves that are `kept` as they stand. Raises ContentError where none can exist.

    That is: services that wait for each other, quorums larger than what is there, posts that are none, splits that
    tear a unit, and gates that would wait for themselves, by what a wave needs or by an interface they judge.
    """
    graph = build(content)
    for error in find_cycles(graph):
        raise error
    ranks = priority.function_ranks(content)
    drafting = Drafting(graph, ranks, priority.layers(graph, ranks))
    keep_waves(drafting, kept)
    draft_all(drafting)
    made = {one.wave.name for one in kept}
    for split in content.restart.splits:
        if wave_name(split) not in made:
            set_apart(drafting, split)
    drafts = in_order(drafting.drafts)
    candidates = _candidates(graph, drafts)
    _refuse_impossible_quorums(drafting, candidates)
    waits = None  # as first drafted, waves follow their needs: no gate waits for itself
    if content.restart.splits or kept:
        waits = Waits(drafting)
        refuse_torn_units(graph, drafts)
        refuse_gates_that_wait_for_themselves(graph, drafts, waits)
    _warn_of_unknown_gates(drafting)
    return _plan(drafting, drafts, candidates, _judges(drafting, drafts, waits))


def _judges(drafting: Drafting, drafts: list[Draft], waits: Waits | None) -> Judges:
    judges = Judges(drafts, drafting.graph.content.restart.gates, waits)
    judges.give(drafting.graph.content.inventory.interfaces)
    return judges


def _candidates(graph: Graph, drafts: list[Draft]) -> dict[str, list[Host]]:
    """For each service the hosts that come out with it; those a split put later do not count at its gate."""
    return {
        service: [host for host in graph.players[service] if host.id in draft.hosts]
        for draft in drafts
        for service in draft.services
    }


def _refuse_impossible_quorums(drafting: Drafting, candidates: dict[str, list[Host]]) -> None:
    """A service nothing needs may have no host left; it then stays out, with a warning."""
    spare = frozenset().union(*drafting.layers.leftovers.values())
    short = []
    for service, found in sorted(drafting.graph.services.items()):
        have = len(candidates.get(service, ()))
        if have == 0 and service in spare:
            drafting.warnings.append(f"{service} has no host that comes back and nothing needs it: it stays out.")
        elif have < found.quorum:
            short.append((service, f"{service} needs {found.quorum} hosts in its wave and has {have}"))
    if short:
        raise ContentError(
            f"Services without enough hosts: {'; '.join(told for _, told in short)}. "
            "Add hosts, lower the quorum, or take the service away.",
            rule="waves.quorum",
            services=[service for service, _ in short],
        )


def _warn_of_unknown_gates(drafting: Drafting) -> None:
    for name in sorted(drafting.graph.content.restart.gates.keys() - drafting.drafts.keys()):
        near = get_close_matches(name, drafting.drafts, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        drafting.warnings.append(f"restart.yaml has a rule for the gate of {name}, and there is no such wave{hint}")
    order = [each for each in drafting.ranks if each in drafting.graph.content.restart.pinned]
    pinned = [each for each in drafting.graph.content.restart.pinned if each in drafting.ranks]
    if order != pinned:
        drafting.warnings.append(
            f"Pinned functions follow each other in the order of restart.yaml: {', '.join(order)}."
        )


def _plan(drafting: Drafting, drafts: list[Draft], candidates: dict[str, list[Host]], judges: Judges) -> Plan:
    graph, ranks = drafting.graph, drafting.ranks
    inherited = priority.service_ranks(drafting.layers, ranks)
    chosen = priority.choose_quorums(graph, candidates, inherited, ranks)
    tail_s = priority.tails(graph) | priority.tails_of_surplus(graph, candidates, chosen)
    for draft in drafts:
        if draft.part == "slice":
            chosen.update((post.id, draft.rank) for post in draft.posts(graph))
    waves = tuple(
        _wave(draft, _kept(draft.kept, draft, judges) if draft.kept else _gate(graph, draft, judges))
        for draft in drafts
    )
    return Plan(
        digest=graph.content.digest,
        waves=waves,
        ranks=priority.host_ranks(graph, chosen, inherited, ranks),
        quorum=frozenset(chosen),
        tail_s=tail_s | dict.fromkeys(_posts_to_spare(waves), 0),
        warnings=tuple(drafting.warnings),
    )


def _posts_to_spare(waves: Sequence[Wave]) -> Iterator[str]:
    """The posts of each slice and site beyond those its gate asks for."""
    for gate in (wave.gate for wave in waves if wave.part == "slice"):
        for site, posts in gate.posts.items():
            yield from posts[gate.need[site] :]


def _wave(draft: Draft, gate: Gate) -> Wave:
    return Wave(
        name=draft.name,
        function=draft.function,
        part=draft.part,
        rank=draft.rank,
        after=() if draft.after is None else (draft.after,),
        services=tuple(sorted(draft.services)),
        hosts=tuple(sorted(draft.hosts)),
        gate=gate,
    )


def _kept(gate: Gate, draft: Draft, judges: Judges) -> Gate:
    """A kept gate, less the interfaces that another gate judges now."""
    links = tuple(link for link in gate.interfaces if judges.at.get(link, draft.name) == draft.name)
    return gate.model_copy(update={"interfaces": links})


def _gate(graph: Graph, draft: Draft, judges: Judges) -> Gate:
    """Quorums, interfaces not waived, and two thirds of the wave's workstations at each site."""
    timing = graph.content.restart.timing
    rule = graph.content.restart.gates.get(draft.name, GateRule())
    posts: dict[str, list[str]] = defaultdict(list)
    for host in sorted(draft.posts(graph), key=lambda each: (each.site, each.id)):
        posts[host.site].append(host.id)
    judged = sorted(link for link, wave in judges.at.items() if wave == draft.name)
    return Gate(
        services={service: graph.services[service].quorum for service in sorted(draft.services)},
        interfaces=tuple(judged),
        owed_interfaces=tuple(sorted(judges.owed[draft.name])),
        posts={site: tuple(hosts) for site, hosts in posts.items()},
        need={site: -(-2 * len(hosts) // 3) for site, hosts in posts.items()},
        soak_s=timing.soak_s if rule.soak_s is None else rule.soak_s,
        passes=timing.passes if rule.passes is None else rule.passes,
    )
