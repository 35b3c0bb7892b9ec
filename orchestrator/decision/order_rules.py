"""When an order of each kind is admitted: what must hold of its subject and its arguments.

Never asks who signed (`orders` did) and never carries an order out (`effects` does). A refusal names its rule.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.decision import quorum
from orchestrator.decision.events import Ordered
from orchestrator.decision.stages import GONE, OUT, Stage
from orchestrator.decision.state import State
from orchestrator.errors import Refused


def _host(state: State, event: Ordered) -> int:
    host = state.estate.host_number.get(event.subject, -1)
    if host < 0:
        raise Refused(f"There is no host {event.subject}.", rule="orders.subject", subject=event.subject)
    return host


def _wave(state: State, event: Ordered) -> int:
    wave = state.estate.wave_number.get(event.subject, -1)
    if wave < 0:
        raise Refused(f"There is no wave {event.subject}.", rule="orders.subject", subject=event.subject)
    return wave


def _launch(state: State, event: Ordered, now_us: int) -> None:
    wave = _wave(state, event)
    if event.person in state.waves[wave].launchers:
        raise Refused(f"{event.person} launched {event.subject} already.", rule="waves.launch")
    for before in state.after[wave]:
        if not state.waves[before].launchers:
            name = state.estate.waves[before].name
            raise Refused(f"{event.subject} comes after {name}, which is not launched.", rule="waves.after", wave=name)


def _known_wave(state: State, event: Ordered, now_us: int) -> None:
    _wave(state, event)


def _after_removed(state: State, event: Ordered, now_us: int) -> None:
    wave = _wave(state, event)
    if state.estate.wave_number.get(str(event.args.get("after")), -1) not in state.after[wave]:
        raise Refused(f"{event.subject} does not come after {event.args.get('after')}.", rule="waves.after")


def _retry(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    strategy = event.args.get("strategy", "")
    if strategy and strategy not in ("restore", "reimage", "replace"):
        raise Refused(f"{strategy} is no strategy to retry with.", rule="hosts.strategy")
    if state.stage[host] is not Stage.FAILED and host not in state.asks:
        raise Refused(f"{event.subject} has not failed and asks for nothing.", rule="hosts.retry")
    if strategy and (state.stage[host] in OUT or state.lanes[0][host] or state.lanes[1][host]):
        raise Refused(f"{event.subject} is out or has work under way; recall it first.", rule="hosts.retry")


def _exclude(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if state.stage[host] in OUT or state.stage[host] is Stage.RECONNECTING:
        raise Refused(f"{event.subject} is out; recall it first.", rule="hosts.exclude")
    if state.stage[host] is Stage.EXCLUDED:
        raise Refused(f"{event.subject} is excluded already.", rule="hosts.exclude")
    for service in state.estate.services_of[host]:
        if len(state.candidates(service)) <= state.quorum[service] and state.stage[host] not in GONE:
            name = state.estate.services[service]
            if event.args.get("even_if_last") is not True:
                raise Refused(
                    f"Without {event.subject} the service {name} cannot reach its {state.quorum[service]} hosts. "
                    "Say so in the order (even_if_last), then lower k, drop the need or add a host.",
                    rule="hosts.quorum",
                    service=name,
                )


def _take_back(state: State, event: Ordered, now_us: int) -> None:
    if state.stage[_host(state, event)] is not Stage.EXCLUDED:
        raise Refused(f"{event.subject} is not excluded.", rule="hosts.exclude")


def _declare(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if state.stage[host] not in (Stage.BLOCKED, Stage.PRESERVED, Stage.FAILED) or state.lanes[0][host]:
        raise Refused(f"{event.subject} is being worked on; only a host at rest can be declared.", rule="hosts.declare")
    if not isinstance(event.args.get("host_key"), str) or not isinstance(event.args.get("restore_point_us"), int):
        raise Refused("A declaration names the host key and the restore point.", rule="hosts.declare")


def _recall(state: State, event: Ordered, now_us: int) -> None:
    if state.stage[_host(state, event)] not in OUT:
        raise Refused(f"{event.subject} is not out.", rule="hosts.recall")


def _isolate(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    harmed = [
        state.estate.services[service]
        for service in state.estate.services_of[host]
        if state.estate.live_care[service] or quorum.out_of(state, service) <= state.quorum[service]
    ]
    if state.stage[host] in OUT and harmed and event.args.get("stops") != harmed:
        raise Refused(
            f"Isolating {event.subject} stops {', '.join(harmed)}. Say so in the order (stops), having seen it.",
            rule="recall.care",
            stops=harmed,
        )


def _exception(state: State, event: Ordered, now_us: int) -> None:
    _host(state, event)
    until = event.args.get("until_us")
    if not isinstance(until, int) or not now_us < until <= now_us + 12 * 3600 * 1_000_000:
        raise Refused("An exception ends within 12 hours; until_us says when.", rule="exception.length")


def _claim(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if event.person in quorum.claims_open(state, host, now_us):
        raise Refused(f"{event.person} holds a seat at {event.subject} already.", rule="seats.person")
    if quorum.seats_open(state, host, now_us) == 0:
        raise Refused(f"{event.subject} has no open seat.", rule="seats.full")


def _task(state: State, event: Ordered, now_us: int) -> None:
    task = state.tasks.get(event.subject)
    if task is None or task.status == "closed":
        raise Refused(f"There is no open task {event.subject}.", rule="tasks.open", subject=event.subject)
    if event.kind == "task.done" and task.status == "confirmed":
        raise Refused(f"{event.subject} is confirmed already.", rule="tasks.open")
    if event.kind == "task.done" and task.status == "claimed" and task.claimed_by == event.person:
        raise Refused("A second person must confirm what you claimed.", rule="tasks.two-persons")


def _t0(state: State, event: Ordered, now_us: int) -> None:
    at_us = event.args.get("at_us")
    if not isinstance(at_us, int) or not 0 < at_us <= now_us:
        raise Refused("T0 is a time in the past (at_us, microseconds UTC).", rule="facts.t0")


def _withdraw(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.facts or event.subject == "t0":
        raise Refused(f"There is no fact {event.subject} to withdraw.", rule="facts.known")


def _outside(state: State, event: Ordered, now_us: int) -> None:
    service = state.estate.service_number.get(event.subject, -1)
    if service < 0 or not state.estate.outside[service]:
        raise Refused(f"{event.subject} is no outside service.", rule="facts.outside")


def _service(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.estate.service_number:
        raise Refused(f"There is no service {event.subject}.", rule="orders.subject")
    k = event.args.get("k")
    if event.kind == "service.lower-k" and (not isinstance(k, int) or k < 1):
        raise Refused("k is never below 1.", rule="services.quorum")


def _revoke(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.roster:
        raise Refused(f"{event.subject} is not in the roster.", rule="roster.person")


def _waiver(state: State, event: Ordered, now_us: int) -> None:
    kind, _, name = event.subject.partition(":")
    classes = {one.id for one in state.estate.content.classes}
    if not ((kind == "class" and name in classes) or (kind == "host" and name in state.estate.host_number)):
        raise Refused(f"A waiver is for class:ID or host:ID, not {event.subject}.", rule="facts.waiver")


RULES: dict[str, Callable[[State, Ordered, int], None]] = {
    "wave.launch": _launch,
    "wave.hold": _known_wave,
    "wave.resume": _known_wave,
    "wave.after-removed": _after_removed,
    "host.retry": _retry,
    "host.exclude": _exclude,
    "host.take-back": _take_back,
    "host.declare": _declare,
    "host.recall": _recall,
    "host.isolate": _isolate,
    "host.exception": _exception,
    "claim": _claim,
    "task.done": _task,
    "task.failed": _task,
    "fact.t0": _t0,
    "fact.withdraw": _withdraw,
    "fact.waiver": _waiver,
    "fact.outside": _outside,
    "service.lower-k": _service,
    "service.drop-need": _service,
    "roster.revoke": _revoke,
}
