"""Judges gates, horizons and relapses: what a wave's gate still lacks, and the commands that follow.

Never passes on UNKNOWN, on a stale reading or before the soak is over; never undoes a passed gate.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.canonical import Json
from orchestrator.decision.blockers import task_stands
from orchestrator.decision.commands import BreakSoak, Command, Hold, PassGate, StartSoak, Unhold
from orchestrator.decision.requirements import TaskKey
from orchestrator.decision.stages import BEFORE_RESTORE, GONE, IN_SERVICE, OUT, RESTORED
from orchestrator.decision.state import FOREVER_US, State

Lack = tuple[str, str]
FAILURES_MIN = 3
FLAPS_US = 3_600_000_000


def lacks(state: State, wave: int, now_us: int) -> Iterator[Lack]:
    """What keeps the gate from soaking: services not in service, FAIL, old UNKNOWN, interfaces, too few posts."""
    gate, estate = state.estate.waves[wave], state.estate
    for service, _ in gate.services:
        if service in state.dropped:
            continue
        if not state.up[service]:
            yield "service", estate.services[service]
        elif (lack := _reading_lack(state, estate.subjects[service], now_us)) is not None:
            yield lack
    for subject in interfaces(state, wave):
        if (lack := _reading_lack(state, subject, now_us)) is not None:
            yield lack
    yield from _posts_lacking(state, wave, now_us)


def _posts_lacking(state: State, wave: int, now_us: int) -> Iterator[Lack]:
    """Sites with too few posts; a site is counted anew when a post there changed or one counted long enough."""
    seen = state.posts_seen.setdefault(wave, {})
    for number in range(len(state.posts[wave])):
        site = state.estate.site_of[state.estate.waves[wave].posts[number][0][0]]
        known = seen.get(site)
        if known is None or known[0] < now_us:
            known = seen[site] = _count_posts(state, wave, number, now_us)
        if known[1] < known[2]:
            yield "posts", f"{known[1]} of {known[2]} at {state.estate.sites[site]}"


def _count_posts(state: State, wave: int, number: int, now_us: int) -> tuple[int, int, int]:
    """Until when the count holds, how many posts of one site count now, and how many must."""
    stage = state.stage
    serving = [post for post in state.posts[wave][number] if stage[post] is IN_SERVICE]
    good = [until for until in [_counts_until_us(state, post) for post in serving] if until >= now_us]
    return min(good, default=FOREVER_US), len(good), _posts_needed(state, wave, number)


def _posts_needed(state: State, wave: int, number: int) -> int:
    """Two thirds of the site's posts; those that are gone for good leave the count, but never the last one."""
    posts = state.posts[wave][number]
    alive = sum(state.stage[post] not in GONE for post in posts) or min(1, len(posts))
    return min(state.estate.waves[wave].posts[number][1], -(-2 * alive // 3))


def opens(state: State, task: TaskKey) -> bool:
    """Whether a gate's task opens: its wave is launched, and the services of the gate are in service and read PASS.

    One that another waits for asks it of its own service alone: what must pass between the two passes meanwhile.
    A witness task opens only where nobody agreed, and its own service need not read PASS: its check waits for the task.
    """
    wave = state.estate.wave_of_task(task)
    if wave < 0 or not state.waves[wave].launchers or (task.subject and agreement(state, task.service)):
        return False
    asked = [task.service]
    if task.key not in state.estate.tasks_after:
        asked = [service for service, _ in state.estate.waves[wave].services]
    good = [
        state.up[one] if task.subject == f"service:{state.estate.services[one]}" else state.good[one] for one in asked
    ]
    return all(met or service in state.dropped for service, met in zip(asked, good, strict=True))


def agreement(state: State, service: int) -> dict[str, Json] | None:
    """What the owner of a service agreed to: what probes may write there, and for which test patient."""
    return state.facts.get(f"agreement:{state.estate.services[service]}")


def writes_now(state: State, subject: str) -> bool:
    """Whether a check of this subject that writes may be asked now: only until the gate that judges it has passed."""
    waves = [state.waves[wave] for wave in state.estate.gates_of_subject.get(subject, ())]
    return any(wave.launchers and not wave.passed_us for wave in waves)


def _reading_lack(state: State, subject: str, now_us: int) -> Lack | None:
    observed = state.readings.get(subject)
    if observed is None:
        return "unread", subject
    if observed.outcome == "FAIL":
        return "fails", subject
    if observed.outcome == "UNKNOWN" and now_us - observed.since_us > 2 * interval_us(state, subject):
        return "unknown", subject
    return None


def pending(state: State, wave: int, now_us: int) -> Iterator[Lack]:
    """What a soaking gate still waits for: N PASS in a row, fresh; tasks; the soak's end."""
    gate = state.estate.waves[wave]
    for subject in subjects(state, wave):
        observed = state.readings[subject]
        if observed.outcome != "PASS" or observed.passes < gate.passes:
            yield "passes", subject
        elif now_us - observed.at_us > 2 * interval_us(state, subject):
            yield "stale", subject
    for key in gate.tasks:
        task = state.estate.tasks[key]
        if not task.subject and task.service not in state.dropped and not task_stands(state, key, now_us):
            yield "task", key
    ends_us = state.waves[wave].soak_us + gate.soak_us
    if now_us < ends_us:
        yield "soak", str(ends_us)


def subjects(state: State, wave: int) -> list[str]:
    """The readings a gate passes on: its services and interfaces (posts count by having entered service)."""
    gate = state.estate.waves[wave]
    services = [state.estate.subjects[service] for service, _ in gate.services if service not in state.dropped]
    return [*services, *interfaces(state, wave)]


def interfaces(state: State, wave: int) -> list[str]:
    """The interfaces the gate judges: not those that have lost an end to an order of two persons (`drop-need`)."""
    judged, ends_of = state.estate.waves[wave].interfaces, state.estate.ends_of
    return [subject for subject in judged if state.dropped.isdisjoint(ends_of[subject])] if state.dropped else [*judged]


def interval_us(state: State, subject: str) -> int:
    """How often the subject is asked, microseconds."""
    return state.estate.interval_us.get(subject, 60_000_000)


def falls(state: State, subject: str, now_us: int) -> int:
    """How often a subject that flaps fell from PASS: once and back within the hour, or oftener; 0 if it does not."""
    observed = state.readings.get(subject)
    if observed is None or not observed.fell_us or now_us - observed.fell_us > FLAPS_US:
        return 0
    return observed.falls if observed.falls + (observed.outcome == "PASS") > 1 else 0


def _counts_until_us(state: State, post: int) -> int:
    """Until when a post in service counts: N PASS since release and last FAIL, then its class's limit; else 0."""
    passed_us = 0 if state.infected_us[post] else state.ever_passed_us[post]
    return passed_us and passed_us + state.estate.group(post).klass.counts_for_s * 1_000_000


def examine(state: State, wave: int, now_us: int) -> Command | None:
    """The next command about this gate, or None. Asks to be woken when a soak ends."""
    one = state.waves[wave]
    if one.failures and "failures" not in one.holds and too_many_failures(state, wave):
        return Hold(state.estate.waves[wave].name, "failures")
    if not one.launchers or one.passed_us:
        return None
    lack = next(lacks(state, wave, now_us), None)
    name = state.estate.waves[wave].name
    if lack is not None:
        return BreakSoak(name, f"{lack[0]} {lack[1]}") if one.soak_us else None
    if not one.soak_us:
        return StartSoak(name)
    waits = next(pending(state, wave, now_us), None)
    if waits is None:
        return PassGate(name, subjects(state, wave))
    if waits[0] == "soak":
        state.wake_at(int(waits[1]), "gate", wave)
    return None


def refresh_horizon(state: State) -> None:
    """Draws the horizon anew behind the waves on its agenda; hosts of a wave that came into sight look again."""
    touched: set[int] = set()
    for wave in state.horizon_agenda:
        touched.add(wave)
        if _ready_for_successors(state, wave) is (wave in state.unready):
            state.unready ^= {wave}
            touched.update(state.followers[wave])
    for wave in sorted(touched):
        horizon, one = state.unready.isdisjoint(state.ancestors[wave]), state.waves[wave]
        if horizon != one.horizon:
            one.horizon = horizon
            if horizon:
                state.look_again(state.members(wave), (*BEFORE_RESTORE, RESTORED))
    state.horizon_agenda.clear()


def _ready_for_successors(state: State, wave: int) -> bool:
    """Whether a gate has passed, or is launched and has every service in service."""
    one = state.waves[wave]
    if one.passed_us or not one.launchers:
        return one.passed_us > 0
    return all(state.up[service] or service in state.dropped for service, _ in state.estate.waves[wave].services)


def holds(state: State) -> Iterator[Command]:
    """Holds that begin or end by themselves: relapsed services, and hosts whose exception ended unproven."""
    held = any(one.holds for one in state.waves)
    yield from _relapses(state, held=held)
    yield from _overdue(state, held=held)


def _overdue(state: State, *, held: bool) -> Iterator[Command]:
    """The waves that follow the wave of such a host wait until it is proven or recalled."""
    owing = [host for host, owed in state.obligations.items() if owed.holds]
    if not owing and not held:
        return
    for wave, one in enumerate(state.waves):
        name = state.estate.waves[wave].name
        causes = {
            f"owed:{state.estate.hosts[host]}": None for host in owing if state.wave_of[host] in state.ancestors[wave]
        }
        for cause in causes:
            if cause not in one.holds:
                yield Hold(name, cause)
        for cause in one.holds:
            if cause.startswith("owed:") and cause not in causes:
                yield Unhold(name, cause)


def _relapses(state: State, *, held: bool) -> Iterator[Command]:
    """Holds for waves that need a service which passed its gate and no longer reads PASS.

    They end when it does, and where its wave, changed in mid-incident, no longer needs it.
    """
    for service, good in enumerate(state.good):
        if not good and _relapsed(state, service):
            cause = f"relapse:{state.estate.services[service]}"
            for wave in state.estate.waves_needing[service]:
                if cause not in state.waves[wave].holds:
                    yield Hold(state.estate.waves[wave].name, cause)
    if not held:
        return
    for wave, one in enumerate(state.waves):
        for cause in one.holds:
            kind, _, name = cause.partition(":")
            if kind != "relapse":
                continue
            service = state.estate.service_number[name]
            if not (_relapsed(state, service) and wave in state.estate.waves_needing[service]):
                yield Unhold(state.estate.waves[wave].name, cause)


def _relapsed(state: State, service: int) -> bool:
    """Whether the service's gate has passed and it does not read PASS now."""
    home = state.estate.wave_of_service[service]
    passed = home >= 0 and state.waves[home].passed_us > 0
    return passed and not state.good[service] and service not in state.dropped


def too_many_failures(state: State, wave: int) -> bool:
    """More than max(3, 10 %) of the wave failed for good since it was last resumed."""
    size = len(state.members(wave))
    return state.waves[wave].failures > max(FAILURES_MIN, size // 10)


def substitute_post(state: State, host: int) -> int:
    """The next post of the same class, site and function from a later wave, or -1."""
    estate = state.estate
    hosts = estate.content.inventory.hosts
    found = [
        other
        for other in estate.hosts_of_site[estate.site_of[host]]
        if hosts[other].klass == hosts[host].klass
        and hosts[other].function == hosts[host].function
        and state.wave_of[other] > state.wave_of[host]
        and state.stage[other] not in GONE
        and other not in state.leaving
        and state.stage[other] not in OUT
    ]
    return min(found, key=lambda other: state.urgency[other], default=-1)
