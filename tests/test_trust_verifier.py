"""The release check: it accepts what the core rightly lets out, and nothing that lacks, or changes, a single fact."""

from __future__ import annotations

import copy
import json
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from orchestrator import canonical
from orchestrator.decision import codec, orders
from orchestrator.decision.commands import ConfirmTask, Exclude, Freeze, GiveUp, Hold, Issue, Thaw
from orchestrator.decision.events import (
    Cancelled,
    Epoch,
    Finished,
    Judged,
    Jumped,
    Lost,
    Ordered,
    Rematched,
    Started,
    Swept,
)
from orchestrator.journal.record import Head, Record, encode, leaf_hash, root_of
from orchestrator.journal.sqlite import Journal
from orchestrator.trust import statement, verifier
from orchestrator.trust.keys import public_of
from orchestrator.trust.signature import sign
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE
from tests.estates import key_of
from tests.live_hospital import HOUR_US, INCIDENT, INDICATORS, hospital
from tests.release_ground import anchor_of, bundle_of, journal_of, refused, under_way


class Case:
    """A bundle, the journal it rests on as records, and the anchor."""

    def __init__(self, bundle: dict[str, Any], journal: Path, anchor: str, folder: Path) -> None:
        self.bundle, self.journal, self.anchor, self.folder = bundle, journal, anchor, folder

    def refused(self, **changes: Any) -> list[str]:
        """The rules that refuse the bundle with these parts in place of its own."""
        return refused({**copy.deepcopy(self.bundle), **changes}, self.journal, self.anchor)

    def after(self, *entries: Any, now: bool = True) -> list[str]:
        """The rules that refuse the same bundle once these records follow."""
        text = self.lines()
        for entry in entries:
            kind, body = codec.encode(entry)
            last = json.loads(text[-1])
            text.append(encode(Record(last["seq"] + 1, last["at_us"] + 1, kind, body)))
        target = self.folder / "after.jsonl"
        target.write_bytes(b"".join(line + b"\n" for line in text))
        return refused(self.bundle, target, self.anchor, now=now)

    def lines(self) -> list[bytes]:
        with Journal.open(self.journal, read_only=True) as journal:
            return [encode(record) for record in journal.records()]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A server of the laboratory's slice is being reconnected; the foundations are in service."""
    folder = tmp_path_factory.mktemp("release")
    with hospital(folder / "state") as here:
        here.open_incident()
        here.bring_back("foundations")
        here.read_everything()
        here.hands.hangs.add("reconnect")
        here.order("freeze", "all", "operator-1")
        here.order("thaw", "all", "operator-1", "crisis-1")
        here.order("wave.hold", "laboratory/slice", "operator-1")
        here.order("wave.launch", "laboratory/slice", "operator-1")
        here.order("wave.resume", "laboratory/slice", "operator-1")
        for _ in range(3):
            here.sweep()
            here.judge_everyone()
            here.read_everything()
        (action, *_) = [one for one in under_way(here) if one.startswith("lis-")]
        bundle = bundle_of(here, action)
        journal = folder / "journal.sqlite"
        with Journal.open(journal_of(here), read_only=True) as live:
            live.copy_to(journal)
    return Case(bundle, journal, anchor_of(bundle), folder)


def test_a_reconnect_the_core_issued_is_accepted_rule_by_rule(lab: Case) -> None:
    (lines,) = verifier.check([lab.bundle], lab.journal, lab.anchor)
    assert [line.rule for line in lines if not line.holds] == []
    assert [line.rule for line in lines] == [
        *("journal", "roster", "action", "host key", "quarantine", "restore point", "own word"),
        *("verdicts", "separation", "launch", "hold", "freeze", "clock", "breach closed", "gates", "needs", "plan"),
    ]
    assert lab.bundle["gates"], "an ancestor's gate is cited"
    assert lab.bundle["services"], "a need is cited"
    export = lab.folder / "journal.jsonl"
    export.write_bytes(b"".join(line + b"\n" for line in lab.lines()) + b'{"head":{}}\n')
    assert refused(lab.bundle, export, lab.anchor) == []


def test_the_table_of_who_signs_says_what_the_cores_says() -> None:
    for kind, seats in verifier.PERSONS.items():
        assert tuple(frozenset(seat.split("|")) for seat in seats) == orders.KINDS[kind]


def test_each_fact_of_a_bundle_changed_or_removed_is_refused(lab: Case) -> None:
    """What the plan says aside: there the bundle is believed, and the check says so."""
    bundle = lab.bundle
    for name in bundle:
        assert refused({key: value for key, value in bundle.items() if key != name}, lab.journal, lab.anchor)
    assert lab.refused(action="lis-1/reconnect/9") == ["action"]
    assert lab.refused(host="ad-1")
    assert lab.refused(host_key="ssh-ed25519 BBBB") == ["host key"]
    assert lab.refused(host_key="") == ["host key"]
    assert lab.refused(head={"size": bundle["head"]["size"], "root": "00" * 32}) == ["journal"]
    assert lab.refused(head={"size": 1 << 40, "root": None}) == ["journal"]
    assert lab.refused(head={"size": bundle["head"]["size"] - 1, "root": bundle["head"]["root"]})
    for name in bundle["plan"]:
        assert lab.refused(plan={key: value for key, value in bundle["plan"].items() if key != name})
    for name, value in {
        "site": "elsewhere",
        "wave": "radiology/slice",
        "after": [],
        "needs": [],
        "verdicts": 3,
        "address": "",
        "limit_s": 1 << 40,
    }.items():
        assert lab.refused(plan={**bundle["plan"], name: value}), name
    assert lab.refused(plan={**bundle["plan"], "verdicts": 1}) == [], "two are asked of every host that is in no lot"
    for part in ("gates", "services"):
        for name in bundle[part]:
            assert lab.refused(**{part: {key: one for key, one in bundle[part].items() if key != name}})
            assert lab.refused(**{part: {**bundle[part], name: []}})
            assert lab.refused(**{part: {**bundle[part], name: [1]}})
            assert lab.refused(**{part: {**bundle[part], name: [1 << 40]}})
    assert lab.refused(gates={**bundle["gates"], "radiology/slice": [next(iter(bundle["gates"].values()))[0]]})


def test_each_document_removed_changed_or_exchanged_is_refused_with_its_record(lab: Case) -> None:
    documents = lab.bundle["documents"]
    assert len(documents) >= 12
    for seq, text in documents.items():
        without = {key: value for key, value in documents.items() if key != seq}
        other = next(value for value in documents.values() if value != text)
        for changed in (without, {**documents, seq: text + " "}, {**documents, seq: other}):
            ((line,),) = verifier.check([{**lab.bundle, "documents": changed}], lab.journal, lab.anchor)
            assert (line.rule, line.holds) == ("signatures", False)
            assert line.sentence.startswith(f"Record {seq}: ")
    for text in ("", "{", "[]", "[" * 100_000):
        ((line,),) = verifier.check([{**lab.bundle, "documents": {"3": text}}], lab.journal, lab.anchor)
        assert not line.holds


def test_another_anchor_or_none_is_refused(lab: Case) -> None:
    assert refused(lab.bundle, lab.journal, "00" * 32) == ["roster"]
    assert refused(lab.bundle, lab.journal, "") == ["roster"]


def test_each_record_that_matters_removed_or_changed_is_refused(lab: Case) -> None:
    """Whoever rewrites the journal breaks the head, and what every later signer saw."""
    lines = lab.lines()
    target = lab.folder / "changed.jsonl"
    for index in range(0, len(lines), 7):
        target.write_bytes(b"".join(line + b"\n" for line in lines[:index] + lines[index + 1 :]))
        assert refused(lab.bundle, target, lab.anchor)
        touched = lines[index].replace(b'"at_us":', b'"at_us":1')
        target.write_bytes(b"".join(line + b"\n" for line in (*lines[:index], touched, *lines[index + 1 :])))
        assert refused(lab.bundle, target, lab.anchor)
    for text in (b"", b"\xff\n", b"[]\n", b"SQLite format 3\0 and nothing more"):
        target.write_bytes(text)
        assert refused(lab.bundle, target, lab.anchor)
    assert refused(lab.bundle, lab.folder / "nowhere", lab.anchor) == ["journal"]


def freeze(subject: str, **args: Any) -> Ordered:
    return ordered("freeze", subject, **args)


def ordered(kind: str, subject: str, who: str = "operator-1", order: str = "f" * 32, **args: Any) -> Ordered:
    return Ordered(order, kind, subject, args, who, 1 << 52, 1, "")


def test_what_came_after_the_bundle_counts_for_whoever_asks_now(lab: Case) -> None:
    host, site, wave = lab.bundle["host"], lab.bundle["plan"]["site"], lab.bundle["plan"]["wave"]
    action = lab.bundle["action"]
    assert lab.after() == []
    assert lab.after(freeze("all")) == ["freeze"]
    assert lab.after(freeze("all"), now=False) == []
    assert lab.after(freeze(f"site:{site}")) == ["freeze"]
    assert lab.after(freeze("all", hosts=[host])) == ["freeze"]
    assert lab.after(freeze("site:elsewhere"), freeze("all", hosts=["other"])) == []
    assert lab.after(Freeze(f"site:{site}", "answered", [])) == ["freeze"]
    assert lab.after(Freeze("site:elsewhere", "answered", [])) == []
    assert lab.after(Freeze("reach:recalled", "INFECTED while out", ["other", host])) == ["freeze"]
    assert lab.after(Freeze("reach:recalled", "INFECTED while out", ["other"]), Freeze("reach:x", "", [])) == []
    assert lab.after(Freeze("reach:recalled", "SUSPECT", [host]), Thaw("reach:recalled", "found CLEAN")) == []
    assert lab.after(ordered("wave.hold", wave)) == ["hold"]
    assert lab.after(Hold(wave, "failures")) == ["hold"]
    assert lab.after(Hold(wave, "relapse:ad"), Hold("radiology/slice", "failures")) == []
    assert lab.after(codec.KINDS["unhold"](wave, "failures"), Hold(wave, "x"), codec.KINDS["unhold"](wave, "x")) == []
    assert lab.after(ordered("fact.withdraw", "breach_closed", "analyst-1")) == ["breach closed"]
    assert lab.after(ordered("fact.withdraw", "outside:reference-lab", "analyst-1")) == []
    assert lab.after(Jumped(HOUR_US)) == ["clock"]
    assert lab.after(Jumped(HOUR_US), Epoch(HOUR_US)) == ["signatures"]
    assert lab.after(Lost(action)) == ["action", "quarantine"]
    assert lab.after(Cancelled(action)) == ["action", "quarantine"]
    assert lab.after(Finished(action, "ok")) == ["action", "quarantine"]
    assert lab.after(Finished(action, "failed")) == ["action", "quarantine"]
    assert lab.after(Started("later"), Swept(site, 1, False, []), Swept(site, 1, True, [host])) == []
    assert lab.after(Lost("other/restore/1"), Cancelled("other/restore/1"), Finished("other/restore/1", "ok")) == []
    assert lab.after(revoked("analyst-1"), revoked("analyst-1", "it-director")) == ["verdicts"]
    assert lab.after(revoked("operator-1", "operator-2"), revoked("operator-1", "it-director")) == [
        "separation",
        "launch",
    ]
    assert lab.after(ordered("thaw", "all")) == ["signatures"], "what loosens must be proven"


def revoked(who: str, by: str = "operator-1") -> Ordered:
    return ordered("roster.revoke", who, by, "e" * 32)


def judged(lab: Case, verdict: str) -> Any:
    record = next(
        json.loads(line)
        for line in reversed(lab.lines())
        if b'"judged"' in line and lab.bundle["host"].encode() in line
    )
    return codec.decode("judged", {**record["body"], "verdict": verdict})


def test_a_host_that_a_person_wants_made_anew_is_not_let_out_as_it_is(lab: Case) -> None:
    host = lab.bundle["host"]
    assert before_reconnect(lab, *signed(lab, "host.retry", host, "operator-1")) == []
    assert before_reconnect(lab, *signed(lab, "host.retry", host, "operator-1", strategy="reimage")) == ["verdicts"]
    assert before_reconnect(lab, *signed(lab, "host.retry", "lis-9", "operator-1", strategy="reimage")) == []


def test_a_host_that_was_excluded_or_given_up_is_proven_anew(lab: Case) -> None:
    host = lab.bundle["host"]
    assert before_reconnect(lab, Exclude(host)) == before_reconnect(lab, GiveUp(host, "why")) == ["verdicts"]
    assert before_reconnect(lab, Exclude("lis-9"), GiveUp("lis-9", "why")) == []


def test_a_verdict_against_it_voids_all_others_whoever_signed(lab: Case) -> None:
    assert lab.after(judged(lab, "SUSPECT")) == ["verdicts"]
    assert lab.after(judged(lab, "INFECTED")) == ["verdicts"]
    assert lab.after(judged(lab, "INFECTED"), judged(lab, "INFECTED")) == ["verdicts"]


def before_reconnect(lab: Case, *entries: Any) -> list[str]:
    """The rules that refuse when these records come right before the reconnect is issued."""
    lines = lab.lines()
    at = next(i for i, line in enumerate(lines) if b'"issue"' in line and lab.bundle["action"].encode() in line)
    return grown(lab, lines[:at], *entries, json.loads(lines[at]))


def grown(lab: Case, lines: list[bytes], *entries: Any) -> list[str]:
    documents = dict(lab.bundle["documents"])
    for given in entries:
        entry, kept = given if isinstance(given, tuple) else (given, "")
        kind, body = (entry["kind"], entry["body"]) if isinstance(entry, dict) else codec.encode(entry)
        last = json.loads(lines[-1])
        documents |= {str(last["seq"] + 1): kept} if kept else {}
        lines = [*lines, encode(Record(last["seq"] + 1, last["at_us"] + 1, kind, body))]
    target = lab.folder / "grown.jsonl"
    target.write_bytes(b"".join(line + b"\n" for line in lines))
    head = Head(len(lines), root_of(map(leaf_hash, lines)))
    return refused({**lab.bundle, "documents": documents, "head": head.as_json()}, target, lab.anchor, now=True)


def test_quarantine_is_what_a_sweep_from_outside_proved_last(lab: Case) -> None:
    host, site = lab.bundle["host"], lab.bundle["plan"]["site"]
    late, missed = json.loads(lab.lines()[-1])["at_us"], Swept(site, 1, False, [])
    seen, silent = Swept(site, late, True, [host]), Swept(site, late, True, [])
    assert before_reconnect(lab) == []
    assert before_reconnect(lab, missed, missed) == []
    assert before_reconnect(lab, missed, missed, missed) == ["quarantine"]
    assert before_reconnect(lab, missed, missed, missed, silent) == []
    assert before_reconnect(lab, Swept("elsewhere", late, False, [])) == []
    assert before_reconnect(lab, Swept(site, 1, True, [host])) == ["quarantine"]
    assert before_reconnect(lab, Swept(site, 1, True, [host]), Swept(site, 1, True, [])) == ["quarantine"]
    assert before_reconnect(lab, Swept(site, 1, True, [host]), silent) == []
    assert before_reconnect(lab, seen) == ["quarantine", "verdicts", "separation"][:2]
    assert before_reconnect(lab, seen, silent) == ["quarantine", "verdicts"]
    assert before_reconnect(lab, Started("later")) == ["quarantine"]
    assert before_reconnect(lab, Started("later"), silent) == []
    isolate = Issue(f"{host}/isolate/9", host, "isolate")
    assert before_reconnect(lab, isolate, Finished(isolate.action, "failed"), silent) == []
    assert before_reconnect(lab, isolate, Finished(isolate.action, "ok")) == ["quarantine"]
    of_site = Issue(f"{site}/isolate/9", site, "isolate")
    assert before_reconnect(lab, of_site, Finished(of_site.action, "ok"), ConfirmTask(f"{site}/isolate")) == []
    assert before_reconnect(lab, ConfirmTask("elsewhere/isolate"), Hold("other", "x")) == []


def test_a_new_restore_or_inspection_voids_what_was_proven(lab: Case) -> None:
    host = lab.bundle["host"]
    restore, inspect = (
        Issue(f"{host}/restore/9", host, "restore", "restore"),
        Issue(f"{host}/inspect/9", host, "inspect"),
    )
    facts: dict[str, Any] = {"host_key": lab.bundle["host_key"], "restore_point_us": 1}
    assert before_reconnect(lab, restore, Finished(restore.action, "ok", "", facts)) == ["verdicts"]
    assert before_reconnect(lab, restore, Finished(restore.action, "ok", "", {**facts, "host_key": "k"})) == [
        "host key",
        "verdicts",
    ]
    assert before_reconnect(lab, restore, Finished(restore.action, "ok", "", {"host_key": lab.bundle["host_key"]})) == [
        "restore point",
        "verdicts",
    ]
    assert before_reconnect(lab, inspect, Finished(inspect.action, "ok", "", {"evidence": "e"})) == ["verdicts"]
    before = Issue(f"{host}/reconnect/8", host, "reconnect")
    assert before_reconnect(lab, before, Finished(before.action, "ok")) == ["quarantine"]
    back = Issue(f"{host}/isolate/9", host, "isolate")
    assert before_reconnect(
        lab,
        before,
        Finished(before.action, "ok"),
        inspect,
        Swept(lab.bundle["plan"]["site"], 1, True, []),
        Finished(inspect.action, "ok"),
    ) == ["quarantine", "verdicts"]
    assert before_reconnect(lab, before, Finished(before.action, "ok"), back, Finished(back.action, "ok")) == [
        "quarantine",
        "verdicts",
    ]
    assert before_reconnect(lab, before, Cancelled(before.action)) == ["quarantine"]


def signed(
    lab: Case,
    kind: str,
    subject: str,
    *persons: str,
    order: str = "",
    key: str = "",
    ends: int = 1 << 52,
    root: str = "",
    **args: Any,
) -> list[Any]:
    """An order properly signed by these persons one after the other, as records with their documents."""
    head = statement.Head(1, root or root_of([leaf_hash(lab.lines()[0])]).hex())
    name = order or secrets.token_hex(16)
    said = statement.Order(INCIDENT, name, kind, subject, args, ends, head)
    made = []
    for who in persons:
        armoured = sign(key_of(key or who), ORDER_NAMESPACE, said.to_bytes())
        kept = canonical.encode({"document": said.to_bytes().decode(), "person": who, "signature": armoured})
        blob = sha256(kept).hexdigest()
        made.append((Ordered(name, kind, subject, args, who, ends, 1, blob), kept.decode()))
    return made


def test_only_enough_distinct_persons_of_the_right_roles_and_time_loosen_anything(lab: Case) -> None:
    def thaw(*who: str, **how: Any) -> list[str]:
        return before_reconnect(lab, freeze("all"), *signed(lab, "thaw", "all", *who, **how))

    assert thaw("operator-1", "crisis-1") == []
    assert thaw("crisis-1", "operator-1") == []
    assert thaw("operator-1", "crisis-1", ends=1) == ["signatures"], "it had expired"
    assert thaw("operator-1", "crisis-1", root="ab" * 32) == ["signatures"], "they saw another journal"
    assert thaw("operator-1") == ["freeze"]
    assert thaw("operator-1", "operator-1") == ["freeze"], "persons are counted, never signatures"
    assert thaw("operator-1", "technician-1") == ["freeze"]
    assert thaw("crisis-1", "it-director") == ["freeze"]
    assert thaw("operator-1", "stranger") == ["signatures"]
    assert thaw("operator-1", "crisis-1", key="operator-1") == ["signatures"]
    assert thaw("operator-1", "operator-2", "crisis-1") == []
    (first, kept), _ = signed(lab, "thaw", "all", "operator-1", "crisis-1")
    assert before_reconnect(lab, (Ordered(**{**fields_of(first), "subject": "site:north"}), kept)) == ["signatures"]
    gone = (revoked("crisis-1"), revoked("crisis-1", "it-director"))
    assert before_reconnect(lab, *gone, freeze("all"), *signed(lab, "thaw", "all", "crisis-1")) == ["signatures"]
    half = signed(lab, "thaw", "all", "crisis-1", "operator-1")
    assert before_reconnect(lab, freeze("all"), half[0], *gone, half[1]) == ["freeze"], "who was revoked counts no more"


def fields_of(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in type(entry).__slots__}


def test_who_came_into_the_roster_signs_within_their_time(lab: Case) -> None:
    def newcomer(**times: int) -> list[str]:
        one = {"id": "new-1", "roles": ["operator"], "key": public_of(key_of("new-1")).line, **times}
        added = signed(lab, "roster.add", "new-1", "operator-1", "it-director", person=one)
        return before_reconnect(lab, freeze("all"), *added, *signed(lab, "thaw", "all", "new-1", "crisis-1"))

    assert newcomer() == []
    assert newcomer(valid_until_us=1) == ["signatures"]
    assert newcomer(valid_from_us=1 << 52) == ["signatures"]


def test_facts_exceptions_and_declarations_count_as_they_are_signed(lab: Case) -> None:
    host, key = lab.bundle["host"], lab.bundle["host_key"]
    now = json.loads(lab.lines()[-1])["at_us"]
    both = ("analyst-1", "it-director")
    assert before_reconnect(lab, *signed(lab, "fact.t0", "t0", *both, at_us=2)) == []
    declared = signed(lab, "host.declare", host, "operator-1", "it-director", host_key=key, restore_point_us=5)
    assert before_reconnect(lab, *declared) == ["own word", "verdicts"]
    assert before_reconnect(lab, *signed(lab, "host.declare", "ad-2", "operator-1", "it-director")) == []
    early = signed(lab, "fact.t0", "t0", *both, at_us=4)
    assert before_reconnect(lab, *declared, *early) == ["restore point", "own word", "verdicts"]
    withdrawn = ordered("fact.withdraw", "breach_closed", "analyst-1")
    assert before_reconnect(lab, withdrawn, *signed(lab, "fact.breach_closed", "breach_closed", *both)) == []
    other = signed(lab, "indicators.force", "ab" * 32, "analyst-1", "analyst-2")
    assert before_reconnect(lab, *other) == ["verdicts"]
    inspections = judged(lab, "CLEAN").inspections
    for outcome, told in (("no-hit", []), ("unmatched", ["verdicts"]), ("hit", ["verdicts"])):
        assert before_reconnect(lab, *other, Rematched(inspections, "ab" * 32, outcome)) == told, outcome
    assert before_reconnect(lab, *other, Rematched({host: "older"}, "ab" * 32, "no-hit")) == ["verdicts"]
    gone = (revoked("analyst-2"), revoked("analyst-2", "it-director"))
    excepted = signed(lab, "host.exception", host, "operator-2", "crisis-1", until_us=now + HOUR_US)
    assert before_reconnect(lab, *gone) == ["verdicts"]
    assert before_reconnect(lab, *gone, *excepted) == []
    assert before_reconnect(lab, *excepted, *gone, judged(lab, "INFECTED")) == ["verdicts"]
    long = signed(lab, "host.exception", host, "operator-2", "crisis-1", until_us=now + 13 * HOUR_US)
    assert before_reconnect(lab, *gone, *long) == ["verdicts"]
    past = signed(lab, "host.exception", host, "operator-2", "crisis-1", until_us=1)
    assert before_reconnect(lab, *gone, *past) == ["verdicts"]


def test_a_host_that_was_not_wiped_needs_more_than_its_own_word(lab: Case) -> None:
    host, key = lab.bundle["host"], lab.bundle["host_key"]
    declared = signed(lab, "host.declare", host, "operator-1", "it-director", host_key=key, restore_point_us=5)

    def seen(taken: str, by: str = "analyst-1", where: str = host) -> list[Any]:
        return signed(lab, "evidence.import", "ab" * 32, by, taken=taken, tool="scan", hosts={where: "cd" * 32})

    def inspected(taken: str) -> list[Any]:
        action = f"{host}/inspect/9"
        return [Issue(action, host, "inspect"), Finished(action, "ok", "", {"evidence": "e", "taken": taken})]

    for taken in ("offline", "outside"):
        assert before_reconnect(lab, *declared, *seen(taken)) == ["verdicts"]
        assert before_reconnect(lab, *declared, *inspected(taken)) == ["verdicts"]
    own = ["own word", "verdicts"]
    assert before_reconnect(lab, *declared, *seen("host")) == own
    assert before_reconnect(lab, *declared, *inspected("host")) == own
    assert before_reconnect(lab, *seen("offline"), *declared) == own, "before it was declared"
    assert before_reconnect(lab, *declared, *seen("offline", where="ad-1")) == own, "of another host"
    assert before_reconnect(lab, *declared, *seen("offline", by="operator-1")) == own, "nobody who may say so"
    ((record, _),) = seen("offline")
    assert before_reconnect(lab, *declared, record) == ["signatures"], "unproven"
    out, back = f"{host}/reconnect/8", f"{host}/isolate/9"
    gone = [Issue(out, host, "reconnect"), Finished(out, "ok"), Issue(back, host, "isolate"), Finished(back, "ok")]
    assert before_reconnect(lab, *declared, *seen("offline"), *gone) == ["quarantine", *own], "it was outside since"


def test_time_moves_only_once_a_person_confirmed_the_clock(lab: Case) -> None:
    confirmed = signed(lab, "clock.confirm", "clock", "operator-1")
    assert before_reconnect(lab, Jumped(HOUR_US), *confirmed) == ["clock"]
    assert before_reconnect(lab, Jumped(HOUR_US), *confirmed, Epoch(HOUR_US)) == []
    assert before_reconnect(lab, Jumped(HOUR_US), *confirmed, Epoch(1)) == ["signatures"]
    assert before_reconnect(lab, Jumped(HOUR_US), *confirmed, Jumped(1), Epoch(HOUR_US + 1)) == ["signatures"]


def test_a_site_cut_off_by_hand_takes_two_witnesses(lab: Case) -> None:
    site, host = lab.bundle["plan"]["site"], lab.bundle["host"]
    late = json.loads(lab.lines()[-1])["at_us"]
    seen, silent = Swept(site, late, True, [host]), Swept(site, late + 1000, True, [])
    one, other = (signed(lab, "task.done", f"{site}/isolate", who) for who in ("technician-1", "operator-2"))
    assert before_reconnect(lab, seen, *one, silent) == ["quarantine", "verdicts"]
    assert before_reconnect(lab, seen, *one, *one, silent) == ["quarantine", "verdicts"]
    assert before_reconnect(lab, seen, *one, *other, silent) == ["verdicts"]
    assert before_reconnect(lab, *signed(lab, "task.done", "elsewhere/isolate", "technician-1")) == []


def test_a_verdict_counts_for_the_evidence_and_image_it_was_given_on_by_an_analyst(lab: Case) -> None:
    host, site = lab.bundle["host"], lab.bundle["plan"]["site"]
    inspect = Issue(f"{host}/inspect/9", host, "inspect")
    found = Finished(inspect.action, "ok", "", {"evidence": "ab" * 32})

    def said(*verdicts: Any) -> list[str]:
        return before_reconnect(lab, inspect, found, Swept(site, 1, False, []), *verdicts)

    def verdict(who: str, evidence: str = "ab" * 32, image: str = "", **recorded: Any) -> Any:
        head = statement.Head(1, root_of([leaf_hash(lab.lines()[0])]).hex())
        about = (statement.Subject(host, inspect.action, evidence, image),)
        looked = ("accounts",)
        text = statement.Statement(
            "CLEAN", who, about, INDICATORS, (), "by hand", looked, (), head, 1 << 52, INCIDENT
        ).to_bytes()
        armoured = sign(key_of(who), VERDICT_NAMESPACE, text)
        kept = canonical.encode({"document": text.decode(), "person": who, "signature": armoured})
        fields = {"verdict": "CLEAN", "inspections": {host: inspect.action}, "person": who, "expires_us": 1 << 52}
        fields |= {"indicator_set": INDICATORS, "blob": sha256(kept).hexdigest()}
        return Judged(**{**fields, **recorded}), kept.decode()

    assert said(verdict("analyst-1")) == ["verdicts"]
    assert said(verdict("analyst-1"), verdict("analyst-1")) == ["verdicts"]
    assert said(verdict("analyst-1"), verdict("analyst-3")) == []
    assert said(verdict("analyst-1", evidence="cd" * 32)) == ["signatures"]
    assert said(verdict("analyst-1", image="cd" * 32)) == ["signatures"]
    assert said(verdict("operator-2")) == ["signatures"]
    assert said(verdict("analyst-1", indicator_set="cd" * 32)) == ["signatures"]
    assert said(verdict("analyst-1", expires_us=1 << 51)) == ["signatures"]
    assert said(verdict("analyst-1", inspections={host: f"{host}/inspect/1"})) == ["verdicts"]
    assert said(verdict("analyst-1", person="analyst-2")) == ["signatures"]


def test_one_verdict_lets_out_only_a_lot_made_anew_from_the_image_it_names_and_infected_on_one_takes_it_back(
    lab: Case,
) -> None:
    host, site, image = lab.bundle["host"], lab.bundle["plan"]["site"], "ab" * 32
    one = Case({**lab.bundle, "plan": {**lab.bundle["plan"], "verdicts": 1}}, lab.journal, lab.anchor, lab.folder)
    inspections = {host: f"{host}/inspect/9", "pc-north-1": "pc-north-1/inspect/1"}

    def said(*after: Any, how: str = "reimage", named: str = image, hosts: int = 2) -> list[str]:
        restore, inspect = Issue(f"{host}/restore/9", host, "restore", how), Issue(inspections[host], host, "inspect")
        facts: dict[str, Any] = {"host_key": lab.bundle["host_key"], "image_digest": image, "restore_point_us": 1}
        about = [statement.Subject(name, inspections[name], "cd" * 32, named) for name in [*inspections][:hosts]]
        head = statement.Head(1, root_of([leaf_hash(lab.lines()[0])]).hex())
        text = statement.Statement(
            "CLEAN", "analyst-1", tuple(about), INDICATORS, (), "by lot", ("the image",), (), head, 1 << 52, INCIDENT
        ).to_bytes()
        armoured = sign(key_of("analyst-1"), VERDICT_NAMESPACE, text)
        kept = canonical.encode({"document": text.decode(), "person": "analyst-1", "signature": armoured})
        names = {name: inspections[name] for name in [*inspections][:hosts]}
        blob = sha256(kept).hexdigest()
        verdict = (Judged("CLEAN", names, "analyst-1", INDICATORS, 1 << 52, blob), kept.decode())
        made = Finished(restore.action, "ok", "", facts)
        found = Finished(inspect.action, "ok", "", {"evidence": "cd" * 32})
        return before_reconnect(one, restore, made, inspect, found, Swept(site, 1, False, []), verdict, *after)

    assert said() == []
    assert said(how="replace") == []
    assert said(how="restore") == ["verdicts"]
    assert said(named="") == ["verdicts"]
    assert said(hosts=1) == ["verdicts"]
    other = {"pc-north-1": "pc-north-1/inspect/1"}
    assert said(Judged("SUSPECT", other, "analyst-2", INDICATORS, 1 << 52, "")) == []
    assert said(Judged("INFECTED", other, "analyst-2", INDICATORS, 1 << 52, "")) == ["verdicts"]
    assert said(Judged("INFECTED", {"pc-9": "pc-9/inspect/1"}, "analyst-2", INDICATORS, 1 << 52, "")) == []
