"""What records about actions, verdicts and readings do to the state.

Never decides and never refuses: `admit` did. Only `apply` calls these functions.
"""

from __future__ import annotations

from bisect import bisect_left

from orchestrator.decision import quorum
from orchestrator.decision.capacity import occupy, release, signature
from orchestrator.decision.commands import (
    Ask,
    Cancel,
    ChangeStrategy,
    Condemn,
    EnterService,
    Exclude,
    GiveUp,
    Issue,
    Owe,
)
from orchestrator.decision.estate import STEP_NUMBER
from orchestrator.decision.events import Cancelled, Dispatched, Finished, Judged, Late, Lost, Reading, Swept
from orchestrator.decision.gates import substitute_post
from orchestrator.decision.stages import ENDS, OUT, STARTS, SUCCEEDS, Stage, Turn
from orchestrator.decision.state import (
    CONNECTED,
    DURATION_BOUNDS_S,
    LANE,
    QUARANTINED,
    STEP,
    UNKNOWN,
    Obligation,
    Observed,
    OpenAction,
    State,
    Verdict,
)

SECOND = 1_000_000
ISOLATE, RESTORE = STEP["isolate"], STEP["restore"]


def issue(state: State, command: Issue, at_us: int) -> None:
    """An action starts: its lane, its pools, its attempt."""
    step = command.step
    host = state.estate.host_number.get(command.target, -1)
    if host < 0:
        site = state.estate.site_number[command.target]
        state.site_lane[site] = command.action
        state.site_attempts[site] += 1
        state.open[command.action] = OpenAction(-1, site, step, "", at_us)
        return
    site = state.estate.site_of[host]
    pools = occupy(state, signature(state, host, STEP_NUMBER[step]), at_us) if step != "isolate" else ()
    state.open[command.action] = OpenAction(
        host, site, step, command.strategy, at_us, pools, supersedes=command.supersedes
    )
    state.lanes[LANE[step]][host] = command.action
    state.attempts[host][STEP[step]] += 1
    if step == "isolate":
        state.isolate_wanted.pop(host, None)
    elif step != "inspect" or state.stage[host] not in OUT:
        state.move(host, STARTS[step])
    if command.supersedes:
        state.superseded.pop(host, None)
    state.touch(command.target, "issued")


def dispatched(state: State, event: Dispatched, at_us: int) -> None:
    """Notes which invocation carries each action."""
    for action in event.actions:
        if action in state.open:
            state.open[action].dispatched = state.seq


def cancel(state: State, command: Cancel, at_us: int) -> None:
    """Notes that the action was asked to stop."""
    state.open[command.action].cancel_asked = True


def finished(state: State, event: Finished, at_us: int) -> None:
    """A result arrives for an open action."""
    action = _close(state, event.action, "finished")
    if action.host < 0:
        _site_isolated(state, action.site, event.outcome, at_us)
    elif action.step == "isolate":
        _isolated(state, action.host, event.outcome, at_us)
    elif event.outcome == "ok":
        _succeeded(state, action, event, at_us)
    else:
        _tried(state, action, at_us, unreachable=event.outcome == "unreachable")


def lost(state: State, event: Lost, at_us: int) -> None:
    """An action whose end nobody knows: a try is used, and the next one supersedes its mark."""
    action = _close(state, event.action, "lost")
    if action.host >= 0 and action.step in ("preserve", "restore"):
        state.superseded[action.host] = event.action
    _failed(state, action, at_us)


def cancelled(state: State, event: Cancelled, at_us: int) -> None:
    """A cancelled action is no try."""
    action = _close(state, event.action, "cancelled")
    if action.host < 0:
        state.dirty_sites[action.site] = None
    elif action.step == "isolate":
        state.isolate_wanted[action.host] = "cancelled"
        state.dirty[action.host] = None
    else:
        _ended(state, action)


def late(state: State, event: Late, at_us: int) -> None:
    """A result after the end changes nothing."""


def _close(state: State, name: str, how: str) -> OpenAction:
    action = state.open.pop(name)
    state.ended[name] = how
    if how == "finished":
        spent_us = state.at_us - action.at_us
        spent = state.spent[action.step]
        spent[bisect_left(DURATION_BOUNDS_S, -(-spent_us // SECOND))] += 1
        spent[-1] += spent_us
    release(state, action.pools)
    if action.host < 0:
        state.site_lane[action.site] = ""
        state.dirty_sites[action.site] = None
    else:
        state.lanes[LANE[action.step]][action.host] = ""
        state.dirty[action.host] = None
        state.touch(state.estate.hosts[action.host], how)
    return action


def _failed(state: State, action: OpenAction, at_us: int) -> None:
    if action.host < 0:
        _site_isolated(state, action.site, "failed", at_us)
    elif action.step == "isolate":
        _isolated(state, action.host, "failed", at_us)
    else:
        _tried(state, action, at_us, unreachable=False)


def _ended(state: State, action: OpenAction) -> None:
    if action.step != "inspect" or state.stage[action.host] not in OUT:
        state.move(action.host, ENDS[action.step])


def _tried(state: State, action: OpenAction, at_us: int, *, unreachable: bool) -> None:
    """A try is used and the next waits; an unreachable host is asked again later and loses no try."""
    host, timing = action.host, state.estate.timing
    if unreachable:
        waits = timing.unreachable_s
        wait_s = waits[min(state.unreachable[host], len(waits) - 1)]
        state.unreachable[host] += 1
    else:
        tries = state.tries[host]
        number = STEP[action.step]
        wait_s = timing.waits_s[min(tries[number], len(timing.waits_s) - 1)]
        tries[number] += 1
    until_us = at_us + wait_s * SECOND
    state.not_before_us[LANE[action.step]][host] = until_us
    state.wake_at(until_us, "host", host)
    _ended(state, action)


def _succeeded(state: State, action: OpenAction, event: Finished, at_us: int) -> None:
    host = action.host
    state.unreachable[host] = 0
    state.tries[host][STEP[action.step]] = 0 if action.step != "restore" else state.tries[host][RESTORE]
    if action.step == "preserve":
        state.preserved[host] = True
        state.evidence[host] = str(event.facts.get("digest", ""))
    elif action.step == "restore":
        _new_restore(state, host, event.action)
        point = event.facts.get("restore_point_us", 0)
        state.restore_point_us[host] = point if action.strategy == "restore" and isinstance(point, int) else 0
        state.host_key[host] = str(event.facts.get("host_key", ""))
    elif action.step == "inspect":
        state.inspection[host] = event.action
        state.evidence[host] = str(event.facts.get("evidence", ""))
        state.marker[host] = bool(event.facts.get("marker", False))
        state.verdicts[host] = []
        state.claims.pop(host, None)
        if state.stage[host] in OUT:
            return
    elif not quorum.is_clean(state, host, at_us):
        _withdraw(state, host)
        return
    else:
        _released(state, host)
    state.move(host, SUCCEEDS[action.step])


def _new_restore(state: State, host: int, action: str) -> None:
    state.restore_action[host] = action
    state.inspection[host] = ""
    state.verdicts[host] = []
    state.claims.pop(host, None)
    state.infected_us[host] = 0
    state.suspects[host] = 0


def _released(state: State, host: int) -> None:
    state.connection[host] = CONNECTED
    state.isolated_us[host] = 0
    state.passes[host] = 0
    state.failing_us[host] = 0
    state.ever_passed_us[host] = 0
    state.readings.pop(f"host:{state.estate.hosts[host]}", None)
    if state.estate.group(host).klass.cleanliness == "offline":
        state.recheck[host] = "it was inspected offline, before the online tools were in service"


def _withdraw(state: State, host: int) -> None:
    """Its proof fell while it was being reconnected: it is connected now and must be isolated at once."""
    state.connection[host] = CONNECTED
    state.isolated_us[host] = 0
    state.isolate_wanted[host] = "withdrawn"
    state.move(host, Turn.RECONNECT_WITHDRAWN)


def _site_isolated(state: State, site: int, outcome: str, at_us: int) -> None:
    if outcome != "ok":
        timing = state.estate.timing
        wait_s = timing.waits_s[min(state.site_tries[site], len(timing.waits_s) - 1)]
        state.site_tries[site] += 1
        state.site_not_before_us[site] = at_us + wait_s * SECOND
        state.wake_at(state.site_not_before_us[site], "site", site)
        return
    site_is_isolated(state, site, at_us)


def site_is_isolated(state: State, site: int, at_us: int) -> None:
    """Every host of the site that is not out counts as isolated from now on, until a sweep says otherwise."""
    state.site_isolated_us[site] = at_us
    state.site_asks.pop(site, None)
    for host in state.estate.hosts_of_site[site]:
        if state.stage[host] not in OUT:
            state.isolated_us[host] = at_us
            state.dirty[host] = None


def _isolated(state: State, host: int, outcome: str, at_us: int) -> None:
    """A host's own isolate ended; one that was out comes back to be proven again."""
    if outcome != "ok":
        timing = state.estate.timing
        wait_s = timing.waits_s[min(state.tries[host][ISOLATE], len(timing.waits_s) - 1)]
        state.tries[host][ISOLATE] += 1
        state.isolate_wanted[host] = "again"
        state.not_before_us[1][host] = at_us + wait_s * SECOND
        state.wake_at(state.not_before_us[1][host], "host", host)
        return
    state.tries[host][ISOLATE] = 0
    state.isolated_us[host] = at_us
    state.connection[host] = UNKNOWN
    for lane in ("network", "isolation"):
        state.asks.get(host, {}).pop(lane, None)
    if state.stage[host] not in OUT:
        return
    state.obligations.pop(host, None)
    if state.infected_us[host]:
        state.preserved[host] = False
        state.move(host, Turn.ISOLATED_INFECTED)
    else:
        state.inspection[host] = ""
        state.verdicts[host] = []
        state.move(host, Turn.ISOLATED)


def judged(state: State, event: Judged, at_us: int) -> None:
    """A verdict is filed on the latest inspection of each host it names."""
    for name in event.inspections:
        host = state.estate.host_number[name]
        state.touch(name, "judged")
        state.claims.get(host, {}).pop(event.person, None)
        state.dirty[host] = None
        if event.verdict == quorum.CLEAN:
            verdict = Verdict(event.verdict, event.person, event.indicator_set, event.expires_us, at_us)
            kept = [one for one in state.verdicts[host] if one.person != event.person]
            state.verdicts[host] = [*kept, verdict]
            state.wake_at(event.expires_us, "host", host)
            _discharge(state, host, at_us)
            state.membership_changed(host)
        else:
            _not_clean(state, host, event.verdict, at_us)


def _discharge(state: State, host: int, at_us: int) -> None:
    if host in state.obligations and quorum.verdicts_missing(state, host, at_us) == 0:
        del state.obligations[host]


def _not_clean(state: State, host: int, verdict: str, at_us: int) -> None:
    """SUSPECT asks for a new inspection, INFECTED condemns; on a host that is out both ask for a recall."""
    state.claims.pop(host, None)
    infected = verdict == quorum.INFECTED
    if infected:
        state.infected_us[host] = at_us
    else:
        state.suspects[host] += 1
    stage = state.stage[host]
    if stage in OUT:
        state.asks.setdefault(host, {})["network"] = f"{verdict} while out: recall it"
        state.inspection[host] = ""
        state.verdicts[host] = []
    elif stage is Stage.RECONNECTING:
        # Invariant 1 is judged again when the reconnect's result arrives; this verdict makes it fall.
        state.verdicts[host] = [Verdict(verdict, "", "", 0, at_us)]
        state.reconnects_stale = True
    else:
        state.inspection[host] = ""
        state.verdicts[host] = []
        state.move(host, Turn.INFECTED if infected else Turn.SUSPECT)


def reading(state: State, event: Reading, at_us: int) -> None:
    """The newest answer about a subject."""
    known = state.readings.get(event.subject)
    passes = 0
    since_us = at_us
    if event.outcome == "PASS":
        passes = known.passes + 1 if known else 1
    if known is not None and known.outcome == event.outcome:
        since_us = known.since_us
    state.readings[event.subject] = Observed(event.outcome, since_us, at_us, passes)
    kind, _, name = event.subject.partition(":")
    if kind == "host":
        _host_reading(state, state.estate.host_number[name], event.outcome, at_us)
    elif kind == "service":
        service = state.estate.service_number[name]
        state.refresh_service(service)
    state.task_agenda.update(dict.fromkeys(state.estate.tasks_confirmed_by.get(event.subject, ())))
    state.dirty_gates.update(dict.fromkeys(state.estate.gates_of_subject.get(event.subject, ())))


def _host_reading(state: State, host: int, outcome: str, at_us: int) -> None:
    state.dirty[host] = None
    if state.stage[host] not in OUT:
        return
    if outcome == "PASS":
        state.passes[host] += 1
        state.failing_us[host] = 0
    elif outcome == "FAIL":
        state.passes[host] = 0
        if not state.failing_us[host]:
            state.failing_us[host] = at_us
            state.wake_at(at_us + state.estate.timing.host_fail_s * SECOND, "host", host)
    else:
        state.passes[host] = 0
    wave = state.wave_of[host]
    if wave >= 0:
        state.dirty_gates[wave] = None


def swept(state: State, event: Swept, at_us: int) -> None:
    """Isolation is proven from outside, or disproved: silence counts only when the control target answered."""
    site = state.estate.site_number[event.site]
    if not event.control:
        state.missed[site] += 1
        if state.missed[site] >= 3:
            for host in state.estate.hosts_of_site[site]:
                if state.connection[host] == QUARANTINED:
                    _connection(state, host, UNKNOWN)
        return
    state.missed[site] = 0
    state.swept_us[site] = at_us
    answered = set(event.answered)
    for host in state.estate.hosts_of_site[site]:
        if state.stage[host] in OUT or state.stage[host] is Stage.RECONNECTING:
            continue
        if state.estate.hosts[host] in answered:
            _connection(state, host, CONNECTED)
            if state.isolated_us[host] and state.isolated_us[host] < event.begun_us:
                state.isolated_us[host] = 0
                state.isolate_wanted.setdefault(host, "answered the outside prober")
                state.dirty[host] = None
        elif state.isolated_us[host] and state.isolated_us[host] < event.begun_us:
            _connection(state, host, QUARANTINED)


def _connection(state: State, host: int, connection: int) -> None:
    if state.connection[host] != connection:
        state.connection[host] = connection
        state.dirty[host] = None
        if state.stage[host] is Stage.INSPECTED:
            state.membership_changed(host)


def enter_service(state: State, command: EnterService, at_us: int) -> None:
    """The host works: it counts for its services, and at its gate if it is a post."""
    host = state.estate.host_number[command.host]
    state.ever_passed_us[host] = at_us
    state.move(host, Turn.HOST_CHECK_PASSED)


def change_strategy(state: State, command: ChangeStrategy, at_us: int) -> None:
    """The next strategy starts with all its tries."""
    host = state.estate.host_number[command.host]
    state.strategy[host] = command.strategy
    state.tries[host] = [0] * len(state.tries[host])
    state.late_points[host] = 0
    state.not_before_us[0][host] = 0
    state.infected_us[host] = 0
    state.dirty[host] = None
    state.touch(command.host, "change_strategy")


def condemn(state: State, command: Condemn, at_us: int) -> None:
    """What was restored is thrown away; the same strategy gets one try with an older point."""
    host = state.estate.host_number[command.host]
    state.late_points[host] += 1
    state.inspection[host] = ""
    state.verdicts[host] = []
    state.move(host, Turn.CONDEMNED)
    state.touch(command.host, "condemn")


def give_up(state: State, command: GiveUp, at_us: int) -> None:
    """The host failed for good, until a person retries it; another takes over what it was chosen for."""
    host = state.estate.host_number[command.host]
    state.move(host, Turn.GIVEN_UP)
    if state.wave_of[host] >= 0:
        state.waves[state.wave_of[host]].failures += 1
    _hand_over(state, host)
    state.touch(command.host, "give_up")


def exclude(state: State, command: Exclude, at_us: int) -> None:
    """The host is left out."""
    host = state.estate.host_number[command.host]
    state.leaving.discard(host)
    state.asks.pop(host, None)
    state.move(host, Turn.EXCLUDED)
    _hand_over(state, host)
    state.touch(command.host, "exclude")


def _hand_over(state: State, host: int) -> None:
    """A quorum member's urgency goes to the next candidate, a slice post's place to the next post."""
    if host not in state.chosen:
        return
    state.chosen.discard(host)
    wave = state.wave_of[host]
    number = next((place for place, posts in enumerate(state.posts[wave]) if host in posts), -1)
    if number >= 0:
        heir = substitute_post(state, host)
        state.posts[wave][number].remove(host)
        if heir >= 0:
            _join(state, heir, wave, number)
    else:
        heirs = [other for service in state.estate.services_of[host] for other in state.candidates(service)]
        heirs = [other for other in heirs if other not in state.chosen]
        heir = min(heirs, key=lambda other: state.urgency[other], default=-1)
    if heir >= 0:
        state.chosen.add(heir)
        state.urgency[heir] = min(state.urgency[heir], state.urgency[host])
        state.dirty[heir] = None


def _join(state: State, heir: int, wave: int, number: int) -> None:
    state.dirty_gates[state.wave_of[heir]] = None
    state.posts[wave][number].append(heir)
    state.joined[wave].append(heir)
    state.wave_of[heir] = wave
    state.dirty_gates[wave] = None


def ask(state: State, command: Ask, at_us: int) -> None:
    """A question for a person stands at the host, or at a site."""
    if command.host in state.estate.site_number:
        state.site_asks[state.estate.site_number[command.host]] = command.why
        return
    host = state.estate.host_number[command.host]
    state.asks.setdefault(host, {})[command.lane] = command.why
    state.touch(command.host, "ask")


def owe(state: State, command: Owe, at_us: int) -> None:
    """The host that is out owes a new inspection where it stands."""
    host = state.estate.host_number[command.host]
    state.recheck.pop(host, None)
    state.obligations[host] = Obligation(command.cause, command.deadline_us, command.holds)
    state.inspection[host] = ""
    state.verdicts[host] = []
    state.wake_at(command.deadline_us, "host", host)
    state.dirty[host] = None
