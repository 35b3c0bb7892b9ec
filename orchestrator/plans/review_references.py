"""Finds each reference of content that leads to nothing, and says which known name is nearest.

Never follows a reference further: whether what it leads to makes sense is for the other parts of the review.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from orchestrator.inventory.model import Needs, Service, Task
from orchestrator.inventory.sources import nearest
from orchestrator.plans.model import Content, HostClass
from orchestrator.plans.report import Report

About = tuple[str | int, ...]


class Reference(NamedTuple):
    """The entry `about` (kind, id, path) names `target`, which should be the id of a `kind`."""

    about: About
    kind: str
    target: str


def review_references(report: Report) -> None:
    """One error per reference to something that is nowhere; those of a host row block only that host."""
    known, unread = _known(report), set(report.where.unread)
    if unread & {"service", "class"}:
        unread.add("task")
    for about, kind, target in references(report.content):
        if target not in known[kind] and kind not in unread:
            who = "This" if about[0] == "restart" else f"{str(about[0]).capitalize()} `{about[1]}`"
            message = f"{who} names the {kind} `{target}`, which is nowhere"
            blocked = (str(about[1]),) if about[0] == "host" else ()
            report.error(about, f"{message}{nearest(target, known[kind])}", hosts=blocked)


def references(content: Content) -> Iterator[Reference]:
    """All references of the content except those from checks to functions, which the reader of checks sees."""
    yield from _of_hosts(content)
    yield from _of_functions(content)
    for service in content.inventory.services:
        yield from _of_service(service)
    for check in content.checks:
        for kind, target in (("service", check.service), ("interface", check.interface), ("class", check.klass)):
            if target is not None:
                yield Reference(("check", check.id, kind), kind, target)
    for klass in content.classes:
        yield from _of_class(klass)
    yield from _of_capacity(content)
    yield from _of_restart(content)


def _known(report: Report) -> dict[str, set[str]]:
    # Ids of refused entries count as known: one mistake is one finding.
    content, inventory = report.content, report.content.inventory
    entries: dict[str, Iterable[Any]] = {
        "site": inventory.sites,
        "function": inventory.functions,
        "service": inventory.services,
        "interface": inventory.interfaces,
        "host": inventory.hosts,
        "check": content.checks,
        "class": content.classes,
        "pool": content.capacity.pools,
        "person": content.roster.persons,
    }
    known = {kind: {each.id for each in found} | set(report.where.names(kind)) for kind, found in entries.items()}
    known["task"] = {task.id for service in inventory.services for task in service.tasks}
    known["task"] |= {task.id for klass in content.classes for task in klass.tasks}
    return known


def _all(about: About, path: About, kind: str, targets: Iterable[str]) -> Iterator[Reference]:
    """References from the list at `path` of an entry."""
    for index, target in enumerate(targets):
        yield Reference((*about, *path, index), kind, target)


def _of_hosts(content: Content) -> Iterator[Reference]:
    for host in content.inventory.hosts:
        about = ("host", host.id)
        yield Reference(about, "site", host.site)
        yield Reference(about, "class", host.klass)
        if host.function is not None:
            yield Reference(about, "function", host.function)
        if host.bench is not None:
            yield Reference(about, "site", host.bench)
        for service in host.services:
            yield Reference(about, "service", service)
    for device in content.inventory.devices:
        yield Reference(("device", device.id), "site", device.site)
        if device.function is not None:
            yield Reference(("device", device.id), "function", device.function)
        if device.vendor_task:
            yield Reference(("device", device.id), "task", device.vendor_task)


def _of_functions(content: Content) -> Iterator[Reference]:
    inventory = content.inventory
    for site in inventory.sites:
        yield from _all(("site", site.id), ("quarantine_flows",), "service", site.quarantine_flows)
    for function in inventory.functions:
        yield from _all(("function", function.id), ("services",), "service", function.services)
        yield from _all(("function", function.id), ("sites",), "site", function.sites)
    for activity in inventory.activities:
        yield from _all(("activity", activity.id), ("functions",), "function", activity.functions)
        yield from _all(("activity", activity.id), ("sites",), "site", activity.sites)
    for link in inventory.interfaces:
        yield Reference(("interface", link.id, "source"), "service", link.source)
        yield Reference(("interface", link.id, "target"), "service", link.target)


def _of_service(service: Service) -> Iterator[Reference]:
    about = ("service", service.id)
    if service.function is not None:
        yield Reference((*about, "function"), "function", service.function)
    yield from _of_needs(about, service.needs)
    yield from _of_tasks(about, service.tasks)


def _of_needs(about: About, needs: Needs) -> Iterator[Reference]:
    for step in ("restore", "inspect", "reconnect", "soft"):
        yield from _all(about, ("needs", step), "service", getattr(needs, step))


def _of_tasks(about: About, tasks: tuple[Task, ...]) -> Iterator[Reference]:
    for index, task in enumerate(tasks):
        if task.confirm.startswith("check:"):
            yield Reference((*about, "tasks", index, "confirm"), "check", task.confirm.removeprefix("check:"))
        if task.after is not None:
            yield Reference((*about, "tasks", index, "after", "task"), "task", task.after.task)


def _of_class(klass: HostClass) -> Iterator[Reference]:
    about = ("class", klass.id)
    if ":" in klass.source:
        yield Reference((*about, "source"), "service", klass.source.partition(":")[2])
    yield from _of_needs(about, klass.needs)
    yield from _of_tasks(about, klass.tasks)
    for step in ("preserve", "restore", "inspect", "reconnect"):
        yield from _all(about, ("pools", step), "pool", getattr(klass.pools, step))


def _of_capacity(content: Content) -> Iterator[Reference]:
    for pool in content.capacity.pools:
        for site in pool.per_site:
            yield Reference(("pool", pool.id, "per_site", site), "site", site)
    for shift in content.capacity.shifts:
        yield from _all(("shift", shift.id), ("persons",), "person", shift.persons)


def _of_restart(content: Content) -> Iterator[Reference]:
    about, restart = ("restart", "restart"), content.restart
    yield from _all(about, ("order",), "function", restart.order)
    yield from _all(about, ("pinned",), "function", restart.pinned)
    yield from _all(about, ("leave_off",), "host", restart.leave_off)
    yield from _all(about, ("no_waiver",), "host", restart.no_waiver)
    for function, posts in restart.slices.items():
        yield Reference((*about, "slices", function), "function", function)
        for site, hosts in posts.posts.items():
            yield Reference((*about, "slices", function, "posts", site), "site", site)
            yield from _all(about, ("slices", function, "posts", site), "host", hosts)
    for wave, gate in restart.gates.items():
        yield from _all(about, ("gates", wave, "without_interfaces"), "interface", gate.without_interfaces)
    for index, split in enumerate(restart.splits):
        yield from _all(about, ("splits", index, "services"), "service", split.services)
        yield from _all(about, ("splits", index, "sites"), "site", split.sites)
