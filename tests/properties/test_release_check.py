"""The release check beside the core, over random histories and disasters: accepted is what may come out.

Of the states reached: accepted means that promises 1, 3 and 4 hold and what is cited is there; where 1 to 4 hold it
is accepted; with one fact changed or removed it is refused. People of invented worlds have no keys, so the check of
signatures itself is taken out here, and only that; signed histories are in test_trust_verifier. A class asking one
verdict is refused for it (two are asked outside a lot).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.decision import invariants, quorum
from orchestrator.decision.commands import Freeze, Hold, Issue
from orchestrator.decision.events import Event, Judged, Jumped, Ordered, Rematched, Started, Swept
from orchestrator.decision.stages import Stage
from orchestrator.trust import verifier
from tests.release_histories import Entries, Written, disaster, parsed, random_history, rewritten, tampered

SEEDS = range(int(os.environ.get("RELANCE_RELEASE_SEEDS", "2")))
FORGED_EVERY = 41
SECOND, HOUR_US = 1_000_000, 3_600_000_000
OTHER_SET = "9" * 64
AT_A_TIME, KINDS_OF_CHANGE, KINDS_OF_TURN = 9, 35, 19
ENOUGH = 12  # reconnects of a history whose papers are changed in every way

History = Callable[[int, Path], tuple[Written, Entries]]


@pytest.fixture(autouse=True)
def unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "verified", lambda *given: None)
    monkeypatch.setattr(verifier, "Order", SimpleNamespace(from_bytes=parsed))
    monkeypatch.setattr(verifier, "Statement", SimpleNamespace(from_bytes=parsed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("history", [random_history, disaster])
def test_the_release_check_and_the_core_let_the_same_hosts_out(history: History, seed: int, tmp_path: Path) -> None:
    written, entries = history(seed, tmp_path / "journal.jsonl")
    seen = Counter[str]()
    for number, (entry, at_us) in enumerate(entries, 1):
        where = f"seed {seed}, record {number}"
        written.add(entry, at_us)
        if isinstance(entry, Issue) and entry.step == "reconnect":
            seen["issued"] += judged(written, entry.action, where, breaks=set())
            continue
        settled = number < len(entries) and isinstance(entries[number][0], Event)  # a turn stands or falls as a whole
        host = number // FORGED_EVERY % len(written.state.estate.hosts)
        name = written.state.estate.hosts[host]
        if not settled or number % FORGED_EVERY > 3 or not written.anchor:
            continue
        if written.state.wave_of[host] >= 0 and written.state.stage[host] is not Stage.RECONNECTING:
            action = f"{name}/reconnect/99"
            other = written.instead((entry, at_us), (Issue(action, name, "reconnect"), at_us))
            taken = judged(other, action, where, breaks=broken(written, host, at_us))
            seen["forged, accepted" if taken else "forged, refused"] += 1
    assert seen["issued"]
    assert seen["forged, refused"]


def broken(written: Written, host: int, at_us: int) -> set[int]:
    """The promises that a reconnect of this host would break: all of them, where the core stops at the first."""
    found = set[int]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(invariants, "_require", lambda holds, number, *_: holds or found.add(number))
        invariants._reconnect(written.state, host, at_us)
    return found


def judged(written: Written, action: str, where: str, *, breaks: set[int]) -> bool:
    """Asks the release check about a reconnect that would break these promises; whether it is accepted."""
    bundle = written.bundle(action)
    said = written.refused(bundle)
    told = f"{where}, {action}, breaks {breaks}: {said}"
    klass = written.state.estate.group(written.state.estate.host_number[bundle["host"]]).klass
    if breaks & {1, 3, 4}:
        assert said, told
    elif not breaks and klass.verdicts_required > 1:
        assert not said, told
    elif not breaks:
        assert {one.split(":")[0] for one in said} <= {"verdicts"}, told
    if not said:
        records = [json.loads(line) for line in written.lines]
        for wave, (seq,) in bundle["gates"].items():
            assert (records[seq - 1]["kind"], records[seq - 1]["body"]["wave"]) == ("pass_gate", wave), told
        for service, seqs in bundle["services"].items():
            assert seqs, told
            assert {serves(written, records[seq - 1]) for seq in seqs} <= {service, *players(written, service)}, told
    return not said


def serves(written: Written, record: Any) -> str:
    """The host that entered service by this record, or the service people opened or dropped by it."""
    return str(record["body"]["host" if record["kind"] == "enter_service" else "subject"])


def players(written: Written, service: str) -> Iterator[str]:
    estate = written.state.estate
    yield from (estate.hosts[one] for one in estate.players[estate.service_number[service]])


@pytest.mark.parametrize("history", [random_history, disaster])
def test_what_may_come_out_may_not_when_one_thing_in_its_papers_is_changed_or_missing(
    history: History, tmp_path: Path
) -> None:
    tried = Counter[str]()
    for written, entry, _ in accepted(history(0, tmp_path / "journal.jsonl")):
        bundle, number = written.bundle(entry.action), len(written.lines)
        changes = [(what, other, written.lines) for what, other in tampered(bundle)]
        changes += [(what, bundle, lines) for what, lines in rewritten(written.lines, len(tried) * number // 50)]
        rare = sorted(changes, key=lambda change: tried[change[0]])[:AT_A_TIME]
        for what, other, lines in rare:
            assert written.refused(other, lines), f"record {number}, {entry.action}: {what}"
            tried[what] += 1
    assert len(tried) >= KINDS_OF_CHANGE, sorted(tried)


@pytest.mark.parametrize("history", [random_history, disaster])
def test_what_may_come_out_may_not_once_one_fact_turns_and_may_again_once_that_is_cured(
    history: History, tmp_path: Path
) -> None:
    tried = Counter[str]()
    for written, entry, at_us in accepted(history(1, tmp_path / "journal.jsonl")):
        cases = sorted(turns(written, entry, at_us), key=lambda case: tried[case[0]])
        for what, harm, cure in cases[:2]:
            for more, holds in ((harm, False), ([*harm, *cure], True))[: 2 if cure else 1]:
                other = written.instead(*((one, at_us) for one in (*more, entry)))
                said = other.refused(other.bundle(entry.action))
                assert bool(said) is not holds, f"record {len(written.lines)}, {entry.action}, {what}: {said}"
            tried[what] += 1
    assert len(tried) >= KINDS_OF_TURN, sorted(tried)


def accepted(history: tuple[Written, Entries]) -> Iterator[tuple[Written, Issue, int]]:
    """The reconnects of a history that the release check accepts, each at its moment."""
    written, entries = history
    found = 0
    for entry, at_us in entries:
        written.add(entry, at_us)
        found += isinstance(entry, Issue) and entry.step == "reconnect"
        if found > ENOUGH:
            return
        if isinstance(entry, Issue) and entry.step == "reconnect" and not written.refused(written.bundle(entry.action)):
            yield written, entry, at_us


def turns(written: Written, entry: Issue, at_us: int) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """What can turn against a host just before its reconnect, with what cures it; nothing where nothing does."""
    state, name = written.state, entry.target
    host = state.estate.host_number[name]
    site, wave = state.estate.sites[state.estate.site_of[host]], state.estate.waves[state.wave_of[host]].name
    judged_by = {name: state.inspection[host]}

    def order(kind: str, subject: str, *persons: str, **args: Any) -> list[Any]:
        given = f"{kind} {subject} {persons} {args}"
        return [
            Ordered(given, kind, subject, args, who, at_us + HOUR_US, 1 << 40, "")
            for who in persons
        ]  # fmt: skip

    def one(role: str, *besides: str) -> str:
        here = (who for who, held in state.roster.items() if role in held.roles and held.valid_until_us > at_us)
        return next(who for who in here if who not in state.revoked.union(besides))

    operator, analyst, director = one("operator"), one("analyst"), one("it_director")
    for scope in ("all", f"site:{site}", f"host:{name}"):
        yield f"freeze {scope[:4]}", order("freeze", scope, operator), order("thaw", scope, operator, director)
    yield "alarm", [Freeze(f"site:{site}", "", [])], order("thaw", f"site:{site}", operator, director)
    yield "reach", [Freeze("reach:x", "", [name])], []
    yield "hold", order("wave.hold", wave, operator), order("wave.resume", wave, operator)
    yield "failures", [Hold(wave, "failures")], order("wave.resume", wave, operator)
    closed = order("fact.breach_closed", "breach_closed", analyst, director)
    yield "breach open", order("fact.withdraw", "breach_closed", analyst), closed
    if state.restore_point_us[host]:
        yield "earlier T0", order("fact.t0", "t0", analyst, director, at_us=state.restore_point_us[host]), []
    forced = order("indicators.force", OTHER_SET, analyst, one("forensic_lead"))
    yield "another set", forced, [Rematched(judged_by, OTHER_SET, "no-hit")]
    yield "a hit", [*forced, Rematched(judged_by, OTHER_SET, "hit")], []
    yield "unmatched", [*forced, Rematched(judged_by, OTHER_SET, "unmatched")], []
    for verdict in ("SUSPECT", "INFECTED"):
        yield verdict, [Judged(verdict, judged_by, analyst, state.indicator_set, at_us + HOUR_US, "")], []
    yield "an answer", [Swept(site, at_us, True, [name])], []
    proven = [Swept(site, at_us, True, [])] if state.isolated_us[host] < at_us else []
    yield "a restart", [Started("0")], proven
    yield "a clock that jumped", [Jumped(HOUR_US)], []
    launchers = quorum.launchers(state, state.wave_of[host])
    signers = quorum.counting(state, host, at_us, expired_too=True)
    fired = [gone for who in launchers for gone in order("roster.revoke", who, analyst, director)]
    if not {analyst, director} & {*launchers}:
        yield "no launcher", fired, order("wave.launch", wave, one("operator", *launchers, *signers))
    required = state.estate.group(host).klass.verdicts_required
    if host not in state.exceptions and len(signers) == required:
        lost = min(signers)
        fired = order("roster.revoke", lost, one("operator", lost), director)
        broken_glass = order("host.exception", name, one("operator", lost), one("crisis"), until_us=at_us + HOUR_US)
        yield "a signer revoked", fired, broken_glass if lost not in launchers else []
