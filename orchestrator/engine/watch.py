"""Asks what is due to be asked: checks of services, interfaces and hosts, and the sweeps from outside quarantine.

Never judges: one outcome per subject goes to the core, made of its members' answers by counting alone. Never asks what
writes but at a gate that has not passed, under its owner's agreement; without one, two who witnessed it stand in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from zlib import crc32

from orchestrator.checks.model import Check
from orchestrator.decision.blockers import task_stands
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Reading
from orchestrator.decision.events import Swept as SweptEvent
from orchestrator.decision.gates import agreement, writes_now
from orchestrator.decision.stages import OUT, Stage
from orchestrator.decision.state import State
from orchestrator.probes.base import Agreement, Answer, Question, passed
from orchestrator.workers.probing import Prober, Swept, sweep

LOG = logging.getLogger("relance.engine")
SECOND = 1_000_000
GENTLE = 20  # a host in service is asked this many times less often than while it is being judged
SWEEP_TIMEOUT_S = 1.0
OPENED_S = 5  # sweeps after reconnects begin no sooner than this after the one before


@dataclass(slots=True)
class _Round:
    """One subject being asked: `need` hosts must PASS all their checks; `open` are the answers still awaited.

    `sleeps`: it may be switched off (a workstation at night), so that hearing nothing says nothing.
    """

    subject: str
    need: int
    open: dict[str, int]
    sleeps: bool
    answers: dict[int, list[Answer]] = field(default_factory=dict)


class Watch:
    """Decides which questions are due and collects their answers. Lives in the engine's thread."""

    def __init__(self, state: State, prober: Prober) -> None:
        # Of their own: hundreds of silent PCs, each waited for to the last second, never stand before a service or a
        # server, nor two hundred silent servers before a service.
        self._probers = {
            "service": prober,
            "server": Prober(secrets=prober.secrets),
            "workstation": Prober(secrets=prober.secrets),
        }
        self._told: list[tuple[str, Answer]] = []  # answers nobody need wait for
        self._rounds: dict[str, _Round] = {}
        self._round_of: dict[str, str] = {}
        self._next_us: dict[str, int] = {}
        self._sweeps: dict[int, tuple[int, Future[Swept]]] = {}
        self._sweep_next_us: dict[int, int] = {}
        self._leaving: dict[str, int] = {}  # reconnects under way, with their site
        self._opened: set[int] = set()  # sites where one has ended since the last sweep began
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="sweep")
        self._looked_us = 0
        self._read(state.estate)

    def _read(self, estate: Estate) -> None:
        """The checks of the content in force."""
        self._estate = estate
        self._checks: dict[str, list[Check]] = {}
        for check in estate.content.checks:
            self._checks.setdefault(_subject(check), []).append(check)
        # What is dialled to disprove a host's quarantine: its login, and every port that production would use of it.
        self._ports: list[set[int]] = []
        for host in estate.content.inventory.hosts:
            klass = estate.group(estate.host_number[host.id]).klass
            asked = [f"class:{klass.id}", *(f"service:{service}" for service in host.services)]
            ports = {check.port for subject in asked for check in self._checks.get(subject, ())}
            self._ports.append({klass.login.port, *ports})

    def poll(self, state: State, now_us: int) -> list[Event]:
        """Readings and sweeps that came in; puts the questions that are due."""
        events: list[Event] = []
        told, self._told = self._told, []
        for name, answer in chain(told, *(prober.poll() for prober in self._probers.values())):
            reading = self._answered(name, answer)
            if reading is not None:
                events.append(reading)
        events += self._swept(state)
        if state.estate is not self._estate:
            self._read(state.estate)
        if now_us < self._looked_us:  # an epoch set time back: ask as after a start
            self._looked_us = 0
            self._next_us.clear()
            self._sweep_next_us.clear()
        if now_us - self._looked_us >= SECOND // 4:
            self._looked_us = now_us
            self._ask_services(state, now_us)
            self._ask_hosts(state, now_us)
            events += self._start_sweeps(state, now_us)
        return events

    def close(self) -> None:
        """Asks nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for prober in self._probers.values():
            prober.close()

    def _answered(self, name: str, answer: Answer) -> Reading | None:
        round_ = self._rounds[self._round_of.pop(name)]
        round_.answers.setdefault(round_.open.pop(name), []).append(answer)
        if round_.open:
            return None
        del self._rounds[round_.subject]
        together = [worst(told, sleeps=round_.sleeps) for told in round_.answers.values()]
        return Reading(round_.subject, *judge(together, round_.need))

    def _due(self, subject: str, now_us: int, interval_us: int, first_us: int = 0) -> bool:
        """Whether its moment has come; the first is at once, or within `first_us` of the first look."""
        next_us = self._next_us.get(subject)
        if next_us is None:
            next_us = self._next_us[subject] = moment_us(subject, now_us, first_us) if first_us else now_us
        if subject in self._rounds or now_us < next_us <= now_us + interval_us * 3 // 2:
            return False
        self._next_us[subject] = moment_us(subject, now_us + interval_us // 2, interval_us)
        return next_us <= now_us  # else it was asked rarely until now

    def _ask_services(self, state: State, now_us: int) -> None:
        estate = state.estate
        for service, name in enumerate(estate.services):
            checks = [check for check in self._checks.get(f"service:{name}", ()) if check.level in ("L2", "L3")]
            if not estate.outside[service]:
                self._ask_players(state, f"service:{name}", service, checks, now_us)
        for interface in estate.content.inventory.interfaces:
            subject = f"interface:{interface.id}"
            target = estate.service_number.get(interface.target, -1)
            if target >= 0 and subject in estate.gates_of_subject:
                self._ask_players(state, subject, target, self._checks.get(subject, []), now_us)

    def _ask_players(self, state: State, subject: str, service: int, checks: list[Check], now_us: int) -> None:
        """As many hosts as the service's quorum must PASS; fewer that are out are not asked."""
        members = [host for host in state.estate.players[service] if state.stage[host] in OUT]
        need = state.quorum[service]
        if any(check.writes for check in checks) and not writes_now(state, subject):
            checks = [check for check in checks if not check.writes]
        if checks and len(members) >= need and self._due(subject, now_us, state.estate.interval_us[subject]):
            self._ask(state, subject, members, checks, need)

    def _ask_hosts(self, state: State, now_us: int) -> None:
        estate = state.estate
        for host, stage in enumerate(state.stage):
            if stage not in OUT:
                continue
            subject = f"host:{estate.hosts[host]}"
            klass = f"class:{estate.group(host).klass.id}"
            interval_us = estate.interval_us.get(klass, 60 * SECOND)
            judged = stage is Stage.RELEASED or state.failing_us[host]
            if self._due(subject, now_us, *((interval_us,) if judged else (interval_us * GENTLE, interval_us))):
                self._ask(state, subject, [host], self._checks.get(klass, []), 1)

    def _ask(self, state: State, subject: str, hosts: list[int], checks: list[Check], need: int) -> None:
        names = {
            f"{subject}|{state.estate.hosts[host]}|{check.id}": (host, check) for host in hosts for check in checks
        }
        if not names:
            return
        asked = "service"
        if subject.startswith("host:"):
            asked = "server" if state.estate.is_server[hosts[0]] else "workstation"
        sleeps = asked == "workstation"
        self._rounds[subject] = _Round(subject, need, {name: host for name, (host, _) in names.items()}, sleeps)
        for name, (host, check) in names.items():
            self._round_of[name] = subject
            question = question_of(state, host, check)
            seen = witnessed(state, check, self._looked_us) if check.writes and question.agreement is None else None
            if seen is None:
                self._probers[asked].submit(name, check.probe, question)
            else:
                self._told.append((name, seen))

    def _start_sweeps(self, state: State, now_us: int) -> list[Event]:
        """Starts what is due; a site whose last sweep has not come back by then has missed one.

        After a reconnect its site is swept soon: a way that was opened for one host may let others through.
        """
        estate, missed = state.estate, list[Event]()
        leaving = {name: action.site for name, action in state.open.items() if action.step == "reconnect"}
        self._opened |= {site for name, site in self._leaving.items() if name not in leaving}
        self._leaving = leaving
        for site, hosts in enumerate(estate.hosts_of_site):
            opened = site in self._opened and site not in self._sweeps
            early_us = max(0, estate.timing.sweep_s - OPENED_S) * SECOND if opened else 0
            if self._sweep_next_us.get(site, 0) - early_us > now_us:
                continue
            self._opened.discard(site)
            self._sweep_next_us[site] = now_us + estate.timing.sweep_s * SECOND
            if site in self._sweeps:
                missed.append(SweptEvent(estate.sites[site], now_us, False, []))
                continue
            # Before its isolation a host counts as connected anyway; only an isolation is there to be disproved.
            inside = [
                host
                for host in hosts
                if state.isolated_us[host]
                and state.stage[host] not in OUT
                and state.stage[host] is not Stage.RECONNECTING
            ]
            place = estate.content.inventory.sites[site]
            if not inside or place.prober is None:
                continue
            places = estate.content.inventory.hosts
            targets = {(places[host].address, port) for host in inside for port in self._ports[host]}
            address, _, port = place.control.partition(":")
            dialled = self._pool.submit(sweep, place.prober, targets, (address, int(port)), timeout_s=SWEEP_TIMEOUT_S)
            self._sweeps[site] = (now_us, dialled)
        return missed

    def _swept(self, state: State) -> list[Event]:
        events: list[Event] = []
        places = state.estate.content.inventory.hosts
        for site, (begun_us, dialled) in list(self._sweeps.items()):
            if not dialled.done():
                continue
            del self._sweeps[site]
            control, heard = _heard(dialled)
            answered = [places[host].id for host in state.estate.hosts_of_site[site] if places[host].address in heard]
            events.append(SweptEvent(state.estate.sites[site], begun_us, control, answered))
        return events


def _heard(dialled: Future[Swept]) -> tuple[bool, set[str]]:
    """Whether a sweep proves silence, and which addresses were not silent."""
    try:
        seen = dialled.result()
    except OSError as error:
        LOG.warning("A sweep could not be made: %s.", error.strerror)
        return False, set()
    # What could not be dialled from here counts as an answer: not known to be cut off.
    return seen.control, {address for address, _ in (*seen.answered, *seen.unasked)}


def worst(answers: list[Answer], *, sleeps: bool = False) -> Answer:
    """What a host's checks say together: the first FAIL, else the first UNKNOWN, else PASS.

    Of one that `sleeps`, silence alone is UNKNOWN; once anything of it is heard, what stays silent is a FAIL.
    """
    if sleeps and not any(answer.heard for answer in answers):
        return Answer("UNKNOWN", f"{answers[0].sentence} It may be switched off.", heard=False)
    return min(answers, key=lambda answer: ("FAIL", "UNKNOWN", "PASS").index(answer.outcome))


def judge(answers: list[Answer], need: int) -> tuple[str, str]:
    """PASS with `need` hosts that PASS; FAIL if that can no longer be reached; else UNKNOWN; with a sentence."""
    passes = sum(answer.outcome == "PASS" for answer in answers)
    unknown = sum(answer.outcome == "UNKNOWN" for answer in answers)
    if passes >= need:
        return "PASS", ""
    why = next((answer.sentence for answer in answers if answer.outcome != "PASS"), "nobody answered")
    return ("UNKNOWN" if passes + unknown >= need else "FAIL"), why[:300]


def question_of(state: State, host: int, check: Check) -> Question:
    """The question a check puts to a host, from the production side of its site."""
    place = state.estate.content.inventory.hosts[host]
    prober = state.estate.content.inventory.sites[state.estate.site_of[host]].prober or ""
    params: Mapping[str, str | int | bool] = check.params
    if check.probe == "ssh":
        params = {**check.params, "host_key": state.host_key[host]}
    agreed = agreed_on(state, check) if check.writes else None
    return Question(place.address, check.port, prober, float(check.timeout_s), params, place.id, agreed)


def agreed_on(state: State, check: Check) -> Agreement | None:
    """What the owner of the service agreed may be written there."""
    key = state.estate.witness_task.get(check.id)
    if key is None:
        return None
    fact = agreement(state, state.estate.tasks[key].service)
    return None if fact is None else Agreement(f"agreement:{key.partition('/')[0]}", str(fact["patient"]))


def witnessed(state: State, check: Check, now_us: int) -> Answer | None:
    """The answer of two who saw a real case go through, as long as that holds."""
    key = state.estate.witness_task.get(check.id, "")
    if not task_stands(state, key, now_us):
        return None
    return passed(f"Nothing was sent: two vouch for a real case ({state.tasks[key].seen}).")


def moment_us(subject: str, from_us: int, interval_us: int) -> int:
    """The first of a subject's moments from then on: one in each interval, at a place that follows from its name, so
    that what is asked alike is spread evenly and never asked all at once."""
    place_us = crc32(subject.encode()) * interval_us >> 32
    return from_us + (place_us - from_us) % interval_us


def _subject(check: Check) -> str:
    if check.service:
        return f"service:{check.service}"
    return f"interface:{check.interface}" if check.interface else f"class:{check.klass}"
