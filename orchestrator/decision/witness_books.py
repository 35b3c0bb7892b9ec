"""What a plain clerk writes down from the journal, record by record, to judge the core by: names and dicts only.

Never looks at the core's state and shares no rule with it: who signed, what ran, what answered is noted anew here,
from the words of the design. `witness` judges by these books.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from orchestrator.decision import commands as c
from orchestrator.decision import events as e
from orchestrator.decision.witness_lots import LotBooks
from orchestrator.decision.witness_pages import ActionBook, Filed, HostBook, SubjectBook, TaskBook, WaveBook
from orchestrator.inventory.model import Host, Service
from orchestrator.plans.drafts import Kept
from orchestrator.plans.model import Content, HostClass, Plan, Wave

MISSED_MAX = 3
NETWORK_STEPS = ("reconnect", "isolate")


class Books:
    """All books of one incident. `write` is called with each record in order."""

    def __init__(self, content: Content, plan: Plan, contents: Mapping[str, Content]) -> None:
        self.contents = contents
        self.host: dict[str, HostBook] = {}
        self.wave: dict[str, WaveBook] = {}
        self.quorum: dict[str, int] = {}
        self.services: dict[str, Service] = {}
        self.edges_removed: set[tuple[str, str]] = set()
        self.gone: set[str] = set()
        self.replaceable: set[str] = set()
        self.read(content, plan)
        self.subject: dict[str, SubjectBook] = {}
        self.task: dict[str, TaskBook] = {}
        self.open: dict[str, ActionBook] = {}
        self.ended: dict[str, str] = {}
        self.signed: dict[str, list[str]] = {}
        self.facts: set[str] = set()
        self.t0_us = 0
        self.freezes: set[str] = set()
        self.reach: dict[str, set[str]] = {}  # whom a host spoke with, frozen; once it was isolated it stands in `shut`
        self.shut: set[str] = set()
        self.unfrozen: set[str] = set()  # hosts and sites for which a freeze must be recorded in this transaction
        self.jumped_us: list[int] = []
        self.clock_confirmed = False
        self.moved_us = 0
        self.indicator_set = ""
        self.revoked: set[str] = set()
        self.dropped: set[str] = set()
        self.missed: dict[str, int] = {}
        self.site_isolating: set[str] = set()
        self.paced: dict[str, list[int]] = {}
        self.void: set[str] = set()
        self.doubted: dict[str, None] = {}  # hosts ever found infected, or whose proof fell: no others need an answer
        self.lots = LotBooks()
        self.seq = 0

    def read(self, content: Content, plan: Plan) -> None:
        """Notes content and plan: at the start, and when an order changed them; what is known of hosts stays."""
        asked = {service.id: service.quorum for service in content.inventory.services}
        for one, known in self.services.items():
            if known.quorum == asked[one]:
                asked[one] = self.quorum[one]  # perhaps lowered by an order
        self.quorum = asked
        self.content = content
        self.hosts: dict[str, Host] = {host.id: host for host in content.inventory.hosts}
        self.services = {service.id: service for service in content.inventory.services}
        self.classes: dict[str, HostClass] = {one.id: one for one in content.classes}
        self.sites = {site.id for site in content.inventory.sites}
        self.plan_waves: dict[str, Wave] = {wave.name: wave for wave in plan.waves}
        self.wave_of = {host: wave.name for wave in plan.waves for host in wave.hosts}
        self.posts_of: dict[str, list[str]] = {}
        for wave in plan.waves:
            for post in (post for posts in wave.gate.posts.values() for post in posts):
                self.posts_of.setdefault(post, []).append(wave.name)
        self._intervals: dict[str, int] = {}
        for check in content.checks:
            subject = f"service:{check.service}" if check.service else f"interface:{check.interface}"
            self._intervals[subject] = max(check.interval_s, self._intervals.get(subject, 0))
        self._players: dict[str, list[str]] = {}
        for name, host in self.hosts.items():
            for service in host.services:
                self._players.setdefault(service, []).append(name)
        self.host |= {host: HostBook() for host in self.hosts.keys() - self.host.keys()}
        edges = {
            wave.name: {one for one in wave.after if (wave.name, one) not in self.edges_removed} for wave in plan.waves
        }
        self.wave = {name: self.wave.get(name, WaveBook(set())) for name in edges}
        for name, after in edges.items():
            self.wave[name].after = after
        for name in self.gone:
            self.seek_stand_in(name)

    def seek_stand_in(self, gone: str) -> None:
        """Notes whether another host of its kind, in another wave, can take the place of one that is gone."""
        lost = self.hosts[gone]
        for name, other in self.hosts.items():
            alike = (other.klass, other.site, other.function) == (lost.klass, lost.site, lost.function)
            if alike and not self.host[name].away and self.wave_of.get(name) != self.wave_of.get(gone):
                self.replaceable.add(gone)

    def kept(self) -> list[Kept]:
        """The waves that a change of content leaves as they are: those launched, and those set apart from them."""
        launched = {name for name, wave in self.wave.items() if wave.launchers}
        return [
            Kept(wave.model_copy(update={"after": tuple(sorted(self.wave[name].after))}), self.wave[name].passed)
            for name, wave in self.plan_waves.items()
            if name in launched or (wave.part == "split" and name.rpartition("/")[0] in launched)
        ]

    def write(self, entry: e.Event | c.Command, at_us: int) -> None:
        """Notes one record; what orders do is noted by `witness_orders`."""
        self.seq += 1
        note = _NOTES.get(type(entry))
        if note is not None:
            note(self, entry, at_us)

    def end_us(self, signed_us: int, now_us: int, longest_s: int) -> int:
        """When something signed now ends: its signer read the clock as it was before the jumps, or after them."""
        ends = [signed_us - self.moved_us, signed_us - self.moved_us - sum(self.jumped_us)]
        return min([one for one in ends if one > now_us and one - now_us <= longest_s * 1_000_000] or [0])

    def hosts_of(self, service: str) -> list[str]:
        """The hosts that play a service."""
        return self._players.get(service, [])

    def ancestors(self, wave: str) -> set[str]:
        """All waves before this one, by the edges in force."""
        found: set[str] = set()
        todo = set(self.wave[wave].after)
        while todo:
            found |= todo
            todo = {edge for name in todo for edge in self.wave[name].after} - found
        return found

    def interval_us(self, subject: str) -> int:
        """How often a service or interface is asked: the longest interval of its checks."""
        return self._intervals.get(subject, 60) * 1_000_000

    def klass(self, host: str) -> HostClass:
        """The class of a host."""
        return self.classes[self.hosts[host].klass]


def _issue(books: Books, command: c.Issue, at_us: int) -> None:
    books.open[command.action] = ActionBook(command.target, command.step, command.strategy)
    host = books.host.get(command.target)
    if host is None:
        books.site_isolating.add(command.target)
        return
    host.under_way["network" if command.step in NETWORK_STEPS else "host"] = command.action
    if command.step == "isolate":
        host.isolating = True
        host.must_isolate = False
    elif command.step == "inspect" and not host.out and not host.isolated_us:
        books.void.add(command.action)
    elif command.step == "restore":
        host.inspection = ""
        host.clean = {}
    elif command.step == "reconnect" and books.hosts[command.target].kind == "workstation":
        books.paced.setdefault(books.hosts[command.target].site, []).append(at_us)


def _cancel(books: Books, command: c.Cancel, at_us: int) -> None:
    books.open[command.action].cancelled = True


def _close(books: Books, action: str, how: str) -> ActionBook | None:
    books.ended[action] = how
    found = books.open.pop(action, None)
    if found is not None and found.target in books.host:
        books.host[found.target].under_way.pop("network" if found.step in NETWORK_STEPS else "host", None)
    return found


def _finished(books: Books, event: e.Finished, at_us: int) -> None:
    action = _close(books, event.action, "finished")
    if action is None:
        return
    if event.outcome != "ok":
        _effect_unknown(books, action)
    elif action.target in books.sites and action.target not in books.host:
        site_isolated(books, action.target, at_us)
    else:
        if action.step == "restore":
            books.lots.restored(action.target, event, action.strategy)
            point = event.facts.get("restore_point_us", at_us)
            books.host[action.target].point_us = cast("int", point) if action.strategy == "restore" else 0
        _DONE[action.step](books, event, action.target, at_us)


def _preserved(books: Books, event: e.Finished, name: str, at_us: int) -> None:
    """Kept is what has a digest, lies somewhere or under a seal, and is in somebody's hands."""
    said = {name for name, value in event.facts.items() if isinstance(value, str) and value.strip()}
    books.host[name].preserved = {"digest", "holder"} <= said and bool({"medium", "seal"} & said)


def _restored(books: Books, event: e.Finished, name: str, at_us: int) -> None:
    host = books.host[name]
    host.inspection, host.clean, host.tainted, host.infected = "", {}, "", False
    host.exception_us = 0
    host.unwiped = False


def _inspected(books: Books, event: e.Finished, name: str, at_us: int) -> None:
    """One that began or ran while the host was connected says nothing about it as it is now."""
    if event.action not in books.void:
        host = books.host[name]
        host.inspection, host.clean, host.tainted = event.action, {}, ""
        host.seen_apart |= event.facts.get("taken") in ("offline", "outside")
        if not host.out and books.klass(name).lots:
            books.lots.inspected(books.hosts[name], event, books.content.restart.lots)


def _reconnected(books: Books, event: e.Finished, name: str, at_us: int) -> None:
    host = books.host[name]
    host.connected, host.silent, host.isolated_us = True, False, 0
    host.answered_for = False
    host.out = True
    books.lots.made.pop(name, None)


def _isolated(books: Books, event: e.Finished, name: str, at_us: int) -> None:
    host = books.host[name]
    if host.out or not host.isolated_us:
        books.void.add(host.under_way.get("host", ""))
    host.isolated_us, host.silent, host.connected = at_us, False, False
    host.must_isolate = host.isolating = False
    if host.out:
        books.shut.add(name)
        host.out = host.in_service = host.preserved = host.seen_apart = False
        host.inspection, host.clean, host.tainted = "", {}, ""


def _effect_unknown(books: Books, action: ActionBook) -> None:
    """Nobody knows whether a reconnect that failed opened the way: the host counts as connected."""
    if action.step == "reconnect":
        host = books.host[action.target]
        host.connected, host.silent, host.isolated_us, host.answered_for = True, False, 0, False
        books.lots.made.pop(action.target, None)


def site_isolated(books: Books, site: str, at_us: int) -> None:
    """A whole site was cut off: every host of it that is not out counts as isolated."""
    books.site_isolating.discard(site)
    books.task.pop(f"{site}/isolate", None)
    for name, host in books.host.items():
        if books.hosts[name].site == site and not host.out:
            host.isolated_us, host.connected = at_us, False


def _lost(books: Books, event: e.Lost, at_us: int) -> None:
    action = _close(books, event.action, "lost")
    if action is not None:
        _effect_unknown(books, action)


def _cancelled(books: Books, event: e.Cancelled, at_us: int) -> None:
    _close(books, event.action, "cancelled")


def _judged(books: Books, event: e.Judged, at_us: int) -> None:
    lot = books.lots.named(event)
    for name, inspection in event.inspections.items():
        host = books.host[name]
        if event.verdict == "INFECTED":
            host.answered_for = host.answered_for and host.infected
            host.infected, host.exception_us = True, 0
            books.doubted[name] = None
            for other in books.lots.condemned(name):
                one = books.host[other]
                one.clean = {person: filed for person, filed in one.clean.items() if not filed.lot}
        if event.verdict != "CLEAN":
            if host.out and (name not in books.reach or name in books.shut):
                books.unfrozen.add(name)
            host.tainted, host.clean = event.verdict, {}
            books.lots.made.pop(name, None)
        elif inspection == host.inspection and (lot is None or name not in lot.drawn):
            longest_s = books.content.restart.timing.verdict_valid_s + 60
            ends_us = books.end_us(event.expires_us, at_us, longest_s)
            host.clean[event.person] = Filed(event.indicator_set, ends_us, lot is not None)


def _rematched(books: Books, event: e.Rematched, at_us: int) -> None:
    """Nothing found: the verdicts stand under that set. Something found: SUSPECT, as if a person had said so."""
    for name in event.inspections:
        host = books.host[name]
        if event.outcome == "hit":
            host.tainted, host.clean = "SUSPECT", {}
            books.lots.made.pop(name, None)
        elif event.outcome == "no-hit":
            host.clean = {one: replace(filed, indicator_set=event.indicator_set) for one, filed in host.clean.items()}


def _swept(books: Books, event: e.Swept, at_us: int) -> None:
    begun_us = event.begun_us - books.moved_us
    at_site = [(name, book) for name, book in books.host.items() if books.hosts[name].site == event.site]
    if not event.control:
        books.missed[event.site] = books.missed.get(event.site, 0) + 1
        if books.missed[event.site] >= MISSED_MAX:
            for _, host in at_site:
                host.silent = False
        return
    books.missed[event.site] = 0
    for name, host in at_site:
        moving = host.under_way.get("network", "").startswith(f"{name}/reconnect/")
        if host.out or moving:
            continue
        if name in event.answered:
            host.silent = False
            if host.isolated_us < begun_us:
                books.unfrozen.update([event.site] if host.isolated_us else ())
                host.answered_for = host.answered_for and host.connected
                host.connected, host.isolated_us = True, 0
                host.inspection, host.clean = "", {}
                books.lots.made.pop(name, None)
                books.void.add(host.under_way.get("host", ""))
        elif host.isolated_us and host.isolated_us < begun_us:
            host.silent, host.connected = True, False


def _started(books: Books, event: e.Started, at_us: int) -> None:
    """Nobody swept while no process ran."""
    for host in books.host.values():
        host.silent = False


def _reading(books: Books, event: e.Reading, at_us: int) -> None:
    book = books.subject.setdefault(event.subject, SubjectBook())
    if book.outcome and at_us - book.at_us > 2 * books.interval_us(event.subject):
        book.in_a_row, book.unwatched_at = 0, books.seq
    book.outcome, book.at_us = event.outcome, at_us
    book.in_a_row = book.in_a_row + 1 if event.outcome == "PASS" else 0
    if event.outcome == "FAIL":
        book.failed_at = books.seq


def _jumped(books: Books, event: e.Jumped, at_us: int) -> None:
    books.jumped_us.append(event.delta_us)
    books.clock_confirmed = False


def _epoch(books: Books, event: e.Epoch, at_us: int) -> None:
    books.moved_us += event.delta_us
    books.jumped_us, books.clock_confirmed = [], False


def _condemned(books: Books, command: c.Condemn, at_us: int) -> None:
    books.host[command.host].inspection, books.host[command.host].clean = "", {}


def _enter_service(books: Books, command: c.EnterService, at_us: int) -> None:
    books.host[command.host].in_service = True


def _gone(books: Books, command: c.GiveUp | c.Exclude, at_us: int) -> None:
    """Whether another can stand in for it is seen now: then its place may be taken for good."""
    books.host[command.host].away = True
    books.gone.add(command.host)
    books.seek_stand_in(command.host)


def back(books: Books, name: str) -> None:
    """A host that was gone is worked on again; where nobody could take its place it counts as before."""
    books.host[name].away = False
    if name not in books.replaceable:
        books.gone.discard(name)


def _ask(books: Books, command: c.Ask, at_us: int) -> None:
    books.host[command.host].answered_for = True


def _start_soak(books: Books, command: c.StartSoak, at_us: int) -> None:
    books.wave[command.wave].soak = (books.seq, at_us)


def _break_soak(books: Books, command: c.BreakSoak, at_us: int) -> None:
    books.wave[command.wave].soak = None


def _pass_gate(books: Books, command: c.PassGate, at_us: int) -> None:
    books.wave[command.wave].passed = True


def _hold(books: Books, command: c.Hold, at_us: int) -> None:
    books.wave[command.wave].holds.add(command.cause)


def _unhold(books: Books, command: c.Unhold, at_us: int) -> None:
    books.wave[command.wave].holds.discard(command.cause)


def _open_task(books: Books, command: c.OpenTask, at_us: int) -> None:
    books.task[command.task] = TaskBook()


def _confirm_task(books: Books, command: c.ConfirmTask, at_us: int) -> None:
    books.task[command.task].confirmed_us = at_us


_DONE: dict[str, Callable[[Books, e.Finished, str, int], None]] = {
    "preserve": _preserved,
    "restore": _restored,
    "inspect": _inspected,
    "reconnect": _reconnected,
    "isolate": _isolated,
}
_NOTES: dict[type, Callable[[Books, Any, int], None]] = {
    e.Judged: _judged,
    e.Rematched: _rematched,
    e.Finished: _finished,
    e.Lost: _lost,
    e.Cancelled: _cancelled,
    e.Reading: _reading,
    e.Started: _started,
    e.Swept: _swept,
    e.Jumped: _jumped,
    e.Epoch: _epoch,
    c.Issue: _issue,
    c.Cancel: _cancel,
    c.Condemn: _condemned,
    c.EnterService: _enter_service,
    c.Exclude: _gone,
    c.GiveUp: _gone,
    c.Ask: _ask,
    c.StartSoak: _start_soak,
    c.BreakSoak: _break_soak,
    c.PassGate: _pass_gate,
    c.Hold: _hold,
    c.Unhold: _unhold,
    c.OpenTask: _open_task,
    c.ConfirmTask: _confirm_task,
}
