"""What a plain clerk notes of people's orders: who signed, and what changed once enough persons had.

Never asks the core who may sign and shares no rule with it: the kinds that need two persons are listed here anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from orchestrator.checks.model import Check
from orchestrator.decision import events as e
from orchestrator.decision.witness_books import Books, back, site_isolated
from orchestrator.decision.witness_pages import TaskBook
from orchestrator.plans.changes import changed
from orchestrator.plans.waves import derive

# Orders that two persons give; every other kind the witness reads needs one.
TWO_PERSONS = frozenset(
    {
        *("genesis", "thaw", "service.lower-k", "service.drop-need", "wave.after-removed", "indicators.force"),
        *("roster.add", "roster.revoke", "host.exception", "host.declare", "host.take-back"),
        *(
            "fact.outside",
            "fact.agreement",
            "fact.t0",
            "fact.breach_closed",
            "content.change",
            "functions.order",
            "wave.split",
        ),
    }
)


def sign(books: Books, event: e.Ordered, at_us: int) -> None:
    """Counts persons; the last one needed makes the order take effect."""
    signers = books.signed.setdefault(event.order, [])
    signers.append(event.person)
    needed = 2 if event.kind in TWO_PERSONS else 1
    if len(signers) == needed:
        effect = _EFFECTS.get(event.kind)
        if effect is not None:
            effect(books, event, at_us)


def _launched(books: Books, event: e.Ordered, at_us: int) -> None:
    books.wave[event.subject].launchers.add(event.person)


def _held(books: Books, event: e.Ordered, at_us: int) -> None:
    books.wave[event.subject].holds.add("order")


def _resumed(books: Books, event: e.Ordered, at_us: int) -> None:
    books.wave[event.subject].holds -= {"order", "failures"}


def _edge_removed(books: Books, event: e.Ordered, at_us: int) -> None:
    books.wave[event.subject].after.discard(str(event.args["after"]))
    books.edges_removed.add((event.subject, str(event.args["after"])))


def _scopes(event: e.Ordered) -> list[str]:
    hosts = event.args.get("hosts")
    return [f"host:{host}" for host in hosts] if isinstance(hosts, list) and hosts else [event.subject]


def _frozen(books: Books, event: e.Ordered, at_us: int) -> None:
    """Whether all work is frozen or reconnects alone: no reconnect may start."""
    books.freezes.update(_scopes(event))


def _thawed(books: Books, event: e.Ordered, at_us: int) -> None:
    books.freezes.difference_update(_scopes(event))
    kind, _, name = event.subject.partition(":")
    if kind == "reach" and name in books.shut:  # before the host is cut off nobody may thaw
        books.reach.pop(name, None)
        books.shut.discard(name)


def _declared(books: Books, event: e.Ordered, at_us: int) -> None:
    host = books.host[event.subject]
    host.inspection, host.clean, host.tainted, host.infected, host.exception_us = "", {}, "", False, 0
    host.point_us = cast("int", event.args["restore_point_us"])
    host.unwiped, host.seen_apart = True, False
    books.lots.made.pop(event.subject, None)
    back(books, event.subject)


def _lot_opened(books: Books, event: e.Ordered, at_us: int) -> None:
    books.lots.opened(event)


def _imported(books: Books, event: e.Ordered, at_us: int) -> None:
    """Evidence from elsewhere: only what the host's own kernel did not tell says more than its own word."""
    for name in cast("dict[str, str]", event.args["hosts"]) if event.args["taken"] != "host" else ():
        books.host[name].seen_apart = True


def _taken_back(books: Books, event: e.Ordered, at_us: int) -> None:
    host = books.host[event.subject]
    host.inspection, host.clean = "", {}
    back(books, event.subject)


def _retried(books: Books, event: e.Ordered, at_us: int) -> None:
    if event.args.get("strategy"):
        books.host[event.subject].inspection, books.host[event.subject].clean = "", {}
    back(books, event.subject)


def _excepted(books: Books, event: e.Ordered, at_us: int) -> None:
    until_us = books.end_us(cast("int", event.args["until_us"]), at_us, 12 * 3600)
    books.host[event.subject].exception_us = until_us


def _fact(books: Books, event: e.Ordered, at_us: int) -> None:
    kind = event.kind.removeprefix("fact.")
    books.facts.add(kind if kind in ("t0", "breach_closed") else f"{kind}:{event.subject}")
    if kind == "t0":
        books.t0_us = cast("int", event.args["at_us"])


def _agreed(books: Books, event: e.Ordered, at_us: int) -> None:
    """What was to be witnessed at that service need not be any more."""
    _fact(books, event, at_us)
    for key in [key for key in books.task if key.startswith(f"{event.subject}/witness-")]:
        del books.task[key]


def _withdrawn(books: Books, event: e.Ordered, at_us: int) -> None:
    books.facts.discard(event.subject)


def _set_in_force(books: Books, event: e.Ordered, at_us: int) -> None:
    books.indicator_set = event.subject if event.kind != "genesis" else str(event.args.get("indicator_set", ""))


def _lowered(books: Books, event: e.Ordered, at_us: int) -> None:
    books.quorum[event.subject] = min(books.quorum[event.subject], cast("int", event.args["k"]))


def _need_dropped(books: Books, event: e.Ordered, at_us: int) -> None:
    books.dropped.add(event.subject)


def _revoked(books: Books, event: e.Ordered, at_us: int) -> None:
    """What this person signed and nobody completed yet counts no more."""
    books.revoked.add(event.subject)
    for signers in books.signed.values():
        if event.subject in signers:
            signers.remove(event.subject)


def _clock_confirmed(books: Books, event: e.Ordered, at_us: int) -> None:
    books.clock_confirmed = True


def _content_changed(books: Books, event: e.Ordered, at_us: int) -> None:
    content = changed(books.content, event.kind, event.subject, event.args, books.contents)
    books.read(content, derive(content, books.kept()))


def _task_done(books: Books, event: e.Ordered, at_us: int) -> None:
    """A second person confirms a report where no machine can; the site's isolation by witnesses is one of these."""
    task = books.task[event.subject]
    owner, _, name = event.subject.partition("/")
    if task.reported_by in ("", event.person) or confirmed_by_check(books, event.subject):
        task.reported_by = event.person
        return
    task.confirmed_us = at_us
    if owner in books.sites and name == "isolate":
        site_isolated(books, owner, at_us)


def confirmed_by_check(books: Books, key: str) -> bool:
    """Whether a machine source, not a second person, confirms this task of a service: none whose end was dropped."""
    owner, _, name = key.partition("/")
    tasks = books.services[owner].tasks if owner in books.services else ()
    checks = {task.confirm.removeprefix("check:") for task in tasks if task.id == name}
    known = [check for check in books.content.checks if check.id in checks and not check.klass]
    return any(not _about(books, check) & books.dropped for check in known)


def _about(books: Books, check: Check) -> set[str]:
    """The services a check says something about: one, or the two ends of an interface."""
    links = [link for link in books.content.inventory.interfaces if link.id == check.interface]
    return {check.service or "", *(end for link in links for end in (link.source, link.target))}


def confirmed(books: Books, key: str, expires_s: int | None, now_us: int) -> bool:
    """Whether the task is done, confirmed, and has not expired."""
    task = books.task.get(key)
    if task is None or not task.confirmed_us:
        return False
    return expires_s is None or task.confirmed_us + expires_s * 1_000_000 > now_us


def _task_failed(books: Books, event: e.Ordered, at_us: int) -> None:
    books.task[event.subject] = TaskBook()


_EFFECTS: dict[str, Callable[[Books, e.Ordered, int], None]] = {
    "genesis": _set_in_force,
    "wave.launch": _launched,
    "wave.hold": _held,
    "wave.resume": _resumed,
    "wave.after-removed": _edge_removed,
    "freeze": _frozen,
    "thaw": _thawed,
    "host.declare": _declared,
    "lot.open": _lot_opened,
    "evidence.import": _imported,
    "host.retry": _retried,
    "host.take-back": _taken_back,
    "host.exception": _excepted,
    "fact.t0": _fact,
    "fact.breach_closed": _fact,
    "fact.waiver": _fact,
    "fact.outside": _fact,
    "fact.agreement": _agreed,
    "fact.withdraw": _withdrawn,
    "indicators.force": _set_in_force,
    "service.lower-k": _lowered,
    "service.drop-need": _need_dropped,
    "roster.revoke": _revoked,
    "clock.confirm": _clock_confirmed,
    "task.done": _task_done,
    "task.failed": _task_failed,
    "content.change": _content_changed,
    "functions.order": _content_changed,
    "wave.split": _content_changed,
}
