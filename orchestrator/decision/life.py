"""What records about actions do to the state.

Never decides and never refuses: `admit` did. Only `apply` calls these functions.
"""

from __future__ import annotations

from bisect import bisect_left

from orchestrator.decision import custody, lots, quorum
from orchestrator.decision.blockers import tasks_before
from orchestrator.decision.capacity import occupy, release, signature
from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.estate import STEP_NUMBER
from orchestrator.decision.events import Cancelled, Dispatched, Finished, Late, Lost
from orchestrator.decision.parts import OpenAction
from orchestrator.decision.requirements import HOST_STEPS
from orchestrator.decision.stages import ENDS, GONE, INSPECTED, INSPECTING, OUT, STARTS, SUCCEEDS, Turn
from orchestrator.decision.state import CONNECTED, DURATION_BOUNDS_S, LANE, STEP, UNKNOWN, State

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
        return
    if action.step == "isolate":
        state.want_isolated(action.host, "cancelled")
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
    """No success: the host stands where it stood, unless it came back from outside while it was inspected there."""
    host = action.host
    if action.step == "inspect" and state.stage[host] is not INSPECTING:
        return
    state.move(host, ENDS[action.step])
    if action.step == "reconnect":
        # Only a new sweep proves the quarantine again.
        state.connection[host] = UNKNOWN
        if state.infected_us[host]:
            state.move(host, Turn.INFECTED)
        elif not state.inspection[host]:
            state.move(host, Turn.SUSPECT)


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
    if action.step == "reconnect":
        # Nobody knows whether it opened the way.
        state.isolated_us[host] = 0
        state.made.discard(host)
        state.want_isolated(host, "its reconnect did not end well")


def _succeeded(state: State, action: OpenAction, event: Finished, at_us: int) -> None:
    host = action.host
    state.unreachable[host] = 0
    state.answered(host, "reach")
    if action.step != "restore":
        state.tries[host][STEP[action.step]] = 0
    if action.step in ("preserve", "restore"):
        # Only a success proves that the lost action's mark was replaced; until then every try names it.
        state.superseded.pop(host, None)
    if action.step == "preserve":
        state.custody[event.action] = custody.preserved(event.facts, at_us)
        state.preserved[host] = state.custody[event.action].digest
    elif action.step == "restore":
        _new_restore(state, action, event, at_us)
    elif action.step == "inspect":
        if not _inspected(state, action, event):
            return
    elif quorum.is_clean(state, host, at_us):
        _released(state, host, at_us)
    else:
        _withdraw(state, host)
        return
    state.move(host, SUCCEEDS[action.step])


def _new_restore(state: State, action: OpenAction, event: Finished, at_us: int) -> None:
    """What is proven and what people did for the host starts anew.

    A restore point that nobody names counts as taken now, so T0 condemns it.
    """
    host = action.host
    state.host_key[host] = str(event.facts.get("host_key", ""))
    state.image[host] = str(event.facts.get("image_digest", ""))
    point = event.facts.get("restore_point_us")
    from_backup = action.strategy == "restore"
    state.restore_point_us[host] = (point if isinstance(point, int) else at_us) if from_backup else 0
    state.infected_us[host] = 0
    state.suspects[host] = 0
    state.seen_apart.discard(host)
    state.exceptions.pop(host, None)
    if action.strategy in lots.WIPED and state.image[host]:
        state.made.add(host)
    else:
        state.made.discard(host)
    for step in HOST_STEPS:
        for key in tasks_before(state, host, step):
            state.tasks.pop(key, None)


def _inspected(state: State, action: OpenAction, event: Finished) -> bool:
    """Keeps what was found; whether the host's stage moves on (it does not where it is inspected while out)."""
    host = action.host
    online = state.stage[host] in OUT
    if not online and state.stage[host] is not INSPECTING:
        return False
    if not online and not 0 < state.isolated_us[host] <= action.at_us:
        # It was connected while it was inspected, or was cut off anew since: what was found says nothing of it now.
        state.move(host, Turn.INSPECT_ENDED)
        return False
    state.void_proof(host)
    state.inspection[host] = event.action
    state.evidence[host] = str(event.facts.get("evidence", ""))
    if event.facts.get("taken") in ("offline", "outside"):
        state.seen_apart.add(host)
    state.marker[host] = bool(event.facts.get("marker", False))
    if state.marker[host]:
        state.made.discard(host)
    if state.marker[host] and host in state.obligations:
        state.obligations[host].holds = state.relapse_stale = True
        state.asks.setdefault(host, {})["network"] = "an indicator hit while out: recall it"
    if not online:
        lots.join(state, host)
    return not online


def _released(state: State, host: int, at_us: int) -> None:
    klass = state.estate.group(host).klass
    state.connection[host] = CONNECTED
    state.isolated_us[host] = 0
    state.made.discard(host)
    state.passes[host] = 0
    state.failing_us[host] = 0
    state.ever_passed_us[host] = 0
    state.suspects[host] = 0
    state.readings.pop(f"host:{state.estate.hosts[host]}", None)
    counted = quorum.counting(state, host, at_us)
    if len(counted) >= quorum.required(state, host, counted):
        state.exceptions.pop(host, None)
    if klass.cleanliness == "offline":
        state.recheck[host] = "it was inspected offline, before the online tools were in service"
    if 0 < state.t0_us() <= state.restore_point_us[host]:
        state.recheck[host] = "its restore point is not older than the corrected T0"


def _withdraw(state: State, host: int) -> None:
    """Its proof fell while it was being reconnected: it is connected now and must be isolated at once."""
    state.connection[host] = CONNECTED
    state.isolated_us[host] = 0
    state.made.discard(host)
    state.want_isolated(host, "withdrawn")
    state.void_proof(host)
    if state.infected_us[host]:
        state.preserved[host] = ""
        state.move(host, Turn.WITHDRAWN_INFECTED)
    else:
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
    task = state.tasks.get(f"{state.estate.sites[site]}/isolate")
    if task is not None and task.status != "confirmed":
        task.status = "closed"
    for host in state.estate.hosts_of_site[site]:
        stage = state.stage[host]
        if stage not in OUT:
            state.isolated_us[host] = at_us
            if stage not in GONE:
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
    state.answered(host, "isolation")
    if state.stage[host] in OUT:
        _comes_back(state, host)
    elif state.stage[host] is INSPECTED:
        state.membership_changed(host)


def _comes_back(state: State, host: int) -> None:
    """What it owed and what was asked about it while it was out is settled: it is proven anew, or wiped."""
    state.obligations.pop(host, None)
    state.recheck.pop(host, None)
    state.exceptions.pop(host, None)
    state.asks.pop(host, None)
    state.unreachable[host] = 0
    state.tries[host] = [0] * len(STEP)
    state.not_before_us[0][host] = 0
    state.failing_us[host] = 0
    state.relapse_stale = True
    state.freezes[f"reach:{state.estate.hosts[host]}"] = "isolated"  # two persons may thaw it from now on
    state.void_proof(host)
    state.seen_apart.discard(host)
    state.preserved[host] = ""  # what ran outside since is evidence of its own
    if state.infected_us[host]:
        state.move(host, Turn.ISOLATED_INFECTED)
    else:
        state.move(host, Turn.ISOLATED)
