"""Puts every host into a wave: foundations, one slice per function, and what completes each function.

Never splits a wave (`splits` does) and never says what its gate asks (`waves` does).
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Host
from orchestrator.plans import priority
from orchestrator.plans.model import Slice
from orchestrator.plans.needs import Graph

FOUNDATIONS = "foundations"
UNASSIGNED = "unassigned"


@dataclass(slots=True)
class Draft:
    """A wave before its gate is known; `after` is the one wave it follows, or none."""

    name: str
    function: str | None
    part: str
    rank: int
    after: str | None
    services: set[str] = field(default_factory=set)
    hosts: dict[str, Host] = field(default_factory=dict)

    def add(self, hosts: Iterable[Host]) -> None:
        """Put hosts into this wave."""
        self.hosts.update((host.id, host) for host in hosts)

    def posts(self, graph: Graph) -> list[Host]:
        """Its workstations that play no service: the gate asks for two thirds of them at each site."""
        members = (host for host in self.hosts.values() if host.kind == "workstation")
        return [host for host in members if graph.services.keys().isdisjoint(host.services)]


@dataclass(slots=True)
class Drafting:
    """The drafts so far, in the order they were made, with what must be said about them."""

    graph: Graph
    ranks: dict[str, int]
    layers: priority.Layers
    drafts: dict[str, Draft] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def root(self) -> str | None:
        """What every slice follows."""
        return FOUNDATIONS if FOUNDATIONS in self.drafts else None

    def keep(self, draft: Draft, services: Iterable[str], hosts: Iterable[Host]) -> bool:
        """Fill a draft with all hosts of `services` and with `hosts`; without any host it is not a wave."""
        for service in sorted(services):
            if self.graph.players[service]:
                draft.services.add(service)
                draft.add(self.graph.players[service])
        draft.add(hosts)
        if draft.hosts:
            self.drafts[draft.name] = draft
        return bool(draft.hosts)


def draft_all(drafting: Drafting) -> None:
    """Fill `drafting` from its layers, function by function in rank order."""
    layers, ranks = drafting.layers, drafting.ranks
    drafting.keep(Draft(FOUNDATIONS, None, FOUNDATIONS, 0, None), layers.foundations, ())
    pinned = set(drafting.graph.content.restart.pinned)
    previous = drafting.root()
    for function, rank in ranks.items():
        after = previous if function in pinned else drafting.root()
        posts = _posts(drafting, function)
        slice_wave = Draft(f"{function}/slice", function, "slice", rank, after)
        if drafting.keep(slice_wave, layers.slices[function], posts):
            after = slice_wave.name
            previous = after if function in pinned else previous
        chosen = {post.id for post in posts}
        rest = [host for host in drafting.graph.others.get(function, ()) if host.id not in chosen]
        _complete(drafting, function, after, rest)
    last = Draft(f"{UNASSIGNED}/rest-1", None, "rest-1", 2 * len(ranks), drafting.root())
    drafting.keep(last, layers.leftovers[""], drafting.graph.others.get("", ()))


def _complete(drafting: Drafting, function: str, after: str | None, rest: list[Host]) -> None:
    """The canary with the services nobody needs, then all that remains."""
    rank = priority.later(drafting.ranks[function], drafting.ranks)
    canary = _spread(rest, drafting.graph.content.restart.canary)
    first = Draft(f"{function}/rest-1", function, "rest-1", rank, after)
    if drafting.keep(first, drafting.layers.leftovers[function], canary):
        others = [host for host in rest if host.id not in first.hosts]
        drafting.keep(Draft(f"{function}/rest-2", function, "rest-2", rank, first.name), (), others)


def _spread(hosts: list[Host], count: int) -> list[Host]:
    """The first host of every site, then the second of every site, and so on until there are `count`."""
    seen: Counter[str] = Counter()
    turns = []
    for host in hosts:
        turns.append((seen[host.site], host.site, host))
        seen[host.site] += 1
    return [host for *_, host in heapq.nsmallest(count, turns, key=lambda turn: turn[:2])]


def _posts(drafting: Drafting, function: str) -> list[Host]:
    """The named posts of each site, else its first workstations."""
    restart = drafting.graph.content.restart
    named = restart.slices.get(function, Slice()).posts
    by_site: dict[str, list[Host]] = defaultdict(list)
    for host in drafting.graph.others.get(function, ()):
        if host.kind == "workstation":
            by_site[host.site].append(host)
    posts = [post for site in sorted(named) for post in _named_posts(function, site, named[site], by_site[site])]
    default = sorted(by_site.keys() - named.keys())
    posts.extend(host for site in default for host in by_site[site][: restart.posts_per_site])
    if default:
        drafting.warnings.append(
            f"No posts are named for {function} at {', '.join(default)}: the first workstations there are "
            f"taken, at most {restart.posts_per_site} a site. Name the ones the ward needs first."
        )
    return posts


def _named_posts(function: str, site: str, names: tuple[str, ...], hosts: list[Host]) -> list[Host]:
    known = {host.id: host for host in hosts}
    for name in names:
        if name not in known:
            raise ContentError(
                f"{name} is named as a post of {function} at {site}, but no workstation of that function and site "
                "that comes back has this id.",
                rule="waves.posts",
                host=name,
                function=function,
                site=site,
            )
    return [known[name] for name in dict.fromkeys(names)]


def in_order(drafts: dict[str, Draft]) -> list[Draft]:
    """Every wave behind the one it follows, otherwise by rank, then by name."""
    followers: dict[str | None, list[Draft]] = defaultdict(list)
    for draft in drafts.values():
        followers[draft.after].append(draft)
    ready = [(draft.rank, draft.name) for draft in followers[None]]
    heapq.heapify(ready)
    found = []
    while ready:
        _, name = heapq.heappop(ready)
        found.append(drafts[name])
        for draft in followers[name]:
            heapq.heappush(ready, (draft.rank, draft.name))
    return found
