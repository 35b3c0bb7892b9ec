"""Takes a smaller estate out of a larger one: whole functions in their order, quorums and units intact.

Never changes what a host or a service is; it only leaves some out, and says nothing about timing or addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.errors import UsageError
from orchestrator.inventory.model import Function, Host, Inventory, Needs, Service
from orchestrator.plans import needs
from orchestrator.plans.model import Content, HostClass, Restart, Slice
from orchestrator.plans.priority import function_ranks

POSTS_PER_SITE = 3


def scaled(content: Content, hosts: int) -> Content:
    """`content` with about `hosts` hosts: as many functions as fit, most urgent first, then more of their hosts.

    Raises UsageError when the first function does not fit: a drill without it would prove nothing that matters.
    """
    if hosts >= len(content.inventory.hosts):
        return content
    first, *others = _by_rank(content)
    functions, kept = [first], _wanted(content, [first])
    if len(kept) > hosts:
        raise UsageError(
            f"{hosts} hosts are too few: {first.id} needs at least {len(kept)}.", hosts=hosts, least=len(kept)
        )
    for function in others:
        with_it = kept | _wanted(content, [*functions, function])
        if len(with_it) <= hosts:
            kept = with_it
            functions.append(function)
    return without_others(content, functions, _filled(content, functions, kept, hosts))


def practised(whole: Content, part: Content) -> list[str]:
    """What of the whole estate is practised and what `scaled` left out or moved, a sentence each."""
    functions = [function.id for function in part.inventory.functions]
    known = {service.id: service.function for service in whole.inventory.services}
    moved = [service.id for service in part.inventory.services if service.function != known[service.id]]
    said = [
        f"Practised: {len(functions)} of {len(whole.inventory.functions)} functions: {', '.join(functions)}.",
        f"Practised: {len(part.inventory.hosts)} of {len(whole.inventory.hosts)} hosts.",
    ]
    if moved:
        said.append(f"Their own function is left out, so they stand with {functions[0]}: {', '.join(moved)}.")
    if whole.restart.splits and not part.restart.splits:
        said.append("The splits of the plan are left out.")
    return said


def _by_rank(content: Content) -> list[Function]:
    ranks = function_ranks(content)
    return sorted(content.inventory.functions, key=lambda function: ranks[function.id])


def _services(content: Content, functions: Iterable[Function]) -> set[str]:
    """The services the functions and the foundations reach through hard needs."""
    graph = needs.build(content)
    roots = {service.id for service in graph.services.values() if service.function is None}
    for function in functions:
        roots |= needs.function_roots(graph, function.id, function.services)
    return needs.closure(graph, roots, set())


def _wanted(content: Content, functions: list[Function]) -> set[str]:
    """A quorum of each service, and up to three posts of each function at each of its first two sites."""
    services = _services(content, functions)
    kept: set[str] = set()
    off = needs.left_off(content)
    places = [host for host in content.inventory.hosts if host.id not in off]
    for service in content.inventory.services:
        if service.id not in services or service.kind == "outside":
            continue
        players = sorted((host for host in places if service.id in host.services), key=lambda host: -len(host.services))
        have = sum(host.id in kept for host in players)
        for host in players:
            if have >= service.quorum:
                break
            if host.id not in kept:
                kept.add(host.id)
                have += 1
    for function in functions:
        kept |= _posts(content, function)
    return kept


def _posts(content: Content, function: Function) -> set[str]:
    chosen: set[str] = set()
    sites: dict[str, int] = {}
    named = content.restart.slices.get(function.id, Slice()).posts
    posts = [host for host in content.inventory.hosts if host.function == function.id and host.kind == "workstation"]
    posts.sort(key=lambda host: host.id not in named.get(host.site, ()))
    for host in posts:
        if sites.get(host.site, 0) < POSTS_PER_SITE and (host.site in sites or len(sites) < 2):
            sites[host.site] = sites.get(host.site, 0) + 1
            chosen.add(host.id)
    return chosen


def _filled(content: Content, functions: list[Function], kept: set[str], hosts: int) -> set[str]:
    """Adds surplus servers of kept services and workstations of kept functions, in turn, up to `hosts`."""
    chosen = {function.id for function in functions}
    services = _services(content, functions)
    others = [host for host in content.inventory.hosts if host.id not in kept]
    servers = [host for host in others if host.services and set(host.services) <= services]
    posts = [host for host in others if host.function in chosen and host.kind == "workstation"]
    room = max(0, hosts - len(kept))
    surplus = servers[: room // 4]
    return kept | {host.id for host in (*surplus, *posts[: room - len(surplus)])}


@dataclass(frozen=True, slots=True)
class _Kept:
    """What stays, by id; `functions` most urgent first."""

    functions: tuple[str, ...]
    services: set[str]
    sites: set[str]
    hosts: set[str]


def without_others(content: Content, functions: list[Function], hosts: set[str]) -> Content:
    """`content` with only these functions and hosts, and nothing that points at what was left out."""
    places = [host for host in content.inventory.hosts if host.id in hosts]
    services = {service for host in places for service in host.services}
    services |= {service.id for service in content.inventory.services if service.kind == "outside"}
    kept = _Kept(tuple(function.id for function in functions), services, {host.site for host in places}, hosts)
    inventory = _inventory(content.inventory, functions, kept)
    subjects = kept.services | {one.id for one in inventory.interfaces} | {host.klass for host in places}
    pools = tuple(
        pool.model_copy(update={"per_site": {site: n for site, n in pool.per_site.items() if site in kept.sites}})
        for pool in content.capacity.pools
    )
    return content.model_copy(
        update={
            "inventory": inventory,
            "checks": tuple(one for one in content.checks if (one.service or one.interface or one.klass) in subjects),
            "classes": tuple(_class(one, services) for one in content.classes if one.id in subjects),
            "capacity": content.capacity.model_copy(update={"pools": pools}),
            "restart": _restart(content.restart, set(kept.functions), kept.sites, hosts),
        }
    )


def _inventory(inventory: Inventory, functions: list[Function], kept: _Kept) -> Inventory:
    services, sites = kept.services, kept.sites
    return Inventory.model_construct(
        sites=tuple(
            site.model_copy(update={"quarantine_flows": _among(site.quarantine_flows, services)})
            for site in inventory.sites
            if site.id in sites
        ),
        functions=tuple(_function(function, services, sites) for function in functions),
        activities=tuple(
            activity.model_copy(update={"sites": _among(activity.sites, sites)})
            for activity in inventory.activities
            if set(activity.functions) <= set(kept.functions) and set(activity.sites) & sites
        ),
        services=tuple(_service(service, kept) for service in inventory.services if service.id in services),
        interfaces=tuple(one for one in inventory.interfaces if {one.source, one.target} <= services),
        hosts=tuple(_host(host, set(kept.functions)) for host in inventory.hosts if host.id in kept.hosts),
        devices=tuple(
            device
            for device in inventory.devices
            if device.site in sites and device.function in (None, *kept.functions)
        ),
    )


def _function(function: Function, services: set[str], sites: set[str]) -> Function:
    return function.model_copy(
        update={
            "services": tuple(service for service in function.services if service in services),
            "sites": tuple(site for site in function.sites if site in sites),
        }
    )


def _service(service: Service, kept: _Kept) -> Service:
    """The same service; where its own function was left out, the most urgent one that stays answers for it."""
    known = service.function is None or service.function in kept.functions
    function = service.function if known else kept.functions[0]
    return service.model_copy(update={"needs": _needs(service.needs, kept.services), "function": function})


def _host(host: Host, functions: set[str]) -> Host:
    return host if host.function is None or host.function in functions else host.model_copy(update={"function": None})


def _class(one: HostClass, services: set[str]) -> HostClass:
    return one.model_copy(update={"needs": _needs(one.needs, services)})


def _needs(asked: Needs, services: set[str]) -> Needs:
    return Needs(**{step: _among(getattr(asked, step), services) for step in Needs.model_fields})


def _among(names: Iterable[str], kept: set[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in kept)


def _restart(restart: Restart, functions: set[str], sites: set[str], hosts: set[str]) -> Restart:
    slices = {
        function: Slice(posts=_slice_posts(chosen, sites, hosts))
        for function, chosen in restart.slices.items()
        if function in functions
    }
    return restart.model_copy(
        update={
            "order": tuple(function for function in restart.order if function in functions),
            "pinned": tuple(function for function in restart.pinned if function in functions),
            "slices": slices,
            "gates": {},
            "splits": (),
            "leave_off": tuple(host for host in restart.leave_off if host in hosts),
            "no_waiver": tuple(host for host in restart.no_waiver if host in hosts),
        }
    )


def _slice_posts(chosen: Slice, sites: set[str], hosts: set[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for site, posts in chosen.posts.items():
        here = tuple(post for post in posts if post in hosts)
        if site in sites and here:
            found[site] = here
    return found
