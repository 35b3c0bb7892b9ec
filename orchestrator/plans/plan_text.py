"""Says a plan in words and in JSON, and explains why a host stands where it stands.

Never changes a plan: what it says is read off the content and the plan derived from it.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.canonical import Json
from orchestrator.errors import UsageError
from orchestrator.inventory.model import Host
from orchestrator.inventory.sources import Finding
from orchestrator.plans import priority
from orchestrator.plans.bound import Bound
from orchestrator.plans.drafts import UNASSIGNED
from orchestrator.plans.model import Content, Gate, Plan, Wave
from orchestrator.plans.needs import STEPS, Graph, Need, build, closure, function_roots
from orchestrator.plans.report import listed

_LEGEND = """A gate passes when its services are in service, messages cross its interfaces, and two thirds of its posts
at each site work: so many passes in a row, over at least so long."""
_HOURS = """
If the restart begins at 07:00 and all goes as planned; and what cannot be beaten, whatever the order of work:"""
_FIRST_DAY = "Restored within the first day:"
NAMED_MAX = 12
_HEAD = ("", "wave", "brings back", "hosts", "behind the gate of")


@dataclass(frozen=True, slots=True)
class Hours:
    """When a plan has its functions back, in seconds from its begin: bounds that nothing beats, and one run without
    faults; and the hosts whose restore begins within a day, by site."""

    bounds: Mapping[str, Bound]
    planned_s: Mapping[str, int]
    first_day: Mapping[str, Sequence[str]]


def as_json(content: Content, plan: Plan, hours: Hours | None = None) -> dict[str, Json]:
    """The document of `relance plan --format json`. `need` is the number of posts over all sites."""
    graph = build(content)
    document: dict[str, Json] = {
        "digest": plan.digest,
        "functions": _functions(graph, plan, hours),
        "waves": [_wave_json(wave) for wave in plan.waves],
    }
    if hours is not None:
        document["first_day"] = {site: list(hosts) for site, hosts in hours.first_day.items()}
    return document


def as_text(content: Content, plan: Plan, hours: Hours | None = None, errors: Sequence[Finding] = ()) -> str:
    """The plan for a tired person: one line per wave in the order to launch them, and under it what its gate asks.

    Then when each function would be back, and the first day's hosts. `errors` are those that keep some hosts out.
    """
    names = {each.id: each.name.en for each in content.inventory.functions}
    hosts = sum(len(wave.hosts) for wave in plan.waves)
    rows = [
        (str(number), wave.name, _care(wave, names), str(len(wave.hosts)), ", ".join(wave.after) or "-")
        for number, wave in enumerate(plan.waves, start=1)
    ]
    widths = [max(len(row[column]) for row in (_HEAD, *rows)) for column in range(len(_HEAD))]
    lines = [f"{hosts} hosts come back in {len(plan.waves)} waves.", "", _line(_HEAD, widths)]
    possible = _activities(content, plan)
    indent = " " * (widths[0] + 2)
    for wave, row in zip(plan.waves, rows, strict=True):
        lines.append(_line(row, widths))
        lines.append(f"{indent}  gate: {_gate_text(wave.gate)}")
        if wave.name in possible:
            lines.append(f"{indent}  then possible: {', '.join(possible[wave.name])}")
    if blocked := {host for one in errors for host in one.hosts}:
        lines.insert(
            1, f"{_count(len(blocked), 'host')} left out, for errors `relance review` tells: {listed(blocked)}."
        )
    lines.extend(["", _LEGEND, *_hours(content, hours), *(f"Warning: {warning}" for warning in plan.warnings)])
    return "\n".join(lines) + "\n"


def why_host(content: Content, plan: Plan, host_id: str, errors: Sequence[Finding] = ()) -> list[str]:
    """Sentences: the wave and gate of a host, the chain of needs that gives it its rank, and the quorums it serves.

    A host that one of the `errors` blocks is in no wave.
    """
    if blocking := [str(one) for one in errors if host_id in one.hosts]:
        return [f"{host_id} is left out of the plan because of its error:", *blocking]
    graph = build(content)
    host = _known(content, host_id)
    wave = next((wave for wave in plan.waves if host_id in wave.hosts), None)
    if wave is None:
        return [_off(content, host)]
    services = [each for each in host.services if each in graph.services]
    return [
        _place(wave),
        *(_chain(graph, host) if services else [_membership(wave, host), *_before(graph, plan, wave, host)]),
        *(_quorum(graph, wave, service) for service in services),
        _urgency(content, plan, host_id),
    ]


def _hours(content: Content, hours: Hours | None) -> Iterator[str]:
    """One line for each function with anything to bring back, the most urgent first; then the first day by site."""
    if hours is None:
        return
    known = [(name, hours.bounds[name]) for name in priority.function_ranks(content) if hours.bounds[name].bound_s]
    if known:
        yield _HOURS
    for name, bound in known:
        # Rounded up what is promised, down what cannot be beaten: what is said stays true.
        planned = f"planned {-(-hours.planned_s[name] // 360) / 10:.1f} h, " if name in hours.planned_s else ""
        yield f"  {name}: {planned}cannot be under {bound.bound_s // 360 / 10:.1f} h; limited by {bound.limited_by}"
    if any(hours.first_day.values()):
        yield f"\n{_FIRST_DAY}"
    for site, hosts in hours.first_day.items():
        more = f" and {len(hosts) - NAMED_MAX} more (all in --format json)" if len(hosts) > NAMED_MAX else ""
        yield f"  {site}: {_count(len(hosts), 'host')}: {', '.join(hosts[:NAMED_MAX])}{more}"


def _functions(graph: Graph, plan: Plan, told: Hours | None) -> list[Json]:
    uses = {each.id: each.services for each in graph.content.inventory.functions}
    posts = {wave.function: sum(wave.gate.need.values()) for wave in plan.waves if wave.part == "slice"}
    found: list[Json] = []
    for function, rank in priority.function_ranks(graph.content).items():
        services = sorted(closure(graph, function_roots(graph, function, uses[function]), set()))
        servers = {host.id for service in services for host in graph.players[service]} & plan.quorum
        hosts = len(servers) + posts.get(function, 0)
        one: dict[str, Json] = {"id": function, "rank": rank, "services": list(services), "hosts_needed": hosts}
        if told is not None:
            bound = told.bounds[function]
            one |= {"bound_s": bound.bound_s, "limited_by": bound.limited_by}
            one |= {"planned_s": told.planned_s[function]} if function in told.planned_s else {}
        found.append(one)
    return found


def _wave_json(wave: Wave) -> Json:
    gate: dict[str, Json] = {
        "services": dict(wave.gate.services),
        "interfaces": list(wave.gate.interfaces),
        "posts": [post for posts in wave.gate.posts.values() for post in posts],
        "need": sum(wave.gate.need.values()),
        "soak_s": wave.gate.soak_s,
        "passes": wave.gate.passes,
    }
    return {
        "name": wave.name,
        "function": wave.function,
        "after": list(wave.after),
        "services": list(wave.services),
        "hosts": list(wave.hosts),
        "gate": gate,
    }


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    aligned = (
        cell.rjust(width) if column in {0, 3} else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()


def _care(wave: Wave, names: dict[str, str]) -> str:
    if wave.name.startswith(f"{UNASSIGNED}/"):
        return "hosts nobody has placed"
    care = "what everything else needs" if wave.function is None else names[wave.function]
    return care + {"rest-1": ", first of the rest", "rest-2": ", the rest", "split": ", set apart"}.get(wave.part, "")


def _gate_text(gate: Gate) -> str:
    asked = []
    if gate.services:
        asked.append(_count(len(gate.services), "service"))
    if gate.interfaces:
        asked.append(_count(len(gate.interfaces), "interface"))
    if gate.posts:
        posts = sum(len(posts) for posts in gate.posts.values())
        asked.append(f"{sum(gate.need.values())} of {_count(posts, 'post')}")
    owed = f"; owed: {', '.join(gate.owed_interfaces)}" if gate.owed_interfaces else ""
    steady = f"{_count(gate.passes, 'pass', 'passes')} over {_spell(gate.soak_s)}"
    return f"{', '.join(asked) or 'nothing to judge'}; {steady}{owed}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _spell(duration_s: int) -> str:
    """Whole minutes from two minutes on, hours from two hours on."""
    if duration_s < 120:
        return f"{duration_s} s"
    minutes = duration_s // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _activities(content: Content, plan: Plan) -> dict[str, list[str]]:
    """Which activities have all their functions once the gate of a slice, as the last of them, has passed."""
    place = {wave.function: number for number, wave in enumerate(plan.waves) if wave.part == "slice"}
    found: dict[str, list[str]] = {}
    for activity in content.inventory.activities:
        places = [place[function] for function in activity.functions if function in place]
        if places:
            found.setdefault(plan.waves[max(places)].name, []).append(activity.name.en)
    return found


def _known(content: Content, host_id: str) -> Host:
    hosts = {host.id: host for host in content.inventory.hosts}
    if host_id in hosts:
        return hosts[host_id]
    near = difflib.get_close_matches(host_id, hosts, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(f"There is no host {host_id}.{hint}", rule="plan.host", host=host_id, near=near)


def _off(content: Content, host: Host) -> str:
    if host.id in content.restart.leave_off:
        return f"{host.id} stays off: restart.yaml names it under leave_off."
    return f"{host.id} stays off: its class {host.klass} begins with leave_off."


def _place(wave: Wave) -> str:
    behind = f"behind the gate of {' and '.join(wave.after)}" if wave.after else "which follows nothing"
    return f"It comes out in wave {wave.name}, {behind}."


def _membership(wave: Wave, host: Host) -> str:
    if host.id not in wave.gate.posts.get(host.site, ()):
        return (
            "It plays no service and belongs to no known function."
            if wave.function is None
            else (f"It plays no service and completes {wave.function}.")
        )
    count, need = len(wave.gate.posts[host.site]), wave.gate.need[host.site]
    kind = "post" if wave.part == "slice" else "workstation"
    function = wave.function or "no known function"
    return f"It is a {kind} of {function} at {host.site}; the gate asks for {need} of {count} there."


def _before(graph: Graph, plan: Plan, wave: Wave, host: Host) -> Iterator[str]:
    """What a post waits for: what its class needs, and what comes out with its function's slice."""
    needs = graph.class_needs.get(host.klass, {})
    told = [f"{', '.join(sorted(one for one in needs if needs[one] == step))} to {step}" for step in STEPS]
    if told := [one for one in told if not one.startswith(" ")]:
        yield f"Its class {host.klass} needs {'; '.join(told)}."
    for one in plan.waves:
        if one.part == "slice" and one.function == wave.function and one.services:
            yield f"{one.function} works once {one.name} has brought back {listed(one.services, len(one.services))}."


def _chain(graph: Graph, host: Host) -> list[str]:
    """The shortest chain of needs from the most urgent function to this host; what it uses itself goes first."""
    uses = {each.id: each.services for each in graph.content.inventory.functions}
    for function in priority.function_ranks(graph.content):
        beyond = function_roots(graph, function, ()) - set(uses[function])
        starts = ((f"{function} uses", uses[function]), (f"the workstations of {function} need", beyond))
        for begins, roots in starts:
            if path := _path(graph, roots, set(host.services)):
                links = [_link(graph, source, to) for source, to in pairwise(path)]
                return ["Needed: " + ", ".join([f"{begins} {path[0]}", *links, f"{host.id} plays {path[-1]}"]) + "."]
    if any(graph.services[each].function is None for each in host.services if each in graph.services):
        return ["No function needs it by name; it is part of the foundations, and every function waits for their gate."]
    return ["No function needs the services it plays."]


def _path(graph: Graph, roots: Iterable[str], targets: set[str]) -> list[str]:
    come_from: dict[str, str] = {}
    seen = {root for root in roots if root in graph.services}
    waiting = deque(sorted(seen))
    while waiting:
        service = waiting.popleft()
        if service in targets:
            path = [service]
            while path[-1] in come_from:
                path.append(come_from[path[-1]])
            return path[::-1]
        for needed in sorted({*graph.needs[service], *graph.company[service]} - seen):
            seen.add(needed)
            come_from[needed] = service
            waiting.append(needed)
    return []


def _link(graph: Graph, source: str, to: str) -> str:
    need = graph.needs[source].get(to)
    if need is None:
        unit = graph.services[source].unit
        together = f"unit {unit}" if unit and unit == graph.services[to].unit else "a host they share"
        return f"{source} comes out with {to} ({together})"
    return f"{source} needs {to} to {need.step}{_through(need)}"


def _through(need: Need) -> str:
    return f" (its hosts of class {need.klass} do)" if need.klass else ""


def _quorum(graph: Graph, wave: Wave, service: str) -> str:
    gate = f"its gate in {wave.name}" if service in wave.services else "its gate"
    players = _count(len(graph.players[service]), "host")
    return f"{service} is played by {players}; {gate} asks for {graph.services[service].quorum}."


def _urgency(content: Content, plan: Plan, host_id: str) -> str:
    ranks = priority.function_ranks(content)
    rank = plan.ranks[host_id]
    names = list(ranks)
    tail_s = plan.tail_s[host_id]
    chain = f"{_spell(tail_s)} of work hang on it, its own included" if tail_s else "its gate can do without it"
    if rank >= 2 * len(ranks):
        return f"It comes after everything a function needs; {chain}."
    urgent = f"as urgent as {names[rank % len(names)]}"
    counted = "one of those counted on" if host_id in plan.quorum else "beyond those counted on, so behind every slice"
    return f"It is {urgent}, {counted}; {chain}."
