"""What verdicts, matched evidence, readings and sweeps do to the state.

Never decides and never refuses: `admit` did. Only `apply` calls these functions.
"""

from __future__ import annotations

from orchestrator.decision import lots, quorum
from orchestrator.decision.events import Judged, Reading, Rematched, Started, Swept
from orchestrator.decision.gates import FLAPS_US, interval_us
from orchestrator.decision.parts import Observed, Verdict
from orchestrator.decision.stages import IN_SERVICE, INSPECTED, OUT, RECONNECTING, Turn
from orchestrator.decision.state import CONNECTED, QUARANTINED, UNKNOWN, State

SECOND = 1_000_000
HIT, NO_HIT, UNMATCHED = OUTCOMES = ("hit", "no-hit", "unmatched")


def judged(state: State, event: Judged, at_us: int) -> None:
    """A verdict is filed on the latest inspection of each host it names, but for those drawn from their lot."""
    lot = lots.called_clean(state, event)
    for name in event.inspections:
        host = state.estate.host_number[name]
        if lot is not None and host in lot.drawn:
            continue
        state.touch(name, "judged")
        state.claims.get(host, {}).pop(event.person, None)
        if event.verdict == quorum.CLEAN:
            if lot is not None:
                state.by_lot.setdefault(host, set()).add(event.person)
            elif host in state.by_lot:
                state.by_lot[host].discard(event.person)
            ends_us = quorum.ends_us(state, event.expires_us, at_us)
            verdict = Verdict(event.verdict, event.person, event.indicator_set, ends_us, at_us)
            kept = [one for one in state.verdicts[host] if one.person != event.person]
            state.verdicts[host] = [*kept, verdict]
            state.wake_at(ends_us, "host", host)
            _counted(state, host, at_us)
        else:
            state.dirty[host] = None
            _not_clean(state, host, event.verdict, at_us)


def _counted(state: State, host: int, at_us: int) -> None:
    """Enough verdicts count now, or the host waits for another person."""
    if quorum.verdicts_missing(state, host, at_us) == 0:
        state.rematch.discard(host)  # people judged it under the set in force
        state.dirty[host] = None
        _discharge(state, host)
        state.membership_changed(host)


def rematched(state: State, event: Rematched, at_us: int) -> None:
    """Where nothing of the set in force is found the verdicts stand; a hit is SUSPECT, by a rule and no person."""
    for name in event.inspections:
        host = state.estate.host_number[name]
        state.rematch.discard(host)
        if event.outcome == HIT:
            state.touch(name, "rematched")
            state.dirty[host] = None
            _not_clean(state, host, quorum.SUSPECT, at_us)
        elif event.outcome == NO_HIT:
            for verdict in state.verdicts[host]:
                verdict.indicator_set = event.indicator_set
            _counted(state, host, at_us)
        elif state.stage[host] in OUT and host not in state.obligations:
            state.recheck[host] = "its evidence could not be matched against the indicator set in force"
            state.dirty[host] = None


def _discharge(state: State, host: int) -> None:
    if host in state.obligations:
        held = state.obligations.pop(host).holds
        state.suspects[host] = 0
        for lane in ("owed", "network"):
            state.answered(host, lane)
        state.relapse_stale = state.relapse_stale or held


def _not_clean(state: State, host: int, verdict: str, at_us: int) -> None:
    """SUSPECT asks for a new inspection, INFECTED condemns; of a host that is out a recall is asked."""
    infected = verdict == quorum.INFECTED
    state.made.discard(host)
    if infected:
        state.infected_us[host] = at_us
        lots.condemn(state, host)
        state.exceptions.pop(host, None)
    else:
        state.suspects[host] += 1
    state.void_proof(host)
    stage = state.stage[host]
    if stage in OUT:
        if infected:
            state.membership_changed(host)
            state.gate_changed(host)
        else:
            state.asks.setdefault(host, {})["network"] = "SUSPECT while out: recall it"
            _owes_on_suspicion(state, host)
    elif stage is RECONNECTING:
        # Invariant 1 is judged again when the reconnect's result arrives; this verdict makes it fall.
        state.reconnects_stale = True
    else:
        state.move(host, Turn.INFECTED if infected else Turn.SUSPECT)


def _owes_on_suspicion(state: State, host: int) -> None:
    """A host that is out and suspected is inspected again where it stands, and its successors wait."""
    if host in state.obligations:
        state.obligations[host].holds = True
        state.relapse_stale = True
    else:
        state.recheck[host] = "it was found SUSPECT while out"


def reading(state: State, event: Reading, at_us: int) -> None:
    """The newest answer about a subject."""
    known = state.readings.get(event.subject)
    unwatched = known is not None and at_us - known.at_us > 2 * interval_us(state, event.subject)
    passes = 0
    since_us = at_us
    if event.outcome == "PASS":
        passes = known.passes + 1 if known and not unwatched else 1
    if known is not None and known.outcome == event.outcome:
        since_us = known.since_us
    falls, fell_us = (known.falls, known.fell_us) if known else (0, 0)
    if known is not None and known.outcome == "PASS" and event.outcome != "PASS":
        falls, fell_us = (falls + 1 if fell_us and at_us - fell_us <= FLAPS_US else 1), at_us
    state.readings[event.subject] = Observed(
        event.outcome, since_us, at_us, passes, "" if event.outcome == "PASS" else event.sentence, falls, fell_us
    )
    kind, _, name = event.subject.partition(":")
    if kind == "host":
        _host_reading(state, state.estate.host_number[name], event.outcome, at_us)
        return
    if kind == "service":
        state.refresh_service(state.estate.service_number[name])
    state.task_agenda.update(dict.fromkeys(state.estate.tasks_confirmed_by.get(event.subject, ())))
    gates = state.estate.gates_of_subject.get(event.subject, ())
    state.dirty_gates.update(dict.fromkeys(gates))
    if unwatched:
        for wave in gates:
            state.waves[wave].soak_us = 0  # nobody knows what a soak would have shown meanwhile


def _host_reading(state: State, host: int, outcome: str, at_us: int) -> None:
    state.dirty[host] = None
    if state.stage[host] not in OUT:
        return
    if outcome == "PASS":
        state.passes[host] += 1
        state.failing_us[host] = 0
        state.answered(host, "check")
        if state.stage[host] is IN_SERVICE and state.passes[host] >= state.estate.timing.in_service_passes:
            state.ever_passed_us[host] = at_us
            state.gate_changed(host)
    elif outcome == "FAIL":
        state.passes[host] = 0
        state.ever_passed_us[host] = 0
        state.gate_changed(host)
        if not state.failing_us[host]:
            state.failing_us[host] = at_us
            state.wake_at(at_us + state.estate.timing.host_fail_s * SECOND, "host", host)
    else:
        state.passes[host] = 0


def swept(state: State, event: Swept, at_us: int) -> None:
    """Isolation is proven from outside, or disproved: silence counts only when the control target answered."""
    site = state.estate.site_number[event.site]
    if not event.control:
        state.missed[site] += 1
        if state.missed[site] >= 3:
            _unproven(state, site)
        return
    state.missed[site] = 0
    answered, begun_us = set(event.answered), event.begun_us
    for host in state.estate.hosts_of_site[site]:
        stage = state.stage[host]
        if stage in OUT or stage is RECONNECTING:
            continue
        isolated_us = state.isolated_us[host]
        if state.estate.hosts[host] in answered:
            _connection(state, host, CONNECTED)
            if isolated_us < begun_us:
                _disproved(state, host)
        elif 0 < isolated_us < begun_us:
            _connection(state, host, QUARANTINED)


def started(state: State, event: Started, at_us: int) -> None:
    """Nobody swept while no process ran: each quarantine is proven anew."""
    for site in range(len(state.estate.sites)):
        _unproven(state, site)


def _unproven(state: State, site: int) -> None:
    for host in state.estate.hosts_of_site[site]:
        if state.connection[host] == QUARANTINED and state.stage[host] is not RECONNECTING:
            _connection(state, host, UNKNOWN)


def _disproved(state: State, host: int) -> None:
    """The host is connected: what was found of it may be true no longer, and it must be cut off."""
    state.made.discard(host)
    if state.isolated_us[host]:
        site = state.estate.site_of[host]
        state.alarmed.setdefault(site, []).append(state.estate.hosts[host])
        state.dirty_sites[site] = None
        state.isolated_us[host] = 0
        state.want_isolated(host, "answered the outside prober")
    if state.stage[host] is INSPECTED:
        state.void_proof(host)
        state.move(host, Turn.DISPROVED)


def _connection(state: State, host: int, connection: int) -> None:
    if state.connection[host] != connection:
        state.connection[host] = connection
        if state.stage[host] is INSPECTED:  # only a reconnect asks for the quarantine
            state.dirty[host] = None
            state.membership_changed(host)
