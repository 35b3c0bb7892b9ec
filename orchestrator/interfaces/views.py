"""The state of the whole restart as one document: `relance status`, the display of a drill, a dashboard's page.

Never changes anything and keeps nothing: each function is given the state and the time.
"""

from __future__ import annotations

from collections import Counter

from orchestrator.decision import explain
from orchestrator.decision.blockers import Blocker, blockers, next_step
from orchestrator.decision.stages import OUT, Stage
from orchestrator.decision.state import State
from orchestrator.interfaces.documents import (
    Asked,
    Held,
    Owed,
    Pool,
    Rates,
    Status,
    Waiting,
    Wave,
    WaveWord,
)
from orchestrator.interfaces.views_functions import functions
from orchestrator.interfaces.views_people import waiting_orders

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
WAITS_MAX = 12
# Their subject differs from host to host.
PER_HOST = frozenset({"evidence", "own-word", "quarantine", "task", "asks", "unit"})


def status(state: State, now_us: int) -> Status:
    """Everything at a glance."""
    return {
        "incident": state.incident,
        "content": state.estate.content.digest,
        "at_us": now_us,
        "records": state.seq,
        "last_event_us": state.at_us,
        "frozen": dict(state.freezes),
        "clock_jump_us": state.jump_us,
        "clock_doubted": state.clock_doubted,
        "hosts": stages(state),
        "waves": [_wave(state, wave, now_us) for wave in range(len(state.waves))],
        "functions": functions(state),
        "pools": _pools(state),
        "rates": _rates(state, now_us),
        "under_way": dict(Counter(action.step for action in state.open.values())),
        "asks": _asks(state),
        "failed": [state.estate.hosts[host] for host, stage in enumerate(state.stage) if stage is Stage.FAILED],
        "obligations": _obligations(state, now_us),
        "exceptions": [
            {"host": state.estate.hosts[host], "until_us": until_us}
            for host, until_us in sorted(state.exceptions.items(), key=lambda item: item[1])
        ],
        "orders_waiting": len(waiting_orders(state, now_us)),
        "waits": _waits(state, now_us),
    }


def stages(state: State) -> dict[str, int]:
    """How many hosts stand at each stage."""
    counts = Counter(state.stage)
    return {stage.name.lower(): counts[stage] for stage in Stage}


def wave_word(state: State, wave: int) -> WaveWord:
    """Where a wave stands: a hold binds one that is launched and has not passed."""
    one = state.waves[wave]
    if one.passed_us:
        return "passed"
    if not one.launchers:
        return "not_launched"
    if one.holds:
        return "held"
    return "soaking" if one.soak_us else "open"


def in_words(reason: explain.Reason) -> Waiting:
    """A reason of `explain` as JSON."""
    return {"code": reason.code, "subject": reason.subject, "sentence": reason.sentence, "who": reason.who}


def _wave(state: State, wave: int, now_us: int) -> Wave:
    one, gate = state.waves[wave], state.estate.waves[wave]
    members = Counter(state.stage[host] for host in state.members(wave))
    word = wave_word(state, wave)
    waits = [] if word == "not_launched" else explain.gate_why(state, wave, now_us)
    return {
        "name": gate.name,
        "function": state.estate.plan.waves[wave].function,
        "state": word,
        "hosts": members.total(),
        "in_service": members[Stage.IN_SERVICE],
        "failed": members[Stage.FAILED],
        "launched_us": one.launched_us,
        "soak_ends_us": one.soak_us + gate.soak_us if one.soak_us and not one.passed_us else 0,
        "passed_us": one.passed_us,
        "holds": list(one.holds),
        "waits": [in_words(reason) for reason in waits],
    }


def _pools(state: State) -> list[Pool]:
    sites = state.estate.sites
    return [
        {"pool": slot.pool, "site": sites[slot.site] if slot.site >= 0 else "", "in_use": used, "size": slot.size}
        for slot, used in zip(state.estate.pools, state.in_use, strict=True)
    ]


def _rates(state: State, now_us: int) -> Rates:
    entered = [at for at, stage in zip(state.in_service_us, state.stage, strict=True) if stage is Stage.IN_SERVICE]
    last_hour = sum(at > now_us - HOUR_US for at in entered)
    begun_us = min((one.launched_us for one in state.waves if one.launchers), default=now_us)
    return {
        "hosts_an_hour": last_hour * HOUR_US // max(SECOND_US, min(HOUR_US, now_us - begun_us)),
        "in_service_last_hour": last_hour,
        "in_service_last_day": sum(at > now_us - 24 * HOUR_US for at in entered),
    }


def _asks(state: State) -> list[Asked]:
    found: list[Asked] = []
    for host, asked in sorted(state.asks.items()):
        found += [{"host": state.estate.hosts[host], "lane": lane, "why": why} for lane, why in asked.items()]
    return found


def _obligations(state: State, now_us: int) -> list[Owed]:
    return [
        {
            "host": state.estate.hosts[host],
            "cause": owed.cause,
            "deadline_us": owed.deadline_us,
            "overdue": now_us >= owed.deadline_us,
            "holds": owed.holds,
        }
        for host, owed in sorted(state.obligations.items(), key=lambda item: item[1].deadline_us)
    ]


def _waits(state: State, now_us: int) -> list[Held]:
    """The first thing in the way of each host of a launched wave, counted; those that stop most hosts first."""
    found: dict[Blocker, Held] = {}
    for wave, one in enumerate(state.waves):
        for host in state.members(wave) if one.launchers else ():
            blocker = _first(state, host, now_us)
            if blocker is None:
                continue
            key = (blocker[0], "" if blocker[0] in PER_HOST else blocker[1])
            if key not in found:
                found[key] = {**in_words(explain.put(state, blocker)), "hosts": 0, "example": state.estate.hosts[host]}
            found[key]["hosts"] += 1
    return sorted(found.values(), key=lambda one: -one["hosts"])[:WAITS_MAX]


def _first(state: State, host: int, now_us: int) -> Blocker | None:
    """What somebody must lift first for this host; its own work and waits that end by themselves are not shown."""
    step = next_step(state, host)
    if not step or state.stage[host] in OUT or state.lanes[0][host] or state.lanes[1][host]:
        return None
    blocker = next(blockers(state, host, step, now_us), None)
    return None if blocker is None or blocker[0] == "not-before" else blocker
