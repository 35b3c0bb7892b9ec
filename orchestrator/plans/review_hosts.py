"""Finds hosts that could not be reached, worked on or released, and sites and shifts that lack what work needs.

Never blocks the estate for what concerns single hosts: those errors name the hosts.
"""

from __future__ import annotations

from collections import defaultdict
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

from orchestrator.inventory.model import Host
from orchestrator.plans.model import HostClass, Pool
from orchestrator.plans.report import Report, listed

ANALYSTS_MIN = 2
# From 240.0.0.0 on addresses are reserved and nobody has one; `lay_down` takes them where it knows none.
RESERVED = 240


def review_hosts(report: Report) -> None:
    """Hosts one by one, their addresses, the pools of their sites, and the people."""
    _review_hosts(report)
    _review_classes(report)
    _review_limits(report)
    _review_addresses(report)
    _review_whereabouts(report)
    _review_networks(report)
    _review_pools(report)
    _review_roster(report)
    _review_shifts(report)
    _review_samples(report)


def _review_hosts(report: Report) -> None:
    classes = {klass.id: klass for klass in report.content.classes}
    outside = {each.id for each in report.content.inventory.services if each.kind == "outside"}
    for host in report.content.inventory.hosts:
        about = ("host", host.id)
        if host.klass in classes and classes[host.klass].kind != host.kind:
            meant = classes[host.klass].kind
            message = f"The {host.kind} `{host.id}` is of class `{host.klass}`, which is for {meant}s."
            report.error(about, message, hosts=(host.id,))
        if host.kind == "server" and not host.services:
            report.add("debt", about, f"Nobody knows which services the server `{host.id}` plays.")
        if host.kind == "workstation" and host.function is None:
            report.add("debt", about, f"Nobody knows which function the workstation `{host.id}` serves.")
        for service in outside.intersection(host.services):
            message = f"The host `{host.id}` plays `{service}`, which is outside and has no hosts."
            report.error(about, message, hosts=(host.id,))


def _review_classes(report: Report) -> None:
    used = {host.klass for host in report.content.inventory.hosts}
    for klass in report.content.classes:
        about = ("class", klass.id)
        if klass.kind == "server" and klass.verdicts_required < ANALYSTS_MIN:
            message = f"Servers are signed clean by {ANALYSTS_MIN} analysts: one alone is for workstations in lots."
            report.error((*about, "verdicts_required"), message)
        elif klass.id in used and klass.verdicts_required < ANALYSTS_MIN:
            message = f"The release check lets a host of class `{klass.id}` out on one verdict only if a lot is signed."
            report.add("warning", (*about, "verdicts_required"), message)
        if klass.lots and (klass.kind == "server" or "restore" in klass.strategies):
            message = f"Only workstations that are always made anew are judged by lots: class `{klass.id}` is not."
            report.error((*about, "lots"), message)
        if klass.id in used and klass.cleanliness == "online" and not klass.needs.inspect:
            message = (
                f"Nobody knows what examines hosts of class `{klass.id}` while they run: it needs nothing to inspect."
            )
            report.add("debt", about, message)
        if klass.id in used and "restore" in klass.strategies and ":" not in klass.source:
            message = f"Nobody knows where hosts of class `{klass.id}` are restored from: its source is {klass.source}."
            report.add("debt", (*about, "source"), message)


def _review_limits(report: Report) -> None:
    """A verdict must outlive the time a reconnect may take."""
    valid_s = report.content.restart.timing.verdict_valid_s
    for klass in report.content.classes:
        if klass.limit_s.reconnect >= valid_s:
            message = (
                f"A reconnect of class `{klass.id}` may take {klass.limit_s.reconnect} s and a verdict is valid for "
                f"{valid_s} s, so none of its hosts could ever be reconnected."
            )
            report.error(("class", klass.id, "limit_s"), message)


def _review_addresses(report: Report) -> None:
    """A host answers at its own address, and so does each prober; managing systems may be shared."""
    taken: dict[str, tuple[str, str]] = {}
    for site in report.content.inventory.sites:
        if site.prober is not None:
            _take(report, taken, site.prober, ("site", site.id))
    for host in report.content.inventory.hosts:
        _take(report, taken, host.address, ("host", host.id))
    inventory = report.content.inventory
    paths = [("host", each.id, "management", each.management) for each in inventory.hosts]
    paths += [
        ("site", each.id, field, getattr(each, field)) for each in inventory.sites for field in ("gate", "control")
    ]
    for kind, name, field, address in paths:
        other = taken.get(address.partition(":")[0], ("", ""))
        if other[0] == "host" and other[1] != name:
            message = f"The {field} address {address} of `{name}` is that of `{other[1]}`, which goes down too."
            report.warn((kind, name, field), message)


def _take(report: Report, taken: dict[str, tuple[str, str]], address: str, about: tuple[str, str]) -> None:
    kind, name = taken.setdefault(address, about)
    if (kind, name) != about:
        message = f"The {about[0]} `{about[1]}` has the address {address}, as the {kind} `{name}` has."
        report.error(about, message, hosts=(name, about[1]) if kind == about[0] == "host" else ())


def _review_whereabouts(report: Report) -> None:
    """Addresses outside the networks of the site, those of a range that is nobody's, and sites without a prober."""
    here: dict[str, list[Host]] = defaultdict(list)
    for host in report.content.inventory.hosts:
        here[host.site].append(host)
    for site in report.content.inventory.sites:
        networks = [IPv4Network(text, strict=False) for text in site.networks]
        strange = [one.id for one in here[site.id] if not any(IPv4Address(one.address) in each for each in networks)]
        if networks and strange:
            message = f"Outside the networks of `{site.id}` are the addresses of {listed(strange)}."
            report.warn(("site", site.id, "networks"), message)
        if site.prober is None:
            message = f"`{site.id}` has no outside prober: its hosts can be restored, and none of them is released."
            report.warn(("site", site.id), message)
        edge = [site.control, site.gate, *([site.prober] if site.prober else [])]
        addresses = [*edge, *(one.address for one in here[site.id])]
        if any(int(text.partition(".")[0]) >= RESERVED for text in addresses):
            message = f"Nobody knows the addresses of `{site.id}` and its hosts: {RESERVED}.0.0.0 and up are made up."
            report.add("debt", ("site", site.id), message)


def _review_networks(report: Report) -> None:
    networks: list[tuple[str, int, IPv4Network]] = []
    for site in report.content.inventory.sites:
        for index, text in enumerate(site.networks):
            try:
                networks.append((site.id, index, IPv4Network(text)))
            except ValueError:
                message = f"The network {text} of `{site.id}` has bits set that its length says it has not."
                report.error(("site", site.id, "networks", index), message)
    for (first, _, one), (second, index, other) in combinations(networks, 2):
        if first != second and one.overlaps(other):
            message = f"The network {other} of `{second}` overlaps {one} of `{first}`."
            report.error(("site", second, "networks", index), message)


def _review_pools(report: Report) -> None:
    """Each pool a host's class takes a slot of has room, at the host's site when it is counted per site."""
    used: dict[tuple[str, str], list[str]] = defaultdict(list)
    pools_of = {klass.id: _pools_of(klass) for klass in report.content.classes}
    for host in report.content.inventory.hosts:
        for taken in pools_of.get(host.klass, ()):
            used[taken, host.site].append(host.id)
    for pool in report.content.capacity.pools:
        if pool.size is not None and (pool.per_site or pool.per_site_default is not None):
            report.error(("pool", pool.id), f"The pool `{pool.id}` has a size and sizes per site; keep one of them.")
        for (name, site), hosts in sorted(used.items()):
            if name == pool.id and not _room(pool, site):
                message = f"The pool `{pool.id}` has no room at `{site}`, where {len(hosts)} hosts need it."
                report.error(("pool", pool.id, "per_site", site), message, hosts=hosts)


def _pools_of(klass: HostClass) -> set[str]:
    pools = klass.pools
    return {*pools.preserve, *pools.restore, *pools.inspect, *pools.reconnect}


def _room(pool: Pool, site: str) -> int:
    if pool.size is not None:
        return pool.size
    return pool.per_site.get(site, pool.per_site_default or 0)


def _review_roster(report: Report) -> None:
    """Keys are never shared: persons are counted, and one key must mean one person."""
    holders: dict[str, str] = {}
    for person in report.content.roster.persons:
        key = " ".join(person.key.removeprefix("verify-required ").split()[:2])
        if holders.setdefault(key, person.id) != person.id:
            message = f"`{person.id}` has the same key as `{holders[key]}`; each person signs with their own."
            report.error(("person", person.id, "key"), message)
    roles = {role for person in report.content.roster.persons for role in person.roles}
    if missing := {"operator", "analyst", "crisis", "forensic_lead", "it_director"} - roles:
        report.warn(("person", ""), f"Nobody in the roster has the role {listed(missing)}; some orders need it.")


def _review_shifts(report: Report) -> None:
    """Releasing a host takes one operator beside the two analysts who signed it clean."""
    roles = {person.id: set(person.roles) for person in report.content.roster.persons}
    for shift in report.content.capacity.shifts:
        operators = {name for name in shift.persons if "operator" in roles.get(name, ())}
        analysts = {name for name in shift.persons if "analyst" in roles.get(name, ())}
        if not any(len(analysts - {operator}) >= ANALYSTS_MIN for operator in operators):
            message = (
                f"The shift `{shift.id}` has {len(operators)} operators and {len(analysts)} analysts; "
                "releasing a host takes one operator and two analysts who are other persons."
            )
            report.warn(("shift", shift.id), message)
    if not report.content.capacity.shifts:
        report.warn(("shift", ""), "No shift is named, so nobody is known to be there to sign.")


def _review_samples(report: Report) -> None:
    """A waiver of a class never takes the last trace of how a site was struck: one workstation of each is named."""
    hosts = [host for host in report.content.inventory.hosts if host.kind == "workstation"]
    sampled = {host.site for host in hosts if host.id in report.content.restart.no_waiver}
    bare = {host.site for host in hosts} - sampled
    if bare:
        message = (
            f"No workstation of {listed(bare)} is named in `no_waiver`: after a waiver of their class none there would "
            "be kept, and nobody could learn how the site was struck."
        )
        report.warn(("restart", "restart", "no_waiver"), message)
