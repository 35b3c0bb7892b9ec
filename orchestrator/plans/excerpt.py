"""Cuts content down to some services, functions and classes, so that no reference leads to what was left out.

Never adds anything, except a source of media where what a class was rebuilt from is gone.
"""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.checks.model import Check
from orchestrator.inventory.model import Function, Interface, Inventory, Needs, Service, Task
from orchestrator.plans.model import Capacity, Content, HostClass, Pool, Restart


def excerpt(
    content: Content, services: dict[str, Service], functions: dict[str, Function], classes: Collection[str]
) -> Content:
    """`content` with only these, the outside services they need, and the functions of the services.

    Sites, hosts and devices are left out: the caller has its own.
    """
    inventory = content.inventory
    kept = [each for each in content.classes if each.id in classes]
    services = services | _outside(
        inventory.services, [each.needs for each in services.values()] + [each.needs for each in kept]
    )
    named = {service.function for service in services.values()}
    functions = functions | {each.id: each for each in inventory.functions if each.id in named}
    interfaces = [each for each in inventory.interfaces if each.source in services and each.target in services]
    kept_checks = [each for each in content.checks if _is_kept(each, services, interfaces, classes)]
    checks = {each.id for each in kept_checks}
    return content.model_copy(
        update={
            "inventory": Inventory(
                functions=tuple(_function(each, services) for each in functions.values()),
                activities=tuple(
                    each.model_copy(update={"functions": tuple(name for name in each.functions if name in functions)})
                    for each in inventory.activities
                    if set(each.functions) & functions.keys()
                ),
                services=tuple(_service(each, services, functions, checks) for each in services.values()),
                interfaces=tuple(interfaces),
            ),
            "checks": tuple(kept_checks),
            "classes": tuple(_class(each, services, checks) for each in kept),
            "capacity": _capacity(content.capacity),
            "restart": _restart(content.restart, functions),
        }
    )


def _outside(known: tuple[Service, ...], needs: list[Needs]) -> dict[str, Service]:
    wanted = {name for each in needs for step in Needs.model_fields for name in getattr(each, step)}
    return {each.id: each for each in known if each.kind == "outside" and each.id in wanted}


def _is_kept(check: Check, services: Collection[str], interfaces: list[Interface], classes: Collection[str]) -> bool:
    if check.service is not None:
        return check.service in services
    if check.klass is not None:
        return check.klass in classes
    return check.interface in {each.id for each in interfaces}


def _function(function: Function, services: Collection[str]) -> Function:
    return function.model_copy(update={"services": tuple(name for name in function.services if name in services)})


def _service(
    service: Service, services: Collection[str], functions: Collection[str], checks: Collection[str]
) -> Service:
    function = service.function if service.function in functions else None
    return service.model_copy(
        update={
            "needs": _needs(service.needs, services),
            "function": function,
            "tasks": _tasks(service.tasks, checks),
        }
    )


def _needs(needs: Needs, services: Collection[str]) -> Needs:
    steps = {step: tuple(name for name in getattr(needs, step) if name in services) for step in Needs.model_fields}
    return Needs(**steps)


def _tasks(tasks: tuple[Task, ...], checks: Collection[str]) -> tuple[Task, ...]:
    """A task confirmed by a check that is gone is confirmed by two persons."""
    return tuple(
        task if task.confirm.removeprefix("check:") in {*checks, "two-persons"} else _by_persons(task) for task in tasks
    )


def _by_persons(task: Task) -> Task:
    return task.model_copy(update={"confirm": "two-persons"})


def _class(klass: HostClass, services: Collection[str], checks: Collection[str]) -> HostClass:
    gone = ":" in klass.source and klass.source.partition(":")[2] not in services
    return klass.model_copy(
        update={
            "needs": _needs(klass.needs, services),
            "source": "media" if gone else klass.source,
            "tasks": _tasks(klass.tasks, checks),
        }
    )


def _capacity(capacity: Capacity) -> Capacity:
    """Pools counted per site get the smallest of their sizes as the default of every site."""
    return capacity.model_copy(update={"pools": tuple(_pool(pool) for pool in capacity.pools)})


def _pool(pool: Pool) -> Pool:
    if pool.size is not None:
        return pool
    sizes = [size for size in (*pool.per_site.values(), pool.per_site_default) if size]
    return pool.model_copy(update={"per_site": {}, "per_site_default": min(sizes, default=1)})


def _restart(restart: Restart, functions: Collection[str]) -> Restart:
    return restart.model_copy(
        update={
            "order": tuple(name for name in restart.order if name in functions),
            "pinned": tuple(name for name in restart.pinned if name in functions),
            "slices": {},
            "gates": {},
            "splits": (),
            "leave_off": (),
            "no_waiver": (),
        }
    )
