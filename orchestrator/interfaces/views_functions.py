"""Says how every function stands at every site: stopped, paper, degraded or back.

Never decides what comes back next. *Stopped*: nobody has launched its slice. *Paper*: it is being brought back and
the ward works on paper, or a service it uses fails or cannot be read. *Degraded*: all it uses reads PASS and a post
works there. *Back*: its gate has passed too, and the site has the posts its gate asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from orchestrator.decision.estate import Estate
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.interfaces.documents import Function, FunctionWord


@dataclass(frozen=True, slots=True)
class _Compiled:
    """One function in the core's numbers; `posts` maps each site to its place in the slice's gate, or -1."""

    id: str
    name: str
    services: tuple[int, ...]
    slice_wave: int
    posts: tuple[tuple[str, int], ...]


def functions(state: State) -> list[Function]:
    """Every function, in the order of the inventory."""
    return [_function(state, one) for one in _compiled(state.estate)]


def _function(state: State, one: _Compiled) -> Function:
    have, want = _ready(state, one)
    return {
        "id": one.id,
        "name": one.name,
        "ready_percent": 100 * have // want if want else 100,
        "sites": {site: _judge(state, one, place) for site, place in one.posts},
        "accepted": {
            site: str(fact["owner"])
            for site, _ in one.posts
            if (fact := state.facts.get(f"accepted:{one.id}/{site}")) is not None
        },
    }


def _judge(state: State, one: _Compiled, place: int) -> FunctionWord:
    wave = state.waves[one.slice_wave] if one.slice_wave >= 0 else None
    have, want = _posts(state, one, place)
    works = all(state.good[service] or service in state.dropped for service in one.services)
    if not works or (want and not have) or not (one.services or want):
        return "paper" if wave is not None and wave.launchers else "stopped"
    gate = wave is None or bool(wave.passed_us)
    return "back" if gate and have >= want else "degraded"


def _posts(state: State, one: _Compiled, place: int) -> tuple[int, int]:
    """Posts of the slice that work at a site (in service, no FAIL since), and how many its gate asks for there."""
    if place < 0:
        return 0, 0
    hosts = state.posts[one.slice_wave][place]
    need = state.estate.waves[one.slice_wave].posts[place][1]
    return sum(state.stage[host] is Stage.IN_SERVICE and not state.failing_us[host] for host in hosts), need


def _ready(state: State, one: _Compiled) -> tuple[int, int]:
    """How much of what its slice needs works, in hosts: the quorums of its services and the posts.

    A service whose hosts are all there and that does not read PASS counts for nothing.
    """
    have = want = 0
    for service in one.services:
        if state.estate.outside[service] or service in state.dropped:
            continue
        quorum, want = state.quorum[service], want + state.quorum[service]
        if state.good[service] or not state.up[service]:
            have += min(quorum, sum(state.stage[host] is Stage.IN_SERVICE for host in state.estate.players[service]))
    for _, place in one.posts:
        posts, need = _posts(state, one, place)
        have, want = have + min(posts, need), want + need
    return have, want


@lru_cache(maxsize=2)
def _compiled(estate: Estate) -> tuple[_Compiled, ...]:
    slices = {wave.function: number for number, wave in enumerate(estate.plan.waves) if wave.part == "slice"}
    found = []
    for function in estate.content.inventory.functions:
        wave = slices.get(function.id, -1)
        places = (
            {_site(estate, posts): at for at, (posts, _) in enumerate(estate.waves[wave].posts)} if wave >= 0 else {}
        )
        sites = dict.fromkeys((*function.sites, *places))
        uses = {estate.service_number[name] for name in function.services}
        own = set(estate.plan.waves[wave].services) if wave >= 0 else set()
        uses |= {estate.service_number[name] for name in own}
        found.append(
            _Compiled(
                function.id,
                function.name.en,
                tuple(sorted(uses)),
                wave,
                tuple((site, places.get(site, -1)) for site in sites),
            )
        )
    return tuple(found)


def _site(estate: Estate, posts: tuple[int, ...]) -> str:
    return estate.sites[estate.site_of[posts[0]]]
