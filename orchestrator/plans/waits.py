"""Says whether a gate would wait for what waits for that very gate, and gives each interface to a gate that does not.

Never decides where a service comes out: it answers for the waves as they are drafted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Interface
from orchestrator.plans.drafts import Draft, Drafting
from orchestrator.plans.model import GateRule
from orchestrator.plans.needs import Graph, by_step


class Waits:
    """Who waits for which gate: by hard needs, by the gate before a wave, and by what that gate asks for.

    A gate that has passed keeps nobody waiting.
    """

    def __init__(self, drafting: Drafting) -> None:
        self._graph, self._drafts, self._passed = drafting.graph, drafting.drafts, drafting.passed
        self._home = {service: draft.name for draft in drafting.drafts.values() for service in draft.services}
        self._asked = {draft.name: {*draft.services, *_of_posts(drafting.graph, draft)} for draft in
                       drafting.drafts.values()}  # fmt: skip

    def ask(self, wave: str, services: Sequence[str]) -> bool:
        """The gate of `wave` asks for these services as well from now on, unless one of them waits for it."""
        if any(self.waits_for(service, wave) for service in services):
            return False
        self._asked[wave].update(services)
        return True

    def waits_for(self, service: str, wave: str) -> bool:
        """Whether a service can come up only once the gate of a wave has passed."""
        gates: set[str] = set()
        services, waiting = {service}, [service]
        while waiting:
            one = waiting.pop()
            found = {to for to, need in self._graph.needs.get(one, {}).items() if need.hard}
            for gate in self._gates_before(one, gates):
                if gate == wave:
                    return True
                found |= self._asked[gate]
            waiting.extend(found - services)
            services |= found
        return False

    def _gates_before(self, service: str, known: set[str]) -> Iterator[str]:
        """The gates in front of a service's wave that are not `known` yet, nearest first; notes them there."""
        draft = self._drafts.get(self._home.get(service, ""))
        while draft is not None and draft.after is not None and draft.after not in self._passed | known:
            known.add(draft.after)
            yield draft.after
            draft = self._drafts[draft.after]


def refuse_gates_that_wait_for_themselves(graph: Graph, drafts: Iterable[Draft], waits: Waits) -> None:
    """What a wave needs must not wait for the gate of that wave; a split or a late need can bring that about."""
    home = {service: draft.name for draft in drafts for service in draft.services}
    for draft in drafts:
        for source, needed in _needed(graph, draft):
            if waits.waits_for(needed, draft.name):
                raise ContentError(
                    f"{source} in {draft.name} needs {needed}, which comes out in {home[needed]} and waits for the "
                    f"gate of {draft.name}.",
                    rule="waves.behind",
                    service=needed,
                    waves=[draft.name, home[needed]],
                )


class Judges:
    """Which gate judges which interface: that of the wave with its last inside end, if that would not wait for itself.

    `at` is the wave by interface. What no gate judges is not in it: waived, an end outside, or written when both ends
    had come out.
    """

    def __init__(self, drafts: list[Draft], rules: Mapping[str, GateRule], waits: Waits | None) -> None:
        self.at: dict[str, str] = {}
        self.owed: dict[str, list[str]] = {draft.name: [] for draft in drafts}
        self._drafts, self._rules, self._waits = drafts, rules, waits
        self._place = {service: number for number, draft in enumerate(drafts) for service in draft.services}

    def give(self, links: Iterable[Interface]) -> None:
        """Finds a gate for each, first for those that a kept gate judges; raises ContentError where there is none."""
        held = {link for draft in self._drafts if draft.kept for link in draft.kept.interfaces}
        for link in sorted(links, key=lambda each: (each.id not in held, each.id)):
            ends = [self._place[end] for end in (link.source, link.target) if end in self._place]
            if len(ends) == 2:
                self._judge(link, self._drafts[max(ends)])
            if ends and link.id not in self.at:
                self.owed[self._drafts[max(ends)].name].append(link.id)

    def _judge(self, link: Interface, last: Draft) -> None:
        could = [draft for draft in self._drafts if draft.kept and link.id in draft.kept.interfaces]
        if self._may(last, link):
            could.insert(0, last)
        for draft in could:
            if self._waits is None or self._waits.ask(draft.name, (link.source, link.target)):
                self.at[link.id] = draft.name
                return
        if could:
            waive = "" if could[0].kept else ", or waive the interface in the rule of that gate"
            raise ContentError(
                f"The gate of {could[0].name} judges the interface {link.id}, and an end of it would wait for that "
                f"gate. Set another part apart, or leave the need out{waive}.",
                rule="waves.interface",
                interface=link.id,
                waves=[draft.name for draft in could],
            )

    def _may(self, draft: Draft, link: Interface) -> bool:
        rule = self._rules.get(draft.name)
        return draft.kept is None and (rule is None or link.id not in rule.without_interfaces)


def _of_posts(graph: Graph, draft: Draft) -> set[str]:
    """What the workstations of a gate need."""
    return {service for host in draft.posts(graph) for service in graph.class_needs.get(host.klass, ())}


def _needed(graph: Graph, draft: Draft) -> Iterator[tuple[str, str]]:
    """Who in a wave needs which service: the services its hosts play, and their classes."""
    played = {service for host in draft.hosts.values() for service in host.services if service in graph.services}
    for service in sorted(played):
        yield from ((service, needed) for _, needed in by_step(graph.services[service].needs))
    for klass in sorted({host.klass for host in draft.hosts.values()}):
        yield from ((f"Class {klass}", needed) for needed in sorted(graph.class_needs.get(klass, ())))
