"""The full, naive form of the invariants: a witness who reads every record and says where a promise was broken.

Written apart from the core: it never looks at the core's state and shares no rule with it, so that a mistake in one
is seen by the other. Never repairs, and never fast: it counts everything again. Used by tests, simulation and audit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from orchestrator.decision import commands as c
from orchestrator.decision import events as e
from orchestrator.decision.estate import Estate
from orchestrator.decision.witness_books import NETWORK_STEPS, Books
from orchestrator.decision.witness_orders import confirmed, sign
from orchestrator.decision.witness_pages import ActionBook, HostBook
from orchestrator.decision.witness_reach import freeze, spoke_with
from orchestrator.plans.model import Content

MINUTE_US = 60_000_000
LISTED_MAX = 100
_EVENTS = get_args(e.Event)


@dataclass(slots=True, frozen=True)
class Broken:
    """A promise of docs/INVARIANTS.md that a record broke; `seq` is that record's number."""

    invariant: int
    seq: int
    subject: str
    sentence: str


class Witness:
    """Sees every record in order. `broken` lists what was broken, the first hundred at most."""

    def __init__(self, estate: Estate, contents: Mapping[str, Content] | None = None) -> None:
        self.books = Books(estate.content, estate.plan, {} if contents is None else contents)
        self.broken: list[Broken] = []
        self._told: set[str] = set()

    def see(self, entry: e.Event | c.Command, at_us: int) -> None:
        """Judges one record by what was known before it, then notes it.

        The core moves every time it keeps with an epoch; this clerk's own time goes on and takes the moves off instead.
        """
        books = self.books
        at_us -= books.moved_us
        if isinstance(entry, _EVENTS):
            self.settle(at_us)
        withdrawn = ""
        if isinstance(entry, c.Issue):
            self._issue(entry, at_us)
        elif isinstance(entry, e.Finished | e.Lost | e.Cancelled):
            withdrawn = self._end(entry, at_us)
        elif isinstance(entry, c.PassGate):
            self._gate(entry, at_us)
        elif isinstance(entry, e.Rematched | e.Judged):
            self._spoken(entry, at_us)
        elif isinstance(entry, e.Epoch):
            confirmed_us = sum(books.jumped_us) if books.clock_confirmed else None
            self._require(entry.delta_us == confirmed_us, 4, "clock", "time moves and nobody confirmed the clock")
        elif isinstance(entry, c.Freeze | c.Thaw):
            self._reach(entry, at_us)
        elif isinstance(entry, c.OpenTask | c.Owe):
            self._expires(entry, at_us)
        elif isinstance(entry, c.EnterService):
            stands = books.host[entry.host].out and not books.host[entry.host].infected
            self._require(stands, 1, entry.host, "it enters service without a release that stands")
        books.write(entry, at_us)
        if isinstance(entry, e.Ordered):
            sign(books, entry, at_us)
        if withdrawn:
            books.host[withdrawn].out, books.host[withdrawn].must_isolate = False, True
            books.doubted[withdrawn] = None

    def _spoken(self, event: e.Rematched | e.Judged, at_us: int) -> None:
        """What was matched is the latest inspection, and what it was matched against the set in force."""
        if isinstance(event, e.Judged):
            if event.verdict == "CLEAN" and len(event.inspections) > 1:
                self._lot(event, at_us)
            return
        for name, inspection in event.inspections.items():
            same = (self.books.host[name].inspection, self.books.indicator_set) == (inspection, event.indicator_set)
            self._require(same, 1, name, "other evidence is matched than its verdicts judge, or against another set")

    def _lot(self, event: e.Judged, at_us: int) -> None:
        """Called CLEAN at once are hosts of one lot; those drawn stand there, too, and enough persons read each."""
        lot = self.books.lots.named(event)
        for name, inspection in event.inspections.items():
            mine = lot is not None and (name in lot.drawn or lot.hosts.get(name) == inspection)
            self._require(mine, 1, name, "it is called CLEAN with others and is not of their lot")
        if lot is None:
            return
        enough = len(lot.counted) >= self.books.content.restart.lots.first and not lot.condemned
        self._require(enough, 1, lot.image, "its lot is called CLEAN after too few readings, or was condemned")
        for name in sorted(lot.drawn):
            host = self.books.host[name]
            good = bool(host.inspection) if host.out else self._proven(name, at_us)
            self._require(good and name in event.inspections, 1, name, "it was drawn and is not CLEAN, and its lot is")

    def settle(self, at_us: int) -> None:
        """What must hold whenever a transaction is over: alarms raised, fallen reconnects stopped."""
        for name in self.books.doubted:
            host = self.books.host[name]
            if host.must_isolate:
                host.must_isolate = False
                self._require(False, 1, name, "its proof fell during the reconnect and no isolate followed")
            if host.infected and host.connected and not self._answered_for(name, host):
                host.answered_for = True
                self._require(False, 9, name, "it holds INFECTED and is connected, and nobody was asked")
        for name in self.books.unfrozen:
            self._require(False, 4, name, "a recall of it is asked for, or it answered, and nothing was frozen")
        self.books.unfrozen.clear()
        for action, book in self.books.open.items():
            if book.step != "reconnect" or book.cancelled or action in self._told:
                continue
            for number, sentence in self._stopped(book.target):
                self._told.add(action)
                self._require(False, number, book.target, f"{action} goes on though {sentence}")

    def _require(self, holds: bool, number: int, subject: str, sentence: str) -> None:
        if not holds and len(self.broken) < LISTED_MAX:
            self.broken.append(Broken(number, self.books.seq + 1, subject, sentence))

    def _answered_for(self, name: str, host: HostBook) -> bool:
        """Somebody was asked, or it is being cut off; a site's isolation does not reach a host that is out."""
        site = self.books.hosts[name].site
        with_site = site in self.books.site_isolating or f"{site}/isolate" in self.books.task
        return host.answered_for or host.isolating or (with_site and not host.out)

    def _issue(self, command: c.Issue, at_us: int) -> None:
        books, name = self.books, command.target
        known = command.action in books.open or command.action in books.ended
        self._require(not known, 5, command.action, "an action id starts twice")
        self._require(name in books.hosts or name in books.sites, 11, name, "it is no host or site of the estate")
        if name not in books.host:
            twice = any(book.target == name for book in books.open.values())
            self._require(not twice, 5, name, "two isolations of one site are under way")
            return
        lane = "network" if command.step in NETWORK_STEPS else "host"
        same = [book for book in books.open.values() if book.target == name and _lane(book) == lane]
        self._require(not same, 5, name, f"two actions are under way in its {lane} lane")
        if command.step == "isolate":
            live = name in books.reach and name not in books.shut
            self._require(live or not books.host[name].out, 4, name, "it is recalled and its reach is not frozen")
            return
        self._pools(command, at_us)
        if command.step == "restore":
            self._wipe(command)
        elif command.step == "reconnect":
            self._reconnect(command, at_us)

    def _pools(self, command: c.Issue, at_us: int) -> None:
        books, site = self.books, self.books.hosts[command.target].site
        actions = [*books.open.values(), ActionBook(command.target, command.step)]
        taken = [
            (pool, books.hosts[book.target].site)
            for book in actions
            if book.target in books.host and book.step != "isolate"
            for pool in getattr(books.klass(book.target).pools, book.step)
        ]
        for pool in books.content.capacity.pools:
            if pool.id not in getattr(books.klass(command.target).pools, command.step):
                continue
            size = pool.size if pool.size is not None else pool.per_site.get(site, pool.per_site_default or 0)
            used = sum(one == pool.id and (pool.size is not None or where == site) for one, where in taken)
            self._require(used <= size, 6, pool.id, f"{used} of {size} are in use")
        if command.step == "reconnect" and books.hosts[command.target].kind == "workstation":
            recent = sum(at > at_us - MINUTE_US for at in books.paced.get(site, ())) + 1
            pace = books.content.restart.timing.workstations_per_minute
            self._require(recent <= pace, 6, site, f"{recent} workstations are released within a minute")

    def _reach(self, command: c.Freeze | c.Thaw, at_us: int) -> None:
        """The freeze of a reach covers everyone the host spoke with; without two persons, it ends only by CLEAN."""
        kind, _, name = command.scope.partition(":")
        if isinstance(command, c.Thaw):
            self._require(self._proven(name, at_us), 4, name, "its reach is thawed and it is not proven CLEAN")
        elif kind == "reach":
            missed = sorted(spoke_with(self.books, name) - set(command.hosts))
            self._require(not missed, 4, name, f"it spoke with {', '.join(missed)}, and they are not frozen")
        freeze(self.books, command)

    def _wipe(self, command: c.Issue) -> None:
        books, name = self.books, command.target
        self._require(
            command.strategy in ("restore", "reimage", "replace"), 10, name, f"{command.strategy!r} is no strategy"
        )
        klass = books.klass(name).id
        by_class = books.klass(name).preservation == "waived" or f"waiver:class:{klass}" in books.facts
        waived = f"waiver:host:{name}" in books.facts or (by_class and name not in books.content.restart.no_waiver)
        kept = books.host[name].preserved or waived or command.strategy == "replace"
        self._require(kept, 10, name, "it is wiped without preservation or waiver")

    def _reconnect(self, command: c.Issue, at_us: int) -> None:
        name = command.target
        host = self.books.host[name]
        self._require(not host.out, 1, name, "it is out already")
        self._require(host.silent, 1, name, "it is not proven to be in quarantine")
        old = not host.point_us or host.point_us < self.books.t0_us
        self._require(old, 1, name, "its restore point is not known to be older than T0")
        limit_us = self.books.klass(name).limit_s.reconnect * 1_000_000
        self._require(self._proven(name, at_us + limit_us), 1, name, "its proof of clean does not stand")
        for number, sentence in self._stopped(name):
            self._told.add(command.action)
            self._require(False, number, name, sentence)
        for need in self._unit_needs(name):
            short = self._unit_short(need, at_us)
            self._require(not short, 2, name, f"its unit's {need} has too few clean hosts")
        signers = set(host.clean)
        launchers = set().union(*(self.books.wave[wave].launchers for wave in self._waves(name))) - self.books.revoked
        self._require(not launchers or bool(launchers - signers), 3, name, "its launchers all signed for it")

    def _proven(self, name: str, at_us: int) -> bool:
        """Enough distinct persons say CLEAN of the latest inspection, or an exception stands in for the last one.

        Of a host that was not wiped they cannot say so by what it tells of itself.
        """
        books, host = self.books, self.books.host[name]
        if not host.inspection or host.tainted or host.infected or (host.unwiped and not host.seen_apart):
            return False
        required = books.klass(name).verdicts_required
        valid = {
            person: filed
            for person, filed in host.clean.items()
            if filed.indicator_set == books.indicator_set and person not in books.revoked
        }
        fresh = [filed for filed in valid.values() if filed.expires_us > at_us]
        if len(fresh) >= required or any(filed.lot for filed in fresh):
            return True
        return host.exception_us > at_us and bool(valid) and len(fresh) + 1 >= required

    def _stopped(self, name: str) -> Iterator[tuple[int, str]]:
        """Why no reconnect of this host may start, or go on unbegun: needs, wave, freezes (invariants 2, 3, 4)."""
        books = self.books
        for need in self._needs(name):
            if not self._up(need):
                yield 2, f"{need}, which it needs, is not in service"
        reasons = [self._wave_stops(name, wave) for wave in self._waves(name)]
        if all(reasons):
            yield 3, reasons[0] if reasons else "it stands in no wave"
        scopes = {"all", f"site:{books.hosts[name].site}", f"host:{name}"}
        if scopes & books.freezes:
            yield 4, "reconnects are frozen"
        if any(name in reached for reached in books.reach.values()):
            yield 4, "it spoke with a host that is recalled"
        if books.jumped_us:
            yield 4, "a clock jump is not confirmed"
        if "breach_closed" not in books.facts:
            yield 4, "the breach is not closed"

    def _waves(self, name: str) -> list[str]:
        """The waves the host may come out with: its own, and those that lost a post it can stand in for."""
        books, host = self.books, self.books.hosts[name]
        own = [books.wave_of[name]] if name in books.wave_of else []
        for post in books.gone:
            other = books.hosts[post]
            if (other.klass, other.site, other.function) == (host.klass, host.site, host.function):
                own += [wave for wave in books.posts_of.get(post, ()) if wave not in own]
        return own

    def _wave_stops(self, name: str, wave: str) -> str:
        book = self.books.wave[wave]
        if not book.launchers - self.books.revoked:
            return f"{wave} is not launched"
        for cause in sorted(book.holds):
            relapsed = cause.removeprefix("relapse:")
            if relapsed == cause or not self._cures(name, relapsed):
                return f"{wave} is held: {cause}"
        closed = sorted(one for one in self.books.ancestors(wave) if not self.books.wave[one].passed)
        return f"the gate of {closed[0]} has not passed" if closed else ""

    def _cures(self, name: str, service: str) -> bool:
        """Whether the host plays the service or something it needs, directly or not."""
        found: set[str] = set()
        todo = {service}
        while todo:
            found |= todo
            todo = {need for one in todo for player in self.books.hosts_of(one) for need in self._all_needs(player)}
            todo -= found
        return bool(found & set(self.books.hosts[name].services))

    def _all_needs(self, name: str) -> set[str]:
        klass = self.books.klass(name)
        holders = [klass.needs, *(self.books.services[one].needs for one in self.books.hosts[name].services)]
        found = {need for needs in holders for need in (*needs.restore, *needs.inspect, *needs.reconnect)}
        source = klass.source.partition(":")[2]
        return found | ({source} if source else set())

    def _reconnect_needs(self, name: str) -> tuple[set[str], set[str]]:
        """What the host needs to be reconnected: outside its units, and inside them."""
        books, own = self.books, set(self.books.hosts[name].services)
        holders = [books.klass(name).needs, *(books.services[one].needs for one in own)]
        needs = {need for one in holders for need in one.reconnect} - own - books.dropped
        units = {books.services[one].unit for one in own} - {None}
        inside = {need for need in needs if books.services[need].unit in units}
        return needs - inside, inside

    def _needs(self, name: str) -> list[str]:
        return sorted(self._reconnect_needs(name)[0])

    def _unit_needs(self, name: str) -> list[str]:
        return sorted(self._reconnect_needs(name)[1])

    def _up(self, service: str) -> bool:
        books = self.books
        if books.services[service].kind == "outside":
            read = books.subject.get(f"service:{service}")
            return f"outside:{service}" in books.facts and (read is None or read.outcome == "PASS")
        return sum(books.host[one].serves for one in books.hosts_of(service)) >= books.quorum[service]

    def _unit_short(self, service: str, at_us: int) -> bool:
        """Whether fewer than k hosts of the service are out, on their way out, or clean in quarantine."""
        count = 0
        for name in self.books.hosts_of(service):
            host = self.books.host[name]
            moving = host.under_way.get("network", "").startswith(f"{name}/reconnect/")
            count += ((host.out or moving) and not host.infected) or (host.silent and self._proven(name, at_us))
        return count < self.books.quorum[service]

    def _expires(self, command: c.OpenTask | c.Owe, at_us: int) -> None:
        """Nothing ends before its time, by a jump of the clock or by mistake: a task that is done, an exception."""
        books = self.books
        if isinstance(command, c.Owe):
            over = command.cause != "its exception ended" or books.host[command.host].exception_us <= at_us
            self._require(over, 4, command.host, "its exception is ended before its time")
            return
        owner, _, name = command.task.partition("/")
        known = [one for one in books.services[owner].tasks if one.id == name] if owner in books.services else []
        for task in known:
            stands = confirmed(books, command.task, task.expires_s, at_us)
            self._require(not stands, 4, command.task, "it is done and opens again before it expires")

    def _end(self, event: e.Finished | e.Lost | e.Cancelled, at_us: int) -> str:
        """At most one terminal per action. Returns the host of a reconnect whose proof fell while it ran."""
        books = self.books
        known = books.open.get(event.action)
        self._require(event.action not in books.ended, 5, event.action, "it ends a second time")
        self._require(known is not None or event.action in books.ended, 5, event.action, "it ends and never began")
        ok = isinstance(event, e.Finished) and event.outcome == "ok"
        if known is None or not ok or known.step != "reconnect":
            return ""
        return "" if self._proven(known.target, at_us) else known.target

    def _gate(self, command: c.PassGate, at_us: int) -> None:
        books, name = self.books, command.wave
        gate, wave = books.plan_waves[name].gate, books.wave[name]
        self._require(bool(wave.launchers) and not wave.passed, 3, name, "its gate passes unlaunched or twice")
        soaked = wave.soak is not None and at_us >= wave.soak[1] + gate.soak_s * 1_000_000
        self._require(soaked, 3, name, "its gate passes before its soak is over")
        services = [service for service in gate.services if service not in books.dropped]
        for service in services:
            self._require(self._up(service), 3, name, f"its gate passes while {service} is not in service")
        links = [link for link in books.content.inventory.interfaces if link.id in gate.interfaces]
        whole = [link.id for link in links if not {link.source, link.target} & books.dropped]
        wanted = [*(f"service:{one}" for one in services), *(f"interface:{one}" for one in whole)]
        for subject in wanted:
            self._subject(command, subject, wave.soak[0] if wave.soak else books.seq + 1, at_us)
        for site, posts in gate.posts.items():
            good = sum(books.host[one].serves for one in self._stand_ins(posts))
            need = min(gate.need[site], self._two_thirds(name, posts))
            self._require(good >= need, 3, name, f"its gate passes with {good} posts at {site}")
        for service in books.plan_waves[name].services:
            if service in books.dropped:
                continue
            for task in books.services[service].tasks:
                done = task.step != "gate" or confirmed(books, f"{service}/{task.id}", task.expires_s, at_us)
                self._require(done, 3, name, f"its gate passes while task {service}/{task.id} is not done")

    def _stand_ins(self, posts: tuple[str, ...]) -> set[str]:
        books = self.books
        lost = [books.hosts[post] for post in posts if post in books.gone]
        kinds = {(one.klass, one.site, one.function) for one in lost}
        return {*posts, *(one.id for one in books.hosts.values() if (one.klass, one.site, one.function) in kinds)}

    def _two_thirds(self, wave: str, posts: tuple[str, ...]) -> int:
        """Of the posts that still count: those gone for good leave the count, unless none is left at all."""
        staying = [post for post in posts if self._waves(post)[0] == wave and len(self._waves(post)) == 1]
        moved = len(staying) < len(posts)
        alive = sum(post not in self.books.gone for post in staying)
        return -(-2 * alive // 3) or (0 if moved else 1)

    def _subject(self, command: c.PassGate, subject: str, soak_seq: int, at_us: int) -> None:
        books, passes = self.books, self.books.plan_waves[command.wave].gate.passes
        read = books.subject.get(subject)
        if read is None or subject not in command.subjects:
            self._require(False, 3, command.wave, f"its gate passes without a reading of {subject}")
            return
        self._require(read.in_a_row >= passes, 3, command.wave, f"{subject} reads {read.outcome}, not PASS in a row")
        self._require(read.failed_at < soak_seq, 3, command.wave, f"{subject} read FAIL during the soak")
        self._require(read.unwatched_at < soak_seq, 3, command.wave, f"nobody watched {subject} during the soak")
        fresh = at_us - read.at_us <= 2 * books.interval_us(subject)
        self._require(fresh, 3, command.wave, f"the reading of {subject} is stale")


def _lane(book: ActionBook) -> str:
    return "network" if book.step in NETWORK_STEPS else "host"
