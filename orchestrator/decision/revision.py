"""Puts changed content under a running restart: launched waves stay as they are, all else is planned anew.

Never judges whether the change is wise (two persons did) and never takes a host, a service or a site out of the
estate: their ids stay, so that whatever the journal says of them stays true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from orchestrator.canonical import Json
from orchestrator.decision.course import hand_over
from orchestrator.decision.estate import Estate
from orchestrator.decision.stages import GONE, OUT
from orchestrator.decision.state import UNKNOWN, State
from orchestrator.errors import ContentError, Refused
from orchestrator.inventory.model import Host, Service, Site
from orchestrator.plans.changes import changed
from orchestrator.plans.drafts import Kept
from orchestrator.plans.model import Content, Wave
from orchestrator.plans.needs import left_off
from orchestrator.plans.waves import derive

Named = TypeVar("Named", bound=Host | Service | Site)


def planned(state: State, kind: str, subject: str, args: Mapping[str, Json]) -> Estate:
    """The estate after an order that changes content. Raises Refused where no plan fits what was launched."""
    try:
        content = changed(state.estate.content, kind, subject, args, state.contents)
    except KeyError as error:
        raise Refused(
            "That content is not kept with this incident; `relance content propose` keeps it.", rule="content.unknown"
        ) from error
    except ValueError as error:
        raise Refused("A split names the new wave, and services or sites.", rule="content.split") from error
    _refuse_lost(state, content)
    kept = kept_waves(state)
    _refuse_left_off(content, kept)
    content = _in_known_order(content, state.estate.content)
    try:
        estate = Estate(content, derive(content, kept))
    except ContentError as error:
        raise Refused(error.sentence, rule=error.rule or "content.plan", **error.facts) from error
    _refuse_stranded(state, estate)
    return estate


def revise(state: State, kind: str, subject: str, args: Mapping[str, Json]) -> None:
    """Carries the order out: the state goes on over the new estate, and everything is looked at again."""
    before = state.estate
    state.adopt(planned(state, kind, subject, args))
    estate = state.estate
    for service, name in enumerate(estate.services):
        known = before.service_number.get(name, -1)
        if known < 0 or before.content.inventory.services[known].quorum != estate.quorum[service]:
            state.quorum[service] = estate.quorum[service]
        state.refresh_service(service)
    for host in range(len(estate.hosts)):
        _settle(state, host, before)
    for host in sorted(state.chosen):
        if state.stage[host] in GONE:
            hand_over(state, host)


def kept_waves(state: State) -> list[Kept]:
    """The launched waves as they stand, posts that stand in for others included, and what was set apart from them."""
    launched = {wave.name for wave, one in zip(state.estate.waves, state.waves, strict=True) if one.launchers}
    kept = []
    for number, wave in enumerate(state.estate.plan.waves):
        apart = wave.part == "split" and wave.name.rpartition("/")[0] in launched
        if wave.name in launched or apart:
            kept.append(Kept(_as_it_stands(state, number, wave), bool(state.waves[number].passed_us)))
    return kept


def _as_it_stands(state: State, number: int, wave: Wave) -> Wave:
    names = state.estate.hosts
    posts = {
        site: tuple(names[post] for post in posts)
        for site, posts in zip(wave.gate.posts, state.posts[number], strict=True)
        if posts
    }
    return wave.model_copy(
        update={
            "after": tuple(state.estate.waves[one].name for one in sorted(state.after[number])),
            "hosts": tuple(names[host] for host in state.members(number)),
            "gate": wave.gate.model_copy(update={"posts": posts}),
        }
    )


def _refuse_lost(state: State, content: Content) -> None:
    before, after = state.estate.content.inventory, content.inventory
    kinds = {service.id: service.kind for service in before.services}
    for what, old, new in (
        ("site", before.sites, after.sites),
        ("service", before.services, after.services),
        ("host", before.hosts, after.hosts),
    ):
        lost = sorted({one.id for one in old} - {one.id for one in new})
        if lost:
            more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
            raise Refused(
                f"The {what} {lost[0]}{more} is missing: in mid-incident nothing leaves the content. "
                "Exclude a host, drop the need of a service, and leave their entries in.",
                rule="content.lost",
                ids=lost,
            )
    for service in after.services:
        if kinds.get(service.id, service.kind) != service.kind:
            raise Refused(f"The service {service.id} cannot change its kind in mid-incident.", rule="content.kind")


def _refuse_stranded(state: State, after: Estate) -> None:
    """A gate keeps the hosts that its services need; the plan does not know which hosts were given up.

    A gate that has passed asks for none.
    """
    passed = {wave.name for wave, one in zip(state.estate.waves, state.waves, strict=True) if one.passed_us}
    for service, name in enumerate(state.estate.services):
        wave = after.waves[home].name if (home := after.wave_of_service[service]) >= 0 else ""
        if wave in passed:
            continue
        apart = {host for one in after.plan.waves if wave in one.after for host in one.hosts if one.part == "split"}
        able = state.candidates(service)
        left = [host for host in able if state.estate.hosts[host] not in apart]
        if len(left) < state.quorum[service] <= len(able):
            raise Refused(
                f"{name} needs {state.quorum[service]} of its hosts for the gate of {wave} and would keep "
                f"{len(left)}: the others come out behind that gate. Leave more hosts with it, or lower its k first.",
                rule="waves.quorum",
                services=[name],
            )


def _refuse_left_off(content: Content, kept: Sequence[Kept]) -> None:
    """A member of a launched wave is left out by an order of its own, which sees what it stops."""
    off = left_off(content)
    for one in kept:
        for host in one.wave.hosts:
            if host in off:
                raise Refused(
                    f"{host} cannot be left off: its wave {one.wave.name} is launched. Exclude it by order.",
                    rule="content.left-off",
                    host=host,
                )


def _in_known_order(content: Content, before: Content) -> Content:
    """The same content, what is known already first and as before: then every number the state uses stays true."""
    old, new = before.inventory, content.inventory
    inventory = new.model_copy(
        update={
            "sites": _known_first(new.sites, old.sites),
            "services": _known_first(new.services, old.services),
            "hosts": _known_first(new.hosts, old.hosts),
        }
    )
    return content.model_copy(update={"inventory": inventory})


def _known_first(new: tuple[Named, ...], old: tuple[Named, ...]) -> tuple[Named, ...]:
    entries = {one.id: one for one in new}
    known = {one.id for one in old}
    return (*(entries[one.id] for one in old), *(one for one in new if one.id not in known))


def _settle(state: State, host: int, before: Estate) -> None:
    """A host that is new or moved was cut off by nobody yet; one of another class begins with that class's way back."""
    estate, place = state.estate, state.estate.content.inventory.hosts[host]
    if host >= len(before.hosts):
        moved, strategies = True, estate.group(host).klass.strategies
    else:
        old = before.content.inventory.hosts[host]
        moved = (old.site, old.address) != (place.site, place.address)
        strategies = before.group(host).klass.strategies
    if moved and state.stage[host] not in OUT:
        state.isolated_us[host], state.connection[host] = 0, UNKNOWN
        if state.site_isolated_us[estate.site_of[host]]:
            state.want_isolated(host, "new at its site")
    known = estate.group(host).klass.strategies
    if strategies != known and state.strategy[host] not in (*known, "declared"):
        state.strategy[host] = known[0]
