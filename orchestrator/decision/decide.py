"""Decides what follows from an event: admits it, applies it, then one command after another until nothing follows.

Never reads a clock, never acts, never writes the state except through `apply`. Everything that waits stands in an
agenda (hosts, gates, sites, tasks to look at) that records fill; nothing is scanned for work.
"""

from __future__ import annotations

import heapq

from orchestrator.decision import capacity, gates, invariants, quorum
from orchestrator.decision.admit import admit, worth_recording
from orchestrator.decision.apply import apply
from orchestrator.decision.blockers import blockers, freeze_blockers, next_step, tasks_before, wave_blockers
from orchestrator.decision.commands import (
    Ask,
    Cancel,
    ChangeStrategy,
    Command,
    Condemn,
    ConfirmTask,
    EnterService,
    Exclude,
    Freeze,
    GiveUp,
    Issue,
    OpenTask,
    Owe,
    Thaw,
)
from orchestrator.decision.estate import STEP_NUMBER
from orchestrator.decision.events import (
    Epoch,
    Event,
)
from orchestrator.decision.exposure import contacts
from orchestrator.decision.parts import TaskState
from orchestrator.decision.requirements import HOST_STEPS, INSPECT, PRESERVE, RECONNECT, RESTORE, TaskKey
from orchestrator.decision.stages import (
    BEFORE_RESTORE,
    GONE,
    INSPECTED,
    MOVING,
    OUT,
    RELEASED,
    RESTORED,
)
from orchestrator.decision.state import STEP, State
from orchestrator.errors import RelanceError

SECOND = 1_000_000
RECALL = "INFECTED while out: recall it"
Entry = Event | Command


def decide(state: State, event: Event, at_us: int, *, checked: bool = True) -> list[Entry]:
    """The records that follow from `event` at `at_us`, in order, all applied: the event itself, then commands.

    `checked` is left off by forecasts alone: then no invariant is judged. An event that changes nothing worth a
    record leaves only its commands. Raises IllegalEvent or an error of `orders` with the state unchanged, and
    InvariantBroken if the core itself is wrong: then nothing may go on.
    """
    at_us = max(at_us, state.at_us)
    event = admit(state, event, at_us)
    if isinstance(event, Epoch):
        at_us += event.delta_us
    entries: list[Entry] = []
    try:
        if worth_recording(state, event, at_us):
            apply(state, event, at_us)
            entries.append(event)
        while (command := next_command(state, at_us)) is not None:
            if checked:
                invariants.check(state, command, at_us)
            apply(state, command, at_us)
            entries.append(command)
        if checked:
            invariants.settled(state, event)
    except invariants.InvariantBroken:
        raise
    except RelanceError as error:
        # Whatever was admitted must be able to happen; the state is half changed now.
        raise invariants.InvariantBroken(error.sentence, rule="invariant.core") from error
    return entries


def next_command(state: State, now_us: int) -> Command | None:
    """The next thing to do, safety first: isolations, holds, then hosts, gates, tasks, and who may start."""
    if state.timers and state.timers[0][0] <= now_us:
        _wake(state, now_us)
    # An empty agenda is passed over here: this runs after every record.
    return (
        (_sites(state, now_us) if state.dirty_sites else None)
        or (_holds(state) if state.relapse_stale else None)
        or (_stale_reconnects(state, now_us) if state.reconnects_stale else None)
        or (_hosts(state, now_us) if state.dirty else None)
        or (_gates(state, now_us) if state.dirty_gates else None)
        or (_tasks(state, now_us) if state.task_agenda else None)
        or (_start(state, now_us) if state.live else None)
    )


def _wake(state: State, now_us: int) -> None:
    while state.timers and state.timers[0][0] <= now_us:
        _, what, number = heapq.heappop(state.timers)
        if what == "host":
            state.dirty[number] = None
        elif what == "gate":
            state.dirty_gates[number] = None
        elif what == "site":
            state.dirty_sites[number] = None
        elif what == "pace":
            capacity.wake_pace(state, number)
        else:
            key = state.estate.task_keys[number]
            host = state.estate.tasks[key].host
            if host >= 0:
                state.dirty[host] = None
            else:
                state.task_agenda[key] = None


def _sites(state: State, now_us: int) -> Command | None:
    while state.dirty_sites:
        site = next(iter(state.dirty_sites))
        command = _site(state, site, now_us)
        if command is not None:
            return command
        del state.dirty_sites[site]
    return None


def _site(state: State, site: int, now_us: int) -> Command | None:
    """Freezes a site after an alarm; isolates it once, by witnesses where it says so, or beside three failed tries."""
    name = state.estate.sites[site]
    if site in state.alarmed:
        why = f"cut off, and answered the outside prober: {', '.join(state.alarmed[site])}"
        return Freeze(f"site:{name}", why, [])
    if state.site_isolated_us[site] or not state.roster:
        return None
    key = f"{name}/isolate"
    by_people = state.estate.by_witnesses[site] or state.site_tries[site] >= state.estate.timing.tries
    if by_people and key not in state.tasks:
        return OpenTask(key, "the site must be cut off the production network")
    if state.estate.by_witnesses[site] or state.site_lane[site] or state.site_not_before_us[site] > now_us:
        return None
    return Issue(f"{name}/isolate/{state.site_attempts[site] + 1}", name, "isolate")


def _holds(state: State) -> Command | None:
    command = next(gates.holds(state), None)
    if command is None:
        state.relapse_stale = False
    return command


def _stale_reconnects(state: State, now_us: int) -> Command | None:
    """Reconnects that have not begun are stopped when their wave, their needs or a freeze no longer let them go."""
    for name, action in state.open.items():
        if action.step != "reconnect" or action.cancel_asked:
            continue
        why = _fallen(state, action.host, now_us)
        if why:
            return Cancel(name, why)
    state.reconnects_stale = False
    return None


def _fallen(state: State, host: int, now_us: int) -> str:
    """Why a reconnect under way may no longer go; empty while it may."""
    if not state.inspection[host]:
        return "the host was found suspect or infected"
    fallen = next(wave_blockers(state, host, now_us), None) or next(freeze_blockers(state, host), None)
    if fallen is not None:
        return " ".join(fallen)
    needs = state.estate.group(host).needs[3]
    if all(state.up[need] or need in state.dropped for need in needs):
        return ""
    return "a service it needs is no longer in service"


def _hosts(state: State, now_us: int) -> Command | None:
    while state.dirty:
        host = next(iter(state.dirty))
        command = _host(state, host, now_us)
        if command is not None:
            return command
        del state.dirty[host]
    return None


def _host(state: State, host: int, now_us: int) -> Command | None:
    """What must be said or done about one host now; a step that may start is put into its queue."""
    stage = state.stage[host]
    command = _reach(state, host) if stage in OUT else None
    if command is None and host in state.isolate_wanted:
        command = _network(state, host, now_us)
    if command is None and host in state.leaving:
        command = _leaving(state, host)
    if command is not None or stage in MOVING:
        return command
    command = _verdict_on_life(state, host)
    if command is None and state.unreachable[host] >= state.estate.timing.tries:
        command = _unreachable(state, host)
    if command is None and stage in OUT:
        command = _out(state, host, now_us)
    step = next_step(state, host) if command is None else ""
    if not step:
        return command
    keys = tasks_before(state, host, step)
    for key in keys:
        if key not in state.tasks:
            opened = _open_in_order(state, key, now_us)
            if opened is not None:
                return opened
    if next(blockers(state, host, step, now_us), None) is None:
        capacity.enqueue(state, host, STEP_NUMBER[step])
        state.judged = host, step, state.seq, now_us
    elif keys:
        return _expired_before(state, host, step, now_us)
    return None


def _expired_before(state: State, host: int, step: str, now_us: int) -> Command | None:
    """Opens a task of the host that expired once only people are missing: earlier it would be done for nothing.

    Verdicts are people too: their own expired seats wait for the task.
    """
    missing = list(blockers(state, host, step, now_us))
    if any(code not in ("task", "verdicts", "unit") for code, _ in missing):
        return None
    for code, key in missing:
        task = state.tasks.get(key) if code == "task" else None
        if task is not None and task.status == "confirmed":
            return OpenTask(key, "it expired")
    return None


def _reach(state: State, host: int) -> Command | None:
    """Freezes whom a host that is out spoke with, before it is recalled or a recall is asked for; ends that freeze
    once it was found CLEAN. What a recalled host leaves frozen two persons thaw."""
    asks = state.asks.get(host)
    asked = asks.get("network", "") if asks else ""
    if not (asked or state.infected_us[host] or host in state.isolate_wanted or host in state.reach):
        return None  # most often
    scope = f"reach:{state.estate.hosts[host]}"
    frozen = state.freezes.get(scope) == "recall"
    if asked or state.infected_us[host] or being_isolated(state, host):
        if frozen:
            return None
        why = asked or ("INFECTED while out" if state.infected_us[host] else "its recall was ordered")
        return Freeze(scope, why, sorted(state.estate.hosts[one] for one in contacts(state, host)))
    if frozen and host not in state.obligations and host not in state.recheck:
        return Thaw(scope, "it was found CLEAN")
    return None


def _network(state: State, host: int, now_us: int) -> Command | None:
    """Isolation pre-empts everything on the network lane."""
    under_way = state.lanes[1][host]
    if under_way:
        action = state.open[under_way]
        if action.step == "reconnect" and not action.cancel_asked:
            return Cancel(under_way, "the host must be isolated")
        return None
    name = state.estate.hosts[host]
    tries = state.tries[host][STEP["isolate"]]
    # No wait of a reconnect delays an isolation.
    if tries and state.not_before_us[1][host] > now_us:
        return None
    if tries and tries % state.estate.timing.tries == 0 and "isolation" not in state.asks.get(host, {}):
        return Ask(name, "isolation", f"isolating it failed {tries} times: cut it off by hand")
    return Issue(f"{name}/isolate/{state.attempts[host][STEP['isolate']] + 1}", name, "isolate")


def _leaving(state: State, host: int) -> Command | None:
    under_way = [lane[host] for lane in state.lanes if lane[host]]
    for name in under_way:
        if state.open[name].step != "isolate" and not state.open[name].cancel_asked:
            return Cancel(name, "the host is being excluded")
    return None if under_way else Exclude(state.estate.hosts[host])


def _verdict_on_life(state: State, host: int) -> Command | None:
    """Whether the host's present strategy is spent, what was restored is too young, or a person must decide."""
    stage, tries, limit = state.stage[host], state.tries[host], state.estate.timing.tries
    if stage in BEFORE_RESTORE:
        return _leave_off(state, host) if state.wave_of[host] < 0 else _strategy_spent(state, host)
    if stage in (RESTORED, INSPECTED) and not state.lanes[0][host]:
        point_us = state.restore_point_us[host]
        too_young = point_us and 0 < state.t0_us() <= point_us
        if too_young and not state.lanes[1][host]:
            return Condemn(state.estate.hosts[host], "its restore point is not older than T0")
        if state.suspects[host] >= 3:
            return GiveUp(state.estate.hosts[host], "three inspections in a row were SUSPECT")
    if tries[INSPECT] >= limit and "host" not in state.asks.get(host, {}):
        return Ask(state.estate.hosts[host], "host", f"inspect failed {limit} times")
    if tries[RECONNECT] >= limit and "network" not in state.asks.get(host, {}):
        return Ask(state.estate.hosts[host], "network", f"reconnect failed {limit} times")
    return None


def _unreachable(state: State, host: int) -> Command | None:
    """Asks about a host that nobody reaches; it goes on being tried, and a success answers."""
    if "reach" in state.asks.get(host, {}) or state.stage[host] in GONE:
        return None
    often = state.estate.timing.tries
    return Ask(state.estate.hosts[host], "reach", f"it could not be reached {often} times: look at it")


def _strategy_spent(state: State, host: int) -> Command | None:
    tries, limit = state.tries[host], state.estate.timing.tries
    if state.lanes[0][host]:
        return None
    if state.strategy[host] == "leave_off":
        return _leave_off(state, host)
    if state.strategy[host] == "declared":
        return _next_strategy(state, host, "what others had brought back does not count")
    if state.infected_us[host]:
        return _next_strategy(state, host, "what was restored is infected")
    if tries[RESTORE] >= limit:
        return _next_strategy(state, host, f"{limit} tries of {state.strategy[host]} failed")
    if state.late_points[host] >= 2:
        return _next_strategy(state, host, "no restore point older than T0")
    if tries[PRESERVE] >= limit and "host" not in state.asks.get(host, {}):
        return Ask(state.estate.hosts[host], "host", f"preserving its evidence failed {limit} times")
    return None


def _leave_off(state: State, host: int) -> Command | None:
    """The plan leaves it off; the last host of a quorum is left to a person."""
    if not state.roster:
        return None
    short = quorum.lacking_without(state, host)
    if not short:
        return Exclude(state.estate.hosts[host])
    if "host" in state.asks.get(host, {}):
        return None
    return Ask(
        state.estate.hosts[host], "host", f"without it {', '.join(short)} cannot reach its quorum: leave it off?"
    )


def _next_strategy(state: State, host: int, why: str) -> Command:
    strategies = state.estate.group(host).klass.strategies
    present = state.strategy[host]
    place = len(strategies)
    if present == "declared":
        place = 0
    elif present in strategies:
        place = strategies.index(present) + 1
    name = state.estate.hosts[host]
    if place >= len(strategies):
        return GiveUp(name, f"{why}; no strategy is left")
    return ChangeStrategy(name, strategies[place], why)


def _out(state: State, host: int, now_us: int) -> Command | None:
    """A released host enters service, owes, or worries someone."""
    name, timing = state.estate.hosts[host], state.estate.timing
    infected_us, failing_us, owed = state.infected_us[host], state.failing_us[host], state.obligations.get(host)
    if state.stage[host] is RELEASED and not infected_us and state.passes[host] >= timing.in_service_passes:
        return EnterService(name)
    if not (infected_us or failing_us or owed or host in state.recheck or host in state.exceptions):
        return None  # most often
    asks = state.asks.get(host, {})
    if infected_us and not being_isolated(state, host):
        known = "isolation" in asks or asks.get("network") == RECALL
        if not known:
            return Ask(name, "network", RECALL)
    if host in state.recheck and owed is None:
        due_us = now_us + timing.obligation_s * SECOND
        return Owe(name, state.recheck[host], due_us, holds=state.suspects[host] > 0)
    until_us = state.exceptions.get(host)
    if until_us is not None and now_us >= until_us:
        return Owe(name, "its exception ended", until_us, holds=True)
    if failing_us and now_us - failing_us >= timing.host_fail_s * SECOND and "check" not in asks:
        return Ask(name, "check", "its check has read FAIL for too long")
    if owed is not None and now_us >= owed.deadline_us and "owed" not in asks:
        return Ask(name, "owed", f"overdue: {owed.cause}")
    return None


def being_isolated(state: State, host: int) -> bool:
    """Whether the host is being cut off, or is to be."""
    under_way = state.lanes[1][host]
    return host in state.isolate_wanted or bool(under_way and state.open[under_way].step == "isolate")


def _gates(state: State, now_us: int) -> Command | None:
    while state.dirty_gates:
        wave = next(iter(state.dirty_gates))
        command = gates.examine(state, wave, now_us)
        if command is not None:
            return command
        del state.dirty_gates[wave]
    return None


def _tasks(state: State, now_us: int) -> Command | None:
    while state.task_agenda:
        key = next(iter(state.task_agenda))
        command = _task(state, key, now_us)
        if command is not None:
            return command
        del state.task_agenda[key]
    return None


def _task(state: State, key: str, now_us: int) -> Command | None:
    """Opens a gate's task once its turn has come and its predecessor's wait is over; confirms by machine."""
    known = state.estate.tasks.get(key)
    if known is None:
        return None
    task = state.tasks.get(key)
    if task is not None and task.status == "confirmed":
        return _expired(state, known, task, now_us)
    if task is not None and task.status == "reported":
        observed = state.readings.get(state.confirmed_by(key))
        if observed is None or observed.at_us <= task.reported_us or observed.outcome == "UNKNOWN":
            return None
        return ConfirmTask(key) if observed.outcome == "PASS" else OpenTask(key, "its check reads FAIL")
    if task is not None or known.service < 0 or known.service in state.dropped or not gates.opens(state, known):
        return None
    return _open_in_order(state, key, now_us)


def _expired(state: State, known: TaskKey, task: TaskState, now_us: int) -> Command | None:
    """A gate's task that no longer holds opens again, as long as its gate has not passed."""
    expires_s = known.spec.expires_s
    if known.service < 0 or not expires_s:
        return None
    wave = state.estate.wave_of_task(known)
    if now_us < task.confirmed_us + expires_s * SECOND or (wave >= 0 and state.waves[wave].passed_us):
        return None
    return OpenTask(known.key, "it expired")


def _open_in_order(state: State, key: str, now_us: int) -> Command | None:
    known = state.estate.tasks.get(key)
    if known is None:
        return OpenTask(key, "its strategy puts another machine in its place")
    after = known.spec.after
    if after is not None:
        first = state.tasks.get(f"{key.partition('/')[0]}/{after.task}")
        if first is None or first.status != "confirmed":
            return None
        due_us = first.confirmed_us + after.wait_s * SECOND
        if now_us < due_us:
            state.wake_at(
                due_us, *(("task", state.estate.task_number[key]) if known.host < 0 else ("host", known.host))
            )
            return None
    return OpenTask(key, "what stands before it is there")


def _start(state: State, now_us: int) -> Command | None:
    """The most urgent host that may start, judged once more before it does."""
    while (taken := capacity.take(state, now_us)) is not None:
        host, step = taken[0], HOST_STEPS[taken[1]]
        judged_now = state.judged == (host, step, state.seq, now_us)  # and no record since
        if not judged_now and (
            next_step(state, host) != step or next(blockers(state, host, step, now_us), None) is not None
        ):
            continue
        name = state.estate.hosts[host]
        return Issue(
            f"{name}/{step}/{state.attempts[host][STEP[step]] + 1}",
            name,
            step,
            state.strategy[host] if step == "restore" else "",
            state.superseded.get(host, "") if step in ("preserve", "restore") else "",
        )
    return None
