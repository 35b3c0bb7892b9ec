"""The shapes of what is foreseen: plan, forecast and its score, disasters that were played.

Never computes anything; the commands that foresee fill them.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class PlannedGate(TypedDict):
    """What a planned wave's gate will ask; `need` is the number of `posts` over all sites."""

    services: dict[str, int]
    interfaces: list[str]
    posts: list[str]
    need: int
    soak_s: int
    passes: int


class PlannedWave(TypedDict):
    """A wave of `relance plan`."""

    name: str
    function: str | None
    after: list[str]
    services: list[str]
    hosts: list[str]
    gate: PlannedGate


class PlannedFunction(TypedDict):
    """A function in the order of the restart, with all services it needs; when it would be back if all goes as planned,
    before when nothing can have it back, and what limits it (seconds from the begin)."""

    id: str
    rank: int
    services: list[str]
    hosts_needed: int
    bound_s: NotRequired[int]
    limited_by: NotRequired[str]
    planned_s: NotRequired[int]


class Planned(TypedDict):
    """The whole plan; waves topologically, then by rank. `first_day`: the hosts restored first, by site."""

    digest: str
    functions: list[PlannedFunction]
    waves: list[PlannedWave]
    first_day: NotRequired[dict[str, list[str]]]


class Spread(TypedDict):
    """Seconds from the as-of time by which one, five and nine futures of ten have something back."""

    p10_s: int
    p50_s: int
    p90_s: int


class SiteChance(Spread):
    """The same for an activity at a site; with a time asked for, the share of futures that have all by then."""

    chance_percent: NotRequired[int]


class ForecastOf(Spread):
    """A forecast, before when it cannot be and what limits that, and on what it rests: the restores measured of the
    least measured class of host, and the classes too little measured to speak of a middle."""

    bound_s: int
    limited_by: str
    measured: int
    basis: Literal["prior", "mixed", "measured"]
    lacking: list[str]


class ForecastFunction(ForecastOf):
    """When a function is back, all of it and at each site with posts of it."""

    sites: dict[str, Spread]


class ForecastActivity(TypedDict):
    """When an activity has all the functions it needs, by site."""

    functions: list[str]
    bound_s: int
    basis: Literal["prior", "mixed", "measured"]
    sites: dict[str, SiteChance]


class Question(TypedDict):
    """What a decision wins (loses: negative) per function, and under `everything`; seconds, same luck."""

    what_if: str
    won_s: dict[str, int]


class Forecast(TypedDict):
    """Many futures from `as_of_us` on; people's clocks there show UTC plus `utc_offset_s`."""

    runs: int
    as_of_us: int
    utc_offset_s: int
    functions: dict[str, ForecastFunction]
    everything: ForecastOf
    activities: dict[str, ForecastActivity]
    by_s: NotRequired[int]
    what_if: NotRequired[list[Question]]


class Scored(Spread):
    """One function of one past forecast, and how many seconds after it the function was back; where it is not `back`
    though the band is over, how many have gone by."""

    at_us: int
    function: str
    came_s: int
    back: bool
    inside: bool


class Score(TypedDict):
    """All past forecasts beside what happened since."""

    forecasts: int
    compared: int
    inside: int
    rows: list[Scored]


class Violation(TypedDict):
    """A promise that a seed broke, at which event, told as a story where one was asked for."""

    seed: int
    event: int
    invariant: str
    story: str


class NotLive(TypedDict):
    """What never came into service in a seed, though faults had ended and people answered."""

    seed: int
    waits: str
    story: str


class Simulated(TypedDict):
    """What seeded disasters found."""

    seeds: int
    events: int
    violations: list[Violation]
    not_live: list[NotLive]
    events_per_s: int
    cpu_s: float
