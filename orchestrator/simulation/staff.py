"""The people of an invented world at work: analysts read and sign, technicians do tasks, operators answer.

Never decides what people want (`people` does) and never takes more than one piece of work per person at a time. Who is
not on duty begins nothing; what is begun is finished.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from itertools import compress, repeat
from operator import is_

from orchestrator.canonical import Json
from orchestrator.decision import quorum
from orchestrator.decision.commands import Ask, EnterService, Exclude, GiveUp, Hold, OpenTask, PassGate, Unhold
from orchestrator.decision.events import Finished, Judged, Jumped, Ordered, Rematched, Swept
from orchestrator.decision.parts import Member
from orchestrator.decision.seats import seats_open
from orchestrator.decision.stages import INSPECTED, RECONNECTING
from orchestrator.decision.state import FOREVER_US, State
from orchestrator.simulation.durations import WORK_NUMBER, drawn_us
from orchestrator.simulation.faults import NONE
from orchestrator.simulation.lot_reading import LotReading, to_open
from orchestrator.simulation.people import Shifts, Wish, signers, wishes
from orchestrator.simulation.world import CLAIM, DOUBT, HOUR, KEY, READING, SECOND, VERDICT, World

ORDER_VALID_US = 3600 * SECOND
HEAD_MAX = 1 << 40
NOBODY: frozenset[str] = frozenset()
SECOND_KEY = "by a second key"  # what a verdict's bytes say of it
ANSWERS_NOTHING = frozenset(("task.done", "task.claim", "claim", "fact.outside", "fact.accepted", "wave.launch"))


class Staff:
    """Everyone of the roster."""

    def __init__(self, world: World, shifts: Shifts, t0_us: int) -> None:
        self.world = world
        self.shifts = shifts
        self.t0_us = t0_us
        self.present: list[str] = []
        self._of_role: dict[str, list[str]] = {}
        self.orders = 0
        self._first = world.state.seq  # no order of an earlier record carries an id that begins so
        self._numbers: dict[str, int] = {}
        self._busy: set[str] = set()
        # The hosts of `_queued`, the most urgent first; apart by who has signed or reads: they wait for somebody else.
        self._seats: dict[frozenset[str], list[tuple[int, int]]] = {}
        self._queued: dict[int, int] = {}
        self._waiting: set[int] = set()
        self._horizon = 0  # how many waves are in it
        self._readers: dict[int, set[str]] = {}
        self._tasks: list[tuple[int, str]] = []
        # People look again four times while a claim lasts: every quarter of an hour, in a drill every few seconds.
        self._look_us = world.state.estate.timing.claim_s * SECOND // 4
        self._called = False
        self._lots = LotReading(world, self._busy)
        for kind in (Ask, GiveUp, Exclude, Hold, PassGate, Jumped):
            world.hears.setdefault(kind, []).append(self._call)
        world.hears.setdefault(Ordered, []).append(self._ordered)
        world.hears.setdefault(Finished, []).append(self._finished)
        world.hears.setdefault(Rematched, []).append(self._rematched)
        world.hears.setdefault(Swept, []).append(self._look_again)
        world.hears.setdefault(Unhold, []).append(self._look_again)
        for further in (PassGate, EnterService):
            world.hears.setdefault(further, []).append(self._look_further)
        world.hears.setdefault(OpenTask, []).append(self._opened)
        self._settle_in()

    def _settle_in(self) -> None:
        """Looks at everything that waits for people in the state this future begins with."""
        for key, task in self.world.state.tasks.items():
            if task.status in ("open", "reported"):
                heapq.heappush(self._tasks, (self._task_urgency(key), key))
        self._change_shift()

    def hire(self, more: Mapping[str, int]) -> None:
        """So many more persons of each role, there day and night; fewer where the number is negative."""
        roster = self.world.state.roster
        for role, many in more.items():
            for number in range(many):
                roster[f"more-{role}-{number}"] = Member(frozenset((role,)), "", 0, FOREVER_US)
            for person in [one for one, held in roster.items() if held.roles == {role}][: max(0, -many)]:
                del roster[person]
        self._muster()

    def calm(self) -> None:
        """Fresh people come for those who were revoked, stay day and night, and look at everything every hour."""
        for role in ("operator", "operator", "analyst", "analyst", "analyst", "technician", "crisis", "it_director"):
            name = f"fresh-{self.orders}"
            person: dict[str, Json] = {"id": name, "roles": [role], "key": name}
            state = self.world.state
            wish = Wish("roster.add", "roster", {"person": person})
            self.order(wish, signers(state, wish, [one for one in state.roster if one not in state.revoked]))
        self._every_hour()

    def _every_hour(self) -> None:
        self.look_at_all()
        self._call()
        self.world.at(self.world.now_us + HOUR, self._every_hour)

    def look_at_all(self) -> None:
        """Every host that was inspected may wait for a verdict; who stands elsewhere is inspected anew first."""
        state, here = self.world.state, (INSPECTED, RECONNECTING)
        self._waiting = {host for host in self._waiting if state.stage[host] in here or host in state.obligations}
        # No bytecode runs for a host: of many, most have not come as far.
        self._waiting.update(compress(range(len(state.stage)), map(is_, state.stage, repeat(INSPECTED))))
        self._waiting.update([host for host in state.obligations if state.inspection[host]])
        self._waiting -= self._queued.keys()
        self._mix()
        self._sift()

    def _muster(self) -> None:
        """Who is there now, and who of them has which role."""
        roster = self.world.state.roster
        self.present = [one for one in roster if self.shifts.present(one, self.world.now_us)]
        self._of_role = {}
        for one in self.present:
            for role in roster[one].roles:
                self._of_role.setdefault(role, []).append(one)

    def _change_shift(self) -> None:
        """Those who come begin to work; those who go finish what they have begun."""
        world = self.world
        self._muster()
        change_us = self.shifts.next_change_us(world.now_us)
        if change_us is not None:
            world.at(change_us, self._change_shift)
        self.look_at_all()
        self.assign()
        self._call()

    # Orders

    def order(self, wish: Wish, persons: Sequence[str] = ()) -> bool:
        """Gives an order, signed by as many as it needs; whether it took effect."""
        state, world = self.world.state, self.world
        who = persons or signers(state, wish, self.present)
        self.orders += 1
        done = False
        # Every second signer's clock has jumped with ours.
        expires_us = world.now_us + ORDER_VALID_US + (state.jump_us if self.orders % 2 else 0)
        for person in who:
            event = Ordered(
                f"{self._first:016x}{self.orders:016x}",
                wish.kind,
                wish.subject,
                wish.args,
                person,
                expires_us,
                HEAD_MAX,
                "b",
            )
            done = world.tell(event)
        return done

    def _call(self, _: object = None) -> None:
        """Somebody should look at what the state asks for."""
        if not self._called:
            self._called = True
            self.world.at(self.world.now_us + (self._look_us if self.orders else 0), self._round)

    def _ordered(self, event: Ordered) -> None:
        """Some orders leave others something to answer."""
        if event.kind == "indicators.force":
            self._mix()
        if event.kind not in ANSWERS_NOTHING:
            self._call()
        self._look_further()

    def _round(self) -> None:
        self._called = False
        state = self.world.state
        if not state.roster:
            return
        again = False
        for wish in wishes(state, self.t0_us):
            if not self.order(wish):
                again = True
        self._muster()
        self.assign()
        if again:
            self._call()

    # Verdicts

    def _rematched(self, event: Rematched) -> None:
        """Where nothing could be matched, verdicts are given again; a hit on a host that is out wants an answer."""
        state = self.world.state
        for host in [state.estate.host_number[name] for name in event.inspections]:
            if state.stage[host] is INSPECTED or host in state.obligations:
                self.want(host)
        self.assign()
        self._call()

    def _finished(self, event: Finished) -> None:
        if event.outcome != "ok":
            return
        if event.facts.get("image_digest"):
            wish = to_open(self.world.state, self.world.state.estate.host_number[event.action.partition("/")[0]])
            if wish is not None:
                self.order(wish)
        elif "/inspect/" in event.action:
            host = self.world.state.estate.host_number[event.action.partition("/")[0]]
            self._readers.pop(host, None)
            self.want(host)
            self.assign()

    def _look_further(self, _: object = None) -> None:
        """Hosts of waves that have come into the horizon want verdicts."""
        horizon = sum([wave.horizon for wave in self.world.state.waves])
        if horizon != self._horizon:
            self._horizon = horizon
            self._look_again()

    def _look_again(self, _: object = None) -> None:
        """A sweep, the end of a hold or a gate may have opened seats."""
        if self._waiting:
            self._sift()
            self.assign()

    def _sift(self) -> None:
        """Of those that wait, who may have a seat by now is asked about."""
        state, stage = self.world.state, self.world.state.stage
        seen = [*(one.horizon for one in state.waves), False]  # the last: of hosts without a wave
        # Most wait for the horizon of their wave: `seats_wanted` need not say so of each.
        wanted = [
            host
            for host in self._waiting
            if (stage[host] is INSPECTED and seen[state.wave_of[host]]) or host in state.obligations
        ]
        self._waiting.difference_update(wanted)
        for host in wanted:
            self.want(host)

    def want(self, host: int) -> None:
        """A host waits for readers, if it still does."""
        state = self.world.state
        if not quorum.seats_wanted(state, host):
            self._waiting.add(host)
            return
        if host not in self._queued:
            owed, urgency = state.obligations.get(host), state.urgency[host]
            if owed is not None:
                urgency += -len(state.urgency) if owed.holds else len(state.urgency)
            self._queued[host] = urgency
        self._queue((self._queued[host], host), NOBODY)  # again, where it stands apart: others may read it now

    def _queue(self, seat: tuple[int, int], but: frozenset[str]) -> None:
        heapq.heappush(self._seats.setdefault(but, []), seat)

    def _mix(self) -> None:
        """What was said may count no more: anybody may read again."""
        seats = sorted({seat for apart in self._seats.values() for seat in apart})
        self._seats = {NOBODY: seats}

    def want_first(self, host: int, other: int) -> None:
        """A host is to be read as urgently as another one that waits for that."""
        urgency = self.world.state.urgency
        self._queued[host] = min(self._queued.get(host, urgency[host]), urgency[other])
        self._queue((self._queued[host], host), NOBODY)

    def assign(self) -> None:
        """Free people take the most urgent tasks of their role, then free analysts the most urgent seats."""
        if self._tasks:
            self._assign_tasks()
        if self._queued:
            self._assign_seats()

    def _free(self, role: str) -> list[str]:
        busy, revoked = self._busy, self.world.state.revoked
        return [one for one in self._of_role.get(role, ()) if one not in busy and one not in revoked]

    def _assign_seats(self) -> None:
        world, state = self.world, self.world.state
        free = self._free("analyst")
        while free and (seat := self._next_seat(free)) is not None:
            host = seat[1]
            if host not in self._queued:
                continue  # it stood there twice
            if host in state.lot_of and self._lots.takes(self, host, free[0]):
                self._queued.pop(host, None)
                free = [one for one in free if one not in self._busy]
                continue
            readers = self._readers.get(host) or self._readers.setdefault(host, set())
            taken = readers | _signers(state, host, world.now_us) if state.verdicts[host] else readers
            able = [one for one in free if one not in taken] if taken else free[:]
            missing = seats_open(state, host, world.now_us) - len(readers)
            if missing <= 0:
                self._queued.pop(host, None)
                if not readers and (state.stage[host] is INSPECTED or host in state.obligations):
                    self._waiting.add(host)
                continue
            for person in able[:missing]:
                free.remove(person)
                readers.add(person)
                self._read(person, host)
            if len(able) < missing:
                self._queue(seat, frozenset((*taken, *able)))
            else:
                self._queued.pop(host, None)

    def _next_seat(self, free: list[str]) -> tuple[int, int] | None:
        """The most urgent seat that one of them may have, taken out of the queue."""
        seats = [seats for but, seats in self._seats.items() if seats and not but.issuperset(free)]
        return heapq.heappop(min(seats)) if seats else None

    def _number(self, person: str) -> int:
        return self._numbers.setdefault(person, len(self._numbers))

    def _read(self, person: str, host: int) -> None:
        world, state = self.world, self.world.state
        of = world.tables[state.estate.group_of[host]][WORK_NUMBER["verdict"]]
        luck = world.chance.normal(READING, host, state.attempts[host][2], self._number(person))
        self._busy.add(person)
        world.at(
            world.now_us + world.durations.drawn_us(of, luck, world.now_us),
            self._judge,
            person,
            host,
            state.inspection[host],
        )

    def _judge(self, person: str, host: int, inspection: str) -> None:
        world, state = self.world, self.world.state
        self._busy.discard(person)
        self._readers.get(host, set()).discard(person)
        lot = state.lot_of.get(host, "")
        if state.inspection[host] == inspection:
            ends_us = world.now_us + state.estate.timing.verdict_valid_s * SECOND
            verdict = self._verdict(person, host)
            self._file(verdict, person, host, ends_us)
            if verdict == quorum.CLEAN and state.inspection[host] == inspection:
                self._say_more(person, host, ends_us)
                self.want(host)
                world.at(ends_us, self._expired, host)
        if lot:
            self._lots.look_again(self, lot)
        self.assign()

    def _file(self, verdict: str, person: str, host: int, ends_us: int, key: str = "b") -> None:
        state = self.world.state
        judged = {state.estate.hosts[host]: state.inspection[host]}
        self.world.tell(Judged(verdict, judged, person, state.indicator_set, ends_us, key))

    def _say_more(self, person: str, host: int, ends_us: int) -> None:
        """Now and then somebody signs a second time, with another key, or takes the word back later."""
        world, faults = self.world, self.world.faults
        about = (host, world.now_us // SECOND, self._number(person))
        if faults.second_key and world.chance.share(KEY, *about) < faults.second_key:
            world.happened["second_key"] += 1
            self._file(quorum.CLEAN, person, host, ends_us, SECOND_KEY)
        luck = world.chance.share(DOUBT, *about) if faults.withdrawn else 1.0
        if luck < faults.withdrawn:
            world.happened["withdrawn"] += 1
            later_us = world.now_us + int(luck / faults.withdrawn * 2 * HOUR)
            world.at(later_us, self._withdraw, person, host, world.state.inspection[host])

    def _withdraw(self, person: str, host: int, inspection: str) -> None:
        if self.world.state.inspection[host] == inspection:
            self._file(quorum.SUSPECT, person, host, self.world.now_us + HOUR)

    def _verdict(self, person: str, host: int) -> str:
        """What the reader concludes: mostly what the first one did, now and then not."""
        faults, chance = self.world.faults, self.world.chance
        if faults is NONE:
            return quorum.CLEAN
        attempts = self.world.state.attempts[host]
        key = (host, attempts[1], attempts[2])
        luck = chance.share(VERDICT, *key)
        if self.world.state.marker[host] or luck < faults.infected:
            return self._said("infected", quorum.INFECTED)
        if luck < faults.infected + faults.suspect:
            return self._said("suspect", quorum.SUSPECT)
        if faults.wrong and chance.share(VERDICT, *key, self._number(person)) < faults.wrong:
            return self._said("wrong", quorum.SUSPECT)
        return quorum.CLEAN

    def _said(self, fault: str, verdict: str) -> str:
        self.world.happened[fault] += 1
        return verdict

    def _expired(self, host: int) -> None:
        if self.world.state.stage[host] is INSPECTED or host in self._queued:
            self.want(host)
            self.assign()

    # Tasks

    def _opened(self, command: OpenTask) -> None:
        heapq.heappush(self._tasks, (self._task_urgency(command.task), command.task))
        self._assign_tasks()

    def _task_urgency(self, key: str) -> int:
        host = self.world.state.estate.host_number.get(key.partition("/")[0], -1)
        return self.world.state.urgency[host] if host >= 0 else -1

    def _assign_tasks(self) -> None:
        state = self.world.state
        aside: list[tuple[int, str]] = []
        free: dict[str, list[str]] = {}
        while self._tasks:
            seat = heapq.heappop(self._tasks)
            task = state.tasks.get(seat[1])
            if task is None or task.status == "confirmed":
                continue
            known = state.estate.tasks.get(seat[1])
            role = known.spec.by if known is not None else "technician"
            role = "operator" if role == "vendor" else role
            if role not in free:
                free[role] = self._free(role)
            if not free[role]:
                aside.append(seat)
                continue
            self._work(
                free[role].pop(0), seat[1], known.spec.duration_s if known is not None else self._swap_s(seat[1])
            )
            free = {role: [one for one in free[role] if one not in self._busy] for role in free}
        self._tasks = aside
        heapq.heapify(self._tasks)

    def _swap_s(self, key: str) -> int:
        """How long it takes to put another machine in a host's place: about as long as its restore."""
        estate = self.world.state.estate
        return estate.group(estate.host_number[key.partition("/")[0]]).klass.duration_s.restore

    def _work(self, person: str, key: str, duration_s: int) -> None:
        world = self.world
        self._busy.add(person)
        opened_us = world.state.tasks[key].opened_us // SECOND
        luck = world.chance.normal(CLAIM, sum(key.encode()), opened_us)
        world.at(world.now_us + drawn_us(duration_s * SECOND, 0.3, luck), self._report, person, key)

    def _report(self, person: str, key: str) -> None:
        """The work is done, or is only said to be: then the second look, or the check, finds out."""
        world, state = self.world, self.world.state
        self._busy.discard(person)
        task = state.tasks.get(key)
        if task is not None and task.status in ("open", "reported"):
            opened_us = task.opened_us // SECOND
            lie = world.chance.share(CLAIM, sum(key.encode()), opened_us, world.now_us) < world.faults.false_claim
            world.happened["false_claim"] += lie
            (world.untrue.add if lie else world.untrue.discard)(key)
            if key.endswith("/isolate") and not lie:
                world.cut_off_site(key.partition("/")[0])
            if task.status == "open" and not self.order(Wish("task.done", key), (person,)):
                heapq.heappush(self._tasks, (self._task_urgency(key), key))  # who did it was revoked meanwhile
            by_check = state.confirmed_by(key)
            if by_check:
                world.ask_once_more(by_check)
            else:
                world.at(world.now_us + self._look_us // 3, self._confirm, key)
        self.assign()

    def _confirm(self, key: str) -> None:
        """A second person looks."""
        world, state = self.world, self.world.state
        task = state.tasks.get(key)
        if task is None or task.status != "reported":
            return
        other = [one for one in self.present if one != task.reported_by and one not in state.revoked]
        if not other:
            world.at(world.now_us + self._look_us, self._confirm, key)
        elif key in world.untrue:
            world.untrue.discard(key)
            self.order(Wish("task.failed", key), (other[0],))
            heapq.heappush(self._tasks, (self._task_urgency(key), key))
        else:
            self.order(Wish("task.done", key), (other[0],))


def _signers(state: State, host: int, now_us: int) -> set[str]:
    """Who has said something of the host that still stands under the set in force."""
    in_force, said = state.indicator_set, state.verdicts[host]
    return {one.person for one in said if one.expires_us > now_us and one.indicator_set == in_force}
