"""Decides from a journal and signatures alone whether a host may be reconnected: the release check beside the core's.

Every record is read: hashes, roster from its genesis on, what people signed, what was found on the host, quarantine,
launch, freezes, facts. Never asks the core, and never knows the plan: site, wave, gates, needs, number of verdicts and
address are the bundle's word; whether records cited exist, it sees. What is missing or unreadable refuses.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.trust.keys import BadKey
from orchestrator.trust.log import Log, texts
from orchestrator.trust.signature import BadSignature, verify
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE, BadStatement, Order, Statement

EXCEPTION_MAX_US = 12 * 3600 * 1_000_000
_UNREADABLE = (OSError, sqlite3.Error, ValueError, LookupError, TypeError, AttributeError, RecursionError)
# The orders read here, each with the roles of the persons it needs. Written apart from the core's own table.
ANYONE, LEADS = "operator|analyst|technician|crisis|forensic_lead|it_director", "operator|crisis|it_director"
PERSONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("wave.launch", "wave.resume", "clock.confirm", "host.retry"), ("operator",)),
    **dict.fromkeys(("roster.add", "roster.revoke"), (ANYONE, LEADS)),
    **dict.fromkeys(("fact.t0", "fact.breach_closed"), ("analyst", "it_director")),
    "genesis": (ANYONE, ANYONE),
    "thaw": ("operator", LEADS),
    "task.done": (ANYONE,),
    "host.declare": ("operator", "analyst|it_director"),
    "host.exception": ("operator", "crisis"),
    "evidence.import": ("analyst|forensic_lead",),
    "wave.hold": ("operator|analyst|crisis",),
    "freeze": ("operator|analyst|crisis|it_director",),
    "fact.withdraw": ("analyst|it_director",),
    "indicators.force": ("analyst", "analyst|forensic_lead"),
}
STOPS = ("roster.revoke", "wave.hold", "freeze", "fact.withdraw", "host.retry")  # these count at once, whoever signed


class Line(NamedTuple):
    """One rule, whether it holds, and what was found."""

    rule: str
    holds: bool
    sentence: str


_Held = tuple[dict[str, str], Order | Statement]  # a document as it was stored, and read
verified = lru_cache(1 << 12)(verify)  # the hosts of a run rest on many of the same documents
_WHOLE = ("ordered", "judged", "rematched", "finished", "swept", "epoch")
_PLAIN = ("opened", "issue", "lost", "cancelled", "started", "confirm_task")
_READ = {*_WHOLE, *_PLAIN, "hold", "unhold", "freeze", "thaw", "jumped", "exclude", "give_up"}


def check(bundles: Sequence[dict[str, Any]], journal: Path, anchor: str, *, now: bool = False) -> list[list[Line]]:
    """Every rule for each bundle, in one reading; a host may be reconnected when all of its lines hold.

    `anchor` is the SHA-256 of the genesis order. Judged as of the first bundle's head, or the journal's end (`now`).
    """
    log, unreadable = Log(), list[Line]()
    readings = [_Reading(bundle, anchor, log) for bundle in bundles]
    try:
        for text in texts(journal):
            log.take(text)
            if log.kind in _READ:
                for one in readings:
                    one.take(log.kind, log.body)
            if not now and log.size == readings[0].until:
                break
    except _UNREADABLE as error:
        unreadable = _refusal(error, log.size)
    return [one.refusal or unreadable or one.lines() for one in readings]


def _refusal(error: Exception, size: int) -> list[Line]:
    """What refuses when a record cannot be read, or is not proven."""
    if isinstance(error, _UNREADABLE):
        return [Line("journal", False, f"Bundle and journal cannot be read after record {size}: {error!r:.300}")]
    return [Line("signatures", False, f"Record {size}: {getattr(error, 'sentence', error)}")]


class _Reading:
    """Takes the records in order and keeps what the rules ask for."""

    def __init__(self, bundle: dict[str, Any], anchor: str, log: Log) -> None:
        self.bundle, self.anchor, self.log = bundle, anchor, log
        self.refusal: list[Line] = []
        try:
            self.plan, self.name, self.until = bundle["plan"], bundle["host"], bundle["head"]["size"]
            self.own = {"wave": self.plan["wave"], "host": self.name, "task": f"{self.plan['site']}/isolate"}
        except _UNREADABLE as error:
            self.until, self.refusal = 0, _refusal(error, 0)
        self.jump_us = self.t0_us = self.missed = self.issued_us = 0
        self.incident = self.genesis = self.indicators = self.witness = ""
        self.roster, self.signed = dict[str, dict[str, Any]](), dict[str, list[str]]()
        self.revoked, self.launchers, self.holds, self.frozen = set[str](), set[str](), set[str](), set[str]()
        self.closed = self.doubted = self.confirmed = False
        # What the journal says of the host, and by person: until when CLEAN, under which set, of which whole lot.
        self.key = self.image = self.inspection = self.evidence = self.under_way = ""
        self.clean: dict[str, tuple[int, str, frozenset[str]]] = {}
        self.point_us = self.exception_us = self.isolated_us = 0
        self.infected = self.quarantined = self.out = self.declared = self.apart = self.made = False
        self.actions: dict[str, tuple[int, str]] = {}

    def take(self, kind: str, body: dict[str, Any]) -> None:
        """What the log's last record means here."""
        if self.refusal:
            return
        try:
            if kind in _WHOLE:
                getattr(self, f"_{kind}")(body)
            else:
                self._notes(kind, body)
        except (*_UNREADABLE, BadKey, BadSignature, BadStatement) as error:
            self.refusal = _refusal(error, self.log.size)

    def lines(self) -> list[Line]:
        """Every rule, at the end of the reading."""
        try:
            return list(self.rules())
        except _UNREADABLE as error:
            return _refusal(error, self.log.size)

    def _notes(self, kind: str, body: dict[str, Any]) -> None:
        """The records that change one thing."""
        match kind:
            case "opened":
                self.incident = body["incident"]
            case "issue" if body["target"] in (self.name, self.plan["site"]):
                self.actions[body["action"]] = (self.log.at_us, body["strategy"])
                if body["step"] == "reconnect":
                    self.under_way, self.issued_us = body["action"], self.log.at_us
            case "lost" if body["action"] == self.under_way:
                self._reconnected(out=False)
            case "cancelled" if body["action"] == self.under_way:  # only a new sweep proves the quarantine again
                self.under_way, self.quarantined = "", False
            case "exclude" | "give_up" if body["host"] == self.name:
                self._void()
            case "started":  # nobody swept while no process ran
                self.quarantined = self.quarantined and bool(self.under_way)
            case "confirm_task" if body["task"] == self.own["task"]:
                self._site_isolated()
            case "hold" | "unhold" if body["wave"] == self.plan["wave"]:
                self.holds = self.holds - {body["cause"]} | ({body["cause"]} if kind == "hold" else set())
            case "freeze" | "thaw" if body["scope"][:5] == "site:" or self.name in body.get("hosts", [self.name]):
                self.frozen = self.frozen - {body["scope"]} | ({body["scope"]} if kind == "freeze" else set())
            case "jumped":
                self.jump_us, self.doubted, self.confirmed = self.jump_us + body["delta_us"], True, False

    def _ordered(self, body: dict[str, Any]) -> None:
        """An order that matters here; with the last person needed it takes effect."""
        kind, subject, args = body["kind"], body["subject"], body["args"]
        elsewhere = kind == "evidence.import" and self.name not in args["hosts"]
        if elsewhere or kind not in PERSONS or subject != self.own.get(kind.partition(".")[0], subject):
            return
        if kind not in STOPS:
            kept = self._kept(body)
            said = Order.from_bytes(kept["document"].encode("utf-8"))
            if kind == "genesis":
                self.genesis = sha256(kept["document"].encode("utf-8")).hexdigest()
                self.roster = {one["id"]: one for one in args["persons"]}
            names = {"order": said.id, "kind": said.kind, "subject": said.subject, "args": said.args}
            self._signed_by({**names, "head_size": said.head.size}, body, ORDER_NAMESPACE, (kept, said))
        persons = self.signed.setdefault(body["order"], [])
        complete = self._complete(kind, {*persons})
        persons.append(body["person"])
        if not complete and self._complete(kind, {*persons}):
            self._effect(kind, subject, args, {*persons})

    def _complete(self, kind: str, persons: set[str]) -> bool:
        """Whether these persons, without those revoked, fill the seats."""
        ways = permutations([{*self.roster[one]["roles"]} for one in persons - self.revoked], len(PERSONS[kind]))
        return any(
            all(held & {*seat.split("|")} for seat, held in zip(PERSONS[kind], way, strict=True)) for way in ways
        )

    def _effect(self, kind: str, subject: str, args: dict[str, Any], persons: set[str]) -> None:
        """What an order changes."""
        scopes = {f"host:{one}" for one in args.get("hosts") or []} or {subject}
        match kind:
            case "genesis" | "indicators.force":
                self.indicators = args["indicator_set"] if kind == "genesis" else subject
            case "roster.add":
                self.roster[args["person"]["id"]] = args["person"]
            case "roster.revoke":
                self.revoked.add(subject)
            case "wave.launch":
                self.launchers |= persons
            case "wave.hold" | "wave.resume":
                self.holds = self.holds | {"order"} if kind == "wave.hold" else self.holds - {"order", "failures"}
            case "freeze" | "thaw":
                self.frozen = self.frozen - scopes | (scopes if kind == "freeze" else set())
            case _:
                self._effect_on_proof(kind, subject, args, persons)

    def _effect_on_proof(self, kind: str, subject: str, args: dict[str, Any], persons: set[str]) -> None:
        match kind:
            case "clock.confirm":
                self.confirmed = True
            case "host.retry":  # with a strategy it is made anew
                self.inspection, self.clean = ("", {}) if args.get("strategy") else (self.inspection, self.clean)
            case "fact.t0":
                self.t0_us = args["at_us"]
            case "fact.breach_closed" | "fact.withdraw":
                self.closed = kind == "fact.breach_closed" or (self.closed and subject != "breach_closed")
            case "host.exception":
                until_us = self._ends_us(args["until_us"])
                self.exception_us = until_us if until_us <= self.log.at_us + EXCEPTION_MAX_US else 0
            case "host.declare":
                self._anew(args["host_key"], "", args["restore_point_us"], declared=True)
            case "evidence.import":
                self.apart = self.apart or args["taken"] in ("offline", "outside")
            case _:  # a second person confirms that the site was cut off by hand
                if self.witness not in ("", *persons):
                    self._site_isolated()
                (self.witness,) = persons

    def _kept(self, body: dict[str, Any]) -> dict[str, str]:
        """The document under a record, which must be the one recorded."""
        text = self.bundle["documents"].get(str(self.log.size), "")
        if sha256(text.encode("utf-8")).hexdigest() != body["blob"]:
            raise BadStatement(f"the bundle has no document for what {body['person']} signed.")
        return dict(json.loads(text))

    def _signed_by(self, names: dict[str, Any], body: dict[str, Any], namespace: str, held: _Held) -> None:
        """The person, of this roster and at this time, signed what was recorded, having seen this journal."""
        person, (kept, said) = body["person"], held
        member = self.roster.get(person, {})
        names |= {"expires_us": said.expires_us, "person": kept["person"]}
        if any(body[name] != value for name, value in names.items()):
            raise BadStatement("its document says something else.")
        if not member or person in self.revoked:
            raise BadStatement(f"{person} is not in the roster, or was revoked.")
        if not member.get("valid_from_us", 0) <= self.log.at_us < member.get("valid_until_us", 1 << 62):
            raise BadStatement(f"{person} was outside their time in the roster.")
        verified(kept["signature"], namespace, kept["document"].encode("utf-8"), member["key"])
        if said.incident != self.incident or said.expires_us <= self.log.at_us + min(0, self.jump_us):
            raise BadStatement(f"what {person} signed is of another incident, or had expired.")
        if said.head.size >= self.log.size or not self.log.had(said.head.size, said.head.root):
            raise BadStatement(f"what {person} saw is no part of this journal.")

    def _judged(self, body: dict[str, Any]) -> None:
        """A verdict on this host's latest inspection, or INFECTED on one of the lot it was called CLEAN with."""
        if body["verdict"] == "INFECTED":
            self.clean = {who: one for who, one in self.clean.items() if one[2].isdisjoint(body["inspections"])}
        if body["inspections"].get(self.name) != self.inspection or not self.inspection:
            return
        if body["verdict"] != "CLEAN":
            self.infected = self.infected or body["verdict"] == "INFECTED"
            self.exception_us = 0 if self.infected else self.exception_us
            self._void()
            return
        kept = self._kept(body)
        said = Statement.from_bytes(kept["document"].encode("utf-8"))
        inspections = {one.host: one.inspection for one in said.subjects}
        names = {"verdict": said.verdict, "indicator_set": said.indicator_set, "inspections": inspections}
        self._signed_by(names, body, VERDICT_NAMESPACE, (kept, said))
        (about,) = (one for one in said.subjects if one.host == self.name)
        if about.evidence != self.evidence or about.image not in ("", self.image) or said.person != body["person"]:
            raise BadStatement("it judges other evidence, or another image, than this host's.")
        if "analyst" not in self.roster[said.person]["roles"]:
            raise BadStatement(f"{said.person} is no analyst.")
        lot = frozenset(inspections) if self.made and about.image and len(inspections) > 1 else frozenset[str]()
        self.clean[said.person] = (self._ends_us(said.expires_us), said.indicator_set, lot)

    def _rematched(self, body: dict[str, Any]) -> None:
        """The evidence was looked at under another set: no hit, what was said stands; a hit speaks against it."""
        if body["inspections"].get(self.name) == self.inspection and body["outcome"] != "unmatched":
            used = body["indicator_set"] if body["outcome"] == "no-hit" else ""
            self.clean = {who: (end, used, lot) for who, (end, _, lot) in self.clean.items()}

    def _ends_us(self, signed_us: int) -> int:
        """While a clock jump is unconfirmed the earlier end of the two counts; what has ended already, never."""
        return min((end for end in (signed_us, signed_us - self.jump_us) if end > self.log.at_us), default=0)

    def _finished(self, body: dict[str, Any]) -> None:
        """An action of this host, or the isolation of its site, ends."""
        action, good, facts = body["action"], body["outcome"] == "ok", body["facts"]
        step = action.removeprefix(f"{self.name}/").partition("/")[0]
        if action in self.actions and step == "reconnect":
            self._reconnected(out=good)
        elif action not in self.actions or not good:
            return
        elif step == "isolate":
            if self.out:
                self._void()
                self.exception_us, self.apart = 0, False
            self.out, self.quarantined, self.isolated_us = False, False, self.log.at_us
        elif step == "restore":  # a restore point that nobody names counts as taken now
            point = facts.get("restore_point_us", self.log.at_us) if self.actions[action][1] == "restore" else 0
            self._anew(facts.get("host_key", ""), facts.get("image_digest", ""), point)
            self.made = self.actions[action][1] in ("reimage", "replace")
        elif step == "inspect":
            self._void()
            if self.out or 0 < self.isolated_us <= self.actions[action][0]:
                self.inspection, self.evidence = action, facts.get("evidence", "")
                self.apart = self.apart or facts.get("taken") in ("offline", "outside")
        elif step == self.plan["site"]:
            self._site_isolated()

    def _void(self) -> None:
        """Nothing found or said about it counts any more."""
        self.inspection, self.clean = "", {}

    def _anew(self, key: str, image: str, point_us: int, *, declared: bool = False) -> None:
        self._void()
        self.key, self.image, self.point_us, self.infected, self.exception_us = key, image, point_us, False, 0
        self.declared, self.apart, self.made = declared, False, False

    def _site_isolated(self) -> None:
        self.isolated_us = self.isolated_us if self.out else self.log.at_us

    def _reconnected(self, *, out: bool) -> None:
        """Well or not, nobody may count on the isolation of before."""
        self.under_way, self.quarantined, self.isolated_us, self.out = "", False, 0, self.out or out

    def _swept(self, body: dict[str, Any]) -> None:
        """The outside prober looked at a site."""
        mine = body["site"] == self.plan["site"]
        self.missed = (0 if body["control"] else self.missed + 1) if mine else self.missed
        if self.out or self.under_way or not mine:
            return
        if not body["control"]:
            self.quarantined = self.quarantined and self.missed < 3
        elif self.name not in body["answered"]:
            self.quarantined = self.quarantined or 0 < self.isolated_us < body["begun_us"]
        elif self.isolated_us < body["begun_us"]:
            self.quarantined, self.isolated_us = False, 0
            self._void()
        else:
            self.quarantined = False

    def _epoch(self, body: dict[str, Any]) -> None:
        """Time continues from the clock a person confirmed, and every time kept moves with it."""
        if not self.confirmed or body["delta_us"] != self.jump_us:
            raise BadStatement("time moves, and nobody confirmed the clock.")
        for name in ("isolated_us", "exception_us", "issued_us"):
            setattr(self, name, getattr(self, name) and getattr(self, name) + self.jump_us)
        self.clean = {who: (end + self.jump_us, used, lot) for who, (end, used, lot) in self.clean.items()}
        self.actions = {name: (at_us + self.jump_us, how) for name, (at_us, how) in self.actions.items()}
        self.jump_us, self.doubted, self.confirmed = 0, False, False

    def rules(self) -> Iterator[Line]:
        """Each rule with what was found."""
        bundle, plan, action = self.bundle, self.plan, self.bundle["action"]
        seen = self.log.had(**bundle["head"])
        yield Line("journal", seen, f"Of {self.log.size} records the bundle's head is {'a' if seen else 'no'} part.")
        yield Line("roster", self.genesis == self.anchor != "", f"{len(self.roster)} persons, of {self.genesis}.")
        yield Line("action", action == self.under_way != "", f"Under way is {self.under_way or 'none'}.")
        same = self.key.split()[:2] == bundle["host_key"].split()[:2] != []
        yield Line("host key", same, f"The restore gave {self.key or 'none'}.")
        cut = self.quarantined and self.isolated_us > 0
        yield Line("quarantine", cut, f"A sweep from outside {'proves' if cut else 'does not prove'} it.")
        old = not self.point_us or self.point_us < self.t0_us
        yield Line("restore point", old, f"{self.point_us or 'None'}; T0 is {self.t0_us}.")
        yield Line("own word", self.apart or not self.declared, f"Unwiped: {self.declared}; seen apart: {self.apart}.")
        yield from self._proof()
        launchers, holds = self.launchers - self.revoked, {one for one in self.holds if one[:8] != "relapse:"}
        yield Line("launch", bool(launchers), f"{plan['wave']} was launched by: {_listed(launchers)}.")
        yield Line("hold", not holds, f"{plan['wave']} is held by: {_listed(holds)}.")
        mine = ("all", f"site:{plan['site']}", f"host:{self.name}")
        scopes = {one for one in self.frozen if one in mine or one[:6] == "reach:"}
        yield Line("freeze", not scopes, f"Frozen: {_listed(scopes)}.")
        yield Line("clock", not self.doubted, f"A jump of the clock waits: {'yes' if self.doubted else 'no'}.")
        yield Line("breach closed", self.closed, f"Signed, and not withdrawn: {'yes' if self.closed else 'no'}.")
        for rule, asked, cited in (("gates", "after", bundle["gates"]), ("needs", "needs", bundle["services"])):
            found = {name for name, seqs in cited.items() if self._says(name, seqs)}
            yield Line(rule, {*plan[asked]} == found == {*cited}, f"Met, by the records cited: {_listed(found)}.")
        yield Line("plan", bool(plan["address"]), "The bundle's word: site, wave, gates, needs, verdicts, address.")

    def _proof(self) -> Iterator[Line]:
        """Who says CLEAN, how many must, and whether somebody else launched."""
        until_us = max(self.issued_us, self.log.at_us) + self.plan["limit_s"] * 1_000_000
        said = {who for who, one in self.clean.items() if one[1] == self.indicators} - self.revoked
        fresh = {who for who in said if self.clean[who][0] > until_us}
        excepted = bool(said) and self.exception_us > until_us
        wanted = max(self.plan["verdicts"], 1 if any(self.clean[who][2] for who in fresh) else 2)
        enough = not self.infected and len(fresh) + excepted >= wanted
        found = f"CLEAN by {_listed(fresh)}{' and an exception' if excepted else ''}; {wanted} needed."
        yield Line("verdicts", enough, f"{self.inspection or 'No inspection'}: {found}")
        others = self.launchers - self.revoked - (said if excepted else fresh)
        yield Line("separation", bool(others), f"Launched, and none of these verdicts' signers: {_listed(others)}.")

    def _says(self, name: str, seqs: list[int]) -> bool:
        """The records are there: a gate passed, hosts entered service, people opened a service or dropped a need."""
        for kind, body in (self.log.cited.get(seq, ("", {})) for seq in seqs):
            opened = body.get("kind") in ("fact.outside", "service.drop-need") and body["subject"] == name
            if not (opened or kind == "enter_service" or (kind == "pass_gate" and body["wave"] == name)):
                return False
        return bool(seqs)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
