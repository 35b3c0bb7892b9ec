"""What an order does to the state once enough persons signed it, and what a signature does before.

Never refuses: `orders.admit` did. Only `apply` calls these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from orchestrator.canonical import Json
from orchestrator.decision import course, epoch, host_key, life, lots, orders, revision
from orchestrator.decision.custody import Hand
from orchestrator.decision.events import Ordered
from orchestrator.decision.imported import Imported
from orchestrator.decision.order_rules import EXCEPTION_MAX_S
from orchestrator.decision.parts import Lot, Member, OrderState, TaskState
from orchestrator.decision.stages import BLOCKED, GONE, INSPECTED, OUT, RECONNECTING, Stage, Turn
from orchestrator.decision.state import FOREVER_US, State
from orchestrator.plans import changes


def ordered(state: State, event: Ordered, at_us: int) -> None:
    """Adds one person's signature; with the last one missing, the order takes effect."""
    order = state.orders.get(event.order)
    if order is None:
        seats = orders.seats_of(state, event.kind, event.subject)
        order = OrderState(event.kind, event.subject, event.args, [], event.expires_us, seats, blob=event.blob)
        state.orders[event.order] = order
    order.persons.append(event.person)
    if order.kind == "genesis":
        if len(order.persons) >= 2:
            _take_effect(state, order, at_us)
    elif not orders.missing(state, order).seats:
        _take_effect(state, order, at_us)


def _take_effect(state: State, order: OrderState, at_us: int) -> None:
    order.done = True
    EFFECTS[order.kind](state, order, at_us)
    if order.kind not in ("claim", "task.claim"):
        state.touch(order.subject, order.kind)
    state.reconnects_stale = True


def _genesis(state: State, order: OrderState, at_us: int) -> None:
    for one in cast("list[dict[str, Json]]", order.args["persons"]):
        _add_person(state, one)
    state.indicator_set = str(order.args.get("indicator_set", ""))
    state.dirty.update([(host, None) for host, wave in enumerate(state.wave_of) if wave < 0])  # the plan leaves it off
    state.dirty_sites.update(dict.fromkeys(range(len(state.estate.sites))))


def _add_person(state: State, one: dict[str, Json]) -> None:
    roles = cast("list[str]", one["roles"])
    state.roster[str(one["id"])] = Member(
        frozenset(roles),
        str(one["key"]),
        cast("int", one.get("valid_from_us", 0)),
        cast("int", one.get("valid_until_us", FOREVER_US)),
    )


def _launch(state: State, order: OrderState, at_us: int) -> None:
    wave = state.estate.wave_number[order.subject]
    one = state.waves[wave]
    one.launchers = (*one.launchers, *order.persons)
    one.launched_us = one.launched_us or at_us
    state.horizon_agenda[wave] = state.dirty_gates[wave] = None
    state.look_again(state.members(wave), (Stage.INSPECTED,))


def _hold(state: State, order: OrderState, at_us: int) -> None:
    state.waves[state.estate.wave_number[order.subject]].holds["order"] = at_us


def _resume(state: State, order: OrderState, at_us: int) -> None:
    wave = state.estate.wave_number[order.subject]
    state.waves[wave].holds.pop("order", None)
    state.waves[wave].holds.pop("failures", None)
    state.waves[wave].failures = 0
    state.look_again(state.members(wave), (Stage.INSPECTED,))


def _after_removed(state: State, order: OrderState, at_us: int) -> None:
    wave = state.estate.wave_number[order.subject]
    state.after[wave].discard(state.estate.wave_number[str(order.args["after"])])
    state.edges_removed.add((order.subject, str(order.args["after"])))
    state.set_ancestors([state.ancestors_of(one) for one in range(len(state.waves))])
    state.relapse_stale = True
    _look_at_everyone(state)


def _freeze(state: State, order: OrderState, at_us: int) -> None:
    """One person freezes; a weaker freeze never replaces a stronger one, which two persons thaw."""
    for scope in _scopes(order):
        if order.args.get("all_work") is True:
            state.freezes[scope] = "all-work"
        else:
            state.freezes.setdefault(scope, "reconnect")


def _thaw(state: State, order: OrderState, at_us: int) -> None:
    for scope in _scopes(order):
        course.unfreeze(state, scope)
    _look_at_everyone(state)


def _scopes(order: OrderState) -> list[str]:
    """`all`, `site:ID`, or the hosts named in the order's arguments."""
    hosts = order.args.get("hosts")
    return [f"host:{host}" for host in hosts] if isinstance(hosts, list) and hosts else [order.subject]


def _look_at_everyone(state: State) -> None:
    state.dirty.update(dict.fromkeys(range(len(state.stage))))


def _retry(state: State, order: OrderState, at_us: int) -> None:
    host = state.estate.host_number[order.subject]
    state.asks.pop(host, None)
    state.unreachable[host] = 0
    state.tries[host] = [0] * len(state.tries[host])
    state.not_before_us[0][host] = state.not_before_us[1][host] = 0
    strategy = order.args.get("strategy")
    failed = state.stage[host] in GONE
    if isinstance(strategy, str) and strategy:
        state.strategy[host] = strategy
        state.tasks.pop(f"{order.subject}/replace", None)
        state.late_points[host] = 0
        state.infected_us[host] = 0
    if failed:
        state.infected_us[host] = 0
        state.late_points[host] = 0
        state.move(host, Turn.RETRIED)
    elif isinstance(strategy, str) and strategy:
        _start_over(state, host)
    state.dirty[host] = None


def _start_over(state: State, host: int) -> None:
    """A host at rest in quarantine is taken through its new strategy from the beginning."""
    if state.stage[host] in (Stage.RESTORED, Stage.INSPECTED):
        state.void_proof(host)
        state.move(host, Turn.CONDEMNED)


def _exclude(state: State, order: OrderState, at_us: int) -> None:
    host = state.estate.host_number[order.subject]
    state.leaving.add(host)
    state.dirty[host] = None


def _take_back(state: State, order: OrderState, at_us: int) -> None:
    host = state.estate.host_number[order.subject]
    state.tries[host] = [0] * len(state.tries[host])
    if state.strategy[host] == "leave_off":
        state.strategy[host] = state.estate.group(host).klass.strategies[0]
    state.move(host, Turn.RETRIED)


def _declare(state: State, order: OrderState, at_us: int) -> None:
    host = state.estate.host_number[order.subject]
    state.attempts[host][life.RESTORE] += 1
    state.ended[f"{order.subject}/restore/{state.attempts[host][life.RESTORE]}"] = "finished"
    state.strategy[host] = "declared"
    state.asks.pop(host, None)
    state.tries[host] = [0] * len(state.tries[host])
    state.not_before_us[0][host] = 0
    state.infected_us[host] = state.late_points[host] = state.suspects[host] = 0
    state.host_key[host] = host_key.bare(order.args["host_key"])
    state.image[host] = ""
    state.made.discard(host)
    state.seen_apart.discard(host)
    state.exceptions.pop(host, None)
    state.restore_point_us[host] = cast("int", order.args["restore_point_us"])
    state.move(host, Turn.DECLARED)


def _isolate(state: State, order: OrderState, at_us: int) -> None:
    host = state.estate.host_number[order.subject]
    if state.stage[host] in OUT:
        state.recalls.append(at_us)
    state.not_before_us[1][host] = 0
    state.isolate_wanted.pop(host, None)
    state.want_isolated(host, order.kind)


def _exception(state: State, order: OrderState, at_us: int) -> None:
    host = state.estate.host_number[order.subject]
    until_us = epoch.heard(state, cast("int", order.args["until_us"]), at_us, EXCEPTION_MAX_S)
    state.exceptions[host] = until_us
    state.wake_at(until_us, "host", host)
    state.dirty[host] = None
    state.membership_changed(host)


def _claim(state: State, order: OrderState, at_us: int) -> None:
    host = state.estate.host_number[order.subject]
    until_us = at_us + state.estate.timing.claim_s * life.SECOND
    state.claims.setdefault(host, {})[order.persons[0]] = until_us


def _task_claim(state: State, order: OrderState, at_us: int) -> None:
    task = state.tasks[order.subject]
    task.claimed_by = order.persons[0]
    task.claimed_until_us = at_us + state.estate.timing.claim_s * life.SECOND


def _task_done(state: State, order: OrderState, at_us: int) -> None:
    task = state.tasks[order.subject]
    if task.status == "reported" and not state.confirmed_by(order.subject):
        confirm_task(state, order.subject, at_us)
        return
    task.status, task.reported_by, task.reported_us = "reported", order.persons[0], at_us
    task.claimed_by = ""
    task.seen = ", ".join(str(order.args[name]) for name in ("witness", "case", "minute") if name in order.args)
    state.task_agenda[order.subject] = None


def _task_failed(state: State, order: OrderState, at_us: int) -> None:
    task = state.tasks[order.subject]
    task.status, task.reported_by, task.claimed_by, task.confirmed_us = "open", "", "", 0


def open_task(state: State, key: str, at_us: int) -> None:
    """A task opens, or opens again."""
    task = state.tasks.setdefault(key, TaskState())
    task.status, task.opened_us, task.confirmed_us = "open", at_us, 0
    task.reported_by = task.claimed_by = task.seen = ""


def confirm_task(state: State, key: str, at_us: int) -> None:
    """A task is confirmed: by a second person or by its machine source. Whoever waits looks again."""
    task = state.tasks[key]
    task.status, task.confirmed_us = "confirmed", at_us
    known = state.estate.tasks.get(key)
    if known is not None and known.spec.expires_s:
        state.wake_at(at_us + known.spec.expires_s * life.SECOND, "task", state.estate.task_number[key])
    owner, _, name = key.partition("/")
    host = state.estate.host_number.get(owner, -1)
    if host >= 0:
        state.dirty[host] = None
    elif owner in state.estate.site_number and name == "isolate":
        life.site_is_isolated(state, state.estate.site_number[owner], at_us)
    elif known is not None:
        state.dirty_gates[state.estate.wave_of_task(known)] = None
        state.task_agenda.update(dict.fromkeys(state.estate.tasks_after.get(key, ())))


def _t0(state: State, order: OrderState, at_us: int) -> None:
    before_us = state.t0_us()
    state.facts["t0"] = {"at_us": order.args["at_us"]}
    # Who is not cut off yet, or whose evidence is not kept, waits for that first; who is left out, for nothing.
    for host, stage in enumerate(state.stage):
        if stage in GONE or (stage is BLOCKED and not (state.isolated_us[host] and state.evidence_kept(host))):
            continue
        state.dirty[host] = None
    if 0 < before_us <= state.t0_us():
        return
    for host, point_us in enumerate(state.restore_point_us):
        if state.stage[host] in OUT and point_us >= state.t0_us() and host not in state.obligations:
            state.recheck[host] = "its restore point is not older than the corrected T0"


def _breach_closed(state: State, order: OrderState, at_us: int) -> None:
    state.facts["breach_closed"] = {"at_us": at_us}
    state.look_again(range(len(state.stage)), (Stage.INSPECTED,))


def _withdraw(state: State, order: OrderState, at_us: int) -> None:
    del state.facts[order.subject]
    kind, _, name = order.subject.partition(":")
    if kind == "outside":
        state.refresh_service(state.estate.service_number[name])
    elif kind == "waiver":
        _look_at_everyone(state)
    elif kind == "agreement":
        state.task_agenda.update(dict.fromkeys(state.estate.witness_task.values()))


def _waiver(state: State, order: OrderState, at_us: int) -> None:
    state.facts[f"waiver:{order.subject}"] = {"at_us": at_us}
    _look_at_everyone(state)


def _outside(state: State, order: OrderState, at_us: int) -> None:
    state.facts[f"outside:{order.subject}"] = {"at_us": at_us}
    state.refresh_service(state.estate.service_number[order.subject])


def _agreement(state: State, order: OrderState, at_us: int) -> None:
    """Probes may write from now on; what was to be witnessed instead need not be any more."""
    state.facts[f"agreement:{order.subject}"] = {"at_us": at_us, **order.args}
    for key in state.estate.witness_task.values():
        if key.partition("/")[0] == order.subject:
            state.tasks.pop(key, None)


def _accepted(state: State, order: OrderState, at_us: int) -> None:
    state.facts[f"accepted:{order.subject}"] = {"at_us": at_us, "owner": order.args.get("owner", "")}


def _import_evidence(state: State, order: OrderState, at_us: int) -> None:
    tool, taken, person = str(order.args["tool"]), str(order.args["taken"]), order.persons[0]
    for name, evidence in cast("dict[str, str]", order.args["hosts"]).items():
        host = state.estate.host_number[name]
        found = state.imported.setdefault(host, [])
        found.append(Imported(evidence, order.subject, tool, taken, person, at_us))
        if taken != "host":
            state.seen_apart.add(host)


def _hand_over(state: State, order: OrderState, at_us: int) -> None:
    to, seal = str(order.args["to"]), str(order.args["seal"])
    state.custody[order.subject].hands.append(Hand(to, seal, order.persons[0], at_us))


def _force_indicators(state: State, order: OrderState, at_us: int) -> None:
    """Verdicts under another set count again once the evidence they judge was matched and nothing found (`Rematched`).

    Where there is nothing to match, a host that is out owes an inspection.
    """
    state.indicator_set = order.subject
    _look_at_everyone(state)
    for host, stage in enumerate(state.stage):
        if state.inspection[host] and stage in (INSPECTED, RECONNECTING, *OUT):
            state.rematch.add(host)
        elif stage in OUT and host not in state.obligations:
            state.recheck[host] = "the indicator set changed"


def _lower_k(state: State, order: OrderState, at_us: int) -> None:
    service = state.estate.service_number[order.subject]
    state.quorum[service] = min(state.quorum[service], cast("int", order.args["k"]))
    state.refresh_service(service)
    _look_at_everyone(state)


def _drop_need(state: State, order: OrderState, at_us: int) -> None:
    service = state.estate.service_number[order.subject]
    state.dropped.add(service)
    state.task_agenda.update(dict.fromkeys(state.estate.tasks))
    state.relapse_stale = True
    for agenda in (state.horizon_agenda, state.dirty_gates):
        agenda.update(dict.fromkeys(range(len(state.waves))))
    _look_at_everyone(state)


def _lot_open(state: State, order: OrderState, at_us: int) -> None:
    """From now on, who is inspected there and made from this image stands in the lot."""
    state.lots[lots.key(order.subject, str(order.args["image"]))] = Lot(str(order.args["seed"]))


def _roster_add(state: State, order: OrderState, at_us: int) -> None:
    _add_person(state, cast("dict[str, Json]", order.args["person"]))


def _revoke(state: State, order: OrderState, at_us: int) -> None:
    """Verdicts of a revoked person count no more: nobody's host is passed over in silence."""
    state.revoked.add(order.subject)
    for host, verdicts in enumerate(state.verdicts):
        if any(verdict.person == order.subject for verdict in verdicts):
            state.dirty[host] = None
            if state.stage[host] in OUT and host not in state.obligations:
                state.recheck[host] = f"a verdict was signed by {order.subject}, who was revoked"


def _change_content(state: State, order: OrderState, at_us: int) -> None:
    revision.revise(state, order.kind, order.subject, order.args)


def _confirm_clock(state: State, order: OrderState, at_us: int) -> None:
    """Nothing moves yet: whoever reads the clock answers with an `Epoch`."""
    state.clock_confirmed = True


EFFECTS: dict[str, Callable[[State, OrderState, int], None]] = {
    "genesis": _genesis,
    "wave.launch": _launch,
    "wave.hold": _hold,
    "wave.resume": _resume,
    "wave.after-removed": _after_removed,
    "freeze": _freeze,
    "thaw": _thaw,
    "host.retry": _retry,
    "host.exclude": _exclude,
    "host.take-back": _take_back,
    "host.declare": _declare,
    "host.recall": _isolate,
    "host.isolate": _isolate,
    "host.exception": _exception,
    "claim": _claim,
    "task.claim": _task_claim,
    "task.done": _task_done,
    "task.failed": _task_failed,
    "fact.t0": _t0,
    "fact.breach_closed": _breach_closed,
    "fact.withdraw": _withdraw,
    "fact.waiver": _waiver,
    "fact.outside": _outside,
    "fact.agreement": _agreement,
    "fact.accepted": _accepted,
    "evidence.import": _import_evidence,
    "evidence.custody": _hand_over,
    "lot.open": _lot_open,
    "indicators.force": _force_indicators,
    "service.lower-k": _lower_k,
    "service.drop-need": _drop_need,
    "roster.add": _roster_add,
    "roster.revoke": _revoke,
    "clock.confirm": _confirm_clock,
    **dict.fromkeys(changes.KINDS, _change_content),
}
