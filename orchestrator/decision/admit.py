"""Says whether an event can happen now, and whether it is worth a record.

Never applies anything: what is refused here has changed nothing. Orders and verdicts are `orders`' to admit.
"""

from __future__ import annotations

import re

from orchestrator.decision import custody, orders
from orchestrator.decision.events import (
    Cancelled,
    Epoch,
    Event,
    EvidenceRead,
    Finished,
    Forecasted,
    Judged,
    Late,
    Lost,
    Opened,
    Ordered,
    Reading,
    Rematched,
    Swept,
    Woke,
)
from orchestrator.decision.findings import OUTCOMES
from orchestrator.decision.stages import IN_SERVICE, OUT, RECONNECTING, RELEASED, IllegalEvent
from orchestrator.decision.state import CONNECTED, QUARANTINED, State

SECOND = 1_000_000
RESULTS = (Finished, Lost, Cancelled)
NAME_CHARS_MAX = 100
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
OFTEN_NOTHING = (Woke, Reading, Swept, Rematched)


def admit(state: State, event: Event, at_us: int) -> Event:
    """Refuses what cannot happen now; turns a result that came after its action's end into `Late`."""
    if isinstance(event, RESULTS):
        return _admit_result(state, event)
    if isinstance(event, Judged):
        orders.admit_verdict(state, event, at_us)
    elif isinstance(event, Reading):
        _admit_reading(state, event)
    elif isinstance(event, Ordered):
        orders.admit(state, event, at_us)
    elif isinstance(event, Rematched):
        return _still_asked(state, event)
    elif isinstance(event, Opened):
        if state.seq:
            raise IllegalEvent("A journal is opened once, by its first record.")
    elif isinstance(event, Swept) and (event.site not in state.estate.site_number or event.begun_us > at_us):
        # Begun before time was set back: nobody knows whether before an isolation, too.
        raise IllegalEvent(f"There is no site {event.site}, or its sweep begins later than now.")
    elif isinstance(event, Epoch) and (event.delta_us != state.jump_us or not state.clock_confirmed):
        raise IllegalEvent(f"Nobody confirmed a clock that jumped by {event.delta_us} us.")
    elif isinstance(event, Forecasted):
        _admit_forecast(state, event)
    elif isinstance(event, EvidenceRead) and not _says_who_and_what(event):
        raise IllegalEvent("Who reads evidence says who they are, and names each piece by its digest.")
    return event


def _says_who_and_what(event: EvidenceRead) -> bool:
    digests = bool(event.evidence) and all(_DIGEST.fullmatch(one) for one in event.evidence)
    return digests and event.by.isprintable() and 0 < len(event.by) <= NAME_CHARS_MAX


def _admit_forecast(state: State, event: Forecasted) -> None:
    known = {function.id for function in state.estate.content.inventory.functions}
    whole = all(len(times) == 3 and times == sorted(times) and times[0] >= 0 for times in event.functions.values())
    if event.functions.keys() - known or not whole or event.runs < 1:
        raise IllegalEvent("A forecast names functions of this estate, each with p10, p50 and p90 in this order.")


def _admit_result(state: State, event: Finished | Lost | Cancelled) -> Event:
    if event.action in state.open:
        return _complete(state, event) if isinstance(event, Finished) else event
    if event.action not in state.ended:
        raise IllegalEvent(f"No action {event.action} was ever issued.")
    if isinstance(event, Finished):
        return Late(event.action, event.outcome)
    raise IllegalEvent(f"{event.action} has ended already ({state.ended[event.action]}).")


def _complete(state: State, event: Finished) -> Finished:
    """A success that does not say what later steps build on is none."""
    step = state.open[event.action].step
    lacks: list[str] = []
    if step == "preserve":
        lacks = custody.lacking(event.facts)
    elif step == "restore" and not event.facts.get("host_key"):
        lacks = ["the host key of what it restored"]
    if event.outcome != "ok" or not lacks:
        return event
    return Finished(event.action, "failed", f"It ended well and does not name {' and '.join(lacks)}.", event.facts)


def _still_asked(state: State, event: Rematched) -> Rematched:
    """The answers somebody still waits for: another set, a new inspection or new verdicts have overtaken the others."""
    if event.outcome not in OUTCOMES:
        raise IllegalEvent(f"{event.outcome} is no outcome of matching evidence.")
    asked = {state.estate.hosts[host]: state.inspection[host] for host in state.rematch}
    if event.indicator_set != state.indicator_set:
        asked = {}
    still = {name: one for name, one in event.inspections.items() if asked.get(name) == one}
    return Rematched(still, event.indicator_set, event.outcome)


def _admit_reading(state: State, event: Reading) -> None:
    kind, _, name = event.subject.partition(":")
    estate = state.estate
    known = estate.host_number if kind == "host" else estate.interval_us
    known = estate.service_number if kind == "service" else known
    if name not in known and event.subject not in known:
        raise IllegalEvent(f"There is no subject {event.subject} to read.")
    if event.outcome not in ("PASS", "FAIL", "UNKNOWN"):
        raise IllegalEvent(f"{event.outcome} is no outcome of a reading.")


def worth_recording(state: State, event: Event, at_us: int) -> bool:
    """Readings and sweeps leave a record only when they change something or a gate or release counts them."""
    if not isinstance(event, OFTEN_NOTHING):
        return True
    if isinstance(event, Rematched):
        return bool(event.inspections)
    if isinstance(event, Swept):
        return _sweep_matters(state, event)
    if isinstance(event, Reading):
        known = state.readings.get(event.subject)
        if known is None or known.outcome != event.outcome:
            return True
        if any(_reported(state, key) for key in state.estate.tasks_confirmed_by.get(event.subject, ())):
            return True
        kind, _, name = event.subject.partition(":")
        if kind == "host":
            return event.outcome == "PASS" and _pass_counts(state, state.estate.host_number[name], at_us)
        waves = state.estate.gates_of_subject.get(event.subject, ())
        return any(state.waves[wave].launchers and not state.waves[wave].passed_us for wave in waves)
    return False


def _pass_counts(state: State, host: int, at_us: int) -> bool:
    """Until a host is in service every PASS counts; afterwards one PASS per half of the time it counts for."""
    if state.stage[host] is IN_SERVICE:
        return at_us - state.ever_passed_us[host] > state.estate.group(host).klass.counts_for_s * SECOND // 2
    return state.stage[host] is RELEASED


def _reported(state: State, key: str) -> bool:
    return key in state.tasks and state.tasks[key].status == "reported"


def _sweep_matters(state: State, event: Swept) -> bool:
    site = state.estate.site_number[event.site]
    if not event.control:
        return state.missed[site] < 3
    if state.missed[site]:
        return True
    answered = set(event.answered)
    for host in state.estate.hosts_of_site[site]:
        if state.stage[host] in OUT or state.stage[host] is RECONNECTING:
            continue
        proven = 0 < state.isolated_us[host] < event.begun_us
        if state.estate.hosts[host] in answered:
            if state.connection[host] != CONNECTED or proven:
                return True
        elif proven and state.connection[host] != QUARANTINED:
            return True
    return False
