"""Changes a present as a question asks it: more or fewer of a pool, another order of functions, another soak.

Never changes the present it is asked about: the answer stands on a copy.
"""

from __future__ import annotations

import re
from dataclasses import replace

from orchestrator.decision import revision
from orchestrator.decision.estate import Estate
from orchestrator.decision.state import State
from orchestrator.errors import UsageError
from orchestrator.plans.changes import changed as changed_content
from orchestrator.plans.model import Content, Plan
from orchestrator.plans.waves import derive
from orchestrator.simulation.forecast import Present, copied

ROLES = {"analysts": "analyst", "technicians": "technician", "operators": "operator"}
UNITS_S = {"s": 1, "m": 60, "h": 3600}
KNOWN = 'Known are: "pool NAME +2", "order FUNCTION FUNCTION ...", "soak 5m".'


def asked(present: Present, words: str) -> Present:
    """The present as it would be. Raises UsageError for a question that names nothing known."""
    kind, *rest = words.split() or [""]
    if kind == "pool" and len(rest) == 2 and re.fullmatch(r"[+-][0-9]{1,4}", rest[1]):
        return _pool(present, rest[0], int(rest[1]))
    if kind == "order" and rest:
        return _order(present, rest)
    if kind == "soak" and len(rest) == 1 and re.fullmatch(r"[0-9]{1,6}[smh]", rest[0]):
        return _soak(present, int(rest[0][:-1]) * UNITS_S[rest[0][-1]])
    raise UsageError(f'"{words}" is no question I know. {KNOWN}', rule="forecast.what-if")


def _over(present: Present, content: Content, plan: Plan) -> Present:
    """The same state over an estate with the same waves."""
    state = copied(present.state)
    state.estate = Estate(content, plan)
    return replace(present, state=state)


def _pool(present: Present, name: str, by: int) -> Present:
    role = ROLES.get(name)
    if role is not None:
        return _people(present, name, role, present.more.get(role, 0) + by)
    content = present.state.estate.content
    if name not in {pool.id for pool in content.capacity.pools}:
        known = ", ".join([*ROLES, *(pool.id for pool in content.capacity.pools)])
        raise UsageError(f"There is no pool {name}; there are {known}.", rule="forecast.what-if")
    pools = tuple(
        pool.model_copy(
            update={
                "size": None if pool.size is None else max(0, pool.size + by),
                "per_site": {site: max(0, size + by) for site, size in pool.per_site.items()},
                "per_site_default": None if pool.per_site_default is None else max(0, pool.per_site_default + by),
            }
        )
        if pool.id == name
        else pool
        for pool in content.capacity.pools
    )
    capacity = content.capacity.model_copy(update={"pools": pools})
    return _over(present, content.model_copy(update={"capacity": capacity}), present.state.estate.plan)


def _people(present: Present, name: str, role: str, by: int) -> Present:
    """So many more or fewer of a role. Who holds another role, too, stays."""
    known = [frozenset(one.roles) for one in present.state.estate.content.roster.persons]
    held = [one.roles for one in present.state.roster.values()] or known
    if sum(role in roles for roles in held) - min(-by, sum(roles == {role} for roles in held)) <= 0:
        raise UsageError(f"That leaves no {name}: nothing would ever come back.", rule="forecast.what-if")
    return replace(present, more={**present.more, role: by})


def _order(present: Present, functions: list[str]) -> Present:
    """The functions named come first, in this order; launched waves keep their place."""
    content = present.state.estate.content
    known = {function.id for function in content.inventory.functions}
    for name in functions:
        if name not in known:
            raise UsageError(
                f"There is no function {name}; there are {', '.join(sorted(known))}.", rule="forecast.what-if"
            )
    order = [*dict.fromkeys((*functions, *content.restart.order))]
    if present.state.seq:
        state = copied(present.state)
        revision.revise(state, "functions.order", "functions", {"functions": [*order]})
        return replace(present, state=state)
    content = changed_content(content, "functions.order", "functions", {"functions": [*order]}, {})
    return replace(present, state=State(Estate(content, derive(content))))


def _soak(present: Present, soak_s: int) -> Present:
    plan = present.state.estate.plan
    waves = tuple(
        wave.model_copy(update={"gate": wave.gate.model_copy(update={"soak_s": soak_s})}) for wave in plan.waves
    )
    return _over(present, present.state.estate.content, plan.model_copy(update={"waves": waves}))
