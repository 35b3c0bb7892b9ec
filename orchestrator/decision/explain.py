"""Says why a host or a gate waits: the unmet requirements in words, and who can lift each.

Never decides: it reads the same blockers that `decide` reads, so what it says is what stands in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.decision import gates, quorum
from orchestrator.decision.blockers import Blocker, blockers, next_step, task_stands
from orchestrator.decision.stages import OUT, Stage
from orchestrator.decision.state import CONNECTIONS, State


@dataclass(slots=True, frozen=True)
class Reason:
    """One thing that stands in the way: its code, what it is about, a sentence, and who can lift it."""

    code: str
    subject: str
    sentence: str
    who: str


NAMED_MAX = 3

# code -> sentence about {subject}, and who can lift it.
_WORDS: dict[str, tuple[str, str]] = {
    "under-way": ("{subject} is under way.", "nobody: wait for it"),
    "leaving": ("{subject} is being excluded.", "nobody: wait for it"),
    "not-before": ("The next try waits until its time has come.", "nobody: wait for it"),
    "asks": ("A person must decide: {subject}.", "an operator (host retry, recall or exclude)"),
    "isolation": ("The isolation of {subject} has not finished.", "the site's technicians or its gate"),
    "left-off": ("{subject} belongs to no wave: the plan leaves it off.", "whoever changes the plan"),
    "evidence": ("Its evidence is neither preserved nor waived.", "the forensic lead"),
    "fact": ("Nobody has signed the fact {subject}.", "an analyst with the IT director"),
    "task": ("The task {subject} is not done and confirmed.", "those whose task it is"),
    "need": ("It needs {subject}, which is not in service with a PASS.", "{players}"),
    "soft": ("It will work less well without {subject}; nothing waits for it.", "{players}"),
    "quarantine-full": ("The quarantine of {subject} is full.", "whoever releases hosts there"),
    "horizon": (
        "Its wave {subject} is too far ahead: an earlier gate has not opened.",
        "whoever that gate waits for",
    ),
    "quarantine": ("It is not proven from outside that {subject} is cut off.", "the site's prober and gate"),
    "no-prober": (
        "{subject} has no outside prober: what stands there is restored, and never released.",
        "whoever puts a prober up and names it in the plan (content propose)",
    ),
    "own-word": (
        "{subject} was not wiped, and nothing but its own word speaks for it.",
        "an analyst or the forensic lead (findings import --taken offline or outside)",
    ),
    "verdicts": ("{subject} more verdict(s) CLEAN are missing.", "analysts"),
    "launch": ("Its wave {subject} is not launched.", "an operator"),
    "separation": ("Everyone who launched {subject} also judged this host.", "another operator (launch it too)"),
    "hold": ("A hold binds it: {subject}.", "an operator (wave resume), or the relapsed service passing again"),
    "gate": ("The gate of {subject} has not passed.", "whoever the gate waits for; two persons may go around it"),
    "clock": ("The clock jumped and nobody confirmed it.", "an operator (clock confirm)"),
    "freeze": ("Reconnects are frozen ({subject}).", "two persons (thaw)"),
    "alarm": (
        "Reconnects are frozen ({subject}): a host that was cut off there answered the outside prober.",
        "two persons (thaw), once they know why it answered",
    ),
    "reach": (
        "It spoke with {subject}, which is recalled or may have to be.",
        "whoever recalls {subject}, then two persons (thaw --reach {subject}); or analysts who find it CLEAN",
    ),
    "unit": ("Its unit ({subject}) cannot come out together yet.", "whoever brings the other members to clean"),
    "pool": ("All slots of {subject} are taken.", "nobody: wait, or raise the capacity"),
    "host-check": ("Its host check has not passed often enough yet.", "nobody: wait for the readings"),
    "service": ("{subject} is not in service.", "{players}"),
    "unread": ("{subject} has not been read yet.", "the probes"),
    "fails": ("{subject} reads FAIL.", "whoever runs it"),
    "unknown": ("{subject} reads UNKNOWN.", "whoever runs it or its probe"),
    "posts": ("Posts that work: {subject}.", "whoever brings the posts back"),
    "passes": ("{subject} has not passed often enough in a row.", "nobody: wait for the readings"),
    "stale": ("The reading of {subject} is too old.", "the probes"),
    "soak": ("The soak is not over.", "nobody: wait for it"),
    "flaps": ("{subject} flaps: {falls}", "whoever runs it; a soak proves little until they know why"),
    "agreement": (
        "What proves {subject} writes, and nobody agreed to that.",
        "the service's owner, signed by crisis cell or IT director and an operator (fact set agreement {service}), or "
        "two who saw a real case (task done {task})",
    ),
}


def put(state: State, blocker: Blocker) -> Reason:
    """A blocker in words."""
    code, subject = blocker
    sentence, who = _WORDS[code]
    needed = code in ("need", "soft", "service")
    players = _who_brings_back(state, subject) if needed else ""
    observed = state.readings.get(f"service:{subject}" if needed else subject)
    if observed is not None and observed.why:
        sentence += f" {observed.why}".replace("{", "{{").replace("}", "}}")  # what a peer said is no form to fill
    if needed and (often := gates.falls(state, f"service:{subject}", state.at_us)):
        sentence += f" It flaps: {_fell(often)}"
    return Reason(code, subject, sentence.format(subject=subject), who.format(subject=subject, players=players))


def _fell(often: int) -> str:
    return f"it fell from PASS {often} time{'s' if often > 1 else ''}, the last within the hour."


def _who_brings_back(state: State, name: str) -> str:
    """Whoever works on the hosts that play the service and are not in service yet."""
    service = state.estate.service_number[name]
    if state.estate.outside[service]:
        return "an operator with an analyst or the IT director (fact set outside)"
    away = [host for host in state.estate.players[service] if state.stage[host] is not Stage.IN_SERVICE]
    named = ", ".join(state.estate.hosts[host] for host in away[:NAMED_MAX])
    more = f" and {len(away) - NAMED_MAX} more" if len(away) > NAMED_MAX else ""
    return f"whoever works on {named}{more}" if away else "whoever runs it: its hosts are in service"


def why(state: State, host: int, now_us: int) -> list[Reason]:
    """Why the host is not further than it is; empty for a host in service that owes nothing."""
    stage, name = state.stage[host], state.estate.hosts[host]
    found = [Reason("asks", name, f"{text}.", "an operator") for text in state.asks.get(host, {}).values()]
    if stage is Stage.FAILED:
        return [*found, Reason("failed", name, f"{name} failed: no strategy is left.", "an operator (host retry)")]
    if stage is Stage.EXCLUDED and state.wave_of[host] < 0:
        return [*found, put(state, ("left-off", name))]
    if stage is Stage.EXCLUDED:
        return [*found, Reason("excluded", name, f"{name} was excluded by order.", "two persons (host take-back)")]
    owed = state.obligations.get(host)
    if owed is not None:
        found.append(Reason("owes", name, f"It owes an inspection: {owed.cause}.", "analysts"))
    if stage is Stage.RELEASED:
        return [*found, put(state, ("host-check", name))]
    if stage in OUT:
        return found
    step = next_step(state, host)
    if not step:
        return [*found, *(put(state, ("under-way", lane[host])) for lane in state.lanes if lane[host])]
    asked = [blocker for blocker in blockers(state, host, step, now_us) if blocker[0] != "asks" or not found]
    waits = [*found, *(put(state, blocker) for blocker in asked)] or [
        put(state, ("pool", pool)) for pool in _full_pools(state, host, step)
    ]
    return [*waits, *(put(state, ("soft", need)) for need in _softly_missing(state, host))]


def _softly_missing(state: State, host: int) -> list[str]:
    """The services the host would like to have and that are not in service; they block nothing."""
    soft = state.estate.group(host).soft
    return [state.estate.services[need] for need in soft if not state.up[need] and need not in state.dropped]


def _full_pools(state: State, host: int, step: str) -> list[str]:
    number = ("preserve", "restore", "inspect", "reconnect").index(step)
    slots = [
        pool for pool in state.estate.group(host).pools[number] if state.in_use[pool] >= state.estate.pools[pool].size
    ]
    return [state.estate.pools[slot].pool for slot in slots]


def gate_why(state: State, wave: int, now_us: int) -> list[Reason]:
    """Why the gate of a wave has not passed; once it has, which of its services no longer pass, or flap."""
    one, name = state.waves[wave], state.estate.waves[wave].name
    if one.passed_us:
        return [*_flapping(state, wave, now_us), *_relapsed(state, wave)]
    if not one.launchers:
        return [put(state, ("launch", name))]
    found = [put(state, lack) for lack in gates.lacks(state, wave, now_us)]
    if not found and one.soak_us:
        found = [put(state, lack) for lack in gates.pending(state, wave, now_us)]
    return [*_flapping(state, wave, now_us), *_unagreed(state, wave, now_us), *found]


def _relapsed(state: State, wave: int) -> Iterator[Reason]:
    for service, _ in state.estate.waves[wave].services:
        subject = f"service:{state.estate.services[service]}"
        outcome = state.readings[subject].outcome if subject in state.readings else "PASS"
        if outcome != "PASS" and service not in state.dropped:
            yield put(state, ("fails" if outcome == "FAIL" else "unknown", subject))


def _unagreed(state: State, wave: int, now_us: int) -> Iterator[Reason]:
    """What the gate judges by writing, while nobody agreed to that and no two vouch for a real case."""
    sentence, who = _WORDS["agreement"]
    for key in state.estate.waves[wave].tasks:
        task = state.estate.tasks[key]
        if task.subject and not gates.agreement(state, task.service) and not task_stands(state, key, now_us):
            service = state.estate.services[task.service]
            told = sentence.format(subject=task.subject), who.format(service=service, task=key)
            yield Reason("agreement", task.subject, *told)


def _flapping(state: State, wave: int, now_us: int) -> Iterator[Reason]:
    sentence, who = _WORDS["flaps"]
    for subject in gates.subjects(state, wave):
        if often := gates.falls(state, subject, now_us):
            yield Reason("flaps", subject, sentence.format(subject=subject, falls=_fell(often)), who)


def standing(state: State, host: int, now_us: int) -> dict[str, str | int]:
    """One host in a few words, for people: stage, connection, strategy, wave, verdicts still missing."""
    wave = state.wave_of[host]
    return {
        "host": state.estate.hosts[host],
        "stage": state.stage[host].name.lower(),
        "connection": CONNECTIONS[state.connection[host]],
        "strategy": state.strategy[host],
        "wave": state.estate.waves[wave].name if wave >= 0 else "",
        "verdicts_missing": quorum.verdicts_missing(state, host, now_us),
    }
