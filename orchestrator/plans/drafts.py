"""Puts every host into a wave: foundations, one slice per function, and what completes each function.

Never splits a wave (`splits` does), never says what its gate asks (`waves` does), and never takes anyone out of a
launched wave: what is new joins its service's wave while that gate has not passed, else the next one behind it.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Host
from orchestrator.plans import priority
from orchestrator.plans.model import Gate, Slice, Wave
from orchestrator.plans.needs import Graph

FOUNDATIONS = "foundations"
UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Kept:
    """A wave as it stands in mid-incident, which a change of content must leave as it is."""

    wave: Wave
    passed: bool


@dataclass(slots=True)
class Draft:
    """A wave before its gate is known; `after` is the one wave it follows, or none. `kept` is that of a kept wave."""

    name: str
    function: str | None
    part: str
    rank: int
    after: str | None
    services: set[str] = field(default_factory=set)
    hosts: dict[str, Host] = field(default_factory=dict)
    kept: Gate | None = None

    def add(self, hosts: Iterable[Host]) -> None:
        """Put hosts into this wave."""
        self.hosts.update((host.id, host) for host in hosts)

    def posts(self, graph: Graph) -> list[Host]:
        """Its workstations that play no service: the gate asks for two thirds of them at each site."""
        members = (host for host in self.hosts.values() if host.kind == "workstation")
        return [host for host in members if graph.services.keys().isdisjoint(host.services)]


@dataclass(slots=True)
class Drafting:
    """The drafts so far, in the order they were made, with what must be said about them.

    `placed` are the hosts and `homes` the services of kept waves, `passed` those whose gate has passed; `late` is what
    is new and comes too late for a kept wave, services and hosts by the base of its name (`foundations`, a function).
    """

    graph: Graph
    ranks: dict[str, int]
    layers: priority.Layers
    drafts: dict[str, Draft] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    placed: set[str] = field(default_factory=set)
    homes: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    late: dict[str, tuple[set[str], list[Host]]] = field(default_factory=dict)

    def root(self) -> str | None:
        """What every slice follows."""
        return FOUNDATIONS if FOUNDATIONS in self.drafts else None

    def keep(self, draft: Draft, services: Iterable[str], hosts: Iterable[Host]) -> bool:
        """Fill a draft with all hosts of `services` and with `hosts`; without any host it is not a wave."""
        known = self.drafts.get(draft.name)
        if known is not None:  # a launched wave takes nothing that is new
            self.add_late(draft.function or draft.name, set(services) - self.homes, ())
            return True
        for service in sorted(set(services) - self.homes):
            if self.graph.players[service]:
                draft.services.add(service)
                draft.add(self.free(self.graph.players[service]))
        draft.add(self.free(hosts))
        if draft.hosts:
            self.drafts[draft.name] = draft
        return bool(draft.hosts)

    def free(self, hosts: Iterable[Host]) -> list[Host]:
        """Those that stand in no kept wave."""
        return [host for host in hosts if host.id not in self.placed]

    def add_late(self, base: str, services: Iterable[str], hosts: Iterable[Host]) -> None:
        """What comes out behind the kept waves of `base`."""
        found = self.late.setdefault(base, (set(), []))
        found[0].update(services)
        found[1].extend(hosts)


def keep_waves(drafting: Drafting, kept: Iterable[Kept]) -> None:
    """Puts the kept waves into `drafting` as they stand; new hosts of their services join while the gate is open."""
    known = {host.id: host for host in drafting.graph.content.inventory.hosts}
    waves = list(kept)
    for one in waves:
        drafting.placed.update(one.wave.hosts)
        drafting.homes.update(one.wave.services)
        drafting.passed.update({one.wave.name} if one.passed else ())
    for wave in (one.wave for one in waves):
        rank = _kept_rank(wave, drafting.ranks)
        draft = Draft(wave.name, wave.function, wave.part, rank, next(iter(wave.after), None), set(wave.services))
        draft.kept = wave.gate
        draft.add(known[host] for host in wave.hosts)
        joining = [host for service in wave.services for host in drafting.free(drafting.graph.players.get(service, ()))]
        if wave.name in drafting.passed:
            drafting.add_late(wave.function or wave.name.partition("/")[0], (), joining)
        else:
            draft.add(joining)
            drafting.placed.update(host.id for host in joining)
        drafting.drafts[wave.name] = draft


def _kept_rank(wave: Wave, ranks: dict[str, int]) -> int:
    if wave.function is None:
        return wave.rank
    rank = ranks.get(wave.function, len(ranks))
    return rank if wave.part == "slice" else priority.later(rank, ranks)


def draft_all(drafting: Drafting) -> None:
    """Fill `drafting` from its layers, function by function in rank order."""
    layers, ranks = drafting.layers, drafting.ranks
    drafting.keep(Draft(FOUNDATIONS, None, FOUNDATIONS, 0, None), layers.foundations, ())
    _follow(drafting, FOUNDATIONS, None, 0, drafting.root())
    pinned = set(drafting.graph.content.restart.pinned)
    previous = drafting.root()
    for function, rank in ranks.items():
        after = previous if function in pinned else drafting.root()
        slice_wave = Draft(f"{function}/slice", function, "slice", rank, after)
        posts = [] if slice_wave.name in drafting.drafts else _posts(drafting, function)
        if drafting.keep(slice_wave, layers.slices[function], posts):
            after = slice_wave.name
            previous = after if function in pinned else previous
        chosen = {post.id for post in posts}
        rest = [host for host in drafting.graph.others.get(function, ()) if host.id not in chosen]
        drafting.add_late(function, layers.leftovers[function], rest)
        _follow(drafting, function, function, priority.later(rank, ranks), after)
    drafting.add_late(UNASSIGNED, layers.leftovers[""], drafting.graph.others.get("", ()))
    _follow(drafting, UNASSIGNED, None, 2 * len(ranks), drafting.root())


def _follow(drafting: Drafting, base: str, function: str | None, rank: int, after: str | None) -> None:
    """What completes `base`, behind those of its waves that are launched; a function's first is a canary."""
    services, hosts = drafting.late.pop(base, (set(), []))
    number = 1
    while (name := f"{base}/rest-{number}") in drafting.drafts:
        number, after = number + 1, name
    waiting = drafting.free(hosts)
    canary = number == 1 and base in drafting.ranks
    taken = _spread(waiting, drafting.graph.content.restart.canary) if canary else waiting
    first = Draft(name, function, f"rest-{number}", rank, after)
    if canary:
        taken += [host for host in waiting if not drafting.graph.services.keys().isdisjoint(host.services)]
    if drafting.keep(first, services, taken):
        others = [host for host in waiting if host.id not in first.hosts]
        drafting.keep(Draft(f"{base}/rest-{number + 1}", function, f"rest-{number + 1}", rank, name), (), others)


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
        if host.kind == "workstation" and host.id not in drafting.placed:
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
