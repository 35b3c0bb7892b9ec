"""When an order of each kind is admitted: what must hold of its subject and its arguments.

Never asks who signed (`orders` did) and never carries an order out (`effects` does). A refusal names its rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from orchestrator.decision import custody, epoch, host_key, lots, quorum, revision, seats
from orchestrator.decision.events import Ordered
from orchestrator.decision.stages import OUT, Stage
from orchestrator.decision.state import State
from orchestrator.errors import Refused
from orchestrator.plans import changes

DIGEST = re.compile("[0-9a-f]{64}")
QUARTER_US = 15 * 60 * 1_000_000
TAKEN = ("offline", "outside", "host")
EXCEPTION_MAX_S = 12 * 3600
EARLIEST_US = 1_577_836_800_000_000  # 2020: a machine whose battery is empty starts in 1970


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


def _scope(state: State, event: Ordered, now_us: int) -> None:
    """A freeze of a place that does not exist would freeze nothing, and nobody would know."""
    kind, _, name = event.subject.partition(":")
    known = event.subject == "all" or (kind == "site" and name in state.estate.site_number)
    if kind == "reach" and event.kind == "thaw" and event.subject in state.freezes:
        if state.freezes[event.subject] == "recall":
            raise Refused(
                f"{name} is out: recall it, or find it CLEAN; until then nobody it spoke with comes out.",
                rule="freeze.reach",
            )
        return
    hosts = event.args.get("hosts")
    if (isinstance(hosts, list) and hosts) or kind == "host":
        named = hosts if isinstance(hosts, list) and hosts else [name]
        unknown = [host for host in named if not isinstance(host, str) or host not in state.estate.host_number]
        if unknown:
            raise Refused(f"There is no host {unknown[0]}; nothing was frozen or thawed.", rule="freeze.scope")
        return
    if not known:
        raise Refused(
            f"{event.subject} is no scope: all, site:ID, host:ID, or the reach:ID that is frozen.", rule="freeze.scope"
        )
    scopes = [f"host:{host}" for host in hosts] if isinstance(hosts, list) and hosts else [event.subject]
    if event.kind == "thaw" and not state.freezes.keys() >= set(scopes):
        frozen = ", ".join(state.freezes) or "nothing"
        raise Refused(f"{', '.join(scopes)} is not frozen; frozen is {frozen}.", rule="freeze.thaw")


def is_person(one: object) -> bool:
    """Whether a roster's entry names an id, roles and a key, and times where it gives any."""
    if not isinstance(one, dict):
        return False
    roles, times = one.get("roles"), (one.get("valid_from_us", 0), one.get("valid_until_us", 0))
    texts = isinstance(one.get("id"), str) and isinstance(one.get("key"), str)
    listed = isinstance(roles, list) and bool(roles) and all(isinstance(role, str) for role in roles)
    return texts and listed and all(isinstance(time, int) for time in times)


def _roster_add(state: State, event: Ordered, now_us: int) -> None:
    """Who stays longer is added anew with the same key; another key under a known id would replace a person."""
    one = event.args.get("person")
    if not is_person(one):
        raise Refused("The order adds one person, with id, roles and key.", rule="roster.form")
    added = cast("dict[str, str]", one)
    person, known = added["id"], state.roster.get(added["id"])
    if person in state.revoked:
        raise Refused(f"{person} was revoked, for good: add them under another id.", rule="roster.revoked")
    if known is not None and _bare(known.key) != _bare(added["key"]):
        raise Refused(
            f"{person} is in the roster with another key; a new key goes with a new id.", rule="roster.replaced"
        )


def _bare(key: str) -> list[str]:
    """A public key line without the comment behind it; the demand for a PIN belongs to the key."""
    words = key.split()
    return words[: 3 if words[:1] == ["verify-required"] else 2]


def _retry(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    strategy = event.args.get("strategy", "")
    if strategy and strategy not in ("restore", "reimage", "replace"):
        raise Refused(f"{strategy} is no strategy to retry with.", rule="hosts.strategy")
    if state.stage[host] is Stage.EXCLUDED:
        raise Refused(f"{event.subject} is excluded; two persons take it back.", rule="hosts.retry")
    if not strategy and state.stage[host] is not Stage.FAILED and not state.asks.get(host):
        raise Refused(f"{event.subject} has not failed and asks for nothing.", rule="hosts.retry")
    if strategy and (state.stage[host] in OUT or state.lanes[0][host] or state.lanes[1][host]):
        raise Refused(f"{event.subject} is out or has work under way; recall it first.", rule="hosts.retry")


def _exclude(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if state.stage[host] in OUT or state.stage[host] is Stage.RECONNECTING:
        raise Refused(f"{event.subject} is out; recall it first.", rule="hosts.exclude")
    if state.stage[host] is Stage.EXCLUDED:
        raise Refused(f"{event.subject} is excluded already.", rule="hosts.exclude")
    short = quorum.lacking_without(state, host) if state.stage[host] is not Stage.FAILED else []
    if short and event.args.get("even_if_last") is not True:
        raise Refused(
            f"Without {event.subject}, {', '.join(short)} cannot reach its quorum. "
            "Say so in the order (even_if_last), then lower k, drop the need or add a host.",
            rule="hosts.quorum",
            services=short,
        )


def _take_back(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if state.stage[host] is not Stage.EXCLUDED:
        raise Refused(f"{event.subject} is not excluded.", rule="hosts.exclude")
    if state.wave_of[host] < 0:
        raise Refused(
            f"The plan leaves {event.subject} off, so no wave would release it: change the plan first.",
            rule="hosts.left-off",
        )


def _declare(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if state.stage[host] not in (Stage.BLOCKED, Stage.PRESERVED, Stage.FAILED) or state.lanes[0][host]:
        raise Refused(f"{event.subject} is being worked on; only a host at rest can be declared.", rule="hosts.declare")
    point_us = event.args.get("restore_point_us")
    if not host_key.bare(event.args.get("host_key")) or not isinstance(point_us, int) or point_us <= 0:
        raise Refused(
            "A declaration names the host key (as in ssh-ed25519 AAAA...) and the time of the restore point.",
            rule="hosts.declare",
        )


def _recall(state: State, event: Ordered, now_us: int) -> None:
    if state.stage[_host(state, event)] not in OUT:
        raise Refused(f"{event.subject} is not out.", rule="hosts.recall")
    _isolate(state, event, now_us)


def _isolate(state: State, event: Ordered, now_us: int) -> None:
    harmed = stops(state, _host(state, event))
    if harmed and event.args.get("stops") != harmed:
        raise Refused(
            f"Isolating {event.subject} stops {', '.join(harmed)}. Say so in the order (stops), having seen it.",
            rule="recall.care",
            stops=harmed,
        )


def stops(state: State, host: int) -> list[str]:
    """The services that isolating this host stops: live care, and those it drops below their quorum."""
    if state.stage[host] not in OUT:
        return []
    return [
        state.estate.services[service]
        for service in state.estate.services_of[host]
        if state.estate.live_care[service]
        or quorum.out_of(state, service) - (not state.infected_us[host]) < state.quorum[service]
    ]


def isolation_needs_second(state: State, host: int) -> bool:
    """Whether isolating it takes a second person: it stops something, or is the fourth in a quarter of an hour."""
    if state.stage[host] not in OUT:
        return False
    many = len(state.recalls) == state.recalls.maxlen and state.recalls[0] + QUARTER_US > state.at_us
    return many or bool(stops(state, host))


def _exception(state: State, event: Ordered, now_us: int) -> None:
    if state.stage[_host(state, event)] in OUT:
        raise Refused(f"{event.subject} is out; an exception is for a host in quarantine.", rule="exception.out")
    until = event.args.get("until_us")
    if not isinstance(until, int) or not epoch.heard(state, until, now_us, EXCEPTION_MAX_S):
        raise Refused("An exception ends within 12 hours; until_us says when.", rule="exception.length")


def _claim(state: State, event: Ordered, now_us: int) -> None:
    host = _host(state, event)
    if event.person in seats.claims_open(state, host, now_us):
        raise Refused(f"{event.person} holds a seat at {event.subject} already.", rule="seats.person")
    if seats.seats_open(state, host, now_us) == 0:
        raise Refused(f"{event.subject} has no open seat.", rule="seats.full")


def _task(state: State, event: Ordered, now_us: int) -> None:
    task = state.tasks.get(event.subject)
    if task is None or task.status == "closed":
        raise Refused(f"There is no open task {event.subject}.", rule="tasks.open", subject=event.subject)
    if event.kind == "task.done" and task.status == "confirmed":
        raise Refused(f"{event.subject} is confirmed already.", rule="tasks.open")
    if event.kind == "task.done" and task.status == "reported" and task.reported_by == event.person:
        raise Refused("A second person must confirm what you reported.", rule="tasks.two-persons")
    known = state.estate.tasks.get(event.subject)
    if event.kind == "task.done" and task.status == "open" and known is not None and known.subject:
        _need_words(
            event, ("witness", "case", "minute"), "who saw it go through, which sample or image, and the minute"
        )


def _need_words(event: Ordered, names: tuple[str, ...], what: str) -> None:
    """Each of these arguments is a short text. Raises Refused with `what` must be said."""
    if not all(custody.is_text(event.args.get(name)) for name in names):
        raise Refused(f"{event.subject}: say {what} ({', '.join(names)}).", rule="orders.words", kind=event.kind)


def _task_claim(state: State, event: Ordered, now_us: int) -> None:
    """A claim keeps others from setting out for the same; it never keeps anybody from reporting what is done."""
    task = state.tasks.get(event.subject)
    if task is None or task.status != "open":
        raise Refused(f"There is no open task {event.subject} to claim.", rule="tasks.open", subject=event.subject)
    if task.claimed_by not in ("", event.person) and task.claimed_until_us > now_us:
        raise Refused(
            f"{task.claimed_by} is on {event.subject}; who has done it may report it all the same.", rule="tasks.claim"
        )


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


def _agreement(state: State, event: Ordered, now_us: int) -> None:
    service = state.estate.service_number.get(event.subject, -1)
    if service < 0 or state.estate.outside[service]:
        raise Refused(f"{event.subject} is no service of ours.", rule="facts.agreement")
    names = ("owner", "patient", "routes", "cleanup")
    _need_words(event, names, "who owns it, the test patient, which routes are blocked meanwhile and who cleans up")


def _accepted(state: State, event: Ordered, now_us: int) -> None:
    function, _, site = event.subject.partition("/")
    known = {one.id: one.sites for one in state.estate.content.inventory.functions}
    if function not in known or site not in known[function]:
        raise Refused(
            f"{event.subject}: a function is accepted site by site, as FUNCTION/SITE with a site where it works.",
            rule="facts.accepted",
        )
    _need_words(event, ("owner",), "who owns it and accepts it")


def _service(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.estate.service_number:
        raise Refused(f"There is no service {event.subject}.", rule="orders.subject")
    k = event.args.get("k")
    if event.kind == "service.lower-k" and (not isinstance(k, int) or k < 1):
        raise Refused("k is never below 1.", rule="services.quorum")


def _revoke(state: State, event: Ordered, now_us: int) -> None:
    if event.subject not in state.roster:
        raise Refused(f"{event.subject} is not in the roster.", rule="roster.person")


def _clock(state: State, event: Ordered, now_us: int) -> None:
    """The subject is always the same, so that a jump the signer has not seen is a conflict."""
    if event.subject != "clock" or not state.clock_doubted:
        raise Refused("There is no jump of the clock to confirm.", rule="clock.doubt")
    if now_us + state.jump_us < EARLIEST_US:
        raise Refused("The clock shows a time before 2020: set it right, then look again.", rule="clock.wrong")


def _waiver(state: State, event: Ordered, now_us: int) -> None:
    kind, _, name = event.subject.partition(":")
    classes = {one.id for one in state.estate.content.classes}
    if not ((kind == "class" and name in classes) or (kind == "host" and name in state.estate.host_number)):
        raise Refused(f"A waiver is for class:ID or host:ID, not {event.subject}.", rule="facts.waiver")


def _import(state: State, event: Ordered, now_us: int) -> None:
    hosts, tool = event.args.get("hosts"), event.args.get("tool")
    if not isinstance(hosts, dict) or not hosts or not isinstance(tool, str) or event.args.get("taken") not in TAKEN:
        raise Refused(
            f"An import names its tool, each host's evidence, and how it was taken ({', '.join(TAKEN)}).",
            rule="evidence.import",
        )
    for name, evidence in hosts.items():
        host = state.estate.host_number.get(name, -1)
        if host < 0 or not isinstance(evidence, str):
            raise Refused(f"There is no host {name}, or no evidence of it.", rule="evidence.host", host=name)
        if any(one.evidence == evidence for one in state.imported.get(host, ())):
            raise Refused(f"This evidence of {name} was imported already.", rule="evidence.twice", host=name)


def _lot_open(state: State, event: Ordered, now_us: int) -> None:
    """Once open, its seed stays; a lot that was condemned is never opened again."""
    image, seed = event.args.get("image"), event.args.get("seed")
    if event.subject not in state.estate.site_number:
        raise Refused(f"There is no site {event.subject}.", rule="orders.subject", subject=event.subject)
    if not isinstance(image, str) or not DIGEST.fullmatch(image) or not isinstance(seed, str) or len(seed) < 32:
        raise Refused("A lot names its image (SHA-256) and a random seed of 32 hex digits.", rule="lots.form")
    known = state.lots.get(lots.key(event.subject, image))
    if known is not None:
        what = "was condemned; its hosts are read one by one" if known.condemned else "is open already"
        raise Refused(f"The lot of {image[:16]} at {event.subject} {what}.", rule="lots.open")


def _custody(state: State, event: Ordered, now_us: int) -> None:
    """Who gives must be who holds, so that no hand is left out; a seal that stays is named as well."""
    kept, to, seal = state.custody.get(event.subject), event.args.get("to"), event.args.get("seal")
    if kept is None:
        raise Refused(
            f"Nothing was preserved by {event.subject}; `relance custody HOST` lists what was.", rule="custody.evidence"
        )
    if not custody.is_text(to) or not (seal == "" or custody.is_text(seal)):
        raise Refused(
            "A hand-over names who gives (from), who takes (to) and the seal from then on (seal, or empty), each in at "
            f"most {custody.TEXT_CHARS_MAX} printable characters.",
            rule="custody.form",
        )
    last = kept.hands[-1]
    if event.args.get("from") != last.holder:
        raise Refused(
            f"{last.holder} holds what {event.subject} preserved, not {event.args.get('from')}: a hand is missing.",
            rule="custody.chain",
            holder=last.holder,
        )
    if (to, seal) == (last.holder, last.seal):
        raise Refused(f"{last.holder} holds it already, under this seal.", rule="custody.chain", holder=last.holder)


def _content(state: State, event: Ordered, now_us: int) -> None:
    order, known = event.args.get("functions"), state.estate.content.inventory.functions
    if event.kind == "functions.order" and (
        not isinstance(order, list) or len(order) != len({*order} & {one.id for one in known})
    ):
        raise Refused("An order of functions lists ids of functions, each once.", rule="content.order")
    revision.planned(state, event.kind, event.subject, event.args)


RULES: dict[str, Callable[[State, Ordered, int], None]] = {
    "freeze": _scope,
    "thaw": _scope,
    "roster.add": _roster_add,
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
    "task.claim": _task_claim,
    "task.done": _task,
    "task.failed": _task,
    "fact.t0": _t0,
    "fact.withdraw": _withdraw,
    "fact.waiver": _waiver,
    "fact.outside": _outside,
    "fact.agreement": _agreement,
    "fact.accepted": _accepted,
    "evidence.import": _import,
    "evidence.custody": _custody,
    "lot.open": _lot_open,
    "service.lower-k": _service,
    "service.drop-need": _service,
    "roster.revoke": _revoke,
    "clock.confirm": _clock,
    **dict.fromkeys(changes.KINDS, _content),
}
